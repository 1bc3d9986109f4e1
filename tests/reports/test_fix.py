"""The fix-and-rerun file: what failed, as it stood in the source."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from batchkit.core.errors import UsageError
from batchkit.core.guards import unguard
from batchkit.reports.report import write_fix_file
from batchkit.sources.tables import open_table
from tests.support.report_samples import CONFLICT, HOSTILE, outcome, refused, run_data

RAW = {"raw:siret": "00501", "raw:nom": "L'Étoile ; sœur", "raw:ca": "-5,20"}


def mixed() -> list[dict[str, Any]]:
    """One item of each outcome, and one that no row stands for."""
    return [
        outcome(0, **RAW),
        outcome(1, **refused("siret", "Not a SIRET", "Add the zero."), **RAW),
        outcome(2, "conflict", reason="Edited since", detail=json.dumps(CONFLICT), **RAW),
        outcome(3, "unknown", reason="No answer", **RAW),
        outcome(4, "pending", **RAW),
        outcome(5, **refused("constraint", "Still in use"), row=None, change="delete"),
    ]


def read_csv(path: Path) -> list[list[str]]:
    """Header and rows, as Python's own module reads them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file, delimiter=";"))


def test_it_holds_the_failed_rows_as_they_stood(tmp_path: Path) -> None:
    """Row number, error and advice first, then the source's columns in order with their texts untouched."""
    path = write_fix_file(run_data(mixed()), tmp_path / "fix.csv")
    assert path is not None
    header, rejected, conflict = read_csv(path)
    assert header == ["#row", "#error", "#advice", "siret", "nom", "ca"]
    assert rejected == ["3", "Not a SIRET", "Add the zero.", "00501", "L'Étoile ; sœur", "-5,20"]
    assert conflict[0] == "4"
    assert "nom: planned Café de l'Été, found CAFÉ DE L'ÉTÉ, wanted Café d’Hiver" in conflict[1]


def test_unknown_items_come_only_when_asked_for(tmp_path: Path) -> None:
    """What may have been written already isn't offered for sending again unless somebody says so."""
    asked = write_fix_file(run_data(mixed()), tmp_path / "fix.csv", outcomes=["unknown"])
    assert asked is not None
    assert [row[0] for row in read_csv(asked)[1:]] == ["5"]


def test_nothing_to_fix_means_no_file(tmp_path: Path) -> None:
    """When all went well, or only items without a row failed, there is no file."""
    assert write_fix_file(run_data([outcome(0, **RAW)]), tmp_path / "fix.csv") is None
    assert write_fix_file(run_data([mixed()[5] | RAW]), tmp_path / "fix.csv") is None
    assert list(tmp_path.iterdir()) == []


def test_a_workbook_keeps_text_as_text_when_it_is_edited(tmp_path: Path) -> None:
    """In the .xlsx form the source's cells have the text format: a zero typed in front stays."""
    path = write_fix_file(run_data(mixed()), tmp_path / "fix.xlsx")
    assert path is not None
    sheet = load_workbook(path).worksheets[0]
    assert [cell.value for cell in sheet[1]] == ["#row", "#error", "#advice", "siret", "nom", "ca"]
    assert [cell.value for cell in sheet[2]][:1] == [3]
    assert (sheet["D2"].value, sheet["D2"].number_format) == ("00501", "@")
    assert sheet.column_dimensions["D"].width > 5
    assert sheet.freeze_panes == "D2"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_cells_come_back_exactly(tmp_path: Path, text: str) -> None:
    """A cell that a spreadsheet would run is guarded, and reading it again gives the source's own text."""
    data = run_data([outcome(0, "rejected", reason="no", **{"raw:=a": text})])
    path = write_fix_file(data, tmp_path / "fix.csv")
    assert path is not None
    header, row = read_csv(path)
    assert unguard(row[3]) == text
    assert not row[3].lstrip("\t\r\x00 ").startswith(("=", "@"))
    assert header[3] == "'=a"
    assert write_fix_file(data, tmp_path / "fix.xlsx") is not None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=10))
def test_any_text_comes_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """Whatever the cells hold, the file gives them back."""
    data = run_data([outcome(i, "rejected", **{"raw:a": text}) for i, text in enumerate(texts)])
    path = write_fix_file(data, tmp_path_factory.mktemp("fix") / "fix.csv")
    assert path is not None
    assert [unguard(row[3]) for row in read_csv(path)[1:]] == texts


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_the_file_is_a_source_that_keeps_row_identity(tmp_path: Path, suffix: str) -> None:
    """Read as a source, it has the source's own columns, texts and row numbers."""
    printable = [re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", text).strip() for text in HOSTILE]
    texts = [
        text
        for text in [*printable, "'=1+1", "''=1", "'plain'", "00501", "1,50"]
        if text and "\r" not in text
    ]
    rows = [
        outcome(i, "rejected", row=i * 7 + 3, **{"raw:nom": text, "raw:n°": "x"})
        for i, text in enumerate(texts)
    ]
    path = write_fix_file(run_data(rows), tmp_path / f"fix{suffix}")
    assert path is not None
    table = open_table(path)
    whole = pl.concat(table.batches())
    assert whole.columns == ["#row", "nom", "n°"]
    assert whole["#row"].to_list() == [i * 7 + 3 for i in range(len(texts))]
    assert whole["nom"].to_list() == texts


def test_a_fix_file_of_a_fix_file_has_its_columns_once(tmp_path: Path) -> None:
    """A source that was a fix-and-rerun file itself gets new errors instead of a second set of columns."""
    old = {"raw:#row": "9", "raw:#error": "old", "raw:#advice": "old", "raw:nom": "x"}
    path = write_fix_file(run_data([outcome(0, row=9, **refused("a", "new"), **old)]), tmp_path / "fix.csv")
    assert path is not None
    assert read_csv(path) == [["#row", "#error", "#advice", "nom"], ["9", "new", "", "x"]]


def test_a_text_too_long_for_a_workbook_is_refused_rather_than_cut(tmp_path: Path) -> None:
    """What is given back must be whole: the error names row and column and says to write a .csv."""
    data = run_data([outcome(0, "rejected", **{"raw:note": "x" * 40_000})])
    with pytest.raises(UsageError, match=r"Row 2.*'note'.*\.csv"):
        write_fix_file(data, tmp_path / "fix.xlsx")
    assert list(tmp_path.iterdir()) == []
    assert write_fix_file(data, tmp_path / "fix.csv") is not None


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    """A fix-and-rerun file is a table."""
    with pytest.raises(UsageError, match=r"\.csv, \.xlsx"):
        write_fix_file(run_data(mixed()), tmp_path / "fix.html")
