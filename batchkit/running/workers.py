"""The workers of a session: tasks that take calls from the queue and bring each to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from .call_queue import CallQueue
from .chunk import Call
from .session import Session

YIELD_EVERY: Final = 0.005  # seconds a worker may go on before the loop looks at everything else


class Workers:
    """As many tasks as calls may be under way; their number changes while they work.

    Args:
        session: What the session shares.
        queue: Where the calls come from.
        deliver: Brings a call to its end.
        fail: Ends the session for an error that nobody foresaw.
    """

    def __init__(
        self,
        session: Session,
        queue: CallQueue,
        deliver: Callable[[Call], Awaitable[bool]],
        fail: Callable[[Exception], None],
    ) -> None:
        self._s = session
        self._queue = queue
        self._deliver = deliver
        self._fail = fail
        self._tasks: set[asyncio.Task[None]] = set()

    def resize(self) -> None:
        """Make the workers that are missing; those that are too many leave after their call."""
        while len(self._tasks) < self._s.orders.width():
            task = asyncio.create_task(self._work())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def over(self) -> None:
        """Wait until the last one has left; others may come while it is waited for."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _work(self) -> None:
        queue, clock, width = self._queue, self._s.pace.clock, self._s.orders.width
        calls = queue.calls
        yielded = clock()
        while True:
            most = width()
            if len(self._tasks) > most or (queue.over and not calls and not queue.parked):
                # Out of the set at once, so that of two surplus workers only the surplus leaves.
                self._tasks.discard(asyncio.current_task())
                return
            if not calls:
                queue.low.set()
                queue.stocked.clear()
                await queue.stocked.wait()
                continue
            call = calls.popleft()
            queue.delivering += 1
            try:
                await self._deliver(call)
            except Exception as error:  # noqa: BLE001 - ends the session with a message instead of a hung run
                self._fail(error)
            finally:
                queue.delivering -= 1
            queue.taken(most)
            # A delivery that never had to wait gave nobody else a turn: not the ticker, not the supply.
            if clock() - yielded > YIELD_EVERY:
                await asyncio.sleep(0)
                yielded = clock()
