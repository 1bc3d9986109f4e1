"""The record of applied chunks, kept in the target itself: what makes `append` exactly-once over crashes.

The record is committed by the same transaction as the chunk's rows. A chunk that is sent again, because
nobody knows whether its COMMIT got through, finds its record and writes nothing.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from ...core.errors import RunError
from ...core.states import Outcome
from ..base import ChunkContext, Result
from .dialect import quote

if TYPE_CHECKING:
    from sqlalchemy import Connection

NAME: Final = "_batchkit_chunks"


class Checkpoint:
    """Applied chunks of `append` runs, in the table `_batchkit_chunks` beside the target's own.

    Args:
        schema: Where the target's table lives; None for the default schema.
        mark: How the driver writes a parameter: `?` or `%s`.
    """

    def __init__(self, schema: str | None, mark: str) -> None:
        self._table = f"{quote(schema)}.{quote(NAME)}" if schema else quote(NAME)
        self._schema = schema
        self._mark = mark
        self._made = False
        self._lock = threading.Lock()

    def prepare(self, link: Connection, *, dry_run: bool) -> None:
        """Create the table on first use, in a transaction of its own; a dry run creates nothing."""
        with self._lock:  # the workers of a run share one checkpoint, and each comes here first
            if self._made:
                return
            if not self._exists(link):
                if dry_run:
                    return
                self._create(link)
            self._made = True

    def _exists(self, link: Connection) -> bool:
        from sqlalchemy import inspect

        return inspect(link).has_table(NAME, schema=self._schema)

    def _create(self, link: Connection) -> None:
        statement = (
            f"CREATE TABLE IF NOT EXISTS {self._table} (run text NOT NULL, first_item bigint NOT NULL, "
            "last_item bigint NOT NULL, applied_at text NOT NULL, rejected text NOT NULL, "
            "PRIMARY KEY (run, first_item))"
        )
        try:
            link.exec_driver_sql(statement)
        except Exception:
            # Two processes may create it at once, and PostgreSQL then refuses the slower one.
            if not self._exists(link):
                raise

    def claim(self, link: Connection, context: ChunkContext) -> list[Result] | None:
        """Record the chunk as applied, inside its transaction.

        Returns:
            None when the chunk is ours to write; its stored results when it has been applied before.

        Raises:
            RunError: Part of it was applied before under other bounds; nothing is written.
        """
        if not self._made:
            return None
        m = self._mark
        # First of all the record: a second process that sends the same chunk waits here until we commit.
        claimed = link.exec_driver_sql(
            f"INSERT INTO {self._table} (run, first_item, last_item, applied_at, rejected) "
            f"VALUES ({m}, {m}, {m}, {m}, '[]') ON CONFLICT DO NOTHING",
            (context.run, context.first, context.last, datetime.now(UTC).isoformat(timespec="seconds")),
        ).rowcount
        found = link.exec_driver_sql(
            f"SELECT first_item, last_item, rejected FROM {self._table} "
            f"WHERE run = {m} AND first_item <= {m} AND last_item >= {m} ORDER BY first_item",
            (context.run, context.last, context.first),
        ).fetchall()
        bounds = [(int(row[0]), int(row[1])) for row in found]
        if bounds != [(context.first, context.last)]:
            other = next(pair for pair in bounds if pair != (context.first, context.last))
            raise RunError(
                f"Items {context.first} to {context.last} overlap with items {other[0]} to {other[1]}, "
                f"which run {context.run} has applied already; nothing was written twice.",
                advice="Resume the run with the journal it was started with.",
            )
        if claimed == 1:
            return None
        stored = json.loads(found[0][2])
        return [Result(**(entry | {"outcome": Outcome(entry["outcome"])})) for entry in stored]

    def chunks(self, link: Connection, run: str) -> list[tuple[int, int]]:
        """First and last item of each chunk of a run that is on record, in order."""
        if not self._exists(link):
            return []
        statement = (
            f"SELECT first_item, last_item FROM {self._table} WHERE run = {self._mark} ORDER BY first_item"
        )
        return [(int(row[0]), int(row[1])) for row in link.exec_driver_sql(statement, (run,))]

    def record(self, link: Connection, context: ChunkContext, results: list[Result]) -> None:
        """Keep what was not done beside the chunk, inside its transaction."""
        if not self._made:
            return
        # Last of all, when what was refused is known; `claim` wrote the record itself before the first row.
        m = self._mark
        link.exec_driver_sql(
            f"UPDATE {self._table} SET rejected = {m} WHERE run = {m} AND first_item = {m}",
            (json.dumps([asdict(result) for result in results]), context.run, context.first),
        )
