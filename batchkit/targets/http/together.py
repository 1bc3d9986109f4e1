"""Requests that go out together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

Value = TypeVar("Value")


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
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
