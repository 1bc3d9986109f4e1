"""Values, changes and problems as HTML: escaped, marked, and no wider than a reader's eye."""

from __future__ import annotations

from pathlib import Path

from batchkit.panel.html import cell_html, changes_html, links_html, problems_html, value_html
from batchkit.planning.change_view import FieldView
from tests.support.pretend import change, problem


def test_values_are_escaped() -> None:
    """Nothing from a file is taken for HTML: not in cells, titles, problems or links."""
    bad = "<img src=x onerror=alert(1)>\"'" * 9
    fields = [FieldView(bad, bad, bad + "x", True), FieldView("b", None, bad, True)]
    rows = [
        change(0, key=bad, fields=fields, problems=[problem(column=bad, value=bad, message=bad, advice=bad)])
    ]
    page = changes_html(rows, [bad]) + problems_html(rows[0].problems) + links_html({bad: Path(bad)})
    assert "<img" not in page
    assert "onerror=alert(1)>" not in page


def test_update_shows_before_struck_through_and_after() -> None:
    """A changed cell shows what it was and what it becomes."""
    cell = cell_html(FieldView("name", "Societe", "Société", True), "update")
    assert cell.index("<del>Societe</del>") < cell.index("→") < cell.index("<ins>Société</ins>")


def test_unchanged_cell_is_plain() -> None:
    """Only what changes is marked."""
    assert cell_html(FieldView("city", "Lyon", "Lyon", False), "update") == "<td>Lyon</td>"


def test_empty_before_is_named() -> None:
    """A field that was empty says so, and doesn't look like the word."""
    assert '<span class="bk-none">empty</span>' in cell_html(FieldView("city", None, "Lyon", True), "update")


def test_space_at_the_edge_is_visible() -> None:
    """A change that is only a space at the end can be seen."""
    assert value_html("Lyon ") == 'Lyon<span class="bk-space">·</span>'


def test_long_texts_are_cut_to_their_difference() -> None:
    """Two long texts that differ at the end show their end."""
    long = "x" * 500
    cell = cell_html(FieldView("note", f"{long} old", f"{long} new", True), "update")
    assert " old" in cell
    assert " new" in cell
    assert len(cell) < 500


def test_wide_plan_shows_the_columns_that_change() -> None:
    """Of fifty fields, those that nothing changes on the page are left out and counted."""
    fields = [FieldView(f"f{n}", "a", "b" if n == 30 else "a", n == 30) for n in range(50)]
    page = changes_html([change(0, fields=fields)], ["id"])
    assert "<th>f30</th>" in page
    assert "<th>f10</th>" not in page
    assert "42 fields without a change" in page


def test_problems_show_row_and_advice() -> None:
    """A problem says which row, what is wrong and what to do."""
    page = changes_html([change(0, "invalid", problems=[problem(row=1234)])], ["siret"])
    assert "<b>siret</b>: not a SIRET (12). Write its 14 digits." in page
    assert "1,234" in problems_html([problem(row=1234)])


def test_message_has_no_former_value() -> None:
    """What is sent replaces nothing, so no cell of it says that something was empty."""
    assert "empty" not in cell_html(FieldView("1", None, "Zoé", changed=True), "send")
