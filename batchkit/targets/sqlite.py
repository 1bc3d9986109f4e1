"""SQLite: reading and writing a chunk through Python's own driver.

A chunk first runs as one `executemany` per kind of change, straight into the table, with the before-image in
the WHERE. Only when the number of rows written is not the number planned, or a row is refused, is all of it
undone and done again row by row, with the reason of each.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ..states import Outcome
from .base import AFTER, BEFORE, CHANGE, ITEM, KEY, Fate, Result
from .sql_dialect import Dialect, ForeignKey, Step, Table, Written, key_frame, quote, steps_of
from .sql_errors import classify_sql
from .sql_types import SQLITE_DIGITS, Column, sqlite_column, sqlite_field, to_sqlite

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEYS = "temp.batchkit_keys"
CACHE_KIB = 64 * 1024


def open_file(path: Path, *, create: bool, timeout: float) -> sqlite3.Connection:
    """A connection to a file, which is never created unless asked for."""
    mode = "rwc" if create else "rw"
    link = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}",
        uri=True,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
    )
    # Ours alone, nothing of it stays in the file: journal mode and synchronous are the owner's to choose.
    link.execute("PRAGMA foreign_keys = ON")
    link.execute("PRAGMA temp_store = MEMORY")
    link.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return link


class Sqlite(Dialect):
    """How a chunk is read from and written to an SQLite file."""

    name = "sqlite"
    max_workers = 1  # SQLite has one writer at a time, however many ask
    begin = "BEGIN IMMEDIATE"

    def reflect(self, link: Connection, name: str, schema: str | None, key: tuple[str, ...]) -> Table | None:
        """The table, by SQLite's own pragmas."""
        raw = _raw(link)
        prefix = f"{quote(schema)}." if schema else ""
        rows = raw.execute(f"PRAGMA {prefix}table_xinfo({quote(name)})").fetchall()
        if not rows:
            return None
        rowid_alias = [r[1] for r in rows if r[5]] if sum(1 for r in rows if r[5]) == 1 else []
        columns = {}
        for _, column, declared, not_null, default, primary, hidden in rows:
            if hidden == 1:
                continue
            is_rowid = column in rowid_alias and declared.upper() == "INTEGER"
            field = sqlite_field(
                declared,
                nullable=not (not_null or is_rowid),
                has_default=default is not None or is_rowid,
                generated=hidden in {2, 3},
                key=bool(primary),
            )
            columns[column] = Column(column, field, declared or "BLOB", declared.split("(")[0].lower())
        return Table(
            name,
            prefix + quote(name),
            columns,
            key,
            unique=bool(key) and _is_unique(raw, prefix, name, key, rows),
            foreign=_foreign_keys(raw, prefix, name),
            deferred=_has_deferred(raw, schema, name),
        )

    def table_names(self, link: Connection, schema: str | None) -> list[str]:
        """Tables and views of the file."""
        master = f"{quote(schema)}.sqlite_master" if schema else "sqlite_master"
        sql = f"SELECT name FROM {master} WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
        return [row[0] for row in _raw(link).execute(sql)]

    def lock(self, link: Connection, table: Table) -> None:
        """Nothing to do: `BEGIN IMMEDIATE` holds the only write lock there is."""

    def names(self, link: Connection, sql: str, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Run a query over a set of names, handed over as one JSON text."""
        statement = sql.replace("{names}", "(SELECT value AS name FROM json_each(?))")
        result = link.exec_driver_sql(statement, (json.dumps(list(names)),))
        return [tuple(row) for row in result] if result.returns_rows else []

    def read(self, link: Connection, table: Table, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """Current values, by one join with a temporary table of the keys."""
        frame, _ = self.read_raw(link, table, keys, fields)
        return frame

    def read_raw(
        self, link: Connection, table: Table, keys: pl.DataFrame, fields: Sequence[str]
    ) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
        """As `read`, and per field which values are there but can't be carried by its type."""
        raw = _raw(link)
        declared = ", ".join(f"k{i} {_declared(table.columns[name])}" for i, name in enumerate(table.key))
        raw.execute(f"DROP TABLE IF EXISTS {KEYS}")
        raw.execute(f"CREATE TEMP TABLE batchkit_keys ({declared})")
        marks = ", ".join("?" * len(table.key))
        raw.execute("SAVEPOINT batchkit_read")  # one transaction for the keys, whether or not we are in one
        try:
            held = to_sqlite(keys.select(table.key))
            values = zip(*(column.to_list() for column in held.get_columns()), strict=True)
            raw.executemany(f"INSERT INTO {KEYS} VALUES ({marks})", values)
            wanted = [f"k.k{i}" for i in range(len(table.key))] + [f"t.{quote(name)}" for name in fields]
            on = " AND ".join(f"t.{quote(name)} = k.k{i}" for i, name in enumerate(table.key))
            sql = f"SELECT {', '.join(wanted)} FROM {KEYS} AS k JOIN {table.quoted} AS t ON {on}"
            rows = _fetch(raw, sql)
        finally:
            raw.execute("RELEASE batchkit_read")
        raw.execute(f"DROP TABLE {KEYS}")
        return _frame(table, [*table.key, *fields], rows)

    def scan(
        self, link: Connection, table: Table, fields: Sequence[str], size: int
    ) -> Iterator[pl.DataFrame]:
        """All rows, a slice at a time."""
        names = [*table.key, *fields]
        cursor = _raw(link).execute(f"SELECT {', '.join(map(quote, names))} FROM {table.quoted}")
        while rows := cursor.fetchmany(size):
            yield _frame(table, names, rows)[0]

    def write(self, link: Connection, table: Table, frame: pl.DataFrame) -> Written:
        """Write the chunk, all at once where it fits and row by row where it doesn't."""
        raw = _raw(link)
        frame, written = _refuse_long_decimals(table, frame)
        raw.execute("SAVEPOINT batchkit_chunk")
        done = self._write_steps(link, table, frame)
        while orphans := _orphans(raw, table, frame.filter(~pl.col(ITEM).is_in(done.items()))):
            raw.execute("ROLLBACK TO batchkit_chunk")
            written.results += orphans.values()
            frame = frame.filter(~pl.col(ITEM).is_in(list(orphans)))
            done = self._write_steps(link, table, frame)
        raw.execute("RELEASE batchkit_chunk")
        return Written(done.missing, written.results + done.results)

    def _write_steps(self, link: Connection, table: Table, frame: pl.DataFrame) -> Written:
        raw, written = _raw(link), Written()
        steps = list(steps_of(frame, table))
        raw.execute("SAVEPOINT batchkit_steps")
        if not all(_write_at_once(raw, table, step) for step in steps):
            raw.execute("ROLLBACK TO batchkit_steps")
            for step in steps:
                self._write_by_row(link, table, step, written)
        raw.execute("RELEASE batchkit_steps")
        return written

    def _write_by_row(self, link: Connection, table: Table, step: Step, written: Written) -> None:
        if table.key and step.kind != "create":
            step = self._fitting(link, table, step, written)
        if step.kind == "update" and not step.fields:
            written.missing += step.frame[ITEM].to_list()
            return
        sql, rows = _statement(table, step, compare=False)
        waiting = list(zip(step.frame[ITEM].to_list(), rows, strict=True))
        # A row may refer to one further down: what a foreign key refuses is tried again after the others.
        while waiting:
            again, refused = _write_each(_raw(link), table, step, sql=sql, rows=waiting, written=written)
            if len(again) == len(waiting):
                written.results += refused
                return
            waiting = again

    def _fitting(self, link: Connection, table: Table, step: Step, written: Written) -> Step:
        """The rows whose present values still are the plan's; we hold the write lock, so they stay so."""
        present, lost = self.read_raw(link, table, key_frame(step.frame, table.key), step.fields)
        seen = present.select(
            *(pl.col(name).alias(KEY + name) for name in table.key),
            *(pl.col(name).alias("#" + name) for name in step.fields),
            *(series.alias("!" + name) for name, series in lost.items()),
            pl.lit(value=True).alias("#there"),
        )
        keys = [KEY + name for name in table.key]
        joined = step.frame.join(
            seen.unique(subset=keys, keep="any"), on=keys, how="left", maintain_order="left"
        )
        fits = joined.select(_fits(step, lost).alias("fits"), _unreadable(lost).alias("unreadable"))
        unreadable = fits["unreadable"] & ~fits["fits"]
        written.results += [_foreign_value(item, lost) for item in joined.filter(unreadable)[ITEM]]
        written.missing += joined.filter(~fits["fits"] & ~unreadable)[ITEM].to_list()
        return Step(step.kind, step.frame.filter(fits["fits"]), step.fields)


def _raw(link: Connection) -> sqlite3.Connection:
    raw = link.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)  # noqa: S101 - tells mypy what the dialect guarantees
    return raw


def _declared(column: Column) -> str:
    """The type of a staging column: the same affinity, without the rest a declaration may carry."""
    word = column.native.split("(")[0].strip()
    return quote(word) if word else ""


def _fetch(raw: sqlite3.Connection, sql: str) -> list[Any]:
    try:
        return raw.execute(sql).fetchall()
    except sqlite3.OperationalError as error:
        if "decode" not in str(error):
            raise
        # Text that isn't UTF-8: shown with replacement characters. The compare will tell it apart.
        raw.text_factory = lambda data: data.decode("utf-8", "replace")
        try:
            return raw.execute(sql).fetchall()
        finally:
            raw.text_factory = str


def _frame(
    table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]
) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    series, lost = [], {}
    for name, values in zip(names, columns, strict=True):
        typed, gone = sqlite_column(name, values, table.columns[name].field)
        series.append(typed)
        if gone is not None:
            lost[name] = gone
    return pl.DataFrame(series), lost


def _is_unique(
    raw: sqlite3.Connection, prefix: str, name: str, key: tuple[str, ...], rows: list[Any]
) -> bool:
    if {row[1] for row in rows if row[5]} == set(key):
        return True
    for _, index, unique, _, partial in raw.execute(f"PRAGMA {prefix}index_list({quote(name)})").fetchall():
        parts = raw.execute(f"PRAGMA {prefix}index_info({quote(index)})").fetchall()
        if unique and not partial and {part[2] for part in parts} == set(key):
            return True
    return False


def _foreign_keys(raw: sqlite3.Connection, prefix: str, name: str) -> tuple[ForeignKey, ...]:
    grouped: dict[int, list[Any]] = {}
    for row in raw.execute(f"PRAGMA {prefix}foreign_key_list({quote(name)})").fetchall():
        grouped.setdefault(row[0], []).append(row)
    return tuple(
        ForeignKey(tuple(r[3] for r in rows), rows[0][2], tuple(r[4] for r in rows if r[4]))
        for rows in grouped.values()
    )


def _has_deferred(raw: sqlite3.Connection, schema: str | None, name: str) -> bool:
    master = f"{quote(schema)}.sqlite_master" if schema else "sqlite_master"
    row = raw.execute(f"SELECT sql FROM {master} WHERE name = ? COLLATE NOCASE", (name,)).fetchone()
    return bool(row and row[0] and "INITIALLY DEFERRED" in " ".join(row[0].upper().split()))


def _statement(table: Table, step: Step, *, compare: bool = True) -> tuple[str, Iterable[Any]]:
    """SQL for one row of a step, and the parameters of all its rows."""
    keys, fields = table.key, step.fields
    befores = fields if compare else ()
    where = [f"{quote(name)} = ?" for name in keys] + [f"{quote(name)} IS ?" for name in befores]
    parameters = [KEY + name for name in keys] + [BEFORE + name for name in befores]
    if step.kind == "delete":
        sql = f"DELETE FROM {table.quoted} WHERE {' AND '.join(where)}"
    elif step.kind == "update":
        # A field that is unchanged in a row has the same value before and after: it is set to what it is.
        if compare:
            chosen = ", ".join(f"{quote(name)} = ?" for name in fields)
            values = [AFTER + name for name in fields]
        else:
            chosen = ", ".join(f"{quote(n)} = CASE WHEN ? IS ? THEN {quote(n)} ELSE ? END" for n in fields)
            values = [side + name for name in fields for side in (BEFORE, AFTER, AFTER)]
        sql = f"UPDATE {table.quoted} SET {chosen} WHERE {' AND '.join(where)}"
        parameters = values + parameters
    else:
        names = [*keys, *fields]
        marks = ", ".join("?" * len(names))
        sql = f"INSERT INTO {table.quoted} ({', '.join(map(quote, names))}) VALUES ({marks})"
        if table.unique:
            sql += f" ON CONFLICT ({', '.join(map(quote, keys))}) DO NOTHING"
        parameters = [KEY + name for name in keys] + [AFTER + name for name in fields]
    converted = to_sqlite(step.frame.select(sorted(set(parameters))))
    # Column by column, and no list of rows: tuples that live on would keep the garbage collector busy.
    columns = {name: converted[name].to_list() for name in converted.columns}
    return sql, zip(*(columns[name] for name in parameters), strict=True)


def _write_at_once(raw: sqlite3.Connection, table: Table, step: Step) -> bool:
    """Write a step by one executemany; False when a row of it was refused or not written."""
    if step.kind == "update" and not step.fields:
        return False
    sql, rows = _statement(table, step)
    try:
        return raw.executemany(sql, rows).rowcount == step.frame.height
    except sqlite3.Error as error:
        if classify_sql(error).fate is not Fate.REJECT or not raw.in_transaction:
            raise
        return False


def _write_each(
    raw: sqlite3.Connection,
    table: Table,
    step: Step,
    *,
    sql: str,
    rows: list[tuple[int, Any]],
    written: Written,
) -> tuple[list[tuple[int, Any]], list[Result]]:
    """Write row by row.

    Returns:
        The rows that a foreign key refused, and what is to be said of them should that be final.
    """
    again: list[tuple[int, Any]] = []
    refused: list[Result] = []
    for item, values in rows:
        try:
            if raw.execute(sql, values).rowcount == 0:
                written.missing.append(item)
        except sqlite3.Error as error:
            result = _refusal(raw, table, step, item, error)
            if result.rule == "foreign_key":
                again.append((item, values))
                refused.append(result)
            else:
                written.results.append(result)
    return again, refused


def _refusal(raw: sqlite3.Connection, table: Table, step: Step, item: int, error: sqlite3.Error) -> Result:
    failure = classify_sql(error)
    if failure.fate is not Fate.REJECT or not raw.in_transaction:
        raise error
    reason, detail = failure.reason, {}
    place = reason.partition("constraint failed: ")[2]
    if place and failure.rule in {"not_null", "unique"}:
        columns = [part.strip().rpartition(".")[2] for part in place.split(",")]
        detail = {"column": ", ".join(columns)}
        reason = f"{detail['column']}: {reason}"
    elif place and failure.rule == "check":
        detail = {"constraint": place}
    elif failure.rule == "foreign_key":
        return _missing_parent(raw, table, step, item) or Result(
            item, Outcome.REJECTED, failure.rule, reason, failure.advice
        )
    return Result(item, Outcome.REJECTED, failure.rule, reason, failure.advice, detail or None)


def _missing_parent(raw: sqlite3.Connection, table: Table, step: Step, item: int) -> Result | None:
    """SQLite says only that some foreign key failed; find which one, and which value."""
    row = step.frame.filter(pl.col(ITEM) == item)
    return _orphans(raw, replace(table, deferred=True), row).get(item)


def _primary_key(raw: sqlite3.Connection, name: str) -> list[str]:
    rows = raw.execute(f"PRAGMA table_info({quote(name)})").fetchall()
    return [row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5]]


def _fits(step: Step, lost: dict[str, pl.Series]) -> pl.Expr:
    """Whether the present values (columns `#field`) are those of the plan and leave something to do."""
    fits, todo = [pl.col("#there").fill_null(value=False)], []
    for name in step.fields:
        dtype = step.frame.schema[BEFORE + name]
        found, before, after = pl.col("#" + name).cast(dtype), pl.col(BEFORE + name), pl.col(AFTER + name)
        readable = ~pl.col("!" + name).fill_null(value=False) if name in lost else pl.lit(value=True)
        if step.kind == "delete":
            fits.append(found.eq_missing(before) & readable)
            continue
        after = after.cast(dtype)
        same = before.eq_missing(after)
        fits.append(same | ((found.eq_missing(before) | found.eq_missing(after)) & readable))
        todo.append(~same & found.ne_missing(after))
    return pl.all_horizontal(fits) & (
        pl.any_horizontal(todo) if todo else pl.lit(value=step.kind == "delete")
    )


def _unreadable(lost: dict[str, pl.Series]) -> pl.Expr:
    flags = [pl.col("!" + name).fill_null(value=False) for name in lost]
    return pl.any_horizontal(flags) if flags else pl.lit(value=False)


def _foreign_value(item: int, lost: dict[str, pl.Series]) -> Result:
    names = ", ".join(lost)
    return Result(
        item,
        Outcome.CONFLICT,
        "unreadable",
        f"{names}: the table holds a value there that is not of the column's declared type.",
        "Look at the value in the table; correct it there, then make a new plan.",
    )


def _refuse_long_decimals(table: Table, frame: pl.DataFrame) -> tuple[pl.DataFrame, Written]:
    """Take out decimals that SQLite, which stores them as floats, would give back as another number."""
    written = Written()
    for column, dtype in frame.schema.items():
        name = column.partition(":")[2]
        if not isinstance(dtype, pl.Decimal) or not column.startswith((KEY, AFTER)):
            continue
        if table.columns[name].field.type != "decimal":
            continue
        # A whole number is kept as an INTEGER, which has more digits than a float.
        limit = 10 ** max(SQLITE_DIGITS - dtype.scale, 0) if dtype.scale else 2**63
        bad = (frame[column].cast(pl.Float64).abs() >= limit).fill_null(value=False)
        reason = f"{name}: an SQLite decimal keeps {SQLITE_DIGITS} digits; this one has more."
        advice = "Shorten the number, or have the column declared as TEXT."
        for item in frame.filter(bad)[ITEM]:
            written.results.append(
                Result(item, Outcome.REJECTED, "out_of_range", reason, advice, {"column": name})
            )
        frame = frame.filter(~bad)
    return frame, written


def _orphans(raw: sqlite3.Connection, table: Table, frame: pl.DataFrame) -> dict[int, Result]:
    """Written rows whose deferred foreign key would fail the COMMIT, and with it the whole chunk."""
    found: dict[int, Result] = {}
    held = {name.partition(":")[2]: name for name in frame.columns if name.startswith((KEY, AFTER))}
    for foreign in table.foreign if table.deferred else ():
        if not all(name in held for name in foreign.columns):
            continue
        columns = [held[name] for name in foreign.columns]
        rows = frame.filter(pl.col(CHANGE) != "delete").drop_nulls(columns)
        parents = foreign.parents or tuple(_primary_key(raw, foreign.table))
        where = " AND ".join(f"{quote(name)} = ?" for name in parents)
        sql = f"SELECT 1 FROM {quote(foreign.table)} WHERE {where}"
        for part in rows.partition_by(columns):
            values = to_sqlite(part.select(columns)).row(0)
            if raw.execute(sql, values).fetchone() is None:
                found |= {item: _no_parent(item, foreign, parents, values) for item in part[ITEM]}
    return found


def _no_parent(item: int, foreign: ForeignKey, parents: Sequence[str], values: Sequence[Any]) -> Result:
    column, value = ", ".join(foreign.columns), ", ".join(map(str, values))
    reason = f"{column}: {foreign.table} has no row with {', '.join(parents)} = {value}."
    advice = "Correct the value, or first create the row it refers to."
    return Result(item, Outcome.REJECTED, "foreign_key", reason, advice, {"column": column, "value": value})
