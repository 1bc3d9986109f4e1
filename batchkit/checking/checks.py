"""Conversion and checks of batches of rows: typed values out, and a problem for each cell that has one."""

from __future__ import annotations

from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ..core.advice import field_option
from ..core.columns import ROW
from ..core.errors import MappingError
from ..core.problem import SHOWN, Problem, notice
from ..core.words import did_you_mean, plural
from .cells import PROBLEM_SCHEMA, Cells, problem_schema, problems_to_list
from .conversions import converter, dtype_of, scale_of, type_of
from .fields import Field, Pieces, Resolved
from .rules import Rules

if TYPE_CHECKING:
    from ..core.columns import FieldType

__all__ = ["Checked", "Checker", "problem_schema", "problems_to_list"]


@dataclass(frozen=True)
class Checked:
    """A batch after its checks.

    Attributes:
        values: `#row` and one typed column per field, a row per row of the batch; null where the cell is
            blank or could not be converted.
        problems: What is wrong, in the columns of `problem_schema()`, sorted by row.
    """

    values: pl.DataFrame
    problems: pl.DataFrame

    @property
    def invalid(self) -> pl.Series:
        """Numbers of the rows that have an error, each once, ascending."""
        return self.problems.filter(pl.col("level") == "error")["row"].unique().sort()

    def valid(self) -> pl.DataFrame:
        """The values of the rows without an error."""
        if not self.problems.height:
            return self.values
        return self.values.filter(~pl.col(ROW).is_in(self.invalid.implode()))


class Checker:
    """Converts and checks the batches of one source; made by `Mapping.checker`.

    It remembers nothing between batches but the values of `unique` fields.

    Args:
        fields: The fields to fill.
        resolved: Where each gets its values from.
        types: The target's fields; empty or None when it takes any.
        typed: The source's numbers were numbers and not text.

    Attributes:
        resolved: Which column feeds which field.
        types: Type of each field's values, as a polars type.

    Raises:
        MappingError: A column isn't there, the target lacks a field, or an option can't be used.
        SettingsError: A check needs a library that isn't installed.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        resolved: Resolved,
        types: abc.Mapping[str, FieldType] | None = None,
        *,
        typed: bool = False,
    ) -> None:
        self.resolved = resolved
        _check_target(fields, types or {})
        self._fields = [_FieldChecker(f, (types or {}).get(f.name), self.resolved, typed) for f in fields]
        self.types = {one.field.name: one.dtype for one in self._fields}

    def check(self, batch: pl.DataFrame) -> Checked:
        """Convert and check a batch.

        Args:
            batch: `#row` and the source's columns as text, null where a cell is empty.
        """
        rows = batch[ROW]
        values = {ROW: rows}
        problems: list[pl.DataFrame] = []
        for one in self._fields:
            cells, converted = one.run(batch, rows)
            values[one.field.name] = converted
            problems += cells.problems
        return Checked(pl.DataFrame(values), _sorted(problems))

    def notices(self) -> list[Problem]:
        """What was done to the whole file's values without a word on each row."""
        trimmed = {one.field.name: one.trimmed for one in self._fields if one.trimmed}
        if not trimmed:
            return []
        total = sum(trimmed.values())
        names = ", ".join(f"{name!r} {n:,}" for name, n in list(trimmed.items())[:5])
        advice = f"To keep it: {field_option(next(iter(trimmed)), 'strip', value=False)}."
        message = f"White space around {plural(total, 'cell')} is left out: {names}."
        return [notice("white_space", message, advice)]

    def finish(self) -> pl.DataFrame:
        """The problems that only the whole file shows: values of `unique` fields that stand twice."""
        return _sorted([one.twice() for one in self._fields if one.field.unique])


class _FieldChecker:
    """One field: where its text comes from, how it is converted, which rules it must pass."""

    def __init__(self, field: Field, target: FieldType | None, resolved: Resolved, typed: bool) -> None:
        self.field = field
        self.kind = type_of(field, target)
        self.dtype = dtype_of(self.kind, scale_of(field, target))
        self._column = resolved.columns.get(field.name)
        self._pieces = resolved.templates.get(field.name)
        self._convert = converter(field, target, typed=typed)
        self._rules = Rules(field, self.kind, self.dtype, target)
        self._seen: list[pl.DataFrame] = []
        self.trimmed = 0
        if field.constant is not None:
            self._check_constant()

    def run(self, batch: pl.DataFrame, rows: pl.Series) -> tuple[Cells, pl.Series]:
        cells = Cells(rows, self._column or self.field.name, self._raw(batch), self.field.warn)
        cells.text = _cleaned(cells.raw, self.field, strip=self.field.strip or self.kind != "text")
        if self.field.strip and self.kind == "text" and self._column is not None:
            shorter = cells.raw.str.len_bytes() != cells.text.str.len_bytes()
            self.trimmed += int(shorter.sum())
        blank = cells.text.is_null()  # now: what the rules refuse from here on is null as well
        self._rules.before(cells)
        values = self._convert(cells)
        self._rules.after(cells, values, blank)
        if self.field.unique:
            self._remember(rows, values, cells)
        return cells, values.alias(self.field.name)

    def twice(self) -> pl.DataFrame:
        if not self._seen:
            return PROBLEM_SCHEMA.to_frame()
        seen = pl.concat(self._seen)
        groups = (
            seen.filter(pl.col("value").is_duplicated()).sort("row").group_by("value", maintain_order=True)
        )
        twins = groups.agg("row")
        facts = {
            "column": self._column or self.field.name,
            "rule": "unique",
            "advice": "Keep one of these rows, or correct the value on the others.",
            "level": "warning" if "unique" in self.field.warn else "error",
        }
        return (
            twins.select(
                "row",
                pl.col("value").str.slice(0, SHOWN),
                pl.Series("message", [_twins_message(rows) for rows in twins["row"]], pl.String),
                **{name: pl.lit(text) for name, text in facts.items()},
            )
            .explode("row")
            .select(list(PROBLEM_SCHEMA))
        )

    def _raw(self, batch: pl.DataFrame) -> pl.Series:
        if self._column is not None:
            column = batch[self._column]
            return column if column.dtype == pl.String else column.cast(pl.String)
        if self._pieces is not None:
            return _filled_in(batch, self._pieces)
        return pl.Series([self.field.constant], dtype=pl.String).new_from_index(0, batch.height)

    def _remember(self, rows: pl.Series, values: pl.Series, cells: Cells) -> None:
        # A copy of the text itself, so that the batch it was cut from can be freed.
        seen = pl.DataFrame({"row": rows, "value": values}).filter(cells.text.is_not_null())
        if self.dtype == pl.Binary():
            seen = seen.with_columns(pl.col("value").bin.encode("hex"))
        self._seen.append(seen.select("row", pl.concat_str(pl.col("value").cast(pl.String), pl.lit(""))))

    def _check_constant(self) -> None:
        rows = pl.Series([0], dtype=pl.UInt32)
        cells, _ = self.run(pl.DataFrame({ROW: rows}), rows)
        self._seen.clear()
        for problem in problems_to_list(_sorted(cells.problems)):
            if problem.level == "error":
                raise MappingError(
                    f"Field {self.field.name!r}: the constant {self.field.constant!r} can't be used. "
                    f"{problem.message}",
                    advice=problem.advice,
                )


def _check_target(fields: Sequence[Field], types: abc.Mapping[str, FieldType]) -> None:
    if not types:
        return
    for field in fields:
        known = types.get(field.name)
        if known is None and field.lookup is None:
            advice = did_you_mean(field.name, types)
            raise MappingError(f"The target has no field {field.name!r}.", advice=advice, field=field.name)
        if known is not None and known.generated:
            advice = "Leave it out of the mapping."
            raise MappingError(f"The target computes {field.name!r} itself.", advice=advice, field=field.name)


def _cleaned(raw: pl.Series, field: Field, *, strip: bool) -> pl.Series:
    text = raw.str.strip_chars() if strip else raw
    empty = text.str.len_bytes() == 0
    if field.missing:
        empty = empty | text.is_in(list(field.missing))
    return text.zip_with(~empty, pl.Series([None], dtype=pl.String)) if empty.any() else text


def _filled_in(batch: pl.DataFrame, pieces: Pieces) -> pl.Series:
    columns = {name for _, name in pieces if name is not None}
    parts: list[pl.Expr] = []
    for literal, name in pieces:
        parts.append(pl.lit(literal))
        if name is not None:
            parts.append(pl.col(name).cast(pl.String).str.strip_chars().fill_null(""))
    some = pl.any_horizontal(pl.col(c).cast(pl.String).str.strip_chars().fill_null("") != "" for c in columns)
    whole = pl.concat_str(parts)
    return batch.select(pl.when(some).then(whole) if columns else whole.repeat_by(1)).to_series()


def _sorted(problems: list[pl.DataFrame]) -> pl.DataFrame:
    if not problems:
        return PROBLEM_SCHEMA.to_frame()
    return pl.concat(problems).sort("row", maintain_order=True)


def _twins_message(rows: Sequence[int]) -> str:
    shown = ", ".join(map(str, rows[:5]))
    return f"The same value stands on rows {shown}{f' and {len(rows) - 5} more' if len(rows) > 5 else ''}."
