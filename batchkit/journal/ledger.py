"""The ledger: what was sent or appended, for longer than the runs are kept that did it.

A row of `runs` for each run of work that can't be seen at its target, and the tags of its items. All but a
run's id, its time and its count are keyed hashes: a plain hash of a phone number is found by trying them all,
one with a key only by who has `ledger.key` as well. Before a run folder is removed it is written here.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
import time
from array import array
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

import polars as pl
from filelock import FileLock

from ..core.columns import AFTER, CHANGE, ITEM, KEY, NAME, RENDERED
from ..core.errors import BatchkitError
from ..core.home import home
from ..core.states import SENDABLE, Outcome
from ..planning.plan import Plan
from ..planning.work import is_unseen, places_of, row_texts
from .journal import JournalReader, transaction
from .outcomes import outcome_frames
from .run_folder import JOURNAL

FILE: Final = "ledger.sqlite"
KEY_FILE: Final = "ledger.key"

_WINDOW: Final = 50_000
_PATIENCE: Final = 5.0  # seconds to wait for another process that writes to it
_KEY_BYTES: Final = 32
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS runs (
    name TEXT PRIMARY KEY, at REAL NOT NULL, place BLOB NOT NULL, work BLOB, rows BLOB, done INTEGER NOT NULL,
    changed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS items (
    name TEXT NOT NULL, part INTEGER NOT NULL, tags BLOB NOT NULL, PRIMARY KEY (name, part)) WITHOUT ROWID;
"""


class Done(NamedTuple):
    """A run as the ledger has it.

    Attributes:
        run: Its id.
        items: How many items it did, or may have done.
        at: When it ended, in Unix seconds.
    """

    run: str
    items: int
    at: float = 0.0


class Ledger(contextlib.AbstractContextManager["Ledger"]):
    """The ledger of this home.

    Args:
        lasting: Keep what is written; else it is one that is forgotten when it is closed.

    Raises:
        OSError, sqlite3.Error: It can't be opened.
    """

    def __init__(self, *, lasting: bool = True) -> None:
        self._key = _key() if lasting else secrets.token_bytes(_KEY_BYTES)
        path = home() / FILE
        if lasting:
            path.touch(mode=0o600)
        self._link = sqlite3.connect(path if lasting else ":memory:", timeout=_PATIENCE, isolation_level=None)
        try:
            self._link.execute("PRAGMA secure_delete = ON")  # what is forgotten isn't left in the file
            self._link.executescript(_SCHEMA)
        except BaseException:
            self._link.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._link.close()

    # Writing

    def keep(self, folder: Path, *, changed: int = 0) -> None:
        """Write down what a run did; of one whose plan can't be read only that it was that work.

        Args:
            folder: The run folder.
            changed: When its journal last changed, for `knows`.

        Raises:
            sqlite3.Error: It can't be written.
            RunError: The journal can't be read.
        """
        with contextlib.closing(JournalReader(folder / JOURNAL)) as journal:
            parts: list[bytes] = []
            counts = journal.counts()
            done = counts[Outcome.DONE] + counts[Outcome.UNKNOWN]
            with contextlib.suppress(BatchkitError):
                plan = Plan.load(folder / "plan.parquet", verify=False)
                done = done if is_unseen(plan.facts) else 0
                parts = [*self._tags(plan, journal)] if done else []
            facts = {name: journal.meta(name) for name in ("address", "place", "work", "rows")}
            work = [self._tag(facts[name]) if facts[name] else None for name in ("work", "rows")]
            place = self._tag(places_of(facts)[0])
            at = journal.meta("ended") or time.time()
        if not done and not changed:
            return
        row = (folder.name, at, place, *work, done, changed)
        with transaction(self._link):
            self._link.execute("DELETE FROM items WHERE name = ?", (folder.name,))
            self._link.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            self._link.executemany(
                "INSERT INTO items VALUES (?, ?, ?)",
                [(folder.name, number, part) for number, part in enumerate(parts)],
            )

    def forget(self, before: float, kept: Collection[str]) -> None:
        """Drop what is older, but for the runs that are still kept.

        Raises:
            sqlite3.Error: It can't be written.
        """
        old = self._link.execute("SELECT name FROM runs WHERE at <= ?", (before,)).fetchall()
        names = [row for row in old if row[0] not in kept]
        if names:
            with transaction(self._link):
                self._link.executemany("DELETE FROM items WHERE name = ?", names)
                self._link.executemany("DELETE FROM runs WHERE name = ?", names)

    # Asking

    def knows(self, run: str, changed: int) -> bool:
        """Whether it has a run as its journal is now."""
        sql = "SELECT 1 FROM runs WHERE name = ? AND changed = ?"
        return bool(changed) and self._link.execute(sql, (run, changed)).fetchone() is not None

    def same_work(self, facts: Mapping[str, Any]) -> list[Done]:
        """The runs of the same work, newest first.

        Args:
            facts: The plan's.
        """
        work = [self._tag(facts[name]) if facts.get(name) else None for name in ("work", "rows")]
        sql = "SELECT name, done, at FROM runs WHERE (work = ? OR rows = ?) AND done ORDER BY name DESC"
        return [Done(*row) for row in self._link.execute(sql, work)]

    def shared(self, plan: Plan, but: Collection[str] = ()) -> Done | None:
        """How many of a plan's items runs of other work for the same place did, and the newest of those.

        Args:
            plan: The plan.
            but: Runs that don't count.
        """
        sql = (
            "SELECT name, tags FROM runs JOIN items USING (name) WHERE place IN (?, ?)"
            " ORDER BY name DESC, part"
        )
        stored = self._link.execute(sql, [self._tag(place) for place in places_of(plan.facts)])
        there = [(name, tags) for name, tags in stored if name not in but]
        if not there:
            return None
        done = pl.concat([_series(tags) for _, tags in there]).unique().implode()
        newest, shared = "", 0
        for tags, older in zip(self._tags(plan), self._tags(plan, key=self._older_key(plan)), strict=True):
            frame = pl.DataFrame({"tag": _series(tags), "older": _series(older)})
            hits = frame.filter(pl.any_horizontal(pl.all().is_in(done)))
            shared += hits.height
            if hits.height and not newest:
                either = pl.concat([hits["tag"], hits["older"]])
                newest = next(name for name, each in there if either.is_in(_series(each).implode()).any())
        return Done(newest, shared) if shared else None

    # Tags

    def _tag(self, text: str) -> bytes:
        return hashlib.blake2b(text.encode(), key=self._key, digest_size=16).digest()

    def _older_key(self, plan: Plan) -> bytes:
        """What earlier versions hashed items with, by the address as it is written; their ledgers last."""
        return hashlib.blake2b(plan.facts["address"].encode(), key=self._key, digest_size=32).digest()

    def _tags(
        self, plan: Plan, journal: JournalReader | None = None, *, key: bytes | None = None
    ) -> Iterator[bytes]:
        """The tags of a plan's items, or of those that are done, or may be, by a journal; 8 bytes each."""
        key = key or self._key
        columns = _columns(plan)
        outcomes = outcome_frames(plan, journal, size=_WINDOW) if journal else None
        for start in range(0, len(plan), _WINDOW):
            sent = pl.col(CHANGE).is_in([str(kind) for kind in SENDABLE])
            rows = plan.changes().slice(start, _WINDOW).filter(sent).select(ITEM, *columns).collect()
            if outcomes is not None:
                gone = pl.col("outcome").is_in([str(Outcome.DONE), str(Outcome.UNKNOWN)])
                rows = rows.join(next(outcomes).filter(gone).select(ITEM), on=ITEM, how="semi")
            yield array("Q", (_short(text, key) for text in row_texts(rows, columns))).tobytes()


def forget_all() -> None:
    """Erase the ledger, and the key without which what may be left of it on the disk says nothing.

    Raises:
        OSError: It can't be removed.
    """
    for name in (KEY_FILE, FILE, f"{FILE}-journal"):
        (home() / name).unlink(missing_ok=True)


def _columns(plan: Plan) -> dict[str, str]:
    """What makes two items the same: the key and the text that is sent, or the key and all values."""
    present = plan.changes().collect_schema().names()
    if plan.renders:
        return {name: name for name in present if name.startswith(KEY) or name == RENDERED}
    # A value that is looked up is its name as long as there is no id for it.
    return {
        column: column.partition(":")[2]
        for kind in (KEY, NAME, AFTER)
        for column in present
        if column.startswith(kind)
    }


def _short(text: str, key: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), key=key, digest_size=8).digest(), "little")


def _series(tags: bytes) -> pl.Series:
    return pl.Series("tag", array("Q", tags), pl.UInt64)


def _key() -> bytes:
    """The key of this home's hashes; made on first use, and closed to other users."""
    path = home() / KEY_FILE
    if not path.is_file():
        with FileLock(home() / ".ledger.lock"):  # of two that make it, one would hash with what is then lost
            if not path.is_file():
                part = path.with_name(f".{KEY_FILE}.part")
                part.unlink(missing_ok=True)
                part.touch(mode=0o600)
                part.write_bytes(secrets.token_bytes(_KEY_BYTES))
                part.replace(path)
    return path.read_bytes()
