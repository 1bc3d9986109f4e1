"""CSV cells: nothing that a spreadsheet would run, nothing that can't be read back."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.guards import guard, guard_expr, needs_guard, unguard, unguard_expr

any_text = st.text(st.characters(exclude_categories=["Cs"]))
texts = any_text | st.text("'=+-@ 0123456789.,()%\t\r\nA|!\ufeff\u00a0＝")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "=cmd|' /C calc'!A0", "@SUM(A1:A9)", "+20% de CA", "-1+cmd|' /C calc'!A0", "-5-3", "+A1", "\t=1",
     " =1", "\r=1", "＝1+1", "-5/3", "+33-6-12", "- Ville", "'=1", "\x00=1", '="00123"', "-5\n=1"],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_is_guarded(text: str) -> None:
    """A cell that begins like a formula gets an apostrophe, whatever hides in front of it."""
    assert guard(text) == "'" + text
    assert unguard(guard(text)) == text


@pytest.mark.parametrize(
    "text",
    ["+33612345678", "+33 6 12 34 56 78", "-5", "-5,20", "-1 234,50 €", "+20%", "-", "+(33) 6", "", "A=B",
     "a@b.fr", "12-3", "'quoted'", "l'été"],
)  # fmt: skip
def test_honest_numbers_and_phones_stay_readable(text: str) -> None:
    """Signed numbers, phone numbers and text that is no formula are left as they are."""
    assert guard(text) == text


@given(texts)
def test_guard_can_be_taken_back(text: str) -> None:
    """For every text, unguard(guard(text)) is the text, and what is written is never a formula."""
    assert unguard(guard(text)) == text
    assert guard(text).startswith("'") or not needs_guard(text)


@given(st.lists(st.none() | texts, min_size=1, max_size=20))
def test_columns_follow_the_same_rule_as_single_texts(values: list[str | None]) -> None:
    """The vectorised form answers as the plain one does, and keeps nulls."""
    frame = pl.DataFrame({"a": values}, schema={"a": pl.String})
    guarded = frame.select(guard_expr(pl.col("a")))["a"].to_list()
    assert guarded == [None if value is None else guard(value) for value in values]
    again = pl.DataFrame({"a": guarded}, schema={"a": pl.String})
    assert again.select(unguard_expr(pl.col("a")))["a"].to_list() == values
