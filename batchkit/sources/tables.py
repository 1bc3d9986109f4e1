"""Opening a CSV or Excel file as a source of rows.

Everything is read as text: leading zeros, long ids, "NA" and "1E5" stay what they are. `open_table` finds out
how the file is written, and says so; each finding can be overruled.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from ..core.advice import option
from ..core.errors import SourceError
from .csv import CsvSource
from .file import FileSource
from .file_kinds import kind_of


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
            advice = f"Leave out {option('sheet')}."
            raise SourceError(f"{file.name} is a CSV file: it has no sheet {sheet!r}.", advice=advice)
        return CsvSource(
            file, problems, options, header_row=header_row, encoding=encoding, delimiter=delimiter
        )
    from .workbook import open_sheet

    return open_sheet(file, kind, sheet=sheet, header_row=header_row, opening=problems, options=options)
