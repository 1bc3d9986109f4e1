"""What `--json` prints about runs and plans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..plan import Plan
    from ..run import Run
    from ..snapshot import Snapshot


def plan_object(plan: Plan) -> dict[str, Any]:
    """What `--json` prints about a plan."""
    return {
        "plan": str(plan.path),
        "changes": dict(plan.counts),
        "problems": [problem.to_dict() for problem in plan.problems()],
    }


def run_object(run: Run, snapshot: Snapshot | None = None) -> dict[str, Any]:
    """What `--json` prints about a run."""
    snapshot = snapshot or run.snapshot()
    report = report_path(run)
    return {
        "run": run.id,
        "state": str(snapshot.state),
        "dry_run": snapshot.dry_run,
        "outcomes": dict(snapshot.outcomes),
        "attempts": snapshot.attempts,
        "seconds": round(snapshot.seconds, 3),
        "rate": None if (rate := average_rate(snapshot)) is None else round(rate, 3),
        "report": str(report) if report else None,
    }


def average_rate(snapshot: Snapshot) -> float | None:
    """Items per second: the recent rate while it runs, the average afterwards."""
    if snapshot.rate is not None:
        return snapshot.rate
    sent = snapshot.to_send - snapshot.outcomes.get("pending", 0)
    return sent / snapshot.seconds if snapshot.seconds > 0 and sent > 0 else None


def report_path(run: Run) -> Path | None:
    """The report in the run's folder, if it was written."""
    for suffix in ("html", "xlsx", "json", "csv"):
        path = run.folder / f"report.{suffix}"
        if path.is_file():
            return path
    return None
