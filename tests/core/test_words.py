"""What people read: figures, durations, sizes, moments and meanings, the same on every face."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.states import Change, Outcome, RunState
from batchkit.core.words import (
    CHANGES,
    STATES,
    format_bytes,
    format_eta,
    format_moment,
    format_rate,
    format_seconds,
    format_setting,
    format_share,
    number,
    outcome_meanings,
    plural,
)


@pytest.mark.parametrize(
    ("eta", "words"),
    [
        (None, "unknown"), ((0.1, 0.4), "under 1 s"),
        ((20.2, 34.6), "20 to 35 s"), ((9.9, 9.95), "9 to 10 s"),
        ((180, 300), "3 to 5 min"), ((30, 100), "under 2 min"), ((3 * 3600, 5 * 3600 - 1), "3 to 5 h"),
        ((86400 * 2, 86400 * 4), "2 to 4 days"), ((60.0, 60.0), "60 s"),
    ],
)  # fmt: skip
def test_eta_is_a_range_in_one_unit(eta: tuple[float, float] | None, words: str) -> None:
    """The time left is a range of whole units, and `unknown` where there is no basis."""
    assert format_eta(eta) == words


@given(st.floats(0, 1e7), st.floats(1, 3))
def test_eta_range_holds_the_estimate(low: float, factor: float) -> None:
    """Rounding only ever widens the range."""
    words = format_eta((low, low * factor)).replace(",", "").replace("under", "0 to")
    *span, unit = words.split(" ")
    size = {"s": 1, "min": 60, "h": 3600, "days": 86400}[unit]
    numbers = [int(number) * size for number in span if number != "to"]
    assert numbers[0] <= low + 1e-6 or len(numbers) == 1
    assert numbers[-1] >= low * factor - 1e-6


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (None, "unknown"), (61_234.4, "61,234/s"), (12.34, "12/s"), (2.46, "2.5/s"), (0.8, "48/min"),
        (0.003, "11/h"),
    ],
)  # fmt: skip
def test_rate_takes_the_unit_that_reads_well(rate: float | None, words: str) -> None:
    """A rate below one a second is told per minute or hour."""
    assert format_rate(rate) == words


def test_sizes_and_durations_are_short() -> None:
    """Sizes have three digits at most, durations two units at most."""
    assert [format_bytes(n) for n in (0, 812, 8_120, 812_000, 1_234_000_000, None)] == [
        "0 B", "812 B", "8.1 kB", "812 kB", "1.2 GB", "unknown",
    ]  # fmt: skip
    assert [format_seconds(n) for n in (0.41, 42.2, 200, 7500, 187_200)] == [
        "0.4 s", "42 s", "3 min 20 s", "2 h 05 min", "2 days 4 h",
    ]  # fmt: skip


def test_share_is_rounded_but_never_to_all_or_nothing() -> None:
    """Two of three are 66.7 %. One failure in a million is not 100 %, one done in a million is not 0 %."""
    shares = (None, 0, 0.000_001, 1 / 3, 2 / 3, 0.25, 0.999_999, 1)
    assert [format_share(n) for n in shares] == [
        "unknown", "0 %", "<0.1 %", "33.3 %", "66.7 %", "25 %", "99.9 %", "100 %",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "said"), [("UTC", "2026-01-01 09:00:30 UTC"), ("UTC-05:30", "2026-01-01 14:30:30 UTC+05:30")]
)
def test_a_moment_says_which_clock(zone: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of this machine, with how far it is from UTC: who reads the report may live elsewhere."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert format_moment("2026-01-01T09:00:30+00:00") == said
    finally:
        monkeypatch.undo()
        time.tzset()


def test_settings_read_as_words() -> None:
    """None, booleans, numbers and lists are written for people."""
    assert [format_setting(value) for value in (None, True, False, 0.5, 20, "8 h", [1, 2])] == [
        "not set", "yes", "no", "0.5", "20", "8 h", "[1, 2]"
    ]  # fmt: skip


def test_counts_have_separators_and_their_noun() -> None:
    """Thousands are told apart, and one row is not `1 rows`."""
    assert [number(n) for n in (7, 1_234_567, 2.5)] == ["7", "1,234,567", "2.5"]
    assert [plural(n, "retry", "retries") for n in (1, 0, 2_000)] == ["1 retry", "0 retries", "2,000 retries"]


def test_every_change_outcome_and_state_has_a_meaning() -> None:
    """No word of the closed lists is shown without what it means."""
    assert set(CHANGES) == set(Change)
    assert set(STATES) == set(RunState)
    assert set(outcome_meanings({})) == set(outcome_meanings({}, dry_run=True)) == set(Outcome)


@pytest.mark.parametrize(
    ("changes", "meaning"),
    [
        ({"update": 2, "create": 1}, "written at the target"),
        ({"delete": 2, "update": 0, "unchanged": 3}, "removed from the target"),
        ({"delete": 2, "update": 1}, "written at the target, or removed from it"),
        ({"send": 3}, "sent"),
    ],
)
def test_done_means_what_the_plan_did(changes: dict[str, int], meaning: str) -> None:
    """A deleted row wasn't written, and a message was sent; a dry run would have done so."""
    assert outcome_meanings(changes)["done"] == meaning
    assert outcome_meanings(changes, dry_run=True)["done"] == f"would be {meaning}"
