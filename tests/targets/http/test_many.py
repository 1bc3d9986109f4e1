"""Many items read by their keys: everything that was asked for, once, a few requests at a time."""

from __future__ import annotations

import asyncio

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.targets.http.many import Memory, Values, chunked, frame_of, read_parts


@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 5))
def test_each_key_is_asked_for_once_and_in_order(keys: int, size: int, at_once: int) -> None:
    """Whatever the sizes are; and never more requests are under way than may be."""
    under_way = most = 0

    async def read(part: range) -> list[int]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return [10 * each for each in part]

    parts = chunked(range(keys), size)
    assert [each for part in parts for each in part] == list(range(keys))
    found = asyncio.run(read_parts(parts, read, at_once))  # type: ignore[arg-type]  # parts of a range are ranges
    assert found == [10 * each for each in range(keys)]
    assert most <= at_once


def test_when_one_request_fails_none_is_left_under_way() -> None:
    """The error is told, and the others are called off."""
    called_off = []

    async def read(part: int) -> list[int]:
        if part == 2:
            raise ConnectionError
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            called_off.append(part)
            raise
        return [part]

    with pytest.raises(ConnectionError):
        asyncio.run(read_parts([0, 1, 2], read, 3))
    assert called_off == [0, 1]


def test_what_a_type_cannot_carry_stands_beside_it_as_text() -> None:
    """A column of texts for the fields that lost something, and for no other."""
    keys = pl.DataFrame({"id": [1, 2, 3]})
    found: list[tuple[dict[str, int], Values]] = [
        ({"id": 3}, [(None, "twelve"), ("a", None)]),
        ({"id": 1}, [(5, None), (None, None)]),
    ]
    frame = frame_of(keys, {"stock": pl.Int64(), "name": pl.String()}, found)
    assert frame.to_dicts() == [
        {"id": 3, "stock": None, "name": "a", "lost:stock": "twelve"},
        {"id": 1, "stock": 5, "name": None, "lost:stock": None},
    ]


def test_memory_forgets_the_oldest() -> None:
    """A million items don't stay in memory; a key is the same however it is typed."""
    memory: Memory[str] = Memory(2)
    for number in (1, 2, 3):
        memory.keep({"id": number}, f"item {number}")
    assert memory.recall({"id": 1}) is None
    assert memory.recall({"id": "3"}) == "item 3"
