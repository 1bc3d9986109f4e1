"""The journal of a run: what was intended, what became of each item, and what people asked the run to do.

One SQLite file per run folder, write-ahead logged, `synchronous=FULL`. One writer thread owns the writing
connection and commits groups: what is recorded is on disk at most `COMMIT_EVERY` seconds or `COMMIT_ITEMS`
outcomes later, and an intent is waited for. Other processes read the same file and add control messages to
it.

An item has at most one row in `outcomes`. A chunk that the target applied as one transaction is one row in
`chunks`: it stands for every sendable item in its range that has no row of its own.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..core.errors import BatchkitError, DiskFull, RunError
from ..core.secrets import redact
from ..core.states import Outcome, RunState, check_transition

VERSION: Final = 1
"""What a new journal is written as. Every version up to it is read: what came later is absent in an earlier
one, and reads as nothing, never as an error."""
COMMIT_EVERY: Final = 0.05
COMMIT_ITEMS: Final = 1_000
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

_OUTCOME_SQL: Final = "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


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


def _connect(path: Path, *, writer: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA busy_timeout = 10000")
    if writer:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def create(path: Path, meta: dict[str, Any]) -> None:
    """Make an empty journal with these facts about its run.

    Raises:
        DiskFull: No room for it.
    """
    with _Translated(path), contextlib.closing(_connect(path, writer=True)) as connection:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        facts = {"version": VERSION, "state": RunState.PLANNED, **meta}
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)", [(name, json.dumps(value)) for name, value in facts.items()]
        )
        connection.execute("COMMIT")


class _Translated(contextlib.AbstractContextManager[None]):
    """Turns SQLite's errors about the journal into ours."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, sqlite3.Error):
            return
        if "full" in str(error) or "disk I/O" in str(error):
            raise DiskFull(
                f"No room is left for the journal {self._path}.",
                advice="Free some disk, then resume the run: what was done is on record.",
                path=self._path,
            ) from error
        raise RunError(
            f"The journal {self._path} can't be used: {error}.",
            advice="If the run folder was copied, copy it again whole, together with journal.sqlite-wal.",
            path=self._path,
        ) from error


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
        self._lock = threading.Lock()
        self._connection = _connect(path, writer=False)
        with _Translated(path):
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
        with self._lock, _Translated(self.path):
            return self._connection.execute(sql, values).fetchall()

    def meta(self, name: str, default: Any = None) -> Any:
        """One fact about the run."""
        rows = self._rows("SELECT value FROM meta WHERE name = ?", (name,))
        return json.loads(rows[0][0]) if rows else default

    def state(self) -> RunState:
        """The state last written; whether its owner still lives is not known here."""
        return RunState(self.meta("state"))

    def post(self, command: str, arguments: dict[str, Any], sender: str) -> int:
        """Leave a control message for the owner of the run; returns its id."""
        with self._lock, _Translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            cursor = self._connection.execute(
                "INSERT INTO control (at, command, arguments, sender) VALUES (?, ?, ?, ?)",
                (time.time(), command, json.dumps(arguments), sender),
            )
            self._connection.execute("COMMIT")
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

    def answer(self, message: int) -> str | None:
        """What the owner said to a control message; None while it said nothing."""
        rows = self._rows("SELECT answer FROM control WHERE id = ?", (message,))
        return rows[0][0] if rows else None

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

    def items_to_overwrite(self) -> list[int]:
        """Items in conflict that the operator wants written all the same."""
        found = self._rows(
            "SELECT item FROM outcomes WHERE outcome = ? AND rule = ? ORDER BY item",
            (CODES[Outcome.PENDING], OVERWRITE),
        )
        return [row[0] for row in found]

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

    def samples(self, most: int = 600) -> list[tuple[float, int, int, int, float | None, int]]:
        """seconds, done, rejected, other, rate, workers over the run's active time, at most `most` points."""
        rows = self._rows("SELECT seconds, done, rejected, other, rate, workers FROM samples ORDER BY rowid")
        if len(rows) <= most:
            return rows
        step = len(rows) / (most - 1)
        return [rows[int(i * step)] for i in range(most - 1)] + [rows[-1]]


class Journal(JournalReader):
    """The journal as its owner holds it: everything above, and writing.

    Only the process that holds the run's lock makes one.

    Args:
        path: The file `journal.sqlite` of a run folder.

    Attributes:
        error: Why nothing can be written any more; None while all is well.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._work = threading.Condition()
        self._rows_in: deque[OutcomeRow] = deque()
        self._statements: list[tuple[str, Sequence[Any]]] = []
        self._waiting: list[Future[None]] = []
        self._closing = False
        self._state = self.state()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._write_loop, name="batchkit-journal", daemon=True)
        self._thread.start()

    # Recording: these only append to lists; the writer thread does the rest.

    def record(self, row: OutcomeRow) -> None:
        """Record one item's outcome; durable within `COMMIT_EVERY` seconds."""
        # The hot path: appending to a deque is atomic, so no lock is taken unless the writer is due.
        self._rows_in.append(row)
        if len(self._rows_in) == COMMIT_ITEMS:
            with self._work:
                self._work.notify()

    def backlog(self) -> int:
        """Outcomes recorded and not yet committed."""
        return len(self._rows_in)

    def record_chunk(
        self, first: int, last: int, items: int, attempts: int, others: Iterable[OutcomeRow]
    ) -> None:
        """Record a chunk that was applied as one with the items that aren't `done`, and close its intent.

        Args:
            first: Its first item.
            last: Its last item.
            items: How many items of it are done.
            attempts: Attempts the chunk took.
            others: Rows of the items that are not done.
        """
        rows = list(others)
        with self._work:
            self._statements.extend((_OUTCOME_SQL, row) for row in rows)
            self._statements.append(
                (
                    "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)",
                    (first, last, items, attempts, time.time()),
                )
            )
            self._statements.append(("DELETE FROM intents WHERE first = ?", (first,)))
            self._work.notify()

    def record_items(self, first: int, rows: Iterable[OutcomeRow]) -> None:
        """Record the items of a chunk one by one and close the chunk's intent, in one commit."""
        with self._work:
            self._statements.extend((_OUTCOME_SQL, row) for row in rows)
            self._statements.append(("DELETE FROM intents WHERE first = ?", (first,)))
            self._work.notify()

    def close_intent(self, first: int) -> None:
        """Note that nothing of the intent that begins at `first` is in doubt any more."""
        self.execute("DELETE FROM intents WHERE first = ?", (first,))

    def intend(self, ranges: Iterable[Intent], *, instead_of: int | None = None) -> Future[None]:
        """Put ranges on record as about to be sent; send only once the future is done.

        Args:
            ranges: What is about to be sent.
            instead_of: The intent (its first item) that these replace in the same commit.
        """
        with self._work:
            if instead_of is not None:
                self._statements.append(("DELETE FROM intents WHERE first = ?", (instead_of,)))
            now = time.time()
            self._statements.extend(
                ("INSERT OR REPLACE INTO intents VALUES (?, ?, ?)", (first, last, now))
                for first, last in ranges
            )
            return self._wait_for_commit()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Write one statement with the next group."""
        with self._work:
            self._statements.append((sql, values))

    def set_meta(self, **facts: Any) -> None:
        """Write facts about the run with the next group."""
        with self._work:
            self._statements.extend(
                ("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))
                for name, value in facts.items()
            )

    def set_state(self, state: RunState, message: str = "") -> None:
        """Move the run to a state; `flush` waits until that is on disk.

        Raises:
            TransitionError: The table of transitions has no such arrow.
        """
        check_transition(self._state, state)
        self._state = state
        self.set_meta(state=state, message=redact(message))

    def present_state(self) -> RunState:
        """The state last set by this owner."""
        return self._state

    def flush(self) -> None:
        """Wait until everything recorded so far is on disk.

        Raises:
            DiskFull, RunError: It could not be written.
        """
        with self._work:
            future = self._wait_for_commit()
        future.result()

    def reopen(self, outcome: Outcome, *, overwrite: bool = False) -> None:
        """Make the items with this outcome pending again (the operator decided to send them once more).

        Their rows stay, since a row of its own is what keeps an item from counting as done with its chunk.

        Args:
            outcome: Which items.
            overwrite: They, and only they, are written whatever the target holds by then.
        """
        self._turn(outcome, Outcome.PENDING, OVERWRITE if overwrite else None, None)

    def settle(self, outcome: Outcome, as_outcome: Outcome) -> None:
        """Give the items with one outcome another (the operator looked at the target)."""
        self._turn(outcome, as_outcome, "settled", "Settled by the operator.")

    def _turn(self, outcome: Outcome, into: Outcome, rule: str | None, reason: str | None) -> None:
        self.execute(
            "UPDATE outcomes SET outcome = ?, rule = ?, reason = ?, advice = NULL, detail = NULL"
            " WHERE outcome = ?",
            (CODES[into], rule, reason, CODES[outcome]),
        )

    def close(self) -> None:
        """Write what is left and release the file. Safe to call twice."""
        with self._work:
            self._closing = True
            self._work.notify()
        self._thread.join()
        super().close()

    # The writer thread.

    def _wait_for_commit(self) -> Future[None]:
        future: Future[None] = Future()
        if self.error is not None:
            future.set_exception(self.error)
        elif self._closing and not self._thread.is_alive():
            future.set_exception(RunError("The journal is closed."))
        else:
            self._waiting.append(future)
            self._work.notify()
        return future

    def _write_loop(self) -> None:
        connection = _connect(self.path, writer=True)
        try:
            while self._write_group(connection):
                pass
        finally:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()

    def _write_group(self, connection: sqlite3.Connection) -> bool:
        """Commit what came in since the last group; False when the journal is closed and nothing is left."""
        with self._work:
            if not (self._waiting or self._closing or len(self._rows_in) >= COMMIT_ITEMS):
                self._work.wait(COMMIT_EVERY)
            # Rows are taken before statements: an intent closed after its outcome never commits before it.
            rows = [self._rows_in.popleft() for _ in range(len(self._rows_in))]
            statements, self._statements = self._statements, []
            waiting, self._waiting = self._waiting, []
            closing = self._closing
        try:
            if rows or statements:
                self._commit(connection, rows, statements)
        except sqlite3.Error as error:
            self._fail(error, waiting)
            return False
        for future in waiting:
            future.set_result(None)
        return not (closing and not rows and not statements and not waiting)

    def _commit(
        self,
        connection: sqlite3.Connection,
        rows: list[OutcomeRow],
        statements: list[tuple[str, Sequence[Any]]],
    ) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if rows:
                connection.executemany(_OUTCOME_SQL, rows)
            for sql, values in statements:
                connection.execute(sql, values)
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise

    def _fail(self, error: BaseException, waiting: list[Future[None]]) -> None:
        try:
            with _Translated(self.path):
                raise error
        except BatchkitError as told:
            error = told
        with self._work:
            self.error = error
            waiting = waiting + self._waiting
            self._waiting = []
        for future in waiting:
            future.set_exception(error)
