"""The cells of one field in one batch while they are converted and checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import NamedTuple

import polars as pl

from ..core.problem import SHOWN, Level, Problem

#: Columns of a frame of problems.
PROBLEM_SCHEMA = pl.Schema({each.name: pl.String for each in fields(Problem)} | {"row": pl.UInt32})


class Verdict(NamedTuple):
    """What is wrong with one value, whichever row it is on."""

    rule: str
    message: str
    advice: str = ""
    level: Level = "error"


_NOT_KEPT = Verdict("range", "The value is outside what its type can hold.", "Check the value.")


class Cells:
    """One field's cells of a batch: what the file says, what is left of it, and what is wrong.

    Args:
        rows: Row numbers of the batch.
        column: Name shown in problems.
        raw: The values as they stand in the file.
        warn: Rules that only warn.

    Attributes:
        text: The values still good, as text; null where blank or refused.
    """

    def __init__(self, rows: pl.Series, column: str, raw: pl.Series, warn: Sequence[str] = ()) -> None:
        self.rows = rows
        self.column = column
        self.raw = raw
        self.text = raw
        self.warn = frozenset(warn)
        self.problems: list[pl.DataFrame] = []

    def judge(self, bad: pl.Series, explain: Callable[[str], Verdict], *, firm: bool = False) -> None:
        """Record a problem for each cell where `bad` is true; its text is dropped unless it is but a warning.

        Args:
            bad: Mask over the batch.
            explain: Says what is wrong with a text; asked once per distinct one.
            firm: The rule is the target's own: it doesn't soften to a warning.
        """
        at = bad.arg_true()
        if not len(at):
            return
        texts = self.text.gather(at).to_list()
        verdicts = {text: self._softened(explain(text), firm) for text in set(texts)}
        self._record(at, [verdicts[text] for text in texts])
        if all(verdict.level != "error" for verdict in verdicts.values()):
            return
        refused = [i for i, text in zip(at, texts, strict=True) if verdicts[text].level == "error"]
        mask = pl.Series([False]).new_from_index(0, len(bad)).scatter(refused, True)
        self.text = self.text.zip_with(~mask, pl.Series([None], dtype=pl.String))

    def flag(self, bad: pl.Series, verdict: Verdict, *, firm: bool = False) -> None:
        """Record the same problem for each cell where `bad` is true; the text stays."""
        at = bad.arg_true()
        if len(at):
            self._record(at, [self._softened(verdict, firm)] * len(at))

    def read_rest(self, values: pl.Series, read: Callable[[str], object]) -> pl.Series:
        """Read the cells that a quick conversion left null, once per distinct text.

        Args:
            values: What the quick conversion made of `text`.
            read: The value a text stands for, as something that casts to the type of `values`, or the verdict
                that refuses it.

        Returns:
            `values` with what could be read; what could not is recorded as problems.
        """
        left = values.is_null() & self.text.is_not_null()
        at = left.arg_true()
        if not len(at):
            return values
        texts = self.text.gather(at).to_list()
        known = {text: read(text) for text in set(texts)}
        refused = {text: verdict for text, verdict in known.items() if isinstance(verdict, Verdict)}
        better = pl.Series([None if text in refused else known[text] for text in texts])
        result = patched(values, at, better)
        if refused:
            self.judge(left & self.text.is_in(list(refused)), refused.__getitem__)
        # Whatever the type itself could not hold must not vanish: null here means blank.
        self.judge(result.is_null() & self.text.is_not_null(), lambda _: _NOT_KEPT)
        return result

    def _softened(self, verdict: Verdict, firm: bool) -> Verdict:
        soften = not firm and verdict.rule in self.warn and verdict.level == "error"
        return verdict._replace(level="warning") if soften else verdict

    def _record(self, at: pl.Series, verdicts: list[Verdict]) -> None:
        rules, messages, advices, levels = zip(*verdicts, strict=True)
        self.problems.append(
            pl.DataFrame(
                {
                    "row": self.rows.gather(at),
                    "column": [self.column] * len(at),
                    "value": self.raw.gather(at).str.slice(0, SHOWN),
                    "rule": rules,
                    "message": messages,
                    "advice": advices,
                    "level": levels,
                },
                schema=PROBLEM_SCHEMA,
            )
        )


def problem_schema() -> pl.Schema:
    """Columns of a frame of problems: those of `Problem`, in its order."""
    return PROBLEM_SCHEMA


def problems_to_list(frame: pl.DataFrame) -> list[Problem]:
    """A frame of problems as a list of them."""
    return [Problem(**row) for row in frame.iter_rows(named=True)]


def patched(values: pl.Series, at: pl.Series, better: pl.Series) -> pl.Series:
    """`values` with those at the positions `at` replaced by `better`, whatever the type."""
    index = pl.int_range(len(values), eager=True, dtype=pl.UInt32)
    index = index.scatter(at, pl.int_range(len(values), len(values) + len(at), eager=True, dtype=pl.UInt32))
    return pl.concat([values, better.cast(values.dtype, strict=False)]).gather(index)
