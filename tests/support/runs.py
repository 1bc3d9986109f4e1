"""What tests of runs share: a target that remembers its calls, one that takes its time, outcomes counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from batchkit.running.run import Run
from batchkit.targets.base import Item
from batchkit.testing import CallRecorder


def calls(**options: Any) -> CallRecorder:
    """A target that takes calls and remembers them."""
    return CallRecorder("memory:test", **options)


def counts(run: Run) -> dict[str, int]:
    """Outcomes that occur, and how often."""
    return {name: n for name, n in run.snapshot().outcomes.items() if n}


def slow(seconds: float) -> Callable[[Sequence[Item]], Any]:
    """A target's behaviour: each call takes so long."""

    async def behave(_: Sequence[Item]) -> None:
        await asyncio.sleep(seconds)

    return behave


def raising(error: Exception) -> Callable[[Sequence[Item]], None]:
    """A target's behaviour: each call ends in this error."""

    def behave(_: Sequence[Item]) -> None:
        raise error

    return behave
