"""A shelf of three items, plans for it, and how to look at them."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.columns import CHANGE
from batchkit.planning import planner as planning
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.testing import MemoryTarget

SHOP: list[dict[str, Any]] = [
    {"id": "1", "name": "Old", "city": "Lyon", "price": Decimal("1.50")},
    {"id": "2", "name": "Same", "city": None, "price": None},
    {"id": "9", "name": "Other", "city": "Metz", "price": Decimal("9.00")},
]
TYPES = {"id": "text", "name": "text", "city": "text", "price": "decimal"}


class Shelf(MemoryTarget):
    """A memory target that can also list its items, resolve lookups and hold keys twice."""

    def __init__(self, rows: Sequence[dict[str, Any]] = SHOP, types: dict[str, str] | None = None) -> None:
        super().__init__(
            f"memory:{uuid.uuid4()}", key=["id"], rows=rows, types=TYPES if types is None else types
        )
        self.categories = {"Food": 1, "Tools": 2}
        self.asked: list[str] = []
        self.twice: list[str] = []

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """As the table, with a second row for the keys in `twice`."""
        found = super().read(keys, fields)
        return pl.concat([found, found.filter(pl.col("id").is_in(self.twice))])

    def scan_keys(self, fields: Sequence[str], size: int = 50_000) -> Any:
        """All rows, one frame each."""
        del size
        for key in list(self.rows):
            yield super().read(pl.DataFrame({"id": [key[0]]}), fields)

    def resolve_lookup(self, lookup: Any, names: pl.Series) -> pl.DataFrame:
        """Ids of categories; notes which names were asked for."""
        del lookup
        self.asked += names.to_list()
        known = [name for name in names if name in self.categories]
        ids = [self.categories[name] for name in known]
        return pl.DataFrame({"name": known, "id": ids}, schema={"name": pl.String, "id": pl.Int64})


def planned(rows: Mapping[str, Any], target: MemoryTarget | None = None, **options: Any) -> Plan:
    """The plan of these rows for a shelf."""
    given = {"key": ["id"], **options}
    return Job(pl.DataFrame(rows, strict=False), "memory:x", **given).plan(target=target or Shelf())


def kinds(plan: Plan) -> list[str]:
    """The kind of change of each item, in order."""
    return plan.changes().collect()[CHANGE].to_list()


def view(plan: Plan, item: int) -> dict[str, tuple[Any, Any, bool]]:
    """Before, after and changed of one item's fields."""
    one = plan.page(None, item, 1)[0]
    return {name: (before, after, changed) for name, before, after, changed in one.fields}


_made: list[Plan] = []


def the_plan() -> Plan:
    """A plan of 60 rows of all kinds, in windows of 9; one for all examples of a property."""
    if not _made:
        folder = Path(tempfile.mkdtemp())
        names = ["Old" if n % 3 else "New" for n in range(60)]
        rows = [{"id": str(n), "name": "Old", "city": None, "price": None} for n in range(0, 60, 2)]
        keys = [str(n) if n % 10 else "0" for n in range(60)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planning, "WINDOW", 9)
            job = Job(pl.DataFrame({"id": keys, "name": names}), "memory:x", key=["id"])
            _made.append(job.plan(folder / "p.parquet", target=Shelf(rows)))
    return _made[0]
