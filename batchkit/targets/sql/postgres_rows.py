"""Staged rows applied on the server with an exception block: what sorts out the bad ones.

A hundred rows at a time are tried as a set, and one by one where a hundred are refused: few bad rows cost
little, and many cost no more than an exception block per row.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from ...core.columns import AFTER, ITEM, KEY, FieldType
from ..base import Result
from ..exchange import reject
from .dialect import Step, Table, Written
from .errors import FATAL_CLASSES, judge_sqlstate, shorten
from .postgres_sql import Shape, execute, fill_template, step_sql

if TYPE_CHECKING:
    import psycopg

BLOCK = 100
PASSES = 20  # how deep rows of one chunk may refer to each other

_FUNCTION = """
CREATE OR REPLACE FUNCTION pg_temp.batchkit_rows(bk_size int)
RETURNS TABLE (bk_item bigint, bk_state text, bk_constraint text, bk_column text, bk_message text, bk_detail
text) LANGUAGE plpgsql AS {tag}
#variable_conflict use_column
DECLARE
  bk_lo bigint; bk_hi bigint; bk_done bigint; bk_failed int := 0; bk_block record;
BEGIN
  FOR bk_block IN
    SELECT min(item) AS lo, max(item) AS hi, count(*) AS n
    FROM (SELECT item, (row_number() OVER (ORDER BY item) - 1) / bk_size AS b FROM pg_temp.{stage}) AS x
    GROUP BY b ORDER BY b
  LOOP
    bk_lo := bk_block.lo; bk_hi := bk_block.hi;
    -- After three refused blocks in a row, only every tenth is tried as a whole.
    IF bk_failed < 3 OR bk_failed % 10 = 0 THEN
      BEGIN
        {statement};
        GET DIAGNOSTICS bk_done = ROW_COUNT;
        IF bk_done = bk_block.n THEN
          bk_failed := 0;
          CONTINUE;
        END IF;
        RAISE EXCEPTION USING ERRCODE = 'BK001';
      EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS bk_state = RETURNED_SQLSTATE, bk_message = MESSAGE_TEXT;
        IF {fatal} THEN RAISE; END IF;
      END;
    END IF;
    bk_failed := bk_failed + 1;
    FOR bk_lo IN
      SELECT item FROM pg_temp.{stage} WHERE item BETWEEN bk_block.lo AND bk_block.hi ORDER BY item
    LOOP
      bk_hi := bk_lo;
      BEGIN
        {statement};
        GET DIAGNOSTICS bk_done = ROW_COUNT;
        CONTINUE WHEN bk_done > 0;
        bk_state := NULL;
      EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS bk_state = RETURNED_SQLSTATE, bk_constraint = CONSTRAINT_NAME,
          bk_column = COLUMN_NAME, bk_message = MESSAGE_TEXT, bk_detail = PG_EXCEPTION_DETAIL;
        IF {fatal} THEN RAISE; END IF;
      END;
      bk_item := bk_lo;
      RETURN NEXT;
    END LOOP;
  END LOOP;
END {tag}
"""


class Refusal(NamedTuple):
    """A row the function could not write; `state` is None where nothing was wrong with it."""

    item: int
    state: str | None
    constraint: str | None
    column: str | None
    message: str | None
    detail: str | None


def apply_rows(raw: psycopg.Connection[Any], table: Table, step: Step, stage: Shape) -> Written:
    """Apply the staged rows in small sets, and one by one where a set is refused."""
    where = "WHERE item BETWEEN bk_lo AND bk_hi"
    fatal = " OR ".join(f"bk_state LIKE '{code}%'" for code in FATAL_CLASSES)
    fatal = f"({fatal} OR bk_state = '53100') AND NOT (bk_state = '42501' AND bk_message LIKE '%row-level%')"
    body = fill_template(
        _FUNCTION, stage=stage.name, statement=step_sql(table, step, stage, where), fatal=fatal
    )
    execute(raw, f"CREATE INDEX IF NOT EXISTS {stage.name}_i ON pg_temp.{stage.name} (item)")
    execute(raw, body)
    # The plans within are made once, for sets of any size: only looking rows up is never a bad choice.
    if table.unique:
        execute(raw, "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    refusals = _run(raw, BLOCK)
    for _ in range(PASSES):
        # A row may refer to one further down: what a foreign key refused is tried again after the others.
        waiting = [refusal for refusal in refusals if refusal.state == "23503"]
        if not waiting or not any(foreign.table == table.name for foreign in table.foreign):
            break
        execute(
            raw, f"DELETE FROM pg_temp.{stage.name} WHERE NOT item = ANY(%s)", ([r.item for r in waiting],)
        )
        others = [refusal for refusal in refusals if refusal.state != "23503"]
        refusals = others + (left := _run(raw, 1))
        if len(left) == len(waiting):
            break
    written = Written(missing=[refusal.item for refusal in refusals if refusal.state is None])
    bad = [refusal for refusal in refusals if refusal.state is not None]
    rows = _find_rows(step, [refusal.item for refusal in bad])
    written.results += [_report_refusal(refusal, table, rows.get(refusal.item, {})) for refusal in bad]
    return written


def _run(raw: psycopg.Connection[Any], size: int) -> list[Refusal]:
    cursor = execute(raw, "SELECT * FROM pg_temp.batchkit_rows(%s)", (size,))
    return [Refusal(*row) for row in cursor.fetchall()]


def _find_rows(step: Step, items: list[int]) -> dict[int, dict[str, Any]]:
    columns = [name for name in step.frame.columns if name.startswith((KEY, AFTER))]
    rows = step.frame.filter(pl.col(ITEM).is_in(items)).select(ITEM, *columns)
    return {
        row.pop(ITEM): {name.partition(":")[2]: value for name, value in row.items()}
        for row in rows.iter_rows(named=True)
    }


def _report_refusal(refusal: Refusal, table: Table, values: dict[str, Any]) -> Result:
    state, message = str(refusal.state), refusal.message or ""
    _, rule, advice = judge_sqlstate(state, message)
    # `Key (email)=(x) already exists` names the columns, whatever the server's language.
    named = re.search(r"\(([^()]+)\)=\(", refusal.detail or "")
    column = refusal.column or (named[1] if named else _guess_column(rule, message, table, values))
    # The detail of a NOT NULL or a CHECK is the whole row, which the operator has in the file.
    tells = refusal.detail and rule not in {"not_null", "check"}
    reason = f"{message} ({refusal.detail.rstrip('.')})" if refusal.detail and tells else message
    facts = {"column": column, "constraint": refusal.constraint, "sqlstate": state}
    detail = {name: fact for name, fact in facts.items() if fact}
    reason = f"{column}: {reason}" if column else reason
    return reject(refusal.item, rule, shorten(reason), advice, detail)


def _guess_column(rule: str, message: str, table: Table, values: dict[str, Any]) -> str | None:
    """The column PostgreSQL doesn't name: a value that doesn't fit its type is all it tells."""
    quoted = re.search(r"\"(.*)\"$", message)
    for name, value in values.items():
        field = table.columns[name].field
        if value is None:
            continue
        if rule == "too_long" and field.max_length and len(str(value)) > field.max_length:
            return name
        if rule == "out_of_range" and _is_out_of_range(value, field):
            return name
        if rule == "type" and quoted and str(value) == quoted[1]:
            return name
        if rule == "type" and field.type == "json" and not _is_json(value):
            return name
    return None


def _is_out_of_range(value: Any, field: FieldType) -> bool:
    if isinstance(value, str | bool):
        return False
    if field.minimum is not None and field.maximum is not None:
        return not field.minimum <= value <= field.maximum
    return field.precision is not None and bool(abs(value) >= 10 ** (field.precision - (field.scale or 0)))


def _is_json(value: Any) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True
