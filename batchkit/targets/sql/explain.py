"""What is said of rows that a chunk didn't write, or wrote over an edit, by what the table holds now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ...core.columns import AFTER, BEFORE, CHANGE, ITEM, LOST
from ...core.compare import NOW, STANDING, THERE, Standing, fields_of, find_edited, find_kept
from ...core.states import Outcome
from ..base import ChunkContext, Result
from ..exchange import reject
from .dialect import Table


def explain(missing: pl.DataFrame, table: Table, context: ChunkContext) -> list[Result]:
    """Say of rows that were not written why.

    Args:
        missing: Rows of the plan, with what `join_present` adds and how they stand.
        table: The table.
        context: Whether an earlier session may have written them.
    """
    is_done = pl.col(STANDING) == Standing.DONE
    done = missing.filter(is_done)[ITEM]
    # What a session that died had written is its doing, and so done without a word.
    results = [] if context.recovering else [Result(item, Outcome.UNCHANGED) for item in done]
    return results + [_explain_row(row, table) for row in missing.filter(~is_done).iter_rows(named=True)]


def report_overwritten(seen: pl.DataFrame, table: Table) -> list[Result]:
    """What is said of the rows that hold another's edit, should they be written over it."""
    results = []
    for row in seen.filter(pl.col(THERE) & (pl.col(STANDING) != Standing.DONE)).iter_rows(named=True):
        edited = {name: _find_value(row, name) for name in find_edited(row, table.fills_in)}
        if edited:
            lost = {n: None if value is None else str(to_json_value(value)) for n, value in edited.items()}
            reason = f"Written over what somebody else had put there: {', '.join(lost)}."
            detail = {"overwritten": lost}
            results.append(Result(row[ITEM], Outcome.DONE, "overwritten", reason, detail=detail))
        elif find_kept(row):
            results.append(report_kept(row))
    return results


def report_kept(row: Mapping[str, Any]) -> Result:
    """What is said of a row of which somebody else had written a part; an undo leaves that part alone."""
    fields = find_kept(row)
    reason = f"Somebody else had set {', '.join(fields)} to the wanted value already."
    return Result(row[ITEM], Outcome.DONE, "kept", reason, detail={"kept": fields})


def report_skipped(item: int) -> Result:
    """What is said of a row that nothing was wrong with."""
    reason = "The database took the row without an error, but didn't write it."
    advice = "A trigger, a rule or a row-level policy of the table holds it back: ask the database's owner."
    return reject(item, "skipped", reason, advice)


def report_ambiguous(item: int) -> Result:
    """What is said of a row whose key the table has more than once."""
    advice = "Remove the doubles from the table, or choose a key that is unique there."
    return reject(item, "ambiguous", "Several rows of the table have this key.", advice)


def to_json_value(value: Any) -> Any:
    """A value as JSON takes it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def _explain_row(row: Mapping[str, Any], table: Table) -> Result:
    if not row[THERE]:
        if row[CHANGE] == "create":
            return report_skipped(row[ITEM])
        reason, advice = "The row is no longer in the table.", "Make a new plan if it shall be created again."
        return _report_conflict(row, "gone", reason, advice, fields_of(row))
    edited = find_edited(row, table.fills_in)
    unreadable = [name for name in edited if row[LOST + name] is not None]
    if unreadable:
        # A field holds what its type can't carry, and so nobody compared it.
        values = ", ".join(f"{name} holds {_find_value(row, name)!r}" for name in unreadable)
        reason = f"{values}, which can't be compared with what the plan wants."
        advice = "Look at the value in the table; correct it there, then make a new plan."
        return _report_conflict(row, "unreadable", reason, advice, unreadable)
    if row[CHANGE] == "create":
        reason = "A row with this key has been created since the plan was made."
        return _report_conflict(row, "exists", reason, "Make a new plan to compare with it.", edited)
    if not edited:
        return report_skipped(row[ITEM])
    reason = f"Changed since the plan was made: {', '.join(edited)}."
    advice = "Look at both values; make a new plan, or overwrite on purpose."
    return _report_conflict(row, "changed", reason, advice, edited)


def _report_conflict(
    row: Mapping[str, Any], rule: str, reason: str, advice: str, fields: list[str]
) -> Result:
    shown = {
        name: {
            "planned": to_json_value(row.get(BEFORE + name)),
            "found": to_json_value(_find_value(row, name)),
            "wanted": to_json_value(row[AFTER + name]),
        }
        for name in fields
    }
    return Result(row[ITEM], Outcome.CONFLICT, rule, reason, advice, shown)


def _find_value(row: Mapping[str, Any], name: str) -> Any:
    """What the table holds, as a text where its type can't carry it."""
    lost = row[LOST + name]
    return row[NOW + name] if lost is None else lost
