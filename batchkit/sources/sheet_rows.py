"""The rows of one sheet: each cell as its one text, hidden rows, error cells, merged ranges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
from python_calamine import CalamineSheet

from ..core.advice import option
from ..core.columns import ROW
from ..core.problem import Problem, error, notice, warning
from ..core.words import plural
from .cell_text import as_text
from .file import FileSource
from .headers import column_names
from .sheet_marks import Marks
from .workbook_xml import letters

_PIECE = 10_000  # rows turned into text at once
_PLAIN_DIGITS = 1e15


class SheetSource(FileSource):
    """One sheet of a workbook as a source of rows. Made by `batchkit.sources.workbook.open_sheet`."""

    def __init__(
        self,
        path: Path,
        kind: str,
        sheet: str,
        cells: CalamineSheet,
        marks: Marks,
        *,
        header_row: int,
        opening: Sequence[Problem],
        options: Mapping[str, Any],
    ) -> None:
        self.kind = kind
        self._cells, self._marks = cells, marks
        self._left = (cells.start or (0, 0))[1]
        self._skip_hidden = options.get("hidden_rows") == "skip"
        merged = cells.merged_cell_ranges or []
        self._merged = merged if options.get("fill_merged") else []
        header = self._header_texts(header_row)
        names, renamed = column_names(header, header_row)
        if header_row == 0:
            names, renamed = [f"column {self._left + n}" for n in range(1, len(header) + 1)], []
        super().__init__(
            path,
            columns=names,
            header=header,
            header_row=header_row,
            opening=[*opening, *renamed, *self._about_marks(bool(merged))],
            options=options,
        )
        self.sheet = sheet
        self._errors: dict[int, dict[int, str]] = {}
        for row, column, text in marks.errors:
            self._errors.setdefault(row, {})[column - self._left] = text
        self._padded: dict[str, int] = {}
        self._mended: dict[str, int] = {}

    def _header_texts(self, header_row: int) -> list[str | None]:
        width = self._cells.width or 1
        if header_row == 0:
            return [None] * width
        cells = next(islice(self._rows(), header_row - 1, None), (0, []))[1]
        header = [repaired(as_text(cell)) for cell in cells]
        while header and header[-1] is None and not self._in_use(len(header) - 1, header_row):
            header.pop()  # formatted further than it is filled
        return header

    def _in_use(self, position: int, header_row: int) -> bool:
        return any(row[position] != "" for row in islice(self._cells.iter_rows(), header_row, None))

    def _about_marks(self, merged: bool) -> Iterator[Problem]:
        if hidden := self._marks.hidden_rows:
            count = plural(len(hidden), "row is", "rows are")
            what = "left out" if self._skip_hidden else "read like the others"
            other = "keep" if self._skip_hidden else "skip"
            does = "read them" if self._skip_hidden else "leave them out"
            advice = f"To {does}: {option('hidden_rows', other)}."
            yield warning("hidden_rows", f"{count} hidden in the sheet; {what}", advice, row=min(hidden))
        if merged and not self._merged:
            advice = f"To repeat it over the range: {option('fill_merged', value=True)}."
            yield notice("merged", "Merged cells: the value is taken once, in the first cell", advice)
        if self._marks.uncalculated:
            count = plural(self._marks.uncalculated, "formula has", "formulas have")
            advice = "Open the file in a spreadsheet program and save it."
            yield warning("uncalculated", f"{count} no stored result and read as blank", advice)

    def _frames(self, digest: Any) -> Iterator[pl.DataFrame]:
        self._padded, self._mended = {}, {}
        with self.path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
        rows = islice(self._rows(), self.header_row, None)
        while piece := list(islice(rows, _PIECE)):
            yield self._frame([row for row in piece if self._is_kept(*row)])

    def _rows(self) -> Iterator[tuple[int, list[Any]]]:
        rows = enumerate(self._cells.iter_rows(), start=1)
        return _filled(rows, self._merged, self._left) if self._merged else iter(rows)

    def _is_kept(self, number: int, cells: list[Any]) -> bool:
        if self._skip_hidden and number in self._marks.hidden_rows:
            return False
        if number in self._errors or any(cell != "" for cell in cells):
            return True
        self.blank_rows += 1
        self.first_blank = self.first_blank or number
        return False

    def _frame(self, rows: list[tuple[int, list[Any]]]) -> pl.DataFrame:
        numbers = [number for number, _ in rows]
        columns = list(zip(*(cells for _, cells in rows), strict=True)) if rows else []
        series = [pl.Series(ROW, numbers, pl.UInt32)]
        for position, name in enumerate(self._read_columns):
            cells = columns[position] if position < len(columns) else ()
            texts = _texts(cells)
            if spans := self._marks.padding.get(position + self._left):
                texts = self._with_zeros(name, numbers, cells, texts, spans)
            if self.kind == "xls" and any(text and "\x00" in text for text in texts):
                self._mended[name] = self._mended.get(name, 0) + sum("\x00" in (text or "") for text in texts)
                texts = [repaired(text) for text in texts]
            series.append(pl.Series(name, texts, pl.String))
        self._report_errors(numbers)
        return pl.DataFrame(series)

    def _with_zeros(
        self,
        name: str,
        numbers: list[int],
        cells: Sequence[Any],
        texts: list[str | None],
        spans: list[list[int]],
    ) -> list[str | None]:
        """Codes entered as numbers and shown as `00501` are what people see: `00501`."""
        waiting = iter(spans)
        span = next(waiting, None)
        for at, number in enumerate(numbers):
            while span and span[1] < number:
                span = next(waiting, None)
            text = texts[at]
            if not span or span[0] > number or not text or isinstance(cells[at], (str, bool)):
                continue
            if text.isdigit() and len(text) < span[2]:
                texts[at] = text.zfill(span[2])
                self._padded[name] = self._padded.get(name, 0) + 1
        return texts

    def _report_errors(self, numbers: list[int]) -> None:
        for number in numbers:
            for position, text in self._errors.get(number, {}).items():
                if 0 <= position < len(self._read_columns):
                    place = f"{letters(position + self._left + 1)}{number}"
                    self._complain(
                        error(
                            "cell_error",
                            f"Cell {place} holds the error {text}",
                            "Mend the formula in the workbook.",
                            row=number,
                            column=self._read_columns[position],
                            value=text,
                        )
                    )

    def _closing(self) -> Iterator[Problem]:
        yield from super()._closing()
        for name, count in self._padded.items():
            cells = plural(count, "number is", "numbers are")
            yield notice("padded", f"{cells} shown with leading zeros; taken as shown", column=name)
        for name, count in self._mended.items():
            cells = plural(count, "text")
            yield notice("nul", f"NUL characters of a faulty export were taken out of {cells}", column=name)
        above = islice(self._cells.iter_rows(), self.header_row)
        if any(isinstance(cell, str) and "\x00" in cell for row in above for cell in row):
            yield notice("nul", "NUL characters of a faulty export were taken out of the header")


def _texts(cells: Sequence[Any]) -> list[str | None]:
    kinds = set(map(type, cells))
    if kinds <= {str}:  # most columns are; it is worth not looking at each cell
        return [cell or None for cell in cells]
    return [cell or None if type(cell) is str else _cell_text(cell) for cell in cells]


def _cell_text(cell: object) -> str | None:
    if not isinstance(cell, float):
        return as_text(cell)
    if cell.is_integer():
        return str(int(cell)) if abs(cell) < _PLAIN_DIGITS else as_text(cell)
    # Spreadsheets work with 15 digits: the file's 184.95000000000002 is the 184.95 that people see.
    return as_text(float(f"{cell:.15g}"))


def repaired(text: str | None) -> str | None:
    """A text without NULs: some .xls files hold UTF-16 where single bytes are announced."""
    if text is None or "\x00" not in text:
        return text
    try:
        return text.encode("latin-1").decode("utf-16-le").replace("\x00", "")
    except UnicodeError:
        return text.replace("\x00", "")


def _filled(
    rows: Iterator[tuple[int, list[Any]]], merged: Sequence[Any], left: int
) -> Iterator[tuple[int, list[Any]]]:
    """The rows with each merged range filled with the value of its first cell."""
    beginning: dict[int, list[tuple[int, int, int]]] = {}
    for (top, first), (bottom, last) in merged:
        beginning.setdefault(top + 1, []).append((bottom + 1, first - left, last - left))
    active: list[tuple[int, int, int, Any]] = []
    for number, cells in rows:
        active = [span for span in active if span[0] >= number]
        active += [(*span, cells[span[1]]) for span in beginning.get(number, ()) if 0 <= span[1] < len(cells)]
        for _, first, last, value in active:
            for position in range(first, min(last, len(cells) - 1) + 1):
                cells[position] = value
        yield number, cells
