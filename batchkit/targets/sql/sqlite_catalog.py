"""What SQLite's pragmas say of a table."""

from __future__ import annotations

import sqlite3
from typing import Any

from .dialect import ForeignKey, Table, quote
from .types import Column, sqlite_field


def reflect(raw: sqlite3.Connection, name: str, schema: str | None, key: tuple[str, ...]) -> Table | None:
    """The table of that name, or None."""
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


def primary_key(raw: sqlite3.Connection, name: str) -> list[str]:
    """Columns of a table's primary key, in its order."""
    rows = raw.execute(f"PRAGMA table_info({quote(name)})").fetchall()
    return [row[1] for row in sorted(rows, key=lambda row: row[5]) if row[5]]
