"""What `look` tells of a file, and of each of its sheets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ..core.problem import Problem


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


@dataclass
class Look:
    """What was understood of a file; see `look`.

    Attributes:
        path: The file.
        kind: "csv", "xlsx", "xls", "xlsb" or "ods", by its bytes.
        bytes: Its size.
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
    bytes: int
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
