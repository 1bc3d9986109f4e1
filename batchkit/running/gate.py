"""The gate: whether a call may leave now. Every wait of a run is here, and every one can be cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from ..core.pacing import Brake, Bucket, until_window
from ..core.settings import Settings, window_times
from .tally import Tally

RATE: Final = "of the rate limit"
BACKOFF: Final = "failed calls are tried again"
WINDOW: Final = "the run works only in its window"
TARGET: Final = "target"

_LONGEST_NAP: Final = 60.0  # so that a changed wall clock (window, summer time) is noticed


class Gate:
    """Lets calls leave, or holds them back for a pause, the rate, an order of the target, or the window.

    Args:
        settings: The settings in force.
        tally: Gets the time spent waiting, by cause.
        clock: Monotonic seconds.
    """

    def __init__(self, settings: Settings, tally: Tally, clock: Callable[[], float]) -> None:
        self.holding = False
        self.leaving = False
        # What the target ordered, and what ends as soon as the target is back.
        self._brake, self._away = Brake(), Brake()
        self.free = False
        self._bucket = Bucket(settings.rate)
        self._settings = settings
        self._tally = tally
        self._clock = clock
        self._poked = asyncio.Event()
        self._look()

    def change(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        if settings.rate != self._settings.rate:
            self._bucket.set_rate(settings.rate, self._clock())
        self._settings = settings
        self.poke()

    def hold(self) -> None:
        """Let nothing leave until `release`."""
        self.holding = True
        self.poke()

    def release(self) -> None:
        """Let calls leave again."""
        self.holding = False
        self.poke()

    def leave(self) -> None:
        """Let nothing leave any more: the session ends."""
        self.leaving = True
        self.poke()

    def poke(self) -> None:
        """End every nap, so that each waiter looks again."""
        self._look()
        # A fresh event for whoever naps from now on; those who nap already are woken by the old one.
        poked, self._poked = self._poked, asyncio.Event()
        poked.set()

    def slow_down(self, seconds: float, reason: str) -> None:
        """Hold the whole run back, because the target asked for it."""
        self._brake.hold(seconds, self._clock(), reason)
        self._look()

    def await_target(self, seconds: float, reason: str) -> None:
        """Hold the whole run back until the target is back, so many seconds at most."""
        self._away.hold(seconds, self._clock(), reason)
        self._look()

    def target_is_back(self) -> None:
        """Let calls leave that waited for the target, and end their naps."""
        self._away = Brake()
        self.poke()

    def held_by_target(self) -> str:
        """What the target keeps the whole run from, and until when; empty when it doesn't."""
        now = self._clock()
        for brake, words in ((self._away, "at the latest"), (self._brake, "")):
            if (seconds := brake.wait(now)) > 0:
                until = datetime.now().astimezone() + timedelta(seconds=seconds)
                return f"{brake.reason}; it goes on at {until:%H:%M:%S} {words}".rstrip()
        return ""

    async def admit(self, items: int) -> bool:
        """Wait until a call of so many items may leave; False when the session ends instead."""
        while not self.free:
            if self.leaving:
                return False
            if self.holding:
                await self._poked.wait()
                continue
            seconds, cause = self._wait_now()
            if seconds <= 0:
                self._bucket.take(items, self._clock())
                self._look()
                return True
            await self.nap(seconds, cause)
        return True

    def give_back(self, items: int) -> None:
        """A call that was let through doesn't leave after all."""
        self._bucket.take(-items, self._clock())
        self._look()

    async def nap(self, seconds: float, cause: str) -> None:
        """Wait so long, or until somebody pokes; the time counts towards `cause`."""
        before = self._clock()
        poked = self._poked
        try:
            async with asyncio.timeout(min(seconds, _LONGEST_NAP)):
                await poked.wait()
        except TimeoutError:
            pass
        if not self.holding:
            self._tally.waited[cause] += self._clock() - before

    async def wait_out(self, seconds: Callable[[], float], cause: str) -> None:
        """Wait until `seconds()` from now; it is asked again at each poke. Ends early when leaving."""
        start = self._clock()
        while not self.leaving:
            left = start + seconds() - self._clock()
            if left <= 0:
                return
            await self.nap(left, cause)

    async def released(self) -> bool:
        """Wait while held; False when the session ends instead."""
        while self.holding and not self.leaving:
            await self._poked.wait()
        return not self.leaving

    def _wait_now(self) -> tuple[float, str]:
        now = self._clock()
        waits = [(brake.wait(now), brake.reason) for brake in (self._away, self._brake)]
        waits.append((self._bucket.wait(now), RATE))
        if self._settings.window:
            waits.append(
                (until_window(window_times(self._settings.window), datetime.now().astimezone()), WINDOW)
            )
        return max(waits)

    def _look(self) -> None:
        self.free = (
            not self.holding
            and not self.leaving
            and self._settings.rate is None
            and self._settings.window is None
            and self._brake.wait(self._clock()) <= 0
            and self._away.wait(self._clock()) <= 0
        )
