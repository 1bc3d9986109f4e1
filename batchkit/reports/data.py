"""Gathers what a report says about a run from its plan and its journal."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.secrets import redact_all
from ..core.states import ACTIVE, RunState
from ..targets.sql.address import local_file
from .report import ReportData

if TYPE_CHECKING:
    import polars as pl

    from ..planning.plan import Plan
    from ..running.run import Run


def report_data(run: Run) -> ReportData:
    """The facts of a run as its reports take them."""
    plan, snapshot, journal = run.plan, run.snapshot(), run.journal
    summary = plan.summary()
    over = snapshot.state not in (*ACTIVE, RunState.PLANNED)

    def failed_frames(outcomes: Collection[str], size: int) -> Iterator[pl.DataFrame]:
        import polars as pl

        for frame in run.outcome_frames(size, raw=True):
            failed = frame.filter(pl.col("outcome").is_in(list(outcomes)))
            if failed.height:
                yield failed

    return ReportData(
        run=run.id,
        state=snapshot.state,
        dry_run=run.dry_run,
        source=summary.source,
        target=summary.target,
        started=_moment(journal.meta("created")),
        finished=_moment(journal.meta("ended")) if over else None,
        seconds=snapshot.seconds,
        changes=summary.changes,
        outcomes=snapshot.outcomes,
        attempts=snapshot.attempts,
        settings=redact_all(dict(snapshot.settings)),
        message=snapshot.message,
        reversible=summary.reversible,
        fix_file="fix.csv" if (run.folder / "fix.csv").is_file() else "",
        samples=journal.samples(),
        notices=summary.notices,
        columns=summary.columns,
        frames=partial(run.outcome_frames, values=True),
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
