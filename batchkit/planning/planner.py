"""Planning: from source, mapping and target to a plan file, in two passes and bounded memory.

The first pass reads the source, converts and checks its rows and spools them, keeping 8 bytes a row: the
key's hash. The second takes the spool part by part: duplicates, lookups as sets, one read of the target for a
whole part, the diff, and a row group of the plan.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter, abc
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import polars as pl

from ..checking.checks import problem_schema
from ..checking.conversions import dtype_of
from ..core.columns import AFTER, BEFORE, CHANGE, FILE_ROW, ITEM, KEY, NAME, PROBLEMS, RAW, RENDERED, ROW
from ..core.errors import UsageError
from ..core.home import plans_folder
from ..core.problem import Problem, notice, warning
from ..core.states import SENDABLE, Change
from ..core.words import plural
from ..sources.base import regrouped
from ..targets.base import FrameTarget
from .deletes import plan_deletes
from .diff import ISSUE, OK, UNREADABLE, diff
from .duplicates import RULE as DUPLICATE
from .duplicates import KeyHashes, find_duplicates, hash_keys, mark_duplicates
from .facts import collect_facts, foresee_problems, list_names, warn_of_cleared
from .fit import is_typed
from .lookups import LookupFields
from .outline import Outline
from .plan import Plan
from .plan_file import WINDOW, PlanWriter
from .references import References, order_by_generation
from .row_problems import NO_ROWS, PROBLEM_LIST, add_blank_keys, group_by_row, report_issues, report_lost
from .spool import Spool
from .target_values import TargetValues
from .work import RowSum

VALUE: Final = "v:"
"""Prefix of a field's converted value in the spool."""

NOTICES: Final = 200
"""Problems about the file as a whole that a plan keeps."""

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done (`read` or `compare`), rows done, and rows in all where known."""


def make_plan(outline: Outline, path: Path | None = None, progress: Progress | None = None) -> Plan:
    """Write the plan of an outline.

    Args:
        outline: What is to be planned.
        path: Where; by default a new file under the plans folder.
        progress: Called now and then.

    Raises:
        BatchkitError: The source or the target can't be read, a cap is passed, the disk is full. Then no
            file is left behind.
    """
    path = path or plans_folder() / _file_name(outline.source.name)
    return _Planner(outline, path.expanduser().absolute(), progress or (lambda *_: None)).make()


def _file_name(source: str) -> str:
    stem = re.sub(r"[^\w.-]+", "-", Path(source).stem).strip("-.")[:60] or "plan"
    now = datetime.now().astimezone()
    return f"{stem}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}.parquet"


class _Planner:
    def __init__(self, outline: Outline, path: Path, progress: Progress) -> None:
        self.outline = outline
        self.path = path
        self.progress = progress
        self.notices: list[Problem] = []
        columns, types = outline.source.columns, outline.types
        self.checker = outline.mapping.checker(columns, types, typed=is_typed(outline.source))
        self.key = list(outline.key)
        self.fields = [name for name in self.checker.types if name not in outline.key]
        self.sources = {name: self.checker.resolved.columns.get(name, name) for name in self.checker.types}
        self.key_column = ", ".join(self.sources[name] for name in self.key)
        self.lookups = LookupFields(outline.target, outline.mapping.fields, self.sources)
        self.held = TargetValues(outline.target, self.checker.types, types, self.sources, self.lookups.names)
        self.hashes = KeyHashes()
        self.found_keys: list[pl.Series] = []
        self.cleared: Counter[str] = Counter()
        own = getattr(outline.target, "self_references", ())
        self.references = References(name for name in own if name in self.fields and self.key)
        self.sent = None if self._is_seen() else RowSum()
        self.rows = 0
        self.window = min(outline.target.read_size or WINDOW, WINDOW)
        self.renders = self._does_render()
        self.schema = self._schema()

    def make(self) -> Plan:
        with Spool(self.path) as spool:
            row_problems = self._check_rows(spool)
            with PlanWriter(self.path, self.schema) as writer:
                for frame in regrouped(self._compare_all(spool, row_problems), self.window):
                    writer.write(frame)
                return Plan(self.path, writer.finish(self._facts(writer)))

    def _schema(self) -> pl.Schema:
        types = dict(self.held.types)
        for name in self.lookups.names:
            if (kind := self.outline.types.get(name)) is not None:
                types[name] = dtype_of(kind.type, kind.scale)
        texts = [*(NAME + name for name in self.lookups.creating), *([RENDERED] if self.renders else ())]
        texts += [RAW + name for name in self.outline.source.columns]
        return pl.Schema(
            {
                ITEM: pl.UInt32,
                FILE_ROW: pl.UInt32,
                CHANGE: pl.String,
                **{KEY + name: types[name] for name in self.key},
                **{side + name: types[name] for side in (BEFORE, AFTER) for name in self.fields},
                **dict.fromkeys(texts, pl.String),
                PROBLEMS: PROBLEM_LIST,
            }
        )

    def _does_render(self) -> bool:
        nothing = pl.DataFrame(schema=self.held.types)
        return self.outline.target.rendered(nothing) is not None

    # First pass

    def _check_rows(self, spool: Spool) -> pl.DataFrame:
        keys = {name: self.sources[name] for name in self.key}
        bad = [pl.Series(ROW, dtype=pl.UInt32)]
        for batch in self.outline.source.batches(self.window):
            checked = self.held.convert(self.checker.check(batch))
            values = checked.values.rename({name: VALUE + name for name in self.checker.types})
            if self.renders:
                texts = self.outline.target.rendered(checked.values.drop(ROW))
                values = values.with_columns(pl.lit(texts, pl.String).alias(RENDERED))
            raw = batch.drop(ROW).rename({name: RAW + name for name in self.outline.source.columns})
            spool.add(values.hstack(raw), add_blank_keys(checked, keys))
            if self.key:
                self.hashes.add(checked.values.select(self.key))
                self.references.add(checked.values, self.key[0])
            bad.append(checked.invalid)
            self.rows += batch.height
            self.progress("read", self.rows, None)
        late = [self.checker.finish(), self._source_problems(spool)]
        if self.key:
            bad += [each.filter(pl.col("level") == "error")["row"] for each in late]
            duplicates = find_duplicates(
                spool,
                [VALUE + name for name in self.key],
                self.key_column,
                self.hashes,
                self.outline.job.keep_duplicates,
                pl.concat(bad).unique(),
            )
            late.append(duplicates)
        return pl.concat(late)

    def _source_problems(self, spool: Spool) -> pl.DataFrame:
        # A problem belongs to its row if that row became an item; else (a skipped row) to the file.
        about_rows = [each.stored() for each in self.outline.source.problems if each.row is not None]
        problems = pl.DataFrame(about_rows, schema=problem_schema())
        items = [part[ROW] for part in spool.columns([ROW])] if about_rows else []
        mine = problems["row"].is_in(pl.concat([problems["row"].clear(), *items]).implode())
        self.notices += [each for each in self.outline.source.problems if each.row is None]
        self.notices += [
            Problem(**each) for each in problems.filter(~mine).head(NOTICES).iter_rows(named=True)
        ]
        return problems.filter(mine)

    # Second pass

    def _compare_all(self, spool: Spool, late: pl.DataFrame) -> Iterator[pl.DataFrame]:
        waiting = self.references.find_generations(self.hashes.all()) if self.references.fields else None
        if waiting is None:
            yield from self._compare_in_order(spool, late)
        else:
            count = plural(int((waiting > 0).sum()), "row")
            refers = list_names(self.references.fields)
            self.notices.append(
                notice("order", f"{count} of the source will be sent after the rows that {refers} refers to")
            )
            yield from order_by_generation(self._compare_in_order(spool, late), waiting, self.path)
        if self.outline.job.delete:
            yield from self._plan_deletes()

    def _compare_in_order(self, spool: Spool, late: pl.DataFrame) -> Iterator[pl.DataFrame]:
        done = 0
        for rows, problems in spool.parts():
            here = late.filter(pl.col("row").is_in(rows[ROW].implode())) if late.height else late
            yield self._compare(rows, pl.concat([problems, here]))
            done += rows.height
            self.progress("compare", done, self.rows)

    def _compare(self, rows: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
        duplicates = problems.filter(pl.col("rule") == DUPLICATE)["row"]
        bad = problems.filter((pl.col("level") == "error") & (pl.col("rule") != DUPLICATE))["row"]
        unfit = pl.concat([duplicates, bad]).unique()
        wanted = self._select_wanted(rows).with_columns(~pl.col(ROW).is_in(unfit.implode()).alias(OK))
        wanted, unresolved = self.lookups.resolve(wanted)
        bad = pl.concat([bad, unresolved["row"]])
        if self.outline.job.delete:
            self._note_held_keys(wanted)
        planned, issues = self._diff(wanted)
        planned = mark_duplicates(
            planned, duplicates.filter(~duplicates.is_in(bad.implode())), self.outline.job.keep_duplicates
        )
        if self.sent is not None:
            # The checked values, with names in place of looked-up ids: those may come into being meanwhile.
            going = rows.filter(planned[CHANGE].is_in(list(SENDABLE)))
            self.sent.add(going, {VALUE + name: name for name in (*self.key, *self.fields)})
        listed = group_by_row(pl.concat([problems, unresolved, issues]))
        planned = planned.join(listed, left_on=ROW, right_on="row", how="left", maintain_order="left")
        if self.renders:
            # What isn't sent is read by nobody.
            sent = pl.col(CHANGE).is_in(list(SENDABLE))
            planned = planned.with_columns(pl.when(sent).then(rows[RENDERED]).alias(RENDERED))
        return self._shape(planned.hstack(rows.select(pl.col(f"^{re.escape(RAW)}.*$"))))

    def _select_wanted(self, rows: pl.DataFrame) -> pl.DataFrame:
        names = {VALUE + name: KEY + name for name in self.key} | {VALUE + n: AFTER + n for n in self.fields}
        return rows.select(ROW, *(pl.col(old).alias(new) for old, new in names.items()))

    def _diff(self, wanted: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        outline, mode = self.outline, self.outline.job.mode
        if not self._is_seen():
            kind = Change.CREATE if mode == "append" else Change.SEND
            sent = pl.when(OK).then(pl.lit(str(kind))).otherwise(pl.lit(str(Change.INVALID)))
            return wanted.with_columns(sent.alias(CHANGE)), NO_ROWS
        keys = wanted.filter(OK).select(pl.col(KEY + name).alias(name) for name in self.key)
        types = {name: kind for name, kind in self.schema.items() if name.startswith(BEFORE)}
        found = outline.target.read(keys, self.fields) if keys.height else _make_empty(keys, types)
        planned = diff(
            wanted,
            found,
            key=self.key,
            fields=self.fields,
            mode="update" if mode == "upsert" and not outline.target.creatable else mode,
            compare=outline.compare,
            keep=[one.name for one in outline.mapping.fields if one.blank == "keep"],
            json_fields=[name for name in self.fields if self._find_kind(name) == "json"],
        )
        self._count_cleared(planned)
        concerned = planned.filter((pl.col(ISSUE) == UNREADABLE) | (pl.col(CHANGE) == str(Change.UPDATE)))
        absent = outline.target.missing_advice
        issues = [report_issues(planned, self.key_column, absent), report_lost(concerned, self.sources)]
        return planned, pl.concat(issues)

    def _is_seen(self) -> bool:
        """Whether what is sent can be found at the target afterwards."""
        return self.outline.job.mode != "append" and self.outline.target.readable

    def _count_cleared(self, planned: pl.DataFrame) -> None:
        updates = planned.filter(pl.col(CHANGE) == str(Change.UPDATE))
        emptied = updates.select(
            (pl.col(BEFORE + name).is_not_null() & pl.col(AFTER + name).is_null()).sum().alias(name)
            for name in self.fields
        )
        self.cleared.update(
            {name: n for name, n in emptied.row(0, named=True).items() if n} if emptied.width else {}
        )

    def _find_kind(self, name: str) -> str | None:
        return self.outline.types[name].type if name in self.outline.types else None

    def _note_held_keys(self, wanted: pl.DataFrame) -> None:
        """Keep the hashes of the keys that the target finds by those of the source, in its own spelling."""
        target, keys = self._frame_target(), [KEY + name for name in self.key]
        given = wanted.select(pl.col(key).alias(key.removeprefix(KEY)) for key in keys).drop_nulls().unique()
        if given.height:
            held = target.held_keys(given)
            self.found_keys.append(hash_keys(held.cast(pl.Schema(self._key_types()))))

    def _key_types(self) -> dict[str, pl.DataType]:
        return {name: self.schema[KEY + name] for name in self.key}

    def _frame_target(self) -> FrameTarget:
        if not isinstance(self.outline.target, FrameTarget):
            raise UsageError(
                f"{self.outline.target.address} can't list its items, so none can be deleted.",
                advice="Leave out delete.",
            )
        return self.outline.target

    def _plan_deletes(self) -> Iterator[pl.DataFrame]:
        spared = self._why_nothing_is_deleted()
        if spared is not None:
            self.notices.append(spared)
            return
        known = pl.concat([self.hashes.all(), *self.found_keys])
        cap = self.outline.job.delete_cap
        for gone in plan_deletes(self._frame_target(), self._key_types(), self.fields, known, cap):
            frame = gone.with_row_index(ROW)
            listed = group_by_row(report_lost(frame, self.sources))
            yield self._shape(
                frame.join(listed, left_on=ROW, right_on="row", how="left", maintain_order="left")
            )

    def _why_nothing_is_deleted(self) -> Problem | None:
        """A row that isn't known may be any item, so that none can be called lacking."""
        if self.hashes.blank:
            return warning(
                "delete",
                "Nothing is deleted: the source has "
                f"{plural(self.hashes.blank, 'row')} without a readable key, which may be any item",
                "Correct those rows and make the plan again.",
            )
        hidden = self.outline.job.hidden_rows == "skip" and any(
            each.rule == "hidden_rows" for each in self.outline.source.problems
        )
        if hidden:
            return warning(
                "delete",
                "Nothing is deleted: hidden rows of the sheet are left out, and their items are not lacking",
                "Read them too (hidden_rows keep), or delete them from the sheet, and make the plan again.",
            )
        return None

    def _shape(self, frame: pl.DataFrame) -> pl.DataFrame:
        if FILE_ROW not in frame.columns:
            frame = frame.with_columns(pl.col(ROW).alias(FILE_ROW))
        absent = {name: kind for name, kind in self.schema.items() if name not in frame.columns}
        frame = frame.with_columns(pl.lit(None, kind).alias(name) for name, kind in absent.items())
        return frame.select(pl.col(name).cast(kind) for name, kind in self.schema.items())

    def _facts(self, writer: PlanWriter) -> dict[str, Any]:
        resolved = self.checker.resolved
        foreseen = foresee_problems(self.outline, self.fields, resolved.unused, writer.counts)
        own = self.outline.target.notices()
        notices = [*self.notices, *self.checker.notices(), *warn_of_cleared(self.cleared), *foreseen, *own]
        outline = self.outline
        rows = self.sent.at(outline.target) if self.sent else None
        return {**collect_facts(outline, self.fields, resolved.unused, notices[:NOTICES]), "rows": rows}


def _make_empty(keys: pl.DataFrame, types: abc.Mapping[str, Any]) -> pl.DataFrame:
    fields = {name.removeprefix(BEFORE): kind for name, kind in types.items()}
    return pl.DataFrame(schema={**keys.schema, **fields})
