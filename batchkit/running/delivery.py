"""Delivery of one call: admitted, sent, judged, tried again, split, and put on record."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

import polars as pl

from ..core.advice import joined
from ..core.columns import ITEM
from ..core.pacing import KeyLimit
from ..core.retry import Backoff
from ..core.secrets import redact
from ..core.states import Change, Outcome
from ..journal.journal import CODES, Intent, OutcomeRow
from ..reports.top_errors import signature
from ..targets.base import FIREWALL, CallTarget, ChunkContext, Failure, Fate, FrameTarget, Item, Result
from .chunk import Call, Chunk
from .deadlines import Deadlines
from .gate import BACKOFF, TARGET
from .read_back import asked, looked_back
from .session import Session

_DONE: Final = CODES[Outcome.DONE]
_REASON_LENGTH: Final = 500
_PROBE_EVERY: Final = 5.0
_PARDONS: Final = 5
"""How often the tries of a call that is turned away while others get through begin anew."""
INTERNAL: Final = "internal"

Answer = TypeVar("Answer")


class Delivery:
    """Delivers calls of either shape of target.

    Args:
        session: What the session shares.
        target: The target.
    """

    def __init__(self, session: Session, target: CallTarget | FrameTarget) -> None:
        self._s = session
        self._target = target
        self._send: Callable[[Call], Awaitable[Sequence[Result] | None]]
        self._frames = isinstance(target, FrameTarget)
        self._send = self._apply if self._frames else self._request
        self._intend_calls = not self._frames and not target.idempotent
        self._keys = KeyLimit(0.0)
        self._outage: float | None = None
        self.deadlines = Deadlines(session.pace.clock, lambda: session.settings.timeout)

    async def deliver(self, call: Call) -> bool:
        """Bring a call to its end; False when the session ended first and its items stay pending."""
        gate, tally, throttle = self._s.pace.gate, self._s.record.tally, self._s.pace.throttle
        while True:
            if (not gate.free or self._s.settings.key_rest) and not await self._admitted(call):
                return not gate.leaving
            if not call.attempt:
                call.done_before = tally.done
            call.attempt += 1
            tally.calls += 1
            tally.in_flight += 1
            before = self._s.pace.clock()
            try:
                results = await self._send(call)
            except Exception as error:  # noqa: BLE001 - whatever a target raises is judged by its table
                failure = self._judge(error, call)
            else:
                self._answered()
                if throttle is not None:
                    now = self._s.pace.clock()
                    throttle.answered(now, now - before, call.size)
                left = self._record(call, results)
                if left is None:
                    return True
                self._close_intent(call)
                call.items = left
                failure = _why_again(results or ())
            finally:
                tally.in_flight -= 1
                tally.waited[TARGET] += self._s.pace.clock() - before
            if not await self._failed(call, failure):
                return not gate.leaving

    async def _admitted(self, call: Call) -> bool:
        """Wait until a call may leave; False when the session ends, or when the call was put aside."""
        gate = self._s.pace.gate
        # What is tried again waits by the backoff, not by its own first try.
        limited = self._s.settings.key_rest > 0 and not self._frames and not call.attempt
        if limited and not gate.leaving and self._rests(call):
            return False
        if not await gate.admit(call.size):
            return False
        if limited:
            if self._rests(call):  # another call for that key left meanwhile
                gate.give_back(call.size)
                return False
            self._count_keys(call)
        return True

    def _rests(self, call: Call) -> bool:
        """Put a call aside whose key had its last one only just now; True when it is put aside."""
        target, now = cast(CallTarget, self._target), self._s.pace.clock()
        self._keys.seconds = self._s.settings.key_rest
        rest = max((self._keys.wait(target.limited_by(item), now) for item in call.items), default=0.0)
        if rest > 0:
            self._s.orders.park(call, rest)
        return rest > 0

    def _count_keys(self, call: Call) -> None:
        target, now = cast(CallTarget, self._target), self._s.pace.clock()
        for item in call.items:
            self._keys.take(target.limited_by(item), now)

    async def ask(self, chunk: Chunk, question: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Ask the target something before a chunk is sent; None when the session ended first.

        Asking does no harm, so it is asked again whatever the table says of sending twice.
        """
        call = Call(chunk)
        while await self._s.pace.gate.admit(0):
            call.attempt += 1
            try:
                answer = await self.deadlines.watch(question(), question=True)
            except Exception as error:  # noqa: BLE001 - whatever a target raises is judged by its table
                failure = self._judge(error, call)
            else:
                self._answered()
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

    # Sending.

    async def _request(self, call: Call) -> Sequence[Result] | None:
        target = cast(CallTarget, self._target)
        if self._intend_calls:
            call.intent = call.items[0].index
            intent = Intent(call.intent, call.items[-1].index)
            await asyncio.wrap_future(self._s.record.journal.intend([intent]))
        return await self.deadlines.watch(target.send(call.items, dry_run=self._s.dry_run))

    async def _apply(self, call: Call) -> Sequence[Result]:
        target, chunk = cast(FrameTarget, self._target), call.chunk
        context = ChunkContext(
            run=self._s.run,
            first=chunk.first,
            last=chunk.last,
            recovering=chunk.recovering or call.attempt > 1,
            dry_run=self._s.dry_run,
            overwrite=self._s.settings.overwrite or chunk.overwrite,
            timeout=self._s.settings.timeout,
        )
        return await asyncio.to_thread(target.apply, chunk.frame, context)

    # Judging.

    def _judge(self, error: Exception, call: Call) -> Failure:
        try:
            failure = self._target.classify(error)
        except Exception as second:  # noqa: BLE001 - a hole in that table must not end in a guess
            # A target whose table has a hole must not send on: nobody knows what happened.
            words = f"{type(error).__name__}: {error} ({second!r} while judging it)"
            failure = Failure(Fate.ABORT, INTERNAL, words)
        if failure.fate is Fate.UNKNOWN and self._may_repeat(call):
            failure = replace(failure, fate=Fate.RETRY, doubt=True)
        # Whatever a target says may hold what it was sent: from here on it goes to journal, log and screen.
        return replace(
            failure,
            rule=redact(failure.rule),
            reason=redact(failure.reason),
            advice=redact(failure.advice),
        )

    def _may_repeat(self, call: Call) -> bool:
        target = self._target
        if isinstance(target, CallTarget) and call.items:
            return target.repeatable(call.items)
        return target.idempotent

    def _answered(self) -> None:
        self._s.pace.breakers.answered()
        if self._outage is not None:
            self._s.record.log.write(
                "target answers again", after_seconds=round(self._s.pace.clock() - self._outage, 1)
            )
            self._outage = None

    async def _failed(self, call: Call, failure: Failure) -> bool:
        """Act on a failed call; True when the very same call is to be tried again."""
        self._feel(call, failure)
        call.doubt |= failure.doubt
        if failure.fate is not Fate.UNKNOWN and failure.rule != INTERNAL:
            # It is known not to have been done, so a crash from here on leaves nothing in doubt.
            self._close_intent(call)
        match failure.fate:
            case Fate.RETRY:
                return await self._retry(call, failure)
            case Fate.UNKNOWN if self._can_look_back(call):
                return await self._look_back(call, failure)
            case Fate.UNKNOWN:
                self._settle(call, Outcome.UNKNOWN, failure)
            case Fate.ABORT:
                self._s.record.log.write("aborted", rule=failure.rule, reason=failure.reason)
                self._s.orders.give_up(joined(failure.reason, failure.advice), False)
            case Fate.REJECT if call.size > 1:
                await self._split(call)
            case Fate.REJECT:
                self._settle(call, Outcome.REJECTED, failure)
        return False

    def _feel(self, call: Call, failure: Failure) -> None:
        """Let the whole run feel a failure: slower, or waiting, where the target asked for that."""
        if failure.fate in (Fate.RETRY, Fate.ABORT):  # else it counts when the items get their outcome
            self._s.record.tally.error(signature(failure.rule, failure.reason))
        # Where others got through meanwhile, a firewall minds this very item and not the pace.
        own = failure.rule == FIREWALL and call.attempt > 1 and self._s.record.tally.done > call.done_before
        if self._s.pace.throttle is not None and (failure.pushback or failure.retry_after) and not own:
            self._s.pace.throttle.pushed_back(self._s.pace.clock(), failure.rule)
        if failure.retry_after and not own:
            wait = min(failure.retry_after, self._s.settings.retry_after_max)
            self._s.pace.gate.slow_down(wait, "the target asked to wait")
        if not failure.connection:
            self._answered()

    async def _retry(self, call: Call, failure: Failure) -> bool:
        settings, gate = self._s.settings, self._s.pace.gate
        if failure.connection and self._outlasts(failure):
            call.forgiven += 1
            gate.slow_down(min(_PROBE_EVERY, settings.wait_for_target), "the target does not answer")
            return True
        tripped = self._s.pace.breakers.not_answered(settings, failure.reason) if failure.connection else None
        if tripped:
            self._s.orders.give_up(joined(tripped, failure.advice), True)
            return not gate.leaving
        backoff = Backoff(settings.backoff, settings.backoff_max, settings.retries)
        others_pass = self._s.record.tally.done > call.done_before
        tries = call.attempt - call.forgiven
        if not backoff.may_retry(tries) and others_pass and self._is_only_unlucky(call, failure):
            call.forgiven, call.done_before, tries = call.attempt, self._s.record.tally.done, 1
            call.pardons += 1
        if backoff.may_retry(tries):
            if call.items or self._frames:
                self._s.record.tally.retries += call.size
            ordered = max(failure.rest or 0.0, failure.retry_after or 0.0)
            wait = max(backoff.wait(tries), min(ordered, settings.retry_after_max))
            self._s.record.log.write(
                "retry", item=call.chunk.first, attempt=call.attempt, reason=failure.reason
            )
            if ordered and call.items:
                self._s.orders.park(call, wait)  # so that its worker goes on with others, as far as those may
                return False
            await gate.wait_out(lambda: wait, BACKOFF)
            return True
        pushed = failure.pushback and not others_pass
        if failure.connection or pushed or not call.items:
            # The items are sound: it is the target that can't take them now, so they stay pending.
            self._s.orders.give_up(
                joined(f"The target failed {call.attempt} times: {failure.reason}", failure.advice), True
            )
            call.attempt = call.forgiven = 0
            return not gate.leaving
        return await self._give_up_on(call, failure)

    @staticmethod
    def _is_only_unlucky(call: Call, failure: Failure) -> bool:
        """Whether a busy target never had room for a call that it may have room for later."""
        return failure.pushback and failure.rule != FIREWALL and call.pardons < _PARDONS

    async def _give_up_on(self, call: Call, failure: Failure) -> bool:
        """Settle what was tried often enough; True when it is to be tried once more after all."""
        if call.doubt and self._can_look_back(call):
            return await self._look_back(call, failure)
        words = f"Gave up after {call.attempt} tries: {failure.reason}"
        self._settle(
            call, Outcome.UNKNOWN if call.doubt else Outcome.REJECTED, replace(failure, reason=words)
        )
        return False

    def _outlasts(self, failure: Failure) -> bool:
        """Whether the operator wants to wait (still) for a target that doesn't answer."""
        if self._s.settings.wait_for_target <= 0:
            return False
        now = self._s.pace.clock()
        if self._outage is None:
            self._outage = now
            self._s.record.log.write("target does not answer", reason=failure.reason)
        return now - self._outage < self._s.settings.wait_for_target

    def _can_look_back(self, call: Call) -> bool:
        sends = any(item.change == Change.SEND for item in call.items)
        return self._target.readable and bool(call.items) and not sends and not self._s.dry_run

    async def _look_back(self, call: Call, failure: Failure) -> bool:
        """Ask the target what became of a call that nobody answered; True when it is to be tried again.

        What isn't there although it was to be created may still come: it stays unknown.
        """
        rows = call.chunk.frame.filter(pl.col(ITEM).is_in([item.index for item in call.items]))
        wait = Backoff(self._s.settings.backoff, self._s.settings.backoff_max, 1).wait(1)
        await self._s.pace.gate.wait_out(lambda: wait, BACKOFF)
        call.doubt = False
        keys, fields = asked(rows)
        target = cast(CallTarget, self._target)
        found = await self.ask(call.chunk, lambda: target.read_now(keys, fields))
        if found is None:
            self._settle(call, Outcome.UNKNOWN, failure)
            return False
        again, results = looked_back(call.items, rows, found, failure)
        self._s.record.log.write(
            "looked back", item=call.items[0].index, again=len(again), reason=failure.reason
        )
        results += [Result(item.index, Outcome.PENDING) for item in again]
        left = self._record_results(call, results)
        if left is None:
            return False
        self._close_intent(call)
        call.items = left
        return await self._retry(call, replace(failure, fate=Fate.RETRY))

    async def _split(self, call: Call) -> None:
        """Halve a call that was refused as a whole until the bad item stands alone."""
        for half in await self._halves(call):
            if not await self.deliver(half):
                return

    async def _halves(self, call: Call) -> list[Call]:
        middle = call.size // 2
        if call.items:
            parts = [call.items[:middle], call.items[middle:]]
            call.chunk.open_calls += 1
            return [Call(call.chunk, items) for items in parts]
        frame = call.chunk.frame
        old = call.chunk
        chunks = [
            replace(Chunk.of(part, recovering=old.recovering, itemised=old.itemised), overwrite=old.overwrite)
            for part in (frame[:middle], frame[middle:])
        ]
        intents = [Intent(chunk.first, chunk.last) for chunk in chunks]
        # The target knows a chunk by its range: on record before the halves are sent, or a crash would send
        # the whole.
        await asyncio.wrap_future(self._s.record.journal.intend(intents, instead_of=call.chunk.first))
        return [Call(chunk) for chunk in chunks]

    # Putting on record.

    def _record(self, call: Call, results: Sequence[Result] | None) -> list[Item] | None:
        """Record an answered call; returns the items that are to be sent again, None when there are none."""
        if self._frames:
            self._record_chunk(call, results or ())
            return None
        if not results:
            self._record_done(call, call.items)
            self._close(call)
            return None
        return self._record_results(call, results)

    def _record_done(self, call: Call, items: Sequence[Item]) -> None:
        now, attempts, notes = time.time(), call.attempt, call.chunk.notes
        record = self._s.record.journal.record
        for item in items:
            note = json.dumps(notes[item.index], default=str) if item.index in notes else None
            record((item.index, _DONE, attempts, now, None, None, None, note))
        self._s.record.tally.attempts += attempts * len(items)
        self._s.record.tally.settle(Outcome.DONE, len(items))
        self._s.pace.breakers.succeeded()

    def _record_results(self, call: Call, results: Sequence[Result]) -> list[Item] | None:
        found = {result.item: result for result in results}
        strangers = found.keys() - {item.index for item in call.items}
        if strangers:
            raise ValueError(f"the target answered for items that it was not sent: {sorted(strangers)[:5]}")
        self._record_done(call, [item for item in call.items if item.index not in found])
        again = {result.item for result in results if result.outcome is Outcome.PENDING}
        notes = call.chunk.notes
        for result in results:
            if result.outcome is not Outcome.PENDING:
                row = self._row(result, call.attempt, notes.get(result.item))
                self._s.record.journal.record(row)
                self._count(result, call.attempt)
        left = [item for item in call.items if item.index in again]
        if left:
            return left
        self._close(call)
        return None

    def _record_chunk(self, call: Call, results: Sequence[Result]) -> None:
        chunk, size = call.chunk, call.chunk.frame.height
        rows = [self._row(result, call.attempt) for result in results]
        done = size - len(rows)
        if chunk.itemised:
            named = {result.item for result in results}
            now = time.time()
            rows += [
                (item, _DONE, call.attempt, now, None, None, None, None)
                for item in chunk.frame["item"].to_list()
                if item not in named
            ]
            self._s.record.journal.record_items(chunk.first, rows)
        else:
            self._s.record.journal.record_chunk(chunk.first, chunk.last, done, call.attempt, rows)
        self._s.record.tally.attempts += call.attempt * done
        self._s.record.tally.settle(Outcome.DONE, done)
        if done:
            self._s.pace.breakers.succeeded()
        for result in results:
            self._count(result, call.attempt, quiet=done > 0)
        self._s.record.tally.chunks += 1
        chunk.open_calls = 0

    def record_unsent(self, results: Sequence[Result]) -> None:
        """Record items that were settled without being sent."""
        for result in results:
            self._s.record.journal.record(self._row(result, 0))
            self._count(result, 0)

    def _settle(self, call: Call, outcome: Outcome, failure: Failure) -> None:
        """Give every item of a call the same outcome."""
        numbers = [item.index for item in call.items] or call.chunk.frame["item"].to_list()
        results = [
            Result(number, outcome, failure.rule, failure.reason, failure.advice) for number in numbers
        ]
        if call.items:
            self._record_results(call, results)
        else:
            self._record_chunk(call, results)

    def _close(self, call: Call) -> None:
        self._close_intent(call)
        chunk = call.chunk
        chunk.open_calls -= 1
        if chunk.open_calls == 0:
            if not self._intend_calls:
                self._s.record.journal.close_intent(chunk.first)
            self._s.record.tally.chunks += 1

    def _close_intent(self, call: Call) -> None:
        if call.intent is not None:
            self._s.record.journal.close_intent(call.intent)
            call.intent = None

    def _row(self, result: Result, attempts: int, note: dict[str, Any] | None = None) -> OutcomeRow:
        known = result.detail
        # Of an item that was written in part, an undo must know the same.
        if note is not None and (result.outcome is Outcome.DONE or "written" in (known or {})):
            known = {**note, **(known or {})}
        detail = json.dumps(known, ensure_ascii=False, default=str) if known else None
        return (
            result.item,
            CODES[result.outcome],
            attempts,
            time.time(),
            redact(result.rule),
            redact(result.reason)[:_REASON_LENGTH],
            redact(result.advice),
            redact(detail) if detail else None,
        )

    def _count(self, result: Result, attempts: int, *, quiet: bool = False) -> None:
        session = self._s
        session.record.tally.attempts += attempts
        session.record.tally.settle(result.outcome)
        if result.outcome in (Outcome.UNCHANGED, Outcome.DONE):
            session.pace.breakers.succeeded()
            return
        reason = signature(redact(result.rule), redact(result.reason))
        session.record.tally.error(reason)
        tripped = None if quiet else session.pace.breakers.failed(session.settings, reason)
        tripped = tripped or session.pace.breakers.judge(
            session.settings, session.record.tally.failed, session.record.tally.settled
        )
        if tripped:
            session.orders.give_up(tripped, True)


def _why_again(results: Sequence[Result]) -> Failure:
    """Why items of an answered call are to be sent again: what weighs most of what the target says."""
    told = [result.failure for result in results if result.failure and result.outcome is Outcome.PENDING]
    plain = Failure(Fate.RETRY, "again", "the target asked for these items again")
    worst = max(
        told, key=lambda one: (one.fate is Fate.ABORT, one.retry_after or 0.0, one.pushback), default=plain
    )
    return worst if worst.fate is Fate.ABORT else replace(worst, fate=Fate.RETRY)
