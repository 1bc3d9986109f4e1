"""Reading back what a crash left in doubt: the target itself says what became of it."""

from __future__ import annotations

from typing import Final

import polars as pl

from ..states import Change
from ..targets.base import AFTER, BEFORE, CHANGE, ITEM, KEY, Target

DONE: Final = "done"
UNTOUCHED: Final = "untouched"
EDITED: Final = "edited"
_FOUND: Final = "#found"


def read_back(target: Target, frame: pl.DataFrame) -> pl.DataFrame:
    """What became of items that may have been sent, as the target tells.

    Args:
        target: A target that can be read.
        frame: The items, columns as `targets.base` lists them; none of them a `send`.

    Returns:
        `item`, `verdict`: `done` where the target holds the wanted values, `untouched` where it holds the
        before-image (so it was not done), `edited` where it holds something else.
    """
    keys = [name.removeprefix(KEY) for name in frame.columns if name.startswith(KEY)]
    fields = [name.removeprefix(AFTER) for name in frame.columns if name.startswith(AFTER)]
    wanted = frame.select(pl.col(KEY + name).alias(name) for name in keys).unique()
    found = target.read(wanted, fields)
    found = found.select(
        *(pl.col(name).alias(KEY + name) for name in keys),
        *(pl.col(name).alias(f"{_FOUND}:{name}") for name in fields),
        pl.lit(True).alias(_FOUND),
    )
    joined = frame.join(found, on=[KEY + name for name in keys], how="left", maintain_order="left")
    there = pl.col(_FOUND).fill_null(False)
    change = pl.col(CHANGE)
    as_wanted, as_before = _alike(fields, AFTER), _alike(fields, BEFORE)
    done = pl.when(change == Change.DELETE).then(~there).otherwise(there & as_wanted)
    untouched = pl.when(change == Change.CREATE).then(~there).otherwise(there & as_before)
    verdict = (
        pl.when(done).then(pl.lit(DONE)).when(untouched).then(pl.lit(UNTOUCHED)).otherwise(pl.lit(EDITED))
    )
    return joined.select(ITEM, verdict.alias("verdict"))


def _alike(fields: list[str], prefix: str) -> pl.Expr:
    """Whether each field that was to change is found as the plan has it under `prefix`."""
    checks = [
        pl.col(f"{_FOUND}:{name}").eq_missing(pl.col(prefix + name))
        | pl.col(BEFORE + name).eq_missing(pl.col(AFTER + name))
        for name in fields
    ]
    return pl.all_horizontal(checks) if checks else pl.lit(True)
