"""Estimators: time left, disk needed, memory in use. Without a basis they answer None, never a guess."""

from __future__ import annotations

import shutil
from collections import deque
from dataclasses import dataclass
from pathlib import Path

JOURNAL_ITEM_BYTES = 60
"""Journal bytes per item of one call each (measured: 34-52 with its index, plus the write-ahead log)."""

FAILED_ITEM_BYTES = 900
"""Journal and report bytes of an item that failed: its reason, advice and original columns."""


class EtaEstimator:
    """Time left, from this session's own rate.

    Feed it active seconds only: skipped, resumed and paused time are not in it, so they can't flatter or
    spoil the figure.

    Args:
        window: Active seconds that count as recent.
        basis: Active seconds and points needed before there is an answer.
    """

    def __init__(self, *, window: float = 30.0, basis: tuple[float, int] = (1.0, 3)) -> None:
        self._points: deque[tuple[float, int]] = deque()
        self._window = window
        self._basis = basis
        self._first: tuple[float, int] | None = None

    def add(self, active: float, items: int) -> None:
        """Note that `items` have their outcome after `active` seconds of work in this session."""
        if self._first is None:
            self._first = (active, items)
        self._points.append((active, items))
        while len(self._points) > 2 and active - self._points[1][0] >= self._window:
            self._points.popleft()

    def rate(self) -> float | None:
        """Items per second over the recent window; None before there is a basis."""
        return self._rate_since(self._points[0]) if len(self._points) >= self._basis[1] else None

    def session_rate(self) -> float | None:
        """Items per second over the whole session; None before there is a basis."""
        return None if self._first is None else self._rate_since(self._first)

    def _rate_since(self, first: tuple[float, int]) -> float | None:
        (start, before), (end, after) = first, self._points[-1]
        return (after - before) / (end - start) if end - start >= self._basis[0] and after > before else None

    def remaining(self, items: int) -> tuple[float, float] | None:
        """Seconds left for `items` as a range; None before there is a basis.

        The range spans the recent and the whole session's rate, and at least 10 % to either side: a point
        would claim a precision that no live system has.
        """
        if items <= 0:
            return (0.0, 0.0)
        rates = [rate for rate in (self.rate(), self.session_rate()) if rate]
        if not rates:
            return None
        return (items / max(rates) * 0.9, items / min(rates) * 1.1)


@dataclass(frozen=True, slots=True)
class DiskEstimate:
    """Free disk against what a run may still need, in bytes.

    Attributes:
        free: Free bytes where the run folder lies.
        need: Bytes the run may still write.
        reserve: Bytes that must stay free.
    """

    free: int
    need: int
    reserve: int

    @property
    def enough(self) -> bool:
        """Whether the run can end without touching the reserve."""
        return self.free - self.need >= self.reserve

    @property
    def critical(self) -> bool:
        """Whether the reserve is touched already."""
        return self.free < self.reserve


def disk_need(items: int, *, atomic: bool, failing_share: float = 0.05) -> int:
    """Bytes that journal and report of a run may take.

    Args:
        items: Items still to send.
        atomic: Whole chunks are journaled as one row.
        failing_share: Share of items expected to fail.
    """
    per_item = (0 if atomic else JOURNAL_ITEM_BYTES) + failing_share * FAILED_ITEM_BYTES
    return int(items * per_item) + 2 * 1024**2


def disk_estimate(folder: Path, need: int, reserve: int) -> DiskEstimate:
    """Look at the disk that holds `folder`."""
    return DiskEstimate(free=shutil.disk_usage(folder).free, need=need, reserve=reserve)


def memory_in_use() -> int:
    """Resident memory of this process in bytes.

    Raises:
        OSError: The system doesn't tell.
    """
    import psutil

    try:
        return int(psutil.Process().memory_info().rss)
    except psutil.Error as error:
        raise OSError(str(error)) from error
