"""Holding items against what the target holds now: before they are sent, and after a crash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from ..core.advice import resume
from ..core.columns import AFTER, BEFORE, ITEM, KEY
from ..core.compare import (
    NOW,
    STANDING,
    TO_SEND,
    Standing,
    fields_of,
    find_edited,
    join_present,
    judge_columns,
)
from ..core.states import Change, Outcome
from ..targets.base import Failure, Item, Result

NEITHER: Final = "Nobody knows what became of it, and the target holds neither former nor wanted values."
LOOK_THERE: Final = f"Look at it there; make a new plan, or write it all the same: {resume(overwrite=True)}."


def asked(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """What to read for these items: their keys, each once, and the fields."""
    names = [name.removeprefix(KEY) for name in frame.columns if name.startswith(KEY)]
    keys = frame.select(pl.col(KEY + name).alias(name) for name in names).unique(maintain_order=True)
    return keys, fields_of(frame.columns)


def held_against(frame: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Judge items by what the target holds.

    What a target behind HTTP was given no value for it may fill in as it likes: a date, a slug, an author.

    Args:
        frame: The items.
        found: What `read` gave for `asked(frame)`.

    Returns:
        The items with what `join_present` adds, and `#standing`.
    """
    joined = join_present(frame, found)
    return joined.with_columns(judge_columns(joined.columns, fills_in=fields_of(frame.columns)))


def looked_back(
    items: Sequence[Item], frame: pl.DataFrame, found: pl.DataFrame, failure: Failure
) -> tuple[list[Item], list[Result]]:
    """What became of items that nobody answered for, by what the target holds a moment later.

    Args:
        items: The items.
        frame: Their rows.
        found: What `read` gave for `asked(frame)`.
        failure: What is known of the call.

    Returns:
        The items to send again, and results of those that are not simply done. What was to be created and
        isn't there may still come: it stays unknown.
    """
    rows = {row[ITEM]: row for row in held_against(frame, found).iter_rows(named=True)}
    again, results = [], []
    for item in items:
        row = rows[item.index]
        if row[STANDING] == Standing.EDITED:
            shown = differences(row)
            results.append(Result(item.index, Outcome.CONFLICT, "changed", NEITHER, LOOK_THERE, shown))
        elif row[STANDING] == Standing.UNTOUCHED and item.change == Change.CREATE:
            results.append(Result(item.index, Outcome.UNKNOWN, failure.rule, failure.reason, failure.advice))
        elif row[STANDING] in TO_SEND:
            again.append(item)
    return again, results


def differences(row: dict[str, Any]) -> dict[str, Any]:
    """What a conflict shows, by field: the value planned, the one found, the one wanted.

    Args:
        row: A row of `held_against`, by column.
    """
    edited = find_edited(row, fills_in=fields_of(row))
    return {
        name: {"planned": row[BEFORE + name], "found": row[NOW + name], "wanted": row[AFTER + name]}
        for name in edited
    }
