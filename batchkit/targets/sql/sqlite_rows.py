"""Rows of a chunk in SQLite: the statements, and what is said of rows that can't be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from ...core.columns import AFTER, BEFORE, CHANGE, ITEM, KEY
from ..base import Fate, Result
from ..exchange import reject
from .dialect import ForeignKey, Step, Table, Written, quote
from .errors import classify_sql
from .sqlite_catalog import primary_key
from .types import SQLITE_DIGITS, to_sqlite_values


def build_statement(table: Table, step: Step, *, compare: bool = True) -> tuple[str, Iterable[Any]]:
    """SQL for one row of a step, and the parameters of all its rows."""
    keys, fields = table.key, step.fields
    where, parameters = [f"{quote(name)} = ?" for name in keys], [KEY + name for name in keys]
    for name in fields if compare else ():
        # An undo deletes what was created without a value, and the column's default has taken that place.
        filled = step.kind == "delete" and table.columns[name].fills_in
        where.append(f"({quote(name)} IS ? OR ? IS NULL)" if filled else f"{quote(name)} IS ?")
        parameters += [BEFORE + name] * (2 if filled else 1)
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
    converted = to_sqlite_values(step.frame.select(sorted(set(parameters))))
    # Column by column, and no list of rows: tuples that live on would keep the garbage collector busy.
    columns = {name: converted[name].to_list() for name in converted.columns}
    return sql, zip(*(columns[name] for name in parameters), strict=True)


def write_each(
    raw: sqlite3.Connection, table: Table, step: Step, sql: str, rows: list[tuple[int, Any]], written: Written
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
            result = _report_refusal(raw, table, step, item, error)
            if result.rule == "foreign_key":
                again.append((item, values))
                refused.append(result)
            else:
                written.results.append(result)
    return again, refused


def _report_refusal(
    raw: sqlite3.Connection, table: Table, step: Step, item: int, error: sqlite3.Error
) -> Result:
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
        # SQLite says only that some foreign key failed: find which one, and which value.
        row = step.frame.filter(pl.col(ITEM) == item)
        missing = find_orphans(raw, replace(table, deferred=True), row).get(item)
        return missing or reject(item, failure.rule, reason, failure.advice)
    return reject(item, failure.rule, reason, failure.advice, detail or None)


def refuse_long_decimals(table: Table, frame: pl.DataFrame) -> tuple[pl.DataFrame, Written]:
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
        if dtype.scale and bad.any():
            # What is long by its scale alone has zeros at its end, which don't count as digits.
            digits = frame[column].cast(pl.String).str.replace(r"(\.\d*?)0+$", "$1")
            digits = digits.str.replace_all("[-.]", "").str.strip_chars_start("0")
            bad &= (digits.str.len_bytes() > SQLITE_DIGITS).fill_null(value=False)
        reason = f"{name}: an SQLite decimal keeps {SQLITE_DIGITS} digits; this one has more."
        advice = "Shorten the number, or have the column declared as TEXT."
        for item in frame.filter(bad)[ITEM]:
            written.results.append(reject(item, "out_of_range", reason, advice, {"column": name}))
        frame = frame.filter(~bad)
    return frame, written


def find_orphans(raw: sqlite3.Connection, table: Table, frame: pl.DataFrame) -> dict[int, Result]:
    """Written rows whose deferred foreign key would fail the COMMIT, and with it the whole chunk."""
    found: dict[int, Result] = {}
    held = {name.partition(":")[2]: name for name in frame.columns if name.startswith((KEY, AFTER))}
    for foreign in table.foreign if table.deferred else ():
        if not all(name in held for name in foreign.columns):
            continue
        columns = [held[name] for name in foreign.columns]
        rows = frame.filter(pl.col(CHANGE) != "delete").drop_nulls(columns)
        parents = foreign.parents or tuple(primary_key(raw, foreign.table))
        where = " AND ".join(f"{quote(name)} = ?" for name in parents)
        sql = f"SELECT 1 FROM {quote(foreign.table)} WHERE {where}"
        for part in rows.partition_by(columns):
            values = to_sqlite_values(part.select(columns)).row(0)
            if raw.execute(sql, values).fetchone() is None:
                found |= {item: _report_orphan(item, foreign, parents, values) for item in part[ITEM]}
    return found


def _report_orphan(item: int, foreign: ForeignKey, parents: Sequence[str], values: Sequence[Any]) -> Result:
    column, value = ", ".join(foreign.columns), ", ".join(map(str, values))
    reason = f"{column}: {foreign.table} has no row with {', '.join(parents)} = {value}."
    advice = "Correct the value, or first create the row it refers to."
    return reject(item, "foreign_key", reason, advice, {"column": column, "value": value})
