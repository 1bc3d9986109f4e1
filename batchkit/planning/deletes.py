"""Deletes: what the target has and the source lacks. Planned only when asked for by name, and up to a cap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import polars as pl

from ..core.advice import option
from ..core.columns import AFTER, BEFORE, CHANGE, FILE_ROW, KEY, LOST
from ..core.errors import PlanError
from ..core.states import Change
from ..core.words import plural
from .duplicates import hash_keys

if TYPE_CHECKING:
    from ..targets.base import FrameTarget


def plan_deletes(
    target: FrameTarget,
    keys: Mapping[str, pl.DataType],
    fields: Sequence[str],
    known: pl.Series,
    cap: float | str,
) -> Iterator[pl.DataFrame]:
    """The items that no row of the source stands for.

    A key is compared by its 64-bit hash: should two ever share one, an item stays that could have gone.

    Args:
        target: Where the items are.
        keys: Key fields and their types.
        fields: Fields to keep as before-image.
        known: Hashes of the source's keys, as they were given and as the target holds them: whether it finds
            an item by a key is for the target to say, whose comparison may be looser than ours.
        cap: How many may go: a whole number is a count; 0.1, 1.0 or `10%` is a share of the target's items.

    Yields:
        Frames with `row` (null), `change`, `key:*`, `before:*`, `after:*` (null) and `lost:*`.

    Raises:
        PlanError: More than the cap would go; raised when the last frame is asked for.
    """
    total = deletes = 0
    known = known.drop_nulls().unique()
    for frame in target.scan_keys(fields):
        typed = frame.select(*(pl.col(name).cast(kind) for name, kind in keys.items()))
        gone = frame.filter(~hash_keys(typed).is_in(known.implode()).fill_null(value=True))
        total += frame.height
        deletes += gone.height
        yield gone.select(
            pl.lit(None, pl.UInt32).alias(FILE_ROW),
            pl.lit(str(Change.DELETE)).alias(CHANGE),
            *(pl.col(name).cast(kind).alias(KEY + name) for name, kind in keys.items()),
            *(pl.col(name).alias(BEFORE + name) for name in fields),
            *(pl.lit(None, gone.schema[name]).alias(AFTER + name) for name in fields),
            *(pl.col(name) for name in gone.columns if name.startswith(LOST)),
        )
    share = float(cap.removesuffix("%").replace(",", ".")) / 100 if isinstance(cap, str) else cap
    if deletes > (share if isinstance(share, int) else share * total):
        raise PlanError(
            f"{plural(deletes, 'item')} of {total:,} would be deleted, because the source lacks them; "
            f"the cap is {f'{share:,}' if isinstance(share, int) else f'{share:.0%} of the items'}.",
            advice="Check that the source is complete. If it is, raise the cap: "
            f"{option('delete_cap', str(deletes))}.",
            deletes=deletes,
            total=total,
        )
