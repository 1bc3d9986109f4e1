"""The diff: wanted rows held against the target's present values. Frames in, frames out; no I/O."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import polars as pl

from ..core.columns import AFTER, BEFORE, CHANGE, KEY, LOST, NAME
from ..core.compare import Compare
from ..core.states import Change

OK: Final = "#ok"
"""Boolean column of wanted rows: may be sent as far as checks and duplicates go."""
ISSUE: Final = "#issue"
"""Column the diff adds: `exists`, `missing`, `key_not_unique`, `unreadable`, or null."""
UNREADABLE: Final = "unreadable"
"""Rule of a row whose present value the field's type can't carry, so that nobody can compare it."""
_FOUND, _MANY, _CHANGED = "#found", "#many", "#changed"


def diff(
    wanted: pl.DataFrame,
    found: pl.DataFrame,
    *,
    key: Sequence[str],
    fields: Sequence[str],
    mode: str,
    compare: Compare,
    keep: Collection[str] = (),
    json_fields: Collection[str] = (),
) -> pl.DataFrame:
    """Say for each wanted row what would change.

    Args:
        wanted: `#ok`, `key:*`, `after:*` and, for lookups that may create, `name:*`.
        found: The target's rows: key fields and `fields`, under their own names, in any order.
        key: Fields that identify an item.
        fields: The other fields.
        mode: `upsert`, `update` or `insert`.
        compare: When texts count as the same.
        keep: Fields whose blank cell means "leave what is there".
        json_fields: Fields that hold JSON texts, compared by what they say and not by how they are written.

    Returns:
        The wanted rows in their order with `change`, `before:*`, `lost:*` and `#issue` added, and `after:*`
        made equal to `before:*` wherever nothing is to change. Rows that are not `#ok` become `invalid`.
    """
    keys = [KEY + name for name in key]
    joined = wanted.join(
        _select_found(found, wanted, key, fields), on=keys, how="left", maintain_order="left"
    ).with_columns(pl.col(_FOUND).fill_null(value=False) & pl.col(OK), pl.col(_MANY).fill_null(value=False))
    there = pl.col(_FOUND)
    joined = joined.with_columns(
        pl.when(there).then(pl.col(BEFORE + name)).alias(BEFORE + name) for name in fields
    )
    changed = {
        name: _is_changed(name, joined.schema, compare, keep=name in keep, is_json=name in json_fields)
        for name in fields
    }
    any_changed = pl.any_horizontal(list(changed.values())) if changed else pl.lit(value=False)
    joined = joined.with_columns(
        any_changed.alias(_CHANGED),
        *(
            pl.when(there & ~change)
            .then(pl.col(BEFORE + name))
            .otherwise(pl.col(AFTER + name))
            .alias(AFTER + name)
            for name, change in changed.items()
        ),
    )
    lost = [name for name in fields if LOST + name in joined.columns]
    unreadable = there & _is_unreadable(lost, keep)
    return (
        joined.with_columns(_find_issue(mode, unreadable))
        .with_columns(_choose_change(mode))
        .drop(_FOUND, _MANY, _CHANGED)
    )


def _select_found(
    found: pl.DataFrame, wanted: pl.DataFrame, key: Sequence[str], fields: Sequence[str]
) -> pl.DataFrame:
    types = wanted.schema
    columns = [pl.col(name).cast(types[KEY + name]).alias(KEY + name) for name in key]
    columns += [pl.col(name).cast(types[AFTER + name]).alias(BEFORE + name) for name in fields]
    columns += [pl.col(LOST + name) for name in fields if LOST + name in found.columns]
    keys = [KEY + name for name in key]
    present = found.select(columns).with_columns(pl.lit(value=True).alias(_FOUND))
    many = present.select(pl.struct(keys).is_duplicated()).to_series()
    if not many.any():
        return present.with_columns(pl.lit(value=False).alias(_MANY))
    return present.with_columns(many.alias(_MANY)).unique(subset=keys, keep="any")


def _is_changed(name: str, schema: pl.Schema, compare: Compare, *, keep: bool, is_json: bool) -> pl.Expr:
    before, after = pl.col(BEFORE + name), pl.col(AFTER + name)
    differs = compare.differs(before, after, schema[AFTER + name], is_json=is_json)
    if keep:
        differs &= after.is_not_null()
    # A lookup row that is yet to be made can't be what the target refers to already.
    return differs | pl.col(NAME + name).is_not_null() if NAME + name in schema else differs


def _is_unreadable(names: Sequence[str], keep: Collection[str]) -> pl.Expr:
    """Whether one of these fields holds what can't be compared, and the row says something about it."""
    tests = [
        pl.col(LOST + name).is_not_null() & pl.col(BEFORE + name).is_null()
        & (pl.col(AFTER + name).is_not_null() if name in keep else pl.lit(value=True))
        for name in names
    ]  # fmt: skip
    return pl.any_horizontal(tests) if tests else pl.lit(value=False)


def _find_issue(mode: str, unreadable: pl.Expr) -> pl.Expr:
    several = pl.when(pl.col(OK) & pl.col(_MANY)).then(pl.lit("key_not_unique"))
    many = several.when(unreadable).then(pl.lit(UNREADABLE))
    if mode == "insert":
        return many.when(pl.col(_FOUND) & pl.col(_CHANGED)).then(pl.lit("exists")).alias(ISSUE)
    if mode == "update":
        return many.when(pl.col(OK) & ~pl.col(_FOUND)).then(pl.lit("missing")).alias(ISSUE)
    return many.alias(ISSUE)


def _choose_change(mode: str) -> pl.Expr:
    absent = Change.MISSING if mode == "update" else Change.CREATE
    return (
        pl.when(~pl.col(OK) | pl.col(ISSUE).is_in(["key_not_unique", "exists", UNREADABLE]))
        .then(pl.lit(str(Change.INVALID)))
        .when(~pl.col(_FOUND))
        .then(pl.lit(str(absent)))
        .when(pl.col(_CHANGED))
        .then(pl.lit(str(Change.UPDATE)))
        .otherwise(pl.lit(str(Change.UNCHANGED)))
        .alias(CHANGE)
    )
