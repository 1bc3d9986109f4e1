"""Excel and OpenDocument workbooks: opening them, and which of their sheets is the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetMetadata,
    SheetTypeEnum,
    SheetVisibleEnum,
)

from ..core.advice import option
from ..core.errors import SourceError
from ..core.problem import Problem, notice, warning
from .csv import header_unknown
from .headers import Line, Undecided, find_header
from .sheet_marks import UNREADABLE, Marks, read_marks
from .sheet_rows import SheetSource, repaired

_LOOKED_AT = 400  # rows in which the header is looked for
_SMALL = 20  # rows; a first sheet that holds fewer may be a cover sheet


@dataclass(frozen=True)
class Sheet:
    """One sheet of a workbook, as `look` shows it.

    Attributes:
        name: Name of the sheet.
        visibility: "visible", "hidden" or "very hidden" (which only a macro can undo).
        kind: "data", "chart" or another kind that holds no table.
        rows: Rows up to the last one in use.
        columns: Columns up to the last one in use.
        hidden_rows: Rows hidden by a filter or a person (told by xlsx alone).
        merged: Merged ranges.
        error_cells: Cells that hold an error, such as `A3 #DIV/0!` (told by xlsx alone).
    """

    name: str
    visibility: str
    kind: str
    rows: int = 0
    columns: int = 0
    hidden_rows: int = 0
    merged: int = 0
    error_cells: list[str] = field(default_factory=list)


class Workbook:
    """An opened workbook; a sheet is read when it is asked for.

    Args:
        path: The file.
        kind: "xlsx", "xls", "xlsb" or "ods".

    Raises:
        SourceError: It is protected by a password, or damaged.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.kind = kind
        self._last: tuple[str, CalamineSheet] | None = None
        with _readable(path), path.open("rb") as file:  # by its bytes: the name may lie about the format
            self._book = CalamineWorkbook.from_filelike(file)
        self.sheets: list[SheetMetadata] = list(self._book.sheets_metadata)

    def cells(self, name: str) -> CalamineSheet:
        """The cells of one sheet; the last one asked for is kept.

        Raises:
            SourceError: The sheet is damaged.
        """
        if self._last is None or self._last[0] != name:
            with _readable(self.path):
                self._last = name, self._book.get_sheet_by_name(name)
        return self._last[1]

    def marks(self, name: str) -> Marks:
        """Hidden rows, error cells and the like of one sheet; none where the format can't be asked."""
        if self.kind != "xlsx":
            return Marks()
        try:
            return read_marks(self.path, name)
        except UNREADABLE:
            return Marks()

    def data_sheets(self, visibility: str = "visible") -> list[str]:
        """Names of the sheets that can hold a table and have this visibility."""
        there = [meta for meta in self.sheets if meta.typ == SheetTypeEnum.WorkSheet]
        return [meta.name for meta in there if _visibility(meta) == visibility]

    def about(self) -> list[Sheet]:
        """What `look` says about each sheet."""
        return [self._about(meta) for meta in self.sheets]

    def _about(self, meta: SheetMetadata) -> Sheet:
        if meta.typ != SheetTypeEnum.WorkSheet:
            kind = "chart" if meta.typ == SheetTypeEnum.ChartSheet else "other"
            return Sheet(meta.name, _visibility(meta), kind)
        cells, marks = self.cells(meta.name), self.marks(meta.name)
        last_row, last_column = cells.end or (-1, -1)
        return Sheet(
            meta.name,
            _visibility(meta),
            "data",
            rows=last_row + 1,
            columns=last_column + 1,
            hidden_rows=len(marks.hidden_rows),
            merged=len(cells.merged_cell_ranges or ()),
            error_cells=marks.error_cells,
        )


def open_sheet(
    path: Path,
    kind: str,
    *,
    sheet: str | None = None,
    header_row: int | None = None,
    opening: Sequence[Problem],
    options: Mapping[str, Any],
) -> SheetSource:
    """Open one sheet of a workbook as a table.

    Args:
        path: The workbook.
        kind: "xlsx", "xls", "xlsb" or "ods".
        sheet: Name of the sheet; None takes the first visible one that holds a table.
        header_row: Row number of the header; 0 when there is none, None to find it.
        opening: Problems known already.
        options: `hidden_rows`, `fill_merged`, `decode_entities`.

    Raises:
        SourceError: The workbook can't be read, there is no such sheet, it is empty, or its header can't be
            told.
    """
    book = Workbook(path, kind)
    name = _named_sheet(book, sheet) if sheet is not None else _first_table(book)
    cells = book.cells(name)
    if cells.end is None:
        advice = _choose_among(book, name)
        raise SourceError(f"Sheet {name!r} of {path.name} is empty.", advice=advice, path=path, sheet=name)
    if header_row is None:
        header_row = _found_header(book, name, cells)
    header = next(islice(cells.iter_rows(), header_row - 1, None), []) if header_row > 0 else None
    is_blank = header is not None and not any(str(cell).strip() for cell in header)
    if not 0 <= header_row <= cells.end[0] + 1 or is_blank:
        message = f"Row {header_row} of sheet {name!r} of {path.name} is blank; it can't be the header."
        advice = "Give the row that holds the names of the columns, or 0 when there is none."
        raise SourceError(message, advice=advice, path=path)
    known = [*opening, *_about_sheets(book, name)]
    return SheetSource(
        path, kind, name, cells, book.marks(name), header_row=header_row, opening=known, options=options
    )


def password_protected(path: Path) -> SourceError:
    """The error for an encrypted workbook."""
    advice = "Open it in a spreadsheet program, remove the password and save a copy."
    return SourceError(f"{path.name} is password protected.", advice=advice, path=path)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except PasswordError:
        raise password_protected(path) from None
    except BaseException as problem:
        panicked = type(problem).__name__ == "PanicException"  # of the parser; it is no Exception
        if not panicked and not isinstance(problem, CalamineError | OSError | ValueError):
            raise
        reason = (str(problem).splitlines() or ["no reason given"])[0][:200]
        message = f"{path.name} can't be read as a workbook: {reason}."
        advice = "Open it in a spreadsheet program and save it again as .xlsx."
        raise SourceError(message, advice=advice, path=path) from None


def _visibility(meta: SheetMetadata) -> str:
    if meta.visible == SheetVisibleEnum.Visible:
        return "visible"
    return "hidden" if meta.visible == SheetVisibleEnum.Hidden else "very hidden"


def _named_sheet(book: Workbook, wanted: str) -> str:
    names = [meta.name for meta in book.sheets if meta.typ == SheetTypeEnum.WorkSheet]
    alike = [name for name in names if name.strip().casefold() == wanted.strip().casefold()]
    if wanted in names or len(alike) == 1:
        return wanted if wanted in names else alike[0]
    message = f"{book.path.name} has no data sheet {wanted!r}."
    advice = f"There is: {', '.join(names) or 'none'}."
    raise SourceError(message, advice=advice, path=book.path, sheets=names)


def _first_table(book: Workbook) -> str:
    names = book.data_sheets()
    if not names:
        raise SourceError(
            f"{book.path.name} has no visible data sheet.", advice=_choose_among(book), path=book.path
        )
    counts = {}
    for name in names:
        rows = islice(book.cells(name).iter_rows(), 5 * _SMALL * _SMALL)
        counts[name] = sum(any(cell != "" for cell in row) for row in rows)
        first = next((n for n in counts if counts[n]), None)
        if first is not None and counts[first] >= _SMALL:
            return first
    if first is None:
        return names[0]
    # A cover sheet ("Infos", "Lisez-moi") stands in front of the table it is about.
    larger = [name for name in names if counts[name] >= max(5 * counts[first], _SMALL)]
    return larger[0] if larger else first


def _choose_among(book: Workbook, but: str | None = None) -> str:
    others = [
        f"{name} ({visibility})" if visibility != "visible" else name
        for visibility in ("visible", "hidden", "very hidden")
        for name in book.data_sheets(visibility)
        if name != but
    ]
    return f"Choose one by {option('sheet')}: {', '.join(others)}." if others else "There is no other sheet."


def _found_header(book: Workbook, name: str, cells: CalamineSheet) -> int:
    lines = [
        Line(row, [repaired(cell) if isinstance(cell, str) else cell for cell in line])
        for row, line in enumerate(islice(cells.iter_rows(), _LOOKED_AT), start=1)
    ]
    try:
        return find_header(lines)
    except Undecided as doubt:
        raise header_unknown(book.path, doubt.lines, lines, f", sheet {name!r},") from None


def _about_sheets(book: Workbook, read: str) -> Iterator[Problem]:
    others = [name for name in book.data_sheets() if name != read]
    hidden = [name for kind in ("hidden", "very hidden") for name in book.data_sheets(kind) if name != read]
    charts = [meta.name for meta in book.sheets if meta.typ != SheetTypeEnum.WorkSheet]
    if read not in book.data_sheets():
        yield warning("sheet", f"Sheet {read!r} is hidden; it is read because it was asked for")
    if others:
        first = (book.data_sheets() or [read])[0] == read
        tell = notice if first else warning
        yield tell(
            "sheet",
            f"Sheet {read!r} is read; not read: {_listed(others)}",
            f"Choose another by {option('sheet')}.",
        )
    if hidden:
        advice = f"Choose one by {option('sheet')}."
        yield notice("hidden_sheet", f"Hidden sheets are not read: {_listed(hidden)}", advice)
    if charts:
        yield notice("sheet", f"Sheets without a table: {_listed(charts)}")
    if book.kind != "xlsx":
        advice = "Save the file as .xlsx to have them reported."
        yield notice("format", f"Hidden rows and error cells can't be told in .{book.kind} files", advice)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
