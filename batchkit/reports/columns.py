"""The columns of an outcome frame as a report writes them."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import polars as pl

OUTCOME_COLUMNS: Final = (
    "item", "row", "key", "change", "outcome", "attempts", "at", "rule", "reason", "advice", "detail"
)  # fmt: skip
"""What every outcome frame holds, in this order."""

VALUES: Final = "values"
"""What each item was to change, in words; in frames that know it."""


def with_values(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a column of what was to change, empty where the frame doesn't know it."""
    return frame if VALUES in frame.columns else frame.with_columns(pl.lit(None, pl.String).alias(VALUES))


def local_moments(at: pl.Series) -> pl.Series:
    """Moments on the clock of this machine, as plain datetimes.

    Args:
        at: Unix seconds, ISO texts, or datetimes; without a zone they are UTC.

    Returns:
        A `Datetime("us")` series without zone; null where there was no moment.
    """
    moments = _utc(at)
    first = moments.drop_nulls().head(1)
    if first.is_empty():
        return moments
    offset = datetime.fromisoformat(f"{first[0].isoformat()}+00:00").astimezone().utcoffset()
    return moments + offset if offset else moments


def _utc(at: pl.Series) -> pl.Series:
    if at.dtype == pl.String:
        at = at.str.to_datetime(time_zone="UTC", time_unit="us", strict=False)
    if isinstance(at.dtype, pl.Datetime):
        return at.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us"))
    if at.dtype == pl.Null:
        return at.cast(pl.Datetime("us"))
    return (at.cast(pl.Float64) * 1_000_000).cast(pl.Int64).cast(pl.Datetime("us"))
