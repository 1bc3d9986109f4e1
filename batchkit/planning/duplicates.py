"""Rows of one source that share a key: found by hash over the whole file, then proven by value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import polars as pl

from ..checking.checks import problem_schema
from ..core.advice import option
from ..core.columns import AFTER, CHANGE, ROW
from ..core.problem import SHOWN
from ..core.states import Change
from .target_values import format_values

if TYPE_CHECKING:
    from .spool import Spool

_ROWS, _COUNT, _SHOWN_ROWS = "#rows", "#count", 4
RULE: Final = "duplicate"


class KeyHashes:
    """A 64-bit hash of each row's key, in order: 8 bytes a row are all that planning keeps of a file.

    Equal keys have equal hashes as long as their columns have the same types.
    """

    def __init__(self) -> None:
        self._parts: list[pl.Series] = []
        self.blank = 0

    def add(self, keys: pl.DataFrame) -> None:
        """Take in the keys of a part; rows in which a key column is null count as `blank`."""
        hashes = hash_keys(keys)
        self._parts.append(hashes)
        self.blank += hashes.null_count()

    def all(self) -> pl.Series:
        """The hashes of all rows; null for blank keys."""
        return pl.concat(self._parts) if self._parts else pl.Series(dtype=pl.UInt64)

    def repeated(self) -> pl.Series:
        """The hashes that stand more than once, each once."""
        hashes = self.all().drop_nulls()
        if hashes.n_unique() == hashes.len():
            return hashes.clear()
        return hashes.filter(hashes.is_duplicated()).unique()


def hash_keys(keys: pl.DataFrame) -> pl.Series:
    """A hash for each row of key columns; null where one of them is null."""
    blank = keys.select(pl.any_horizontal(pl.all().is_null())).to_series()
    hashes = keys.hash_rows(seed=0)
    if not blank.any():
        return hashes
    return hashes.to_frame("hash").select(pl.when(~blank).then("hash")).to_series()


def find_duplicates(
    spool: Spool, key: Sequence[str], column: str, hashes: KeyHashes, keep: str, bad: pl.Series
) -> pl.DataFrame:
    """The rows that are not sent because another row has their key.

    Args:
        spool: The checked rows, with `#row` and the key columns.
        key: Names of the key columns in the spool.
        column: What problems call them.
        hashes: Of all rows.
        keep: `none`, or which row of each key counts: `first`, `last`.
        bad: Rows that can't be sent for reasons of their own; none of them counts.

    Returns:
        Problems, one for each such row, in the columns of `problem_schema()`: errors, or notices where the
        operator said which row counts.
    """
    repeated = hashes.repeated()
    if repeated.is_empty():
        return problem_schema().to_frame()
    suspects = pl.concat(_find_suspects(spool, key, repeated))
    rows = pl.col(ROW)
    good = rows.filter(~rows.is_in(bad.implode()))
    groups = suspects.group_by(list(key)).agg(
        rows.head(_SHOWN_ROWS).alias(_ROWS),
        pl.len().alias(_COUNT),
        (good.max() if keep == "last" else good.min()).alias("#kept"),  # null where all are bad
    )
    duplicates = suspects.join(
        groups.filter(pl.col(_COUNT) > 1), on=list(key), how="inner", maintain_order="left"
    )
    if keep != "none":
        duplicates = duplicates.filter(rows != pl.col("#kept"))
    return _report_duplicates(duplicates, key, column, keep)


def mark_duplicates(planned: pl.DataFrame, duplicates: pl.Series, keep: str) -> pl.DataFrame:
    """The rows, where those that another row's key keeps from being sent are called so.

    Which row counts may be the operator's own choice: then the others want nothing, and nothing is wrong.
    """
    if not duplicates.len():
        return planned
    mine = pl.col(ROW).is_in(duplicates.implode())
    kind = Change.DUPLICATE if keep == "none" else Change.UNCHANGED
    planned = planned.with_columns(pl.when(mine).then(pl.lit(str(kind))).otherwise(CHANGE).alias(CHANGE))
    if keep == "none":
        return planned
    wanted = pl.col("^" + AFTER + ".*$")
    return planned.with_columns(pl.when(~mine).then(wanted).name.keep())


def _find_suspects(spool: Spool, key: Sequence[str], repeated: pl.Series) -> Iterator[pl.DataFrame]:
    for part in spool.columns([ROW, *key]):
        yield part.filter(hash_keys(part.select(key)).is_in(repeated.implode()).fill_null(value=False))


def _report_duplicates(duplicates: pl.DataFrame, key: Sequence[str], column: str, keep: str) -> pl.DataFrame:
    value = pl.concat_str([_format_key(name, duplicates.schema[name]) for name in key], separator=" / ")
    if keep == "none":
        message = pl.concat_str(pl.lit("The same key stands on "), _name_others(), pl.lit(" as well"))
        advice = (
            "Keep one of these rows, or let the first of them count (or the last): "
            f"{option('keep_duplicates', 'first')}."
        )
    else:
        message = pl.concat_str(pl.lit("Row "), pl.col("#kept"), pl.lit(", which has the same key, counts"))
        advice = "Nothing to do if that row is the right one."
    return duplicates.select(
        row=pl.col(ROW),
        column=pl.lit(column),
        value=value.str.slice(0, SHOWN),
        rule=pl.lit(RULE),
        message=message,
        advice=pl.lit(advice),
        level=pl.lit("error" if keep == "none" else "notice"),
    ).match_to_schema(problem_schema())


def _name_others() -> pl.Expr:
    own = pl.concat_list(pl.col(ROW))
    others = pl.col(_ROWS).list.set_difference(own).list.sort().list.head(_SHOWN_ROWS - 1)
    named = others.cast(pl.List(pl.String)).list.join(", ")
    more = pl.col(_COUNT).cast(pl.Int64) - 1 - others.list.len().cast(pl.Int64)
    word = pl.when(pl.col(_COUNT) > 2).then(pl.lit("rows ")).otherwise(pl.lit("row "))
    rest = pl.when(more > 0).then(pl.concat_str(pl.lit(" and "), more, pl.lit(" more"))).otherwise(pl.lit(""))
    return pl.concat_str(word, named, rest)


def _format_key(name: str, dtype: pl.DataType) -> pl.Expr:
    return pl.col(name).bin.encode("hex") if dtype == pl.Binary else format_values(pl.col(name), dtype)
