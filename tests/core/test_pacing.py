"""Pacing: the bucket, the brake and the window, by a clock that is turned by hand."""

from __future__ import annotations

from datetime import datetime, time

from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.pacing import Brake, Bucket, KeyLimit, Throttle, until_window


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


def test_throttle_halves_when_pushed_back_and_recovers() -> None:
    """Push-back halves the width, once per rest; answers in good time bring it back, call by call."""
    throttle = Throttle(16)
    assert (throttle.width, throttle.reason) == (16, "")
    for moment in (0.0, 0.1, 0.2):
        throttle.pushed_back(moment, "429")
    assert throttle.width == 8
    assert throttle.reason == "the target pushes back (429): 8 of 16 calls at once"
    throttle.pushed_back(1.5, "503")
    assert throttle.width == 4
    now = 3.0
    answers = 0
    while throttle.width < 5:
        throttle.answered(now, 0.05)
        answers += 1
    assert answers in (4, 5)
    for _ in range(500):
        throttle.answered(now, 0.05)
    assert (throttle.width, throttle.reason) == (16, "")


def test_throttle_has_a_floor_and_can_be_pinned() -> None:
    """However much a target pushes back, one call goes on; a pinned number stays."""
    throttle = Throttle(4)
    pinned = Throttle(4, pinned=True)
    for moment in range(0, 100, 2):
        throttle.pushed_back(float(moment), "429")
        pinned.pushed_back(float(moment), "429")
    assert (throttle.width, pinned.width, pinned.reason) == (1, 4, "")
    throttle.change(9, pinned=True)
    assert throttle.width == 9


def test_throttle_narrows_when_calls_become_slow() -> None:
    """Calls that take several times the best time mean that too many are under way."""
    throttle = Throttle(20)
    now = 0.0
    for _ in range(50):
        throttle.answered(now, 0.1)
    assert throttle.width == 20
    for _ in range(60):
        now += 0.5
        throttle.answered(now, 3.0)
    assert 2 <= throttle.width < 10
    assert "calls take" in throttle.reason


@given(
    st.lists(st.tuples(st.floats(0, 10), st.floats(0, 60), st.booleans()), max_size=200), st.integers(1, 256)
)
def test_throttle_stays_in_its_bounds(events: list[tuple[float, float, bool]], ceiling: int) -> None:
    """Whatever happens, the width is from 1 to the ceiling."""
    throttle, now = Throttle(ceiling), 0.0
    for pause, seconds, pushed in events:
        now += pause
        if pushed:
            throttle.pushed_back(now, "429")
        else:
            throttle.answered(now, seconds)
        assert 1 <= throttle.width <= ceiling


def test_key_limit_rests_each_key_alone() -> None:
    """A key waits out its rest; the others don't; those at rest no more are forgotten."""
    limit = KeyLimit(6.0)
    limit.take("+33611111111", 0.0)
    assert limit.wait("+33611111111", 2.0) == 4.0
    assert limit.wait("+33622222222", 2.0) == 0.0
    limit.take("+33611111111", 6.0, seconds=16.0)
    assert limit.wait("+33611111111", 6.0) == 16.0
    for n in range(10_000):
        limit.take(n, n / 10)
    assert len(limit._free) < 1000


def test_throttle_holds_a_call_against_those_of_its_own_size() -> None:
    """One quick call of a single item doesn't make every full call look slow."""
    throttle = Throttle(5)
    throttle.answered(0.0, 0.1, 1)
    for second in range(1, 100):
        throttle.answered(float(second), 1.4, 25)
    assert throttle.width == 5


def test_throttle_forgets_what_was_quick_long_ago() -> None:
    """A server that has become slower for good is, after a while, as quick as it is."""
    throttle = Throttle(4)
    throttle.answered(0.0, 0.1)
    for second in range(1, 400):
        throttle.answered(float(second), 2.0)
    assert throttle.width == 4
