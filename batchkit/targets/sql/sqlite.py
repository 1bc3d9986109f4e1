"""SQLite: reading and writing a chunk through Python's own driver.

A chunk first runs as one `executemany` per kind of change, straight into the table, with the before-image in
the WHERE. Only when the number of rows written is not the number planned, or a row is refused, is all of it
undone and done again row by row, with the reason of each.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ...core.columns import ITEM
from ...core.compare import Standing, join_present, judge_columns
from ..base import Fate
from .dialect import Dialect, Step, Table, Written, quote, raw_connection, select_keys, split_into_steps
from .errors import classify_sql
from .sqlite_catalog import reflect
from .sqlite_read import build_frame, fill_keys, read_columns
from .sqlite_rows import build_statement, find_orphans, refuse_long_decimals, write_each
from .types import Column, to_sqlite_values

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEYS = "temp.batchkit_keys"
CLOCK_EVERY = 100_000  # steps of SQLite's machine: a few milliseconds
CACHE_KIB = 64 * 1024


def open_file(path: Path, *, create: bool, timeout: float) -> sqlite3.Connection:
    """A connection to a file, which is never created unless asked for."""
    place = f"{path.as_uri()}?mode={'rwc' if create else 'rw'}"
    # The pool hands a connection from one worker's thread to the next, and never to two at a time.
    link = sqlite3.connect(place, timeout=timeout, isolation_level=None, check_same_thread=False, uri=True)
    try:
        # Ours alone, nothing of it stays in the file: journal mode and synchronous are the owner's to choose.
        link.execute("PRAGMA foreign_keys = ON")
        link.execute("PRAGMA temp_store = MEMORY")
        link.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except sqlite3.Error:
        link.close()  # the file is no database, and is let go of before that is said
        raise
    return link


class Sqlite(Dialect):
    """How a chunk is read from and written to an SQLite file."""

    name = "sqlite"
    max_workers = 1  # SQLite has one writer at a time, however many ask
    chunk_items = 100_000  # each commit waits for the disk, and nobody else can write meanwhile anyway
    begin = "BEGIN IMMEDIATE"

    @contextmanager
    def limit_time(self, link: Connection, seconds: float | None) -> Iterator[None]:
        """Break the chunk off when its time is over, by a look at the clock every now and then."""
        raw = raw_connection(link)
        if seconds is None:
            yield
            return
        end = time.monotonic() + seconds
        raw.set_progress_handler(lambda: time.monotonic() > end, CLOCK_EVERY)
        try:
            yield
        finally:
            raw.set_progress_handler(None, 0)  # before COMMIT: the time is for the rows alone

    def reflect(self, link: Connection, name: str, schema: str | None, key: tuple[str, ...]) -> Table | None:
        """The table, by SQLite's own pragmas."""
        return reflect(raw_connection(link), name, schema, key)

    def table_names(self, link: Connection, schema: str | None) -> list[str]:
        """Tables and views of the file."""
        master = f"{quote(schema)}.sqlite_master" if schema else "sqlite_master"
        sql = f"SELECT name FROM {master} WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        return [row[0] for row in raw_connection(link).execute(sql)]

    def lock(self, link: Connection, table: Table) -> None:
        """Nothing to do: `BEGIN IMMEDIATE` holds the only write lock there is."""

    def query_names(self, link: Connection, sql: str, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Run a query over a set of names, handed over as one JSON text."""
        query = sql.replace("{names}", "(SELECT value AS name FROM json_each(?))")
        result = link.exec_driver_sql(query, (json.dumps(list(names)),))
        return [tuple(row) for row in result] if result.returns_rows else []

    def read(self, link: Connection, table: Table, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """Current values, by one join with a temporary table of the keys."""
        return self._read_joined(link, table, keys, ["k.k" + str(i) for i in range(len(table.key))], fields)

    def held_keys(self, link: Connection, table: Table, keys: pl.DataFrame) -> pl.DataFrame:
        """The keys as the table holds them, by the same join."""
        return self._read_joined(link, table, keys, [f"t.{quote(name)}" for name in table.key], ())

    def _read_joined(
        self, link: Connection, table: Table, keys: pl.DataFrame, shown: Sequence[str], fields: Sequence[str]
    ) -> pl.DataFrame:
        raw = raw_connection(link)
        declared = ", ".join(f"k{i} {_staging_type(table.columns[name])}" for i, name in enumerate(table.key))
        raw.execute(f"DROP TABLE IF EXISTS {KEYS}")
        raw.execute(f"CREATE TEMP TABLE batchkit_keys ({declared})")
        raw.execute("SAVEPOINT batchkit_read")  # one transaction for the keys, whether or not we are in one
        try:
            fill_keys(raw, KEYS, to_sqlite_values(keys.select(table.key)))
            wanted = [*shown, *(f"t.{quote(name)}" for name in fields)]
            on = " AND ".join(f"t.{quote(name)} = k.k{i}" for i, name in enumerate(table.key))
            source = f"{KEYS} AS k JOIN {table.quoted} AS t ON {on}"
            found = read_columns(raw, table, [*table.key, *fields], wanted, source)
        finally:
            raw.execute("RELEASE batchkit_read")
        raw.execute(f"DROP TABLE {KEYS}")
        return found

    def scan(
        self, link: Connection, table: Table, fields: Sequence[str], size: int
    ) -> Iterator[pl.DataFrame]:
        """All rows, a slice at a time."""
        names = [*table.key, *fields]
        cursor = raw_connection(link).execute(f"SELECT {', '.join(map(quote, names))} FROM {table.quoted}")
        while rows := cursor.fetchmany(size):
            yield build_frame(table, names, rows)

    def write(self, link: Connection, table: Table, frame: pl.DataFrame) -> Written:
        """Write the chunk, all at once where it fits and row by row where it doesn't."""
        raw = raw_connection(link)
        frame, written = refuse_long_decimals(table, frame)
        raw.execute("SAVEPOINT batchkit_chunk")
        done = self._write_steps(link, table, frame)
        # A deferred foreign key is looked at by COMMIT alone, which would refuse the chunk as a whole: rows
        # without a parent are found before and left out. One left out may have been another's parent.
        while orphans := find_orphans(raw, table, frame.filter(~pl.col(ITEM).is_in(done.items()))):
            raw.execute("ROLLBACK TO batchkit_chunk")
            written.results += orphans.values()
            frame = frame.filter(~pl.col(ITEM).is_in(list(orphans)))
            done = self._write_steps(link, table, frame)
        raw.execute("RELEASE batchkit_chunk")
        return Written(done.missing, written.results + done.results)

    def _write_steps(self, link: Connection, table: Table, frame: pl.DataFrame) -> Written:
        raw, written = raw_connection(link), Written()
        steps = list(split_into_steps(frame, table))
        # The quick way can't say which row it left out, so all of it is undone before the slow one begins.
        raw.execute("SAVEPOINT batchkit_steps")
        if not all(_write_at_once(raw, table, step) for step in steps):
            raw.execute("ROLLBACK TO batchkit_steps")
            for step in steps:
                self._write_by_row(link, table, step, written)
        raw.execute("RELEASE batchkit_steps")
        return written

    def _write_by_row(self, link: Connection, table: Table, step: Step, written: Written) -> None:
        if table.key and step.kind != "create":
            step = self._select_untouched(link, table, step, written)
        if step.kind == "update" and not step.fields:
            written.missing += step.frame[ITEM].to_list()
            return
        sql, rows = build_statement(table, step, compare=False)
        waiting = list(zip(step.frame[ITEM].to_list(), rows, strict=True))
        # A row may refer to one further down: what a foreign key refuses is tried again after the others.
        while waiting:
            again, refused = write_each(raw_connection(link), table, step, sql, waiting, written)
            if len(again) == len(waiting):
                written.results += refused
                return
            waiting = again

    def _select_untouched(self, link: Connection, table: Table, step: Step, written: Written) -> Step:
        """The rows whose present values still are the plan's."""
        # Read within BEGIN IMMEDIATE: nobody else writes until we commit, so what is found stays so.
        seen = join_present(
            step.frame, self.read(link, table, select_keys(step.frame, table.key), step.fields)
        )
        fits = seen.select(judge_columns(seen.columns, table.fills_in) == Standing.UNTOUCHED).to_series()
        written.missing += step.frame.filter(~fits)[ITEM].to_list()
        return Step(step.kind, step.frame.filter(fits), step.fields)


def _staging_type(column: Column) -> str:
    """The type of a staging column: the same affinity, without the rest a declaration may carry."""
    word = column.native.split("(")[0].strip()
    return quote(word) if word else ""


def _write_at_once(raw: sqlite3.Connection, table: Table, step: Step) -> bool:
    """Write a step by one executemany; False when a row of it was refused or not written."""
    if step.kind == "update" and not step.fields:
        return False
    sql, rows = build_statement(table, step)
    try:
        return raw.executemany(sql, rows).rowcount == step.frame.height
    except sqlite3.Error as error:
        if classify_sql(error).fate is not Fate.REJECT or not raw.in_transaction:
            raise
        return False
