"""What people get from a run: a workbook, a table, a page or figures for programs, and files to go on with.

`write_report` writes the whole run in the format its suffix names. `write_fix_file` writes the rows that
failed, as they stood in the source, to be corrected and given back. `write_statuses` puts the outcomes beside
the rows of a copy of the operator's own workbook. All of them take a `ReportData` and know nothing of how a
run works; a file appears whole or not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..core.errors import UsageError
from ..core.files import refuse_to_replace, replacing

if TYPE_CHECKING:
    import polars as pl

    from .data import ReportData

FORMATS: Final = {
    ".xlsx": "xlsx:write_xlsx",
    ".csv": "table:write_outcomes",
    ".html": "html:write_html",
    ".json": "json:write_json",
}
"""The formats of a report by suffix."""


def write_report(data: ReportData, path: str | Path) -> Path:
    """Write the report of a run.

    Args:
        data: The run.
        path: Where to; its suffix names the format: `.xlsx`, `.csv` (a row per item), `.html` (a page that
            needs nothing else) or `.json` (figures and failures for programs).

    Returns:
        The path written.

    Raises:
        UsageError: No report has that suffix, the file can't be written there, or it is one of `data.kept`.
        DiskFull: No room is left; an older file at `path` stays as it was.
    """
    path = _checked(path, FORMATS, "A report", data.kept)
    module, _, name = FORMATS[path.suffix.lower()].partition(":")
    with replacing(path) as draft:
        getattr(import_module(f".{module}", __package__), name)(data, draft)
    return path


def write_fix_file(
    data: ReportData, path: str | Path, *, outcomes: Collection[str] = ("rejected", "conflict")
) -> Path | None:
    """Write the failed rows as they stood in the source, to be corrected and given back as a source.

    The file holds `#row` (the row number in the source), `#error`, `#advice` and the source's own columns.

    Args:
        data: The run.
        path: Where to; `.csv` or `.xlsx`.
        outcomes: Which items. `unknown` only when asked for: such an item may have been written.

    Returns:
        The path written; None when there is nothing to correct.

    Raises:
        UsageError: The suffix is another one, the file can't be written there, or it is one of `data.kept`.
        DiskFull: No room is left; an older file at `path` stays as it was.
    """
    from .rows import failed_rows

    path = _checked(path, (".csv", ".xlsx"), "A fix-and-rerun file", data.kept)
    frames = failed_rows(data.raw_frames(outcomes, 10_000), data.columns)
    return _write_rows(frames, path, "Rows to correct", "fix-and-rerun file")


def write_results(frames: Iterable[pl.DataFrame], path: str | Path, *, kept: Mapping[Path, str]) -> Path:
    """Write what a target answered beside the rows of the source; the file can be a source itself.

    Args:
        frames: As `outcomes.result_frames` gives them, at least one.
        path: Where to; `.csv` or `.xlsx`.
        kept: Files that must not be overwritten, and what they are.

    Returns:
        The path written.

    Raises:
        UsageError: The suffix is another one, the file can't be written there, or it is one of `kept`.
        DiskFull: No room is left; an older file at `path` stays as it was.
    """
    path = _checked(path, (".csv", ".xlsx"), "A file of results", kept)
    _write_rows(iter(frames), path, "Results", "results")
    return path


def write_statuses(
    data: ReportData,
    workbook_in: str | Path,
    workbook_out: str | Path,
    *,
    sheet: str | None = None,
    header_row: int = 1,
) -> Path:
    """Write what became of each row into a copy of the operator's own workbook.

    The columns `batchkit outcome`, `batchkit reason` and `batchkit advice` come behind the last column in
    use (or over those of an earlier copy); everything else of the workbook stays as it is, to the byte.

    Args:
        data: The run; the workbook is its source.
        workbook_in: The operator's workbook (`.xlsx` or `.xlsm`); only read.
        workbook_out: Where the copy goes; the suffix is that of `workbook_in`.
        sheet: The sheet that was read; None for the first one.
        header_row: The row that holds the headers, as a spreadsheet program numbers it.

    Returns:
        The path written.

    Raises:
        UsageError: The workbook can't take columns this way, or the copy can't be written there.
        DiskFull: No room is left; an older file at `workbook_out` stays as it was.
    """
    from .statuses import copy_with_statuses

    source, path = Path(workbook_in), Path(workbook_out)
    if source.suffix.lower() not in (".xlsx", ".xlsm") or path.suffix.lower() != source.suffix.lower():
        raise UsageError(
            f"Outcomes can't be written from {source.name} into {path.name}.",
            advice="This works from .xlsx to .xlsx and from .xlsm to .xlsm; for other files write a report.",
            path=path,
        )
    refuse_to_replace(path, {source: "the workbook itself", **data.kept})
    with replacing(path) as draft:
        copy_with_statuses(data.frames(10_000), source, draft, sheet=sheet, header_row=header_row)
    return path


def _checked(path: str | Path, suffixes: Collection[str], what: str, kept: Mapping[Path, str]) -> Path:
    path = Path(path)
    if path.suffix.lower() not in suffixes:
        raise UsageError(
            f"{what} can't be written as {path.name}.",
            advice=f"Name a file that ends in {', '.join(suffixes)}.",
            path=path,
        )
    refuse_to_replace(path, kept)
    return path


def _write_rows(frames: Iterator[pl.DataFrame], path: Path, sheet: str, what: str) -> Path | None:
    from .rows import write_rows

    if (first := next(frames, None)) is None:
        return None
    with replacing(path) as draft:
        write_rows(chain([first], frames), draft, sheet=sheet, what=what)
    return path
