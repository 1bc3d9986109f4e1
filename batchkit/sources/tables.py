"""Tables in and out: open a CSV or Excel file as a source of rows, look at one, write one safely.

Everything is read as text: leading zeros, long ids, "NA" and "1E5" stay what they are. `open_table` finds out
how the file is written, and says so; each finding can be overruled.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from ..core.columns import ROW
from ..core.errors import SourceError
from ..core.guards import guard, guard_expr, unguard
from ..core.install import install_command
from ..core.problem import Problem
from .base import BATCH, Source
from .cell_text import as_text
from .csv import open_csv
from .file import FileSource, file_sha256
from .file_kinds import kind_of
from .frame import FrameSource, as_texts
from .headers import Line
from .looks import Look, Sheet
from .query import QuerySource

if TYPE_CHECKING:
    import pandas as pd

PREVIEWED = 10  # rows of a preview
_NOT_OPTIONS = ("kind", "name", "path")


def open_table(
    path: str | os.PathLike[str],
    *,
    sheet: str | None = None,
    header_row: int | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    hidden_rows: Literal["keep", "skip"] = "keep",
    fill_merged: bool = False,
    decode_entities: bool = False,
) -> FileSource:
    """Open a CSV or Excel file as a source of rows.

    Args:
        path: The file; its bytes say what it is, not its name.
        sheet: Name of the sheet; None takes the first visible one that holds a table.
        header_row: Row that holds the names of the columns (from 1); 0 when there is none, None to find it.
        encoding: Overrules the encoding found, such as "cp1252".
        delimiter: Overrules the delimiter found: one character, or "tab".
        hidden_rows: Whether rows hidden in a workbook are read.
        fill_merged: Repeat the value of a merged range in each of its cells.
        decode_entities: Turn `&amp;` into `&` in all cells.

    Returns:
        The table; `columns` and the opening `problems` are there, its rows are not read yet.

    Raises:
        SourceError: The file can't be read as a table, or its header can't be told.
    """
    if hidden_rows not in ("keep", "skip"):
        raise SourceError(f"hidden_rows can't be {hidden_rows!r}.", advice='Take "keep" or "skip".')
    file = Path(path)
    kind, problems = kind_of(file)
    given = {"hidden_rows": hidden_rows, "fill_merged": fill_merged, "decode_entities": decode_entities}
    options = {name: value for name, value in given.items() if value not in (False, "keep")}
    if kind == "csv":
        if sheet is not None:
            raise SourceError(
                f"{file.name} is a CSV file: it has no sheet {sheet!r}.", advice="Leave sheet= out."
            )
        return open_csv(
            file,
            header_row=header_row,
            encoding=encoding,
            delimiter=delimiter,
            opening=problems,
            options=options,
        )
    from .workbook import open_sheet

    return open_sheet(file, kind, sheet=sheet, header_row=header_row, opening=problems, options=options)


def reopen(description: dict[str, Any]) -> FileSource:
    """Open a file again as `FileSource.describe` says.

    Raises:
        SourceError: The file is gone, or no longer what it was.
    """
    options = {name: value for name, value in description.items() if name not in _NOT_OPTIONS}
    return open_table(description["path"], **options)


def look(path: str | os.PathLike[str], **options: Any) -> Look:
    """Read a file through and say what was understood of it.

    A header that can't be told is a problem of the result here, not an error, so that the preview shows the
    rows to choose from.

    Args:
        path: The file.
        **options: As for `open_table`.

    Raises:
        SourceError: The file can't be read as a table.
    """
    file = Path(path)
    try:
        table = open_table(file, **options)
    except SourceError as doubt:
        if "candidates" not in doubt.facts:
            raise
        return _look_without_header(file, doubt, options)
    found = _start_look(file, table)
    for batch in table.batches():
        if len(found.preview) < PREVIEWED:
            found.preview += batch.head(PREVIEWED - len(found.preview)).to_dicts()
    return _finish_look(found, table)


def _start_look(file: Path, table: FileSource) -> Look:
    return Look(
        path=str(file),
        kind=table.kind,
        bytes=file.stat().st_size,
        encoding=table.encoding,
        delimiter=table.delimiter,
        line_ends=table.line_ends,
        header_row=table.header_row,
        sheet=table.sheet,
        sheets=_sheets(file, table.kind),
        columns=table.columns,
    )


def _sheets(file: Path, kind: str) -> list[Sheet]:
    if kind == "csv":
        return []
    from .workbook import Workbook

    return Workbook(file, kind).about()


def _finish_look(found: Look, table: FileSource) -> Look:
    found.rows, found.blank_rows = table.rows, table.blank_rows
    found.repeated_headers = table.repeated_headers
    found.problems = list(table.problems)
    return found


def _look_without_header(file: Path, doubt: SourceError, options: dict[str, Any]) -> Look:
    table = open_table(file, **{**options, "header_row": 0})
    found = _start_look(file, table)
    for _ in table.batches():
        pass
    _finish_look(found, table)
    found.header_row = None
    found.preview = [_raw_row(line) for line in doubt.facts["lines"][: 2 * PREVIEWED]]
    asked = Problem(None, None, None, "header", doubt.message.rstrip("."), doubt.advice, "error")
    found.problems.insert(0, asked)
    return found


def _raw_row(line: Line) -> dict[str, Any]:
    cells = {f"column {n}": as_text(cell) for n, cell in enumerate(line.cells, start=1)}
    return {ROW: line.row, **cells}


def write_csv(
    frame: pl.DataFrame | Iterable[pl.DataFrame],
    path: str | os.PathLike[str],
    *,
    delimiter: str = ";",
    bom: bool = True,
) -> int:
    """Write a frame, or one after the other, as CSV that a spreadsheet opens without running anything.

    Text that a spreadsheet would run gets an apostrophe in front; `unguard` takes it off again, and so does
    `open_table` where the file has a column `#row`, which makes it one of ours.

    Args:
        frame: The rows; values that are no text are written as their canonical text.
        path: Where to write.
        delimiter: One character; `;` is what a French or German Excel opens by a double click.
        bom: Begin with the mark by which Excel knows UTF-8.

    Returns:
        The number of rows written.
    """
    rows = 0
    with Path(path).open("wb") as file:
        if bom:
            file.write(b"\xef\xbb\xbf")
        for number, piece in enumerate([frame] if isinstance(frame, pl.DataFrame) else frame):
            safe = as_texts(piece).select(guard_expr(pl.all()))
            safe = safe.rename({name: guard(name) for name in safe.columns})
            safe.write_csv(file, separator=delimiter, include_header=number == 0, line_terminator="\r\n")
            rows += piece.height
    return rows


def to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """A polars frame as a pandas one; needs no pyarrow.

    Raises:
        SourceError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise SourceError("pandas is not installed.", advice=f"Run: {install_command('lab')}") from None
    return pd.DataFrame(
        {name: pd.Series(frame[name].to_list(), dtype=_pandas_dtype(frame[name])) for name in frame.columns}
    )


def _pandas_dtype(column: pl.Series) -> str | None:
    kind = column.dtype
    if kind == pl.String:
        return "object"
    if kind.is_integer():
        return "Int64" if column.null_count() else "int64"
    if kind == pl.Boolean:
        return "boolean" if column.null_count() else "bool"
    return "float64" if kind.is_float() else "object" if kind.is_nested() or kind.is_decimal() else None


__all__ = [
    "BATCH",
    "ROW",
    "FileSource",
    "FrameSource",
    "Look",
    "QuerySource",
    "Sheet",
    "Source",
    "as_texts",
    "file_sha256",
    "guard",
    "look",
    "open_table",
    "reopen",
    "to_pandas",
    "unguard",
    "write_csv",
]
