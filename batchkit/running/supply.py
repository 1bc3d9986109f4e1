"""The supply of a session: chunks of the plan, their intents on record, their calls in the queue."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

import polars as pl

from ..core.chunks import by_count
from ..core.states import Outcome
from ..core.words import plural
from ..journal.journal import OVERWRITE, Intent
from ..planning.plan import Plan
from ..targets.base import CallTarget, FrameTarget
from .call_queue import CallQueue
from .chunk import Call, Chunk
from .comparison import Comparison
from .delivery import Delivery
from .feeder import Covered, Feeder, chunk_of, chunk_size, recovery_chunks
from .recovery import Recovery, aside
from .session import Session
from .tally import DELAY

MOST_AHEAD: Final = 64
"""Chunks whose intent is one commit; with more, the collector of garbage costs what the commits save."""
MOST_PARKED: Final = 1_000  # calls that rest at once


class Supply:
    """Feeds the queue until the plan is exhausted or the session ends.

    Args:
        session: What the session shares.
        plan: The plan.
        target: The target.
        queue: Where the calls go.
        delivery: Asks the target what it holds before a chunk is sent, and what it has taken already.
    """

    def __init__(
        self,
        session: Session,
        plan: Plan,
        target: CallTarget | FrameTarget,
        queue: CallQueue,
        delivery: Delivery,
    ) -> None:
        self._s = session
        self._plan = plan
        self._target = target
        self._queue = queue
        self._delivery = delivery
        self._frames = isinstance(target, FrameTarget)
        self._recovery = Recovery(session, plan, target, delivery) if isinstance(target, CallTarget) else None
        compares = isinstance(target, CallTarget) and target.readable
        self._comparison = Comparison(session, delivery) if compares else None
        # Whoever resumed a run has said yes to its next chunk by that.
        self._resumed = session.record.journal.meta("seen") is not None
        self._canary_seen = False
        self._before_canary = 0
        self._ran_dry = False

    async def feed(self) -> None:
        """Put the calls of the plan into the queue, as far as they have no outcome."""
        # In this order: what was in doubt first, what the operator decided next, the rest of the plan last.
        if self._recovery is not None:
            await self._recovery.compare_unknown()
        covered = await aside(lambda: Covered(len(self._plan), self._s.record.journal))
        # A journal that lost its end doesn't say what was under way: it may have been anything.
        lost = self._s.record.journal.meta("lost", False)
        if self._recovery is not None and not self._target.idempotent:
            await self._recovery.settle(covered, lost=lost)
        else:
            await self._send_again(covered)
        await self._overwrite(covered)
        feeder = Feeder(self._plan, covered, recovering=lost)
        sent, ahead = self._plan.to_send() - self._s.record.tally.outcomes[Outcome.PENDING], 1
        self._note_canary(sent)
        upcoming = self._fetch(feeder, sent, ahead)
        while chunks := await upcoming:
            await self._between_chunks(sent)
            if self._s.pace.gate.leaving:
                return
            await self._push(chunks)
            sent += sum(chunk.frame.height for chunk in chunks)
            # Workers that ran dry meanwhile are faster than one commit per chunk: intend more chunks in one.
            ahead = min(2 * ahead, MOST_AHEAD) if self._ran_dry else max(ahead // 2, 1)
            upcoming = self._fetch(feeder, sent, ahead)
            await self._room()

    def _note_canary(self, sent: int) -> None:
        """Count the canary's items from where the operator asked for it; once it was seen, it is over."""
        journal, canary = self._s.record.journal, self._s.settings.canary
        self._before_canary = journal.meta("canary_from", 0)
        if journal.meta("canary_anew", False):
            self._before_canary = sent
            journal.set_meta(canary_from=sent, canary_anew=False)
        self._canary_seen = canary is not None and sent - self._before_canary >= canary

    def _canary_is_sent(self, sent: int) -> bool:
        canary = self._s.settings.canary
        return canary is not None and 0 < canary <= sent - self._before_canary and not self._canary_seen

    def _fetch(self, feeder: Feeder, sent: int, ahead: int) -> asyncio.Future[list[Chunk]]:
        """Cut the next chunks aside, while the present ones are being sent."""
        settings, size = self._s.settings, self._chunk_size()
        left_of_canary = (settings.canary or 0) - (sent - self._before_canary)
        if left_of_canary > 0:
            size, ahead = min(size, left_of_canary), 1
        if settings.delay or settings.confirm != "none" or self._frames or self._comparison:
            ahead = 1
        return aside(partial(feeder.next_few, ahead, size, as_items=not self._frames))

    async def _between_chunks(self, sent: int) -> None:
        """Wait for what must lie between two chunks: the delay, the canary's look, the operator's word."""
        settings = self._s.settings
        if settings.confirm == "chunk" and (self._s.record.tally.calls or not self._resumed):
            await self._quiet()
            self._s.orders.pause(
                f"{plural(sent, 'item is', 'items are')} sent. Resume to send the next chunk."
            )
        elif self._canary_is_sent(sent):
            await self._quiet()
            self._canary_seen = True
            first = "item is sent: look at it" if sent == 1 else f"{sent:,} items are sent: look at them"
            self._s.orders.pause(f"The first {first}, then resume to send the rest.")
        elif settings.delay and self._s.record.tally.calls:
            await self._quiet()
            await self._s.pace.gate.wait_out(lambda: self._s.settings.delay, DELAY)
        await self._s.pace.gate.released()

    async def _push(self, chunks: list[Chunk]) -> None:
        """Put the intent of the chunks on record, then their calls into the queue."""
        if self._comparison is not None:
            chunks = await self._comparison.left(chunks)
        calls = [call for chunk in chunks for call in self._cut(chunk)]
        if not calls:
            return
        if self._frames or self._target.idempotent:
            intents = [Intent(chunk.first, chunk.last) for chunk in chunks]
            await asyncio.wrap_future(self._s.record.journal.intend(intents))
        self._ran_dry = not self._queue.calls
        self._queue.put(calls)

    def _cut(self, chunk: Chunk) -> list[Call]:
        size = self._s.settings.call_size or self._target.call_size or 1
        calls = [Call(chunk, chunk.items[i : i + size]) for i in range(0, len(chunk.items), size)] or [
            Call(chunk)
        ]
        chunk.open_calls = len(calls)
        return calls

    async def _room(self) -> None:
        """Wait until the workers are about to run dry."""
        most = 1 if self._frames else 2 * self._s.orders.width()
        queue = self._queue
        # What rests stays in memory, so that there is an end to it too.
        while (
            len(queue.calls) > most - 1 or len(queue.parked) >= MOST_PARKED
        ) and not self._s.pace.gate.leaving:
            self._queue.low.clear()
            await self._queue.low.wait()

    async def _quiet(self) -> None:
        """Wait until no call is queued or under way."""
        while self._queue.open and not self._s.pace.gate.leaving:
            self._queue.low.clear()
            await self._queue.low.wait()

    async def _overwrite(self, covered: Covered) -> None:
        """Send the items whose conflict the operator saw and decided, and no others, without comparing."""
        journal = self._s.record.journal
        items = await aside(lambda: journal.items_with(Outcome.PENDING, OVERWRITE))
        for few in by_count(items, self._chunk_size()):
            if self._s.pace.gate.leaving:
                return
            chunk = chunk_of(self._plan, few, as_items=not self._frames)
            chunk.overwrite = True
            await self._push([chunk])
            await self._quiet()
            covered.add_items(few)

    async def _send_again(self, covered: Covered) -> None:
        """Send exactly the chunks that were under way when an earlier session died: twice does no harm."""
        journal = self._s.record.journal
        intents = await aside(journal.intents)
        if isinstance(self._target, FrameTarget) and self._resumed:
            if (applied := await self._ask_applied(self._target)) is None:
                return  # the session ends; the intents stay for the next one
            intents = await aside(partial(self._with_applied, intents, applied))
        chunks = recovery_chunks(self._plan, covered, intents, as_items=not self._frames)
        while (chunk := await aside(lambda: next(chunks, None))) is not None:
            self._s.record.log.write("recover", first=chunk.first, last=chunk.last, items=chunk.frame.height)
            await self._push([chunk])
            await self._quiet()
            if self._s.pace.gate.leaving:
                return
            covered.add(chunk.first, chunk.last)
        open_still = {intent.first for intent in await aside(journal.intents)} if intents else set()
        for intent in intents:
            if intent.first in open_still:
                journal.close_intent(intent.first)

    async def _ask_applied(self, target: FrameTarget) -> list[Intent] | None:
        """The chunks that the target has on record of this run; None when the session ended first."""

        async def question() -> list[Intent]:
            found = await aside(partial(target.applied_chunks, self._s.run))
            return [Intent(*bounds) for bounds in found or ()]

        # With patience: a server that is busy just now is no reason for a resume to fail.
        return await self._delivery.ask(Chunk(pl.DataFrame(), 0, 0), question)

    def _with_applied(self, intents: list[Intent], applied: list[Intent]) -> list[Intent]:
        """The intents, and what the target has applied besides where the journal doesn't know of it.

        Sent again within the very bounds it had, such a chunk is answered from the target's record. Within
        any others it is refused: so what an intent with other bounds holds wasn't applied, and comes with
        the rest.
        """
        journal = self._s.record.journal
        known = {(first, last) for first, last, *_ in journal.chunks()}
        crossed = [
            intent
            for intent in intents
            if any(intent.first <= each.last and each.first <= intent.last for each in {*applied} - {intent})
        ]
        for intent in crossed:
            journal.close_intent(intent.first)
        return sorted({*intents, *applied} - {*crossed} - known)

    def _chunk_size(self) -> int:
        return chunk_size(self._s.settings, self._plan, self._target)
