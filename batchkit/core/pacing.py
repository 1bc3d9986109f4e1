"""Pacing: how fast calls may leave. Everything here can change while a run runs.

The classes hold no clock of their own: `now` is passed in, in seconds of a monotonic clock, so that tests are
instant and exact. They answer "how long must this call wait"; the engine does the waiting, so that every wait
can be cut short by a pause or a stop.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from datetime import datetime, time, timedelta
from typing import ClassVar, Final


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


class KeyLimit:
    """A rest between two calls for one key, such as six seconds between two messages to a recipient.

    Args:
        seconds: The rest; 0 for none.
    """

    __slots__ = ("_free", "_swept", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._free: dict[Hashable, float] = {}
        self._swept = 0.0

    def wait(self, key: Hashable, now: float) -> float:
        """Seconds until a call for this key may leave; 0 when it may leave at once."""
        return max(0.0, self._free.get(key, now) - now)

    def take(self, key: Hashable, now: float, seconds: float | None = None) -> None:
        """Count a call for this key that leaves now, to be followed by a rest of `seconds`."""
        rest = self.seconds if seconds is None else seconds
        if rest <= 0:
            return
        self._free[key] = now + rest
        if now - self._swept > 60.0:  # only keys at rest are kept, so memory doesn't grow with the file
            self._free = {key: free for key, free in self._free.items() if free > now}
            self._swept = now


_NO_REQUEST: Final = 0.0005
"""Seconds below which no request can have gone out and come back."""


class Throttle:
    """How many calls a target bears at once: additive increase, multiplicative decrease.

    Starts at the ceiling. A push-back (429, 503, a firewall) halves the width, calls that take several times
    as long as the quickest take a quarter off it; a decrease is given time to show before the next. Answers
    in good time bring it back, about one call at once more for every `width` answers.

    Args:
        ceiling: The operator's number of workers.
        floor: Never fewer.
        pinned: Stay at the ceiling whatever the target says.
    """

    __slots__ = ("_at", "_calls", "_ceiling", "_floor", "_lately", "_pinned", "_why", "_width")

    REST: ClassVar[float] = 1.0
    """Seconds, at least, between two decreases, and between a decrease and an increase."""

    def __init__(self, ceiling: int, *, floor: int = 1, pinned: bool = False) -> None:
        self._ceiling = ceiling
        self._floor = floor
        self._pinned = pinned
        self._width = float(ceiling)
        self._why = ""
        self._at = -math.inf
        self._calls: dict[int, tuple[float, float]] = {}  # by size of call: the quickest, the usual
        self._lately = 0.0

    @property
    def width(self) -> int:
        """Calls that may be under way at once."""
        return self._ceiling if self._pinned else max(self._floor, min(self._ceiling, int(self._width)))

    @property
    def reason(self) -> str:
        """What keeps it below the ceiling, as the end of "Slow because ..."; empty when nothing does."""
        width = self.width
        if width >= self._ceiling:
            return ""
        return f"{self._why}: {width} of {self._ceiling} calls at once"

    def change(self, ceiling: int, *, pinned: bool) -> None:
        """The operator set the number of workers, or whether it adapts."""
        if ceiling != self._ceiling or (pinned and not self._pinned):
            self._width = float(ceiling)
        self._ceiling, self._pinned = ceiling, pinned

    def pushed_back(self, now: float, rule: str) -> None:
        """The target said that it is asked too much."""
        self._shrink(now, 0.5, f"the target pushes back ({rule})")

    def answered(self, now: float, seconds: float, items: int = 1) -> None:
        """The target answered a call of so many items within so many seconds.

        A call is held against those of its own size alone, and against what was quick lately.
        """
        if seconds < _NO_REQUEST:
            return  # answered by ourselves
        best, before = self._calls.get(items, (math.inf, seconds))
        lately = before + 0.1 * (seconds - before)
        best = min(seconds, best * 1.01)
        self._calls[items] = best, lately
        self._lately = lately
        if lately > max(4 * best, best + 1.0) and self._width * 0.75 >= 2:
            self._shrink(now, 0.75, f"calls take {lately:.1f} s instead of {best:.1f} s")
        elif self._width < self._ceiling and now - self._at > self._rest():
            self._width = min(self._ceiling, self._width + 1 / self._width)

    def _shrink(self, now: float, factor: float, why: str) -> None:
        self._why = why
        if now - self._at > self._rest():
            self._width = max(self._floor, min(self._width, self._ceiling) * factor)
            self._at = now

    def _rest(self) -> float:
        return max(self.REST, self._lately)


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
