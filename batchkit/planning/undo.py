"""Undo: the inverse of what a run did, as a plan like any other."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Self, cast

import polars as pl

from ..core.columns import AFTER, BEFORE, CHANGE, ITEM, KEY, NAME, PROBLEMS, RAW
from ..core.errors import PlanError
from ..core.home import plans_folder
from ..core.problem import Problem, notice, warning
from ..core.states import Change, Outcome
from ..core.words import plural
from ..sources.base import regrouped
from ..targets.base import FrameTarget
from .opening import leaving
from .plan import Plan
from .plan_file import WINDOW, PlanWriter
from .row_problems import ROUNDED

_SHOWN: Final = 10
"""Keys and names that a notice lists."""

_REVERSED: Final = {Change.CREATE: Change.DELETE, Change.UPDATE: Change.UPDATE, Change.DELETE: Change.CREATE}


def invert_plan(
    plan: Plan, outcomes: Iterable[pl.DataFrame], *, run_id: str, path: str | Path | None = None
) -> Plan:
    """The plan that takes back what a run did, last change first.

    What was created is deleted, what was changed gets its before-image back, what was deleted is created
    again. Items that the run did not do are left out, and so are those it wrote over somebody's edit (the
    plan's before-image is not what was there) and those whose before-image is only nearly what was there.
    Fields that somebody else had set to the wanted value before the run came stay as they are. Of a rejected
    item that was written in part, that part is taken back. As in every plan, an item that somebody edited
    since will be a conflict, and is kept as it is.

    Args:
        plan: The plan that was run.
        outcomes: Frames with `item`, `outcome` and, where there is something to say, `detail`; in any order.
        run_id: The run that is undone.
        path: Where the new plan shall be; by default a new file under the plans folder.

    Raises:
        PlanError: Nothing of it can be undone.
        DiskFull: No room is left.
    """
    reason = plan.facts["irreversible_because"]
    if reason:
        raise PlanError(f"The run {run_id} can't be undone. {reason}", run=run_id)
    done = Effects.of(outcomes)
    place = Path(path).expanduser().absolute() if path else plans_folder() / f"undo-{run_id}.parquet"
    schema = _schema(plan)
    made = _CreatedNames(plan)
    with PlanWriter(place, schema) as writer:
        for frame in regrouped(_reverse_rows(plan, done, schema, made), WINDOW):
            writer.write(frame)
        notices = list(_notices(plan, done, made))
        if not writer.counts:
            raise PlanError(
                f"The run {run_id} changed nothing that could be taken back: there is nothing to undo.",
                advice=" ".join(f"{each.message}." for each in notices if each.rule != "not_done"),
                run=run_id,
            )
        return Plan(place, writer.finish(_collect_facts(plan, run_id, notices)))


@dataclass(slots=True)
class Effects:
    """What a run did.

    Attributes:
        items: Items it did, ascending; those that it wrote in part are among them.
        overwritten: Those of them that it wrote over somebody's edit.
        kept: Fields by item that held the wanted value before the run came.
        written: What was put there, by field: of items that it rejected after it wrote them in part all that
            was written, of those that it did what isn't quite as the plan wanted it.
        partly: Items that it wrote in part.
        keys: Of items that are found under another key since, its changed fields.
        rounded: Items whose before-image is only nearly what was there; known once the plan has been read.
    """

    items: pl.Series
    overwritten: list[int] = field(default_factory=list)
    kept: dict[int, list[str]] = field(default_factory=dict)
    written: dict[int, dict[str, Any]] = field(default_factory=dict)
    partly: set[int] = field(default_factory=set)
    keys: dict[int, dict[str, Any]] = field(default_factory=dict)
    rounded: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, outcomes: Iterable[pl.DataFrame]) -> Self:
        """Gather it from frames of outcomes."""
        done = cls(pl.Series(ITEM, dtype=pl.UInt32))
        parts = [done.items]
        for frame in outcomes:
            parts.append(_select_outcome(frame, Outcome.DONE).get_column(ITEM).cast(pl.UInt32))
            if "detail" in frame.columns:
                for outcome in (Outcome.DONE, Outcome.REJECTED):
                    mine = _select_outcome(frame, outcome).select(ITEM, "detail").drop_nulls()
                    for item, detail in mine.iter_rows():
                        done._note(int(item), json.loads(detail), rejected=outcome is Outcome.REJECTED)
        parts.append(pl.Series(ITEM, list(done.partly), pl.UInt32))
        done.items = pl.concat(parts).unique().sort()
        return done

    def _note(self, item: int, detail: Any, *, rejected: bool) -> None:
        if not isinstance(detail, dict):
            return
        written = detail.get("written")
        if isinstance(written, dict) and written:
            self.written[item] = written
            self.partly |= {item} if rejected else set()
        elif rejected:
            return
        if isinstance(detail.get("key"), dict):
            self.keys[item] = detail["key"]
        if "overwritten" in detail:
            self.overwritten.append(item)
        elif detail.get("kept"):
            self.kept[item] = list(detail["kept"])


def _select_outcome(frame: pl.DataFrame, outcome: Outcome) -> pl.DataFrame:
    return frame.filter(pl.col("outcome") == str(outcome))


def _schema(plan: Plan) -> pl.Schema:
    present = plan.changes().collect_schema()
    return pl.Schema({name: kind for name, kind in present.items() if not name.startswith((RAW, NAME))})


def _reverse_rows(
    plan: Plan, done: Effects, schema: pl.Schema, made: _CreatedNames
) -> Iterator[pl.DataFrame]:
    # From the end to the start: what a later change made room for must go before that room is needed again.
    items = done.items.filter(~done.items.is_in(done.overwritten))
    for start in reversed(range(0, len(plan), WINDOW)):
        here = items.filter((items >= start) & (items < start + WINDOW))
        if here.is_empty():
            continue
        rows = plan.changes().slice(start, WINDOW).select(pl.exclude(f"^{RAW}.*$")).collect()
        rows = rows.filter(pl.col(ITEM).is_in(here.implode()) & pl.col(CHANGE).is_in(list(_REVERSED)))
        rounded = rows.filter(_is_rounded())[ITEM]
        done.rounded += rounded.to_list()
        rows = made.resolved(rows.filter(~pl.col(ITEM).is_in(rounded.implode())))
        rows = _keep_fields(rows, done.kept)
        rows = _apply_written(rows, done.written, done.partly)
        rows = _apply_keys(rows, done.keys)
        yield rows.reverse().select(_reverse_column(name, kind) for name, kind in schema.items())


def _is_rounded() -> pl.Expr:
    rules = pl.col(PROBLEMS).list.eval(pl.element().struct["rule"] == ROUNDED)
    return (pl.col(CHANGE) != str(Change.CREATE)) & rules.list.any().fill_null(value=False)


def _keep_fields(rows: pl.DataFrame, kept: Mapping[int, Sequence[str]]) -> pl.DataFrame:
    """The rows, where fields that the run did not change have the wanted value on both sides."""
    here = {item: kept[item] for item in rows[ITEM] if item in kept} if kept else {}
    for name in sorted({name for names in here.values() for name in names}):
        items = [item for item, names in here.items() if name in names]
        mine = pl.when(pl.col(ITEM).is_in(items)).then(AFTER + name).otherwise(BEFORE + name)
        rows = rows.with_columns(mine.alias(BEFORE + name))
    return rows


def _apply_written(
    rows: pl.DataFrame, written: Mapping[int, Mapping[str, Any]], partly: Collection[int]
) -> pl.DataFrame:
    """The rows with what was put there; in those written in part the other fields are as they were."""
    here = {item: written[item] for item in rows[ITEM] if item in written} if written else {}
    if not here:
        return rows
    in_part = pl.col(ITEM).is_in([item for item in here if item in partly])
    for name in [each for each in rows.columns if each.startswith(AFTER)]:
        plain = name.removeprefix(AFTER)
        values = {item: facts[plain] for item, facts in here.items() if plain in facts}
        was = pl.when(in_part).then(BEFORE + plain).otherwise(name)
        rows = _set_values(rows.with_columns(was.alias(name)), name, values)
    return rows


def _apply_keys(rows: pl.DataFrame, keys: Mapping[int, Mapping[str, Any]]) -> pl.DataFrame:
    """The rows under the keys by which they are found now."""
    here = {item: keys[item] for item in rows[ITEM] if item in keys} if keys else {}
    for name in [each for each in rows.columns if each.startswith(KEY)] if here else ():
        plain = name.removeprefix(KEY)
        rows = _set_values(rows, name, {item: facts[plain] for item, facts in here.items() if plain in facts})
    return rows


def _set_values(rows: pl.DataFrame, name: str, values: Mapping[int, Any]) -> pl.DataFrame:
    """The rows with these values, as JSON has them, in a column; by item."""
    if not values:
        return rows
    kind = rows.schema[name]
    typed = pl.Series("#value", [_parse_value(value, kind) for value in values.values()], kind)
    items = pl.Series(ITEM, list(values), rows.schema[ITEM])
    joined = rows.join(pl.DataFrame([items, typed]), on=ITEM, how="left", maintain_order="left")
    told = pl.when(pl.col(ITEM).is_in(items.implode())).then("#value").otherwise(name)
    return joined.with_columns(told.alias(name)).drop("#value")


def _parse_value(value: Any, kind: pl.DataType) -> Any:
    """A value of JSON as one of a column's type."""
    match kind:
        case _ if value is None:
            return None
        case pl.Date():
            return date.fromisoformat(str(value)[:10])
        case pl.Datetime():
            return datetime.fromisoformat(str(value))
        case pl.Decimal():
            return Decimal(str(value))
    return value


def _reverse_column(name: str, kind: pl.DataType) -> pl.Expr:
    if name == CHANGE:
        return pl.col(CHANGE).replace_strict({str(old): str(new) for old, new in _REVERSED.items()})
    if name == PROBLEMS:
        return pl.lit(None, kind).alias(PROBLEMS)
    if name.startswith(BEFORE):
        return pl.col(AFTER + name.removeprefix(BEFORE)).alias(name)
    if name.startswith(AFTER):
        return pl.col(BEFORE + name.removeprefix(AFTER)).alias(name)
    return pl.col(name)


class _CreatedNames:
    """Ids of the lookup rows that the run itself created: the plan knows only their names."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._fields = [
            name.removeprefix(NAME) for name in plan.changes().collect_schema() if name.startswith(NAME)
        ]
        self.names: dict[str, set[str]] = {}

    def resolved(self, rows: pl.DataFrame) -> pl.DataFrame:
        for name in self._fields:
            names = rows[NAME + name].drop_nulls().unique()
            if names.len():
                self.names.setdefault(name, set()).update(names)
                ids = self._ids(name, names).rename({"id": "#id"}).unique("name")
                rows = rows.join(ids, left_on=NAME + name, right_on="name", how="left", maintain_order="left")
                value = pl.coalesce(pl.col("#id").cast(rows.schema[AFTER + name]), AFTER + name)
                rows = rows.with_columns(value.alias(AFTER + name)).drop("#id")
        return rows

    def _ids(self, field: str, names: pl.Series) -> pl.DataFrame:
        lookup = self._plan.facts["mapping"][field]["lookup"]
        with leaving(self._plan.open_target()) as target:
            target.connect()
            # Only targets of frames are planned with lookups.
            return cast(FrameTarget, target).resolve_lookup(lookup, names)


def _collect_facts(plan: Plan, run_id: str, notices: Sequence[Problem]) -> dict[str, Any]:
    kept = "target address table key fields mode compare types settings mapping folder"
    return {
        **{name: plan.facts[name] for name in kept.split()},
        "preset": plan.facts.get("preset", {}),
        "created_at": datetime.now().astimezone().isoformat(timespec="seconds"),
        "source": {"kind": "undo", "name": f"undo of {run_id}"},
        "columns": [],
        "unused": [],
        "notices": [each.stored() for each in notices],
        "irreversible_because": "",
        "undoes": run_id,
        "job": None,
    }


def _notices(plan: Plan, done: Effects, made: _CreatedNames) -> Iterator[Problem]:
    left = plan.to_send() - done.items.len()
    if left > 0:
        yield notice(
            "not_done", f"The run did not do {plural(left, 'change')} of its plan; nothing to undo there"
        )
    partly = len(done.partly - set(done.overwritten))
    if partly:
        were = "was" if partly == 1 else "were"
        yield notice("in_part", f"{plural(partly, 'change')} {were} written in part; that part is taken back")
    edit = "written over somebody's edit, which this plan doesn't bring back"
    more = "a number there had more decimals than a plan keeps"
    for rule, items, why, where in (
        ("overwritten", done.overwritten, edit, "The run's report"),
        ("rounded", done.rounded, more, "The plan that was run"),
    ):
        if items:
            yield warning(
                rule,
                f"{plural(len(items), 'item')} cannot be undone: {why}: {_list_keys(plan, items)}",
                f"{where} says what was there; put it back by hand where it matters.",
            )
    if done.kept:
        count = plural(len(done.kept), "item")
        yield notice(
            "kept",
            f"In {count} fields that somebody else had set to the wanted value stay so: "
            f"{_list_keys(plan, list(done.kept))}",
        )
    for name, names in made.names.items():
        table = plan.facts["mapping"][name]["lookup"]["table"]
        yield notice(
            "lookup",
            f"What the run added to {table} for {name} stays there: {_join_some(sorted(names))}",
            f"Delete it from {table} by hand if nothing else refers to it.",
        )


def _list_keys(plan: Plan, items: Sequence[int]) -> str:
    return _join_some([view.key for item in items[:_SHOWN] for view in plan.page(None, item, 1)], len(items))


def _join_some(names: Sequence[str], count: int | None = None) -> str:
    more = (len(names) if count is None else count) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
