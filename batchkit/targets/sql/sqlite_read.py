"""Rows of SQLite as frames: whole columns as JSON where that is exact, and row by row where it isn't."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from ...core.columns import LOST, FieldType
from .dialect import Table
from .types import SQLITE_DIGITS, parse_sqlite_column

_CARRIED: Final[dict[str, tuple[str, pl.DataType]]] = {
    "text": ("'text'", pl.String()),
    "json": ("'text'", pl.String()),
    "date": ("'text'", pl.String()),
    "datetime": ("'text'", pl.String()),
    "integer": ("'integer'", pl.Int64()),
    "boolean": ("'integer'", pl.Int64()),
    "decimal": ("'integer', 'real'", pl.Float64()),
}
"""How a field's values travel in JSON: as SQLite must have stored them, and as what they are read.

JSON numbers of SQLite have 15 digits, which are all that a decimal has there; a float has more, and bytes
have no JSON at all.
"""


def fill_keys(raw: sqlite3.Connection, table: str, keys: pl.DataFrame) -> None:
    """Put keys into a table of as many columns: by one statement where a single column of texts is all."""
    only = keys.to_series() if keys.width == 1 else None
    if only is not None and only.dtype == pl.String and not only.str.contains("\0", literal=True).any():
        raw.execute(f"INSERT INTO {table} SELECT value FROM json_each(?)", (json.dumps(only.to_list()),))
        return
    values = zip(*(column.to_list() for column in keys.get_columns()), strict=True)
    raw.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * keys.width)})", values)


def read_columns(
    raw: sqlite3.Connection, table: Table, names: Sequence[str], wanted: Sequence[str], source: str
) -> pl.DataFrame:
    """Read expressions as a frame, with `lost:*` where a value can't be carried.

    Args:
        raw: Where.
        table: Whose columns they are.
        names: Names of the columns.
        wanted: The expression of each.
        source: What stands behind FROM.
    """
    found = _as_json(raw, table, names, wanted, source)
    if found is None:
        found = build_frame(table, names, _fetch(raw, f"SELECT {', '.join(wanted)} FROM {source}"))
    return found


def build_frame(table: Table, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pl.DataFrame:
    """Rows as a typed frame, with `lost:*` where a value can't be carried."""
    columns: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    series, lost = [], []
    for name, values in zip(names, columns, strict=True):
        typed, gone = parse_sqlite_column(name, values, table.columns[name].field)
        series.append(typed)
        if gone is not None:
            texts = [str(value) if bad else None for value, bad in zip(values, gone, strict=True)]
            lost.append(pl.Series(LOST + name, texts, dtype=pl.String))
    return pl.DataFrame(series + lost)


def _as_json(
    raw: sqlite3.Connection, table: Table, names: Sequence[str], wanted: Sequence[str], source: str
) -> pl.DataFrame | None:
    """All columns by one row of JSON arrays; None where one holds what JSON can't carry exactly."""
    fields = [table.columns[name].field for name in names]
    if any(field.type not in _CARRIED for field in fields):
        return None
    kinds = [_CARRIED[field.type] for field in fields]
    parts = [
        f"json_group_array({part}), sum(typeof({part}) NOT IN ('null', {stored}))"
        for part, (stored, _) in zip(wanted, kinds, strict=True)
    ]
    try:
        row = raw.execute(f"SELECT count(*), {', '.join(parts)} FROM {source}").fetchone()
        if not row[0] or any(row[2::2]):
            return None
        texts = row[1::2]
        columns = [
            _typed(name, text, dtype, field)
            for name, text, (_, dtype), field in zip(names, texts, kinds, fields, strict=True)
        ]
    except (sqlite3.Error, UnicodeDecodeError, pl.exceptions.PolarsError):
        return None  # text that isn't UTF-8, or too much of it: the slow way knows what to do
    exact = [column for column in columns if column is not None]
    return pl.DataFrame(exact) if len(exact) == len(columns) else None


def _typed(name: str, text: str, dtype: pl.DataType, field: FieldType) -> pl.Series | None:
    values = pl.Series(name, [text]).str.json_decode(pl.List(dtype)).explode()
    if field.type == "decimal" and (values.abs() >= 10.0 ** (SQLITE_DIGITS - (field.scale or 0))).any():
        return None
    typed, gone = parse_sqlite_column(name, values, field)
    return typed if gone is None else None


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
