"""The operator's panel in a notebook: what would change, and the run that changes it.

pages.py        which changes of a plan are on the screen, as plain values
screen.py       what is on the screen of a run, as plain values
clicks.py       what can be done next, by the names of buttons and fields
html.py         those values as escaped HTML
controller.py   what the buttons do: post a control message and return
ticker.py       the one thread that looks at runs and refreshes views
plan_view.py    the view of a plan
run_view.py     the view of a run
static.py       the same as pages that need no widget
form.py         a job as an operator fills it in, as plain values
job_view.py     the view of it: load, map, check, then the two above
tasks.py        work that a click asks for
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from ..core.errors import UsageError
from ..core.install import install_command

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..running.run import Run
    from .job_view import WizardView
    from .plan_view import PreviewView
    from .run_view import ControlView
    from .static import StaticPage

__all__ = ["control", "preview", "report_links", "wizard"]


@overload
def preview(plan: Plan, *, page_size: int = 20, interactive: Literal[True] = True) -> PreviewView: ...
@overload
def preview(plan: Plan, *, page_size: int = 20, interactive: bool) -> PreviewView | StaticPage: ...
def preview(plan: Plan, *, page_size: int = 20, interactive: bool = True) -> PreviewView | StaticPage:
    """What the plan would change: counts as filters, a paged table with changed cells marked, the problems.

    Args:
        plan: The plan to look at; nothing is computed again.
        page_size: Items per page.
        interactive: A widget; otherwise a page that stays readable in the notebook papermill leaves behind.

    Raises:
        UsageError: ipywidgets isn't installed.
    """
    if not interactive:
        from .static import static_preview

        return static_preview(plan, page_size)
    _need_widgets()
    from .plan_view import PreviewView

    return PreviewView(plan, page_size=page_size)


def control(
    subject: Run | Plan,
    *,
    report_folder: str | Path = "reports",
    settings: Mapping[str, Any] | None = None,
    dry_run: bool = False,
    again: bool = False,
) -> ControlView:
    """A widget that starts a plan, or takes up a run, and shows and steers it while it works.

    The run doesn't notice whether a view is open: it can be closed, opened again, or opened twice.

    Args:
        subject: A plan that shall be started, or a run of this or another process.
        report_folder: Where reports go; below the notebook's folder they become links to download.
        settings: Settings to start with (`workers`, `rate`, `delay`, `chunk_size`, `canary`, ...).
        dry_run: Offer the dry run only.
        again: Send what an earlier run of the same rows has sent already; without it, that is refused.

    Raises:
        UsageError: ipywidgets isn't installed.
        SettingsError: A setting is unknown or out of range.
    """
    _need_widgets()
    from .run_view import ControlView

    return ControlView(
        subject, report_folder=Path(report_folder), settings=settings or {}, dry_run=dry_run, again=again
    )


def wizard(*, report_folder: str | Path = "reports", **values: str) -> WizardView:
    """A widget that leads from a file to a run: load, map, check, preview, dry run, run, report and undo.

    Args:
        report_folder: Where reports go.
        **values: What stands in the form at first: `source`, `sheet`, `header_row`, `encoding`, `to`,
            `table`, `mode`.

    Raises:
        UsageError: ipywidgets isn't installed.
    """
    _need_widgets()
    from .job_view import WizardView

    return WizardView(values, Path(report_folder))


def report_links(run: Run, report_folder: str | Path = "reports") -> StaticPage:
    """Write the report, the outcome of every row and the rows to correct, and show links to them.

    Args:
        run: A run that is over.
        report_folder: Where the files go; below the notebook's folder they become links to download.
    """
    from .static import static_links

    return static_links(run, Path(report_folder))


def _need_widgets() -> None:
    if find_spec("ipywidgets") is None:
        raise UsageError(
            "The panel needs ipywidgets.",
            advice=f"Run: {install_command('lab')}  (or use plan.start() and batchkit.watch(run))",
        )
