"""Pages without widgets: what stays in a notebook that papermill has executed."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.words import number
from .controller import write_reports
from .html import changes_html, links_html, problems_html, stylesheet
from .pages import PROBLEMS, PreviewModel

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..running.run import Run


@dataclass(frozen=True, slots=True)
class StaticPage:
    """A page for a notebook's output.

    Attributes:
        html: The page.
        text: The same in a few words, where no HTML is shown.
    """

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def static_preview(plan: Plan, page_size: int = 20) -> StaticPage:
    """The counts, the first changes and the first problems of a plan."""
    model = PreviewModel(plan, page_size)
    counts = [f"{each.label}: {number(each.count)}" for each in model.filters]
    text = ", ".join(counts)
    parts = [f"<p>{escape(text)}</p>", changes_html(model.rows(), model.summary.key)]
    if model.kind != PROBLEMS and model.summary.problems:
        model.select(PROBLEMS)
        parts += [f"<p>Problems: {model.span}</p>", problems_html(model.problems())]
    return StaticPage(f'{stylesheet()}<div class="bk-panel">{"".join(parts)}</div>', text)


def static_links(run: Run, folder: Path) -> StaticPage:
    """Links to the reports of a run, which are written first."""
    files = write_reports(run, folder)
    return StaticPage(links_html(files), "\n".join(f"{words}: {path}" for words, path in files.items()))
