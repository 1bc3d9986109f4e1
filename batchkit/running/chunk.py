"""What a session moves: chunks of a plan's items, and the calls that carry them to the target."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ..core.columns import AFTER, BEFORE, CHANGE, FILE_ROW, ITEM, KEY
from ..targets.base import Item
from .tries import Tries


@dataclass(slots=True)
class Chunk:
    """Items that are checkpointed together.

    Attributes:
        frame: The rows, columns as `targets.base` lists them.
        first, last: Ordinals of its first and last item.
        recovering: It may have been sent before (after a crash).
        itemised: Some of its items lie within a chunk on record, so each gets a row of its own.
        overwrite: Its items are written whatever the target holds: the operator saw their conflict.
        items: The rows as items, for targets that take calls; empty for those that take frames.
        open_calls: Calls of it that have no outcome yet.
        notes: What is to stand in an item's outcome once it is done (`overwritten`, `kept`), by item.
    """

    frame: pl.DataFrame
    first: int
    last: int
    recovering: bool = False
    itemised: bool = False
    overwrite: bool = False
    items: list[Item] = field(default_factory=list)
    open_calls: int = 0
    notes: dict[int, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, frame: pl.DataFrame, *, recovering: bool = False, itemised: bool = False, as_items: bool = False
    ) -> Chunk:
        """The chunk that holds these rows."""
        numbers = frame[ITEM]
        items = frame_items(frame) if as_items else []
        first, last = int(numbers[0]), int(numbers[-1])
        return cls(frame, first, last, recovering=recovering, itemised=itemised, items=items)


@dataclass(slots=True)
class Call:
    """One request to the target: some items of a chunk, or all of it where the target takes frames.

    Attributes:
        chunk: The chunk it belongs to.
        items: What it carries; empty where it carries the whole chunk, or nothing.
        question: It carries nothing, and changes nothing at the target.
        doubt: One of its tries may have been done all the same.
        intent: First item of its own intent on record, where each call has one.
        done_first: Items of the session that were done when it was sent first; -1 before that.
    """

    chunk: Chunk
    items: list[Item] = field(default_factory=list)
    question: bool = False
    doubt: bool = False
    intent: int | None = None
    done_first: int = -1
    _tries: Tries | None = None

    @property
    def tries(self) -> Tries:
        """How often it was sent, and what of that counts."""
        # Made when somebody asks, which is for few: thousands of calls wait in the queue and most are sent
        # once, while each object costs the collector of garbage some time.
        if self._tries is None:
            self._tries = Tries.of_first(self.done_first) if self.done_first >= 0 else Tries()
        return self._tries

    def begin(self, done: int) -> None:
        """Count a try that is about to be made, when so many items of the session are done."""
        if self.done_first < 0 and self._tries is None:
            self.done_first = done
        else:
            self.tries.begin(done)

    @property
    def numbers(self) -> Container[int]:
        """Which items it carries."""
        chunk = self.chunk
        return {item.index for item in self.items} if self.items else range(chunk.first, chunk.last + 1)

    @property
    def size(self) -> int:
        """Items it carries."""
        return len(self.items) or self.chunk.frame.height


def frame_items(frame: pl.DataFrame) -> list[Item]:
    """The rows of a plan's frame as `Item`s."""
    key, before, after = (_split(frame, prefix) for prefix in (KEY, BEFORE, AFTER))
    plain = zip(frame[ITEM].to_list(), frame[FILE_ROW].to_list(), frame[CHANGE].to_list(), strict=True)
    return [
        Item(item, row, change, keys, old, new)
        for (item, row, change), keys, old, new in zip(plain, key, before, after, strict=True)
    ]


def _split(frame: pl.DataFrame, prefix: str) -> list[dict[str, object]]:
    names = [name for name in frame.columns if name.startswith(prefix)]
    if not names:
        return [{} for _ in range(frame.height)]
    return frame.select(pl.col(name).alias(name.removeprefix(prefix)) for name in names).to_dicts()
