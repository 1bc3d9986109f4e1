"""The outcome of every item as a table: its columns, and the table as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from ..sources.csv_writer import write_csv
from .top_errors import SLICE

if TYPE_CHECKING:
    from .data import ReportData

OUTCOME_COLUMNS: Final = (
    "item", "row", "key", "change", "outcome", "attempts", "at", "rule", "reason", "advice", "detail"
)  # fmt: skip
"""What every outcome frame holds, in this order."""

VALUES: Final = "values"
"""What each item was to change, in words; in frames that know it."""


def write_outcomes(data: ReportData, path: Path) -> None:
    """Write a row per item as CSV, in plan order."""
    columns = (*OUTCOME_COLUMNS, VALUES)
    frames = (_readable(with_values(frame).select(columns)) for frame in data.frames(SLICE))
    write_csv(frames, columns, path)


def _readable(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(local_moments(frame["at"]).dt.to_string("%Y-%m-%d %H:%M:%S").alias("at"))


def with_values(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a column of what was to change, empty where the frame doesn't know it."""
    return frame if VALUES in frame.columns else frame.with_columns(pl.lit(None, pl.String).alias(VALUES))


def local_moments(at: pl.Series) -> pl.Series:
    """Moments in UTC on the clock of this machine, as plain datetimes."""
    first = at.drop_nulls().head(1)
    offset = None if first.is_empty() else first[0].astimezone().utcoffset()
    moments = at.dt.replace_time_zone(None)
    return moments + offset if offset else moments
