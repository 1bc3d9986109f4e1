"""A worksheet's XML, read by byte offsets so that cells can be put in and everything else stays as it is.

Why by hand, when openpyxl can load a workbook and save it: what openpyxl doesn't know is gone from what it
saves. Measured with 3.1: pictures (all of them, without Pillow), text boxes, buttons and check boxes,
sparklines, the bold word inside a cell; charts are drawn anew. The copy is the operator's own workbook, so
only the bytes of the new cells change here, and the other parts of the file aren't even looked at.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from xml.parsers import expat

from ..core.errors import UsageError
from ..sources.workbook_xml import place


@dataclass(slots=True)
class Element:
    """Where an element stands.

    Attributes:
        start: Offset of its tag.
        inside: Offset behind its tag.
        end: Offset of the tag that closes it.
        closed: Its one tag closes it, so it has no inside.
    """

    start: int
    inside: int = 0
    end: int = 0
    closed: bool = False


@dataclass(slots=True)
class Row(Element):
    """Where a row stands, and the gap in it that the new cells take.

    Attributes:
        number: As a spreadsheet program shows it.
        cut: Where the new cells begin: behind the cells of the columns before.
        resume: Where the cells of the columns behind go on.
        last: Column of the last cell that holds something.
        style: Style of that cell.
    """

    number: int = 0
    cut: int = 0
    resume: int = 0
    last: int = 0
    style: str | None = None


@dataclass(slots=True)
class SheetXml:
    """What has to be known of a worksheet to put columns into it.

    Attributes:
        xml: Its bytes.
        prefix: Namespace prefix of its tags, with the colon.
        rows: Its rows, in order.
        data: `<sheetData>`.
        columns: `<cols>`; None when there is none.
        widths: First and last column of each `<col>`.
        dimension: `<dimension>` and its reference; None when there is none.
        merged: Ranges of merged cells.
    """

    xml: bytes
    prefix: str = ""
    rows: list[Row] = field(default_factory=list)
    data: Element | None = None
    columns: Element | None = None
    widths: list[tuple[int, int]] = field(default_factory=list)
    dimension: tuple[Element, str] | None = None
    merged: list[str] = field(default_factory=list)

    def last_column(self, header_row: int) -> int:
        """Last column that is in use from the header down, merged cells included."""
        used = [row.last for row in self.rows if row.number >= header_row]
        for reference in self.merged:
            row, column = place(reference.partition(":")[2] or reference)
            if row >= header_row:
                used.append(column)
        return max(used, default=0)


class SheetReader:
    """Reads a worksheet once.

    Args:
        xml: The part's bytes.
        first: First of the columns whose cells are to be replaced.
        width: How many columns are replaced.
    """

    def __init__(self, xml: bytes, *, first: int = 16_385, width: int = 3) -> None:
        self._xml = xml
        self._after = first + width
        self._first = first
        self._sheet = SheetXml(xml)
        self._row: Row | None = None
        self._column = 0
        self._cell: tuple[int, str | None] | None = None
        self._awaiting: Element | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end

    def read(self) -> SheetXml:
        """The sheet.

        Raises:
            UsageError: The part can't be read.
        """
        if self._xml[:2] in {b"\xff\xfe", b"\xfe\xff"}:
            raise _unreadable("it is not in UTF-8")
        try:
            self._parser.Parse(self._xml, True)
        except expat.ExpatError as error:
            raise _unreadable(str(error)) from error
        if self._sheet.data is None:
            raise _unreadable("it holds no rows")
        return self._sheet

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        prefix, _, name = tag.rpartition(":")
        if self._cell is not None:
            self._inside_cell(name)
        elif name == "c" and self._row is not None:
            self._start_cell(attributes, self._parser.CurrentByteIndex)
        elif name == "row":
            self._start_row(attributes)
        elif name == "col":
            self._sheet.widths.append((int(attributes["min"]), int(attributes["max"])))
        elif name == "mergeCell":
            self._sheet.merged.append(attributes["ref"])
        elif name in {"sheetData", "cols", "dimension"}:
            element = self._element()
            if name == "sheetData":
                self._sheet.data, self._sheet.prefix = element, f"{prefix}:" if prefix else ""
            elif name == "cols":
                self._sheet.columns = element
            else:
                self._sheet.dimension = element, attributes.get("ref", "")

    def _element(self) -> Element:
        start = self._parser.CurrentByteIndex
        inside = self._tag_end(start)
        return Element(start, inside, closed=self._xml[inside - 2 : inside] == b"/>")

    def _tag_end(self, start: int) -> int:
        # `>` may stand unescaped inside an attribute's quotes.
        quote = 0
        for at in range(start, len(self._xml)):
            byte = self._xml[at]
            if quote:
                quote = 0 if byte == quote else quote
            elif byte in b"\"'":
                quote = byte
            elif byte == 62:  # >
                return at + 1
        raise _unreadable("a tag has no end")

    def _start_row(self, attributes: dict[str, str]) -> None:
        tag = self._element()
        number = int(attributes.get("r") or (self._sheet.rows[-1].number + 1 if self._sheet.rows else 1))
        self._row = Row(tag.start, tag.inside, closed=tag.closed, number=number)
        self._column = 0
        self._sheet.rows.append(self._row)

    def _start_cell(self, attributes: dict[str, str], start: int) -> None:
        row = self._row
        assert row is not None  # noqa: S101 - the caller looked
        reference = attributes.get("r")
        self._column = place(reference)[1] if reference else self._column + 1
        self._cell = self._column, attributes.get("s")
        if self._column >= self._first and not row.cut:
            row.cut = start
        if self._column >= self._after and not row.resume:
            row.resume = start

    def _inside_cell(self, name: str) -> None:
        if name in {"v", "is", "f"} and self._cell is not None and self._row is not None:
            self._row.last, self._row.style = self._cell

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name == "c":
            self._cell = None
        elif name == "row" and self._row is not None:
            row = self._row
            row.end = row.inside if row.closed else self._parser.CurrentByteIndex
            row.resume = row.resume or row.end
            row.cut = row.cut or row.resume
            self._row = None
        elif name == "sheetData" and self._sheet.data is not None:
            self._sheet.data.end = self._parser.CurrentByteIndex
        elif name == "cols" and self._sheet.columns is not None:
            self._sheet.columns.end = self._parser.CurrentByteIndex


def splice(xml: bytes, edits: Collection[tuple[int, int, bytes]]) -> bytes:
    """The bytes with pieces replaced.

    Args:
        xml: The bytes.
        edits: (start, end, new bytes); they don't overlap.
    """
    parts: list[bytes] = []
    at = 0
    for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
        parts += (xml[at:start], new)
        at = end
    parts.append(xml[at:])
    return b"".join(parts)


def _unreadable(why: str) -> UsageError:
    return UsageError(
        f"The sheet's own XML can't be read ({why}).",
        advice="Open the workbook in a spreadsheet program, save it again as .xlsx, and use that copy.",
    )
