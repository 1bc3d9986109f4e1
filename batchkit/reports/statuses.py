"""Outcomes beside the rows of a copy of the operator's own workbook.

The cells are put into the sheet's XML itself: `sheetxml` says why a library can't do it.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import polars as pl

from ..core.errors import SourceError, UsageError
from ..core.guards import printable
from ..sources.workbook_writer import fitting
from ..sources.workbook_xml import letters, place, sheet_parts
from .sheetxml import Row, SheetReader, SheetXml, splice

HEADERS: Final = ("batchkit outcome", "batchkit reason", "batchkit advice")
_WIDTHS: Final = (18, 60, 60)
_LARGE: Final = 1 << 31
_ESCAPE: Final = re.compile("(_x[0-9a-fA-F]{4}_)")

Statuses = dict[int, tuple[str | None, str | None, str | None]]


def copy_with_statuses(
    frames: Iterator[pl.DataFrame], source: Path, copy: Path, *, sheet: str | None, header_row: int
) -> None:
    """Copy a workbook and put three columns into one of its sheets.

    Args:
        frames: The outcomes.
        source: The workbook.
        copy: Where the copy goes.
        sheet: Name of the sheet; None for the first one.
        header_row: The row that holds the headers.

    Raises:
        UsageError: The workbook or the sheet can't be used.
    """
    try:
        with zipfile.ZipFile(source) as package:
            name, part = _part(package, source, sheet)
            first = _earlier_columns(source, name, header_row)
            xml = _with_columns(package.read(part), _statuses(frames), first, header_row)
            _copy(package, copy, part, xml)
    except zipfile.BadZipFile as error:
        raise SourceError(
            f"{source.name} is not a workbook that can be opened (damaged, or protected by a password).",
            advice="Save it without a password, or write a report instead.",
            path=source,
        ) from error
    except FileNotFoundError as error:
        if Path(error.filename or "") != source:
            raise
        raise SourceError(f"{source} doesn't exist.", advice="Check the name.", path=source) from error


def _part(package: zipfile.ZipFile, source: Path, sheet: str | None) -> tuple[str, str]:
    parts = sheet_parts(package)
    sheets = {name: part for name, part in parts.items() if "chartsheet" not in part}
    name = next(iter(sheets), "") if sheet is None else sheet
    if name not in sheets:
        raise UsageError(
            f"{source.name} has no sheet {name!r}.", advice=f"It has: {', '.join(sheets)}.", path=source
        )
    return name, sheets[name]


def _earlier_columns(source: Path, sheet: str, header_row: int) -> int | None:
    # A workbook that was a copy before gets its outcomes replaced instead of three more columns.
    from openpyxl import load_workbook

    book = load_workbook(source, read_only=True, data_only=True)
    try:
        headers = next(book[sheet].iter_rows(min_row=header_row, max_row=header_row, values_only=True), ())
    finally:
        book.close()
    return headers.index(HEADERS[0]) + 1 if HEADERS[0] in headers else None


def _statuses(frames: Iterator[pl.DataFrame]) -> Statuses:
    statuses: Statuses = {}
    for frame in frames:
        texts = frame.select("row", *(printable(pl.col(name)) for name in ("outcome", "reason", "advice")))
        for row, *words in texts.drop_nulls("row").iter_rows():
            outcome, reason, advice = words
            statuses[row] = outcome, reason, advice
    return statuses


def _with_columns(xml: bytes, statuses: Statuses, earlier: int | None, header_row: int) -> bytes:
    first = earlier or SheetReader(xml).read().last_column(header_row) + 1
    if first + len(HEADERS) > 16_384:
        raise UsageError(
            "The sheet is in use up to its last column, so there is no room for the outcomes.",
            advice="Write a report instead.",
        )
    sheet = SheetReader(xml, first=first, width=len(HEADERS)).read()
    wanted: Statuses = statuses | {header_row: HEADERS}
    edits = _rows(sheet, wanted, first, header_row)
    edits += _dimension(sheet, first)
    edits += _column_widths(sheet, first)
    return splice(xml, edits)


def _rows(sheet: SheetXml, wanted: Statuses, first: int, header_row: int) -> list[tuple[int, int, bytes]]:
    edits = []
    waiting = deque(sorted(wanted))
    for row in sheet.rows:
        # A row without a cell may be left out of the XML altogether.
        while waiting and waiting[0] < row.number:
            edits.append((row.start, row.start, _new_row(sheet, wanted, waiting.popleft(), first)))
        if waiting and waiting[0] == row.number:
            style = row.style if row.number == header_row else None
            cells = _cells(sheet.prefix, wanted[waiting.popleft()], row.number, first, style)
            edits.append(_into_row(sheet, row, cells))
    if sheet.data is not None and not sheet.data.closed:
        edits += [
            (sheet.data.end, sheet.data.end, _new_row(sheet, wanted, number, first)) for number in waiting
        ]
    return edits


def _into_row(sheet: SheetXml, row: Row, cells: bytes) -> tuple[int, int, bytes]:
    if row.closed:
        tag = sheet.xml[row.start : row.inside - 2]
        return row.start, row.inside, tag + b">" + cells + f"</{sheet.prefix}row>".encode()
    return row.cut, row.resume, cells


def _new_row(sheet: SheetXml, wanted: Statuses, number: int, first: int) -> bytes:
    cells = _cells(sheet.prefix, wanted[number], number, first, None).decode()
    return f'<{sheet.prefix}row r="{number}">{cells}</{sheet.prefix}row>'.encode()


def _cells(
    prefix: str, texts: tuple[str | None, str | None, str | None], row: int, first: int, style: str | None
) -> bytes:
    look = f' s="{style}"' if style else ""
    opening = f't="inlineStr"><{prefix}is><{prefix}t xml:space="preserve">'
    cells = [
        f'<{prefix}c r="{letters(column)}{row}"{look} {opening}'
        f"{_escaped(text)}</{prefix}t></{prefix}is></{prefix}c>"
        for column, text in enumerate(texts, first)
        if text
    ]
    return "".join(cells).encode()


def _escaped(text: str) -> str:
    # `_x0041_` would be read as a letter, and a bare carriage return is lost in XML.
    kept = _ESCAPE.sub("_x005F_\\1", fitting(text)).replace("\r", "_x000D_")
    return escape(kept)


def _dimension(sheet: SheetXml, first: int) -> list[tuple[int, int, bytes]]:
    if sheet.dimension is None:
        return []
    element, reference = sheet.dimension
    start, _, end = reference.partition(":")
    row, column = place(end or start)
    wide = f"{start}:{letters(max(column, first + len(HEADERS) - 1))}{row}"
    tag = sheet.xml[element.start : element.inside]
    return [(element.start, element.inside, tag.replace(reference.encode(), wide.encode()))]


def _column_widths(sheet: SheetXml, first: int) -> list[tuple[int, int, bytes]]:
    if sheet.data is None or any(last >= first for _, last in sheet.widths):
        return []
    cols = "".join(
        f'<{sheet.prefix}col min="{column}" max="{column}" width="{width}" customWidth="1"/>'
        for column, width in enumerate(_WIDTHS, first)
    )
    if sheet.columns is not None:
        return [(sheet.columns.end, sheet.columns.end, cols.encode())]
    whole = f"<{sheet.prefix}cols>{cols}</{sheet.prefix}cols>".encode()
    return [(sheet.data.start, sheet.data.start, whole)]


def _copy(package: zipfile.ZipFile, copy: Path, part: str, xml: bytes) -> None:
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as out:
        for info in package.infolist():
            entry = zipfile.ZipInfo(info.filename, info.date_time)
            entry.compress_type, entry.external_attr = info.compress_type, info.external_attr
            with out.open(entry, "w", force_zip64=info.file_size > _LARGE) as sink:
                if info.filename == part:
                    sink.write(xml)
                else:
                    with package.open(info) as piece:
                        shutil.copyfileobj(piece, sink)
