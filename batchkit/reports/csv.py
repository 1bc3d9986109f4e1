"""Tables as CSV that an office program opens by double click: UTF-8 with BOM, `;`, guarded cells."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from ..core.guards import guard, guard_expr
from .columns import OUTCOME_COLUMNS, VALUES, local_moments, with_values
from .top_errors import SLICE

if TYPE_CHECKING:
    from .data import ReportData

SEPARATOR: Final = ";"
_BOM: Final = b"\xef\xbb\xbf"


def write_csv(data: ReportData, path: Path) -> None:
    """Write a row per item, in plan order."""
    columns = (*OUTCOME_COLUMNS, VALUES)
    frames = (_readable(with_values(frame).select(columns)) for frame in data.frames(SLICE))
    write_frames(frames, columns, path)


def write_frames(frames: Iterable[pl.DataFrame], columns: Iterable[str], path: Path) -> None:
    """Write frames below each other; their texts are guarded.

    Every text is quoted: an office program that splits at commas then still sees whole cells, and no
    second half of a cell can become a formula.

    Args:
        frames: Frames that all have `columns`, in that order.
        columns: The header.
        path: Where to.
    """
    header = pl.DataFrame(schema=dict.fromkeys(map(guard, columns), pl.String))
    with path.open("wb") as file:
        file.write(_BOM)
        file.write(_bytes(header, header=True))
        for frame in frames:
            file.write(_bytes(frame.with_columns(guard_expr(pl.col(pl.String))), header=False))


def _bytes(frame: pl.DataFrame, *, header: bool) -> bytes:
    text: str = frame.write_csv(
        separator=SEPARATOR, quote_style="non_numeric", line_terminator="\r\n", include_header=header
    )
    return text.encode()


def _readable(frame: pl.DataFrame) -> pl.DataFrame:
    at = local_moments(frame["at"]).dt.to_string("%Y-%m-%d %H:%M:%S")
    return frame.with_columns(at.alias("at"))
