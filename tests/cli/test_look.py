"""`batchkit look`: what is understood of a file, and what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.terminal import Shop, call, make_shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """20 rows, and one without a name."""
    return make_shop(tmp_path, extra=[("99999", "")])


def test_look_shows_how_the_file_was_read(shop: Shop) -> None:
    """Encoding, delimiter, rows and columns with a value are on one page."""
    page = call("look", shop.csv).stdout
    for words in ("utf-8", ";", "row 1", "21", "id", "00000", "name", "Épicerie 0"):
        assert words in page, page
    assert "\x1b" not in page, "no colours where there is no terminal"


def test_look_answers_programs(shop: Shop) -> None:
    """`--json` holds the same as values."""
    found = json.loads(call("look", shop.csv, "--json").stdout)
    assert found["columns"] == ["id", "name"]
    assert found["rows"] == 21
    assert found["delimiter"] == ";"


def test_look_at_a_workbook_lists_hidden_sheets(tmp_path: Path) -> None:
    """A sheet nobody sees is named, with what it is."""
    import xlsxwriter

    with xlsxwriter.Workbook(tmp_path / "two.xlsx") as book:
        book.add_worksheet("Shops").write_column(0, 0, ["id", "1", "2"])
        other = book.add_worksheet("Secret")
        other.write_column(0, 0, ["id", "3"])
        other.hide()
    page = call("look", tmp_path / "two.xlsx").stdout
    line = next(line for line in page.splitlines() if line.strip().startswith("Secret"))
    assert "hidden" in line
    assert "id  3" in call("look", tmp_path / "two.xlsx", "--sheet", "Secret").stdout.replace("  1  ", "")


def test_look_brings_alike_problems_together(tmp_path: Path) -> None:
    """Forty rows that are too short are shown as three and a number; `--all-problems` shows each."""
    path = tmp_path / "short.csv"
    path.write_text("a;b;c\n" + "1;2;3\n" * 60 + "1;2\n" * 40, encoding="utf-8")
    page = call("look", path).stdout
    assert "… and 37 more like this" in page
    assert "row 101" not in page
    assert "row 101" in call("look", path, "--all-problems").stdout
