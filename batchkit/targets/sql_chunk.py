"""A chunk applied to a table: one transaction, and an outcome for every item that isn't simply done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ..states import Outcome
from .base import AFTER, BEFORE, CHANGE, ITEM, KEY, ChunkContext, Result
from .sql_checkpoint import Checkpoint
from .sql_dialect import Dialect, Table, key_frame, written_fields
from .sql_lookups import Lookups

if TYPE_CHECKING:
    from sqlalchemy import Connection

NUL_ADVICE = "Remove the invisible NUL character from the text."


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
        with self.dialect.transaction(self.link, keep=not context.dry_run):
            if setup is not None:
                return replace(self, table=setup())._write(frame, context)[0]
            if self.checkpoint is not None:
                stored = self.checkpoint.claim(self.link, context)
                if stored is not None:
                    return stored
            results, learned = self._write(frame, context)
            if self.checkpoint is not None and results:
                self.checkpoint.record(self.link, context, results)
        if not context.dry_run:
            self.lookups.remember(learned)
        return sorted(results, key=lambda result: result.item)

    def _write(self, frame: pl.DataFrame, context: ChunkContext) -> tuple[list[Result], dict[str, Any]]:
        frame, results = _refuse_unwritable(frame, self.table.key)
        frame, unnamed, learned = self.lookups.fill(self.dialect, self.link, frame)
        results += unnamed
        current = self._current(frame, context)
        if current is not None:
            frame, more = self._settle(frame, current, context)
            results += more
        if frame.height:
            written = self.dialect.write(self.link, self.table, frame)
            results += written.results
            results += self._explain(frame, written.missing, context)
        return results, learned

    def _explain(self, frame: pl.DataFrame, items: list[int], context: ChunkContext) -> list[Result]:
        if not items:
            return []
        if not self.table.key:
            return [_skipped(item) for item in items]
        missing = frame.filter(pl.col(ITEM).is_in(items))
        return explain(missing, self._read(missing), self.table, context)

    def _current(self, frame: pl.DataFrame, context: ChunkContext) -> pl.DataFrame | None:
        """Present values where they must be known beforehand, read under a lock."""
        if not frame.height or not self.table.key or (self.table.unique and not context.overwrite):
            return None
        if not self.table.unique:
            # Nothing in the database keeps two rows of one key apart: only a lock does, while we look.
            self.dialect.lock(self.link, self.table)
        return self._read(frame)

    def _read(self, frame: pl.DataFrame) -> pl.DataFrame:
        return self.dialect.read(
            self.link, self.table, key_frame(frame, self.table.key), written_fields(frame)
        )

    def _settle(
        self, frame: pl.DataFrame, current: pl.DataFrame, context: ChunkContext
    ) -> tuple[pl.DataFrame, list[Result]]:
        """Take out what can be told from the present values, and rebase on them when told to overwrite."""
        keys = [KEY + name for name in self.table.key]
        present = current.rename({name: KEY + name for name in self.table.key})
        many = present.filter(pl.struct(keys).is_duplicated()).select(keys).unique()
        results = [_ambiguous(item) for item in frame.join(many, on=keys, how="semi")[ITEM]]
        frame = frame.join(many, on=keys, how="anti")
        if context.overwrite:
            return rebase(frame, present, keys), results
        exists = frame.join(present, on=keys, how="semi").filter(pl.col(CHANGE) == "create")
        results += explain(exists, current, self.table, context)
        return frame.filter(~pl.col(ITEM).is_in(exists[ITEM].implode())), results


def rebase(frame: pl.DataFrame, present: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The frame as if it had been planned on the present values: nothing is a conflict any more.

    A create that exists by now becomes an update. What is gone stays an update, and so a conflict: there is
    nothing to overwrite.
    """
    fields = written_fields(frame)
    seen = present.rename({name: "#" + name for name in fields}).with_columns(
        pl.lit(value=True).alias("#there")
    )
    joined = frame.join(seen, on=list(keys), how="left", maintain_order="left")
    there = pl.col("#there").fill_null(value=False)
    return joined.with_columns(
        pl.when(there & (pl.col(CHANGE) == "create")).then(pl.lit("update")).otherwise(CHANGE).alias(CHANGE),
        *(
            pl.when(there)
            .then(pl.col("#" + name).cast(frame.schema[AFTER + name]))
            .otherwise(BEFORE + name)
            .alias(BEFORE + name)
            for name in fields
            if BEFORE + name in frame.columns
        ),
    ).select(frame.columns)


def explain(
    missing: pl.DataFrame, current: pl.DataFrame, table: Table, context: ChunkContext
) -> list[Result]:
    """Say of items that were not written why, by the table's present values."""
    fields = [name for name in written_fields(missing) if BEFORE + name in missing.columns]
    keys = [KEY + name for name in table.key]
    seen = current.rename({name: KEY + name for name in table.key} | {name: "#" + name for name in fields})
    seen = seen.with_columns(pl.lit(value=True).alias("#there")).unique(subset=keys, keep="any")
    seen = seen.with_columns(pl.col(key).cast(missing.schema[key]) for key in keys)
    seen = seen.with_columns(pl.col("#" + name).cast(missing.schema[AFTER + name]) for name in fields)
    joined = missing.join(seen, on=keys, how="left").with_columns(pl.col("#there").fill_null(value=False))
    ours = joined.filter(_already(fields, table))
    others = joined.join(ours.select(ITEM), on=ITEM, how="anti")
    results = [] if context.recovering else [Result(item, Outcome.UNCHANGED) for item in ours[ITEM]]
    results += [_verdict(row, fields) for row in others.iter_rows(named=True)]
    return results


def _already(fields: Sequence[str], table: Table) -> pl.Expr:
    """Rows whose wish is fulfilled: each wanted change is there, or the row to delete is not."""
    wanted = []
    for name in fields:
        same = pl.col("#" + name).eq_missing(pl.col(AFTER + name))
        same |= (pl.col(CHANGE) == "update") & pl.col(AFTER + name).eq_missing(pl.col(BEFORE + name))
        column = table.columns.get(name)
        if column is not None and column.field.has_default and not column.field.nullable:
            same |= (pl.col(CHANGE) == "create") & pl.col(AFTER + name).is_null()  # the default was taken
        wanted.append(same)
    fulfilled = pl.col("#there") & pl.all_horizontal(wanted) if wanted else pl.col("#there")
    return pl.when(pl.col(CHANGE) == "delete").then(~pl.col("#there")).otherwise(fulfilled)


def _verdict(row: Mapping[str, Any], fields: Sequence[str]) -> Result:
    item, change, there = int(row[ITEM]), row[CHANGE], row["#there"]
    if change == "create" and not there:
        return _skipped(item)
    if not there:
        planned = {name: _shown(row[BEFORE + name], None, row[AFTER + name]) for name in fields}
        return Result(
            item,
            Outcome.CONFLICT,
            "gone",
            "The row is no longer in the table.",
            "Make a new plan if it shall be created again.",
            planned,
        )
    differing = {
        name: _shown(row[BEFORE + name], row["#" + name], row[AFTER + name])
        for name in fields
        if _is_concerned(row, name)
    }
    if change == "create":
        return Result(
            item,
            Outcome.CONFLICT,
            "exists",
            "A row with this key has been created since the plan was made.",
            "Make a new plan to compare with it.",
            differing,
        )
    if not differing:
        return _skipped(item)
    return Result(
        item,
        Outcome.CONFLICT,
        "changed",
        f"Changed since the plan was made: {', '.join(differing)}.",
        "Look at both values; make a new plan, or overwrite on purpose.",
        differing,
    )


def _is_concerned(row: Mapping[str, Any], name: str) -> bool:
    """Whether this field is why the row could not be written."""
    before, after, found = row[BEFORE + name], row[AFTER + name], row["#" + name]
    if row[CHANGE] == "create":
        return bool(found != after)
    if row[CHANGE] == "delete":
        return bool(found != before)
    return before != after and found not in {before, after}


def _shown(planned: Any, found: Any, wanted: Any) -> dict[str, Any]:
    return {"planned": plain(planned), "found": plain(found), "wanted": plain(wanted)}


def plain(value: Any) -> Any:
    """A value as JSON takes it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)


def _skipped(item: int) -> Result:
    return Result(
        item,
        Outcome.REJECTED,
        "skipped",
        "The database took the row without an error, but didn't write it.",
        "A trigger, a rule or a row-level policy of the table holds it back: ask the database's owner.",
    )


def _ambiguous(item: int) -> Result:
    return Result(
        item,
        Outcome.REJECTED,
        "ambiguous",
        "Several rows of the table have this key.",
        "Remove the doubles from the table, or choose a key that is unique there.",
    )


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
        _unwritable(item, tested)
        for item, *found in bad.filter(pl.any_horizontal(list(tests))).iter_rows()
        for tested in [next(name for name, is_bad in zip(tests, found, strict=True) if is_bad)]
    ]
    return frame.filter(~pl.col(ITEM).is_in([result.item for result in results])), results


def _unwritable(item: int, tested: str) -> Result:
    name = tested.partition(":")[2]
    if tested.startswith(KEY):
        reason, advice = f"{name}: the key is empty.", "Fill in the key."
        return Result(item, Outcome.REJECTED, "key", reason, advice, {"column": name})
    reason = f"{name}: the text holds a NUL character."
    return Result(item, Outcome.REJECTED, "nul", reason, NUL_ADVICE, {"column": name})
