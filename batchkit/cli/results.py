"""What came of a run, for people and for programs: its page, what can be done now, what `--json` prints."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..core import words
from ..core.advice import resume, worded
from ..core.states import OVER, RunState
from ..core.words import Step, number, plural
from .console import bold, dim, is_terminal, shorten, style, value_text, width
from .pages import run_page

if TYPE_CHECKING:
    from ..journal.snapshot import Snapshot
    from ..planning.plan import Plan
    from ..running.run import Run

SHOWN: Final = 3
"""Conflicts that stand on the page; the report has them all."""
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


def result_page(run: Run, snapshot: Snapshot, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """The page of a run.

    Args:
        run: The run.
        snapshot: Its figures.
        more: Lines to show before the next steps, label → text.
    """
    yield from run_page(snapshot, run.plan.counts, {**(more or {}), **next_steps(run, snapshot)})
    if total := snapshot.outcomes.get("conflict", 0):
        yield from _conflicts(run, total)


def _conflicts(run: Run, total: int) -> Iterator[str]:
    yield ""
    yield bold("Conflicts") + dim("  edited at the target since the plan was made; kept as they are")
    shown = 0
    for row in _rows(run):
        place = f"row {row['row']}  " if row["row"] is not None else ""
        yield f"  {place}{bold(shorten(str(row['key']), 60))}"
        yield from _values(row)
        shown += 1
    if total > shown:
        yield dim(f"  and {number(total - shown)} more; the report lists them")


def _rows(run: Run) -> Iterator[dict[str, Any]]:
    import polars as pl

    left = SHOWN
    for frame in run.outcome_frames():
        found = frame.filter(pl.col("outcome") == "conflict").head(left)
        yield from found.to_dicts()
        left -= found.height
        if not left:
            return


def _values(row: Mapping[str, Any]) -> Iterator[str]:
    from ..reports.overview import differences

    room = max(16, (width() - 50) // 2)
    fields = differences(row["detail"])
    for name, _, found, wanted in fields:
        now = style(value_text(found, room), fg="red")
        yield f"      {name}: there now {now}, wanted {style(value_text(wanted, room), fg='green')}"
    if not fields and row["reason"]:
        yield f"      {shorten(row['reason'], width() - 8)}"


def next_steps(run: Run, snapshot: Snapshot) -> dict[str, str]:
    """Label → what the operator can look at or do now; what stands behind a line end explains it."""
    steps = {}
    if report := report_path(run):
        steps["report"] = str(report)
    for step in _steps(run, snapshot):
        if step.label == "to fix":
            why = f"{plural(_bad(snapshot), 'row')} with the reason: correct them, then plan that file"
            steps[step.label] = "\n".join([str(fix_path(run, snapshot)), why, *map(worded, step.actions)])
        elif step.actions:
            how = "\nor ".join(map(worded, step.actions))  # a line each, to be copied
            steps[step.label] = f"{how}\n{step.note}" if step.note else how
    return steps


def advice(run: Run, snapshot: Snapshot) -> str:
    """The same in a few sentences: what to do about a run that isn't simply done; empty where it is."""
    return "\n".join(worded(str(step)) for step in _steps(run, snapshot) if step.label != "undo")


def _steps(run: Run, snapshot: Snapshot) -> Iterator[Step]:
    fix, quiet = (
        fix_path(run, snapshot),
        snapshot.state in OVER and snapshot.state is not RunState.INTERRUPTED,
    )
    left_out = {"dry run"} | ({"to fix"} if not fix else set()) | ({"undo"} if not quiet else set())
    for step in words.next_steps(
        run.id,
        snapshot.state,
        snapshot.outcomes,
        dry_run=snapshot.dry_run,
        reversible=run.plan.summary().reversible,
        fix_file=str(fix or ""),
        job_file=str(job) if (job := run.folder / "job.toml").is_file() else "",
    ):
        if step.label not in left_out:
            yield _way_on(run.id, snapshot, step) if step.label == "go on" else step


def _way_on(run: str, snapshot: Snapshot, step: Step) -> Step:
    if snapshot.settings.get("confirm") != "chunk" or is_terminal(sys.stdin):
        return step
    everything = worded(resume(run, confirm=""))
    return replace(step, note=f"sends the next chunk; all the rest without being asked: {everything}")


def _bad(snapshot: Snapshot) -> int:
    return sum(snapshot.outcomes.get(kind, 0) for kind in ("rejected", "conflict"))


def report_path(run: Run) -> Path | None:
    """The report in the run's folder, if it was written."""
    for suffix in ("html", "xlsx", "json", "csv"):
        path = run.folder / f"report.{suffix}"
        if path.is_file():
            return path
    return None


def fix_path(run: Run, snapshot: Snapshot) -> Path | None:
    """The rows to fix in the run's folder, if there are any."""
    path = run.folder / "fix.csv"
    return path if _bad(snapshot) and path.is_file() else None
