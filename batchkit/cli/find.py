"""Which run is meant: an id, the beginning of one, a folder, or "last"."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunNotFound, UsageError

if TYPE_CHECKING:
    from ..run import Run
    from ..snapshot import Snapshot


def find_run(name: str) -> Run:
    """Open the run that `name` means.

    Raises:
        RunNotFound: No run has that name.
        UsageError: Several runs begin like that.
    """
    from ..run import Run

    if Path(name).is_dir():
        return Run.open(name)
    return Run.open(_run_id(name))


def _run_id(name: str) -> str:
    from ..places import runs_folder

    ids = sorted(folder.name for folder in runs_folder().iterdir() if folder.is_dir())
    if name in ids:
        return name
    if name == "last":
        return _last()
    fitting = [each for each in ids if each.startswith(name)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise RunNotFound(
            f"There is no run {name!r}.", advice="`batchkit runs` lists the runs there are.", run=name
        )
    shown = ", ".join(fitting[-5:])
    raise UsageError(
        f"{len(fitting)} runs begin with {name!r}: {shown}.", advice="Write more of its id.", run=name
    )


def _last() -> str:
    from ..run import list_runs

    runs = list_runs()
    if not runs:
        raise RunNotFound(
            "There is no run yet.", advice="`batchkit run FILE ...` makes one; `batchkit demo` shows how."
        )
    return str(runs[0].id)


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
