"""What the buttons do: each posts a control message, or starts a thread, and returns at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from ..core.states import OVER
from ..reports.progress import SETTLES
from .screen import Screen, changed_settings, planned_screen, run_screen
from .tasks import Tasks

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..running.run import Run

_STARTED: Final[WeakKeyDictionary[Plan, Run]] = WeakKeyDictionary()
"""The latest run of each plan that was started from a panel."""

MOST_IN_WORKBOOK: Final = 100_000
"""With more items than this the table of outcomes is a CSV file: no spreadsheet is pleasant beyond."""


def write_reports(run: Run, folder: Path) -> dict[str, Path]:
    """Write the report, the outcomes and, where rows failed, those to mend.

    Args:
        run: The run.
        folder: Where to; made when it isn't there.

    Returns:
        The files by what they are, in words.
    """
    run.wait(SETTLES)
    folder.mkdir(parents=True, exist_ok=True)
    table = ".xlsx" if run.snapshot().total <= MOST_IN_WORKBOOK else ".csv"
    files = {
        "Report": run.report(folder / f"{run.id}.html"),
        "Outcome of every row": run.report(folder / f"{run.id}{table}"),
    }
    to_mend = run.fix_file(folder / f"{run.id}-to-mend{table}")
    return files | ({"Rows to correct and load again": to_mend} if to_mend else {})


class RunController:
    """Steers one plan: starts it, and steers the run that came of it.

    Args:
        plan: The plan.
        run: The run, when there is one already.
        report_folder: Where reports go.
    """

    def __init__(self, plan: Plan, run: Run | None = None, report_folder: Path = Path("reports")) -> None:
        self.plan = plan
        self.run = run
        self.report_folder = report_folder
        self.reports: dict[str, Path] = {}
        self.undo_plan: Plan | None = None
        self.tasks = Tasks()
        self.more_settings: dict[str, Any] = {}
        self._reported = False
        summary = plan.summary()
        self._changes = summary.changes
        self.title = f"{summary.source} → {summary.table or summary.target}"

    @property
    def busy(self) -> str:
        """What is being done in the background, in words; empty when nothing is."""
        return self.tasks.busy

    @classmethod
    def of(cls, subject: Run | Plan, report_folder: Path) -> RunController:
        """The controller of a plan to be started, or of a run."""
        from ..planning.plan import Plan

        # A run is known by what it can do, so that tests and other kinds of runs pass too.
        if hasattr(subject, "snapshot") and not isinstance(subject, Plan):
            return cls(subject.plan, subject, report_folder)
        # A cell that is executed again finds the run it started, instead of offering to start a second one.
        return cls(subject, _STARTED.get(subject), report_folder)

    def screen(self) -> Screen:
        """What is to be shown now."""
        if self.run is None:
            return planned_screen(self.plan, self.title, self.tasks.notice, self.busy)
        return run_screen(self.run.snapshot(), self.title, self._changes, self.tasks.notice, self.busy)

    def start(self, texts: Mapping[str, str], shown: Mapping[str, str], *, dry_run: bool = False) -> None:
        """Start the plan with the settings that were changed on the screen."""

        def begin() -> None:
            settings = self.more_settings | changed_settings(texts, shown)
            if dry_run:
                settings["dry_run"] = True
            self.run = _STARTED[self.plan] = self.plan.start(**settings)
            self.reports = {}
            self._reported = False

        self.tasks.now(begin)

    def pause(self) -> None:
        """Ask the run to pause."""
        self._ask("pause")

    def resume(self) -> None:
        """Ask the run to go on; takes up a run whose process has ended."""
        self.reports = {}
        self._ask("resume")

    def stop(self) -> None:
        """Ask the run to stop in good order."""
        self._ask("stop")

    def apply_settings(self, texts: Mapping[str, str], shown: Mapping[str, str]) -> None:
        """Give the running run the settings that were changed on the screen."""
        run = self.run

        def post() -> None:
            settings = changed_settings(texts, shown)
            if run is not None and settings:
                run.set(**settings)

        self.tasks.now(post)

    def write_reports(self) -> None:
        """Write the report, the table of outcomes and the rows to mend, in a thread of its own."""
        run = self.run
        if run is None:
            return
        folder = self.report_folder

        def write() -> None:
            self.reports = write_reports(run, folder)

        self.tasks.later("Writing the report…", write)

    def undo(self) -> None:
        """Make the plan that reverses the run, in a thread of its own; it is then looked at and run."""
        run = self.run
        if run is None:
            return

        def reverse() -> None:
            run.wait(SETTLES)  # while its owner is leaving, it can't be undone
            self.undo_plan = run.undo()

        self.tasks.later("Working out what can be undone…", reverse)

    def report_when_over(self, screen: Screen) -> None:
        """Write the reports once after each end; a run that goes on gets new ones at its next end."""
        if not screen.over:
            self._reported = False
        elif self.run is not None and not self._reported and not self.busy:
            self._reported = True
            self.write_reports()

    def planned_settings(self) -> dict[str, Any]:
        """The settings that hold where nobody says otherwise."""
        return dict(getattr(self.plan, "settings", {}))

    def _ask(self, verb: str) -> None:
        run = self.run
        if run is not None:
            self.tasks.now(getattr(run, verb))
            if verb != "resume" and self.tasks.notice and run.state in OVER:
                self.tasks.notice = ""  # it ended between the look and the click, and that is on the screen
