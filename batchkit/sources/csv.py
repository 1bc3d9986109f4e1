"""CSV files: delimiter, line ends and header found, then read block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from ..core.advice import option
from ..core.columns import ROW
from ..core.errors import SourceError
from ..core.problem import Problem, error, notice, warning
from ..core.words import plural
from .csv_records import MAX_RECORD, Record, RecordReader, read_records, whole_lines
from .encodings import find_encoding, utf8_blocks
from .file import FileSource
from .headers import Line, Undecided, column_names, find_header, usual_width

DELIMITERS = (";", ",", "\t", "|")
_SAMPLE = 256 * 1024  # bytes in which the header is looked for
_SNIFFED = 64 * 1024  # characters of them that the delimiter is told by
_END = "#end"  # the empty column behind a delimiter that ends every row
_WORDS = {"tab": "\t", "\\t": "\t", "semicolon": ";", "comma": ",", "pipe": "|"}


@dataclass(frozen=True)
class Head:
    """The beginning of a CSV file, read one way.

    Attributes:
        records: Its first records, from row 1.
        delimiter: What separates their cells.
        line_ends: "LF", "CRLF", "CR", "CR CR LF" or "mixed".
    """

    records: list[Record]
    delimiter: str
    line_ends: str


class CsvSource(FileSource):
    """A CSV file as a source of rows.

    Args:
        path: The file.
        opening: Problems known already.
        options: Further options of the table.
        header_row: Row number of the header; 0 when there is none, None to find it.
        encoding: Overrules what is found.
        delimiter: Overrules what is found.

    Raises:
        SourceError: It can't be read, or its header can't be told (`error.lines` has the rows in question).
    """

    kind = "csv"

    def __init__(
        self,
        path: Path,
        opening: Sequence[Problem],
        options: Mapping[str, Any],
        *,
        header_row: int | None,
        encoding: str | None,
        delimiter: str | None,
    ) -> None:
        coding = find_encoding(path, encoding)
        head = read_head(path, coding.name, _one_delimiter(delimiter))
        if not any(record.cells for record in head.records):
            raise SourceError(f"{path.name} holds no rows.", advice="Export it again.", path=path)
        if header_row is None:
            header_row = _found_header(path, head)
        _check_header(path, head, header_row)
        self._trailing = _ends_in_delimiter(head, header_row)
        names, problems = _names(head, header_row, self._trailing)
        cells = head.records[header_row - 1].cells if header_row else []
        super().__init__(
            path,
            columns=names,
            header=[cell or None for cell in cells[: len(names)]],
            header_row=header_row,
            opening=[*opening, *coding.problems, *problems],
            options=options,
        )
        self.encoding, self.delimiter, self.line_ends = coding.name, head.delimiter, head.line_ends
        self._skip = sum(len(record.text.encode()) for record in head.records[:header_row])
        self._surplus = 0
        self._first_surplus: int | None = None

    def _frames(self, digest: Any) -> Iterator[pl.DataFrame]:
        self._surplus, self._first_surplus = 0, None
        blocks = _behind(utf8_blocks(self.path, str(self.encoding), digest), self._skip)
        columns = [*self._read_columns, _END] if self._trailing else self._read_columns
        reader = RecordReader(self.path, str(self.delimiter), columns, self.header_row, self._odd)
        for frame in reader.frames(blocks):
            yield self._without_end(frame) if self._trailing else frame
        self.blank_rows, self.first_blank = reader.blank_rows, reader.first_blank

    def _without_end(self, frame: pl.DataFrame) -> pl.DataFrame:
        for row, text in frame.filter(pl.col(_END).is_not_null()).select(ROW, _END).iter_rows():
            self._complain(self._wrong_width(row, len(self._read_columns) + 1, text))
        return frame.drop(_END)

    def _odd(self, row: int, record: Record) -> None:
        width, found = len(self._read_columns), len(record.cells)
        text = record.text.rstrip("\r\n")
        if record.broken:
            advice = 'Double the quotes that belong to the text ("").'
            self._complain(
                error("quote", "A cell goes on behind its closing quote", advice, row=row, value=text)
            )
        elif found > width and not any(record.cells[width:]):
            self._surplus += 1
            self._first_surplus = self._first_surplus or row
        elif found != width:
            self._complain(self._wrong_width(row, found, text))

    def _wrong_width(self, row: int, found: int, text: str) -> Problem:
        width = len(self._read_columns)
        cause = "one in the text that needs quotes around the cell" if found > width else "a broken line"
        message = f"The row has {plural(found, 'cell')} where the header has {width:,}"
        return error("width", message, f"Look for a missing delimiter or {cause}.", row=row, value=text)

    def _closing(self) -> Iterator[Problem]:
        yield from super()._closing()
        if self._surplus:
            yield notice(
                "width",
                f"{plural(self._surplus, 'row')} with delimiters behind the last column; nothing is in them",
                row=self._first_surplus,
            )


def read_head(path: Path, encoding: str, delimiter: str | None = None) -> Head:
    """The first records of a CSV file.

    Raises:
        SourceError: A quote is opened and never closed.
    """
    data, whole = b"", False
    wanted = _SAMPLE
    while True:
        blocks = utf8_blocks(path, encoding, size=wanted)
        data = next(blocks, b"")
        whole = next(blocks, None) is None
        text = data.decode() if whole else data[: whole_lines(data)].decode()
        mark = delimiter or find_delimiter(text, last=whole)
        records, _ = read_records(text, mark, last=whole)
        if whole or any(record.cells for record in records):
            return Head(records, mark, line_ends(data))
        if wanted > MAX_RECORD:
            message = f"{path.name} has no line end in its first {wanted:,} bytes."
            raise SourceError(message, advice="It may be no table at all.", path=path)
        wanted *= 4  # a first cell may hold a whole article; the file is read again from its beginning


def find_delimiter(text: str, *, last: bool = True) -> str:
    """The delimiter that splits the records most evenly; for a single column, one that splits none.

    Counting signs would be fooled by texts full of commas: what counts is how many records have the same
    number of cells, the first one above all.
    """
    if len(text) > _SNIFFED and (end := text.rfind("\n", 0, _SNIFFED)) > 0:
        text, last = text[: end + 1], False
    widths = {delimiter: _widths(text, delimiter, last) for delimiter in DELIMITERS}
    scores = {delimiter: _evenness(widths[delimiter], delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    if scores[best]:
        return best
    unused = [delimiter for delimiter in (",", ";", "\t", "|") if max(widths[delimiter], default=1) == 1]
    return unused[0] if unused else ","


def has_columns(text: str, delimiter: str) -> bool:
    """Whether the delimiter splits the text into two rows and columns or more."""
    widths = _widths(text, delimiter, last=True)
    return len(widths) > 1 and _evenness(widths, delimiter) > 0


def _widths(text: str, delimiter: str, last: bool) -> list[int]:
    try:
        records, _ = read_records(text, delimiter, last=last)
    except SourceError:  # a quote is never closed; the delimiter can be told all the same
        return [line.count(delimiter) + 1 for line in text.splitlines() if line]
    return [len(record.cells) for record in records if record.cells]


def _evenness(widths: Sequence[int], delimiter: str) -> float:
    if not widths or max(widths) < 2:
        return 0.0
    if delimiter == "|" and len(widths) == 1:  # a single line proves little, and this sign is common in text
        return 0.0
    width = usual_width(widths)
    first = next(at for at, found in enumerate(widths) if found > 1)
    table = widths[first:]  # behind title lines
    share = Counter(table)[width] / len(table)
    if share < 0.6 and (first or table[0] != width):
        return 0.0
    # Among equally even ones: the one the first record agrees with, then the one with more columns.
    return share + (0.02 if widths[0] == width else 0.0) + min(width, 1000) * 1e-6


def line_ends(data: bytes) -> str:
    """How the lines outside quotes end: "LF", "CRLF", "CR", "CR CR LF" or "mixed"."""
    outside = b'"'.join(data.split(b'"')[0::2])
    if outside.endswith(b"\r"):
        outside += b"\n" if b"\r\n" in outside else b""
    if (doubled := outside.count(b"\r\r\n")) and doubled == outside.count(b"\n"):
        return "CR CR LF"
    crlf = outside.count(b"\r\n")
    counts = {"CRLF": crlf, "LF": outside.count(b"\n") - crlf, "CR": outside.count(b"\r") - crlf}
    there = [name for name, count in counts.items() if count]
    return there[0] if len(there) == 1 else "mixed" if there else "LF"


def _one_delimiter(given: str | None) -> str | None:
    if given is None:
        return None
    delimiter = _WORDS.get(given.lower(), given)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
        raise SourceError(
            f"{given!r} can't be a delimiter.", advice='Give one character, such as ";", "," or "tab".'
        )
    return delimiter


def _found_header(path: Path, head: Head) -> int:
    lines = [Line(row, record.cells) for row, record in enumerate(head.records, start=1)]
    try:
        return find_header(lines)
    except Undecided as doubt:
        raise header_unknown(path, doubt.lines, lines) from None


def _check_header(path: Path, head: Head, header_row: int) -> None:
    if not 0 <= header_row <= len(head.records):
        message = f"{path.name} has no row {header_row} to take the header from."
        advice = f"Give a row from 1 to {len(head.records)}, or 0 for a file without header."
        raise SourceError(message, advice=advice, path=path)
    if header_row and not any(cell.strip() for cell in head.records[header_row - 1].cells):
        message = f"Row {header_row} of {path.name} is blank; it can't be the header."
        raise SourceError(message, advice="Give the row that holds the names of the columns.", path=path)


def header_unknown(
    path: Path, doubtful: Sequence[Line], lines: Sequence[Line], place: str = ""
) -> SourceError:
    """The error that asks for the header's row, showing the rows in question."""
    candidates = [(line.row, " | ".join(str(cell) for cell in line.cells if cell != "")) for line in doubtful]
    candidates = [(row, " ".join(text.split())) for row, text in candidates]
    rows = "; ".join(f"row {row}: {text[:60]}" for row, text in candidates)
    question = f" It could be {rows}." if rows else " No row looks like names of columns."
    return SourceError(
        f"The header row of {path.name}{place} can't be told.{question}",
        advice=f"Say which it is, as in {option('header_row', 2)}; 0 when there is none.",
        path=path,
        lines=list(lines),
        candidates=[row for row, _ in candidates],
    )


def _names(head: Head, header_row: int, trailing: bool) -> tuple[list[str], list[Problem]]:
    below = [len(record.cells) for record in head.records[header_row:] if record.cells]
    if header_row == 0:
        return [f"column {n}" for n in range(1, usual_width(below) + 1)], []
    cells = list(head.records[header_row - 1].cells)
    if trailing and not cells[-1]:
        cells.pop()
    names, problems = column_names(cells, header_row)
    if not trailing and set(below) == {len(cells) + 1}:
        message = f"Every row has one cell more than the header's {len(cells)}"
        advice = "A column has no name, perhaps the first: give it one in the file."
        problems.append(warning("width", message, advice, row=header_row))
    return names, problems


def _ends_in_delimiter(head: Head, header_row: int) -> bool:
    """Whether a last delimiter ends every row, so that a nameless and empty column seems to follow."""
    below = [record.cells for record in head.records[header_row:] if record.cells]
    if not header_row or not below:
        return False
    cells = head.records[header_row - 1].cells
    width = len(cells) - 1 if len(cells) > 1 and not cells[-1] else len(cells)
    return all(len(row) == width + 1 and not row[-1] for row in below)


def _behind(blocks: Iterator[bytes], skip: int) -> Iterator[bytes]:
    for block in blocks:
        if len(block) <= skip:
            skip -= len(block)
            continue
        return chain([block[skip:]], blocks)
    return iter(())
