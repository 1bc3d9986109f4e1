"""What `--json` prints about runs and plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .steps import advice, fix_path, report_path

if TYPE_CHECKING:
    from ..journal.snapshot import Snapshot
    from ..planning.plan import Plan
    from ..running.run import Run


MOST_PROBLEMS: Final = 1_000
"""How many problems `--json` prints unless all are asked for: a file may have a million."""


def plan_object(plan: Plan, *, all_problems: bool = False) -> dict[str, Any]:
    """What `--json` prints about a plan; `problems_left_out` says how many there are besides, if any."""
    problems = plan.problems(None if all_problems else MOST_PROBLEMS)
    left_out = plan.summary().problems - len(problems)
    return {
        "plan": str(plan.path),
        "changes": dict(plan.counts),
        "problems": [problem.to_dict() for problem in problems],
        **({"problems_left_out": left_out} if left_out else {}),
    }


def run_object(run: Run, snapshot: Snapshot | None = None) -> dict[str, Any]:
    """What `--json` prints about a run."""
    snapshot = snapshot or run.snapshot()
    report, fix = report_path(run), fix_path(run, snapshot)
    return {
        "run": run.id,
        "state": str(snapshot.state),
        "dry_run": snapshot.dry_run,
        "outcomes": dict(snapshot.outcomes),
        "attempts": snapshot.attempts,
        "seconds": round(snapshot.seconds, 3),
        "rate": None if (rate := average_rate(snapshot)) is None else round(rate, 3),
        "report": str(report) if report else None,
        "fix": str(fix) if fix else None,
        "message": snapshot.message,
        "advice": advice(run, snapshot),
    }


def average_rate(snapshot: Snapshot) -> float | None:
    """Items per second: the recent rate while it runs, the average afterwards."""
    if snapshot.rate is not None:
        return snapshot.rate
    sent = snapshot.to_send - snapshot.outcomes.get("pending", 0)
    return sent / snapshot.seconds if snapshot.seconds > 0 and sent > 0 else None
