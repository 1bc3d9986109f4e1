"""Holding items against what the target holds now: before they are sent, and after a crash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import polars as pl

from ..core.columns import AFTER, BEFORE, CHANGE, ITEM, KEY
from ..core.states import Change, Outcome
from ..targets.base import Failure, Item, Result, Target

DONE: Final = "done"
UNTOUCHED: Final = "untouched"
EDITED: Final = "edited"
VERDICT: Final = "verdict"
FOUND: Final = "#found"

NEITHER: Final = "Nobody knows what became of it, and the target holds neither former nor wanted values."
LOOK_THERE: Final = "Look at it there; make a new plan, or resume with `--overwrite-conflicts`."


def read_back(target: Target, frame: pl.DataFrame) -> pl.DataFrame:
    """What became of items that may have been sent, as the target tells.

    Args:
        target: A target that can be read.
        frame: The items, columns as `targets.base` lists them; none of them a `send`.

    Returns:
        `item`, `verdict`: `done` where the target holds the wanted values, `untouched` where it holds the
        before-image (so it was not done), `edited` where it holds something else.
    """
    keys, fields = asked(frame)
    return held_against(frame, target.read(keys, fields)).select(ITEM, VERDICT)


def asked(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """What to read for these items: their keys, each once, and the fields."""
    names = [name.removeprefix(KEY) for name in frame.columns if name.startswith(KEY)]
    keys = frame.select(pl.col(KEY + name).alias(name) for name in names).unique(maintain_order=True)
    return keys, _fields(frame)


def held_against(frame: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Judge items by what the target holds.

    A field that holds either its before-image or the wanted value is nobody else's doing.

    Args:
        frame: The items.
        found: What `read` gave for `asked(frame)`.

    Returns:
        The items with `verdict`, `#found` and `#found:<field>` added.
    """
    keys, fields = [name for name in frame.columns if name.startswith(KEY)], _fields(frame)
    types = frame.schema
    found = found.select(
        *(pl.col(name.removeprefix(KEY)).cast(types[name]).alias(name) for name in keys),
        *(pl.col(name).cast(types[AFTER + name]).alias(f"{FOUND}:{name}") for name in fields),
        pl.lit(True).alias(FOUND),
    ).unique(subset=keys, keep="any")
    joined = frame.join(found, on=keys, how="left", maintain_order="left")
    joined = joined.with_columns(pl.col(FOUND).fill_null(value=False))
    there, change = pl.col(FOUND), pl.col(CHANGE)
    as_wanted = pl.all_horizontal([_is(name, AFTER) for name in fields] or [pl.lit(value=True)])
    as_before = pl.all_horizontal(
        [_is(name, BEFORE) | ((change != Change.DELETE) & _is(name, AFTER)) for name in fields]
        or [pl.lit(value=True)]
    )
    done = pl.when(change == Change.DELETE).then(~there).otherwise(there & as_wanted)
    untouched = pl.when(change == Change.CREATE).then(~there).otherwise(there & as_before)
    verdict = (
        pl.when(done).then(pl.lit(DONE)).when(untouched).then(pl.lit(UNTOUCHED)).otherwise(pl.lit(EDITED))
    )
    return joined.with_columns(verdict.alias(VERDICT))


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
    verdicts = {row[ITEM]: row for row in held_against(frame, found).iter_rows(named=True)}
    again, results = [], []
    for item in items:
        row = verdicts[item.index]
        if row[VERDICT] == EDITED:
            shown = differences(row)
            results.append(Result(item.index, Outcome.CONFLICT, "changed", NEITHER, LOOK_THERE, shown))
        elif row[VERDICT] == UNTOUCHED and item.change == Change.CREATE:
            results.append(Result(item.index, Outcome.UNKNOWN, failure.rule, failure.reason, failure.advice))
        elif row[VERDICT] == UNTOUCHED:
            again.append(item)
    return again, results


def differences(row: dict[str, Any]) -> dict[str, Any]:
    """What a conflict shows, by field: the value planned, the one found, the one wanted.

    Args:
        row: A row of `held_against`, by column.
    """
    shown = {}
    for name in _fields_of(row):
        planned, found, wanted = row[BEFORE + name], row[f"{FOUND}:{name}"], row[AFTER + name]
        if found != planned and (found != wanted or row[CHANGE] == Change.DELETE):
            shown[name] = {"planned": planned, "found": found, "wanted": wanted}
    return shown


def was_there(row: dict[str, Any]) -> dict[str, Any] | None:
    """What an item holds that is written over: its values, or None where it is gone."""
    return {name: row[f"{FOUND}:{name}"] for name in _fields_of(row)} if row[FOUND] else None


def kept(row: dict[str, Any]) -> list[str]:
    """Fields that somebody else has set to the wanted value already."""
    if row[CHANGE] != Change.UPDATE:
        return []
    return [
        name for name in _fields_of(row) if row[f"{FOUND}:{name}"] == row[AFTER + name] != row[BEFORE + name]
    ]


def _fields(frame: pl.DataFrame) -> list[str]:
    return list(_fields_of(frame.columns))


def _fields_of(columns: Sequence[str] | dict[str, Any]) -> Iterator[str]:
    return (name.removeprefix(AFTER) for name in columns if name.startswith(AFTER))


def _is(name: str, prefix: str) -> pl.Expr:
    """Whether a field, if it was to change, is found as the plan has it under `prefix`."""
    found = pl.col(f"{FOUND}:{name}").eq_missing(pl.col(prefix + name))
    return found | pl.col(BEFORE + name).eq_missing(pl.col(AFTER + name))
