"""Putting on record what became of items: the journal for a resume, the tally for views, the breakers."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ..core.columns import ITEM
from ..core.secrets import redact
from ..core.states import Outcome
from ..core.storable import storable_all
from ..journal.journal import CODES, OutcomeRow
from ..reports.top_errors import signature
from ..targets.base import Item, Result
from .chunk import Call
from .session import Session

_DONE: Final = CODES[Outcome.DONE]
_REASON_LENGTH: Final = 500


class Recorder:
    """Gives items their outcome.

    Args:
        session: What the session shares.
    """

    def __init__(self, session: Session) -> None:
        self._s = session
        self._tally = session.record.tally
        self._record = session.record.journal.record
        self._attempts = session.record.attempts.of

    def done(self, call: Call, items: Sequence[Item]) -> None:
        """Record items that are done."""
        now, notes = time.time(), call.chunk.notes
        for item in items:
            index = item.index
            note = json.dumps(notes[index], default=str) if notes and index in notes else None
            self._record((index, _DONE, self._attempts(index), now, None, None, None, note))
        self._tally.settle(Outcome.DONE, len(items))
        self._s.pace.breakers.succeeded()

    def results(self, call: Call, results: Iterable[Result]) -> None:
        """Record items of a call that each have a result of their own."""
        notes = call.chunk.notes
        for result in results:
            self._record(self._row(result, notes.get(result.item)))
            self._count(result)

    def unsent(self, results: Iterable[Result]) -> None:
        """Record items that were settled without being sent."""
        for result in results:
            self._record(self._row(result))
            self._count(result)

    def chunk(self, call: Call, results: Sequence[Result]) -> None:
        """Record a chunk that was applied as one: all of it is done but what has a result of its own."""
        chunk, size, attempts = call.chunk, call.chunk.frame.height, self._attempts
        journal, tally = self._s.record.journal, self._tally
        rows = [self._row(result) for result in results]
        done = size - len(rows)
        if chunk.itemised:
            named, now = {result.item for result in results}, time.time()
            rows += [
                (item, _DONE, attempts(item), now, None, None, None, None)
                for item in chunk.frame[ITEM].to_list()
                if item not in named
            ]
            journal.record_items(chunk.first, rows)
        else:
            journal.record_chunk(chunk.first, chunk.last, done, attempts(chunk.first), rows)
        tally.settle(Outcome.DONE, done)
        if done:
            self._s.pace.breakers.succeeded()
        for result in results:
            self._count(result, quiet=done > 0)
        tally.chunks += 1
        chunk.open_calls = 0

    def close_intent(self, call: Call) -> None:
        """Note that nothing of a call is in doubt any more, where it has an intent of its own."""
        if call.intent is not None:
            self._s.record.journal.close_intent(call.intent)
            call.intent = None

    def _count(self, result: Result, *, quiet: bool = False) -> None:
        """Count an item; the run gives up where that is one failure too many."""
        tally, breakers, settings = self._tally, self._s.pace.breakers, self._s.settings
        tally.settle(result.outcome)
        if result.outcome in (Outcome.UNCHANGED, Outcome.DONE):
            breakers.succeeded()
            return
        reason = signature(redact(result.rule), redact(result.reason))
        tally.error(reason)
        tripped = None if quiet else breakers.failed(settings, reason)
        tripped = tripped or breakers.judge(settings, tally.failed, tally.settled)
        if tripped:
            self._s.orders.give_up(tripped, True)

    def _row(self, result: Result, note: dict[str, Any] | None = None) -> OutcomeRow:
        known = result.detail
        # Of an item that was written in part, an undo must know the same.
        if note is not None and (result.outcome is Outcome.DONE or "written" in (known or {})):
            known = {**note, **(known or {})}
        detail = json.dumps(storable_all(known), ensure_ascii=False, default=str) if known else None
        return (
            result.item,
            CODES[result.outcome],
            self._attempts(result.item),
            time.time(),
            redact(result.rule),
            redact(result.reason)[:_REASON_LENGTH],
            redact(result.advice),
            redact(detail) if detail else None,
        )
