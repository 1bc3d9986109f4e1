"""Patience with a target that fails: how often a call is tried, and when the whole run waits or gives up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Final

from ..core.advice import joined
from ..core.retry import Backoff
from ..core.words import plural
from ..reports.top_errors import signature
from ..targets.base import FIREWALL, Failure, Fate
from .chunk import Call
from .gate import BACKOFF
from .outage import Outage
from .session import Session

_LAST_CHANCES: Final = 3
"""Calls from further away in the plan that are tried before it counts as everybody that is turned away."""


class Fault(Enum):
    """Why a call ran out of tries."""

    UNLUCKY = auto()  # others got through, or the target is back: its tries begin anew
    OPEN = auto()  # nobody got through lately: others are sent before it has its tries once more
    AWAY = auto()  # the target serves nobody
    OWN = auto()  # the target serves others


class Patience:
    """Decides what a call that failed, and may be tried again, is worth waiting for.

    Args:
        session: What the session shares.
        answers: Asks the target something that changes nothing: whether it is there; None where there is
            nothing harmless to ask.

    Attributes:
        outage: The outage of the target, while there is one.
        tested: Something failed since a call got through last.
    """

    def __init__(self, session: Session, answers: Callable[[], Awaitable[bool | None]]) -> None:
        self._s = session
        self.outage = Outage(session, answers)
        self.tested = False
        # Calls in a row that a gateway left in doubt.
        self._doubtful = 0

    def got_through(self) -> None:
        """A call was answered on its items: whatever stood in the way is over."""
        self.tested, self._doubtful = False, 0
        self._s.pace.breakers.answered()
        self.outage.end()

    def feel(self, call: Call, failure: Failure) -> float:
        """Let the whole run feel a failure: slower, or waiting, where the target asked for that.

        Returns:
            Seconds that this call alone is to rest.
        """
        self.tested = True
        tally, throttle, tries = self._s.record.tally, self._s.pace.throttle, call.tries
        if failure.fate in (Fate.RETRY, Fate.ABORT):  # else it counts when the items get their outcome
            tally.error(signature(failure.rule, failure.reason))
        # Where others got through meanwhile, a firewall minds this very item and not the pace.
        own = failure.rule == FIREWALL and tries.made > 1 and tries.others_passed(tally.done)
        if throttle is not None and (failure.pushback or failure.retry_after) and not own:
            throttle.pushed_back(self._s.pace.clock(), failure.rule)
        if failure.connection or failure.away or failure.pushback:  # it may be everybody's
            self.outage.begin(call.items, others_passed=tries.ever_passed(tally.done))
        elif failure.fate is Fate.REJECT and call.items:
            self.got_through()
        if not failure.connection:
            self._s.pace.breakers.answered()
        wait = min(failure.retry_after or 0.0, self._s.settings.retry_after_max)
        rest = min(failure.rest or 0.0, self._s.settings.retry_after_max)
        if own:
            return max(wait, rest)
        if wait and failure.away:
            self.outage.hold(wait, failure.rule)
        elif wait:
            self._s.pace.gate.slow_down(wait, "the target asked to wait")
        return rest

    async def go_on(self, call: Call, failure: Failure, own_rest: float) -> bool | None:
        """Try a call again, when it is time.

        Returns:
            True when it is to be sent now, False when it is not; None when it was tried often enough.
        """
        settings, tries, orders = self._s.settings, call.tries, self._s.orders
        if failure.connection and settings.wait_for_target:
            return await self._wait_for_target(call, failure)
        tripped = self._s.pace.breakers.not_answered(settings, failure.reason) if failure.connection else None
        if tripped:
            return self._give_up(call, joined(tripped, failure.advice), self.outage.advice())
        backoff, fault = Backoff(settings.backoff, settings.backoff_max, settings.retries), None
        if not tries.may_go_on(backoff):
            fault = await self._find_fault(call, failure)
        elif failure.pushback and call.items and self.outage.in_question:
            fault = Fault.AWAY if self.outage.is_everybody(call.items) else Fault.OPEN
        if fault is Fault.AWAY:
            # The items are sound: it is the target that can't take them now, so they stay pending.
            return await self._wait_for_target(call, failure)
        if fault is Fault.OWN:
            return None if call.items else self._give_up(call, _failed_so_often(call, failure), "")
        if not call.question:
            self._s.record.tally.retries += call.size
        self._s.record.log.write("retry", item=call.chunk.first, attempt=tries.made, reason=failure.reason)
        wait = max(tries.wait(backoff), own_rest)
        if (own_rest or fault) and call.items:
            # So that its worker goes on with others, who also show whether it is everybody.
            orders.park(call, wait, fault is Fault.OPEN)
            if self.outage.is_everybody(call.items, ahead=_LAST_CHANCES):
                orders.look_afar()  # what its neighbours are minded for, too, a stranger may not be
            return False
        await self._s.pace.gate.wait_out(lambda: wait, BACKOFF)
        return True

    async def _find_fault(self, call: Call, failure: Failure) -> Fault:
        """Whose fault it is that a call has no tries left."""
        tally, tries = self._s.record.tally, call.tries
        passed = tries.others_passed(tally.done)
        if failure.connection or call.question:
            return Fault.AWAY
        if not call.items:
            return Fault.OWN
        if failure.pushback and failure.rule == FIREWALL:
            return Fault.OWN if passed else Fault.AWAY
        if failure.pushback and passed:
            # A busy target had no room for it, and may have some later.
            return Fault.UNLUCKY if tries.restart(tally.done) else Fault.OWN
        if failure.pushback:
            own = await self.outage.minds_only(call.items, tries)
            # Also where it seems to be their own: once more, for the target may be just coming back.
            if (own is None or (own and not tries.suspicions)) and tries.suspect(tally.done):
                return Fault.OPEN
            if own:
                self.outage.blame(call.items)
            return Fault.OWN if own else Fault.AWAY
        if not failure.away:
            return Fault.OWN
        there = await self.outage.is_there()
        # A gateway failed for it and the target is there (again): once more, then it is the items' doing.
        if there and failure.rule != FIREWALL and not tries.restarts and tries.restart(tally.done):
            return Fault.UNLUCKY
        return Fault.OWN if (passed if there is None else there) else Fault.AWAY

    async def _wait_for_target(self, call: Call, failure: Failure) -> bool:
        """Wait for a target that is away; True when the call is to be sent again."""
        if self._s.settings.wait_for_target and await self._outlast(failure):
            call.tries.forgive_last()
            return True
        if self._s.pace.gate.leaving:
            return False
        return self._give_up(call, _failed_so_often(call, failure), self.outage.advice())

    async def _outlast(self, failure: Failure) -> bool:
        self.tested = True  # somebody may have got through since that failure, while it was looked into
        return await self.outage.wait(failure)

    def _give_up(self, call: Call, words: str, advice: str) -> bool:
        """Give up the run, or pause it; True when the call is to be sent again after the pause."""
        self._s.orders.give_up(joined(words, advice), True)
        self.outage.forget()
        call.tries.forgive_all()
        return not self._s.pace.gate.leaving

    async def spare_the_rest(self, failure: Failure) -> None:
        """Send nothing more into a gateway behind which nobody is: each item would end in doubt."""
        if not failure.away:
            return
        self.tested = True
        self._doubtful += 1
        waits = self._s.settings.wait_for_target
        too_many = self._doubtful >= self._s.settings.connection_limit
        there = await self.outage.is_back() if waits or too_many else None
        if self._s.pace.gate.leaving or not (too_many or there is False):
            return
        # Without a harmless question each try to find out would leave one more item in doubt.
        if waits and there is not None and await self._outlast(failure):
            return
        calls = plural(self._doubtful, "call is", "calls in a row are")
        words = f"{calls} in doubt, nobody else got through: {failure.reason}"
        self._s.orders.give_up(joined(words, self.outage.advice()), True)
        self.outage.forget()
        self._doubtful = 0


def _failed_so_often(call: Call, failure: Failure) -> str:
    return joined(f"The target failed {call.tries.made} times: {failure.reason}", failure.advice)
