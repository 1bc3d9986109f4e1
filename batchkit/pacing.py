"""Pacing: how fast calls may leave. Everything here can change while a run runs.

The classes hold no clock of their own: `now` is passed in, in seconds of a monotonic clock, so that tests are
instant and exact. They answer "how long must this call wait"; the engine does the waiting, so that every wait
can be cut short by a pause or a stop.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta


class Bucket:
    """A token bucket over items whose rate can change live.

    A call that carries more items than the bucket holds is let through once the bucket is full and leaves it
    in debt: the mean rate holds for calls of any size.

    Args:
        rate: Items per second; None lets everything through.
        burst: Seconds' worth of items that may leave at once after a quiet time.
    """

    __slots__ = ("_at", "_burst", "_level", "rate")

    def __init__(self, rate: float | None = None, *, burst: float = 0.0) -> None:
        self.rate = rate
        self._burst = burst
        self._level = 0.0
        self._at: float | None = None

    def set_rate(self, rate: float | None, now: float) -> None:
        """Change the rate; what was earned so far stays earned at the former rate."""
        self._refill(now)
        self.rate = rate

    def wait(self, now: float) -> float:
        """Seconds until the next call may leave; 0 when it may leave at once."""
        if self.rate is None:
            return 0.0
        self._refill(now)
        return max(0.0, -self._level / self.rate)

    def take(self, items: int, now: float) -> None:
        """Count a call of `items` that leaves now."""
        if self.rate is not None:
            self._refill(now)
            self._level -= items

    def _refill(self, now: float) -> None:
        if self._at is None:
            self._at = now
        elif now > self._at:
            if self.rate is not None:
                self._level = min(self._burst * self.rate, self._level + (now - self._at) * self.rate)
            self._at = now


class Brake:
    """Holds the whole run back until a time, because the target asked for it (`Retry-After`)."""

    __slots__ = ("_until", "reason")

    def __init__(self) -> None:
        self._until = 0.0
        self.reason = ""

    def hold(self, seconds: float, now: float, reason: str) -> None:
        """Hold everything back for `seconds`; the longest order in force wins."""
        if now + seconds > self._until:
            self._until = now + seconds
            self.reason = reason

    def wait(self, now: float) -> float:
        """Seconds until calls may leave again."""
        return max(0.0, self._until - now)


def until_window(window: tuple[time, time], moment: datetime) -> float:
    """Seconds until `moment` is inside the daily window; 0 when it is.

    Args:
        window: Start and end, local time; an end before the start means the next day.
        moment: Local time now.
    """
    start, end = window
    present = moment.time()
    inside = start <= present < end if start < end else present >= start or present < end
    if inside:
        return 0.0
    opening = moment.replace(hour=start.hour, minute=start.minute, second=0, microsecond=0)
    if opening <= moment:
        opening += timedelta(days=1)
    return (opening - moment).total_seconds()
