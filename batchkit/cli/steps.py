"""What an operator can do now about a run: the exact commands, for people and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..core.states import RESUMABLE, RunState
from ..core.words import plural
from .console import has_terminal

if TYPE_CHECKING:
    from ..journal.snapshot import Snapshot
    from ..running.run import Run


def resume_command(run: Run) -> str:
    """The exact command that takes the run up again."""
    return f"batchkit resume {run.id}"


def next_steps(run: Run, snapshot: Snapshot) -> dict[str, str]:
    """Label → what the operator can look at or do now; what stands behind a line end explains it."""
    steps = {}
    if report := report_path(run):
        steps["report"] = str(report)
    if fix := fix_path(run, snapshot):
        bad = sum(snapshot.outcomes.get(kind, 0) for kind in ("rejected", "conflict"))
        steps["to fix"] = f"{fix}\n{plural(bad, 'row')} with the reason: correct them, then plan that file"
    if snapshot.outcomes.get("conflict") and not snapshot.dry_run:
        steps["conflicts"] = (
            f"{resume_command(run)} --overwrite-conflicts\n"
            "writes them all the same; plan again to see the present values first"
        )
    if snapshot.outcomes.get("unknown"):
        steps["settle"] = f"{resume_command(run)} --settle done (or resend)"
    if snapshot.state in RESUMABLE:
        steps["go on"] = _way_on(run, snapshot)
    if _can_be_undone(run, snapshot):
        steps["undo"] = f"batchkit undo {run.id}"
    return steps


def _way_on(run: Run, snapshot: Snapshot) -> str:
    if snapshot.settings.get("confirm") == "chunk" and not has_terminal():
        return (
            f"{resume_command(run)}\nsends the next chunk; all the rest without being asked: "
            f"{resume_command(run)} --set confirm="
        )
    return resume_command(run)


def advice(run: Run, snapshot: Snapshot) -> str:
    """The same in a few sentences: what to do about a run that isn't simply done; empty where it is."""
    sentences = []
    if snapshot.state in RESUMABLE:
        first, _, more = _way_on(run, snapshot).partition("\n")
        sentences.append(f"To go on: {first}" + (f" ({more})" if more else ""))
    if snapshot.outcomes.get("unknown"):
        sentences.append(f"Look at the target, then: {resume_command(run)} --settle done (or resend)")
    if snapshot.outcomes.get("conflict") and not snapshot.dry_run:
        sentences.append(f"To write the conflicts all the same: {resume_command(run)} --overwrite-conflicts")
    if fix := fix_path(run, snapshot):
        sentences.append(f"Correct the rows in {fix}, then plan that file.")
    return "\n".join(sentences)


def _can_be_undone(run: Run, snapshot: Snapshot) -> bool:
    written = bool(snapshot.outcomes.get("done")) and not snapshot.dry_run
    quiet = snapshot.state in (RunState.FINISHED, RunState.STOPPED, RunState.FAILED)
    return written and quiet and run.plan.summary().reversible


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
    bad = any(snapshot.outcomes.get(kind) for kind in ("rejected", "conflict"))
    return path if bad and path.is_file() else None
