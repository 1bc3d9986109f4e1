"""Deadlines: what is asked of a target over HTTP is cut off when it takes too long, or when the run ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

Answer = TypeVar("Answer")

_CUT: Final = -1.0


class Deadlines:
    """Watches what is under way.

    Args:
        clock: Monotonic seconds.
        timeout: Seconds that something may take, now.
    """

    def __init__(self, clock: Callable[[], float], timeout: Callable[[], float]) -> None:
        self._clock = clock
        self._timeout = timeout
        self._since: dict[asyncio.Task[Any], float] = {}
        self._questions: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.get_running_loop()

    async def watch(self, work: Awaitable[Answer], *, question: bool = False) -> Answer:
        """Await something of the current task's.

        Args:
            work: What is awaited.
            question: It changes nothing at the target, so that nobody need wait for it when the run ends.

        Raises:
            TimeoutError: It was cut off.
        """
        task = cast("asyncio.Task[None]", asyncio.current_task(self._loop))
        self._since[task] = self._clock()
        if question:
            self._questions.add(task)
        try:
            return await work
        except asyncio.CancelledError:
            if self._since.get(task) != _CUT:
                raise
            task.uncancel()
            raise TimeoutError(f"no answer within {self._timeout():g} s") from None
        finally:
            del self._since[task]
            if question:
                self._questions.discard(task)

    def cut_overdue(self) -> None:
        """Cut off what has taken longer than it may."""
        overdue = self._clock() - self._timeout()
        for task in [task for task, since in self._since.items() if 0.0 <= since < overdue]:
            self._cut(task)

    def cut_questions(self) -> None:
        """Cut off what changes nothing: the run ends."""
        for task in list(self._questions):
            self._cut(task)

    def _cut(self, task: asyncio.Task[Any]) -> None:
        if self._since.get(task, _CUT) != _CUT:
            self._since[task] = _CUT
            task.cancel()
