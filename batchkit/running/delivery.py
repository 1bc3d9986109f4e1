"""Delivery of one call: admitted, sent, judged, tried again, split, and put on record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar, cast

import polars as pl

from ..core.advice import joined
from ..core.columns import ITEM
from ..core.retry import Backoff
from ..core.states import Outcome
from ..reports.top_errors import signature
from ..targets.base import FIREWALL, CallTarget, Failure, Fate, FrameTarget, Item, Result
from .calls import Calls
from .chunk import Call, Chunk
from .deadlines import Deadlines
from .frames import Frames
from .gate import BACKOFF, TARGET
from .judge import INTERNAL, SETTLE, Judge, redacted
from .outage import Outage
from .read_back import asked, looked_back
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
        self._outage = Outage(session, self._is_there)
        # Calls in a row that a gateway left in doubt.
        self._doubtful = 0

    async def deliver(self, call: Call) -> bool:
        """Bring a call to its end; False when the session ended first and its items stay pending."""
        pace, tally = self._s.pace, self._s.record.tally
        gate, clock, throttle, shape = pace.gate, pace.clock, pace.throttle, self._shape
        while True:
            if (not gate.free or self._s.settings.key_rest) and not await shape.admit(call):
                return not gate.leaving
            call.tries.begin(tally.done)
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
                left = shape.record(call, results)
                if left is None:
                    self._got_through()
                    return True
                if len(left) < call.size:
                    self._got_through()
                call.items = left
                reason = await self._why_again(call, results or ())
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
        call = Call(chunk)
        while await self._s.pace.gate.admit(0):
            call.tries.begin(self._s.record.tally.done)
            try:
                answer = await self.deadlines.watch(question(), question=True)
            except Exception as error:  # noqa: BLE001 - whatever a target raises is judged by its table
                failure = redacted(self._judge.classify(error))
            else:
                self._s.pace.breakers.answered()
                self._outage.question_answered()
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

    async def open(self) -> bool:
        """Begin the session at the target, with patience; False when the session ended first."""
        target = cast(CallTarget, self._target)

        async def begin() -> bool:
            await target.begin()
            return True

        return bool(await self.ask(Chunk(pl.DataFrame(), 0, 0), begin))

    async def close(self) -> None:
        """Ask nothing any more: the session is over."""
        await self._outage.close()

    # What stands in the way.

    def _got_through(self) -> None:
        """A call was answered on its items: whatever stood in the way is over."""
        self._doubtful = 0
        self._s.pace.breakers.answered()
        self._outage.end()

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
        own_rest = self._feel(call, failure)
        call.doubt |= failure.doubt
        if failure.fate is not Fate.UNKNOWN and failure.rule != INTERNAL and not call.doubt:
            # It is known not to have been done, so a crash from here on leaves nothing in doubt.
            self.recorder.close_intent(call)
        match failure.fate:
            case Fate.RETRY:
                return await self._retry(call, failure, own_rest)
            case Fate.UNKNOWN if self._shape.can_look_back(call.items):
                return await self._look_back(call, failure)
            case Fate.UNKNOWN:
                self._shape.settle(call, Outcome.UNKNOWN, failure)
                await self._spare_the_rest(failure)
            case Fate.ABORT:
                self._s.record.log.write("aborted", rule=failure.rule, reason=failure.reason)
                self._s.orders.give_up(joined(failure.reason, failure.advice), False)
            case Fate.REJECT if call.size > 1:
                await self._split(call)
            case Fate.REJECT:
                self._shape.settle(call, Outcome.REJECTED, failure)
        return False

    def _feel(self, call: Call, failure: Failure) -> float:
        """Let the whole run feel a failure: slower, or waiting, where the target asked for that.

        Returns:
            Seconds that this call alone is to rest.
        """
        tally, throttle = self._s.record.tally, self._s.pace.throttle
        if failure.fate in (Fate.RETRY, Fate.ABORT):  # else it counts when the items get their outcome
            tally.error(signature(failure.rule, failure.reason))
        # Where others got through meanwhile, a firewall minds this very item and not the pace.
        own = failure.rule == FIREWALL and call.tries.made > 1 and call.tries.others_passed(tally.done)
        if throttle is not None and (failure.pushback or failure.retry_after) and not own:
            throttle.pushed_back(self._s.pace.clock(), failure.rule)
        if _turned_away(failure):
            self._outage.begin(call.items)
        elif failure.fate is Fate.REJECT and call.items:
            self._got_through()
        if not failure.connection:
            self._s.pace.breakers.answered()
        wait = min(failure.retry_after or 0.0, self._s.settings.retry_after_max)
        rest = min(failure.rest or 0.0, self._s.settings.retry_after_max)
        if own:
            return max(wait, rest)
        if wait and failure.away:
            self._outage.hold(wait, failure.rule)
        elif wait:
            self._s.pace.gate.slow_down(wait, "the target asked to wait")
        return rest

    async def _retry(self, call: Call, failure: Failure, own_rest: float) -> bool:
        """Try a call again, when it is time; True when it is to be sent now."""
        settings, gate, tally, tries = self._s.settings, self._s.pace.gate, self._s.record.tally, call.tries
        if failure.connection and settings.wait_for_target:
            return await self._wait_for_target(call, failure)
        tripped = self._s.pace.breakers.not_answered(settings, failure.reason) if failure.connection else None
        if tripped:
            return self._give_up(call, joined(tripped, failure.advice), self._outage.advice())
        backoff = Backoff(settings.backoff, settings.backoff_max, settings.retries)
        anew = not tries.may_go_on(backoff) and await self._count_anew(call, failure)
        if not anew and not tries.may_go_on(backoff):
            if await self._is_away(call, failure):
                # The items are sound: it is the target that can't take them now, so they stay pending.
                return await self._wait_for_target(call, failure)
            if not call.items:
                return self._give_up(call, _failed_so_often(call, failure), "")
            return await self._settle_failed(call, failure)
        if call.items or isinstance(self._shape, Frames):
            tally.retries += call.size
        self._s.record.log.write("retry", item=call.chunk.first, attempt=tries.made, reason=failure.reason)
        wait = max(tries.wait(backoff), own_rest)
        if (own_rest or anew) and call.items:
            # So that its worker goes on with others, who also show whether it is everybody.
            self._s.orders.park(call, wait)
            return False
        await gate.wait_out(lambda: wait, BACKOFF)
        return True

    async def _count_anew(self, call: Call, failure: Failure) -> bool:
        """Whether the tries of a call begin anew: it was unlucky, and there may be room for it later."""
        tally, tries = self._s.record.tally, call.tries
        if failure.rule == FIREWALL or not call.items:
            return False
        if failure.pushback:
            # A busy target served others meanwhile; or it is there (again), and minds these items only.
            if not tries.others_passed(tally.done):
                if tries.suspected or not await self._outage.minds_only(call.items):
                    return False
                tries.suspected = True
            return tries.restart(tally.done)
        # A gateway failed for it and the target is there (again): once more, then it is the items' doing.
        return (
            failure.away
            and not tries.restarts
            and bool(await self._outage.is_there())
            and (tries.restart(tally.done))
        )

    async def _is_away(self, call: Call, failure: Failure) -> bool:
        """Whether it is everybody that the target doesn't serve, and not these items."""
        if failure.connection:
            return True
        if not call.items:
            return not isinstance(self._shape, Frames)
        others_passed = call.tries.others_passed(self._s.record.tally.done)
        if failure.away and not failure.pushback:
            there = await self._outage.is_there()
            return not others_passed if there is None else not there
        if not failure.pushback or others_passed:
            return False
        # Suspected before, they had all their tries once more: the target wasn't just coming back.
        own = call.tries.suspected and await self._outage.minds_only(call.items)
        if own:
            self._outage.blame(call.items)
        return not own

    async def _wait_for_target(self, call: Call, failure: Failure) -> bool:
        """Wait for a target that is away; True when the call is to be sent again."""
        if self._s.settings.wait_for_target and await self._outage.wait(failure):
            call.tries.forgive_last()
            return True
        if self._s.pace.gate.leaving:
            return False
        return self._give_up(call, _failed_so_often(call, failure), self._outage.advice())

    def _give_up(self, call: Call, words: str, advice: str) -> bool:
        """Give up the run, or pause it; True when the call is to be sent again after the pause."""
        self._s.orders.give_up(joined(words, advice), True)
        self._outage.forget()
        call.tries.forgive_all()
        return not self._s.pace.gate.leaving

    async def _spare_the_rest(self, failure: Failure) -> None:
        """Send nothing more into a gateway behind which nobody is: each item would end in doubt."""
        if not failure.away:
            return
        self._doubtful += 1
        waits, too_many = (
            self._s.settings.wait_for_target,
            self._doubtful >= self._s.settings.connection_limit,
        )
        there = await self._outage.is_back() if waits or too_many else None
        if self._s.pace.gate.leaving or not (too_many or there is False):
            return
        # Without a harmless question each try to find out would leave one more item in doubt.
        if waits and there is not None and await self._outage.wait(failure):
            return
        words = f"{self._doubtful} calls in a row are in doubt, nobody else got through: {failure.reason}"
        self._s.orders.give_up(joined(words, self._outage.advice()), True)
        self._outage.forget()
        self._doubtful = 0

    async def _settle_failed(self, call: Call, failure: Failure) -> bool:
        """Settle what was tried often enough; True when it is to be tried once more after all."""
        if call.doubt and self._shape.can_look_back(call.items):
            return await self._look_back(call, failure)
        words = f"Gave up after {call.tries.made} tries: {failure.reason}"
        if call.doubt:
            failure = replace(failure, advice=failure.advice or SETTLE)
        outcome = Outcome.UNKNOWN if call.doubt else Outcome.REJECTED
        self._shape.settle(call, outcome, replace(failure, reason=words))
        return False

    async def _look_back(self, call: Call, failure: Failure) -> bool:
        """Ask the target what became of a call that nobody answered; True when it is to be tried again.

        What isn't there although it was to be created may still come: it stays unknown.
        """
        left = await self._compare(call, call.items, failure)
        if left is None:
            # The session ends before the target could tell. The intent stays open: a resume compares.
            return False
        call.doubt = False
        if not left:
            self._shape.close(call)
            return False
        self.recorder.close_intent(call)
        call.items = left
        return await self._retry(call, replace(failure, fate=Fate.RETRY, doubt=False), 0.0)

    async def _compare(self, call: Call, items: Sequence[Item], failure: Failure) -> list[Item] | None:
        """Record what the target tells of items in doubt.

        Returns:
            Those to be sent again; None where the session ends before the target could tell.
        """
        rows = call.chunk.frame.filter(pl.col(ITEM).is_in([item.index for item in items]))
        # What is on its way may need a moment to arrive.
        wait = Backoff(self._s.settings.backoff, self._s.settings.backoff_max, 1).wait(1)
        await self._s.pace.gate.wait_out(lambda: wait, BACKOFF)
        keys, fields = asked(rows)
        target = cast(CallTarget, self._target)
        found = await self.ask(call.chunk, lambda: target.read_now(keys, fields))
        if found is None:
            return None
        again, results = looked_back(items, rows, found, failure)
        self._s.record.log.write("looked back", item=items[0].index, again=len(again), reason=failure.reason)
        named = {result.item for result in results} | {item.index for item in again}
        self.recorder.done(call, [item for item in items if item.index not in named])
        self.recorder.results(call, results)
        return again

    async def _settle_doubtful(
        self, call: Call, doubtful: list[Item], reasons: Mapping[int, Failure]
    ) -> list[Item] | None:
        """Settle items in doubt among others of their call; returns what `_compare` does."""
        first = reasons[doubtful[0].index]
        if self._shape.can_look_back(doubtful):
            return await self._compare(call, doubtful, first)
        unknown = [(item.index, reasons[item.index]) for item in doubtful]
        self.recorder.results(
            call, (Result(n, Outcome.UNKNOWN, why.rule, why.reason, why.advice) for n, why in unknown)
        )
        await self._spare_the_rest(first)
        return []

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
            again = await self._settle_doubtful(call, doubtful, reasons)
            if again is None:
                return None
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


def _failed_so_often(call: Call, failure: Failure) -> str:
    return joined(f"The target failed {call.tries.made} times: {failure.reason}", failure.advice)


def _turned_away(failure: Failure) -> bool:
    """Whether a failure may be everybody's: nobody answered, or nobody was let in."""
    return failure.connection or failure.away or failure.pushback
