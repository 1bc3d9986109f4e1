"""Writing a journal: one thread owns the writing connection and commits in groups.

What is recorded is on disk at most `COMMIT_EVERY` seconds or `COMMIT_ITEMS` outcomes later; an intent is
waited for. Whatever the thread meets ends it, and everybody who waits for it, with a reason.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final

from ..core.errors import RunError
from ..core.secrets import redact
from ..core.states import Outcome, RunState, check_transition
from .journal import (
    CODES,
    FIRST_BEAT,
    OVERWRITE,
    PATIENCE,
    Intent,
    JournalReader,
    OutcomeRow,
    connect,
    in_words,
    transaction,
)

COMMIT_EVERY: Final = 0.05
COMMIT_ITEMS: Final = 1_000

_LOG_PAGES: Final = 1_000  # roughly; so long the write-ahead log grows before it goes into the journal itself
_READERS_TIME: Final = 500  # milliseconds that a checkpoint waits for somebody who reads: they take a few

_OUTCOME_SQL: Final = "INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_CLOSE_SQL: Final = "DELETE FROM intents WHERE first = ?"
_FACT_SQL: Final = "INSERT OR REPLACE INTO meta VALUES (?, ?)"


class Journal(JournalReader):
    """The journal as its owner holds it: everything above, and writing.

    Only the process that holds the run's lock makes one.

    Args:
        path: The file `journal.sqlite` of a run folder.
        lost: Its end is lost: from its first commit on it says so.
        note: Called, in the writer's thread, with each beat that is committed, before anything else is.

    Attributes:
        error: Why nothing can be written any more; None while all is well.
    """

    def __init__(
        self, path: Path, *, lost: bool = False, note: Callable[[int], None] = lambda _: None
    ) -> None:
        super().__init__(path)
        self._lost = lost
        self._note = note
        self._beat: int = self.meta("beat", FIRST_BEAT)
        self._beat_due = False
        self._pages = 0  # in the log since the last checkpoint
        # Guards the lists below; the writer waits on it for work, and holds it only to take the lists over.
        self._work = threading.Condition()
        self._rows_in: deque[OutcomeRow] = deque()
        self._statements: list[tuple[str, Sequence[Any]]] = []
        self._waiting: list[Future[None]] = []  # for the next group
        self._promised: list[Future[None]] = []  # for the group that is being committed
        self._closing = False
        self._state = self.state()
        self.error: Exception | None = None
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
            chunk = (first, last, items, attempts, time.time())
            self._statements.append(("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)", chunk))
            self._close_and_write(first)

    def record_items(self, first: int, rows: Iterable[OutcomeRow]) -> None:
        """Record the items of a chunk one by one and close the chunk's intent, in one commit."""
        with self._work:
            self._statements.extend((_OUTCOME_SQL, row) for row in rows)
            self._close_and_write(first)

    def _close_and_write(self, first: int) -> None:
        """Close an intent in the commit of what was recorded under the lock, which is due now."""
        self._statements.append((_CLOSE_SQL, (first,)))
        self._work.notify()

    def close_intent(self, first: int) -> None:
        """Note that nothing of the intent that begins at `first` is in doubt any more."""
        self.execute(_CLOSE_SQL, (first,))

    def intend(self, ranges: Iterable[Intent], *, instead_of: int | None = None) -> Future[None]:
        """Put ranges on record as about to be sent; send only once the future is done.

        Args:
            ranges: What is about to be sent.
            instead_of: The intent (its first item) that these replace in the same commit.
        """
        with self._work:
            if instead_of is not None:
                self._statements.append((_CLOSE_SQL, (instead_of,)))
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
            self._statements.extend((_FACT_SQL, (name, json.dumps(value))) for name, value in facts.items())

    def give_beat(self) -> None:
        """Take a beat with the next group, then note it: so a journal is seen to lack its end."""
        with self._work:
            self._beat_due = True

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

    def committed(self) -> Future[None]:
        """Done once everything recorded so far is on disk; it carries what prevents that."""
        with self._work:
            return self._wait_for_commit()

    def flush(self) -> None:
        """Wait until everything recorded so far is on disk.

        Raises:
            DiskFull, RunError: It could not be written.
        """
        self.committed().result()

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
        """A promise that is kept by the next commit, or broken by what prevents it. Called under the lock."""
        future: Future[None] = Future()
        # Running, so that nobody can cancel it: a waiter that went away must not trip the writer.
        future.set_running_or_notify_cancel()
        if self.error is not None:
            future.set_exception(self.error)
        elif self._closing and not self._thread.is_alive():
            future.set_exception(RunError("The journal is closed."))
        else:
            self._waiting.append(future)
            self._work.notify()
        return future

    def _write_loop(self) -> None:
        try:
            with contextlib.closing(connect(self.path, writer=True)) as connection:
                self._checkpoint(connection)
                while self._write_group(connection):
                    if self._pages > _LOG_PAGES:
                        self._checkpoint(connection)
                with contextlib.suppress(sqlite3.Error):
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except Exception as error:  # noqa: BLE001 - a thread that ends in silence would leave its waiters waiting
            self._fail(error)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Bring the log into the journal's own file, such that the file without its log is known for that.

        The file is left saying that it is not whole; that it is stands in the log alone, until an orderly end
        brings it over. So a journal whose log was left behind in a copy shows what it lacks; and so does the
        note beside it, whose beat is from here on a later one than the file has.
        """
        facts = [("whole", False)] + [("lost", True)] * self._lost
        self._commit(connection, [], [(_FACT_SQL, (name, json.dumps(value))) for name, value in facts])
        # All of the log, or a part of it that calls itself whole would be left in the file; but a reader that
        # was stopped in its tracks must not hold up the run.
        connection.execute(f"PRAGMA busy_timeout = {_READERS_TIME}")
        with contextlib.suppress(sqlite3.Error):  # no room, say: then the log has it all, as before
            connection.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
        connection.execute(f"PRAGMA busy_timeout = {PATIENCE * 1000:.0f}")
        self._commit(connection, [], [(_FACT_SQL, ("whole", json.dumps(True))), self._next_beat()])
        self._leave_word()
        self._lost, self._pages = False, 0

    def _next_beat(self) -> tuple[str, Sequence[Any]]:
        self._beat += 1
        return _FACT_SQL, ("beat", json.dumps(self._beat))

    def _leave_word(self) -> None:
        """Note the beat that was just committed: a journal with its log is never behind its note."""
        with contextlib.suppress(OSError):  # a full disk is the journal's to tell
            self._note(self._beat)

    def _write_group(self, connection: sqlite3.Connection) -> bool:
        """Commit what came in since the last group; False when the journal is closed and nothing is left."""
        with self._work:
            if not (self._waiting or self._closing or len(self._rows_in) >= COMMIT_ITEMS):
                self._work.wait(COMMIT_EVERY)
            # Rows are taken before statements: an intent closed after its outcome never commits before it.
            rows = [self._rows_in.popleft() for _ in range(len(self._rows_in))]
            statements, self._statements = self._statements, []
            beat_due, self._beat_due = self._beat_due, False
            self._promised, self._waiting = self._waiting, []
            closing = self._closing
        if beat_due:
            statements.append(self._next_beat())
        if rows or statements:
            self._commit(connection, rows, statements)
            answers = sum(len(row[-1]) for row in rows if row[-1])  # a text that was generated, say
            self._pages += 5 + (len(rows) + len(statements)) // 20 + answers // 4096
        if beat_due:
            self._leave_word()
        kept, self._promised = self._promised, []
        for future in kept:
            future.set_result(None)
        return not (closing and not rows and not statements and not kept)

    def _commit(
        self,
        connection: sqlite3.Connection,
        rows: list[OutcomeRow],
        statements: list[tuple[str, Sequence[Any]]],
    ) -> None:
        with transaction(connection):
            if rows:
                connection.executemany(_OUTCOME_SQL, rows)
            for sql, values in statements:
                connection.execute(sql, values)

    def _fail(self, error: Exception) -> None:
        """Nothing is written from here on: say why to those who wait, and to all who will."""
        if isinstance(error, sqlite3.Error):
            reason = in_words(self.path, error)
        else:
            reason = RunError(
                f"The journal {self.path} can't take what it was given: {type(error).__name__}: {error}.",
                advice="Resume the run: what was done until then is on record.",
                path=self.path,
            )
        with self._work:
            # The error first: who asks from now on is told at once, and isn't added to those who wait.
            self.error = reason
            broken, self._promised, self._waiting = self._promised + self._waiting, [], []
        for future in broken:
            future.set_exception(reason)
