"""What the tests of checks share: one column through one field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from batchkit.checking.checks import Checked, problems_to_list
from batchkit.checking.fields import Field
from batchkit.checking.mapping import Mapping
from batchkit.core.columns import FieldType
from batchkit.core.problem import Problem


def batch(first: int = 2, /, **columns: Sequence[str | None]) -> pl.DataFrame:
    """A batch as a source gives it; rows are numbered from `first`."""
    height = len(next(iter(columns.values())))
    rows = pl.Series("#row", range(first, first + height), dtype=pl.UInt32)
    return pl.DataFrame([rows, *(pl.Series(name, list(c), dtype=pl.String) for name, c in columns.items())])


def check(
    values: Sequence[str | None], *, target: FieldType | None = None, typed: bool = False, **options: Any
) -> Checked:
    """The values as column `C` through a field `f` with these options, `unique` included."""
    mapping = Mapping((Field("f", column="C", **options),))
    checker = mapping.checker(["C"], {"f": target} if target else None, typed=typed)
    checked = checker.check(batch(C=values))
    return Checked(checked.values, pl.concat([checked.problems, checker.finish()]))


def value(text: str | None, **options: Any) -> Any:
    """What the field makes of one text that has nothing wrong."""
    checked = check([text], **options)
    assert problems_to_list(checked.problems) == []
    return checked.values["f"].to_list()[0]


def problem(text: str | None, **options: Any) -> Problem:
    """The one thing that is wrong with a text."""
    problems = problems_to_list(check([text], **options).problems)
    assert len(problems) == 1, problems
    return problems[0]


def refused(text: str | None, **options: Any) -> Problem:
    """The error of a text that can't be converted: it must have no value, and the row must be invalid."""
    checked = check([text], **options)
    found = problem(text, **options)
    assert found.level == "error"
    assert checked.values["f"].to_list() == [None]
    assert checked.invalid.to_list() == [2]
    assert found.message
    assert found.advice
    return found
