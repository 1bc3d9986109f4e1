"""Chunks: cut by count or weight, nothing lost and nothing doubled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.chunks import FRAME_CHUNK, by_count, by_weight, recommended_size


@given(st.lists(st.integers()), st.integers(1, 20))
def test_by_count_concatenates_to_the_input(items: list[int], size: int) -> None:
    """Chunks by count hold every item once, in order, and all but the last are full."""
    chunks = list(by_count(items, size))
    assert [item for chunk in chunks for item in chunk] == items
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(1 <= len(chunk) <= size for chunk in chunks)


@given(st.lists(st.integers(0, 50)), st.integers(1, 60))
def test_by_weight_never_passes_the_limit_but_for_a_single_item(weights: list[int], limit: int) -> None:
    """Chunks by weight stay within the limit; only an item that is itself too heavy stands alone above it."""
    chunks = list(by_weight(weights, limit, float))
    assert [item for chunk in chunks for item in chunk] == weights
    assert all(sum(chunk) <= limit or len(chunk) == 1 for chunk in chunks)


def test_by_weight_refuses_no_room() -> None:
    """A limit that no item fits in is an error, not an endless loop."""
    with pytest.raises(ValueError, match="at least one item"):
        list(by_weight([1], 0, float))


def test_recommended_size_follows_the_target_and_the_rows() -> None:
    """Transactions get large chunks (smaller for huge rows), requests small ones of a few calls."""
    assert recommended_size(1_000_000, call_size=None) == FRAME_CHUNK
    assert recommended_size(1_000_000, call_size=None, row_bytes=1_000_000) == 33
    assert recommended_size(20_000, call_size=None) == 4_000
    assert recommended_size(7, call_size=None) == 1_000
    assert recommended_size(10_000, call_size=1) == 50
    assert recommended_size(10_000, call_size=25) == 100
