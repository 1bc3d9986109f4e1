"""Plans made by hand, for tests that need a run and no file."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from batchkit.core.columns import AFTER, BEFORE, CHANGE, FILE_ROW, ITEM, KEY, PROBLEMS, RAW
from batchkit.core.states import Change
from batchkit.planning.plan import Plan
from batchkit.planning.plan_file import WINDOW, PlanWriter
from batchkit.sources.base import regrouped

PROBLEM = pl.List(
    pl.Struct(dict.fromkeys(("column", "value", "rule", "message", "advice", "level"), pl.String))
)


def closed_window() -> str:
    """A window of a minute, twelve hours away whenever the tests run."""
    opening = datetime.now().astimezone() + timedelta(hours=12)
    return f"{opening:%H:%M}-{opening + timedelta(minutes=1):%H:%M}"


def plan_of(
    path: Path, items: int, *, changes: list[str] | None = None, target: dict[str, Any] | None = None
) -> Plan:
    """A plan of `items` rows `id` → `name`; each a create unless `changes` (repeated) says otherwise."""
    kinds = pl.Series(changes or [str(Change.CREATE)])
    numbers = pl.int_range(items, eager=True, dtype=pl.UInt32)
    kind = kinds.gather(numbers % len(kinds))
    ids = numbers.cast(pl.String)
    exists = kind.is_in(["update", "unchanged", "delete"])
    frame = pl.DataFrame(
        {
            ITEM: numbers,
            FILE_ROW: numbers + 2,
            CHANGE: kind,
            KEY + "id": ids,
            BEFORE + "name": pl.select(pl.when(exists).then("old " + ids)).to_series(),
            AFTER + "name": "new " + ids,
            RAW + "id": ids,
            RAW + "name": "new " + ids,
            PROBLEMS: pl.Series([None] * items, dtype=PROBLEM),
        }
    )
    target = target or {"url": "memory:test", "key": ["id"]}
    return write_plan(
        path, frame, address=target["url"], target=target, columns=["id", "name"], fields=["name"]
    )


def write_plan(path: Path, frame: pl.DataFrame, **facts: Any) -> Plan:
    """A plan file with these rows, as `job.plan()` would have left it; key `id` unless told otherwise."""
    told: dict[str, Any] = {
        "created_at": "2026-01-01T00:00:00+00:00",
        "source": {"name": path.stem, "kind": "frame"},
        "columns": [],
        "unused": [],
        "mapping": {},
        "table": "",
        "key": ["id"],
        "mode": "upsert",
        "compare": {},
        "types": {},
        "settings": {},
        "notices": [],
        "irreversible_because": "",
        "undoes": None,
        "job": None,
        "folder": None,
    }
    with PlanWriter(path, frame.schema) as writer:
        for window in regrouped([frame], WINDOW):
            writer.write(window)
        return Plan(path, writer.finish({**told, **facts}))
