"""Jobs for the practice server: its items and its messages, described as any API is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from tests.support.sandboxes import Sandbox

ITEMS: Mapping[str, Any] = {
    "fields": {"id": "text", "name": "text", "price": "decimal", "stock": "integer"},
    "read": {"url": "/items?ids={keys}", "many": 50, "list": "items"},
    "create": {"method": "POST", "url": "/items", "idempotency": "Idempotency-Key"},
    "update": {"method": "PATCH", "url": "/items/{id}"},
    "delete": {"method": "DELETE", "url": "/items/{id}"},
}
MESSAGES: Mapping[str, Any] = {
    "send": {"method": "POST", "url": "/messages", "body": {"to": "{to}", "text": "Hello {name}!"}}
}


def items(count: int, start: int = 0, **changes: Any) -> pl.DataFrame:
    """Rows as a sheet has them."""
    numbers = pl.int_range(start, start + count, eager=True)
    frame = pl.DataFrame(
        {
            "id": "k" + numbers.cast(pl.String).str.zfill(4),
            "name": "Société " + numbers.cast(pl.String),
            "price": (numbers * 3).cast(pl.String) + ".50",
            "stock": numbers.cast(pl.String),
        }
    )
    return frame.with_columns(pl.lit(value).alias(name) for name, value in changes.items())


def stored(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The same as the server keeps them."""
    return [
        {**row, "price": float(row["price"]), "stock": int(row["stock"])}
        for row in frame.iter_rows(named=True)
    ]


def job(server: Sandbox, rows: pl.DataFrame, *, key: str = "id", **options: Any) -> Job:
    """A job that brings rows to the server's items."""
    described = {**ITEMS, **options.pop("target", {})}
    return Job(rows, to=f"http+{server.url}", key=[key], target=described, **options)


def messages(server: Sandbox, count: int, **target: Any) -> Plan:
    """A plan of messages, each of which must arrive at most once."""
    rows = pl.DataFrame(
        {"to": [f"+336{n:08}" for n in range(count)], "name": [f"N{n}" for n in range(count)]}
    )
    return Job(rows, to=f"http+{server.url}", key=["to"], target={**MESSAGES, **target}).plan()


def counts(run: Run) -> dict[str, int]:
    """Outcomes that occur."""
    return {name: n for name, n in run.snapshot().outcomes.items() if n}
