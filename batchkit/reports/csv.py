"""The outcome of every item as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from ..sources.csv_writer import write_csv
from .columns import OUTCOME_COLUMNS, VALUES, local_moments, with_values
from .top_errors import SLICE

if TYPE_CHECKING:
    from .data import ReportData


def write_outcomes(data: ReportData, path: Path) -> None:
    """Write a row per item, in plan order."""
    columns = (*OUTCOME_COLUMNS, VALUES)
    frames = (_readable(with_values(frame).select(columns)) for frame in data.frames(SLICE))
    write_csv(frames, columns, path)


def _readable(frame: pl.DataFrame) -> pl.DataFrame:
    at = local_moments(frame["at"]).dt.to_string("%Y-%m-%d %H:%M:%S")
    return frame.with_columns(at.alias("at"))
