"""The figures of a session: shown from memory here, left in the journal for other processes."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

from ..core.estimate import DiskEstimate, disk_estimate, disk_need, memory_in_use
from ..core.pacing import until_window
from ..core.problem import Problem
from ..core.settings import window_times
from ..core.states import Outcome, RunState
from ..journal.snapshot import Snapshot
from ..planning.plan import Plan
from ..targets.base import CallTarget, FrameTarget
from .call_queue import CallQueue
from .feeder import chunk_size
from .session import Session

_AT_WORK = (RunState.RUNNING, RunState.PAUSING, RunState.STOPPING)


class Figures:
    """Tells where a session stands.

    Args:
        session: What the session shares.
        plan: What is applied.
        target: Where to.
        queue: The calls that wait.
        folder: The run folder.
        owner: `pid 123 on host`.

    Attributes:
        message: Why the run paused or failed; empty while it goes well.
    """

    def __init__(
        self,
        session: Session,
        plan: Plan,
        target: CallTarget | FrameTarget,
        queue: CallQueue,
        folder: Path,
        *,
        owner: str,
    ) -> None:
        self.message = ""
        self._s = session
        self._plan = plan
        self._target = target
        self._queue = queue
        self._folder = folder
        self._owner = owner
        self._notices = [str(Problem(**each)) for each in session.record.journal.meta("notices", [])]
        self._memory = 0
        self._disk: DiskEstimate | None = None
        self.look_at_machine()

    def snapshot(self) -> Snapshot:
        """Where the run stands, from memory: cheap enough for ten times a second."""
        tally, settings = self._s.record.tally, self._s.settings
        state = self._s.record.journal.present_state()
        left = tally.outcomes[Outcome.PENDING]
        tried = tally.settled
        working = state in _AT_WORK
        return Snapshot(
            run=self._s.run,
            state=state,
            dry_run=self._s.dry_run,
            message=self.message,
            total=len(self._plan),
            to_send=self._plan.to_send(),
            outcomes=self.counts(),
            attempts=self._s.record.attempts.made,
            retries=tally.retries,
            calls=tally.calls,
            chunks=tally.chunks,
            seconds=tally.seconds,
            rate=tally.rate() if working else None,
            eta=tally.eta(left, self._delays(left)) if working else None,
            limiter=self._limiter() if state is RunState.RUNNING else "",
            success_rate=tally.done / tried if tried else None,
            top_errors=tally.errors.most_common(10),
            workers=self._s.orders.width(),
            settings=settings.model_dump(),
            memory=self._memory,
            disk_free=self._disk.free if self._disk else 0,
            disk_need=self._disk.need if self._disk else 0,
            owner=self._owner,
            in_flight=tally.in_flight,
            notices=self._notices,
        )

    def counts(self) -> dict[str, int]:
        """How many items have each outcome, by its name."""
        return {str(outcome): n for outcome, n in self._s.record.tally.outcomes.items()}

    def persist(self) -> None:
        """Leave a snapshot for other processes."""
        tally = self._s.record.tally
        self._s.record.journal.set_meta(
            snapshot=self.snapshot().to_dict(), seconds=tally.seconds, alive=time.time()
        )
        self._s.record.journal.give_beat()

    def sample(self) -> None:
        """Put a point of the run's course on record."""
        tally = self._s.record.tally
        counts = tally.outcomes
        done, rejected = counts[Outcome.DONE], counts[Outcome.REJECTED]
        other = sum(counts[o] for o in (Outcome.UNCHANGED, Outcome.CONFLICT, Outcome.UNKNOWN))
        self._s.record.journal.execute(
            "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)",
            (time.time(), tally.seconds, done, rejected, other, tally.rate(), self._s.orders.width()),
        )

    def look_at_machine(self) -> DiskEstimate | None:
        """Look at the disk and the memory in use; None where the system doesn't tell: no reason to stop."""
        left = self._s.record.tally.outcomes[Outcome.PENDING]
        need = disk_need(left, atomic=isinstance(self._target, FrameTarget))
        try:
            self._disk = disk_estimate(self._folder, need, self._s.settings.disk_reserve)
            self._memory = memory_in_use()
        except OSError as error:
            self._s.record.log.write("machine not seen", error=str(error))
            self._memory, self._disk = 0, None
        return self._disk

    def _limiter(self) -> str:
        throttle, tally, queue = self._s.pace.throttle, self._s.record.tally, self._queue
        window = self._s.settings.window
        if window and until_window(window_times(window), datetime.now().astimezone()) > 0:
            return f"the run works only from {window.replace('-', ' to ')}"
        if held := self._s.pace.gate.held_by_target():
            return held
        resting = len(queue.parked)
        if resting and not queue.calls and not tally.in_flight:
            return f"{resting} calls rest a while" if resting > 1 else "a call rests a while"
        slowed = throttle.reason if throttle is not None else ""
        return slowed or tally.limiter(self._s.orders.width())

    def _delays(self, left: int) -> float:
        """Seconds of delay between the chunks that are left."""
        settings = self._s.settings
        return settings.delay * (left // chunk_size(settings, self._plan, self._target))
