"""Holding items against what the target holds now: before they are sent, after a crash, and in doubt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from ..core.advice import resume
from ..core.columns import AFTER, BEFORE, ITEM, KEY
from ..core.compare import (
    NOW,
    STANDING,
    TO_SEND,
    Standing,
    fields_of,
    find_edited,
    join_present,
    judge_columns,
)
from ..core.retry import Backoff
from ..core.states import Change, Outcome
from ..targets.base import Failure, Item, Result
from .chunk import Call, Chunk
from .gate import BACKOFF
from .recorder import Recorder
from .session import Session

Read = Callable[[Chunk, pl.DataFrame], Awaitable[pl.DataFrame | None]]

NEITHER: Final = "Nobody knows what became of it, and the target holds neither former nor wanted values."
LOOK_THERE: Final = f"Look at it there; make a new plan, or write it all the same: {resume(overwrite=True)}."


def asked(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """What to read for these items: their keys, each once, and the fields."""
    names = [name.removeprefix(KEY) for name in frame.columns if name.startswith(KEY)]
    keys = frame.select(pl.col(KEY + name).alias(name) for name in names).unique(maintain_order=True)
    return keys, fields_of(frame.columns)


def held_against(frame: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Judge items by what the target holds.

    What a target behind HTTP was given no value for it may fill in as it likes: a date, a slug, an author.

    Args:
        frame: The items.
        found: What `read` gave for `asked(frame)`.

    Returns:
        The items with what `join_present` adds, and `#standing`.
    """
    joined = join_present(frame, found)
    return joined.with_columns(judge_columns(joined.columns, fills_in=fields_of(frame.columns)))


def looked_back(
    items: Sequence[Item], frame: pl.DataFrame, found: pl.DataFrame, failure: Failure
) -> tuple[list[Item], list[Result]]:
    """What became of items that nobody answered for, by what the target holds a moment later.

    Args:
        items: The items.
        frame: Their rows.
        found: What `read` gave for `asked(frame)`.
        failure: What is known of the call.

    Returns:
        The items to send again, and results of those that are not simply done. What was to be created and
        isn't there may still come: it stays unknown.
    """
    rows = {row[ITEM]: row for row in held_against(frame, found).iter_rows(named=True)}
    again, results = [], []
    for item in items:
        row = rows[item.index]
        if row[STANDING] == Standing.EDITED:
            shown = differences(row)
            results.append(Result(item.index, Outcome.CONFLICT, "changed", NEITHER, LOOK_THERE, shown))
        elif row[STANDING] == Standing.UNTOUCHED and item.change == Change.CREATE:
            results.append(Result(item.index, Outcome.UNKNOWN, failure.rule, failure.reason, failure.advice))
        elif row[STANDING] in TO_SEND:
            again.append(item)
    return again, results


def differences(row: dict[str, Any]) -> dict[str, Any]:
    """What a conflict shows, by field: the value planned, the one found, the one wanted.

    Args:
        row: A row of `held_against`, by column.
    """
    edited = find_edited(row, fills_in=fields_of(row))
    return {
        name: {"planned": row[BEFORE + name], "found": row[NOW + name], "wanted": row[AFTER + name]}
        for name in edited
    }


class Doubts:
    """Settles what is in doubt while a session runs; what earlier ones left is for `recovery`.

    Args:
        session: What the session shares.
        recorder: Puts outcomes on record.
        read: Reads what the target holds of rows, with patience; None when the session ended first.
        can_look_back: Whether the target can be asked what became of these items.
    """

    def __init__(
        self,
        session: Session,
        recorder: Recorder,
        read: Read,
        can_look_back: Callable[[Sequence[Item]], bool],
    ) -> None:
        self._s = session
        self._recorder = recorder
        self._read = read
        self.can_look_back = can_look_back

    async def compare(self, call: Call, items: Sequence[Item], failure: Failure) -> list[Item] | None:
        """Record what the target tells of items in doubt.

        What isn't there although it was to be created may still come: it stays unknown.

        Returns:
            Those to be sent again; None where the session ends before the target could tell.
        """
        rows = call.chunk.frame.filter(pl.col(ITEM).is_in([item.index for item in items]))
        # What is on its way may need a moment to arrive.
        wait = Backoff(self._s.settings.backoff, self._s.settings.backoff_max, 1).wait(1)
        await self._s.pace.gate.wait_out(lambda: wait, BACKOFF)
        found = await self._read(call.chunk, rows)
        if found is None:
            return None
        again, results = looked_back(items, rows, found, failure)
        self._s.record.log.write("looked back", item=items[0].index, again=len(again), reason=failure.reason)
        named = {result.item for result in results} | {item.index for item in again}
        self._recorder.done(call, [item for item in items if item.index not in named])
        self._recorder.results(call, results)
        return again

    async def settle(
        self, call: Call, doubtful: list[Item], reasons: Mapping[int, Failure]
    ) -> list[Item] | None:
        """Settle items in doubt among others of their call; returns what `compare` does."""
        if self.can_look_back(doubtful):
            return await self.compare(call, doubtful, reasons[doubtful[0].index])
        unknown = [(item.index, reasons[item.index]) for item in doubtful]
        self._recorder.results(
            call, (Result(n, Outcome.UNKNOWN, why.rule, why.reason, why.advice) for n, why in unknown)
        )
        return []
