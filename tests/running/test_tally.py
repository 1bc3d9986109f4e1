"""The running figures of a session, by a clock that is turned by hand."""

from __future__ import annotations

from batchkit.core.states import Outcome
from batchkit.running.tally import DELAY, Tally


def test_time_left_is_known_where_nearly_all_of_it_is_delay() -> None:
    """Two items and 0.3 s of delay over and over: after two seconds the rest can be told."""
    now = 0.0
    tally = Tally({Outcome.PENDING: 200}, clock=lambda: now)
    tally.start_clock()
    for _ in range(7):
        tally.settle(Outcome.DONE, 2)
        now += 0.3
        tally.waited[DELAY] += 0.3
        tally.tick()
    left = tally.eta(186, delays=93 * 0.3)
    assert left is not None
    assert left[0] <= 93 * 0.3 <= left[1]
