"""What an operator can do now about a run: the exact commands, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..core import words
from ..core.advice import resume, worded
from ..core.states import OVER, RunState
from ..core.words import Step, plural
from .console import has_terminal

if TYPE_CHECKING:
    from ..journal.snapshot import Snapshot
    from ..running.run import Run


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
    if snapshot.settings.get("confirm") != "chunk" or has_terminal():
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
