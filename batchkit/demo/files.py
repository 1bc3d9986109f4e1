"""How samples are written: files such as people keep, the same bytes each time."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet


def write_csv(
    path: Path, columns: Sequence[str], lines: Iterable[Sequence[str]], *, encoding: str = "utf-8-sig"
) -> None:
    """Write a CSV as a French spreadsheet program does: `;` between columns, CRLF, a byte order mark."""
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
        writer.writerow(columns)
        writer.writerows(lines)


@contextmanager
def new_workbook(
    path: Path, title: str, columns: Sequence[str], lines: Iterable[Sequence[str]]
) -> Iterator[tuple[Workbook, Worksheet]]:
    """Write a workbook of texts under a header that stays in sight, and hand it out for what isn't text."""
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": datetime(2024, 1, 1)})
        bold = book.add_format({"bold": True})
        sheet = book.add_worksheet(title)
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, columns, bold)
        for number, line in enumerate(lines, start=1):
            for column, text in enumerate(line):
                sheet.write_string(number, column, text)
        yield book, sheet
