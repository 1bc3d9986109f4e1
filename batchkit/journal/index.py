"""The index of runs: says which of thousands of kept runs to look at, so that not every journal is opened.

One SQLite file in `BATCHKIT_HOME`. It only narrows: which runs there are is what the folder says, and what
became of one is what its journal says. What the index lacks is read from the journals and added; what it has
too much is dropped; one that can't be read is made anew; where it can't be written, all is read each time.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..core.home import home, runs_folder
from ..core.states import Outcome, RunState
from .journal import CODES, VERSION, transaction
from .owner import owner_of
from .run_folder import JOURNAL, run_names

NAME: Final = "index.sqlite"

_LAYOUT: Final = 2
"""Number of the table's layout; an index with another is made anew."""

_PATIENCE: Final = 1.0  # seconds to wait for another process at the index: without it, it just takes longer
_SURE: Final = 1.0
"""Seconds after which a file that changes has another time than before, on whichever file system."""

_OVER: Final = (RunState.FINISHED, RunState.STOPPED, RunState.FAILED, RunState.INTERRUPTED)

_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS runs (
    name TEXT PRIMARY KEY, work TEXT, rows TEXT, place TEXT, undoes TEXT, dry_run INTEGER NOT NULL,
    quiet INTEGER NOT NULL, did INTEGER NOT NULL, ended REAL, changed INTEGER NOT NULL) WITHOUT ROWID;
PRAGMA user_version = {_LAYOUT};
"""

_READ: Final = f"""
SELECT (SELECT json_group_object(name, json(value)) FROM meta WHERE name IN
            ('version', 'work', 'rows', 'address', 'place', 'undoes', 'dry_run', 'state', 'ended',
             'lost', 'whole')),
       EXISTS (SELECT 1 FROM outcomes WHERE outcome = {CODES[Outcome.UNKNOWN]}),
       EXISTS (SELECT 1 FROM chunks WHERE items > 0) OR EXISTS (SELECT 1 FROM intents)
           OR EXISTS (SELECT 1 FROM outcomes WHERE outcome = {CODES[Outcome.DONE]})
"""


class Entry(NamedTuple):
    """What the index knows of a run.

    Attributes:
        name: Its id, and the name of its folder.
        work, rows, undoes: As its journal says.
        place: Where its rows went, as `planning.work.places_of` has it.
        dry_run: It left nothing written.
        quiet: Nobody has it in hand.
        did: Some of its items are done, or may be.
        ended: When it finished with nothing left to settle; None for every other.
        changed: When its journal last changed; 0 where that can't be relied on.
    """

    name: str
    work: str | None
    rows: str | None
    place: str | None
    undoes: str | None
    dry_run: int
    quiet: int
    did: int
    ended: float | None
    changed: int

    @property
    def folder(self) -> Path:
        """The run folder."""
        return runs_folder() / self.name


def runs_with(**facts: str | Sequence[str] | None) -> list[Entry]:
    """The runs of which at least one of these facts holds, newest first.

    Args:
        **facts: `work`, `rows`, `place`, `undoes`, or several of one; those that are None don't count.
    """
    given = [
        (name, value)
        for name, values in facts.items()
        for value in ([values] if isinstance(values, str) else values or ())
    ]
    if not given:
        return []
    where = " OR ".join(f"{name} = ?" for name, _ in given)
    values = [value for _, value in given]

    def holds(entry: Entry) -> bool:
        return any(getattr(entry, name) == value for name, value in given)

    return [entry for entry in _present(where, values) if holds(entry)]


def all_runs() -> list[Entry]:
    """All the runs, newest first."""
    return _present("1", [])


def _present(where: str, values: list[str]) -> list[Entry]:
    root, names, stored = runs_folder(), run_names(), _Stored()
    try:
        known = stored.names()
        news = [entry for name in names if name not in known and (entry := _look(root / name))]
        listed = set(names)
        # A fact about a run never changes, so that only what matches is held against its journal.
        kept = [entry for entry in stored.matching(where, values) if entry.name in listed]
        stale = {entry.name for entry in kept if not _is_fresh(entry, root)}
        news += filter(None, (_look(root / name) for name in stale))
        stored.change(news, known - listed)
    finally:
        stored.close()
    found = {entry.name: entry for entry in kept if entry.name not in stale}
    found.update((entry.name, entry) for entry in news)
    return [found[name] for name in names if name in found]


def _is_fresh(entry: Entry, root: Path) -> bool:
    """Whether the journal is as it was when the index last saw it."""
    return bool(entry.changed) and entry.changed == _changed(f"{root}{os.sep}{entry.name}")


def _changed(folder: str) -> int:
    """When a journal last changed; 0 while it is being written to, or was a moment ago."""
    journal = f"{folder}{os.sep}{JOURNAL}"
    # Done for each of ten thousand runs that are alike, where a Path takes longer than the look itself.
    try:
        facts = os.stat(journal)  # noqa: PTH116 - see above
    except OSError:
        return 0
    try:
        if os.stat(f"{journal}-wal").st_size:  # noqa: PTH116 - see above
            return 0
    except OSError:
        pass  # there is none, as of every run that is over
    # What is written in the same moment may bear the same time: such a time says nothing.
    return facts.st_mtime_ns if time.time() - facts.st_mtime > _SURE else 0


def _look(folder: Path) -> Entry | None:
    """What a journal says; None where it isn't one, or can't be read."""
    changed = _changed(str(folder))
    for how in ("immutable=1", "mode=rw") if changed else ("mode=rw",):
        try:
            address = f"{(folder / JOURNAL).absolute().as_uri()}?{how}"
            with contextlib.closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE)) as journal:
                facts_text, unknown, did = journal.execute(_READ).fetchone()
        except sqlite3.Error:
            continue  # somebody writes to it at this very moment, or it is none
        facts = json.loads(facts_text)
        if not 0 < facts.get("version", 0) <= VERSION:
            return None
        quiet = facts["state"] in _OVER and owner_of(folder) is None
        finished = facts["state"] == RunState.FINISHED and not unknown
        return Entry(
            name=folder.name,
            work=facts.get("work"),
            rows=facts.get("rows"),
            place=facts.get("place") or facts.get("address"),
            undoes=facts.get("undoes"),
            dry_run=bool(facts.get("dry_run")),
            quiet=quiet,
            # A journal that lost its end doesn't say what was done, so it may have been anything.
            did=bool(did or unknown or facts.get("lost") or not facts.get("whole", True)),
            ended=(facts.get("ended") or changed / 1e9 or None) if finished else None,
            # What was read while it changed is read again the next time.
            changed=changed if quiet and changed == _changed(str(folder)) else 0,
        )
    return None


class _Stored:
    """The file of the index, or nothing in its place."""

    def __init__(self) -> None:
        self._path = home() / NAME
        try:
            self._link = self._open()
        except sqlite3.OperationalError:  # locked for long, or not to be written
            self._link = _nothing()
        except sqlite3.DatabaseError:  # damaged, or something else under our name
            with contextlib.suppress(OSError, sqlite3.Error):
                self._path.unlink()
            try:
                self._link = self._open()
            except sqlite3.Error:
                self._link = _nothing()

    def _open(self) -> sqlite3.Connection:
        link = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None)
        try:
            layout = link.execute("PRAGMA user_version").fetchone()[0]
            made = link.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone()
            if layout != _LAYOUT or not made:
                link.executescript(f"BEGIN IMMEDIATE; DROP TABLE IF EXISTS runs; {_SCHEMA} COMMIT;")
        except BaseException:
            link.close()
            raise
        return link

    def names(self) -> set[str]:
        """The runs it knows."""
        return {name for (name,) in self._rows("SELECT name FROM runs", [])}

    def matching(self, where: str, values: list[str]) -> Iterator[Entry]:
        """Its entries that fit a condition."""
        return (Entry(*row) for row in self._rows(f"SELECT * FROM runs WHERE {where}", values))

    def _rows(self, sql: str, values: list[str]) -> list[Any]:
        try:
            return self._link.execute(sql, values).fetchall()
        except sqlite3.Error:  # from here on as if there were none
            self._link.close()
            self._link = _nothing()
            return []

    def change(self, entries: Iterable[Entry], gone: Iterable[str]) -> None:
        """Keep what was found, if that is possible."""
        rows, names = list(entries), [(name,) for name in gone]
        if not rows and not names:
            return
        marks = ", ".join("?" * len(Entry._fields))
        with contextlib.suppress(sqlite3.Error), transaction(self._link):
            self._link.executemany("DELETE FROM runs WHERE name = ?", names)
            self._link.executemany(f"INSERT OR REPLACE INTO runs VALUES ({marks})", rows)

    def close(self) -> None:
        """Let go of the file."""
        self._link.close()


def _nothing() -> sqlite3.Connection:
    link = sqlite3.connect(":memory:", isolation_level=None)
    link.executescript(_SCHEMA)
    return link
