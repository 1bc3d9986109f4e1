"""What a report says about a run, gathered from its plan and its journal."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.advice import as_command, worded
from ..core.problem import Problem
from ..core.secrets import redact_all
from ..core.states import ACTIVE, Change, RunState
from ..journal.outcomes import outcome_frames
from ..targets.sql.address import local_file

if TYPE_CHECKING:
    import polars as pl

    from ..journal.journal import JournalReader
    from ..journal.snapshot import Snapshot
    from ..planning.plan import Plan

Sample = tuple[float, int, int, int, int, float | None, int]
"""A point of a run: active seconds; items done, unchanged, rejected, other so far; rate; workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """All that a report says about a run.

    Attributes:
        run: Id of the run, as the command line takes it.
        state: Where the run stands.
        dry_run: Nothing was written.
        source: Name of the source.
        target: Address of the target, without secrets.
        started: ISO moment of the start; None when it never started.
        finished: ISO moment of the end; None while it hasn't ended.
        seconds: Active seconds, pauses left out.
        changes: Kind of change → how many items.
        outcomes: Outcome → how many items.
        attempts: Tries of items, retries included.
        settings: Setting → value; no secrets.
        message: Why it paused or failed, in one sentence.
        reversible: Whether the target's changes can be undone.
        fix_file: Name of the fix-and-rerun file that was written beside; empty when there is none.
        job_file: Path of the run's own copy of its job; empty when there is none.
        samples: Points of the run's course, in order, at most a few hundred.
        notices: What was noticed about the source.
        columns: The source's columns, in order.
        frames: Called with a size, gives the outcomes in plan order in frames of at most that many rows:
            `item, row, key, change, outcome, attempts, at, rule, reason, advice, detail`; `key` and `detail`
            (JSON) are texts, `at` is a moment in UTC.
        raw_frames: Called with outcomes and a size, gives the items that have one of these outcomes the same
            way, with the source's texts beside them in columns `raw:<column>`.
        kept: Files that nothing written about the run may replace → what they are (`the source of this run`).
    """

    run: str
    state: RunState
    dry_run: bool
    source: str
    target: str
    changes: Mapping[str, int]
    outcomes: Mapping[str, int]
    frames: Callable[[int], Iterator[pl.DataFrame]]
    raw_frames: Callable[[Collection[str], int], Iterator[pl.DataFrame]]
    columns: Sequence[str] = ()
    started: str | None = None
    finished: str | None = None
    seconds: float = 0.0
    attempts: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    message: str = ""
    reversible: bool = True
    fix_file: str = ""
    job_file: str = ""
    samples: Sequence[Sample] = ()
    notices: Sequence[Problem] = ()
    kept: Mapping[Path, str] = field(default_factory=dict)


def report_data(plan: Plan, journal: JournalReader, snapshot: Snapshot, folder: Path) -> ReportData:
    """The facts of a run as its reports take them.

    Args:
        plan: The plan that was run.
        journal: The run's journal.
        snapshot: Where the run stands.
        folder: The run folder.
    """
    summary = plan.summary()
    over = snapshot.state not in (*ACTIVE, RunState.PLANNED)
    notices = [*summary.notices, *(Problem(**each) for each in journal.meta("notices", []))]

    def failed_frames(outcomes: Collection[str], size: int) -> Iterator[pl.DataFrame]:
        import polars as pl

        for frame in outcome_frames(plan, journal, size=size, raw=True, say=as_command):
            failed = frame.filter(pl.col("outcome").is_in(list(outcomes)))
            if failed.height:
                yield failed

    def frames(size: int) -> Iterator[pl.DataFrame]:
        return outcome_frames(plan, journal, size=size, values=True, say=as_command)

    return ReportData(
        run=snapshot.run,
        state=snapshot.state,
        dry_run=snapshot.dry_run,
        source=summary.source,
        target=summary.target,
        started=_moment(journal.meta("created")),
        finished=_moment(journal.meta("ended")) if over else None,
        seconds=snapshot.seconds,
        changes=summary.changes,
        outcomes=snapshot.outcomes,
        attempts=snapshot.attempts,
        settings=redact_all(dict(snapshot.settings)),
        message=worded(snapshot.message, as_command),
        reversible=summary.reversible,
        fix_file="fix.csv" if (folder / "fix.csv").is_file() else "",
        job_file=str(folder / "job.toml") if (folder / "job.toml").is_file() else "",
        samples=journal.samples(unchanged=summary.changes.get(Change.UNCHANGED, 0)),
        notices=[replace(each, advice=worded(each.advice, as_command)) for each in notices],
        columns=summary.columns,
        frames=frames,
        raw_frames=failed_frames,
        kept=_kept(plan),
    )


def _kept(plan: Plan) -> dict[Path, str]:
    source, target = plan.facts["source"], plan.facts["target"]
    places = {
        "the plan of this run": plan.path,
        "the database that this run read": local_file(source.get("address", "")),
        "the target of this run": local_file(target.get("url", "")),
        "the source of this run": Path(source["path"]) if source.get("path") else None,
    }
    return {path: what for what, path in places.items() if path is not None}


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
