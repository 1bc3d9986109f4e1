"""The outage of a target that answers nobody, or turns everybody away: waited out, and looked after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ..core.advice import resume, setting
from ..core.states import Outcome
from ..core.words import format_seconds
from ..targets.base import Failure, Item
from .gate import BACKOFF
from .session import Session
from .tries import Tries

FIRST_LOOK: Final = 2.0
"""Seconds before a target that is away is asked for the first time whether it is back."""

GROWTH: Final = 1.5
LONGEST_LOOK: Final = 20.0
"""Seconds between two such questions at most: seldom enough to do a struggling site no harm."""

SAY_WAIT: Final = f"To have the run wait until it is back: {setting('wait_for_target', '10m')}."
"""What to do about a target that is away, for whoever has not set it."""


class Outage:
    """Knows since when the target is away, and finds out when it is back.

    Args:
        session: What the session shares.
        answers: Asks the target something that changes nothing: whether it is there; None where there is
            nothing harmless to ask, so that the next call has to show it.

    Attributes:
        in_question: A call that was turned away ran out of tries: those that follow show whether it is
            everybody.
    """

    def __init__(self, session: Session, answers: Callable[[], Awaitable[bool | None]]) -> None:
        self._s = session
        self._answers = answers
        self._since: float | None = None
        self._by_call = False
        self._told = False
        # Items turned away since a call got through last; of these, the ones that nobody has ever passed
        # since they were sent first, and the ones that were found at fault.
        self._turned_away: set[int] = set()
        self._unproven: set[int] = set()
        self._blamed: set[int] = set()
        self.in_question = False
        self._looks = 0
        # The target answered the question, and no call has passed since.
        self._seemed_back = False
        # It answers the question all the while it turns calls away, so that asking tells nothing.
        self._misleading = False
        self._waiting: asyncio.Task[bool] | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def since(self) -> float | None:
        """When it began, in monotonic seconds; None while the target is there."""
        return self._since

    def begin(self, items: Sequence[Item], *, others_passed: bool = False) -> None:
        """A call with these items found the target away, or a question did, which has none.

        The time counts from the first that did.

        Args:
            items: The items.
            others_passed: Others got through since they were sent first.
        """
        if self._since is None:
            self._since = self._s.pace.clock()
        self._by_call |= bool(items)
        numbers = [item.index for item in items]
        self._turned_away.update(numbers)
        if not others_passed:
            self._unproven.update(numbers)
        self._misleading |= self._seemed_back

    def question_answered(self) -> None:
        """The target answered a question: it is back, unless it turns calls away that it could read for."""
        if not self._by_call:
            self.end()

    def end(self) -> None:
        """A call got through."""
        if self._since is not None and self._told:
            seconds = round(self._s.pace.clock() - self._since, 1)
            self._s.record.log.write("target answers again", after_seconds=seconds)
        self.forget()

    def forget(self) -> None:
        """Begin to count anew: it is over, or the run gives up and somebody else decides."""
        self._since, self._looks = None, 0
        self._by_call = self._told = self._seemed_back = self._misleading = self.in_question = False
        self._turned_away.clear()
        self._unproven.clear()
        self._blamed.clear()

    async def minds_only(self, items: Sequence[Item], tries: Tries) -> bool | None:
        """Whether the target that turned these items away, each time they were sent, serves others.

        Returns:
            None while others, who are still to come, may show it.
        """
        self.in_question = True
        there, done = await self.is_there(), self._s.record.tally.done
        if there is False or self.is_everybody(items):
            return False
        alone = self._turned_away <= {item.index for item in items}
        shown = tries.ever_passed(done)
        # After a suspicion they went behind all others: where nobody came in between, nobody is going to.
        if self._untried() > 0 and not (tries.suspicions and (alone or shown)):
            return None
        # Without a harmless question, what got through earlier has to show it.
        return there or shown or done >= len(self._turned_away)

    def is_everybody(self, items: Sequence[Item], ahead: int = 0) -> bool:
        """Whether so many calls like that of these items were turned away in a row that it isn't their doing.

        As many as are in hand at once may well be neighbours, so that the limit counts from there.

        Args:
            items: The items of one call.
            ahead: So many more calls are taken for granted.
        """
        limit = self._s.settings.connection_limit + self._s.orders.width() - ahead
        if not self.in_question or len(self._unproven) < limit * len(items):
            return False
        return self._untried() > 0 or not self._seemed_back

    def _untried(self) -> int:
        """Items that were not turned away since a call got through last."""
        return self._s.record.tally.outcomes[Outcome.PENDING] - len(self._turned_away - self._blamed)

    def blame(self, items: Sequence[Item]) -> None:
        """Note that these items are given up as the only ones that the target minds."""
        self._blamed.update(item.index for item in items)

    async def is_there(self) -> bool | None:
        """Whether the target answers a harmless question now; None where there is none to ask."""
        there = await self._answers()
        # Where a call got through while it was asked, nothing is in question any more.
        self._seemed_back = bool(there) and self._since is not None
        return there

    async def is_back(self) -> bool | None:
        """Whether calls have a chance again; None where only a call can show it."""
        return None if self._misleading else await self.is_there()

    async def wait(self, failure: Failure) -> bool:
        """Wait until the target seems to be back, as long as the setting `wait_for_target` allows.

        Args:
            failure: How it was found away.

        Returns:
            False when it wasn't back in time, or when the session ends.
        """
        # Whoever waits at once waits for one and the same question.
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.ensure_future(self._wait(failure))
        return await asyncio.shield(self._waiting)

    async def _wait(self, failure: Failure) -> bool:
        gate, clock = self._s.pace.gate, self._s.pace.clock
        self._since = clock() if self._since is None else self._since
        if not self._told:
            self._told = True
            self._s.record.log.write("target is away", reason=failure.reason)
        try:
            while not gate.leaving:
                if (since := self.since) is None:
                    return True  # a call that was under way got through meanwhile
                left = since + self._s.settings.wait_for_target - clock()
                if left <= 0:
                    return False
                # Nothing else leaves meanwhile: it would only fail too.
                gate.await_target(left, f"the target is away ({failure.rule})")
                pause = min(self._next_pause(), left)
                await gate.wait_out(lambda pause=pause: pause, BACKOFF)  # type: ignore[misc]  # bound now
                if gate.holding:
                    # Nobody is asked while the run is paused, and that time doesn't count.
                    await gate.released()
                    self._since = clock()
                if not gate.leaving and await self.is_back() is not False:
                    return True
            return False
        finally:
            gate.target_is_back()

    def hold(self, seconds: float, rule: str) -> None:
        """Hold the run back as long as the target, which is away, asked for; or until it is back before that.

        A site under maintenance names ten minutes and is back after fifteen seconds.
        """
        self._s.pace.gate.await_target(seconds, f"the target asked to wait ({rule})")
        idle = self._watching is None or self._watching.done()
        if seconds > FIRST_LOOK and idle and not self._misleading:
            self._watching = asyncio.ensure_future(self._watch(seconds))

    async def _watch(self, seconds: float) -> None:
        gate, clock = self._s.pace.gate, self._s.pace.clock
        until = clock() + seconds
        while not gate.leaving and (left := until - clock()) > 0:
            pause = min(self._next_pause(), left)
            await gate.wait_out(lambda pause=pause: pause, BACKOFF)  # type: ignore[misc]  # bound now
            # A call may have got through meanwhile, and nobody is asked while the run is paused.
            if not await gate.released() or self._since is None:
                return
            there = await self.is_back()
            if there is not False:
                if there:
                    gate.target_is_back()
                return

    def _next_pause(self) -> float:
        self._looks += 1
        return float(min(FIRST_LOOK * GROWTH ** (self._looks - 1), LONGEST_LOOK))

    def advice(self) -> str:
        """What an operator does about a target that was away for longer than the run waits."""
        waits = self._s.settings.wait_for_target
        if not waits:
            return SAY_WAIT
        waited = f"It was waited for {format_seconds(waits)}, as wait_for_target says."
        return f"{waited} When it is back: {resume()}."

    async def close(self) -> None:
        """Ask nothing any more: the session is over."""
        tasks = [task for task in (self._waiting, self._watching) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
