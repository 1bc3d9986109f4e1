"""What was understood of a source: of a file, of each of its sheets, and of its first rows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.columns import ROW
from ..core.errors import SourceError
from ..core.problem import Problem, error
from .base import closing, local_path, open_source, refuse_wrong_entries
from .cell_text import as_text
from .fetched import FetchedSource
from .tables import open_table

if TYPE_CHECKING:
    import polars as pl

    from .headers import Line
    from .workbook import Sheet

PREVIEWED = 10  # rows of a preview


@dataclass
class Look:
    """What was understood of a file, or of another source; see `look`.

    Attributes:
        path: The file, or its address.
        kind: "csv", "xlsx", "xls", "xlsb" or "ods", by its bytes; for a source that is no file what it calls
            itself, such as "query".
        name: What people call it: the file's name without folders.
        bytes: Its size; 0 for a source that is no file.
        encoding, delimiter, line_ends: How a CSV file is written; None for workbooks.
        header_row: Row number of the header; None when it can't be told, 0 when there is none.
        sheet: The sheet that was read; None for CSV.
        sheets: All sheets of a workbook, hidden ones included.
        columns: Names of the columns.
        rows: Rows of data. While the header can't be told: the rows looked at.
        blank_rows: Blank rows that were skipped.
        repeated_headers: Further headers that were skipped.
        problems: About the file and its rows, with file row numbers.
        preview: The first rows, by column.
    """

    path: str
    kind: str
    name: str
    bytes: int = 0
    encoding: str | None = None
    delimiter: str | None = None
    line_ends: str | None = None
    header_row: int | None = None
    sheet: str | None = None
    sheets: list[Sheet] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    rows: int = 0
    blank_rows: int = 0
    repeated_headers: int = 0
    problems: list[Problem] = field(default_factory=list)
    preview: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain JSON-able values."""
        return asdict(self)


def look(source: str | os.PathLike[str], **options: Any) -> Look:
    """Read a source through and say what was understood of it.

    A header that can't be told is a problem of the result here, not an error, so that the preview shows the
    rows to choose from.

    Args:
        source: A file, or an address such as `https://host/companies.csv`.
        **options: As for `open_source`.

    Raises:
        SourceError: It can't be read as a table.
    """
    path = local_path(source)
    if path is not None:
        refuse_wrong_entries(open_table, options, "a file")
        return _look_at_file(path.expanduser(), options)
    with closing(open_source(source, **options)) as opened:
        if isinstance(opened, FetchedSource):
            found = _look_at_file(opened.path, opened.reading)
            found.path = opened.address
            return found
        found = Look(opened.name, str(opened.describe().get("kind", opened.name)), opened.name, header_row=0)
        found.columns = opened.columns
        for batch in opened.batches():
            found.rows += batch.height
            _preview(found, batch)
        found.problems = list(opened.problems)
        return found


def _look_at_file(file: Path, options: Mapping[str, Any]) -> Look:
    doubt: SourceError | None = None
    try:
        table = open_table(file, **options)
    except SourceError as unsure:
        if "candidates" not in unsure.facts:
            raise
        doubt, table = unsure, open_table(file, **{**options, "header_row": 0})
    found = Look(
        path=str(file),
        kind=table.kind,
        name=table.name,
        bytes=file.stat().st_size,
        encoding=table.encoding,
        delimiter=table.delimiter,
        line_ends=table.line_ends,
        header_row=table.header_row if doubt is None else None,
        sheet=table.sheet,
        sheets=_sheets(file, table.kind),
        columns=table.columns,
    )
    for batch in table.batches():
        _preview(found, batch)
    found.rows, found.blank_rows = table.rows, table.blank_rows
    found.repeated_headers = table.repeated_headers
    found.problems = list(table.problems)
    if doubt is not None:
        # The rows as they stand, so that somebody can say which of them is the header.
        found.preview = [_raw_row(line) for line in doubt.facts["lines"][: 2 * PREVIEWED]]
        found.problems.insert(0, error("header", doubt.message.rstrip("."), doubt.advice))
    return found


def _preview(found: Look, batch: pl.DataFrame) -> None:
    if len(found.preview) < PREVIEWED:
        found.preview += batch.head(PREVIEWED - len(found.preview)).to_dicts()


def _sheets(file: Path, kind: str) -> list[Sheet]:
    if kind == "csv":
        return []
    from .workbook import Workbook

    return Workbook(file, kind).about()


def _raw_row(line: Line) -> dict[str, Any]:
    cells = {f"column {n}": as_text(cell) for n, cell in enumerate(line.cells, start=1)}
    return {ROW: line.row, **cells}
