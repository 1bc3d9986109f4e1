"""Frames as a plan holds them, made from rows in plain Python: what the tests of SQL targets apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from batchkit.core.columns import FieldType
from batchkit.targets.base import ChunkContext, Result
from batchkit.targets.sql.types import dtype_of

Row = Mapping[str, Any]


def plan_frame(
    changes: Sequence[tuple[str, Row | None, Row | None]],
    key: Sequence[str],
    types: Mapping[str, FieldType],
    *,
    names: Sequence[Row] | None = None,
) -> pl.DataFrame:
    """A chunk from `(change, before, after)`; the key is taken from whichever of the two is there."""
    columns: dict[str, pl.Series] = {
        "item": pl.Series(range(len(changes)), dtype=pl.UInt32),
        "row": pl.Series(range(2, len(changes) + 2), dtype=pl.UInt32),
        "change": pl.Series([change for change, _, _ in changes], dtype=pl.String),
    }
    for name in key:
        values = [(after or before or {})[name] for _, before, after in changes]
        columns[f"key:{name}"] = pl.Series(values, dtype=dtype_of(types[name]))
    for name, field in types.items():
        if name in key:
            continue
        dtype = dtype_of(field)
        columns[f"before:{name}"] = pl.Series(
            [(before or {}).get(name) for _, before, _ in changes], dtype=dtype
        )
        columns[f"after:{name}"] = pl.Series(
            [(after or {}).get(name) for _, _, after in changes], dtype=dtype
        )
    for name in names[0] if names else ():
        columns[f"name:{name}"] = pl.Series([row.get(name) for row in names or ()], dtype=pl.String)
    return pl.DataFrame(columns)


def context(frame: pl.DataFrame, **options: Any) -> ChunkContext:
    """A chunk of the whole frame."""
    return ChunkContext(run=options.pop("run", "run1"), first=0, last=max(frame.height - 1, 0), **options)


def by_item(results: Sequence[Result]) -> dict[int, tuple[str, str]]:
    """Outcome and rule per item that isn't simply done; fails when an item has two."""
    assert len({result.item for result in results}) == len(results)
    return {result.item: (str(result.outcome), result.rule) for result in results}
