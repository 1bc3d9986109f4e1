"""The results file: the source's rows with what the target answered beside them, ready to be a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final

import polars as pl

from ..core.columns import ROW
from ..sources.csv_writer import write_csv
from ..sources.workbook_writer import LongSheet, workbook
from .fix import layout, quoted, refuse_long
from .styles import Styles

_WHERE: Final = "Write the results as .csv."


def write_results_csv(first: pl.DataFrame, rest: Iterable[pl.DataFrame], path: Path) -> None:
    """Write the rows as CSV; `#row` tells whoever reads it that its guards are to be taken off."""
    write_csv(chain([first], rest), first.columns, path)


def write_results_xlsx(first: pl.DataFrame, rest: Iterable[pl.DataFrame], path: Path) -> None:
    """Write the rows as a workbook of texts.

    Raises:
        UsageError: A cell is longer than a workbook can hold.
    """
    names = [name for name in first.columns if name != ROW]
    with workbook(path) as book:
        styles = Styles(book)
        formats = dict.fromkeys(names, styles.text) | {ROW: styles.plain}
        table = LongSheet(book, "Results", layout(first), heads=styles.heads, formats=formats, frozen=1)
        for frame in _checked(chain([first], rest), names):
            table.add(frame.with_columns(quoted(pl.col(name)) for name in names))
        table.finish()


def _checked(frames: Iterable[pl.DataFrame], names: list[str]) -> Iterator[pl.DataFrame]:
    for frame in frames:
        refuse_long(frame, names, _WHERE)
        yield frame
