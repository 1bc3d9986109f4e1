"""The queue of calls between the supply and the workers."""

from __future__ import annotations

import asyncio
from collections import deque

from .chunk import Call


class CallQueue:
    """The calls that may be sent now, between the supply and the workers.

    Attributes:
        calls: The calls, in order.
        delivering: Calls that a worker has in hand.
        parked: Calls that come back after a rest of their own.
        over: Nothing comes any more.
        dropped: The session ends.
        stocked: Set when there is something to take, or nothing will come any more.
        low: Set when there is room for more, or a call came to its end.
    """

    def __init__(self) -> None:
        self.calls: deque[Call] = deque()
        self.delivering = 0
        self.parked: set[asyncio.TimerHandle] = set()
        self.over = self.dropped = False
        self.stocked = asyncio.Event()
        self.low = asyncio.Event()

    def put(self, calls: list[Call]) -> None:
        """Offer calls to the workers."""
        self.calls.extend(calls)
        self.stocked.set()

    def park(self, call: Call, seconds: float, behind: bool = False) -> None:
        """Put a call aside for so many seconds; it stays pending where the session ends before.

        Args:
            call: The call.
            seconds: How long.
            behind: It comes back behind those that are queued by then, not before them.
        """
        if self.dropped:
            return

        def back() -> None:
            self.parked.discard(handle)
            (self.calls.append if behind else self.calls.appendleft)(call)
            self.stocked.set()

        handle = asyncio.get_running_loop().call_later(seconds, back)
        self.parked.add(handle)

    def look_afar(self) -> None:
        """Let the next call come from the middle of the queue."""
        self.calls.rotate(len(self.calls) // 2)

    @property
    def open(self) -> bool:
        """Whether a call is queued, resting, or in a worker's hand."""
        return bool(self.calls or self.parked or self.delivering)

    def drop(self) -> None:
        """Forget what no worker has in hand; its items stay pending."""
        self.dropped = True
        self.calls.clear()
        for handle in self.parked:
            handle.cancel()
        self.parked.clear()
        self.low.set()
        self.stocked.set()

    def end(self) -> None:
        """Nothing comes any more."""
        self.over = True
        self.stocked.set()

    def taken(self, width: int) -> None:
        """A call came to its end; tell the supply when the queue runs low for so many workers."""
        if len(self.calls) < 2 * width:
            self.low.set()
