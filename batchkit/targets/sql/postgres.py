"""PostgreSQL: reading and writing a chunk through COPY and set-based statements.

A chunk's rows are copied into a temporary table and applied by one statement per kind of change, which
compares with the before-image itself. When a row of it is refused, the staged rows are applied again by a
function that lives in `pg_temp` for the session: a hundred at a time, and one by one where a hundred fail.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl

from ...core.columns import AFTER, BEFORE, ITEM, KEY
from ..base import Fate
from .dialect import Dialect, Step, Table, Written, quote, raw_connection, split_into_steps
from .errors import classify_sql
from .postgres_catalog import reflect, show_as_type, table_names
from .postgres_rows import apply_rows
from .postgres_sql import Shape, execute, read_sql, set_aside_sql, step_sql
from .types import Column, find_lost_texts, parse_postgres_texts, to_postgres_texts

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection

#: With a table this many times the chunk, looking each row up beats reading the whole table.
LOOK_UP = 3


class Postgres(Dialect):
    """How a chunk is read from and written to a PostgreSQL table."""

    name = "postgresql"
    max_workers = 4

    @contextmanager
    def limit_time(self, link: Connection, seconds: float | None) -> Iterator[None]:
        """Let the server break a statement off that takes longer; until the transaction ends."""
        if seconds is not None:
            link.exec_driver_sql(f"SET LOCAL statement_timeout = {max(round(seconds * 1000), 1)}")
        yield

    def reflect(self, link: Connection, name: str, schema: str | None, key: tuple[str, ...]) -> Table | None:
        """The table, by PostgreSQL's catalog."""
        return reflect(raw_connection(link), name, schema, key)

    def table_names(self, link: Connection, schema: str | None) -> list[str]:
        """Tables and views of the schema, or of those on the search path."""
        return table_names(raw_connection(link), schema)

    def lock(self, link: Connection, table: Table) -> None:
        """Keep other writers out; readers go on."""
        link.exec_driver_sql(f"LOCK TABLE {table.quoted} IN SHARE ROW EXCLUSIVE MODE".replace("%", "%%"))

    def query_names(self, link: Connection, sql: str, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Run a query over a set of names, handed over as one array."""
        statement = sql.replace("%", "%%").replace("{names}", "(SELECT unnest(%s::text[]) AS name)")
        result = link.exec_driver_sql(statement, (list(names),))
        return [tuple(row) for row in result] if result.returns_rows else []

    def read(self, link: Connection, table: Table, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """Current values, by one join with a temporary table of the keys."""
        return self._read_joined(link, table, keys, fields, held=False)

    def held_keys(self, link: Connection, table: Table, keys: pl.DataFrame) -> pl.DataFrame:
        """The keys as the table holds them, by the same join."""
        return self._read_joined(link, table, keys, (), held=True)

    def show_texts(
        self, link: Connection, column: Column, texts: pl.Series
    ) -> tuple[pl.Series, dict[str, str]]:
        """Distinct texts as the server would show them once they were in the column."""
        return show_as_type(raw_connection(link), column.cast, texts)

    def _read_joined(
        self, link: Connection, table: Table, keys: pl.DataFrame, fields: Sequence[str], *, held: bool
    ) -> pl.DataFrame:
        raw = raw_connection(link)
        names = [*table.key, *fields]
        if not keys.height:
            return pl.DataFrame(schema=table.schema(names))
        # The planner's setting ends with it; within the transaction of a chunk it is a savepoint.
        with raw.transaction():
            stage = Shape.of_keys(table)
            _copy_in(raw, stage, to_postgres_texts(keys.select(table.key)))
            _prefer_look_ups(raw, table, keys.height)
            texts = b"".join(_copy_out(raw, read_sql(table, stage, fields, held=held)))
        return _parse_rows(table, names, texts)

    def scan(
        self, link: Connection, table: Table, fields: Sequence[str], size: int
    ) -> Iterator[pl.DataFrame]:
        """All rows, streamed by COPY."""
        names = [*table.key, *fields]
        rows: list[bytes] = []
        for row in _copy_out(raw_connection(link), read_sql(table, None, fields)):
            rows.append(row)
            if len(rows) == size:
                yield _parse_rows(table, names, b"".join(rows))
                rows = []
        if rows:
            yield _parse_rows(table, names, b"".join(rows))

    def write(self, link: Connection, table: Table, frame: pl.DataFrame) -> Written:
        """Write the chunk: a statement per kind of change; row by row where one is refused."""
        raw, written = raw_connection(link), Written()
        # Deferred constraints would fail the whole chunk at COMMIT, without saying which row.
        raw.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for step in split_into_steps(frame, table):
            self._write_step(raw, table, step, written)
        return written

    def _write_step(self, raw: psycopg.Connection[Any], table: Table, step: Step, written: Written) -> None:
        if step.kind == "update" and not step.fields:
            written.missing += step.frame[ITEM].to_list()
            return
        # From the quickest way to the most patient: each leaves nothing behind where it gives up.
        refused = _copy_straight(raw, table, step)
        if refused == "":
            return
        rows = to_postgres_texts(step.frame.select(_stage_columns(table, step)))
        # A key that exists is nothing bad; any other refusal is, and will only be met again.
        done = _write_staged(raw, table, step, rows) if refused in {None, "unique"} else None
        if done is None:
            stage = Shape.of_step(table, step, typed=False)
            _copy_in(raw, stage, rows)
            done = apply_rows(raw, table, step, stage)
        written.missing += done.missing
        written.results += done.results


def _copy_straight(raw: psycopg.Connection[Any], table: Table, step: Step) -> str | None:
    """Copy creates into the table itself, the quickest way there is: it takes all of them or none.

    Returns:
        Empty when all are in, else the rule by which one was refused; None when this is not the way for the
        step.
    """
    import psycopg

    names = [*table.key, *step.fields]
    if step.kind != "create" or not table.bulk or any(table.columns[n].trimmed for n in names):
        return None
    columns = [KEY + name for name in table.key] + [AFTER + name for name in step.fields]
    rows = to_postgres_texts(step.frame.select(columns))
    try:
        with raw.transaction() as savepoint:
            copied = _copy(raw, f"{table.quoted} ({', '.join(map(quote, names))})", rows)
            if copied != rows.height:
                raise psycopg.Rollback(savepoint)  # a trigger holds rows back: which ones must be found out
    except psycopg.Error as error:
        failure = classify_sql(error)
        if failure.fate is not Fate.REJECT:
            raise
        return failure.rule
    return "" if copied == rows.height else None


def _write_staged(
    raw: psycopg.Connection[Any], table: Table, step: Step, rows: pl.DataFrame
) -> Written | None:
    """Stage a step's rows and run its statement; None when a row was refused, and so nothing written."""
    import psycopg

    try:
        with raw.transaction():
            stage = Shape.of_step(table, step, typed=True)
            _copy_in(raw, stage, rows)
            _prefer_look_ups(raw, table, rows.height)
            return _apply_staged(raw, table, step, stage)
    except psycopg.Error as error:
        if classify_sql(error).fate is not Fate.REJECT:
            raise
        return None


def _apply_staged(raw: psycopg.Connection[Any], table: Table, step: Step, stage: Shape) -> Written:
    """Run a step's statement; what it didn't write is missing."""
    sql, rows = step_sql(table, step, stage), step.frame.height
    if step.kind != "create":
        cursor = execute(raw, sql + " RETURNING s.item")
        if cursor.rowcount == rows:
            return Written()
        return Written(sorted(set(step.frame[ITEM].to_list()) - {row[0] for row in cursor.fetchall()}))
    # Some may exist already: set those aside, and the rest should go in as a whole.
    present = [row[0] for row in execute(raw, set_aside_sql(table, stage)).fetchall()] if table.key else []
    # From here on all or nothing: the rows that go in are undone when one of them stays out.
    execute(raw, "SAVEPOINT batchkit_create")
    if execute(raw, sql).rowcount == rows - len(present):
        return Written(present)
    # Others were created at this very moment, or a trigger holds rows back: one by one shows which.
    execute(raw, "ROLLBACK TO SAVEPOINT batchkit_create")
    rest = apply_rows(raw, table, step, stage)
    return Written(present + rest.missing, rest.results)


def _stage_columns(table: Table, step: Step) -> list[str]:
    sides = {"create": (AFTER,), "update": (AFTER, BEFORE), "delete": (BEFORE,)}[step.kind]
    return [
        ITEM,
        *(KEY + name for name in table.key),
        *(side + name for name in step.fields for side in sides),
    ]


def _copy_in(raw: psycopg.Connection[Any], stage: Shape, rows: pl.DataFrame) -> None:
    """Fill a temporary table, made on first use."""
    execute(raw, stage.create_sql)
    _copy(raw, stage.into, rows)


def _copy(raw: psycopg.Connection[Any], into: str, rows: pl.DataFrame) -> int:
    data = io.BytesIO()
    # An empty text is quoted and a null is not, which is how PostgreSQL tells them apart.
    rows.write_csv(data, include_header=False, quote_style="non_numeric")
    cursor = raw.cursor()
    with cursor.copy(f"COPY {into} FROM STDIN (FORMAT csv)".encode()) as copy:
        copy.write(data.getbuffer())
    return cursor.rowcount


def _copy_out(raw: psycopg.Connection[Any], select: str) -> Iterator[bytes]:
    with raw.cursor().copy(f"COPY ({select}) TO STDOUT (FORMAT csv)".encode()) as copy:
        for row in copy:
            yield bytes(row)


def _parse_rows(table: Table, names: Sequence[str], rows: bytes) -> pl.DataFrame:
    texts = pl.read_csv(
        rows,
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        empty_string_is_null=True,  # the unquoted one; a quoted one stays an empty text
        raise_if_empty=False,
    )
    columns = {
        name: parse_postgres_texts(texts[name], table.columns[name].field).alias(name) for name in names
    }
    lost = [find_lost_texts(texts[name], values, table.columns[name]) for name, values in columns.items()]
    return pl.DataFrame([*columns.values(), *(each for each in lost if each is not None)])


def _prefer_look_ups(raw: psycopg.Connection[Any], table: Table, rows: int) -> None:
    # The planner knows nothing of a table that was filled a moment ago, and would read a large one whole.
    if table.unique and table.rows > LOOK_UP * rows:
        execute(raw, "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
