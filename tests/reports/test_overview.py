"""What a report says of a run as a whole: headline, what to do next; and alike failures counted together."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.states import RunState
from batchkit.reports.overview import differences, headline, next_steps, rate
from batchkit.reports.top_errors import TopErrors, masked, signature, top_errors
from tests.support.report_samples import frame, outcome, realistic, refused, run_data


def test_the_headline_counts_what_matters() -> None:
    """Done of all, unchanged, failing, pending: only what there is."""
    rows = [outcome(0), outcome(1), outcome(2, "unchanged"), outcome(3, "rejected"), outcome(4, "pending")]
    said = (
        "2 of 5 items were written; 1 already held the wanted values; 1 needs attention; 1 was not tried yet."
    )
    assert headline(run_data(rows)) == said
    assert headline(run_data([outcome(0)])) == "1 of 1 item was written."
    assert "would be written" in headline(run_data(rows, dry_run=True))


def test_next_steps_follow_from_state_and_outcomes() -> None:
    """A stopped run tells how to go on, a finished one how to undo; a dry run offers no undo."""
    steps = next_steps(run_data([outcome(0), outcome(1, "pending")], state=RunState.STOPPED))
    assert steps[0] == "To go on: batchkit resume companies-7f3a"
    assert any("batchkit undo companies-7f3a" in step for step in steps)
    assert not any("undo" in step for step in next_steps(run_data([outcome(0)], dry_run=True)))
    assert any("can't be undone" in step for step in next_steps(run_data([outcome(0)], reversible=False)))
    assert any(
        "in fix.csv" in step for step in next_steps(run_data([outcome(0, "rejected")], fix_file="fix.csv"))
    )
    assert next_steps(run_data([outcome(0, "unchanged")])) == []


def test_the_rate_is_unknown_before_there_is_a_basis() -> None:
    """No time or nothing tried: no rate; unchanged items don't make a run look fast."""
    assert rate(run_data([outcome(0)], seconds=0.0)) is None
    assert rate(run_data([outcome(0, "unchanged")], seconds=2.0)) is None
    assert rate(run_data([outcome(0), outcome(1, "unchanged")], seconds=2.0)) == 0.5


@pytest.mark.parametrize("detail", [None, "", "no json", "[1]", '{"a": 1}', '{"a": {"b": 1}}', "null"])
def test_facts_that_are_no_conflict_show_no_fields(detail: str | None) -> None:
    """Only facts with planned, found and wanted values are shown as differences."""
    assert differences(detail) == []


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Key (id)=(12) is gone", "r: Key (id)=(N) is gone"),
        ("value 'l'été 3' of l'export d'hier", "r: value … of l'export d'hier"),
        ('null value in "nom"', "r: null value in …"),
        ("« abc » et « déf » : 1 234,50 €", "r: … et … : N N €"),
        ("plain", "r: plain"),
    ],
)
def test_signatures_drop_values_and_keep_words(reason: str, expected: str) -> None:
    """Quoted values and numbers are masked; apostrophes of French words are no quotes."""
    assert signature("r", reason) == expected


@given(st.lists(st.text(st.sampled_from("ab'\"«»“” 12,.é\n()=|\\"), max_size=40), min_size=1, max_size=20))
def test_whole_columns_are_masked_as_single_texts_are(reasons: list[str]) -> None:
    """The vectorised signature equals the plain one."""
    column = (
        pl.DataFrame({"r": pl.Series(reasons, dtype=pl.String)}).select(masked(pl.col("r")))["r"].to_list()
    )
    assert column == [signature("", reason) for reason in reasons]


def test_alike_failures_are_counted_together() -> None:
    """The most frequent kind first, with its first row, an example word for word and the advice."""
    errors = top_errors(realistic(5_000))
    assert [error.rule for error in errors[:3]] == ["siret", "constraint", "length"]
    assert errors[0].count == sum(1 for item in range(5_000) if item % 37 == 5)
    assert errors[0].row == 7
    assert "0000000000005" in errors[0].example
    assert errors[0].advice
    assert [error.count for error in errors] == sorted((error.count for error in errors), reverse=True)


def test_very_many_kinds_of_failure_stay_bounded() -> None:
    """A target that words each refusal differently doesn't fill the memory; the frequent ones survive."""
    alike = TopErrors()
    for part in range(12):
        words = [
            f"{'xyzw'[part % 4]}{''.join(chr(97 + int(d)) for d in str(i * 13 + part))}" for i in range(2_000)
        ]
        rows = [outcome(i, **refused("odd", word)) for i, word in enumerate(words)]
        alike.add(frame([*rows, *(outcome(i, **refused("often", "the same")) for i in range(50))]))
    assert len(alike._found) <= 12_100
    assert (alike.top(1)[0].rule, alike.top(1)[0].count) == ("often", 600)
