"""Checked values as the target would hold them, so that they can be compared with what it has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ..checking.checks import Checked, problem_schema
from ..core.columns import ROW
from ..core.errors import MappingError
from ..core.problem import SHOWN
from ..core.words import plural
from ..sources.frame import as_texts
from ..targets.base import Refusal
from ..targets.sql.types import field_of_dtype

if TYPE_CHECKING:
    from ..core.columns import FieldType
    from ..targets.base import Target

_ALIKE: Final = ({"integer", "decimal", "float"}, {"integer", "boolean"}, {"date", "datetime"})
"""Types of which the values of one can be held against those of another."""


class TargetValues:
    """What a target makes of checked values.

    A field may be checked as another type than the target's: a date in a column of texts. The check is made
    on the date; what is compared and written is its canonical text.

    Args:
        target: The target.
        types: Type of each field's values after the checks.
        declared: The target's fields; empty when it takes any.
        columns: Column of the source by field, for problems.
        skipped: Fields whose values are not the target's own yet: names that will become ids.

    Attributes:
        types: Type of each field's values in the plan.

    Raises:
        MappingError: A field is checked as a type that has nothing in common with the target's.
    """

    def __init__(
        self,
        target: Target,
        types: Mapping[str, pl.DataType],
        declared: Mapping[str, FieldType],
        columns: Mapping[str, str],
        skipped: Sequence[str],
    ) -> None:
        self._target = target
        self._columns = columns
        self._names = [name for name in types if name not in skipped]
        for name in self._names:
            if name in declared:
                _check_kinds(name, field_of_dtype(types[name]).type, declared[name].type)
        self._longest = {
            name: declared[name].max_length
            for name in self._names
            if types[name] != pl.String and name in declared and declared[name].type == "text"
        }
        self.types = {name: pl.String() if name in self._longest else kind for name, kind in types.items()}

    def convert(self, checked: Checked) -> Checked:
        """The values as the target would give them back, and problems where it can't take one."""
        values = checked.values
        if self._longest:
            values = values.with_columns(_format_texts(values[name]) for name in self._longest)
        refused = list(self._find_too_long(values))
        given = values
        if self._names:
            frame, more = self._target.canonical(values.select(self._names))
            refused += more
            values = values.with_columns(frame.get_columns())
        if not refused:
            return Checked(values, checked.problems)
        problems = [self._report_refusal(each, given) for each in refused]
        found = pl.DataFrame(problems, schema=problem_schema())
        return Checked(values, pl.concat([checked.problems, found]).sort("row", maintain_order=True))

    def _find_too_long(self, values: pl.DataFrame) -> Iterator[Refusal]:
        for name, longest in self._longest.items():
            if longest is not None:
                rows: Iterable[int] = (values[name].str.len_chars() > longest).arg_true()
                what = f"The target takes at most {plural(longest, 'character')}"
                yield from (Refusal(name, at, what) for at in rows)

    def _report_refusal(self, what: Refusal, values: pl.DataFrame) -> dict[str, Any]:
        return {
            "row": values[ROW][what.at],
            "column": self._columns[what.field],
            "value": _format_one(values[what.field], what.at)[:SHOWN],
            "rule": what.rule,
            "message": what.reason,
            "advice": what.advice,
            "level": what.level,
        }


def _check_kinds(name: str, checked: str, declared: str) -> None:
    alike = any({checked, declared} <= kinds for kinds in _ALIKE)
    if not alike and checked != declared and "text" not in {checked, declared}:
        raise MappingError(
            f"Field {name!r} is to be checked as {checked}, but the target's is {declared}.",
            advice=f"Leave its type out, or choose {declared} or text.",
            field=name,
        )


def _format_texts(values: pl.Series) -> pl.Series:
    if not isinstance(values.dtype, pl.Decimal):
        return as_texts(values.to_frame()).to_series()
    return values.to_frame().select(format_values(pl.col(values.name), values.dtype)).to_series()


def format_values(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """The text of a value; a decimal's without trailing zeros."""
    text = value.cast(pl.String, strict=False)
    if not isinstance(dtype, pl.Decimal):
        return text
    return text.str.replace(r"(\.\d*?)0+$", "$1").str.strip_suffix(".")


def _format_one(values: pl.Series, at: int) -> str:
    text = _format_texts(values.slice(at, 1))[0]
    return "" if text is None else str(text)
