"""The feeder: takes a plan's items that still have to be sent, in order, and cuts them into chunks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import polars as pl

from ..core.chunks import recommended_size
from ..core.columns import CHANGE, ITEM, PROBLEMS, RAW
from ..core.states import SENDABLE, Outcome
from ..journal.journal import CODES
from .chunk import Chunk, frame_items

if TYPE_CHECKING:
    from ..core.settings import Settings
    from ..journal.journal import JournalReader
    from ..planning.plan import Plan
    from ..targets.base import Target

BLOCK = 50_000


def chunk_size(settings: Settings, plan: Plan, target: Target) -> int:
    """Items per chunk: what the operator said, else what suits the target and the plan."""
    call_size = settings.call_size or target.call_size
    suited = recommended_size(plan.to_send(), call_size=call_size, most=target.chunk_items)
    return settings.chunk_size or suited


class Covered:
    """Which items already have an outcome, one bit's worth of truth an item; empty for a fresh run.

    Args:
        total: Items in the plan.
        journal: The run's journal.

    Attributes:
        reopened: Some items had an outcome and are pending again.
    """

    def __init__(self, total: int, journal: JournalReader) -> None:
        self._total = total
        self._mask = bytearray()
        self.reopened = False
        for first, last, *_ in journal.chunks():
            self.add(first, last)
        for item, code in journal.outcome_items():
            self._mask = self._mask or bytearray(total)
            self._mask[item] = code != CODES[Outcome.PENDING]
            self.reopened |= code == CODES[Outcome.PENDING]

    def __bool__(self) -> bool:
        return bool(self._mask)

    def add(self, first: int, last: int) -> None:
        """Treat these items as taken."""
        self._mask = self._mask or bytearray(self._total)
        self._mask[first : last + 1] = b"\x01" * (last + 1 - first)

    def add_items(self, items: Iterable[int]) -> None:
        """Treat these items, one by one, as taken."""
        self._mask = self._mask or bytearray(self._total)
        for item in items:
            self._mask[item] = 1

    def open_rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows whose item has no outcome yet."""
        if not self._mask or frame.is_empty():
            return frame
        first, last = int(frame[ITEM][0]), int(frame[ITEM][-1])
        if not any(self._mask[first : last + 1]):
            return frame
        taken = pl.Series("taken", self._mask[first : last + 1], dtype=pl.UInt8).cast(pl.Boolean)
        return frame.filter(~taken.gather(frame[ITEM] - first))


class Feeder:
    """Hands out the items of a plan that have no outcome, chunk by chunk. One caller at a time.

    Args:
        plan: The plan.
        covered: Items to leave out.
        recovering: Whatever has no outcome may have been sent before.
    """

    def __init__(self, plan: Plan, covered: Covered, *, recovering: bool = False) -> None:
        self._plan = plan
        self._recovering = recovering
        self._covered = covered
        self._blocks: Iterator[pl.DataFrame] = plan.blocks(BLOCK)
        self._buffer: deque[pl.DataFrame] = deque()
        self._held = 0

    def next_few(self, count: int, size: int, *, as_items: bool) -> list[Chunk]:
        """Up to `count` chunks of at most `size` items; an empty list when nothing is left."""
        self._fill(count * size)
        if not self._held:
            return []
        frame = self._take(min(count * size, self._held))
        # Items are made of all rows at once: that costs far less than chunk by chunk.
        items = frame_items(frame) if as_items else []
        numbers = frame[ITEM].to_list()
        return [
            Chunk(
                frame[start : start + size],
                first=numbers[start],
                last=numbers[min(start + size, len(numbers)) - 1],
                recovering=self._recovering,
                itemised=self._covered.reopened,
                items=items[start : start + size],
            )
            for start in range(0, len(numbers), size)
        ]

    def _fill(self, wanted: int) -> None:
        while self._held < wanted and (block := next(self._blocks, None)) is not None:
            rows = self._covered.open_rows(block)
            if rows.height:
                self._buffer.append(rows)
                self._held += rows.height

    def _take(self, size: int) -> pl.DataFrame:
        parts: list[pl.DataFrame] = []
        self._held -= size
        while size:
            block = self._buffer.popleft()
            parts.append(block[:size])
            if block.height > size:
                self._buffer.appendleft(block[size:])
            size -= parts[-1].height
        return parts[0] if len(parts) == 1 else pl.concat(parts)


def recovery_chunks(
    plan: Plan, covered: Covered, ranges: Sequence[tuple[int, int]], *, as_items: bool
) -> Iterator[Chunk]:
    """The chunks that were under way when the run died, with exactly the items they had then.

    Args:
        plan: The plan.
        covered: Items that have their outcome after all.
        ranges: first, last of each intent on record.
        as_items: Make `Item`s of the rows as well.
    """
    sendable = pl.col(CHANGE).is_in(list(SENDABLE))
    for first, last in ranges:
        rows = plan.changes().slice(first, last - first + 1).filter(sendable)
        frame = rows.select(pl.exclude(f"^{RAW}.*$", PROBLEMS)).collect()
        frame = covered.open_rows(frame)
        if frame.height:
            yield Chunk.of(frame, recovering=True, itemised=covered.reopened, as_items=as_items)


def chunk_of(plan: Plan, items: Sequence[int], *, as_items: bool) -> Chunk:
    """The chunk of exactly these items, which are in order."""
    first, last = items[0], items[-1]
    rows = plan.changes().slice(first, last - first + 1).filter(pl.col(ITEM).is_in(list(items)))
    frame = rows.select(pl.exclude(f"^{RAW}.*$", PROBLEMS)).collect()
    return Chunk.of(frame, itemised=True, as_items=as_items)
