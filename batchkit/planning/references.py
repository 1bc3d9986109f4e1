"""Rows that refer to other rows of the same source: a parent must be there before its children are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import polars as pl

from .duplicates import hash_keys
from .spool import Spool

DEEPEST: Final = 50
"""Generations that are told apart; what lies deeper is sent together, at the end."""
_GENERATION: Final = "#generation"


class References:
    """Which rows must wait for others, by the hashes of keys and of what refers to them: 8 bytes a row each.

    Args:
        fields: Fields of the table that hold the key of another of its rows.
    """

    def __init__(self, fields: Iterable[str]) -> None:
        self.fields = list(fields)
        self._parents: dict[str, list[pl.Series]] = {name: [] for name in self.fields}

    def add(self, values: pl.DataFrame, key: str) -> None:
        """Take in a part: the references, as the key's type, so that they can be held against the keys."""
        for name, parts in self._parents.items():
            parts.append(
                hash_keys(values.select(pl.col(name).cast(values.schema[key], strict=False).alias(key)))
            )

    def find_generations(self, keys: pl.Series) -> pl.Series | None:
        """After how many others a row has to be sent; None when the order of the rows will do.

        A row waits for a parent that stands further down, and for whatever its parent waits for.

        Args:
            keys: Hashes of the rows' keys; null for blank ones.
        """
        own = pl.int_range(keys.len(), dtype=pl.UInt32, eager=True)
        place = pl.DataFrame({"hash": keys, "at": own}).drop_nulls().unique("hash", keep="first")
        late = pl.Series(_GENERATION, [0], dtype=pl.UInt8).new_from_index(0, keys.len())
        parents = []
        for parts in self._parents.values():
            refers = pl.concat([keys.clear(), *parts]).alias("hash").to_frame()
            parents.append(refers.join(place, on="hash", how="left", maintain_order="left")["at"])
        for _ in range(DEEPEST):
            before = late
            for at in parents:
                waits = (late.gather(at) + (at > own).cast(pl.UInt8)).fill_null(0)
                late = pl.DataFrame({"a": late, "b": waits}).select(pl.max_horizontal("a", "b")).to_series()
            late = late.clip(0, DEEPEST)
            if late.equals(before):
                break
        return late.alias(_GENERATION) if (late > 0).any() else None


def order_by_generation(
    frames: Iterable[pl.DataFrame], late: pl.Series, plan: Path
) -> Iterator[pl.DataFrame]:
    """The rows that wait for nobody as they come, then the others generation by generation.

    Args:
        frames: Planned rows, in the order of the source.
        late: Generation of each row.
        plan: Path of the plan; what memory has no room for waits beside it.
    """
    start = 0
    with ExitStack() as stack:
        waiting: dict[int, Spool] = {}
        for frame in frames:
            here = late.slice(start, frame.height)
            start += frame.height
            for generation in here.unique().sort():
                part = frame.filter(here == generation)
                if generation == 0:
                    yield part
                    continue
                if generation not in waiting:
                    waiting[generation] = stack.enter_context(Spool(plan))
                waiting[generation].add(part, pl.DataFrame())
        for generation in sorted(waiting):
            for part, _ in waiting[generation].parts():
                yield part
