"""Problems that say the same of many rows, brought together: a few of each kind stand for all."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..core.problem import Problem
from ..core.words import number, plural

if TYPE_CHECKING:
    from ..planning.plan import Plan

LEVELS: Final = {"error": "problem", "warning": "warning", "notice": "notice"}
"""Levels in the order in which they are shown, and what a page calls them."""
KEPT: Final = 4
"""Problems that are kept of each kind; a page never shows more."""
_ROWS: Final = r"\brows? \d+(?:, \d+)*(?: and \d+ more)?"
_MANY: Final = 10  # duplicates from which on a wrong key is the likelier reason


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Problems of one level, rule and column whose messages differ in figures at most.

    Attributes:
        total: How many there are.
        first: The first of them.
    """

    total: int
    first: Sequence[Problem]


def group_problems(problems: Iterable[Problem]) -> list[ProblemGroup]:
    """The problems by kind, errors first, each kind where its first problem stands."""
    groups: dict[tuple[Any, ...], list[Problem]] = {}
    for problem in problems:
        message = re.sub(r"\d+", "#", re.sub(_ROWS, "row #", problem.message))
        groups.setdefault((problem.level, problem.rule, problem.column, message), []).append(problem)
    return _by_level([ProblemGroup(len(each), each[:KEPT]) for each in groups.values()])


def group_plan_problems(plan: Plan) -> list[ProblemGroup]:
    """The same of a plan's rows, in polars: each of a million rows may have a problem."""
    import polars as pl

    from ..core.columns import FILE_ROW, PROBLEMS

    message = pl.col("message").str.replace_all(_ROWS, "row #").str.replace_all(r"\d+", "#")
    problem = pl.struct("row", "column", "value", "rule", "message", "advice", "level")
    groups = (
        plan.changes()
        .select(pl.col(FILE_ROW).alias("row"), PROBLEMS)
        .filter(pl.col(PROBLEMS).list.len() > 0)
        .explode(PROBLEMS)
        .unnest(PROBLEMS)
        .group_by("level", "rule", "column", message.alias("#kind"), maintain_order=True)
        .agg(pl.len().alias("total"), problem.head(KEPT).alias("first"))
        .collect()
    )
    found = groups.select("total", "first").iter_rows()
    return _by_level([ProblemGroup(total, [Problem(**each) for each in first]) for total, first in found])


def _by_level(groups: list[ProblemGroup]) -> list[ProblemGroup]:
    order = list(LEVELS)
    return sorted(groups, key=lambda group: order.index(group.first[0].level))


def title(groups: Iterable[ProblemGroup]) -> str:
    """How many there are of each level: `3 problems, 1 notice`."""
    totals: Counter[str] = Counter()
    for group in groups:
        totals[group.first[0].level] += group.total
    return ", ".join(plural(totals[level], word) for level, word in LEVELS.items() if totals[level])


def wrong_key(plan: Plan, counts: Mapping[str, int]) -> Problem | None:
    """What stands for all duplicates where they are so many that the key is no key; else None."""
    duplicates = counts.get("duplicate", 0)
    if duplicates < _MANY:
        return None
    import polars as pl

    from ..core.columns import FILE_ROW, KEY

    rows = plan.changes().filter(pl.col(FILE_ROW).is_not_null())
    total, values = (
        rows.select(pl.len(), pl.struct(pl.col(f"^{KEY}.*$")).n_unique().alias("values")).collect().row(0)
    )
    if 2 * duplicates <= total:
        return None
    key = " + ".join(plan.key)
    return Problem(
        None,
        key,
        None,
        "duplicate",
        f"{key} has {plural(values, 'different value')} in {number(total)} rows, so it identifies no row",
        "Name another column, or several, by --key (key in a job file). Where rows are meant to repeat, "
        "--keep-duplicates first or last says which one counts.",
    )
