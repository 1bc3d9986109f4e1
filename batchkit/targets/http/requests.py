"""How requests go out: together, again after a while, and from code that is on no loop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Final, TypeVar

from ...core.retry import Backoff
from ..base import Fate
from .failures import LONGEST_PATIENCE, HttpError

Value = TypeVar("Value")

PATIENCE: Final = Backoff(base=0.5, cap=10.0, retries=5)
"""How often and how soon a read is tried again while somebody waits for a plan."""

_PASSING: Final = frozenset({Fate.RETRY, Fate.UNKNOWN})
"""What may pass next time; of a read, nothing was done in either case."""


async def together(coroutines: Iterable[Coroutine[Any, Any, Value]]) -> list[Value]:
    """Await them together; when one fails, none is left running.

    Returns:
        Their results, in their order.
    """
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        # A cancelled task still runs up to its next wait, and the caller closes the client after us.
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def with_patience(work: Any, tries: Backoff = PATIENCE) -> Any:
    """Await `work()` until it passes, as long as trying again makes sense; for reads while planning.

    Raises:
        HttpError: It can't pass, or didn't.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            return await work()
        except HttpError as error:
            failure = error.failure
            asked = failure.retry_after or 0.0
            if failure.fate not in _PASSING or asked > LONGEST_PATIENCE or not tries.may_retry(attempt):
                raise
            # As long as the server asks, else longer each time, and never in step with others that wait.
            await asyncio.sleep(asked or tries.wait(attempt, random.random))


def aside(work: Coroutine[Any, Any, Value]) -> Value:
    """Run a coroutine to its end from code that isn't on a loop, or on somebody else's."""
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = []

    async def known() -> Value:
        if (task := asyncio.current_task()) is not None:
            running.append((asyncio.get_running_loop(), task))
        return await work

    # In a thread of its own: a notebook's thread has a loop running already.
    with ThreadPoolExecutor(1, "batchkit-http") as threads:
        future = threads.submit(asyncio.run, known())
        try:
            # A wait without an end hears of Ctrl-C on some systems only when it is over.
            while not wait([future], 0.2).done:
                pass
            return future.result()
        except KeyboardInterrupt:
            # It came to this thread alone, and leaving the block waits for the other one.
            for loop, task in running:
                loop.call_soon_threadsafe(task.cancel)
            raise
