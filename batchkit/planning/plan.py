"""The plan: the frozen answer to "what would change", one change per item, never computed again by a run."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import cached_property
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ..core.advice import worded
from ..core.columns import CHANGE, FILE_ROW, ITEM, PROBLEMS, RAW, RENDERED
from ..core.errors import PlanError
from ..core.problem import Problem, notice
from ..core.states import SENDABLE, Change
from ..sources.base import regrouped
from .change_view import ChangeView, PlanSummary, view_of
from .plan_file import check_place, copy_plan, read_facts

if TYPE_CHECKING:
    import pandas as pd

    from .. import Run
    from ..targets.base import Target


_TOLD_AS_IT_IS: Final = (
    "key", "mode", "fields", "columns", "unused", "created_at", "irreversible_because", "undoes"
)  # fmt: skip


class Plan:
    """A plan on disk. Made by `Job.plan()`, or opened by `Plan.load(path)`.

    Attributes:
        path: The file.
        facts: What the file says about itself (source, mapping, target, counts, ...), JSON-able.
    """

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self.path = path
        self.facts = facts

    @classmethod
    def load(cls, path: str | Path, *, verify: bool = True) -> Plan:
        """Open a plan file.

        Args:
            path: The file.
            verify: Compare all of it with its seal; False only looks at both ends of the file.

        Raises:
            PlanError: It isn't there, is no plan, is damaged, or was made by a newer batchkit.
        """
        path = Path(path).expanduser().absolute()
        return cls(path, read_facts(path, verify=verify))

    def save(self, path: str | Path) -> Plan:
        """Put a copy of the plan at another place: what is done to either file leaves the other alone.

        Raises:
            PlanError: The place can't be written to, something else than a plan is there, or the plan's own
                file is another one by now.
            DiskFull: No room is left.
        """
        path = Path(path).expanduser().absolute()
        check_place(path)
        copy_plan(self.path, path, self.facts)
        return Plan(path, self.facts)

    def __repr__(self) -> str:
        counts = ", ".join(f"{n:,} {kind}" for kind, n in self.counts.items())
        return f"<Plan {self.path.name}: {counts or 'no items'}>"

    def __len__(self) -> int:
        return sum(self.counts.values())

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of items by kind; only kinds that occur, in the order of `states.Change`."""
        found = self.facts["counts"]
        return {str(kind): found[kind] for kind in Change if found.get(kind)}

    @property
    def key(self) -> list[str]:
        """Fields that identify an item at the target."""
        return list(self.facts["key"])

    @property
    def fields(self) -> list[str]:
        """Fields that are written, without the key."""
        return list(self.facts["fields"])

    @property
    def columns(self) -> list[str]:
        """Columns of the source."""
        return list(self.facts["columns"])

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that its runs start from: of the target's kind, of the target itself, of the job."""
        from .opening import fact_of

        usual = fact_of(self.facts["address"], "usual")
        return {**usual, **self.facts.get("preset", {}), **self.facts.get("settings", {})}

    @property
    def renders(self) -> bool:
        """Whether it holds the texts that would be sent, as their readers get them."""
        return RENDERED in self._schema

    def to_send(self) -> int:
        """Number of items that would reach the target."""
        return sum(self.counts.get(kind, 0) for kind in SENDABLE)

    def summary(self) -> PlanSummary:
        """The plan in figures."""
        facts = self.facts
        return PlanSummary(
            changes=dict(self.counts),
            rows=len(self),
            problems=facts["problem_count"] + len(facts["notices"]),
            source=facts["source"].get("name", ""),
            target=facts["address"],
            table=facts["table"] or "",
            reversible=not facts["irreversible_because"],
            notices=self._notices(),
            **{name: copy(facts[name]) for name in _TOLD_AS_IT_IS},
        )

    def changes(self, kind: str | None = None) -> pl.LazyFrame:
        """The plan's rows, lazily: the columns of `targets.base`, `raw:<column>` texts, and `problems`.

        Args:
            kind: Only this kind of change.

        Raises:
            PlanError: There is no such kind.
        """
        rows = pl.scan_parquet(self.path)
        return rows if kind is None else rows.filter(pl.col(CHANGE) == _kind(kind))

    def sample(self, n: int = 5, kind: str | None = None) -> list[ChangeView]:
        """A few changes: the first `n` of a kind, or, without one, some of each kind that occurs."""
        if kind is not None:
            return self.page(kind, 0, n)
        quota = dict.fromkeys(self.counts, 0)
        while sum(quota.values()) < min(n, len(self)):
            for each in quota:
                if quota[each] < self.counts[each] and sum(quota.values()) < n:
                    quota[each] += 1
        return [view for each, few in quota.items() if few for view in self.page(each, 0, few)]

    def page(self, kind: str | None = None, offset: int = 0, limit: int = 20) -> list[ChangeView]:
        """Changes `offset` to `offset + limit`, of one kind or of all, in plan order.

        Reads only the windows of the file that hold them, so that a million rows stay quick.
        """
        if kind is None:
            return self._views(self.changes().slice(offset, limit).collect())
        kind, found = _kind(kind), []
        for start, window in self._windows():
            here = window["changes"].get(kind, 0)
            if offset < here and limit > 0:
                frame = self._picked(start, window["rows"], kind, offset, limit)
                found.append(frame)
                limit -= frame.height
            offset = max(0, offset - here)
        return self._views(pl.concat(found)) if found else []

    def problems(self, limit: int | None = None) -> list[Problem]:
        """What is wrong or worth knowing: first about the whole file, then row by row.

        Args:
            limit: At most so many; None for all.
        """
        found = self._notices()
        for start, window in self._windows():
            if limit is not None and len(found) >= limit:
                break
            if window["problems"]:
                rows = self.changes().slice(start, window["rows"]).select(FILE_ROW, PROBLEMS)
                for row, problems in rows.collect().drop_nulls(PROBLEMS).iter_rows():
                    found += [Problem(row=row, **each) for each in problems]
        return found if limit is None else found[:limit]

    def to_pandas(self, kind: str | None = None) -> pd.DataFrame:
        """The plan's rows as a pandas frame (all of it in memory)."""
        from ..sources.frame import to_pandas

        rows = self.changes(kind).collect()
        problems = [
            each and [{**problem, "advice": worded(problem["advice"])} for problem in each]
            for each in rows[PROBLEMS].to_list()
        ]
        return to_pandas(rows.with_columns(pl.Series(PROBLEMS, problems, rows.schema[PROBLEMS])))

    def blocks(self, size: int, after_item: int = -1) -> Iterator[pl.DataFrame]:
        """The items to send, in plan order, in frames of exactly `size` rows (the last may hold fewer).

        Args:
            size: Items per frame.
            after_item: Begin behind this item.

        Yields:
            Frames with `item, row, change, key:*, before:*, after:*, name:*`.
        """
        yield from regrouped(self._sendable(after_item), size)

    def _sendable(self, after_item: int) -> Iterator[pl.DataFrame]:
        unsent = {PROBLEMS, RENDERED}
        columns = [name for name in self._schema if not name.startswith(RAW) and name not in unsent]
        sendable = pl.col(CHANGE).is_in(list(SENDABLE))
        for start, window in self._windows():
            skipped = max(0, after_item + 1 - start)
            wanted = sum(window["changes"].get(kind, 0) for kind in SENDABLE)
            if not wanted or skipped >= window["rows"]:
                continue
            frame = self.changes().slice(start + skipped, window["rows"] - skipped).select(columns).collect()
            yield frame if wanted == window["rows"] else frame.filter(sendable)

    def check_source(self) -> Problem | None:
        """A notice when the source's file has changed since the plan was made, or is gone; else None.

        A file at an address isn't fetched for that: its server says which version it has, or nothing.
        The plan stays good either way: it holds all that a run needs.
        """
        from .job_source import find_changes

        self._search_secrets()
        what = find_changes(self.facts["source"])
        if not what:
            return None
        place = self.facts["source"].get("path") or self.facts["source"]["address"]
        return notice(
            "stale",
            f"The source {place} {what} since the plan was made",
            "The plan applies the rows as they were. Make it again to take the new ones.",
        )

    def open_target(self) -> Target:
        """The target that the plan was made for; not connected yet."""
        from .opening import open_target

        self._search_secrets()
        return open_target(**self.facts["target"])

    def _search_secrets(self) -> None:
        from ..core.secrets import search_in

        if self.facts["folder"]:
            search_in(Path(self.facts["folder"]))

    def check_target(self, target: Target) -> None:
        """Make sure that a connected target is the one the plan was made for, with the same fields.

        Raises:
            PlanError: Its address, a field, or a field's type is another.
        """
        if target.address != self.facts["address"]:
            raise PlanError(
                f"The plan was made for {self.facts['address']}, not for {target.address}.",
                advice="Apply it there, or make a plan for this target.",
            )
        present = target.fields()
        if not present:
            return
        for name, planned in self.facts["types"].items():
            now = present[name].type if name in present else None
            if now != planned["type"]:
                what = f"is {now} now" if now else "is gone"
                raise PlanError(
                    f"The target's field {name!r} was {planned['type']} when the plan was made; it {what}.",
                    advice="Make the plan again.",
                )

    def start(self, **settings: Any) -> Run:
        """Run this plan; returns at once and works behind; settings as `running.run.start` takes them."""
        # The one door upward, opened by name: the story reads Job → Plan → Run → Report, and so do its users.
        running, upkeep = import_module("batchkit.running.run"), import_module("batchkit.upkeep.retention")
        run: Run = running.start(self, tidy=upkeep.clean_quietly, **settings)
        return run

    @cached_property
    def _schema(self) -> dict[str, pl.DataType]:
        return dict(pl.read_parquet_schema(self.path))

    def _windows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        windows = self.facts["windows"]
        ends = accumulate(window["rows"] for window in windows)
        for end, window in zip(ends, windows, strict=True):
            yield end - window["rows"], window

    def _picked(self, start: int, rows: int, kind: str, offset: int, limit: int) -> pl.DataFrame:
        window = self.changes().slice(start, rows)
        items = window.select(ITEM, CHANGE).collect().filter(pl.col(CHANGE) == kind)[ITEM]
        items = items.slice(offset, limit)
        first, last = items[0], items[-1]
        # Items are numbered by their place: what lies between two of them is one slice, a short one at best.
        near = self.changes().slice(first, last - first + 1)
        return near.collect().filter(pl.col(CHANGE) == kind)

    def _notices(self) -> list[Problem]:
        return [Problem(**each) for each in self.facts["notices"]]

    def _views(self, frame: pl.DataFrame) -> list[ChangeView]:
        return [view_of(row, self.key, self.fields) for row in frame.iter_rows(named=True)]


def _kind(kind: str) -> str:
    if kind not in set(Change):
        raise PlanError(f"There is no kind of change {kind!r}.", advice=f"Kinds are: {', '.join(Change)}.")
    return str(kind)
