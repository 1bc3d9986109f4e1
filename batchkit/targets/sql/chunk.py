"""A chunk applied to a table: one transaction, and an outcome for every item that isn't simply done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ...core.columns import AFTER, BEFORE, CHANGE, ITEM, KEY, LOST
from ...core.states import Outcome
from ..base import ChunkContext, Result
from .checkpoint import Checkpoint
from .dialect import Dialect, Table, key_frame, written_fields
from .lookups import Lookups

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
        with self.dialect.transaction(self.link, keep=not context.dry_run, timeout=context.timeout):
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
        named = self.lookups.fill(self.dialect, self.link, frame)
        results += named.results + self._write_named(named.frame, context)
        if any(named.made.values()):
            refused = {result.item for result in results if result.outcome is not Outcome.DONE}
            self.lookups.drop_unused(self.dialect, self.link, frame, named, refused)
        return results, named.learned

    def _write_named(self, frame: pl.DataFrame, context: ChunkContext) -> list[Result]:
        results, marks = list[Result](), list[Result]()
        current = self._current(frame, context)
        if current is not None:
            frame, results, marks = self._settle(frame, current, context)
        if frame.height:
            written = self.dialect.write(self.link, self.table, frame)
            results += written.results
            results += self._explain(frame, written.missing, context)
        told = {result.item for result in results}
        return results + [mark for mark in marks if mark.item not in told]

    def _explain(self, frame: pl.DataFrame, items: list[int], context: ChunkContext) -> list[Result]:
        if not items:
            return []
        if not self.table.key:
            return [_skipped(item) for item in items]
        missing = frame.filter(pl.col(ITEM).is_in(items))
        current = self._read(missing)
        halves, marks = half_done(missing, current, self.table)
        if not halves.height:
            return explain(missing, current, self.table, context)
        written = self.dialect.write(self.link, self.table, halves)
        missing = missing.filter(~pl.col(ITEM).is_in(halves[ITEM].implode()))
        results = written.results + explain(missing, current, self.table, context)
        if written.missing:  # edited again at this very moment
            again = halves.filter(pl.col(ITEM).is_in(written.missing))
            results += explain(again, self._read(again), self.table, context)
        told = {result.item for result in results}
        return results + [mark for mark in marks if mark.item not in told]

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
    ) -> tuple[pl.DataFrame, list[Result], list[Result]]:
        """Take out what can be told from the present values, and rebase on them when told to overwrite.

        Returns:
            The rows to write, results for the others, and what is to be said of rows that will be written
            over somebody's edit.
        """
        keys = [KEY + name for name in self.table.key]
        present = present_values(frame, current, self.table)
        many = present.filter(pl.struct(keys).is_duplicated()).select(keys).unique()
        results = [_ambiguous(item) for item in frame.join(many, on=keys, how="semi")[ITEM]]
        frame = frame.join(many, on=keys, how="anti")
        if context.overwrite:
            seen = frame.join(present, on=keys, how="left", maintain_order="left")
            return rebase(seen, frame.columns), results, overwritten(seen)
        exists = frame.join(present, on=keys, how="semi").filter(pl.col(CHANGE) == "create")
        results += explain(exists, current, self.table, context)
        return frame.filter(~pl.col(ITEM).is_in(exists[ITEM].implode())), results, []


def present_values(frame: pl.DataFrame, current: pl.DataFrame, table: Table) -> pl.DataFrame:
    """What was read, under names that go beside a plan's: `key:*`, `#field`, `lost:*` and `#there`."""
    fields = written_fields(frame)
    return current.select(
        *(pl.col(name).cast(frame.schema[KEY + name]).alias(KEY + name) for name in table.key),
        *(pl.col(name).cast(frame.schema[AFTER + name]).alias("#" + name) for name in fields),
        *(_lost_text(current, name) for name in fields),
        pl.lit(value=True).alias("#there"),
    )


def _lost_text(current: pl.DataFrame, name: str) -> pl.Expr:
    """The text of a present value that its field's type can't carry; null where it can."""
    found = pl.col(LOST + name) if LOST + name in current.columns else pl.lit(None, pl.String)
    return pl.when(pl.col(name).is_null()).then(found).alias(LOST + name)


def rebase(seen: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """The rows as if they had been planned on the present values: nothing is a conflict any more.

    A create that exists by now becomes an update. What is gone stays an update, and so a conflict: there is
    nothing to overwrite. A field that an update leaves alone stays as it is, whoever changed it since.
    """
    there = pl.col("#there").fill_null(value=False)
    is_create = pl.col(CHANGE) == "create"
    sides = []
    for name in written_fields(seen):
        if BEFORE + name not in seen.columns:
            continue
        usable = there & pl.col(LOST + name).is_null()
        alone = (pl.col(CHANGE) == "update") & pl.col(BEFORE + name).eq_missing(pl.col(AFTER + name))
        sides.append(pl.when(usable).then("#" + name).otherwise(BEFORE + name).alias(BEFORE + name))
        sides.append(pl.when(usable & alone).then("#" + name).otherwise(AFTER + name).alias(AFTER + name))
    change = pl.when(there & is_create).then(pl.lit("update")).otherwise(CHANGE).alias(CHANGE)
    return seen.with_columns(change, *sides).select(columns)


def overwritten(seen: pl.DataFrame) -> list[Result]:
    """What is said of the rows that hold another's edit, should they be written over it."""
    fields = [name for name in written_fields(seen) if BEFORE + name in seen.columns]
    concerned = seen.filter(pl.col("#there").fill_null(value=False)).filter(
        (pl.col(CHANGE) == "create") | pl.any_horizontal(False, *(_edited(name) for name in fields))
    )
    results = []
    for row in concerned.iter_rows(named=True):
        lost = {name: text_of(row["#" + name]) for name in fields if _is_concerned(row, name)}
        kept = kept_fields(row, fields)
        if lost:
            reason = f"Written over what somebody else had put there: {', '.join(lost)}."
            results.append(
                Result(int(row[ITEM]), Outcome.DONE, "overwritten", reason, detail={"overwritten": lost})
            )
        elif kept:
            results.append(_kept(int(row[ITEM]), kept))
    return results


def _edited(name: str) -> pl.Expr:
    return pl.col("#" + name).ne_missing(pl.col(BEFORE + name))


def half_done(
    missing: pl.DataFrame, current: pl.DataFrame, table: Table
) -> tuple[pl.DataFrame, list[Result]]:
    """Updates of which somebody else has made a part already, and that part only.

    Returns:
        Their rows with that part taken out of the change, and what to say of it once the rest is written: the
        run did not change those fields, so an undo must not either.
    """
    fields = [name for name in written_fields(missing) if BEFORE + name in missing.columns]
    keys = [KEY + name for name in table.key]
    present = present_values(missing, current, table).unique(subset=keys, keep="any")
    seen = missing.join(present, on=keys, how="inner", maintain_order="left")
    fits, left = [pl.col(CHANGE) == "update"], [pl.lit(value=False)]
    for name in fields:
        same = pl.col(AFTER + name).eq_missing(pl.col(BEFORE + name))
        found = pl.col("#" + name)
        as_planned, as_wanted = (found.eq_missing(pl.col(side + name)) for side in (BEFORE, AFTER))
        fits.append(same | ((as_planned | as_wanted) & pl.col(LOST + name).is_null()))
        left.append(~same & ~as_wanted)
    seen = seen.filter(pl.all_horizontal(fits) & pl.any_horizontal(left))
    kept = {int(row[ITEM]): kept_fields(row, fields) for row in seen.iter_rows(named=True)}
    marks = [_kept(item, names) for item, names in kept.items() if names]
    return rebase(seen, missing.columns).filter(pl.col(ITEM).is_in([mark.item for mark in marks])), marks


def kept_fields(row: Mapping[str, Any], fields: Sequence[str]) -> list[str]:
    """Fields that were to be changed and hold the wanted value already, by somebody else's doing."""
    changing = [name for name in fields if row[BEFORE + name] != row[AFTER + name]]
    return [name for name in changing if row[CHANGE] == "update" and row["#" + name] == row[AFTER + name]]


def _kept(item: int, fields: Sequence[str]) -> Result:
    reason = f"Somebody else had set {', '.join(fields)} to the wanted value already."
    return Result(item, Outcome.DONE, "kept", reason, detail={"kept": list(fields)})


def explain(
    missing: pl.DataFrame, current: pl.DataFrame, table: Table, context: ChunkContext
) -> list[Result]:
    """Say of items that were not written why, by the table's present values."""
    fields = [name for name in written_fields(missing) if BEFORE + name in missing.columns]
    keys = [KEY + name for name in table.key]
    seen = present_values(missing, current, table).unique(subset=keys, keep="any")
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
        same = pl.col("#" + name).eq_missing(pl.col(AFTER + name)) & pl.col(LOST + name).is_null()
        same |= (pl.col(CHANGE) == "update") & pl.col(AFTER + name).eq_missing(pl.col(BEFORE + name))
        column = table.columns.get(name)
        if column is not None and column.fills_in:
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
    unreadable = {
        name: _shown(row[BEFORE + name], row[LOST + name], row[AFTER + name])
        for name in fields
        if row[LOST + name] is not None and (change != "update" or row[BEFORE + name] != row[AFTER + name])
    }
    if unreadable:
        return _unreadable(item, unreadable)
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


def _unreadable(item: int, fields: Mapping[str, Mapping[str, Any]]) -> Result:
    """What is said of a row whose field holds what the field's type can't carry, and so nobody compared."""
    values = ", ".join(f"{name} holds {values['found']!r}" for name, values in fields.items())
    return Result(
        item,
        Outcome.CONFLICT,
        "unreadable",
        f"{values}, which can't be compared with what the plan wants.",
        "Look at the value in the table; correct it there, then make a new plan.",
        dict(fields),
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


def text_of(value: Any) -> str | None:
    """A value as text."""
    return None if value is None else str(plain(value))


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
