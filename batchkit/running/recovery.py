"""Recovery: what earlier sessions left in doubt is held against the target, and settled or sent again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

import polars as pl

from ..core.chunks import by_count
from ..core.columns import CHANGE, ITEM
from ..core.compare import STANDING, TO_SEND, Standing
from ..core.states import Change, Outcome
from ..journal.journal import CODES, Intent
from ..planning.plan import Plan
from ..targets.base import CallTarget, Item
from .chunk import Chunk, frame_items
from .delivery import Delivery
from .feeder import BLOCK, Covered, chunk_of, chunk_size, recovery_chunks
from .gate import BACKOFF
from .judge import SETTLE
from .read_back import LOOK_THERE, NEITHER, held_against
from .session import Session

Found = TypeVar("Found")

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
"""What becomes of an item that was under way when the run died, by how it stands at the target."""


def aside(work: Callable[[], Found]) -> asyncio.Future[Found]:
    """Do something that blocks in a thread; the loop goes on."""
    return asyncio.ensure_future(asyncio.to_thread(work))


class Recovery:
    """Settles what is in doubt at a target that takes calls; sends nothing itself.

    Args:
        session: What the session shares.
        plan: The plan.
        target: The target.
        delivery: Asks the target what it holds, with patience.
    """

    def __init__(self, session: Session, plan: Plan, target: CallTarget, delivery: Delivery) -> None:
        self._s = session
        self._plan = plan
        self._target = target
        self._delivery = delivery

    async def settle(self, covered: Covered, *, lost: bool) -> None:
        """Settle calls that were under way when a session ended, where sending twice may do harm.

        What the target tells to be done, or as before, needs no guess: it is on record, or sent with the
        rest. What it can't tell is left unknown, unless these very items may be sent twice.

        Args:
            covered: Items that have their outcome; it gets those that are settled.
            lost: The journal doesn't say what was under way: it may have been anything.
        """
        journal = self._s.record.journal
        intents = await aside(journal.intents)
        if lost:
            intents = [Intent(i, i + BLOCK - 1) for i in range(0, len(self._plan), BLOCK)]
        if not intents:
            return
        await self._let_arrive()
        chunks = recovery_chunks(self._plan, covered, intents, as_items=False)
        while (chunk := await aside(lambda: next(chunks, None))) is not None:
            standings = await self._standings(chunk)
            if standings is None:
                return  # the session ends; the intents stay for the next one
            settled = [
                item.index
                for item in await aside(lambda chunk=chunk: frame_items(chunk.frame))  # type: ignore[misc]  # bound now
                if not self._may_be_sent(standings.get(item.index), item)
            ]
            for number in settled:
                outcome, rule, reason, advice = _AFTER_A_CRASH[standings.get(number)]
                self._note(number, outcome, rule, reason, advice)
                self._s.record.tally.settle(outcome)
            covered.add_items(settled)
        for intent in intents:
            journal.close_intent(intent.first)
        journal.set_meta(lost=False)  # from here on it says what is under way

    async def compare_unknown(self) -> None:
        """Hold items that an earlier session left unknown against the target, where it can be read.

        What is there is done, what somebody edited since is a conflict. What is as before is sent again; but
        what was to be created and isn't there may still come: that stays the operator's to decide.
        """
        journal, tally = self._s.record.journal, self._s.record.tally
        if not self._target.readable or self._s.dry_run or not tally.outcomes[Outcome.UNKNOWN]:
            return
        items = await aside(lambda: journal.items_with(Outcome.UNKNOWN))
        for few in by_count(items, chunk_size(self._s.settings, self._plan, self._target)):
            chunk = await aside(lambda few=few: chunk_of(self._plan, few, as_items=False))  # type: ignore[misc]  # bound now
            standings = await self._standings(chunk)
            if standings is None:
                return
            changes = dict(chunk.frame.select(ITEM, CHANGE).iter_rows())
            for number, standing in standings.items():
                if standing == Standing.DONE:
                    self._turn(number, Outcome.DONE)
                elif standing == Standing.EDITED:
                    self._turn(number, Outcome.CONFLICT, "changed", NEITHER, LOOK_THERE)
                elif changes[number] != Change.CREATE:
                    self._turn(number, Outcome.PENDING)
        await aside(journal.flush)  # what is pending again is read from there

    async def _standings(self, chunk: Chunk) -> dict[int, str] | None:
        """How the items of a chunk stand that can be read; None when the session ends first."""
        found: dict[int, str] = {}
        if not self._target.readable:
            return found
        readable = chunk.frame.filter(pl.col(CHANGE) != Change.SEND)
        size = chunk_size(self._s.settings, self._plan, self._target)
        for part in readable.iter_slices(size):
            held = await self._delivery.read(chunk, part)
            if held is None:
                return None
            found |= dict(held_against(part, held).select(ITEM, STANDING).iter_rows())
        return found

    def _may_be_sent(self, standing: str | None, item: Item) -> bool:
        """Whether an item that was under way is simply sent with the rest."""
        return standing in TO_SEND if standing is not None else self._target.repeatable([item])

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

    def _turn(self, item: int, outcome: Outcome, rule: str = "", reason: str = "", advice: str = "") -> None:
        """Give an unknown item another outcome."""
        tally = self._s.record.tally
        self._note(item, outcome, rule or None, reason or None, advice or None)
        tally.reopen(Outcome.UNKNOWN)
        if outcome is not Outcome.PENDING:
            tally.settle(outcome)

    def _note(
        self, item: int, outcome: Outcome, rule: str | None, reason: str | None, advice: str | None
    ) -> None:
        record = self._s.record
        attempts = record.attempts.of(item)
        record.journal.record((item, CODES[outcome], attempts, time.time(), rule, reason, advice, None))
