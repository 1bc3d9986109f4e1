"""The fix-and-rerun file: failed rows as they stood in the source, to be corrected and given back."""

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


def write_fix_csv(
    columns: Sequence[str], first: pl.DataFrame, rest: Iterator[pl.DataFrame], path: Path
) -> None:
    """Write the rows as CSV; cells are guarded, so whoever reads them takes the guard off again."""
    names = _source_columns(columns, first)
    write_csv((_fixable(frame, names) for frame in chain([first], rest)), [*REMARKS, *names], path)


def write_fix_xlsx(
    columns: Sequence[str], first: pl.DataFrame, rest: Iterator[pl.DataFrame], path: Path
) -> None:
    """Write the rows as a workbook whose cells stay text when they are edited: leading zeros survive.

    Raises:
        UsageError: A cell is longer than a workbook can hold.
    """
    names = _source_columns(columns, first)
    start = _fixable(first, names)
    with workbook(path) as book:
        styles = Styles(book)
        formats = dict.fromkeys(names, styles.text) | {
            ROW: styles.plain, ERROR: styles.error, ADVICE: styles.advice
        }  # fmt: skip
        table = LongSheet(
            book, "Rows to correct", layout(start), heads=styles.heads, formats=formats, frozen=len(REMARKS)
        )
        for frame in chain([start], (_fixable(frame, names) for frame in rest)):
            refuse_long(frame, names, "Write the fix-and-rerun file as .csv.")
            table.add(frame.with_columns(quoted(pl.col(name)) for name in names))
        table.finish()


def _source_columns(columns: Sequence[str], first: pl.DataFrame) -> list[str]:
    # A source that was a fix-and-rerun file itself brings its old errors along: they are replaced.
    there = {name.removeprefix(_RAW) for name in first.columns if name.startswith(_RAW)}
    ordered = columns or [name.removeprefix(_RAW) for name in first.columns if name.startswith(_RAW)]
    return [name for name in ordered if name in there and name not in REMARKS]


def _fixable(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    reasons = [
        _reason(outcome, rule, reason, detail)
        for outcome, rule, reason, detail in frame.select("outcome", "rule", "reason", "detail").iter_rows()
    ]
    return frame.select(
        pl.col("row").alias(ROW),
        pl.Series(ERROR, reasons, dtype=pl.String),
        pl.col("advice").alias(ADVICE),
        *(pl.col(_RAW + name).alias(name) for name in names),
    )


def _reason(outcome: str, rule: str | None, reason: str | None, detail: str | None) -> str:
    text = reason or rule or outcome
    if overview.differences(detail):
        text += "\n" + (overview.detail_words(detail) or "")
    return text


def quoted(column: pl.Expr) -> pl.Expr:
    """A text so that whoever takes guards off gets it back."""
    # A workbook runs no text, so nothing needs a guard in it. But whoever reads a fix-and-rerun file takes
    # guards off, and an apostrophe of the text's own must not go with them.
    return pl.when(~column.str.starts_with("'")).then(column).otherwise(guard_expr(column))


def layout(frame: pl.DataFrame) -> list[Column]:
    """The columns of a sheet whose first ones are batchkit's own, and whose others are texts."""
    own = {ROW: Column(ROW, ROW, "number", 8)} | {name: Column(name, name, width=50) for name in REMARKS[1:]}
    return [own.get(name) or Column(name, name, width=_width(frame[name])) for name in frame.columns]


def _width(texts: pl.Series) -> float:
    longest = texts.head(200).str.len_chars().max()
    return min(max(len(texts.name), longest if isinstance(longest, int) else 0, 8) + 2, 40)


def refuse_long(frame: pl.DataFrame, names: Iterable[str], advice: str) -> None:
    """Refuse a text that a cell of a workbook can't hold.

    Raises:
        UsageError: There is one.
    """
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
