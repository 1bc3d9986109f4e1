"""Present values that a plan can't carry, or only nearly: told on their rows, and never taken for empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from ..checking.checks import problem_schema
from ..core.columns import AFTER, BEFORE, LOST, ROW

ROUNDED: Final = "rounded"
"""Rule of the notice on a row whose present value the plan keeps only nearly: an undo can't restore it."""
UNREADABLE: Final = "unreadable"
"""Rule of a row whose present value the field's type can't carry, so that nobody can compare it."""


def is_unreadable(names: Sequence[str], keep: Sequence[str]) -> pl.Expr:
    """Whether one of these fields holds what can't be compared, and the row says something about it."""
    tests = [
        _is_lost(name) & pl.col(BEFORE + name).is_null()
        & (pl.col(AFTER + name).is_not_null() if name in keep else pl.lit(value=True))
        for name in names
    ]  # fmt: skip
    return pl.any_horizontal(tests) if tests else pl.lit(value=False)


def report_lost(planned: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Problems of the rows whose present values the plan can't carry, in the columns of `problem_schema()`.

    Args:
        planned: `#row`, `before:*`, `after:*` and `lost:*`; only rows that can't be compared or shall change.
        columns: Column of the source by field.
    """
    found = [problem_schema().to_frame()]
    for name in _list_lost_fields(planned):
        null = pl.col(BEFORE + name).is_null()
        changes = pl.col(BEFORE + name).ne_missing(pl.col(AFTER + name))
        rows = planned.filter(_is_lost(name) & (null | changes))
        found.append(
            rows.select(
                row=ROW,
                column=pl.lit(columns[name]),
                value=LOST + name,
                rule=pl.when(null).then(pl.lit(UNREADABLE)).otherwise(pl.lit(ROUNDED)),
                message=pl.when(null)
                .then(pl.lit("The target holds a value here that can't be compared with the wanted one"))
                .otherwise(pl.lit("The target's number has more decimals than a plan keeps")),
                advice=pl.when(null)
                .then(pl.lit(f"Correct it at the target, or leave {name} out of the mapping."))
                .otherwise(pl.lit("Nothing to do; but an undo will not bring it back.")),
                level=pl.when(null).then(pl.lit("error")).otherwise(pl.lit("notice")),
            ).match_to_schema(problem_schema())
        )
    return pl.concat(found)


def _list_lost_fields(planned: pl.DataFrame) -> list[str]:
    return [name.removeprefix(LOST) for name in planned.columns if name.startswith(LOST)]


def _is_lost(name: str) -> pl.Expr:
    return pl.col(LOST + name).is_not_null()
