"""Rows that go on as a source: those that failed, to be corrected, and those with what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import polars as pl

from ..core import words
from ..core.columns import ADVICE, ERROR, REMARKS, ROW
from ..core.errors import UsageError
from ..core.guards import guard_expr
from ..sources.csv_writer import write_csv
from ..sources.workbook_writer import CELL, Column, LongSheet, workbook
from . import overview
from .styles import Styles

_RAW: Final = "raw:"


def failed_rows(frames: Iterable[pl.DataFrame], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Failed rows as they stood in the source, behind `#row`, `#error` and `#advice`.

    Args:
        frames: Outcome frames with `raw:*`.
        columns: The source's columns, in order; all that are there when empty.
    """
    for frame in frames:
        there = frame.filter(frame["row"].is_not_null())
        held = [name.removeprefix(_RAW) for name in frame.columns if name.startswith(_RAW)]
        # A source that was a fix-and-rerun file itself brings its old errors along: they are replaced.
        names = [name for name in columns or held if name in held and name not in REMARKS]
        reasons = [
            _reason(*facts) for facts in there.select("outcome", "rule", "reason", "detail").iter_rows()
        ]
        if reasons:
            yield there.select(
                pl.col("row").alias(ROW),
                pl.Series(ERROR, reasons, dtype=pl.String),
                pl.col("advice").alias(ADVICE),
                *(pl.col(_RAW + name).alias(name) for name in names),
            )


def _reason(outcome: str, rule: str | None, reason: str | None, detail: str | None) -> str:
    text = reason or rule or outcome
    return f"{text}\n{overview.detail_words(detail) or ''}" if overview.differences(detail) else text


def write_rows(frames: Iterable[pl.DataFrame], path: Path, *, sheet: str, what: str) -> None:
    """Write rows as CSV or as a workbook, by the path's suffix.

    In CSV cells are guarded, and `#row` tells whoever reads it that its guards are to be taken off. In a
    workbook cells stay text when they are edited: leading zeros survive.

    Args:
        frames: One at least, all of the same columns.
        path: Where to.
        sheet: Name of the workbook's sheet.
        what: The rows, as a message names them.

    Raises:
        UsageError: A cell is longer than a workbook can hold.
    """
    rest = iter(frames)
    first = next(rest)
    if path.suffix.lower() == ".csv":
        write_csv(chain([first], rest), first.columns, path)
        return
    own = [name for name in first.columns if name in REMARKS]
    texts = [name for name in first.columns if name not in own]
    with workbook(path) as book:
        styles = Styles(book)
        formats = dict.fromkeys(texts, styles.text) | {
            ROW: styles.plain, ERROR: styles.error, ADVICE: styles.advice
        }  # fmt: skip
        columns = [_column(first[name]) for name in first.columns]
        table = LongSheet(book, sheet, columns, heads=styles.heads, formats=formats, frozen=len(own))
        for frame in chain([first], rest):
            _refuse_long(frame, texts, f"Write the {what} as .csv.")
            table.add(frame.with_columns(_quoted(pl.col(name)) for name in texts))
        table.finish()


def _quoted(column: pl.Expr) -> pl.Expr:
    # A workbook runs no text, so nothing needs a guard in it. But whoever reads a fix-and-rerun file takes
    # guards off, and an apostrophe of the text's own must not go with them.
    return pl.when(~column.str.starts_with("'")).then(column).otherwise(guard_expr(column))


def _column(cells: pl.Series) -> Column:
    if cells.name == ROW:
        return Column(ROW, ROW, "number", 8)
    if cells.name in REMARKS:
        return Column(cells.name, cells.name, width=50)
    longest = cells.head(200).str.len_chars().max()
    widest = max(len(cells.name), longest if isinstance(longest, int) else 0, 8)
    return Column(cells.name, cells.name, width=min(widest + 2, 40))


def _refuse_long(frame: pl.DataFrame, names: Iterable[str], advice: str) -> None:
    for name in names:
        long = frame.filter(pl.col(name).str.len_chars() > CELL)
        if not long.is_empty():
            row = long[ROW][0]
            raise UsageError(
                f"Row {row}: the text in column {name!r} is longer than the {words.number(CELL)} characters "
                "a cell of a workbook can hold.",
                advice=advice,
                row=row,
                column=name,
            )
