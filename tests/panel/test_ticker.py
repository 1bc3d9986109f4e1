"""The one thread that refreshes all views."""

from __future__ import annotations

import threading
import time

from batchkit.panel.ticker import TICKER, Ticker
from tests.support.panels import until


def test_ticker_ends_with_its_last_view() -> None:
    """The thread is there only while a view is open."""
    ticker, looks = Ticker(0.001), [0]

    def look() -> bool:
        looks[0] += 1
        return looks[0] < 5

    ticker.add(look)
    until(lambda: ticker.idle)
    assert looks[0] == 5


def test_ticker_survives_a_broken_view() -> None:
    """A view that fails is dropped; the others go on."""
    ticker, looks = Ticker(0.001), [0]

    def broken() -> bool:
        raise RuntimeError

    def look() -> bool:
        looks[0] += 1
        return looks[0] < 50

    ticker.add(broken)
    ticker.add(look)
    until(lambda: ticker.idle)
    assert looks[0] == 50


def test_ticker_lets_a_view_go_while_it_takes_another() -> None:
    """A view may be collected at any moment, also while the ticker holds its lock: nothing hangs."""
    ticker = Ticker(0.001)

    class Collected:
        """Stands for the moment: comparing it is when the other view goes."""

        def __call__(self) -> bool:
            return False

        def __eq__(self, other: object) -> bool:
            ticker.remove(gone)
            return self is other

        __hash__ = None  # type: ignore[assignment]  # only compared

    def gone() -> bool:
        return True

    def add() -> None:
        ticker.add(gone)
        ticker.add(Collected())

    thread = threading.Thread(target=add, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    until(lambda: ticker.idle)


def test_ticker_looks_ten_times_a_second_at_most() -> None:
    """Views don't burden the run: at most ten looks a second."""
    looks: list[float] = []

    def look() -> bool:
        looks.append(time.monotonic())
        return True

    TICKER.add(look)
    time.sleep(0.55)
    TICKER.remove(look)
    assert 2 <= len(looks) <= 7
