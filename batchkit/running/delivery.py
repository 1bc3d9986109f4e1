"""Delivery of one call: admitted, sent, judged, tried again, split, and put on record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeVar, cast

import polars as pl

from ..core.advice import joined
from ..core.states import Outcome
from ..targets.base import CallTarget, Failure, Fate, FrameTarget, Result
from .calls import Calls
from .chunk import Call, Chunk
from .deadlines import Deadlines
from .frames import Frames
from .gate import TARGET
from .judge import INTERNAL, SETTLE, Judge, redacted
from .patience import Patience
from .read_back import Doubts, asked
from .recorder import Recorder
from .session import Session

_PING_TIMEOUT: Final = 10.0
"""Seconds in which a target that is there answers whether it is."""

_ASKED_FOR: Final = Failure(Fate.RETRY, "again", "the target asked for these items again")

Answer = TypeVar("Answer")


class Delivery:
    """Delivers calls of either shape of target.

    Args:
        session: What the session shares.
        target: The target.

    Attributes:
        deadlines: Cut off what takes too long.
        recorder: Puts outcomes on record.
    """

    def __init__(self, session: Session, target: CallTarget | FrameTarget) -> None:
        self._s = session
        self._target = target
        self.deadlines = Deadlines(session.pace.clock, lambda: session.settings.timeout)
        self.recorder = Recorder(session)
        self._shape: Calls | Frames
        if isinstance(target, FrameTarget):
            self._shape = Frames(session, target, self.recorder)
        else:
            self._shape = Calls(session, target, self.recorder, self.deadlines)
        self._judge = Judge(target, self._shape.repeatable)
        self._patience = Patience(session, self._is_there)
        self._doubts = Doubts(session, self.recorder, self.read, self._shape.can_look_back)

    async def deliver(self, call: Call) -> bool:
        """Bring a call to its end; False when the session ended first and its items stay pending."""
        pace, tally = self._s.pace, self._s.record.tally
        gate, clock, throttle, shape = pace.gate, pace.clock, pace.throttle, self._shape
        patience = self._patience
        while True:
            if (not gate.free or self._s.settings.key_rest) and not await shape.admit(call):
                return not gate.leaving
            call.begin(tally.done)
            tally.calls += 1
            tally.in_flight += 1
            before = clock()
            try:
                results = await shape.send(call)
            except Exception as error:  # noqa: BLE001 - whatever a target raises is judged by its table
                failure = self._judge.decide(self._judge.classify(error), call.items)
            else:
                if throttle is not None:
                    now = clock()
                    throttle.answered(now, now - before, call.size)
                checked = None if results is None else self._judge.check(results, call.numbers)
                left = shape.record(call, checked)
                if patience.tested and (left is None or len(left) < call.size):
                    patience.got_through()
                if left is None:
                    return True
                call.items = left
                reason = await self._why_again(call, checked or ())
                if reason is None:
                    return not gate.leaving
                failure = reason
            finally:
                tally.in_flight -= 1
                tally.waited[TARGET] += clock() - before
            if not await self._failed(call, failure):
                return not gate.leaving

    async def ask(self, chunk: Chunk, question: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Ask the target something before a chunk is sent; None when the session ended first.

        Asking does no harm, so it is asked again whatever the table says of sending twice.
        """
        call = Call(chunk, question=True)
        while await self._s.pace.gate.admit(0):
            call.begin(self._s.record.tally.done)
            try:
                answer = await self.deadlines.watch(question(), question=True)
            except Exception as error:  # noqa: BLE001 - whatever a target raises is judged by its table
                failure = redacted(self._judge.classify(error))
            else:
                self._s.pace.breakers.answered()
                self._patience.outage.question_answered()
                return answer
            if self._s.pace.gate.leaving:
                return None
            if failure.fate is Fate.UNKNOWN:
                failure = replace(failure, fate=Fate.RETRY)
            elif failure.fate is Fate.REJECT:
                reason = f"The target can't be read before writing: {failure.reason}"
                failure = replace(failure, fate=Fate.ABORT, reason=reason)
            if not await self._failed(call, failure):
                return None
        return None

    async def read(self, chunk: Chunk, rows: pl.DataFrame) -> pl.DataFrame | None:
        """What the target holds now of these rows of a chunk; None when the session ended first."""
        keys, fields = asked(rows)
        target = cast(CallTarget, self._target)
        return await self.ask(chunk, lambda: target.read_now(keys, fields))

    async def open(self) -> bool:
        """Begin the session at the target, with patience; False when the session ended first."""
        target = cast(CallTarget, self._target)

        async def begin() -> bool:
            await target.begin()
            return True

        return bool(await self.ask(Chunk(pl.DataFrame(), 0, 0), begin))

    async def close(self) -> None:
        """Ask nothing any more: the session is over."""
        await self._patience.outage.close()

    async def _is_there(self) -> bool | None:
        """Whether the target answers what changes nothing; None where there is nothing to ask."""
        if not isinstance(self._target, CallTarget):
            return None
        try:
            async with asyncio.timeout(_PING_TIMEOUT):
                return await self.deadlines.watch(self._target.ping(), question=True) or None
        except Exception as error:  # noqa: BLE001 - whatever a target raises is judged by its table
            failure = self._judge.classify(error)
            # What refuses us is there.
            return None if failure.rule == INTERNAL else failure.fate in (Fate.REJECT, Fate.ABORT)

    # Failures.

    async def _failed(self, call: Call, failure: Failure) -> bool:
        """Act on a failed call; True when the very same call is to be tried again."""
        own_rest = self._patience.feel(call, failure)
        call.doubt |= failure.doubt
        if failure.fate is not Fate.UNKNOWN and failure.rule != INTERNAL and not call.doubt:
            # It is known not to have been done, so a crash from here on leaves nothing in doubt.
            self.recorder.close_intent(call)
        match failure.fate:
            case Fate.RETRY:
                return await self._retry(call, failure, own_rest)
            case Fate.UNKNOWN if self._doubts.can_look_back(call.items):
                return await self._look_back(call, failure)
            case Fate.UNKNOWN:
                self._shape.settle(call, Outcome.UNKNOWN, failure)
                await self._patience.spare_the_rest(failure)
            case Fate.ABORT:
                self._s.record.log.write("aborted", rule=failure.rule, reason=failure.reason)
                self._s.orders.give_up(joined(failure.reason, failure.advice), False)
            case Fate.REJECT if call.size > 1:
                await self._split(call)
            case Fate.REJECT:
                self._shape.settle(call, Outcome.REJECTED, failure)
        return False

    async def _retry(self, call: Call, failure: Failure, own_rest: float = 0.0) -> bool:
        """Try a call again, or settle what was tried often enough; True when it is to be sent now."""
        again = await self._patience.go_on(call, failure, own_rest)
        if again is not None:
            return again
        if call.doubt and self._doubts.can_look_back(call.items):
            return await self._look_back(call, failure)
        words = f"Gave up after {call.tries.made} tries: {failure.reason}"
        if call.doubt:
            failure = replace(failure, advice=failure.advice or SETTLE)
        outcome = Outcome.UNKNOWN if call.doubt else Outcome.REJECTED
        self._shape.settle(call, outcome, replace(failure, reason=words))
        return False

    async def _look_back(self, call: Call, failure: Failure) -> bool:
        """Ask the target what became of a call that nobody answered; True when it is to be sent again now."""
        left = await self._doubts.compare(call, call.items, failure)
        if left is None:
            # The session ends before the target could tell. The intent stays open: a resume compares.
            return False
        call.doubt = False
        if not left:
            self._shape.close(call)
            return False
        self.recorder.close_intent(call)
        call.items = left
        return await self._retry(call, replace(failure, fate=Fate.RETRY, doubt=False))

    async def _why_again(self, call: Call, results: Sequence[Result]) -> Failure | None:
        """Why what is open of an answered call is sent again; what is in doubt is settled first.

        Returns:
            The gravest of the reasons; None where nothing is left to send, or the session ends.
        """
        items = {item.index: item for item in call.items}
        reasons = {
            result.item: self._judge.decide(result.failure or _ASKED_FOR, [items[result.item]])
            for result in results
            if result.item in items
        }
        doubtful = [item for item in call.items if reasons[item.index].fate is Fate.UNKNOWN]
        if doubtful:
            # Before anything else of the call is sent: its intent still covers them.
            again = await self._doubts.settle(call, doubtful, reasons)
            if again is None:
                return None
            if not self._doubts.can_look_back(doubtful):
                await self._patience.spare_the_rest(reasons[doubtful[0].index])
            gone = {item.index for item in doubtful} - {item.index for item in again}
            call.items = [item for item in call.items if item.index not in gone]
        if not call.items:
            self._shape.close(call)
            return None
        failures = [reasons[item.index] for item in call.items]
        call.doubt |= any(failure.doubt for failure in failures)
        worst = max(failures, key=lambda one: (one.fate is Fate.ABORT, one.retry_after or 0.0, one.pushback))
        return worst if worst.fate is Fate.ABORT else replace(worst, fate=Fate.RETRY)

    async def _split(self, call: Call) -> None:
        """Halve a call that was refused as a whole until the bad item stands alone."""
        for half in await self._shape.halves(call):
            if not await self.deliver(half):
                return
