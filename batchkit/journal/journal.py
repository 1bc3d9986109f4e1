"""The journal of a run: what was intended, what became of each item, and what people asked the run to do.

One SQLite file per run folder, write-ahead logged, `synchronous=FULL`. Its owner writes it (`writer`); other
processes read the same file and add control messages to it.

An item has at most one row in `outcomes`. A chunk that the target applied as one transaction is one row in
`chunks`: it stands for every sendable item in its range that has no row of its own.
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import json
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..core.errors import BatchkitError, DiskFull, RunBusy, RunError
from ..core.states import Outcome, RunState
from ..core.storable import storable, storable_all
from .owner import owner_of, unmoved

VERSION: Final = 1
"""What a new journal is written as. Every version up to it is read: what came later is absent in an earlier
one, and reads as nothing, never as an error."""
_A_PAGE: Final = 64 * 1024  # bytes; with less free, SQLite can't write a log and its index
FIRST_BEAT: Final = 1
"""The beat of a journal that has taken none; see `owner`."""
PATIENCE: Final = 10.0  # seconds; the writer holds its lock for milliseconds
CODES: Final = {
    Outcome.DONE: 0,
    Outcome.UNCHANGED: 1,
    Outcome.REJECTED: 2,
    Outcome.CONFLICT: 3,
    Outcome.UNKNOWN: 4,
    Outcome.PENDING: 5,
}
"""Outcomes as journals hold them, the old ones too: a number never changes, a new outcome takes the next."""
OUTCOMES: Final = {code: outcome for outcome, code in CODES.items()}

_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE intents (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE outcomes (
    item INTEGER PRIMARY KEY, outcome INTEGER NOT NULL, attempts INTEGER NOT NULL, at REAL NOT NULL,
    rule TEXT, reason TEXT, advice TEXT, detail TEXT);
CREATE TABLE chunks (
    first INTEGER PRIMARY KEY, last INTEGER NOT NULL, items INTEGER NOT NULL, attempts INTEGER NOT NULL,
    at REAL NOT NULL);
CREATE TABLE control (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, command TEXT NOT NULL, arguments TEXT NOT NULL,
    sender TEXT NOT NULL, answer TEXT);
CREATE TABLE samples (
    at REAL NOT NULL, seconds REAL NOT NULL, done INTEGER NOT NULL, rejected INTEGER NOT NULL,
    other INTEGER NOT NULL, rate REAL, workers INTEGER NOT NULL);
"""

OVERWRITE: Final = "overwrite"
"""Rule of a pending item that is to be written whatever the target holds."""

OutcomeRow = tuple[int, int, int, float, str | None, str | None, str | None, str | None]
"""item, outcome code, attempts, at (Unix time), rule, reason, advice, detail (JSON)."""


class Message(NamedTuple):
    """A control message: what somebody asks of a run."""

    id: int
    command: str
    arguments: dict[str, Any]
    sender: str


class Intent(NamedTuple):
    """A range of items that was about to be sent."""

    first: int
    last: int


def connect(path: Path, *, writer: bool) -> sqlite3.Connection:
    """Open a journal; a lock that somebody else holds is waited for so long as `PATIENCE`."""
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    try:
        # Nobody brings the log into the journal but its owner, in steps of its own: see `writer`.
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        if writer:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:
        connection.close()  # a full disk, say: nobody else has this connection to close it
        raise
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of what the block does, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # At once: a transaction left open keeps everybody else from writing.
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def create(path: Path, meta: dict[str, Any]) -> None:
    """Make an empty journal with these facts about its run.

    Raises:
        DiskFull: No room for it.
    """
    with translated(path), contextlib.closing(connect(path, writer=True)) as connection:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        facts = {"version": VERSION, "state": RunState.PLANNED, **meta}
        rows = [(name, json.dumps(value)) for name, value in facts.items()]
        with transaction(connection):
            connection.executemany("INSERT INTO meta VALUES (?, ?)", rows)


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about a journal into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise in_words(path, error) from error


def in_words(path: Path, error: sqlite3.Error) -> BatchkitError:
    """What an error of SQLite means to who drives, or looks at, the run of this journal."""
    words = str(error)
    # An I/O error may come of a full disk, and as well of a log that was taken away under an open journal.
    if "full" in words or ("disk I/O" in words and _is_full(path)):
        return DiskFull(
            f"No room is left for the journal {path}.",
            advice="Free some disk, then resume the run: what was done is on record.",
            path=path,
        )
    if "locked" in words or "busy" in words:
        return _held(path)
    return RunError(
        f"The journal {path} can't be used: {error}.",
        advice="If the run folder was copied, copy it again whole, together with journal.sqlite-wal.",
        path=path,
    )


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _A_PAGE
    except OSError:  # gone, or a disk that tells nothing: then nobody knows that it is full
        return False


def _held(path: Path) -> RunBusy:
    folder = path.parent
    owner = owner_of(folder)
    if owner is None:
        return RunBusy(
            f"Another program holds the journal {path}.",
            advice="Close it there (a viewer of databases, a backup), then do this again.",
        )
    how = "is suspended" if owner.is_suspended() else f"has not let go of its journal for {PATIENCE:g} s"
    return unmoved(folder, owner, how)


class JournalReader:
    """Reads a journal from any thread or process, and posts control messages.

    Args:
        path: The file `journal.sqlite` of a run folder.

    Raises:
        RunError: It isn't a journal, or one of a newer batchkit.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise RunError(f"There is no journal at {path}.", advice="Is this a run folder?", path=path)
        self.path = path
        # Views, callbacks and the loop of this process share one connection; it serves one at a time.
        self._lock = threading.Lock()
        self._connection = connect(path, writer=False)
        with translated(path):
            version = self.meta("version")
        if not isinstance(version, int) or version > VERSION:
            raise RunError(
                f"The journal {path} has version {version}; this batchkit reads versions up to {VERSION}.",
                advice="Use the batchkit that made it, or a newer one.",
            )

    def close(self) -> None:
        """Release the file."""
        with self._lock:
            self._connection.close()

    def __del__(self) -> None:
        # A view of a run is dropped, not closed: nobody should have to close what they only looked at.
        if hasattr(self, "_connection"):
            self._connection.close()

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock, translated(self.path):
            return self._connection.execute(sql, values).fetchall()

    def meta(self, name: str, default: Any = None) -> Any:
        """One fact about the run."""
        rows = self._rows("SELECT value FROM meta WHERE name = ?", (name,))
        return json.loads(rows[0][0]) if rows else default

    def lacks_end(self) -> bool:
        """Whether what was sent last may not be on record: its write-ahead log was lost."""
        return bool(self.meta("lost", False)) or not self.meta("whole", True)

    def state(self) -> RunState:
        """The state last written; whether its owner still lives is not known here."""
        return RunState(self.meta("state"))

    def post(self, command: str, arguments: dict[str, Any], sender: str) -> int:
        """Leave a control message for the owner of the run; returns its id."""
        row = (time.time(), storable(command), json.dumps(storable_all(arguments)), storable(sender))
        with self._lock, translated(self.path):
            with transaction(self._connection):
                cursor = self._connection.execute(
                    "INSERT INTO control (at, command, arguments, sender) VALUES (?, ?, ?, ?)", row
                )
            return int(cursor.lastrowid or 0)

    def messages(self, after: int) -> list[Message]:
        """Control messages younger than message `after`."""
        rows = self._rows(
            "SELECT id, command, arguments, sender FROM control WHERE id > ? ORDER BY id", (after,)
        )
        return [Message(row[0], row[1], json.loads(row[2]), row[3]) for row in rows]

    def last_message(self) -> int:
        """Id of the youngest control message; 0 when there is none."""
        return int(self._rows("SELECT coalesce(max(id), 0) FROM control")[0][0])

    def chunks(self) -> list[tuple[int, int, int, int, float]]:
        """first, last, items, attempts, at of each chunk that was applied as one, in order of items."""
        return self._rows("SELECT first, last, items, attempts, at FROM chunks ORDER BY first")

    def intents(self) -> list[Intent]:
        """Ranges that were about to be sent and were never closed."""
        return [Intent(*row) for row in self._rows("SELECT first, last FROM intents ORDER BY first")]

    def outcomes(self, first: int = 0, last: int | None = None) -> list[OutcomeRow]:
        """Rows of items `first` to `last` (both included) that have an outcome of their own, in order."""
        return self._rows(
            "SELECT * FROM outcomes WHERE item BETWEEN ? AND ? ORDER BY item",
            (first, 2**62 if last is None else last),
        )

    def items_with(self, outcome: Outcome, rule: str | None = None) -> list[int]:
        """Items that have this outcome in a row of their own, by this rule or by any, in order."""
        sql = "SELECT item FROM outcomes WHERE outcome = ? AND rule IS coalesce(?, rule) ORDER BY item"
        return [row[0] for row in self._rows(sql, (CODES[outcome], rule))]

    def outcome_items(self, size: int = 50_000) -> Iterator[tuple[int, int]]:
        """item, outcome code of every item with a row of its own, a bounded number in memory at a time."""
        last = -1
        while rows := self._rows(
            "SELECT item, outcome FROM outcomes WHERE item > ? ORDER BY item LIMIT ?", (last, size)
        ):
            yield from rows
            last = rows[-1][0]

    def counts(self) -> dict[Outcome, int]:
        """How many items have each outcome, chunks included."""
        found = {
            OUTCOMES[code]: n
            for code, n in self._rows("SELECT outcome, count(*) FROM outcomes GROUP BY outcome")
        }
        # A chunk's `items` counts only those without a row of their own.
        whole = self._rows("SELECT coalesce(sum(items), 0) FROM chunks")[0][0]
        found[Outcome.DONE] = found.get(Outcome.DONE, 0) + whole
        return {outcome: found.get(outcome, 0) for outcome in Outcome}

    def attempts(self) -> int:
        """Attempts on record, over all items."""
        own = self._rows("SELECT coalesce(sum(attempts), 0) FROM outcomes")[0][0]
        return int(own + self._rows("SELECT coalesce(sum(attempts * items), 0) FROM chunks")[0][0])

    def top_errors(self, limit: int = 10) -> list[tuple[str, int]]:
        """The most frequent reasons and how often each was given."""
        return self._rows(
            "SELECT coalesce(reason, rule), count(*) AS n FROM outcomes WHERE outcome IN (?, ?, ?)"
            " GROUP BY 1 ORDER BY n DESC, 1 LIMIT ?",
            (*(CODES[o] for o in (Outcome.REJECTED, Outcome.CONFLICT, Outcome.UNKNOWN)), limit),
        )

    def samples(
        self, most: int = 600, *, unchanged: int = 0
    ) -> list[tuple[float, int, int, int, int, float | None, int]]:
        """The run over its active time: seconds; done, unchanged, rejected, other so far; rate; workers.

        Args:
            most: At most so many points.
            unchanged: Items that the plan itself knew as unchanged.
        """
        # The points count what is unchanged among the others; when each came out so is known by the item.
        tenths = self._rows(
            "SELECT CAST(at * 10 AS INTEGER), count(*) FROM outcomes WHERE outcome = ? GROUP BY 1 ORDER BY 1",
            (CODES[Outcome.UNCHANGED],),
        )
        moments = [at / 10 for at, _ in tenths]
        sums = [*itertools.accumulate((n for _, n in tenths), initial=unchanged)]
        points = self._rows(
            "SELECT at, seconds, done, rejected, other, rate, workers FROM samples ORDER BY rowid"
        )
        rows = []
        for at, seconds, done, rejected, other, rate, workers in points:
            same = min(other, sums[bisect.bisect_right(moments, at)])
            rows.append((seconds, done, same, rejected, other - same, rate, workers))
        if len(rows) <= most:
            return rows
        step = len(rows) / (most - 1)
        return [rows[int(i * step)] for i in range(most - 1)] + [rows[-1]]
