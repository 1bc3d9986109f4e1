"""Outcomes in a copy of the operator's own workbook, everything else untouched."""

from __future__ import annotations

import io
import time
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart, Reference
from openpyxl.comments import Comment
from openpyxl.formatting.rule import CellIsRule
from openpyxl.styles import Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

from batchkit.core.errors import UsageError
from batchkit.reports.data import ReportData
from batchkit.reports.report import write_statuses
from batchkit.sources.workbook_xml import letters, place
from tests.support.report_samples import outcome, refused, run_data

HEADERS = ["batchkit outcome", "batchkit reason", "batchkit advice"]


def workbook(path: Path, rows: int = 5) -> Path:
    """An operator's workbook: a title, a header on row 3, formats, formulas, a chart, a second sheet."""
    book = Workbook()
    sheet = book.active
    sheet.title = "Données"
    sheet["A1"] = "Liste des entreprises"
    sheet.merge_cells("A1:F1")
    sheet.append([])
    sheet.append(["SIRET", "Nom", "CA", "Date", "Total"])
    for cell in sheet[3]:
        cell.font, cell.fill = Font(bold=True, color="FFFFFF"), PatternFill("solid", fgColor="1F5FA8")
    for row in range(4, 4 + rows):
        sheet.append(
            [f"{row:014d}", f"Société & Cie <{row}>", row * 1.5, date(2026, 1, row % 28 + 1), f"=C{row}*2"]
        )
        sheet.cell(row, 3).number_format = '#,##0.00 "€"'
    sheet.column_dimensions["B"].width = 33
    sheet.conditional_formatting.add(
        "C4:C8", CellIsRule("greaterThan", ["7"], fill=PatternFill(bgColor="FFC7CE"))
    )
    sheet.add_data_validation(DataValidation("list", formula1='"a,b"', sqref="B4:B8"))
    sheet["B4"].comment = Comment("vérifié", "moi")
    sheet.freeze_panes = "A4"
    sheet.auto_filter.ref = "A3:E8"
    chart = BarChart()
    chart.add_data(Reference(sheet, min_col=3, min_row=3, max_row=8), titles_from_data=True)
    sheet.add_chart(chart, "H2")
    other = book.create_sheet("Autre")
    other.append(["x"])
    other.add_table(Table(displayName="T", ref="A1:A2"))
    book.save(path)
    return path


def data() -> ReportData:
    """A run over rows 4 to 7 of that workbook."""
    return run_data(
        [
            outcome(0, row=4),
            outcome(1, row=5, **refused("siret", "Ni SIRET ni <SIREN> & co", "Corriger \x07la cellule.")),
            outcome(2, "conflict", row=7, reason="=1+1"),
            outcome(3, **refused("x", "no row"), row=None),
        ]
    )


def values(path: Path, sheet: str | None = None) -> list[list[Any]]:
    """What the cells hold, formulas as formulas."""
    book = load_workbook(path)
    return [list(row) for row in (book[sheet] if sheet else book.worksheets[0]).iter_rows(values_only=True)]


def test_outcomes_stand_at_their_rows(tmp_path: Path) -> None:
    """Three columns behind the last one: header, and outcome, reason and advice at the row numbers."""
    source = workbook(tmp_path / "in.xlsx")
    copy = write_statuses(data(), source, tmp_path / "out.xlsx", sheet="Données", header_row=3)
    sheet = load_workbook(copy).worksheets[0]
    assert [sheet.cell(3, column).value for column in (6, 7, 8)] == HEADERS
    assert [sheet.cell(4, column).value for column in (6, 7, 8)] == ["done", None, None]
    assert sheet["G5"].value == "Ni SIRET ni <SIREN> & co"
    assert sheet["H5"].value == "Corriger la cellule."
    assert (sheet["G7"].value, sheet["G7"].data_type) == ("=1+1", "s")
    assert sheet["F6"].value is None


def test_everything_else_stays_as_it_is(tmp_path: Path) -> None:
    """Styles, widths, merges, rules, formulas, comments, charts, other sheets: the same bytes."""
    source = workbook(tmp_path / "in.xlsx")
    copy = write_statuses(data(), source, tmp_path / "out.xlsx", sheet="Données", header_row=3)
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(copy) as after:
        assert before.namelist() == after.namelist()
        changed = [name for name in before.namelist() if before.read(name) != after.read(name)]
    assert changed == ["xl/worksheets/sheet1.xml"]
    old, new = load_workbook(source).worksheets[0], load_workbook(copy).worksheets[0]
    for row in old.iter_rows(max_col=5):
        for cell in row:
            twin = new[cell.coordinate]
            assert (twin.value, twin.number_format, twin._style) == (
                cell.value,
                cell.number_format,
                cell._style,
            )
    assert str(new.merged_cells) == str(old.merged_cells)
    assert new.column_dimensions["B"].width == 33
    assert [str(rule.sqref) for rule in new.conditional_formatting] == ["C4:C8"]
    assert new.data_validations.dataValidation[0].sqref == old.data_validations.dataValidation[0].sqref
    assert new["B4"].comment.text == "vérifié"
    assert len(new._charts) == 1
    assert new["E5"].value == "=C5*2"
    assert new.freeze_panes == "A4"


PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


def test_what_libraries_drop_stays(tmp_path: Path) -> None:
    """A picture, a chart, a text box, a button, a check box, sparklines, half-bold text: all stay."""
    source = tmp_path / "in.xlsx"
    with xlsxwriter.Workbook(source) as book:
        sheet = book.add_worksheet("Shops")
        for n, line in enumerate((["id", "n"], ["1", 3], ["2", 4])):
            sheet.write_row(n, 0, line)
        chart = book.add_chart({"type": "line"})
        chart.add_series({"values": "=Shops!$B$2:$B$3", "trendline": {"type": "linear"}})
        sheet.insert_chart("E2", chart)
        sheet.insert_image("E20", "dot.png", {"image_data": io.BytesIO(PICTURE)})
        sheet.insert_textbox("H2", "a note of mine")
        sheet.insert_button("H20", {"caption": "Go"})
        sheet.insert_checkbox("D3", True)
        sheet.add_sparkline("C2", {"range": "Shops!B2:B3"})
        sheet.write_rich_string("D2", "half ", book.add_format({"bold": True}), "bold")
    copy = write_statuses(run_data([outcome(0, row=2)]), source, tmp_path / "out.xlsx")
    name = "xl/worksheets/sheet1.xml"
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(copy) as after:
        assert before.namelist() == after.namelist()
        assert [each for each in before.namelist() if before.read(each) != after.read(each)] == [name]
        assert after.read("xl/media/image1.png") == PICTURE
        xml = after.read(name).decode()
    for each in ("<drawing ", "<legacyDrawing ", "sparklineGroup"):
        assert each in xml
    with pytest.warns(UserWarning, match="Sparkline Group extension is not supported and will be removed"):
        assert load_workbook(copy)["Shops"]["E2"].value == "done"


def test_new_headers_look_like_the_operators_own(tmp_path: Path) -> None:
    """The header cells take the style of the last header."""
    source = workbook(tmp_path / "in.xlsx")
    sheet = load_workbook(
        write_statuses(data(), source, tmp_path / "out.xlsx", sheet="Données", header_row=3)
    ).worksheets[0]
    assert sheet["F3"].fill.fgColor.rgb == sheet["E3"].fill.fgColor.rgb
    assert sheet["F3"].font.b


def test_a_copy_of_a_copy_has_the_columns_once(tmp_path: Path) -> None:
    """Written again, the new outcomes take the place of the old ones."""
    source = workbook(tmp_path / "in.xlsx")
    first = write_statuses(data(), source, tmp_path / "one.xlsx", sheet="Données", header_row=3)
    again = run_data([outcome(0, "unchanged", row=5), outcome(1, row=7)])
    second = write_statuses(again, first, tmp_path / "two.xlsx", sheet="Données", header_row=3)
    sheet = load_workbook(second).worksheets[0]
    assert [cell.value for cell in sheet[3]][5:] == HEADERS
    assert [cell.value for cell in sheet[5]][5:] == ["unchanged", None, None]
    assert [cell.value for cell in sheet[7]][5:] == ["done", None, None]


def test_macros_stay(tmp_path: Path) -> None:
    """A workbook with macros keeps its macro part to the byte."""
    plain = workbook(tmp_path / "plain.xlsx")
    source = tmp_path / "in.xlsm"
    with zipfile.ZipFile(plain) as package, zipfile.ZipFile(source, "w") as out:
        for name in package.namelist():
            out.writestr(name, package.read(name))
        out.writestr("xl/vbaProject.bin", b"\xd0\xcf\x11\xe0 macros")
    copy = write_statuses(data(), source, tmp_path / "out.xlsm", header_row=3)
    with zipfile.ZipFile(copy) as package:
        assert package.read("xl/vbaProject.bin") == b"\xd0\xcf\x11\xe0 macros"


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

SHEETS = {
    "prefixed": (
        '<x:worksheet xmlns:x="{ns}"><x:sheetData>'
        '<x:row r="1" spans="1:1"><x:c r="A1" t="inlineStr"><x:is><x:t>a</x:t></x:is></x:c></x:row>'
        '<x:row r="4" ht="20"/><x:row r="9"><x:c r="A9"><x:v>1</x:v></x:c></x:row>'
        "</x:sheetData></x:worksheet>"
    ),
    "without references": (
        '<worksheet xmlns="{ns}"><sheetData>'
        '<row><c t="inlineStr"><is><t>a</t></is></c></row><row/><row/><row><c><v>1</v></c></row>'
        "</sheetData></worksheet>"
    ),
    "blank styled cells to the right": (
        '<worksheet xmlns="{ns}"><dimension ref="A1"/><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c r="B1" s="0"/><c r="F1" s="0"/></row>'
        '<row r="4"><c r="A4"><v>1</v></c><c r="C4" s="0"/><c r="E4" s="0"/></row>'
        "</sheetData></worksheet>"
    ),
    "no row to write to": (
        '<worksheet xmlns="{ns}"><cols><col min="1" max="1" width="9"/></cols><sheetData>'
        '<row r="1"><c r="A1" t="inlineStr"><is><t>a > b</t></is></c></row>'
        "</sheetData></worksheet>"
    ),
}


@pytest.mark.parametrize("name", SHEETS)
def test_other_programs_workbooks_work_too(tmp_path: Path, name: str) -> None:
    """Prefixed tags, cells without references, rows that are left out, blank cells in the way."""
    plain = workbook(tmp_path / "plain.xlsx")
    source = tmp_path / "in.xlsx"
    with zipfile.ZipFile(plain) as package, zipfile.ZipFile(source, "w") as out:
        for part in package.namelist():
            sheet = part == "xl/worksheets/sheet1.xml"
            out.writestr(part, SHEETS[name].replace("{ns}", MAIN) if sheet else package.read(part))
    copy = write_statuses(data(), source, tmp_path / "out.xlsx")
    found = values(copy)
    assert found[0][1:4] == HEADERS
    assert found[3][1] == "done"
    assert found[4][1] == "rejected"
    assert found[6][1] == "conflict"
    with zipfile.ZipFile(copy) as package:
        xml = package.read("xl/worksheets/sheet1.xml").decode()
    numbers = [place(piece.split('"')[0])[1] for piece in xml.replace("x:c ", "c ").split('<c r="')[1:]]
    assert all(number <= 6 for number in numbers)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("in.csv", "out.csv", r"\.xlsx to \.xlsx"),
        ("in.xls", "out.xls", r"\.xlsx to \.xlsx"),
        ("in.xlsx", "out.xlsm", r"\.xlsx to \.xlsx"),
        ("in.xlsx", "in.xlsx", "overwrite"),
        ("broken.xlsx", "out.xlsx", "damaged, or protected"),
        ("absent.xlsx", "out.xlsx", "doesn't exist"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, source: str, target: str, message: str) -> None:
    """Other kinds of file, the original itself, damaged and absent files: an error with a way out."""
    workbook(tmp_path / "in.xlsx")
    (tmp_path / "broken.xlsx").write_bytes(b"\xd0\xcf\x11\xe0" * 100)
    with pytest.raises(UsageError, match=message):
        write_statuses(data(), tmp_path / source, tmp_path / target)
    assert not (tmp_path / "out.xlsx").exists()


def test_an_absent_sheet_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    """A misspelt sheet: the error lists the sheets."""
    with pytest.raises(UsageError, match="Données, Autre"):
        write_statuses(data(), workbook(tmp_path / "in.xlsx"), tmp_path / "out.xlsx", sheet="Donnees")


def test_another_sheet_can_be_meant(tmp_path: Path) -> None:
    """The outcomes go where they were asked for."""
    one = run_data([outcome(0, row=2)])
    copy = write_statuses(one, workbook(tmp_path / "in.xlsx"), tmp_path / "out.xlsx", sheet="Autre")
    assert values(copy, "Autre")[1][1] == "done"
    assert values(copy, "Données")[2][:5] == ["SIRET", "Nom", "CA", "Date", "Total"]


def test_ten_thousand_rows_take_seconds(tmp_path: Path) -> None:
    """A workbook of 10,000 rows gets its outcomes in bounded time."""
    source = workbook(tmp_path / "in.xlsx", rows=10_000)
    many = run_data([outcome(i, row=i + 4) for i in range(10_000)])
    start = time.perf_counter()
    copy = write_statuses(many, source, tmp_path / "out.xlsx", header_row=3)
    assert time.perf_counter() - start < 8
    assert values(copy)[10_002][5] == "done"


@pytest.mark.parametrize(
    ("column", "name"), [(1, "A"), (26, "Z"), (27, "AA"), (702, "ZZ"), (703, "AAA"), (16_384, "XFD")]
)
def test_columns_have_letters(column: int, name: str) -> None:
    """Column numbers and letters agree both ways."""
    assert letters(column) == name
    assert place(f"{name}12") == (12, column)
