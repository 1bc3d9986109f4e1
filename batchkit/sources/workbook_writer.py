"""Writing workbooks: long tables in flat memory, spilling onto a next sheet at Excel's limit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any, Final, Literal

import polars as pl
import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException

from ..core.guards import printable

ROWS: Final = 1_048_576
CELL: Final = 32_767
CUT: Final = " … [cut]"
MOMENT: Final = "yyyy-mm-dd hh:mm:ss"
_LINE: Final = 15  # points
_MOST_LINES: Final = 12
_FITTED: Final = 10_000  # rows whose height is kept in memory
_SAFE: Final = CELL // 2  # as many characters fit whatever they are: Excel counts UTF-16 units
_EPOCH: Final = pl.datetime(1899, 12, 30)

Kind = Literal["text", "number", "moment"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a long table.

    Attributes:
        header: What stands above it.
        name: The frame's column.
        kind: How its cells are written.
        width: In characters.
        wrap: Whether long texts go onto further lines.
    """

    header: str
    name: str
    kind: Kind = "text"
    width: float = 12
    wrap: bool = False


@contextmanager
def workbook(path: Path) -> Iterator[Any]:
    """An xlsxwriter workbook in constant memory whose temporary files lie beside it and leave with it.

    Raises:
        OSError: The disk refused, also where xlsxwriter wraps that in an error of its own.
    """
    book = xlsxwriter.Workbook(
        str(path), {"constant_memory": True, "tmpdir": str(path.parent), "default_date_format": MOMENT}
    )
    book.use_zip64()
    try:
        yield book
        book.close()
    except BaseException as error:
        _abandon(book)
        cause = error.args[0] if isinstance(error, XlsxWriterException) and error.args else None
        if isinstance(cause, OSError):
            raise cause from error
        raise


def _abandon(book: Any) -> None:
    # A full disk refuses the last buffer again when its file is collected: better now, and silently.
    for sheet in book.worksheets():
        for _ in range(2):
            with suppress(OSError, ValueError):
                sheet.row_data_fh.close()
    book.fileclosed = True


def fitting(text: str) -> str:
    """A text as one cell can hold it; a longer one is cut and says so."""
    if len(text) <= _SAFE:
        return text
    units = text.encode("utf-16-le", "replace")
    if len(units) <= 2 * CELL:
        return text
    return units[: 2 * (CELL - len(CUT))].decode("utf-16-le", "ignore") + CUT


def cell_values(frame: pl.DataFrame, columns: Sequence[Column]) -> list[list[Any]]:
    """The frame's columns as lists of what the cells shall hold; None where a cell stays empty."""
    ready = frame.select(_cell(column).alias(str(place)) for place, column in enumerate(columns))
    lists = []
    for column, series in zip(columns, ready, strict=True):
        values = series.to_list()
        if column.kind == "text" and (series.str.len_chars().max() or 0) > _SAFE:  # type: ignore[operator]
            values = [value and fitting(value) for value in values]
        lists.append(values)
    return lists


def _cell(column: Column) -> pl.Expr:
    source = pl.col(column.name)
    if column.kind == "text":
        clean = printable(source.cast(pl.String))
        return pl.when(clean != "").then(clean)
    if column.kind == "moment":
        return (source - _EPOCH).dt.total_microseconds() / 86_400_000_000
    return source


def _lines(text: str | None, width: float) -> int:
    if not text or (len(text) < width and "\n" not in text):
        return 1
    return sum(1 + int(len(part) / (1.15 * width)) for part in text.split("\n"))  # most letters are narrow


@dataclass
class LongSheet:
    """A table that may be longer than one sheet.

    Attributes:
        book: The workbook.
        name: Of the sheet; the next ones are called `<name> 2`, `<name> 3`.
        columns: Its columns, in order.
        heads: Kind of column → format of its header cell.
        formats: Column name → format of its cells.
        tints: Value of the column `outcome` → format of that cell.
        limit: Rows a sheet can hold, the header included.
        frozen: How many columns stay in view at the left.
        names: Of the sheets there are by now.
    """

    book: Any
    name: str
    columns: Sequence[Column]
    _: KW_ONLY
    heads: dict[Kind, Any]
    formats: dict[str, Any]
    tints: dict[str, Any] | None = None
    limit: int = ROWS
    frozen: int = 0
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin the first sheet."""
        self._sheet: Any = None
        self._writers: list[Callable[[int, int, Any], object]] = []
        self._row = 0
        self._begin()

    def add(self, frame: pl.DataFrame) -> None:
        """Write the rows of a frame below what is there."""
        columns = cell_values(frame, self.columns)
        for values, lines in zip(zip(*columns, strict=True), self._heights(columns), strict=False):
            if self._row == self.limit:  # looked at before a row and not after it: no sheet stays empty
                self.finish()
                self._begin()
            row = self._row
            if lines > 1 and row < _FITTED:
                self._sheet.set_row(row, _LINE * min(lines, _MOST_LINES))
            for place, value in enumerate(values):
                if value is not None:
                    self._writers[place](row, place, value)
            self._row = row + 1

    def finish(self) -> None:
        """Close the sheet: from now on its rows can be filtered."""
        last = max(self._row - 1, 1)
        self._sheet.autofilter(0, 0, last, len(self.columns) - 1)
        self._sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{self._row}"})

    def _heights(self, columns: list[list[Any]]) -> Iterable[int]:
        # Not every program fits the height of rows to wrapped texts by itself.
        lines = [
            [_lines(text, column.width) for text in cells]
            for cells, column in zip(columns, self.columns, strict=True)
            if column.wrap
        ]
        return map(max, zip(*lines, strict=True)) if lines else repeat(1)

    def _begin(self) -> None:
        name = f"{self.name} {len(self.names) + 1}" if self.names else self.name
        self.names.append(name)
        self._sheet = self.book.add_worksheet(name)
        self._sheet.freeze_panes(1, self.frozen)
        self._sheet.repeat_rows(0)
        self._sheet.set_landscape()
        self._sheet.fit_to_pages(1, 0)
        self._sheet.set_row(0, 20)
        for place, column in enumerate(self.columns):
            self._sheet.set_column(place, place, column.width, self.formats.get(column.name))
            self._sheet.write_string(0, place, fitting(column.header), self.heads[column.kind])
        self._writers = [self._writer(column) for column in self.columns]
        self._row = 1

    def _writer(self, column: Column) -> Callable[[int, int, Any], object]:
        style = self.formats.get(column.name)
        text, number = self._sheet.write_string, self._sheet.write_number
        if column.name == "outcome" and (tints := self.tints):
            return lambda row, place, value: text(row, place, value, tints.get(value, style))
        write = text if column.kind == "text" else number
        return lambda row, place, value: write(row, place, value, style)
