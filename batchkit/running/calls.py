"""Calls: how a few items at a time go to a target that answers for each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ..core.pacing import KeyLimit
from ..core.states import Change, Outcome
from ..journal.journal import Intent
from ..targets.base import CallTarget, Failure, Item, Result
from .chunk import Call
from .deadlines import Deadlines
from .recorder import Recorder
from .session import Session


class Calls:
    """Sends items in calls, and puts on record what became of them.

    Args:
        session: What the session shares.
        target: The target.
        recorder: Puts outcomes on record.
        deadlines: Cut off what takes too long.

    Attributes:
        send: Sends a call; where that may do harm twice, its intent is on disk before.
    """

    def __init__(
        self, session: Session, target: CallTarget, recorder: Recorder, deadlines: Deadlines
    ) -> None:
        self._s = session
        self._target = target
        self._recorder = recorder
        self._deadlines = deadlines
        self._attempts = session.record.attempts
        self._keys = KeyLimit(0.0)
        # Where sending twice does harm each call has its intent, else one for the whole chunk is enough.
        self._intends = not target.idempotent
        # Not a coroutine around another: where nothing is waited for before, each call is spared one.
        self.send: Callable[[Call], Awaitable[Sequence[Result] | None]] = (
            self._send_intended if self._intends else self._send_now
        )

    async def admit(self, call: Call) -> bool:
        """Wait until a call may leave; False when the session ends, or when the call was put aside."""
        gate = self._s.pace.gate
        # What is tried again waits by the backoff, not by its own first try.
        limited = self._s.settings.key_rest > 0 and not call.tries.made
        if limited and not gate.leaving and self._put_aside(call):
            return False
        if not await gate.admit(call.size):
            return False
        if limited:
            if self._put_aside(call):  # another call for that key left meanwhile
                gate.give_back(call.size)
                return False
            self._count_keys(call)
        return True

    def _count_keys(self, call: Call) -> None:
        now = self._s.pace.clock()
        for item in call.items:
            self._keys.take(self._target.limited_by(item), now)

    def _put_aside(self, call: Call) -> bool:
        """Put a call aside whose key had its last one only just now; True when it is put aside."""
        target, now = self._target, self._s.pace.clock()
        self._keys.seconds = self._s.settings.key_rest
        rest = max((self._keys.wait(target.limited_by(item), now) for item in call.items), default=0.0)
        if rest > 0:
            self._s.orders.park(call, rest, False)
        return rest > 0

    def repeatable(self, items: Sequence[Item]) -> bool:
        """Whether sending these very items twice has the effect of sending them once."""
        return self._target.repeatable(items) if items else self._target.idempotent

    def can_look_back(self, items: Sequence[Item]) -> bool:
        """Whether the target can be asked what became of these items."""
        sends = any(item.change == Change.SEND for item in items)
        return self._target.readable and bool(items) and not sends and not self._s.dry_run

    async def _send_intended(self, call: Call) -> Sequence[Result] | None:
        before, call.intent = call.intent, call.items[0].index
        intent = Intent(call.intent, call.items[-1].index)
        # One that is still open, for the call is in doubt, ends in the same commit.
        await asyncio.wrap_future(self._s.record.journal.intend([intent], instead_of=before))
        if self._s.settings.key_rest > 0:
            self._count_keys(call)  # the rest begins when it leaves, and a busy disk may have taken its time
        return await self._send_now(call)

    def _send_now(self, call: Call) -> Awaitable[Sequence[Result] | None]:
        for item in call.items:
            self._attempts.count(item.index)
        return self._deadlines.watch(self._target.send(call.items, dry_run=self._s.dry_run))

    def record(self, call: Call, results: Sequence[Result] | None) -> list[Item] | None:
        """Record what an answered call settles; returns the items that are still open, None when none is."""
        if not results:
            self._recorder.done(call, call.items)
            self.close(call)
            return None
        found = {result.item: result for result in results}
        self._recorder.done(call, [item for item in call.items if item.index not in found])
        self._recorder.results(call, (each for each in results if each.outcome is not Outcome.PENDING))
        open_still = {result.item for result in results if result.outcome is Outcome.PENDING}
        if open_still:
            return [item for item in call.items if item.index in open_still]
        self.close(call)
        return None

    def settle(self, call: Call, outcome: Outcome, failure: Failure) -> None:
        """Give every item of a call the same outcome."""
        rule, reason, advice = failure.rule, failure.reason, failure.advice
        self.record(call, [Result(item.index, outcome, rule, reason, advice) for item in call.items])

    async def halves(self, call: Call) -> list[Call]:
        """The two halves of a call that was refused as a whole."""
        middle = call.size // 2
        call.chunk.open_calls += 1
        return [Call(call.chunk, items) for items in (call.items[:middle], call.items[middle:])]

    def close(self, call: Call) -> None:
        """Nothing of a call is open any more; its chunk's intent ends with the last of them."""
        if call.intent is not None:
            self._recorder.close_intent(call)
        chunk = call.chunk
        chunk.open_calls -= 1
        if chunk.open_calls == 0:
            if not self._intends:
                self._s.record.journal.close_intent(chunk.first)
            self._s.record.tally.chunks += 1
