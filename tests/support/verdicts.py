"""Every way in which an item can stand: all changes, with every mix of former, present and wanted values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import polars as pl

from batchkit.core.columns import AFTER, BEFORE, CHANGE, FILE_ROW, ITEM, KEY
from batchkit.core.compare import NOW, THERE, Standing

Values = dict[str, str | None]


@dataclass(frozen=True)
class Case:
    """One item: what the plan saw, what the target holds now (None: not there), what is wanted."""

    change: str
    before: Values
    now: Values | None
    wanted: Values

    def row(self, fields: Sequence[str]) -> dict[str, Any]:
        """The row of a frame that `join_present` gave."""
        row: dict[str, Any] = {CHANGE: self.change, THERE: self.now is not None}
        for name in fields:
            row[BEFORE + name], row[AFTER + name] = self.before[name], self.wanted[name]
            row[NOW + name] = (self.now or {}).get(name)
        return row

    def left(self, standing: Standing) -> Values | None:
        """What the target must hold once the item was applied; None where it must hold nothing."""
        if standing in {Standing.DONE, Standing.EDITED}:
            return self.now
        if self.change == "delete":
            return None
        now = self.now or {}
        alone = {n for n in self.wanted if self.change == "update" and self.before[n] == self.wanted[n]}
        return {name: now[name] if name in alone else self.wanted[name] for name in self.wanted}


def every_case(fields: Sequence[str], values: Sequence[str | None]) -> list[Case]:
    """All cases over these fields and values, once each."""
    mixes = [dict(zip(fields, mix, strict=True)) for mix in product(values, repeat=len(fields))]
    nothing: Values = dict.fromkeys(fields)
    cases = [Case("update", *mix) for mix in product(mixes, (None, *mixes), mixes)]
    cases += [Case("create", nothing, now, wanted) for now, wanted in product((None, *mixes), mixes)]
    cases += [Case("delete", before, now, nothing) for before, now in product(mixes, (None, *mixes))]
    return cases


def plan_rows(cases: Sequence[Case], fields: Sequence[str]) -> pl.DataFrame:
    """The cases as rows of a plan, keyed by their place in the list."""
    texts = {}
    for name in fields:
        texts[BEFORE + name] = pl.Series([case.before[name] for case in cases], dtype=pl.String)
        texts[AFTER + name] = pl.Series([case.wanted[name] for case in cases], dtype=pl.String)
    numbers = pl.int_range(len(cases), eager=True, dtype=pl.UInt32)
    key = numbers.cast(pl.String)
    changes = [case.change for case in cases]
    return pl.DataFrame({ITEM: numbers, FILE_ROW: numbers + 2, CHANGE: changes, KEY + "id": key, **texts})
