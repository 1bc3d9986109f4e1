"""For testing jobs and targets of your own: a clock to turn, targets in memory, a process that dies.

from batchkit.testing import MemoryTarget

target = MemoryTarget("memory:shop", key=["id"], rows=[{"id": "1", "name": "old"}])
run = plan.start(target=target)
run.wait()
assert target.rows[("1",)]["name"] == "new"
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import polars as pl

from .core.columns import AFTER, BEFORE, CHANGE, ITEM, KEY, FieldType
from .core.compare import NOW, THERE, Standing, fields_of, find_kept, judge_row
from .core.states import Change, Outcome
from .targets.base import CallTarget, ChunkContext, Failure, Fate, FrameTarget, Item, Result, register

register("memory", "batchkit.testing:MemoryTarget")


class FakeClock:
    """Monotonic seconds that only move when told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:  # noqa: D102 - a clock is called for the time
        return self.now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.now += seconds


class Refused(Exception):
    """What the memory targets raise when told to fail; it carries the failure they judge it to be."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def refuse(fate: Fate, reason: str = "refused", **facts: Any) -> Refused:
    """An error that a memory target classifies with this fate."""
    return Refused(Failure(fate, facts.pop("rule", reason), reason, **facts))


def _judge(error: BaseException) -> Failure:
    if isinstance(error, Refused):
        return error.failure
    if isinstance(error, TimeoutError):
        return Failure(Fate.UNKNOWN, "timeout", str(error) or "no answer in time")
    if isinstance(error, ConnectionError):
        return Failure(Fate.RETRY, "connection", f"nobody answered: {error}", connection=True)
    return Failure(Fate.REJECT, type(error).__name__, str(error))


class MemoryTarget(FrameTarget):
    """A table in memory, applied chunk by chunk with the same compare-and-set as a database.

    Args:
        url: `memory:NAME`. Targets of one name share their rows within the process.
        key: Fields that identify an item.
        rows: Rows to begin with.
        types: The fields; text where not said.

    Attributes:
        rows: Key → row.
        on_apply: Called with each chunk's frame before it is applied; raise in it to refuse the chunk.
        bad: Called with each wanted row; returns why the target won't take it, or None.
    """

    idempotent = True
    readable = True
    reversible = True
    max_workers = 1
    _stores: ClassVar[dict[str, dict[tuple[Any, ...], dict[str, Any]]]] = {}

    def __init__(
        self,
        url: str = "memory:test",
        *,
        key: Sequence[str] = (),
        rows: Iterable[Mapping[str, Any]] = (),
        types: Mapping[str, str] | None = None,
        **_: Any,
    ) -> None:
        self._url = url
        self.keys = tuple(key)
        self._types = dict(types or {})
        self.rows = self._stores.setdefault(url, {})
        for row in rows:
            self.rows[tuple(row[name] for name in self.keys)] = dict(row)
        self.on_apply: Callable[[pl.DataFrame], None] | None = None
        self.bad: Callable[[dict[str, Any]], str | None] | None = None
        self.applied: list[int] = []

    @property
    def address(self) -> str:  # noqa: D102 - the base class says it
        return self._url

    def describe(self) -> dict[str, Any]:  # noqa: D102 - the base class says it
        return {"url": self._url, "key": list(self.keys), "types": self._types}

    def connect(self) -> None:
        """There is nothing to connect to."""

    def close(self) -> None:
        """There is nothing to close."""

    def fields(self) -> dict[str, FieldType]:  # noqa: D102 - the base class says it
        return {name: FieldType(type=kind, key=name in self.keys) for name, kind in self._types.items()}

    def classify(self, error: BaseException) -> Failure:  # noqa: D102 - the base class says it
        return _judge(error)

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:  # noqa: D102 - the base class says it
        found = [self.rows[key] for key in keys.select(self.keys).iter_rows() if key in self.rows]
        schema = {name: keys.schema.get(name, pl.String()) for name in (*self.keys, *fields)}
        return pl.DataFrame([{name: row.get(name) for name in schema} for row in found], schema=schema)

    def apply(self, frame: pl.DataFrame, context: ChunkContext) -> list[Result]:  # noqa: D102 - the base class says it
        if self.on_apply is not None:
            self.on_apply(frame)
        results: list[Result] = []
        draft = dict(self.rows)
        for row in frame.iter_rows(named=True):
            result = self._apply_row(draft, row, context)
            if result is not None:
                results.append(result)
        if not context.dry_run:
            self.applied.extend(frame[ITEM].to_list())
            self.rows.clear()
            self.rows.update(draft)
        return results

    def _apply_row(
        self, draft: dict[tuple[Any, ...], dict[str, Any]], row: dict[str, Any], context: ChunkContext
    ) -> Result | None:
        item, change, fields = row[ITEM], row[CHANGE], fields_of(row)
        key = tuple(row[KEY + name] for name in self.keys) or (item,)
        wanted = {name: row[AFTER + name] for name in fields}
        reason = self.bad(wanted) if self.bad and change != Change.DELETE else None
        if reason:
            return Result(item, Outcome.REJECTED, "bad", reason)
        present = draft.get(key)
        seen = {**row, THERE: present is not None, **{NOW + n: (present or {}).get(n) for n in fields}}
        standing = judge_row(seen)
        if standing is Standing.DONE:
            return None if context.recovering else Result(item, Outcome.UNCHANGED)
        if standing is Standing.EDITED and not (context.overwrite and present is not None):
            return Result(item, Outcome.CONFLICT, "changed", "The target was edited since the plan was made.")
        if change == Change.DELETE:
            del draft[key]
        else:
            left_alone = {n for n in fields if change == Change.UPDATE and wanted[n] == row.get(BEFORE + n)}
            written = {name: value for name, value in wanted.items() if name not in left_alone}
            draft[key] = {**(present or dict(zip(self.keys, key, strict=False))), **written}
        kept = find_kept(seen) if standing is Standing.PARTLY else []
        return Result(item, Outcome.DONE, "kept", detail={"kept": kept}) if kept else None


class CallRecorder(CallTarget):
    """A target that takes calls and remembers them.

    Args:
        url: `memory:NAME`.
        idempotent: What it claims to be.
        call_size: Items a call carries.
        behave: Awaited with each call's items; may wait, raise, or return results.

    Attributes:
        sent: Ordinals of all items that arrived, in the order in which they did.
        most_at_once: The largest number of calls that were under way at once.
    """

    def __init__(
        self,
        url: str = "memory:calls",
        *,
        idempotent: bool = True,
        call_size: int = 1,
        behave: Callable[[Sequence[Item]], Any] | None = None,
        **_: Any,
    ) -> None:
        self._url = url
        self.idempotent = idempotent
        self.call_size = call_size
        self.behave = behave
        self.sent: list[int] = []
        self.most_at_once = 0
        self._at_once = 0

    @property
    def address(self) -> str:  # noqa: D102 - the base class says it
        return self._url

    def describe(self) -> dict[str, Any]:  # noqa: D102 - the base class says it
        return {"url": self._url}

    def connect(self) -> None:
        """There is nothing to connect to."""

    def close(self) -> None:
        """There is nothing to close."""

    def fields(self) -> dict[str, FieldType]:  # noqa: D102 - the base class says it
        return {}

    def classify(self, error: BaseException) -> Failure:  # noqa: D102 - the base class says it
        return _judge(error)

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:  # noqa: D102 - the base class says it
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            results = self.behave(items) if self.behave else None
            if asyncio.iscoroutine(results):
                results = await results
            if not dry_run:
                self.sent.extend(item.index for item in items)
            return results
        finally:
            self._at_once -= 1


def die_after(calls: int) -> Callable[[Any], None]:
    """A hook for `on_apply` or `behave` that kills this process at call number `calls`, as kill -9 does."""
    left = calls

    def hook(_: Any) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

    return hook
