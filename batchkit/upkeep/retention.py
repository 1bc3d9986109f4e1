"""Retention: finished runs, plans, files and logs go when they are old. What isn't finished stays.

    runs/<id>/     7 days after the run finished; its log moves to logs/ first
    plans/, files/ 30 days after they were last written
    logs/          90 days after they were last written
    ledger         what a run sent or appended goes in before its folder goes, and stays 90 days from its end
    halves of run folders at once, when whoever made or removed them has died

A run that is running, paused, stopped, interrupted or failed can still be resumed, and one with items of
which nobody knows what became of them must still be settled: neither is ever removed.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from ..core.errors import BatchkitError, UsageError
from ..core.home import home
from ..core.states import Outcome, RunState
from ..journal.index import all_runs
from ..journal.journal import JournalReader
from ..journal.ledger import Ledger, forget_all
from ..journal.owner import Ownership, owner_of
from ..journal.run_folder import JOURNAL, REMOVED, leftovers, run_names

DAY: Final = 86_400.0
OFTEN: Final = 3_600.0
"""Seconds between two quiet clean-ups: ten runs at once needn't each look through the house."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days things stay.

    Attributes:
        runs: After a run finished.
        files: After a plan or file was last written.
        logs: After a log was last written.
        ledger: What a removed run sent or appended is remembered, from its end.
    """

    runs: float = 7
    files: float = 30
    logs: float = 90
    ledger: float = 90


@dataclass(frozen=True, slots=True)
class Removal:
    """Something that is old enough to go.

    Attributes:
        kind: What it is.
        path: Where it lies.
        size: Bytes it takes.
    """

    kind: Literal["run", "half", "file", "log"]
    path: Path
    size: int


def clean(
    retention: Retention | None = None, *, dry_run: bool = False, now: float | None = None
) -> list[Removal]:
    """Remove what is old.

    Args:
        retention: How many days things stay.
        dry_run: Remove nothing, only say what would be.
        now: Unix seconds; tests pass their own.

    Returns:
        What was removed (or would be), oldest kind first; what could not be removed is left out.
    """
    retention = retention or Retention()
    now = time.time() if now is None else now
    halves = [Removal("half", folder, _size(folder)) for folder in leftovers()]
    found = [*halves, *_old_runs(now - retention.runs * DAY), *_old_files(now, retention)]
    if dry_run:
        return found
    removed = [removal for removal in found if _remove(removal)]
    with contextlib.suppress(OSError, sqlite3.Error), Ledger() as ledger:
        ledger.forget(now - retention.ledger * DAY, run_names())
    return removed


def forget_ledger() -> None:
    """Erase what is remembered of removed runs.

    Raises:
        UsageError: It can't be removed.
    """
    try:
        forget_all()
    except OSError as error:
        raise UsageError(
            f"The ledger in {home()} can't be erased: {error.strerror or error}.",
            advice="Close what holds it, then do this again.",
        ) from None


def clean_quietly() -> None:
    """The same at the start of a run: at most once an hour, and never a reason for the run to fail."""
    with contextlib.suppress(Exception):
        stamp = home() / ".cleaned"
        with contextlib.suppress(OSError):
            if time.time() - stamp.stat().st_mtime < OFTEN:
                return
        stamp.touch()
        clean()


def _old_runs(before: float) -> Iterator[Removal]:
    for entry in reversed(all_runs()):
        # The index says which to look at, the journal whether it goes.
        if entry.ended is None or entry.ended > before:
            continue
        ended = _finished_at(entry.folder)
        if ended is not None and ended <= before:
            yield Removal("run", entry.folder, _size(entry.folder))


def _finished_at(folder: Path) -> float | None:
    """When the run finished; None for everything that must stay, and for folders that are no runs."""
    if owner_of(folder) is not None:
        return None
    try:
        with contextlib.closing(JournalReader(folder / JOURNAL)) as journal:
            if journal.state() is not RunState.FINISHED or journal.counts().get(Outcome.UNKNOWN):
                return None
            ended = journal.meta("ended")
    except (BatchkitError, OSError, ValueError):
        return None  # not readable is not a reason to throw it away
    return float(ended) if ended else (folder / JOURNAL).stat().st_mtime


def _old_files(now: float, retention: Retention) -> Iterator[Removal]:
    for name, days in (("plans", retention.files), ("files", retention.files), ("logs", retention.logs)):
        folder = home() / name
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            with contextlib.suppress(OSError):
                facts = path.lstat()
                if not path.is_dir() and facts.st_mtime <= now - days * DAY:
                    yield Removal("log" if name == "logs" else "file", path, facts.st_size)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.lstat().st_size
    return total


def _remove(removal: Removal) -> bool:
    try:
        if removal.kind == "run":
            _remove_run(removal.path)
        elif removal.kind == "half":
            shutil.rmtree(removal.path)
        else:
            removal.path.unlink()
    except (BatchkitError, OSError, sqlite3.Error):
        return False  # somebody has it, or removed it meanwhile, or the ledger takes nothing
    return True


def _remove_run(folder: Path) -> None:
    ownership = Ownership(folder)  # refused where somebody is taking it up at this very moment
    try:
        _keep_log(folder)
        # Before it goes, and where it can't be written nothing goes: else the same rows could be sent again.
        with Ledger() as ledger:
            ledger.keep(folder)
        # First of all it stops being a run: nobody can take up what is left of one, and should this process
        # die now, the next clean-up knows what it sees.
        (folder / JOURNAL).replace(folder / REMOVED)
    finally:
        ownership.release()
    shutil.rmtree(folder)


def _keep_log(folder: Path) -> None:
    log = folder / "log.jsonl"
    if log.is_file():
        kept = home() / "logs" / f"{folder.name}.jsonl"
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(log, kept)  # with its own time, so that it too goes when it is old
