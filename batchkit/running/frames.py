"""Frames: how a chunk goes as a whole to a target that applies it as one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from ..core.columns import ITEM
from ..core.states import Outcome
from ..journal.journal import Intent
from ..targets.base import ChunkContext, Failure, FrameTarget, Item, Result
from .chunk import Call, Chunk
from .recorder import Recorder
from .session import Session


class Frames:
    """Sends chunks as frames, and puts on record what became of them.

    Args:
        session: What the session shares.
        target: The target.
        recorder: Puts outcomes on record.
    """

    def __init__(self, session: Session, target: FrameTarget, recorder: Recorder) -> None:
        self._s = session
        self._target = target
        self._recorder = recorder

    async def admit(self, call: Call) -> bool:
        """Wait until a chunk may leave; False when the session ends instead."""
        return await self._s.pace.gate.admit(call.size)

    def repeatable(self, _: Sequence[Item]) -> bool:
        """Whether applying the chunk twice has the effect of applying it once."""
        return self._target.idempotent

    def can_look_back(self, _: Sequence[Item]) -> bool:
        """Never: the target tells by itself what it holds already when the chunk is applied again."""
        return False

    async def send(self, call: Call) -> Sequence[Result]:
        """Apply a chunk, in a thread."""
        chunk = call.chunk
        context = ChunkContext(
            run=self._s.run,
            first=chunk.first,
            last=chunk.last,
            recovering=chunk.recovering or call.tries.made > 1,
            dry_run=self._s.dry_run,
            overwrite=self._s.settings.overwrite or chunk.overwrite,
            timeout=self._s.settings.timeout,
        )
        whole = chunk.last - chunk.first + 1 == chunk.frame.height
        items = range(chunk.first, chunk.last + 1) if whole else chunk.frame[ITEM].to_list()
        self._s.record.attempts.count_chunk(items)
        return await asyncio.to_thread(self._target.apply, chunk.frame, context)

    def record(self, call: Call, results: Sequence[Result] | None) -> None:
        """Record a chunk that was applied: nothing of it is left."""
        self._recorder.chunk(call, results or ())

    def settle(self, call: Call, outcome: Outcome, failure: Failure) -> None:
        """Give every item of a chunk the same outcome."""
        rule, reason, advice = failure.rule, failure.reason, failure.advice
        numbers = call.chunk.frame[ITEM].to_list()
        self._recorder.chunk(call, [Result(number, outcome, rule, reason, advice) for number in numbers])

    def close(self, _: Call) -> None:
        """Nothing: a chunk is closed as it is recorded."""

    async def halves(self, call: Call) -> list[Call]:
        """The two halves of a chunk that was refused as a whole."""
        old, middle = call.chunk, call.size // 2
        chunks = [
            replace(Chunk.of(part, recovering=old.recovering, itemised=old.itemised), overwrite=old.overwrite)
            for part in (old.frame[:middle], old.frame[middle:])
        ]
        intents = [Intent(chunk.first, chunk.last) for chunk in chunks]
        # The target knows a chunk by its range: on record before the halves are sent, or a crash would send
        # the whole.
        await asyncio.wrap_future(self._s.record.journal.intend(intents, instead_of=old.first))
        return [Call(chunk) for chunk in chunks]
