"""Texts as PostgreSQL itself would show them: a UUID in small letters, a time with its seconds, money."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ..base import Fate
from .errors import classify_sql, shorten
from .postgres_sql import execute, fill_template

if TYPE_CHECKING:
    import psycopg

_FUNCTION = """
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
        execute(raw, fill_template(_FUNCTION, native=native))
        rows = execute(raw, "SELECT * FROM pg_temp.batchkit_shown(%s::text[])", (given,)).fetchall()
    found = {text: result for text, result, _ in rows}
    reasons = {text: shorten(message) for text, _, message in rows if message is not None}
    return pl.Series(texts.name, [found.get(text) for text in given], dtype=pl.String), reasons
