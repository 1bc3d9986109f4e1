"""LookupFields: names in the source become ids of another table, resolved as sets and remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ..checking.checks import problem_schema
from ..core.advice import create_missing
from ..core.columns import AFTER, NAME, ROW
from ..core.errors import BatchkitError
from ..core.problem import SHOWN
from ..targets.base import FrameTarget, open_target
from .diff import OK
from .opening import leaving

if TYPE_CHECKING:
    from ..checking.fields import Field
    from ..targets.base import Target

_ID, _TIMES = "#id", "#times"
_NEAR_AMONG: Final = 20_000
"""Names of a lookup table among which a near one is looked for."""


class LookupFields:
    """The lookup fields of a mapping. A name is asked for once, whatever the number of rows that bear it.

    Args:
        target: Where the lookup tables are.
        fields: The fields of the mapping; those without a lookup are left alone.
        columns: Column of the source by field, for problems.

    Attributes:
        names: Names of the lookup fields.
        creating: Those of them whose missing names shall be created.
    """

    def __init__(self, target: Target, fields: Sequence[Field], columns: Mapping[str, str]) -> None:
        self._target = target
        self._lookups: dict[str, Mapping[str, Any]] = {
            one.name: one.lookup for one in fields if one.lookup is not None
        }
        self._columns = columns
        self._known: dict[str, pl.DataFrame] = {}
        self._there: dict[str, list[str]] = {}
        self.names = list(self._lookups)
        self.creating = [name for name, lookup in self._lookups.items() if lookup.get("create")]

    def resolve(self, wanted: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Put ids in the place of names.

        Args:
            wanted: `#row`, `#ok` and `after:*`, where `after:` of a lookup field is a name.

        Returns:
            The same rows with ids (and, where a missing one shall be created, its name in `name:*`), and the
            problems of the rows whose name has no id; those are no longer `#ok`.
        """
        problems = [problem_schema().to_frame()]
        for name in self.names:
            wanted, unresolved = self._resolve_one(name, wanted)
            problems.append(unresolved)
        return wanted, pl.concat(problems)

    def _resolve_one(self, name: str, wanted: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        column = AFTER + name
        known = self._ask(name, wanted.filter(OK)[column].drop_nulls().unique())
        joined = wanted.join(known, left_on=column, right_on="name", how="left", maintain_order="left")
        asked = pl.col(OK) & pl.col(column).is_not_null()
        absent = asked & (pl.col(_TIMES).fill_null(0) == 0)
        doubtful = asked & (pl.col(_TIMES).fill_null(0) > 1)
        bad = doubtful if name in self.creating else absent | doubtful
        problems = self._report_problems(name, joined.filter(bad))
        if name in self.creating:
            joined = joined.with_columns(pl.when(absent).then(column).alias(NAME + name))
        joined = joined.with_columns(
            (pl.col(OK) & ~bad).alias(OK), pl.when(asked & ~bad).then(_ID).alias(column)
        )
        return joined.drop(_ID, _TIMES), problems

    def _ask(self, name: str, names: pl.Series) -> pl.DataFrame:
        known = self._known.get(name)
        new = names if known is None else names.filter(~names.is_in(known["name"].implode()))
        if new.len() or known is None:
            found = self._look_up(name, new)
            known = found if known is None else pl.concat([known, found])
            self._known[name] = known
        return known

    def _look_up(self, name: str, names: pl.Series) -> pl.DataFrame:
        assert isinstance(self._target, FrameTarget)  # noqa: S101  only such targets are given lookups
        rows = self._target.resolve_lookup(self._lookups[name], names)
        ids = rows.group_by("name").agg(pl.col("id").first().alias(_ID), pl.len().alias(_TIMES))
        known = names.alias("name").to_frame().join(ids, on="name", how="left")
        several = pl.col("name").is_in(self._find_ambiguous(name))
        return known.with_columns(pl.when(several).then(pl.lit(2, pl.UInt32)).otherwise(_TIMES).alias(_TIMES))

    def _find_ambiguous(self, name: str) -> list[str]:
        """Names that the target found several rows for."""
        place = f"{self._lookups[name].get('table')}.{self._lookups[name].get('by')}."
        told: Mapping[str, Iterable[str]] = getattr(self._target, "ambiguous", {})
        return [each for where, names in told.items() if f"{where}.".startswith(place) for each in names]

    def _report_problems(self, name: str, rows: pl.DataFrame) -> pl.DataFrame:
        if rows.is_empty():
            return problem_schema().to_frame()
        table, by = self._lookups[name].get("table"), self._lookups[name].get("by", "name")
        value = pl.col(AFTER + name)
        several = pl.col(_TIMES).fill_null(0) > 1
        absent = rows.filter(~several)[AFTER + name].unique().to_list()
        return rows.select(
            row=ROW,
            column=pl.lit(self._columns[name]),
            value=value.str.slice(0, SHOWN),
            rule=pl.lit("lookup"),
            message=pl.when(several)
            .then(pl.lit(f"Several rows of {table} have this {by}"))
            .otherwise(pl.lit(f"No row of {table} has this {by}")),
            advice=pl.when(several)
            .then(pl.lit(f"Make {by} unique in {table}, or map the id itself."))
            .otherwise(
                value.replace_strict(self._write_advice(name, absent), default="", return_dtype=pl.String)
            ),
            level=pl.lit("error"),
        )

    def _write_advice(self, name: str, absent: Sequence[str]) -> dict[str, str]:
        table = self._lookups[name].get("table")
        general = f"Correct it, add it to {table}, or let missing ones be created: {create_missing()}."
        there = self._list_names_there(name)
        return {text: _did_you_mean(text, there) + general for text in absent}

    def _list_names_there(self, name: str) -> list[str]:
        """Names in the lookup table, as far as they are few enough to look for a near one."""
        if name not in self._there:
            self._there[name] = _read_names(self._target.describe(), self._lookups[name])
        return self._there[name]


def _read_names(target: Mapping[str, Any], lookup: Mapping[str, Any]) -> list[str]:
    names: list[str] = []
    place = {**target, "table": lookup["table"], "key": [lookup["by"]], "mode": "upsert", "lookups": {}}
    try:
        table = open_target(**place)
        assert isinstance(table, FrameTarget)  # noqa: S101  as above
        with leaving(table):
            table.connect()
            for frame in table.scan_keys([]):
                names += frame.get_column(lookup["by"]).drop_nulls().cast(pl.String).to_list()
                if len(names) > _NEAR_AMONG:
                    return []
    except (BatchkitError, NotImplementedError, pl.exceptions.PolarsError):
        return []  # a hint is all that is lost
    return names


def _did_you_mean(text: str, there: Sequence[str]) -> str:
    folded = {each.casefold(): each for each in there}
    near = get_close_matches(text.casefold(), folded, 1, 0.75)
    return f"Did you mean {folded[near[0]]!r}? " if near else ""
