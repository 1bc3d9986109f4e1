"""The supply of a session: recovered and fresh chunks, their intents on record, their calls in the queue."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import polars as pl

from ..core.chunks import by_count
from ..core.columns import CHANGE, ITEM
from ..core.compare import TO_SEND, Standing
from ..core.states import Change, Outcome
from ..journal.journal import CODES, Intent
from ..planning.plan import Plan
from ..targets.base import CallTarget, FrameTarget
from .chunk import Call, Chunk
from .comparison import Comparison
from .delivery import Delivery
from .feeder import BLOCK, Covered, Feeder, chunk_size, overwriting_chunk, recovery_chunks
from .gate import BACKOFF
from .judge import SETTLE
from .read_back import LOOK_THERE, read_back
from .session import Session
from .tally import DELAY

MOST_AHEAD: Final = 64  # chunks whose intent is one commit
MOST_PARKED: Final = 1_000  # calls that rest at once

_AFTER_A_CRASH: Final[dict[str | None, tuple[Outcome, str | None, str | None, str | None]]] = {
    Standing.DONE: (Outcome.DONE, None, None, None),
    Standing.EDITED: (
        Outcome.CONFLICT,
        "changed",
        "The run died while this was being sent, and the target holds neither former nor wanted values.",
        LOOK_THERE,
    ),
    None: (
        Outcome.UNKNOWN,
        "interrupted",
        "The run died while this was being sent; whether it arrived is not known.",
        SETTLE,
    ),
}
"""What becomes of an item that was under way when the run died, by what reading back says."""


class CallQueue:
    """The calls that may be sent now, between the supply and the workers.

    Attributes:
        calls: The calls, in order.
        delivering: Calls that a worker has in hand.
        parked: Calls that come back after a rest of their own.
        over: Nothing comes any more.
        dropped: The session ends.
        stocked: Set when there is something to take, or nothing will come any more.
        low: Set when there is room for more, or a call came to its end.
    """

    def __init__(self) -> None:
        self.calls: deque[Call] = deque()
        self.delivering = 0
        self.parked: set[asyncio.TimerHandle] = set()
        self.over = self.dropped = False
        self.stocked = asyncio.Event()
        self.low = asyncio.Event()

    def put(self, calls: list[Call]) -> None:
        """Offer calls to the workers."""
        self.calls.extend(calls)
        self.stocked.set()

    def park(self, call: Call, seconds: float) -> None:
        """Put a call aside for so many seconds; it stays pending where the session ends before."""
        if self.dropped:
            return

        def back() -> None:
            self.parked.discard(handle)
            self.calls.appendleft(call)
            self.stocked.set()

        handle = asyncio.get_running_loop().call_later(seconds, back)
        self.parked.add(handle)

    @property
    def open(self) -> bool:
        """Whether a call is queued, resting, or in a worker's hand."""
        return bool(self.calls or self.parked or self.delivering)

    def drop(self) -> None:
        """Forget what no worker has in hand; its items stay pending."""
        self.dropped = True
        self.calls.clear()
        for handle in self.parked:
            handle.cancel()
        self.parked.clear()
        self.low.set()
        self.stocked.set()

    def end(self) -> None:
        """Nothing comes any more."""
        self.over = True
        self.stocked.set()

    def taken(self, width: int) -> None:
        """A call came to its end; tell the supply when the queue runs low for so many workers."""
        if len(self.calls) < 2 * width:
            self.low.set()


class Supply:
    """Feeds the queue until the plan is exhausted or the session ends.

    Args:
        session: What the session shares.
        plan: The plan.
        target: The target.
        queue: Where the calls go.
        delivery: Asks the target what it holds before a chunk is sent.
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
        self._frames = isinstance(target, FrameTarget)
        # What was under way when a session died isn't simply sent again: that may do harm.
        self._in_doubt = not self._frames and not target.idempotent
        compares = isinstance(target, CallTarget) and target.readable
        self._comparison = Comparison(session, cast(CallTarget, target), delivery) if compares else None
        # Whoever resumed a run has said yes to its next chunk by that.
        self._resumed = session.record.journal.meta("seen") is not None
        self._canary_seen = False
        self._before_canary = 0
        self._dry = False

    async def feed(self) -> None:
        """Do it."""
        covered = await self._aside(lambda: Covered(len(self._plan), self._s.record.journal))
        intents = await self._aside(self._s.record.journal.intents)
        # A journal that lost its end doesn't say what was under way: it may have been anything.
        lost = self._s.record.journal.meta("lost", False)
        if lost and self._in_doubt:
            intents = [Intent(i, i + BLOCK - 1) for i in range(0, len(self._plan), BLOCK)]
        if intents:
            await self._recover(covered, intents)
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
            ahead = min(2 * ahead, MOST_AHEAD) if self._dry else max(ahead // 2, 1)
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

    def _canary_came(self, sent: int) -> bool:
        canary, birds = self._s.settings.canary, sent - self._before_canary
        return canary is not None and 0 < canary <= birds and not self._canary_seen

    def _fetch(self, feeder: Feeder, sent: int, ahead: int) -> asyncio.Future[list[Chunk]]:
        """Cut the next chunks aside, while the present ones are being sent."""
        settings, size = self._s.settings, self._chunk_size()
        birds = sent - self._before_canary
        if settings.canary is not None and birds < settings.canary:
            size, ahead = min(size, settings.canary - birds), 1
        if settings.delay or settings.confirm != "none" or self._frames or self._comparison:
            ahead = 1
        return self._aside(partial(feeder.next_few, ahead, size, as_items=not self._frames))

    async def _between_chunks(self, sent: int) -> None:
        """Wait for what must lie between two chunks: the delay, the canary's look, the operator's word."""
        settings = self._s.settings
        if settings.confirm == "chunk" and (self._s.record.tally.calls or not self._resumed):
            await self._quiet()
            self._s.orders.pause(f"{sent:,} items are sent. Resume to send the next chunk.")
        elif self._canary_came(sent):
            await self._quiet()
            self._canary_seen = True
            self._s.orders.pause(
                f"The first {sent:,} items are sent: look at them, then resume to send the rest."
            )
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
        self._dry = not self._queue.calls
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
        items = await self._aside(self._s.record.journal.items_to_overwrite)
        for few in by_count(items, self._chunk_size()):
            if self._s.pace.gate.leaving:
                return
            await self._push([overwriting_chunk(self._plan, few, as_items=not self._frames)])
            await self._quiet()
            covered.add_items(few)

    async def _recover(self, covered: Covered, intents: list[Intent]) -> None:
        """Deal with what was under way when an earlier session died."""
        if self._in_doubt:
            await self._let_arrive()
            await self._aside(lambda: self._look_back(covered, intents))
            return
        chunks = recovery_chunks(self._plan, covered, intents, as_items=not self._frames)
        while (chunk := await self._aside(lambda: next(chunks, None))) is not None:
            self._s.record.log.write("recover", first=chunk.first, last=chunk.last, items=chunk.frame.height)
            await self._push([chunk])
            await self._quiet()
            if self._s.pace.gate.leaving:
                return
            covered.add(chunk.first, chunk.last)
        self._forget_stale(intents)

    async def _let_arrive(self) -> None:
        """Give what was under way when a session died the time it has to arrive, before asking after it.

        The server may be at it still: what isn't there yet would be taken for not done, and sent again.
        """
        creates = self._plan.counts.get(Change.CREATE, 0)
        if not (self._target.readable and creates) or self._s.dry_run:
            return
        since = time.time() - self._s.alive
        left = self._s.settings.timeout - since
        if left > 0:
            self._s.record.log.write("recover", waits=round(left, 1))
            self._s.pace.gate.slow_down(left, "what was under way when the run died gets time to arrive")
            await self._s.pace.gate.wait_out(lambda: left, BACKOFF)

    def _forget_stale(self, intents: list[Intent]) -> None:
        open_now = {intent.first for intent in self._s.record.journal.intents()}
        for intent in intents:
            if intent.first in open_now:
                self._s.record.journal.close_intent(intent.first)

    def _look_back(self, covered: Covered, intents: list[Intent]) -> None:
        """Settle calls that were under way by what the target tells, else as unknown; send none in doubt."""
        for chunk in recovery_chunks(self._plan, covered, intents, as_items=False):
            frame = chunk.frame
            readable = frame.filter((pl.col(CHANGE) != Change.SEND) & self._target.readable)
            verdicts = dict(read_back(self._target, readable).iter_rows()) if readable.height else {}
            settled = [item for item in frame[ITEM].to_list() if verdicts.get(item) not in TO_SEND]
            for item in settled:
                self._settle(item, verdicts.get(item))
            covered.add_items(settled)
        for intent in intents:
            self._s.record.journal.close_intent(intent.first)
        self._s.record.journal.set_meta(lost=False)  # from here on it says what is under way

    def _settle(self, item: int, verdict: str | None) -> None:
        outcome, rule, reason, advice = _AFTER_A_CRASH[verdict]
        record = self._s.record
        attempts = record.attempts.of(item)
        record.journal.record((item, CODES[outcome], attempts, time.time(), rule, reason, advice, None))
        record.tally.settle(outcome)

    @staticmethod
    def _aside(work: Callable[[], Any]) -> asyncio.Future[Any]:
        """Do something that blocks in a thread; the loop goes on."""
        return asyncio.ensure_future(asyncio.to_thread(work))

    def _chunk_size(self) -> int:
        return chunk_size(self._s.settings, self._plan, self._target)
