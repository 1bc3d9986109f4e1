"""A run as it can be read from any process: where it stands, what became of each item, and its reports."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import advice
from ..core.errors import RunError, RunFailed
from ..core.states import ACTIVE, RunState
from ..core.words import plural
from ..journal.attempts import attempts_made
from ..journal.journal import JournalReader
from ..journal.owner import owner_of
from ..journal.snapshot import Snapshot, count_outcomes
from ..planning.plan import Plan
from .child import lives, why_it_died
from .driver import last_words, live_driver

if TYPE_CHECKING:
    import polars as pl

    from ..reports.data import ReportData


class RunView:
    """What there is to see of a run; `Run` adds what can be asked of it.

    Attributes:
        id: Its name, which begins with the time it was made.
        folder: The run folder.
        dry_run: Whether it leaves nothing written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._journal = JournalReader(folder / "journal.sqlite")
        self.id: str = self._journal.meta("run", folder.name)
        self.dry_run: bool = self._journal.meta("dry_run", False)
        self._child: subprocess.Popen[bytes] | None = None
        self._plan: Plan | None = None

    def __repr__(self) -> str:
        return f"<Run {self.id}: {self.state}>"

    @property
    def plan(self) -> Plan:
        """The plan it runs."""
        if self._plan is None:
            self._plan = Plan.load(self.folder / "plan.parquet", verify=False)
        return self._plan

    @property
    def journal(self) -> JournalReader:
        """Its journal, for reading."""
        return self._journal

    @property
    def state(self) -> RunState:
        """Where it stands; a run whose owner died is `interrupted`."""
        driver = live_driver(self.folder)
        if driver is not None and driver.engine is not None:
            return driver.engine.state  # what is on disk is a moment older
        state = self._journal.state()
        if driver is None and state in ACTIVE and owner_of(self.folder) is None:
            # Read again: it may have ended in good order between the two looks.
            state = self._journal.state()
            if state in ACTIVE:
                return RunState.FAILED if last_words(self.folder) else RunState.INTERRUPTED
        return state

    def snapshot(self) -> Snapshot:
        """Where it stands, in figures; cheap enough for ten times a second."""
        driver = live_driver(self.folder)
        if driver is not None and driver.engine is not None:
            return driver.engine.snapshot()
        stored = Snapshot.from_dict(self._journal.meta("snapshot"))
        state = self.state
        changes: dict[str, Any] = {"state": state, "message": self._journal.meta("message", "")}
        owner = owner_of(self.folder)
        changes["owner"] = str(owner) if owner else ""
        if owner is None:
            changes.update(rate=None, eta=None, limiter="", in_flight=0, memory=0)
            if state is not stored.state:
                changes.update(self._recounted(state))
        if state is RunState.PLANNED and lives(self.folder) is False:
            changes["message"] = why_it_died(self.folder)
        return Snapshot.from_dict({**stored.to_dict(), **changes})

    def raise_for_state(self) -> None:
        """Raise `RunFailed`, with what happened and what to do next, unless the run is finished."""
        snapshot = self.snapshot()
        if snapshot.state is not RunState.FINISHED:
            raise RunFailed(
                f"The run {self.id} is {snapshot.state}. {snapshot.message}".strip(),
                advice=f"Once the cause is mended: {advice.resume(self.id)}",
                run=self.id,
                state=snapshot.state,
            )

    def _what_remains(self) -> str:
        outcomes, here = self.snapshot().outcomes, partial(advice.resume, self.id)
        if outcomes["unknown"]:
            return (
                f"The fate of {plural(outcomes['unknown'], 'item')} is unknown: look at the target, then "
                f"settle it: {here(settle='done')}, or {here(settle='resend')}."
            )
        if outcomes["conflict"]:
            conflicts = plural(outcomes["conflict"], "item")
            return f"To write the {conflicts} in conflict all the same: {here(overwrite=True)}."
        return ""

    def _recounted(self, state: RunState) -> dict[str, Any]:
        """Counts from the journal, of a run whose last snapshot is older than its last outcome."""
        counts = count_outcomes(self.plan, self._journal.counts())
        facts: dict[str, Any] = {
            "outcomes": {str(o): n for o, n in counts.items()},
            "attempts": attempts_made(self._journal),
        }
        if message := last_words(self.folder):
            return {**facts, "message": message}
        if state is RunState.INTERRUPTED:
            facts["message"] = "The process that drove it died. Resume it: what was done is on record."
            if under_way := len(self._journal.intents()):
                calls = plural(under_way, "call was", "calls were")
                facts["message"] += f" {calls} under way: the items are listed as pending until then."
        return facts

    def outcome_frames(
        self, size: int = 50_000, *, raw: bool = False, values: bool = False
    ) -> Iterator[pl.DataFrame]:
        """What became of each item, in frames of `size`, in plan order; see `outcomes.outcome_frames`."""
        from ..journal.outcomes import outcome_frames

        return outcome_frames(self.plan, self._journal, size=size, raw=raw, values=values)

    def outcomes(self, kind: str | None = None) -> pl.DataFrame:
        """What became of each item, as one frame.

        Args:
            kind: Only items with this outcome.
        """
        import polars as pl

        from ..journal.outcomes import SCHEMA

        frames = [pl.DataFrame(schema=SCHEMA), *self.outcome_frames()]
        return pl.concat([frame.filter(pl.col("outcome") == kind) if kind else frame for frame in frames])

    def results(self) -> pl.DataFrame:
        """What the target answered for the items that are done: the source's columns and the answers' own.

        The source of the next job: `Job(source=run.results(), to=...)`.

        Raises:
            RunError: The run's target answers nothing that is kept.
        """
        import polars as pl

        from ..core.columns import ROW

        return pl.concat(self._result_frames()).drop(ROW)

    def results_file(self, path: str | Path) -> Path:
        """Write the results to a file that can be the source of the next job.

        Args:
            path: `.csv` or `.xlsx`.

        Raises:
            RunError: The run's target answers nothing that is kept.
            UsageError: The file can't be written there.
            DiskFull: No room is left.
        """
        from ..reports.report import write_results

        return write_results(self._result_frames(), path, kept=self.report_data().kept)

    def _result_frames(self) -> Iterator[pl.DataFrame]:
        from ..journal.outcomes import result_frames

        if not self.plan.facts.get("results"):
            raise RunError(
                f"The run {self.id} keeps no results: {self.plan.facts['address']} answers none.",
                advice="Texts come from a chat target; what became of each row is in the report.",
            )
        return result_frames(self.plan, self._journal)

    def report_data(self) -> ReportData:
        """What a report says about this run, for `batchkit.reports.report`."""
        from ..reports.data import report_data

        return report_data(self.plan, self._journal, self.snapshot(), self.folder)

    def report(self, path: str | Path | None = None) -> Path:
        """Write a report.

        Args:
            path: `.html`, `.xlsx`, `.csv` or `.json`; without one, `report.html` in the run folder.

        Returns:
            Where it lies.

        Raises:
            UsageError: No report has that suffix, or the file can't be written there.
            DiskFull: No room is left.
        """
        from ..reports.report import write_report

        return write_report(self.report_data(), path or self.folder / "report.html")

    def fix_file(
        self, path: str | Path | None = None, *, outcomes: tuple[str, ...] = ("rejected", "conflict")
    ) -> Path | None:
        """Write the rows that failed, as they stand in the source, with error and advice: correct, run again.

        Args:
            path: `.csv` or `.xlsx`; without one, `fix.csv` in the run folder.
            outcomes: Which items. `unknown` only when asked for: such an item may have been written.

        Returns:
            Where it lies; None when nothing failed.
        """
        from ..reports.report import write_fix_file

        return write_fix_file(self.report_data(), path or self.folder / "fix.csv", outcomes=outcomes)

    def _child_lives(self) -> bool:
        return self._child is not None and self._child.poll() is None
