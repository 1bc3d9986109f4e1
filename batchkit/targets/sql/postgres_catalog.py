"""What PostgreSQL says itself: its catalog of a table, and its types of texts that are to become values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ..base import Fate
from .dialect import ForeignKey, Table, quote
from .errors import classify_sql, shorten
from .postgres_sql import execute, fill_template
from .types import Column, postgres_field

if TYPE_CHECKING:
    import psycopg

_TABLE = """
SELECT c.oid, n.nspname, greatest(c.reltuples::bigint, pg_relation_size(c.oid) / 200),
  c.relkind IN ('r', 'p') AND NOT c.relhasrules AND NOT c.relrowsecurity
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'f', 'm')
  AND CASE WHEN %s::text IS NULL THEN pg_table_is_visible(c.oid) ELSE n.nspname = %s END
"""
# A domain stands for the type it is made of, however deep, and types for themselves without their length: a
# cast to varchar(5) cuts silently, where the assignment to the column refuses.
_COLUMNS = """
WITH RECURSIVE base(attnum, oid, modifier, required) AS (
  SELECT attnum, atttypid, atttypmod, attnotnull FROM pg_attribute
  WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped
  UNION ALL
  SELECT b.attnum, t.typbasetype, t.typtypmod, b.required OR t.typnotnull
  FROM base b JOIN pg_type t ON t.oid = b.oid WHERE t.typtype = 'd'
)
SELECT a.attname, format_type(t.oid, -1), t.typname, b.modifier, NOT b.required,
  a.atthasdef OR a.attidentity <> '', a.attgenerated <> '' OR a.attidentity = 'a',
  EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum =
  ANY(i.indkey)), format_type(t.oid, b.modifier)
FROM pg_attribute a JOIN base b ON b.attnum = a.attnum JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
WHERE a.attrelid = %s ORDER BY a.attnum
"""
_UNIQUE = """
SELECT array(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey[0:i.indnkeyatts - 1]))
FROM pg_index i
WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL
"""
_FOREIGN = """
SELECT p.relname,
  array(SELECT attname::text FROM unnest(c.conkey) WITH ORDINALITY AS u(n, o)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = u.n ORDER BY o),
  array(SELECT attname::text FROM unnest(c.confkey) WITH ORDINALITY AS u(n, o)
        JOIN pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = u.n ORDER BY o)
FROM pg_constraint c JOIN pg_class p ON p.oid = c.confrelid WHERE c.conrelid = %s AND c.contype = 'f'
"""
_NAMES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname !~ '^pg_t' AND (%s::text IS NULL OR n.nspname = %s)
"""


_SHOWN = """
CREATE OR REPLACE FUNCTION pg_temp.batchkit_shown(bk_texts text[])
RETURNS TABLE (bk_text text, bk_shown text, bk_message text) LANGUAGE plpgsql AS {tag}
BEGIN
  FOREACH bk_text IN ARRAY bk_texts LOOP
    BEGIN
      bk_shown := format('%s', bk_text::{native}); bk_message := NULL;
    EXCEPTION WHEN OTHERS THEN
      bk_shown := NULL; bk_message := SQLERRM;
    END;
    RETURN NEXT;
  END LOOP;
END {tag}
"""
"""Casts texts one by one, with the reason for each that can't be."""


def reflect(
    raw: psycopg.Connection[Any], name: str, schema: str | None, key: tuple[str, ...]
) -> Table | None:
    """The table of that name, or None."""
    found = execute(raw, _TABLE, (name, schema, schema)).fetchone()
    if found is None:
        return None
    oid, namespace, rows, bulk = found
    columns = {}
    for column, native, base, modifier, nullable, default, generated, primary, exact in execute(
        raw, _COLUMNS, (oid, oid)
    ):
        field = postgres_field(
            base, modifier, nullable=nullable, has_default=default, generated=generated, key=primary
        )
        columns[column] = Column(column, field, native, base, exact)
    unique = any(set(index) == set(key) for (index,) in execute(raw, _UNIQUE, (oid,)))
    foreign = tuple(
        ForeignKey(tuple(own), parent, tuple(parents))
        for parent, own, parents in execute(raw, _FOREIGN, (oid,))
    )
    return Table(
        name,
        f"{quote(namespace)}.{quote(name)}",
        columns,
        key,
        unique=bool(key) and unique,
        rows=int(rows),
        bulk=bulk,
        foreign=foreign,
    )


def table_names(raw: psycopg.Connection[Any], schema: str | None) -> list[str]:
    """Tables and views that could have been meant."""
    return [str(row[0]) for row in execute(raw, _NAMES, (schema, schema))]


def show_as_type(
    raw: psycopg.Connection[Any], native: str, texts: pl.Series
) -> tuple[pl.Series, dict[str, str]]:
    """Cast distinct texts to a type and show them by that type's own output function.

    Args:
        raw: The server.
        native: The type.
        texts: No nulls, no repeats.

    Returns:
        What is shown, null where a text can't be cast, and the server's reasons for those.
    """
    import psycopg

    given = texts.to_list()
    # `::text` is not the output function for every type: it adds a mask to an inet.
    sql = f"SELECT v, format('%%s', v::{native.replace('%', '%%')}), NULL FROM unnest(%s::text[]) AS v"
    try:
        with raw.transaction():
            rows = execute(raw, sql, (given,)).fetchall()
    except psycopg.Error as error:
        if classify_sql(error).fate is not Fate.REJECT:
            raise
        execute(raw, fill_template(_SHOWN, native=native))
        rows = execute(raw, "SELECT * FROM pg_temp.batchkit_shown(%s::text[])", (given,)).fetchall()
    found = {text: result for text, result, _ in rows}
    reasons = {text: shorten(message) for text, _, message in rows if message is not None}
    return pl.Series(texts.name, [found.get(text) for text in given], dtype=pl.String), reasons
