"""The comparison: what the target holds now, before a chunk of calls is sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import polars as pl

from ..core.columns import CHANGE, ITEM
from ..core.compare import STANDING, THERE, TO_SEND, Standing, find_kept, read_now
from ..core.states import Change, Outcome
from ..targets.base import Result
from .chunk import Chunk
from .delivery import Delivery
from .read_back import LOOK_THERE, differences, held_against
from .session import Session

_EDITED: Final = "The target was edited since the plan was made."
_GONE: Final = "The item is gone from the target since the plan was made."
_MAKE_NEW: Final = "There is nothing to write over. Bring it back at the target, or make a new plan."
_CAME: Final = "The item is at the target already; the plan was to create it."


class Comparison:
    """Holds chunks against the target before they are sent: one read for many items.

    Args:
        session: What the session shares.
        delivery: Reads the target, with patience.
    """

    def __init__(self, session: Session, delivery: Delivery) -> None:
        self._s = session
        self._delivery = delivery

    async def left(self, chunks: list[Chunk]) -> list[Chunk]:
        """The chunks with what is left to send; what needs no sending, or must not be sent, is on record."""
        left = []
        for chunk in chunks:
            compared = await self._compared(chunk)
            if compared is not None:
                left.append(compared)
        return left

    async def _compared(self, chunk: Chunk) -> Chunk | None:
        rows = chunk.frame.filter(pl.col(CHANGE) != Change.SEND)
        if rows.is_empty():
            return chunk
        while True:
            found = await self._delivery.read(chunk, rows)
            if found is None:
                return None
            if not self._s.pace.gate.holding:
                break  # else it may be long until it is sent: look again then
        judged = held_against(rows, found)
        settled = list(self._settled(chunk, judged.filter(~pl.col(STANDING).is_in(TO_SEND))))
        self._note(chunk, judged)
        self._delivery.recorder.unsent(settled)
        over = {result.item for result in settled}
        items = [item for item in chunk.items if item.index not in over]
        if not items:
            self._s.record.journal.close_intent(chunk.first)
            self._s.record.tally.chunks += 1
            return None
        if not over:
            return chunk
        frame = chunk.frame.filter(~pl.col(ITEM).is_in(list(over)))
        return replace(chunk, frame=frame, items=items)

    def _settled(self, chunk: Chunk, rows: pl.DataFrame) -> Iterator[Result]:
        overwrite = chunk.overwrite or self._s.settings.overwrite
        for row in rows.iter_rows(named=True):
            if row[STANDING] == Standing.DONE:
                # What a session that died had sent is its doing.
                yield Result(row[ITEM], Outcome.DONE if chunk.recovering else Outcome.UNCHANGED)
            elif overwrite and not row[THERE] and row[CHANGE] == Change.UPDATE:
                yield Result(row[ITEM], Outcome.REJECTED, "missing", _GONE, _MAKE_NEW)
            elif not overwrite:
                yield Result(row[ITEM], Outcome.CONFLICT, "changed", _why(row), LOOK_THERE, differences(row))

    @staticmethod
    def _note(chunk: Chunk, rows: pl.DataFrame) -> None:
        """Remember what an undo must know: what was written over, and what others had set already."""
        for row in rows.filter(pl.col(STANDING) != Standing.DONE).iter_rows(named=True):
            if row[STANDING] == Standing.EDITED:
                chunk.notes[row[ITEM]] = {"overwritten": read_now(row)}
            elif not chunk.recovering and (fields := find_kept(row)):
                chunk.notes[row[ITEM]] = {"kept": fields}


def _why(row: dict[str, Any]) -> str:
    if row[CHANGE] == Change.CREATE:
        return _CAME
    return _EDITED if row[THERE] else _GONE
