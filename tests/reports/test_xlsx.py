"""The report as a workbook, read back with openpyxl."""

from __future__ import annotations

import datetime as dt
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from batchkit.core.states import RunState
from batchkit.reports.data import ReportData
from batchkit.reports.report import write_report
from batchkit.reports.xlsx import write_xlsx
from batchkit.sources.workbook_writer import CELL, CUT, fitting
from tests.support.report_samples import CONFLICT, HOSTILE, START, outcome, realistic, refused, run_data


def opened(data: ReportData, path: Path, **options: Any) -> Any:
    """The workbook of a run, read back."""
    if options:
        write_xlsx(data, path, **options)
    else:
        write_report(data, path)
    return load_workbook(path)


def _unescaped(text: str) -> str:
    # What the format says of inline texts and openpyxl leaves undone.
    return re.sub(r"_x([0-9A-F]{4})_", lambda match: chr(int(match[1], 16)), text)


def rows(sheet: Worksheet) -> list[tuple[Any, ...]]:
    """All rows of a sheet as plain values."""
    return list(sheet.iter_rows(values_only=True))


def texts(sheet: Worksheet) -> str:
    """All that a sheet says, in one text."""
    return "\n".join(" | ".join(str(cell) for cell in row if cell is not None) for row in rows(sheet))


def test_the_sheets_an_operator_expects(tmp_path: Path) -> None:
    """Summary first, then outcomes, failures, top errors with a chart, settings."""
    book = opened(realistic(3_000), tmp_path / "r.xlsx")
    assert book.sheetnames == ["Summary", "Outcomes", "Failures", "Top errors", "Settings"]
    assert len(book["Top errors"]._charts) == 1
    assert book["Top errors"]["C2"].value == "siret"


def test_every_item_has_its_row_with_numbers_as_numbers(tmp_path: Path) -> None:
    """All items in plan order; row and attempts are numbers, keys texts with zeros, moments dates."""
    book = opened(realistic(2_500), tmp_path / "r.xlsx")
    sheet = book["Outcomes"]
    body = rows(sheet)[1:]
    assert [row[0] for row in body] == list(range(2, 2_502))
    assert body[3][1] == "00000000000003"
    moment = dt.datetime.fromtimestamp(START).astimezone().replace(tzinfo=None)
    assert abs((body[0][6] - moment).total_seconds()) < 0.01
    assert sheet.freeze_panes == "C2"
    assert sheet.auto_filter.ref == "A1:K2501"
    assert sheet["D2"].fill.fgColor.rgb != sheet["D7"].fill.fgColor.rgb  # done and rejected differ in colour


def test_failures_stand_apart_with_reason_advice_and_both_values(tmp_path: Path) -> None:
    """The sheet Failures holds the rejected, conflict and unknown items and nothing else."""
    data = realistic(5_000)
    body = rows(opened(data, tmp_path / "r.xlsx")["Failures"])[1:]
    assert len(body) == sum(data.outcomes[kind] for kind in ("rejected", "conflict", "unknown"))
    conflict = next(row for row in body if row[2] == "conflict")
    assert f"found {CONFLICT['nom']['found']}, wanted {CONFLICT['nom']['wanted']}" in conflict[5]
    assert "effectif: planned 12, found (empty), wanted 15" in conflict[5]


def test_the_summary_speaks_plain_words(tmp_path: Path) -> None:
    """Headline, message, what to do next, figures, and where the run stands."""
    data = realistic(1_000)
    said = texts(opened(data, tmp_path / "r.xlsx")["Summary"])
    assert "of 1,000 items were written" in said
    assert "batchkit undo companies-7f3a" in said
    assert "Read as cp1252" in said
    failed = run_data([outcome(0, "pending")], state=RunState.FAILED, message="The login was refused.")
    said = texts(opened(failed, tmp_path / "f.xlsx")["Summary"])
    assert "The login was refused." in said
    assert "once the cause is mended: batchkit resume companies-7f3a" in said


def test_settings_are_listed(tmp_path: Path) -> None:
    """Each setting with its value; numbers stay numbers."""
    body = dict(rows(opened(realistic(50), tmp_path / "r.xlsx")["Settings"])[1:])
    assert body["chunk_size"] == 500
    assert body["rate"] == "not set"
    assert body["stop_on_failures"] == "yes"


def test_long_tables_go_on_on_a_next_sheet(tmp_path: Path) -> None:
    """Beyond Excel's limit the rows go on on `Outcomes 2`, with header and filter, and none is lost."""
    book = opened(realistic(250), tmp_path / "r.xlsx", limit=101)
    assert (
        book.sheetnames[:4] == ["Summary", "Outcomes", "Outcomes 2", "Outcomes 3"]
        or "Outcomes 3" in book.sheetnames
    )
    found = [row[0] for name in ("Outcomes", "Outcomes 2", "Outcomes 3") for row in rows(book[name])[1:]]
    assert found == list(range(2, 252))
    assert book["Outcomes 2"]["A1"].value == "Row"
    assert book["Outcomes 3"].auto_filter.ref == "A1:K51"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_plain_texts(tmp_path: Path, text: str) -> None:
    """No formula, no link, no broken XML: each text is a text, without what no cell can show."""
    data = run_data(
        [outcome(0, key=text, **refused(text, text, text))],
        source=text, target=text, message=text, run=text, settings={text: text},
    )  # fmt: skip
    path = write_report(data, tmp_path / "r.xlsx")
    with zipfile.ZipFile(path) as package:
        for name in package.namelist():
            part = package.read(name)
            if name.endswith(".xml"):
                ET.fromstring(part)  # noqa: S314 - ours
            if name.startswith("xl/worksheets/"):
                assert b"<f>" not in part
                assert b"<hyperlink" not in part
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl warns of headers it can't parse
        cell = load_workbook(path)["Outcomes"]["B2"]
    shown = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text)
    assert _unescaped(cell.value or "") == shown
    assert cell.data_type == ("s" if shown else "n")


@pytest.mark.parametrize("length", [CELL - 1, CELL, CELL + 1, 200_000])
def test_texts_longer_than_a_cell_are_cut_with_a_mark(tmp_path: Path, length: int) -> None:
    """32,767 characters fit; a longer text ends in a mark, also where characters count twice."""
    for letter in ("x", "👩"):
        whole = letter * length
        cut = fitting(whole)
        assert len(cut.encode("utf-16-le")) // 2 <= CELL
        assert cut == whole or cut.endswith(CUT)
    data = run_data([outcome(0, "rejected", reason="x" * length)])
    value = opened(data, tmp_path / "r.xlsx")["Outcomes"]["I2"].value
    assert value == ("x" * length if length <= CELL else "x" * (CELL - len(CUT)) + CUT)


def test_a_run_without_failures_says_so(tmp_path: Path) -> None:
    """No empty chart: the sheet Top errors says that nothing failed."""
    book = opened(run_data([outcome(0)]), tmp_path / "r.xlsx")
    assert book["Top errors"]["A1"].value == "Nothing failed."
    assert book["Top errors"]._charts == []
    assert rows(book["Failures"])[1:] in ([], [(None,) * 10])
