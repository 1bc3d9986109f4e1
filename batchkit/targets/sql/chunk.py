"""A chunk applied to a table: one transaction, and an outcome for every item that isn't simply done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ...core.columns import AFTER, BEFORE, CHANGE, ITEM, KEY, LOST
from ...core.compare import NOW, STANDING, THERE, Standing, fields_of, join_present, judge_columns
from ...core.states import Outcome
from ..base import ChunkContext, Result
from ..exchange import reject
from .checkpoint import Checkpoint
from .dialect import Dialect, Table, select_keys
from .errors import NUL_ADVICE
from .explain import explain, report_ambiguous, report_kept, report_overwritten, report_skipped
from .lookups import Lookups

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class ChunkWriter:
    """Applies chunks through one connection.

    Attributes:
        dialect, link, table: What is written to, and how.
        lookups: Names that become ids.
        checkpoint: Where applied chunks are recorded in the target; None for keyed modes, which need none.
    """

    dialect: Dialect
    link: Connection
    table: Table
    lookups: Lookups
    checkpoint: Checkpoint | None = None

    def apply(
        self, frame: pl.DataFrame, context: ChunkContext, setup: Callable[[], Table] | None = None
    ) -> list[Result]:
        """Apply the chunk in one transaction, as `FrameTarget.apply` promises.

        Args:
            frame: The chunk.
            context: Which one, and how.
            setup: Makes the table first, within the transaction.
        """
        with self.dialect.transaction(self.link, keep=not context.dry_run, timeout=context.timeout):
            if setup is not None:
                return replace(self, table=setup())._write(frame, context)[0]
            if self.checkpoint is not None:
                # The record comes first and commits with the rows: there is never one without the other.
                stored = self.checkpoint.claim(self.link, context)
                if stored is not None:
                    return stored
            results, learned = self._write(frame, context)
            if self.checkpoint is not None and results:
                self.checkpoint.record(self.link, context, results)
        # Not before the commit: a chunk that is rolled back takes the ids of its new names with it.
        if not context.dry_run:
            self.lookups.remember(learned)
        return sorted(results, key=lambda result: result.item)

    def _write(self, frame: pl.DataFrame, context: ChunkContext) -> tuple[list[Result], dict[str, Any]]:
        frame, results = _refuse_unwritable(frame, self.table.key)
        named = self.lookups.fill(self.dialect, self.link, frame)
        results += named.results + self._write_named(named.frame, context)
        # A name was created before its rows were tried: where all of them were refused, it goes again.
        if any(named.made.values()):
            refused = {result.item for result in results if result.outcome is not Outcome.DONE}
            self.lookups.drop_unused(self.dialect, self.link, frame, named, refused)
        return results, named.learned

    def _write_named(self, frame: pl.DataFrame, context: ChunkContext) -> list[Result]:
        results, marks = list[Result](), list[Result]()
        current = self._read_current(frame, context)
        if current is not None:
            frame, results, marks = self._settle(frame, current, context)
        if frame.height:
            written = self.dialect.write(self.link, self.table, frame)
            results += written.results
            results += self._explain(frame, written.missing, context)
        return _add_marks(results, marks)

    def _explain(self, frame: pl.DataFrame, items: list[int], context: ChunkContext) -> list[Result]:
        """Say of rows that the statements didn't write why, and write those that somebody had begun."""
        if not items:
            return []
        if not self.table.key:
            return [report_skipped(item) for item in items]
        missing = self._judge(frame.filter(pl.col(ITEM).is_in(items)))
        # The statements compare every field with its before-image, and so leave these: their rest is ours.
        is_half = pl.col(STANDING) == Standing.PARTLY
        results = explain(missing.filter(~is_half), self.table, context)
        halves = missing.filter(is_half)
        if not halves.height:
            return results
        written = self.dialect.write(self.link, self.table, rebase(halves, frame.columns))
        results += written.results
        if written.missing:  # edited again at this very moment
            again = self._judge(frame.filter(pl.col(ITEM).is_in(written.missing)))
            results += explain(again, self.table, context)
        return _add_marks(results, [report_kept(row) for row in halves.iter_rows(named=True)])

    def _judge(self, frame: pl.DataFrame, current: pl.DataFrame | None = None) -> pl.DataFrame:
        """The rows with what the table holds of them now, and how they stand."""
        seen = join_present(frame, self._read(frame) if current is None else current)
        return seen.with_columns(judge_columns(seen.columns, self.table.fills_in))

    def _read_current(self, frame: pl.DataFrame, context: ChunkContext) -> pl.DataFrame | None:
        """Present values where they must be known beforehand, read under a lock."""
        if not frame.height or not self.table.key or (self.table.unique and not context.overwrite):
            return None
        if not self.table.unique:
            # Nothing in the database keeps two rows of one key apart: only a lock does, while we look.
            self.dialect.lock(self.link, self.table)
        return self._read(frame)

    def _read(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self.dialect.read(
            self.link, self.table, select_keys(frame, self.table.key), fields_of(frame.columns)
        )

    def _settle(
        self, frame: pl.DataFrame, current: pl.DataFrame, context: ChunkContext
    ) -> tuple[pl.DataFrame, list[Result], list[Result]]:
        """Take out what can be told from the present values, and rebase on them when told to overwrite.

        Returns:
            The rows to write, results for the others, and what is to be said of rows that will be written
            over somebody's edit.
        """
        keys = [KEY + name for name in self.table.key]
        held = current.select(pl.col(name).cast(frame.schema[KEY + name]) for name in self.table.key)
        many = held.select(pl.all().name.prefix(KEY)).filter(pl.struct(keys).is_duplicated()).unique()
        results = [report_ambiguous(item) for item in frame.join(many, on=keys, how="semi")[ITEM]]
        frame = frame.join(many, on=keys, how="anti", maintain_order="left")
        seen = self._judge(frame, current)
        if context.overwrite:
            return rebase(seen, frame.columns), results, report_overwritten(seen, self.table)
        exists = seen.filter(pl.col(THERE) & (pl.col(CHANGE) == "create"))
        results += explain(exists, self.table, context)
        return frame.filter(~pl.col(ITEM).is_in(exists[ITEM].implode())), results, []


def _add_marks(results: list[Result], marks: list[Result]) -> list[Result]:
    """Results, and the marks of those rows of which nothing worse is to be said."""
    known = {result.item for result in results}
    return results + [mark for mark in marks if mark.item not in known]


def rebase(seen: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """Plan the rows anew on the present values: nothing is a conflict any more.

    A create that exists by now becomes an update. What is gone stays an update, and so a conflict: there is
    nothing to overwrite. A field that an update leaves alone stays as it is, whoever changed it since.
    """
    there = pl.col(THERE)
    is_create = pl.col(CHANGE) == "create"
    sides = []
    for name in fields_of(seen.columns):
        if BEFORE + name not in seen.columns:
            continue
        usable = there & pl.col(LOST + name).is_null()
        alone = (pl.col(CHANGE) == "update") & pl.col(BEFORE + name).eq_missing(pl.col(AFTER + name))
        sides.append(pl.when(usable).then(NOW + name).otherwise(BEFORE + name).alias(BEFORE + name))
        sides.append(pl.when(usable & alone).then(NOW + name).otherwise(AFTER + name).alias(AFTER + name))
    change = pl.when(there & is_create).then(pl.lit("update")).otherwise(CHANGE).alias(CHANGE)
    return seen.with_columns(change, *sides).select(columns)


def _refuse_unwritable(frame: pl.DataFrame, key: Sequence[str]) -> tuple[pl.DataFrame, list[Result]]:
    """Take out rows no database takes as they are: without a key, or with a NUL character in a text."""
    tests = {KEY + name: pl.col(KEY + name).is_null() for name in key}
    for column, dtype in frame.schema.items():
        if dtype == pl.String and column.startswith((KEY, AFTER)):
            tests["nul " + column] = pl.col(column).str.contains("\0", literal=True)
    if not tests or not any(frame.select(test.any().alias(name) for name, test in tests.items()).row(0)):
        return frame, []
    bad = frame.select(ITEM, *(test.fill_null(value=False).alias(name) for name, test in tests.items()))
    results = [
        _report_unwritable(item, tested)
        for item, *found in bad.filter(pl.any_horizontal(list(tests))).iter_rows()
        for tested in [next(name for name, is_bad in zip(tests, found, strict=True) if is_bad)]
    ]
    return frame.filter(~pl.col(ITEM).is_in([result.item for result in results])), results


def _report_unwritable(item: int, tested: str) -> Result:
    name = tested.partition(":")[2]
    if tested.startswith(KEY):
        return reject(item, "key", f"{name}: the key is empty.", "Fill in the key.", {"column": name})
    reason, advice = f"{name}: the text holds a NUL character.", NUL_ADVICE
    return reject(item, "nul", reason, advice, {"column": name})
