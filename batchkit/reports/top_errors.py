"""Alike failures counted together, in one pass and bounded memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ..core.words import FAILING

if TYPE_CHECKING:
    from .data import ReportData

SLICE: Final = 10_000
"""Rows taken from the journal at a time."""

# Quoted values and numbers differ from row to row; the words between them are what the failure is.
# \B beside a quote leaves the apostrophes of French words alone.
_MASKS: Final = (
    (r"\B'[^\n]{0,300}?'\B", "…"),
    (r'"[^"\n]{0,300}"', "…"),
    (r"«[^»\n]{0,300}»", "…"),
    (r"“[^”\n]{0,300}”", "…"),
    (r"[0-9]+(?:[.,][0-9]+)*", "N"),
)
_COMPILED: Final = tuple((re.compile(pattern), mask) for pattern, mask in _MASKS)
_KEPT: Final = 1_000
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class TopError:
    """Failures that have the same rule and, values aside, the same reason.

    Attributes:
        rule: Short name of the cause.
        signature: The reason with its quoted values and numbers masked.
        count: How many items failed like this.
        row: Row number of the first of them; None when no row stands for it.
        example: The reason of the first of them, word for word.
        advice: What to do about it.
    """

    rule: str
    signature: str
    count: int
    row: int | None
    example: str
    advice: str


def signature(rule: str, reason: str) -> str:
    """What alike failures have in common: the rule, and the reason without the values in it."""
    for pattern, mask in _COMPILED:
        reason = pattern.sub(mask, reason)
    return f"{rule}: {reason[:_LONGEST]}" if rule else reason[:_LONGEST]


def masked(reason: pl.Expr) -> pl.Expr:
    """The reason part of `signature` for a whole column."""
    for pattern, mask in _MASKS:
        reason = reason.str.replace_all(pattern, mask)
    return reason.str.slice(0, _LONGEST)


class TopErrors:
    """Counts alike failures; holds the most frequent ones when there are very many kinds."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], TopError] = {}

    def add(self, failures: pl.DataFrame) -> None:
        """Count the failures of one slice (columns `row, rule, reason, advice`)."""
        groups = (
            failures.select("row", pl.col("rule", "reason", "advice").fill_null(""))
            .with_columns(masked(pl.col("reason")).alias("signature"))
            .group_by("rule", "signature", maintain_order=True)
            .agg(pl.len().alias("count"), pl.col("row", "reason", "advice").first())
        )
        for rule, text, number, row, example, advice in groups.iter_rows():
            known = self._found.get((rule, text))
            self._found[rule, text] = (
                replace(known, count=known.count + number)
                if known
                else TopError(rule, text, number, row, example, advice)
            )
        if len(self._found) > 10 * _KEPT:
            self._found = {(error.rule, error.signature): error for error in self.top(_KEPT)}

    def top(self, number: int) -> list[TopError]:
        """The most frequent kinds of failure, most frequent first; the earlier one first where they tie."""
        return sorted(self._found.values(), key=lambda error: -error.count)[:number]


def is_failing() -> pl.Expr:
    """True for the rows an operator has to look at."""
    return pl.col("outcome").is_in([str(outcome) for outcome in FAILING])


@dataclass(frozen=True, slots=True)
class Digest:
    """What a bounded report shows of the outcomes.

    Attributes:
        failures: The first rejected and unknown items, in plan order, each a row of the outcome frame.
        conflicts: The first conflicts, the same way.
        errors: The most frequent kinds of failure.
    """

    failures: list[dict[str, Any]]
    conflicts: list[dict[str, Any]]
    errors: list[TopError]


def digest(data: ReportData, *, failures: int, conflicts: int, errors: int) -> Digest:
    """Go once over all outcomes and keep the first or most frequent of each kind."""
    alike, bad, edited = TopErrors(), list[dict[str, Any]](), list[dict[str, Any]]()
    for frame in data.frames(SLICE):
        failed = frame.filter(is_failing())
        if failed.is_empty():
            continue
        alike.add(failed)
        conflict = pl.col("outcome") == "conflict"
        bad += failed.filter(~conflict).head(failures - len(bad)).to_dicts()
        edited += failed.filter(conflict).head(conflicts - len(edited)).to_dicts()
    return Digest(bad, edited, alike.top(errors))


def top_errors(data: ReportData, number: int = 20) -> list[TopError]:
    """The most frequent kinds of failure of a run, most frequent first.

    Args:
        data: The run.
        number: At most how many.
    """
    return digest(data, failures=0, conflicts=0, errors=number).errors
