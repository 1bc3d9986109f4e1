"""Pacing: the bucket, the brake and the window, by a clock that is turned by hand."""

from __future__ import annotations

from datetime import datetime, time

from hypothesis import given
from hypothesis import strategies as st

from batchkit.pacing import Brake, Bucket, until_window


def _simulate(rate: float, sizes: list[int]) -> list[tuple[float, int]]:
    """When calls of these sizes leave, one after the other."""
    bucket, now, left = Bucket(rate), 0.0, []
    for size in sizes:
        now += bucket.wait(now)
        bucket.take(size, now)
        left.append((now, size))
    return left


@given(st.floats(0.1, 1000), st.lists(st.integers(1, 50), min_size=2, max_size=40))
def test_bucket_keeps_the_rate_in_every_window(rate: float, sizes: list[int]) -> None:
    """Between any two calls no more items left than the rate allows, whatever the calls' sizes."""
    times = _simulate(rate, sizes)
    for i, (start, _) in enumerate(times):
        for j in range(i + 1, len(times)):
            items = sum(size for _, size in times[i:j])
            assert items <= rate * (times[j][0] - start) * (1 + 1e-6) + 1e-6


def test_set_rate_takes_effect_at_once() -> None:
    """A rate raised while a call waits shortens that wait."""
    bucket = Bucket(1.0)
    bucket.take(10, 0.0)
    assert bucket.wait(0.0) == 10.0
    bucket.set_rate(10.0, 0.0)
    assert bucket.wait(0.0) == 1.0
    bucket.set_rate(None, 0.0)
    assert bucket.wait(0.0) == 0.0


def test_brake_keeps_the_longest_order() -> None:
    """A shorter Retry-After that arrives later doesn't shorten the longer one in force."""
    brake = Brake()
    brake.hold(10, 0.0, "first")
    brake.hold(2, 1.0, "second")
    assert (brake.wait(1.0), brake.reason) == (9.0, "first")
    assert brake.wait(11.0) == 0.0


def test_until_window_crosses_midnight() -> None:
    """22:00-06:00 is open at 23:00 and at 05:59, and closed at noon for ten hours."""
    night = (time(22), time(6))
    assert until_window(night, datetime(2026, 1, 1, 23)) == 0
    assert until_window(night, datetime(2026, 1, 1, 5, 59)) == 0
    assert until_window(night, datetime(2026, 1, 1, 12)) == 10 * 3600
    day = (time(9), time(17))
    assert until_window(day, datetime(2026, 1, 1, 20)) == 13 * 3600
