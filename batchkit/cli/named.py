"""The run that a person names: what `last` means, and saying which one that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import Console

if TYPE_CHECKING:
    from ..running.run import Run


def real_run(console: Console, name: str) -> Run:
    """The run to steer or to take back; `last` is the newest that isn't a dry run, as long as there is one.

    Raises:
        RunNotFound: None, or more than one, fits.
    """
    from ..running.run import Run, list_runs

    run = Run.open(name)
    if name != "last" or not run.dry_run:
        return run
    real = next((each for each in list_runs() if not each.dry_run), None)
    if real is None:
        return run
    console.note(f'"last" is run {real.id}; the dry run {run.id} after it is passed over.')
    return real


def any_run(console: Console, name: str) -> Run:
    """The run to look at; `last` is the newest of all, and it is said which that is.

    Raises:
        RunNotFound: None, or more than one, fits.
    """
    from ..running.run import Run

    run = Run.open(name)
    if name == "last":
        console.note(f'"last" is {"the dry run" if run.dry_run else "run"} {run.id}.')
    return run
