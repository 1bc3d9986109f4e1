"""Backoff and Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.retry import Backoff, retry_after

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def test_wait_doubles_up_to_the_cap() -> None:
    """The longest wait doubles with each attempt: 0.5, 1, 2 s, and stops at the cap."""
    backoff = Backoff(base=0.5, cap=3.0, retries=5)
    assert [backoff.wait(n, lambda: 1.0) for n in (1, 2, 3, 4, 400)] == [0.5, 1.0, 2.0, 3.0, 3.0]


@given(st.integers(1, 2_000), st.floats(0, 1, exclude_max=True))
def test_wait_is_jittered_between_nothing_and_the_ceiling(attempt: int, draw: float) -> None:
    """Full jitter: any time between zero and the ceiling, however many attempts."""
    backoff = Backoff()
    assert 0 <= backoff.wait(attempt, lambda: draw) <= backoff.ceiling(attempt) <= backoff.cap


def test_may_retry_counts_further_tries() -> None:
    """Two retries mean three attempts."""
    assert [Backoff(retries=2).may_retry(n) for n in (1, 2, 3)] == [True, True, False]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("86400", 300.0),
        ("soon", None),
        ("-3", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_reads_seconds_and_dates(header: str | None, seconds: float | None) -> None:
    """Seconds and HTTP dates are obeyed, a past date means now, a long wait is clamped, nonsense ignored."""
    assert retry_after(header, now=NOW, limit=300.0) == seconds


@pytest.mark.parametrize(("header", "seconds"), [("600", 600.0), ("9999999999", 86_400.0)])
def test_retry_after_leaves_the_limit_to_the_settings(header: str, seconds: float) -> None:
    """What a target asks for is passed on, so that a setting may allow it; beyond a day it means nothing."""
    assert retry_after(header) == seconds
