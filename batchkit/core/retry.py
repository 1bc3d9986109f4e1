"""When to try again, and how long to wait before it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

DAY: Final = 86_400.0
"""Seconds; whoever asks for more means something else."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: try n waits a random time up to `base * 2**n`, capped.

    Full jitter spreads the tries of many workers evenly, see "Exponential Backoff And Jitter", AWS
    Architecture Blog, 2015.

    Attributes:
        base: Seconds the first wait may take at most.
        cap: Seconds any wait may take at most.
        retries: Further tries after the first.
    """

    base: float = 0.5
    cap: float = 60.0
    retries: int = 3

    def ceiling(self, attempt: int) -> float:
        """Longest wait after failed attempt number `attempt` (1-based), in seconds."""
        return min(self.cap, self.base * 2.0 ** min(attempt - 1, 60))

    def wait(self, attempt: int, draw: Callable[[], float] = random.random) -> float:
        """Seconds to wait after failed attempt number `attempt`; `draw` gives a number in [0, 1)."""
        return self.ceiling(attempt) * draw()

    def may_retry(self, attempt: int) -> bool:
        """Whether attempt number `attempt` may be followed by another."""
        return attempt <= self.retries


def retry_after(value: str | None, *, now: datetime | None = None, limit: float = DAY) -> float | None:
    """Seconds a `Retry-After` header asks for (RFC 9110, 10.2.3: seconds or an HTTP date).

    Args:
        value: The header's text.
        now: The present time, with a time zone.
        limit: The answer is clamped to this many seconds. How long a run waits at most is for its settings.

    Returns:
        Seconds from 0 to `limit`; None when there is no header or it can't be read.
    """
    if value is None or not value.strip():
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text), limit)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - (now or datetime.now(UTC))).total_seconds(), 0.0), limit)
