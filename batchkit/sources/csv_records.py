"""CSV text into records, exactly as Python's csv module reads them, in blocks and mostly by polars.

A block is cut behind the last record it holds whole. Where its quotes are regular (each opens at the start of
a cell and closes at the end of one) polars parses it, after every record's cells were counted. Where they are
not, the block goes through Python's own reader, which is exact on anything and about six times slower.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path

import polars as pl

from ..core.columns import ROW
from ..core.errors import SourceError

MAX_RECORD = 16 * 1024 * 1024  # bytes; a longer record is a quote that nobody closed
_SEPARATORS = b"\x01\x02\x03\x04\x05\x06\x0e\x0f\x10\x11\x1c\x1d\x1e\x1f\x7f"

# Process-wide, and only ever raised: Python's default of 128 KiB refuses honest long texts.
csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD))


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its cells, the text it was read from, and whether a quote in it closes wrongly."""

    cells: list[str]
    text: str
    broken: bool


#: Told about a record that is not as wide as the table, or broken: row number and record.
Complain = Callable[[int, Record], None]


def read_records(text: str, delimiter: str, *, last: bool, row: int = 0) -> tuple[list[Record], str]:
    """The whole records at the beginning of `text`, and the text behind them.

    Args:
        text: Begins at a record and, unless `last`, ends with a line.
        delimiter: One character.
        last: Nothing follows the text, so an unfinished record is the end of it.
        row: Number of records before it, for the error.

    Raises:
        SourceError: A quote is open at the end of the text (if `last`), or closes rows below in the middle
            of a cell.
    """
    lines = list(io.StringIO(text, newline=""))
    records: list[Record] = []
    # A line of our own at the end: when the reader swallows it, a quote was still open.
    reader = csv.reader([*lines, "end"], delimiter=delimiter)
    start = 0
    for cells in reader:
        end = reader.line_num
        if end > len(lines):
            break
        source = lines[start] if end == start + 1 else "".join(lines[start:end])
        broken = '"' in source and _shape(delimiter).fullmatch(source) is None
        if broken and end > start + 1:
            raise open_quote(row + len(records) + 1)
        records.append(Record(cells, source, broken))
        start = end
    if last and start < len(lines):
        raise open_quote(row + len(records) + 1)
    rest = text[sum(len(line) for line in lines[:start]) :]
    return records, rest


def whole_lines(data: bytes) -> int:
    """Bytes up to the end of the last line; a return at the very end may be half of a line end."""
    return max(data.rfind(b"\n"), data.rfind(b"\r", 0, max(len(data) - 1, 0))) + 1


def open_quote(row: int) -> SourceError:
    """The error for a quote that is opened in `row` and not closed properly."""
    message = f'Row {row:,} opens a quote (") that is not closed: the rows below would run into it.'
    advice = 'Close the quote in that row, or double it ("") where it belongs to the text.'
    return SourceError(message, advice=advice, row=row)


@lru_cache(maxsize=8)
def _shape(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    quoted = r'"[^"]*+(?:""[^"]*+)*+"'
    plain = rf'[^"{mark}\r\n][^{mark}\r\n]*+'  # a quote further in is just a sign: 5" pipe
    cell = f"(?:{quoted}|{plain})?"
    return re.compile(rf"{cell}(?:{mark}{cell})*+(?:\r\n|\r|\n)?")


class RecordReader:
    """Feeds blocks of UTF-8 text in, and takes frames of records out.

    Args:
        path: The file, for errors.
        delimiter: One ASCII character.
        columns: Names of the columns; a record has that many cells.
        row: Number of records before the first block.
        complain: Told about each record that is too short, too long or broken. It is delivered all the same,
            filled up or cut to the table's width.

    Attributes:
        row: Records read so far, blank ones included.
        blank_rows: Blank records skipped so far.
        first_blank: Row number of the first of them.
    """

    def __init__(self, path: Path, delimiter: str, columns: list[str], row: int, complain: Complain) -> None:
        self.path = path
        self.delimiter = delimiter
        self.columns = columns
        self.row = row
        self.blank_rows = 0
        self.first_blank: int | None = None
        self._complain = complain
        self._mark = delimiter.encode()

    def frames(self, blocks: Iterator[bytes]) -> Iterator[pl.DataFrame]:
        """The records as frames of `ROW` and the columns; blank records are counted and left out.

        Raises:
            SourceError: A quote is never closed.
        """
        # What stands behind the last whole record waits for the next block, in which it goes on.
        held = b""
        for block in blocks:
            frame, held = self._parse(held + block, last=False)
            if frame is not None:
                yield frame
            if len(held) > MAX_RECORD:
                raise open_quote(self.row + 1)
        if held:
            frame, _ = self._parse(held, last=True)
            if frame is not None:
                yield frame

    def _parse(self, data: bytes, *, last: bool) -> tuple[pl.DataFrame | None, bytes]:
        outline = _outline(data, self._mark, last)
        if outline is None:
            return self._parse_slowly(data, last)
        if not outline.body:
            return None, outline.rest
        lines = _lines(outline.structure)
        if lines is None:
            return self._parse_slowly(data, last)
        widths = lines.str.count_matches(self.delimiter, literal=True) + 1
        odd = (widths != len(self.columns)).fill_null(False)
        if outline.quoted and odd.any():
            return self._parse_slowly(data, last)
        frame = self._polars(outline)
        if frame.height != len(lines):
            return self._parse_slowly(data, last)
        first = self.row + 1
        for at in odd.arg_true():
            text = str(lines[at])
            self._complain(first + at, Record(text.split(self.delimiter), text, broken=False))
        return self._numbered(frame, lines.is_null()), outline.rest

    def _polars(self, outline: _Outline) -> pl.DataFrame:
        return pl.read_csv(
            outline.body,
            has_header=False,
            schema=dict.fromkeys(self.columns, pl.String),
            separator=self.delimiter,
            quote_char='"' if outline.quoted else None,
            null_values=[""],  # an empty cell is null, quoted or not
            missing_columns="insert",
            extra_columns="ignore",
            glob=False,
        )

    def _parse_slowly(self, data: bytes, last: bool) -> tuple[pl.DataFrame | None, bytes]:
        end = len(data) if last else whole_lines(data)
        try:
            head = data[:end].decode()
        except UnicodeDecodeError:  # it was UTF-8 when it was opened
            raise SourceError(
                f"{self.path.name} was changed while it was read.", advice="Open it again.", path=self.path
            ) from None
        records, text = read_records(head, self.delimiter, last=last, row=self.row)
        rest = text.encode() + data[end:]
        if not records:
            return None, rest
        width, first = len(self.columns), self.row + 1
        rows: list[list[str]] = []
        blank: list[bool] = []
        for number, record in enumerate(records, start=first):
            blank.append(not record.cells)
            if record.cells and (record.broken or len(record.cells) != width):
                self._complain(number, record)
            rows.append(record.cells[:width])
        cells = list(zip_longest(*rows)) if any(rows) else []
        cells += [(None,) * len(rows)] * (width - len(cells))
        frame = pl.DataFrame(
            [pl.Series(name, column, pl.String) for name, column in zip(self.columns, cells, strict=True)]
        ).with_columns(pl.when(pl.all() != "").then(pl.all()))
        return self._numbered(frame, pl.Series(blank)), rest

    def _numbered(self, frame: pl.DataFrame, blank: pl.Series) -> pl.DataFrame:
        first = self.row + 1
        numbers = pl.int_range(first, first + frame.height, dtype=pl.UInt32, eager=True).alias(ROW)
        frame = frame.insert_column(0, numbers)
        self.row += frame.height
        if not blank.any():
            return frame
        self.blank_rows += int(blank.sum())
        if self.first_blank is None:
            self.first_blank = first + int(blank.arg_true()[0])
        return frame.filter(~blank)


@dataclass(frozen=True, slots=True)
class _Outline:
    body: bytes  # whole records
    structure: (
        bytes  # the body with each quoted text shortened to a quote: counts of lines and delimiters hold
    )
    quoted: bool
    rest: bytes


def _outline(data: bytes, mark: bytes, last: bool) -> _Outline | None:
    if b'"' not in data:
        return _plain_outline(data, last)
    end = len(data) if last else whole_lines(data)
    head = data[:end]
    open_at_end = head.count(b'"') % 2 == 1
    if open_at_end and last:
        return None
    try:
        text = pl.Series([head], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return None
    # From a record's beginning, quotes pair up: each pair with what is between becomes one quote.
    shortened = text.str.replace_all('"[^"]*"', '"')
    structure: bytes = shortened.cast(pl.Binary)[0]
    if open_at_end:
        structure, end = _before_open_quote(structure, head)
        shortened = pl.Series([structure], dtype=pl.Binary).cast(pl.String)
    edge = f'[^{re.escape(mark.decode())}\n\r"]'
    if structure.count(b"\r") != structure.count(b"\r\n") or shortened.str.contains(f'{edge}"|"{edge}')[0]:
        return None
    return _Outline(data[:end], structure, quoted=True, rest=data[end:])


def _before_open_quote(structure: bytes, head: bytes) -> tuple[bytes, int]:
    """Structure and bytes up to the record in which the last quote opens."""
    place = structure.rfind(b'"')
    cut = structure.rfind(b"\n", 0, place) + 1
    first = structure.find(b'"', cut)  # of the cut record
    at = len(head)
    for _ in range(2 * structure.count(b'"', cut, place) + 1):
        at = head.rfind(b'"', 0, at)
    return structure[:cut], at - (first - cut)


def _plain_outline(data: bytes, last: bool) -> _Outline:
    end = len(data) if last else whole_lines(data)
    body, rest = data[:end], data[end:]
    if body.count(b"\r") != body.count(b"\r\n"):
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return _Outline(body, body, quoted=False, rest=rest)


def _lines(structure: bytes) -> pl.Series | None:
    separator = next((chr(byte) for byte in _SEPARATORS if byte not in structure), None)
    if separator is None:
        return None
    frame = pl.read_csv(
        structure,
        has_header=False,
        schema={"line": pl.String},
        separator=separator,
        quote_char=None,
        glob=False,
    )
    return frame["line"]
