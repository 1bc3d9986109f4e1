"""What every source of rows has in common: its protocol, and frames cut to one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, runtime_checkable

import polars as pl

from ..core.problem import Problem

BATCH = 50_000


@runtime_checkable
class Source(Protocol):
    """Anything rows come from: a file, a query, a frame.

    Attributes:
        name: What people call it: a file name, "query", "frame".
        columns: Names of the columns, without `ROW`.
        problems: What is wrong with the source as a whole and with its rows. It grows while `batches()` is
            read and is complete after it. A row that has a problem of level "error" must not be sent.
    """

    name: str
    columns: list[str]
    problems: list[Problem]

    def batches(self, size: int = BATCH) -> Iterator[pl.DataFrame]:
        """The rows from first to last: frames of `size` rows (the last may hold fewer).

        Yields:
            Frames with `ROW` (UInt32) and all columns as String; an empty cell is null.
        """
        ...

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the file's bytes, or of the content where there is no file."""
        ...

    def describe(self) -> dict[str, Any]:
        """JSON-able facts, enough to open it again the same way."""
        ...


def regrouped(frames: Iterable[pl.DataFrame], size: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of exactly `size` rows; the last may hold fewer, empty ones are dropped."""
    waiting: list[pl.DataFrame] = []
    held = 0
    for frame in frames:
        if not frame.height:
            continue
        waiting.append(frame)
        held += frame.height
        if held < size:
            continue
        whole = waiting[0] if len(waiting) == 1 else pl.concat(waiting)
        full = held - held % size
        yield from (whole.slice(start, size) for start in range(0, full, size))
        waiting = [whole.slice(full)] if full < held else []
        held -= full
    if held:
        yield waiting[0] if len(waiting) == 1 else pl.concat(waiting)
