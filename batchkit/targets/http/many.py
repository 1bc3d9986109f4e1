"""Reading many items by their keys: a few keys per request, a few requests at once, one frame of it all."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import polars as pl

from ...core.columns import LOST
from .requests import together

Part = TypeVar("Part")
Found = TypeVar("Found")

Values = Sequence[tuple[Any, str | None]]
"""An item's fields: each with its text where the field's type can't carry the value."""


def chunked(values: Sequence[Part], size: int) -> list[Sequence[Part]]:
    """The values in parts of a size; the last may be smaller."""
    return [values[start : start + size] for start in range(0, len(values), size)]


async def read_parts(
    parts: Iterable[Part], read: Callable[[Part], Awaitable[Sequence[Found]]], at_once: int
) -> list[Found]:
    """What `read` finds for each part, in the order of the parts; when one fails, none is left running.

    Args:
        parts: What one request asks for: a few keys, or their text in its address.
        read: Sends the request, or more where the answer comes in pages.
        at_once: Requests under way at once.
    """
    # A turn is held for a whole part: for its pages, and while it waits to be tried again.
    turns = asyncio.Semaphore(at_once)

    async def one(part: Part) -> Sequence[Found]:
        async with turns:
            return await read(part)

    return [each for found in await together(one(part) for part in parts) for each in found]


def frame_of(
    keys: pl.DataFrame, types: Mapping[str, pl.DataType], found: Iterable[tuple[Mapping[str, Any], Values]]
) -> pl.DataFrame:
    """What was found, as `Target.read` gives it.

    Args:
        keys: The keys that were asked for; what is found has these columns as they were given.
        types: Type of each field that was asked for.
        found: The key of an item, and its fields in the order of `types`.
    """
    pairs = list(found)
    columns: dict[str, list[Any]] = {name: [key[name] for key, _ in pairs] for name in keys.columns}
    lost: dict[str, list[str | None]] = {}
    for at, name in enumerate(types):
        columns[name] = [values[at][0] for _, values in pairs]
        lost[LOST + name] = [values[at][1] for _, values in pairs]
    frame = pl.DataFrame(columns, schema={**keys.schema, **types})
    gone = [name for name, texts in lost.items() if any(text is not None for text in texts)]
    return frame.with_columns(pl.Series(name, lost[name], pl.String) for name in gone)


class Memory(Generic[Found]):
    """What was found behind a key, kept between reading an item and writing it; the oldest is forgotten.

    Args:
        most: Keys that are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[tuple[str, ...], Found] = OrderedDict()

    def keep(self, key: Mapping[str, Any], found: Found) -> None:
        """Remember it."""
        self._found[_texts(key)] = found
        if len(self._found) > self._most:
            self._found.popitem(last=False)

    def recall(self, key: Mapping[str, Any]) -> Found | None:
        """What was found; None where nothing was, or it is forgotten."""
        return self._found.get(_texts(key))


def _texts(key: Mapping[str, Any]) -> tuple[str, ...]:
    # As texts: a number that was read from a plan and one that came in JSON are the same key.
    return tuple(map(str, key.values()))
