"""Undo: the inverse of what a run did, as a plan like any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from ..errors import PlanError
from ..places import plans_folder
from ..plan import Plan
from ..problems import Problem
from ..sources import notice, plural
from ..states import Change, Outcome
from ..targets.base import AFTER, BEFORE, CHANGE, ITEM, NAME, PROBLEMS, RAW, FrameTarget
from .planfile import WINDOW, PlanWriter, regroup

_REVERSED: Final = {Change.CREATE: Change.DELETE, Change.UPDATE: Change.UPDATE, Change.DELETE: Change.CREATE}


def inverse(
    plan: Plan, outcomes: Iterable[pl.DataFrame], *, run_id: str, path: str | Path | None = None
) -> Plan:
    """The plan that takes back what a run did, last change first.

    What was created is deleted, what was changed gets its before-image back, what was deleted is created
    again. Items that the run did not do are left out. As in every plan, an item that somebody edited since
    will be a conflict, and is kept as it is.

    Args:
        plan: The plan that was run.
        outcomes: Frames with `item` and `outcome`, in any order.
        run_id: The run that is undone.
        path: Where the new plan shall be; by default a new file under the plans folder.

    Raises:
        PlanError: Nothing of it can be undone.
        DiskFull: No room is left.
    """
    reason = plan.facts["irreversible_because"]
    if reason:
        raise PlanError(f"The run {run_id} can't be undone. {reason}", run=run_id)
    done = _done(outcomes)
    place = Path(path).expanduser().absolute() if path else plans_folder() / f"undo-{run_id}.parquet"
    schema = _schema(plan)
    with PlanWriter(place, schema) as writer:
        for frame in regroup(_numbered(_reversed_rows(plan, done, schema)), WINDOW):
            writer.write(frame)
        return Plan(place, writer.finish(_facts(plan, run_id, done)))


def _done(outcomes: Iterable[pl.DataFrame]) -> pl.Series:
    done = [
        frame.filter(pl.col("outcome") == str(Outcome.DONE)).get_column(ITEM).cast(pl.UInt32)
        for frame in outcomes
    ]
    return pl.concat(done).unique().sort() if done else pl.Series(ITEM, dtype=pl.UInt32)


def _schema(plan: Plan) -> pl.Schema:
    present = plan.changes().collect_schema()
    return pl.Schema({name: kind for name, kind in present.items() if not name.startswith((RAW, NAME))})


def _reversed_rows(plan: Plan, done: pl.Series, schema: pl.Schema) -> Iterator[pl.DataFrame]:
    # From the end to the start: what a later change made room for must go before that room is needed again.
    names = _NewNames(plan)
    for start in reversed(range(0, len(plan), WINDOW)):
        here = done.filter((done >= start) & (done < start + WINDOW))
        if here.is_empty():
            continue
        rows = plan.changes().slice(start, WINDOW).select(pl.exclude(f"^{RAW}.*$")).collect()
        sent = pl.col(ITEM).is_in(here.implode()) & pl.col(CHANGE).is_in(list(_REVERSED))
        yield (
            names.resolved(rows.filter(sent))
            .reverse()
            .select(_turned(name, kind) for name, kind in schema.items())
        )


def _turned(name: str, kind: pl.DataType) -> pl.Expr:
    if name == CHANGE:
        return pl.col(CHANGE).replace_strict({str(old): str(new) for old, new in _REVERSED.items()})
    if name == PROBLEMS:
        return pl.lit(None, kind).alias(PROBLEMS)
    if name.startswith(BEFORE):
        return pl.col(AFTER + name.removeprefix(BEFORE)).alias(name)
    if name.startswith(AFTER):
        return pl.col(BEFORE + name.removeprefix(AFTER)).alias(name)
    return pl.col(name)


def _numbered(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    start = 0
    for frame in frames:
        yield frame.with_columns(pl.int_range(start, start + frame.height, dtype=pl.UInt32).alias(ITEM))
        start += frame.height


class _NewNames:
    """Ids of the lookup rows that the run itself created: the plan knows only their names."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._fields = [
            name.removeprefix(NAME) for name in plan.changes().collect_schema() if name.startswith(NAME)
        ]

    def resolved(self, rows: pl.DataFrame) -> pl.DataFrame:
        for field in self._fields:
            names = rows[NAME + field].drop_nulls().unique()
            if names.len():
                ids = self._ids(field, names).rename({"id": "#id"}).unique("name")
                rows = rows.join(
                    ids, left_on=NAME + field, right_on="name", how="left", maintain_order="left"
                )
                value = pl.coalesce(pl.col("#id").cast(rows.schema[AFTER + field]), AFTER + field)
                rows = rows.with_columns(value.alias(AFTER + field)).drop("#id")
        return rows

    def _ids(self, field: str, names: pl.Series) -> pl.DataFrame:
        lookup = self._plan.facts["mapping"][field]["lookup"]
        target = self._plan.open_target()
        assert isinstance(target, FrameTarget)  # noqa: S101  only such targets are planned with lookups
        target.connect()
        try:
            return target.resolve_lookup(lookup, names)
        finally:
            target.close()


def _facts(plan: Plan, run_id: str, done: pl.Series) -> dict[str, Any]:
    kept = (
        "target",
        "address",
        "table",
        "key",
        "fields",
        "mode",
        "compare",
        "types",
        "settings",
        "mapping",
        "folder",
    )
    return {
        **{name: plan.facts[name] for name in kept},
        "created_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "source": {"kind": "undo", "name": f"undo of {run_id}"},
        "columns": [],
        "unused": [],
        "notices": [each.to_dict() for each in _notices(plan, done)],
        "irreversible_because": "",
        "undoes": run_id,
        "job": None,
    }


def _notices(plan: Plan, done: pl.Series) -> Iterator[Problem]:
    left = plan.to_send() - done.len()
    if left > 0:
        yield notice(
            "not_done", f"The run did not do {plural(left, 'change')} of its plan; nothing to undo there"
        )
