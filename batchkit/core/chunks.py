"""Chunks: how many items make one, and cutting rows into them by count or by weight."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

FRAME_CHUNK = 25_000
"""Items per chunk where a chunk is one transaction: large enough that its commit costs little, small enough
that a refused chunk, a stop or a lost connection costs under a second."""

CALL_CHUNK = 50
"""Items per chunk where each call is a request over the network."""


def recommended_size(
    items: int, *, call_size: int | None, row_bytes: float = 200.0, most: int | None = None
) -> int:
    """Chunk size that suits a target.

    Args:
        items: Items to send in all.
        call_size: Items one call carries; None when a call is a whole chunk.
        row_bytes: Mean size of an item in bytes.
        most: Limit instead of `FRAME_CHUNK`, where the target does better with larger transactions.

    Returns:
        For chunks that are one call: a fifth of the items, so that there is progress to see, from 1,000 to
        `FRAME_CHUNK`; fewer where rows are so large that a chunk would pass 32 MiB. Otherwise `CALL_CHUNK`,
        or a few calls' worth when calls are large.
    """
    if call_size is not None:
        return max(CALL_CHUNK, 4 * call_size)
    by_weight = int(32 * 1024**2 / max(row_bytes, 1.0))
    return max(1, min(max(items // 5, 1_000), most or FRAME_CHUNK, by_weight))


def by_count(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut items into lists of `size`, the last one shorter; the lists concatenate to the input.

    Raises:
        ValueError: `size` is below 1.
    """
    return by_weight(items, float(size), lambda _: 1.0, most=size)


def by_weight(
    items: Iterable[T], limit: float, weight: Callable[[T], float], *, most: int | None = None
) -> Iterator[list[T]]:
    """Cut items into lists whose weights sum to at most `limit`; they concatenate to the input.

    Args:
        items: What is cut.
        limit: Largest sum of weights (bytes, MB, rows) of a list. An item heavier than that stands alone.
        weight: Weight of one item.
        most: Largest number of items in a list, whatever they weigh.

    Raises:
        ValueError: `limit` isn't above 0, or `most` is below 1.
    """
    if limit <= 0 or (most is not None and most < 1):
        raise ValueError("a chunk needs room for at least one item")
    chunk: list[T] = []
    total = 0.0
    for item in items:
        heavy = weight(item)
        if chunk and (total + heavy > limit or len(chunk) == most):
            yield chunk
            chunk, total = [], 0.0
        chunk.append(item)
        total += heavy
    if chunk:
        yield chunk
