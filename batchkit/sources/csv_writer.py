"""Writing CSV that an office program opens by double click: UTF-8 with BOM, `;`, guarded cells."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import polars as pl

from ..core.guards import guard, guard_expr

SEPARATOR: Final = ";"
_BOM: Final = b"\xef\xbb\xbf"


def write_csv(frames: Iterable[pl.DataFrame], columns: Iterable[str], path: Path) -> None:
    """Write frames below each other; their texts are guarded.

    Text that a spreadsheet would run gets an apostrophe in front; `open_table` takes it off again where the
    file has a column `#row`, which makes it one of ours. Every text is quoted: an office program that splits
    at commas then still sees whole cells, and no second half of a cell can become a formula.

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
