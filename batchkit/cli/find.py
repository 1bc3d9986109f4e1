"""Which run is meant, and in which order they were made."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..run import Run

_SECOND = len("20240131-235959")
"""Run ids begin with the second in which the run was made; within one, only the journal knows the order."""


def open_run(name: str) -> Run:
    """The run that `name` means: its id, an unambiguous beginning of it, its folder, or `last`.

    Raises:
        RunNotFound: None, or more than one, fits.
    """
    from ..run import Run, run_folders

    if name != "last":
        return Run.open(name)
    folders = run_folders()
    same = takewhile(lambda folder: folder.name[:_SECOND] == folders[0].name[:_SECOND], folders)
    return max((Run(folder) for folder in same), key=_made, default=None) or Run.open(name)


def all_runs(limit: int | None = None) -> list[Run]:
    """The runs, newest first."""
    from ..run import list_runs

    return sorted(list_runs(), key=lambda run: (run.id[:_SECOND], _made(run)), reverse=True)[:limit]


def _made(run: Run) -> float:
    return float(run.journal.meta("created") or 0.0)
