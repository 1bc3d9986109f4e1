"""What an xlsx sheet says beside its values: hidden rows, error cells, uncalculated formulas, zero padding.

The sheet's XML is searched in pieces as it is unpacked, so that a million rows need no more memory than ten.
(`reports.sheetxml` reads a sheet another way: whole, and to the byte, because it puts cells into it.)
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree as ET

from .workbook_xml import letters, place, sheet_parts

#: What a damaged archive makes `zipfile` raise.
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
_PIECE = 4 * 1024 * 1024
_ROW_END = re.compile(rb"</(?:\w+:)?row\s*>")
_HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\b[^>]*\bhidden=[\"'](?:1|true)[\"'][^>]*>")
_ERROR_CELL = re.compile(
    rb"<(?:\w+:)?c\b([^>]*\bt=[\"']e[\"'][^>]*)>(?:(?!</(?:\w+:)?c>).)*?<(?:\w+:)?v>([^<]*)<", re.DOTALL
)
_EMPTY_FORMULA = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f\b[^>]*/>)(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v></(?:\w+:)?v>)?</(?:\w+:)?c>"
)
_STYLED_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*)>")
_ADDRESS = re.compile(rb"\br=[\"']([A-Z]{1,3}\d+)[\"']")
_ROW_NUMBER = re.compile(rb"\br=[\"'](\d+)[\"']")
_STYLE = re.compile(rb"\bs=[\"'](\d+)[\"']")
_PADDED = re.compile(r"0{2,}")


@dataclass
class Marks:
    """What a sheet says beside its values.

    Attributes:
        hidden_rows: Row numbers that a filter or a person hid.
        errors: Error cells: row number, column (from 0), and what stands there, such as `#DIV/0!`.
        uncalculated: Formulas without a stored result.
        padding: For each column (from 0), pieces `[first row, last row, width]` whose numbers are shown with
            leading zeros.
    """

    hidden_rows: set[int] = field(default_factory=set)
    errors: list[tuple[int, int, str]] = field(default_factory=list)
    uncalculated: int = 0
    padding: dict[int, list[list[int]]] = field(default_factory=dict)

    @property
    def error_cells(self) -> list[str]:
        """The error cells as people name them: `A3 #DIV/0!`."""
        return [f"{letters(column + 1)}{row} {text}" for row, column, text in self.errors]


def read_marks(path: Path, sheet: str) -> Marks:
    """Search one sheet of an xlsx or xlsm file.

    Args:
        path: The workbook.
        sheet: Name of the sheet; one that isn't found has no marks.
    """
    marks = Marks()
    with zipfile.ZipFile(path) as archive:
        member = sheet_parts(archive).get(sheet)
        if member is None or member not in archive.namelist():
            return marks
        padded = _padded_styles(archive)
        for piece in _pieces(archive, member):
            _search(piece, marks, padded)
    return marks


def _pieces(archive: zipfile.ZipFile, member: str) -> Iterator[bytes]:
    held = b""
    with archive.open(member) as file:
        while block := file.read(_PIECE):
            held += block
            ends = [match.end() for match in _ROW_END.finditer(held, max(0, len(held) - len(block) - 32))]
            if ends:
                yield held[: ends[-1]]
                held = held[ends[-1] :]
    yield held


def _search(piece: bytes, marks: Marks, padded: dict[int, int]) -> None:
    if b"hidden=" in piece:
        for match in _HIDDEN_ROW.finditer(piece):
            if number := _ROW_NUMBER.search(match.group()):
                marks.hidden_rows.add(int(number[1]))
    if b't="e"' in piece or b"t='e'" in piece:
        for match in _ERROR_CELL.finditer(piece):
            if address := _ADDRESS.search(match[1]):
                row, column = place(address[1].decode())
                marks.errors.append((row, column - 1, match[2].decode()))
    if b"</f>" in piece or b":f>" in piece or b"<f " in piece:
        marks.uncalculated += len(_EMPTY_FORMULA.findall(piece))
    if padded:
        _note_padding(piece, marks, padded)


def _note_padding(piece: bytes, marks: Marks, padded: dict[int, int]) -> None:
    for match in _STYLED_CELL.finditer(piece):
        style = _STYLE.search(match[1])
        width = padded.get(int(style[1])) if style else None
        address = _ADDRESS.search(match[1]) if width else None
        if width is None or address is None:
            continue
        row, column = place(address[1].decode())
        pieces = marks.padding.setdefault(column - 1, [])
        if pieces and pieces[-1][1] == row - 1 and pieces[-1][2] == width:
            pieces[-1][1] = row
        else:
            pieces.append([row, row, width])


def _padded_styles(archive: zipfile.ZipFile) -> dict[int, int]:
    """Styles whose number format is nothing but zeros (`00000`), with the width they pad to."""
    try:
        # Safe: expat itself bounds how far entities may expand, and nothing outside the file is fetched.
        styles = ET.fromstring(archive.read("xl/styles.xml"))  # noqa: S314
    except (KeyError, ET.ParseError):
        return {}
    formats: dict[str, int] = {}
    padded: dict[int, int] = {}
    for element in styles.iter():
        tag = element.tag.rpartition("}")[2]
        code = element.get("formatCode", "").replace("\\", "").replace('"', "")
        if tag == "numFmt" and _PADDED.fullmatch(code):
            formats[element.get("numFmtId", "")] = len(code)
        if tag == "cellXfs":
            for position, xf in enumerate(element):
                if width := formats.get(xf.get("numFmtId", "")):
                    padded[position] = width
    return padded
