"""The engine: the one asyncio loop that drives a run. Chunks → gate → call → judgement → journal.

One engine is one session of one run. It runs in a thread of its own (see `run.py`); everything it shows is
read from its tally, everything it is told comes through the journal's control messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ..core.errors import BatchkitError
from ..core.pacing import Throttle
from ..core.secrets import redact
from ..core.settings import LIVE, Settings
from ..core.states import Outcome, RunState
from ..core.words import format_bytes
from ..journal.attempts import Attempts
from ..journal.journal import Message
from ..journal.log import RunLog
from ..journal.snapshot import Snapshot, count_outcomes
from ..journal.writer import Journal
from ..planning.plan import Plan
from ..targets.base import CallTarget, FrameTarget
from .breakers import Breakers
from .call_queue import CallQueue
from .delivery import Delivery
from .figures import Figures
from .gate import Gate
from .session import Orders, Pace, Record, Session
from .supply import Supply
from .tally import Tally
from .threads import Threads
from .workers import Workers

MOST_THREADS: Final = 256
PAUSED_ON_REQUEST: Final = "Paused on request."
TICK: Final = 0.1
SNAPSHOT_EVERY: Final = 0.5
SAMPLE_EVERY: Final = 1.0
DISK_EVERY: Final = 2.0


class Engine:
    """Drives one session of a run.

    Args:
        plan: What is applied.
        target: Where to; connected.
        journal: The run's journal, owned by this process.
        settings: How.
        run: Id of the run.
        folder: The run folder.
        dry_run: Nothing may stay written.
        owner: `pid 123 on host`.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        plan: Plan,
        target: CallTarget | FrameTarget,
        journal: Journal,
        settings: Settings,
        *,
        run: str,
        folder: Path,
        dry_run: bool = False,
        owner: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan = plan
        self._target = target
        self._journal = journal
        self._folder = folder
        self._log = RunLog(folder / "log.jsonl")
        self._tally = Tally(
            count_outcomes(plan, journal.counts()), seconds=journal.meta("seconds", 0.0), clock=clock
        )
        self._failure = ""
        self._stopping = False
        # What was asked of a session that died doesn't hold here; what came since it was taken up does.
        self._seen = journal.meta("seen", 0)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue = CallQueue()
        if dry_run and isinstance(target, CallTarget):  # nothing is sent that would need its pace
            settings = settings.changed({"rate": None, "delay": 0, "key_rest": 0})
        paced = isinstance(target, CallTarget) and target.paced
        self._throttle = Throttle(settings.workers, pinned=not settings.adaptive) if paced else None
        self._gate = Gate(settings, self._tally, clock)
        self._attempts = Attempts(journal, len(plan))
        self._session = Session(
            run,
            settings,
            Record(journal, self._attempts, self._tally, self._log),
            Pace(self._gate, Breakers(), self._throttle, clock),
            Orders(self._give_up, self._pause, self._queue.park, self._queue.look_afar, self._width),
            dry_run=dry_run,
            alive=journal.meta("alive", 0.0),
        )
        self._figures = Figures(self._session, plan, target, self._queue, folder, owner=owner)

    # What others may ask, from any thread.

    def look(self) -> None:
        """Look at the journal's control messages now."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop closed just now: nobody is left to tell
                self._loop.call_soon_threadsafe(self._read_messages)

    @property
    def state(self) -> RunState:
        """The state it is in."""
        return self._journal.present_state()

    def snapshot(self) -> Snapshot:
        """Where the run stands, from memory: cheap enough for ten times a second."""
        return self._figures.snapshot()

    # The session.

    async def drive(self) -> RunState:
        """Run until everything has its outcome, or somebody or something ends the session.

        Returns:
            The state it ended in: finished, stopped or failed.
        """
        self._loop = asyncio.get_running_loop()
        # As many threads as calls are under way: the workers bound them, and their number may change.
        self._loop.set_default_executor(Threads(MOST_THREADS))
        self._delivery = Delivery(self._session, self._target)
        self._workers = Workers(self._session, self._queue, self._delivery.deliver, self._internal_error)
        self._journal.set_meta(alive=time.time())
        self._set_state(RunState.RUNNING)
        self._read_messages()
        ticker = asyncio.create_task(self._tick())
        try:
            if isinstance(self._target, CallTarget):
                self._target.run = self._session.run
                if not await self._delivery.open():
                    return self._end()
                self._plan.check_target(self._target)
            await self._work()
        except Exception as error:  # noqa: BLE001 - ends the session with a message instead of a hung run
            self._internal_error(error)
        finally:
            # In this order: no call is under way any more, so nothing needs the ticker's deadlines; then
            # nobody asks the target anything, so its connections can go; the count is whole only then.
            ticker.cancel()
            await asyncio.gather(ticker, return_exceptions=True)
            await self._delivery.close()
            if isinstance(self._target, CallTarget):
                # No deadline cuts this one but its own: what was sent is on record, so it may fail.
                leaving = asyncio.wait_for(self._target.end(), self._session.settings.timeout)
                await asyncio.gather(leaving, return_exceptions=True)
            self._attempts.close()
        return self._end()

    async def _work(self) -> None:
        self._workers.resize()
        supply = Supply(self._session, self._plan, self._target, self._queue, self._delivery)
        try:
            await supply.feed()
        finally:
            # Also where feeding failed: calls under way come back and are put on record before the end.
            self._queue.end()
            await self._workers.over()

    def _end(self) -> RunState:
        self._tally.stop_clock()
        state = RunState.FINISHED
        if self._failure:
            state = RunState.FAILED
        elif self._tally.outcomes[Outcome.PENDING]:
            state = RunState.STOPPED if self._stopping else RunState.FAILED
        if self._journal.present_state() is RunState.PAUSED:
            # No arrow leads from paused to finished: it was told to go on or to stop before it came here.
            self._journal.set_state(RunState.STOPPING)
        self._figures.message = self._failure
        if self._journal.error is None:
            self._set_state(state, self._failure)
            self._journal.set_meta(ended=time.time())
            self._figures.sample()
            self._figures.persist()
            with contextlib.suppress(BatchkitError):  # the driver has the last word where it can't be written
                self._journal.flush()
        self._log.write(
            "session over", state=state, message=self._figures.message, outcomes=self._figures.counts()
        )
        return state

    def _internal_error(self, error: Exception) -> None:
        if self._failure:
            return  # the first is the reason; what follows from it, tick by tick, would fill the log
        self._give_up(self._log.explain(error), False)

    def _width(self) -> int:
        most = self._target.max_workers
        width = self._session.settings.workers if self._throttle is None else self._throttle.width
        return min(width, most) if most else width

    # Control.

    def _read_messages(self) -> None:
        for message in self._journal.messages(self._seen):
            self._seen = message.id
            self._handle(message)

    def _handle(self, message: Message) -> None:
        """Act on one control message; runs on the loop."""
        try:
            answer = self._obey(message)
        except BatchkitError as error:
            answer = str(error)
        self._log.write(
            "control", command=message.command, by=message.sender, answer=answer, asked=message.arguments
        )
        self._journal.execute("UPDATE control SET answer = ? WHERE id = ?", (answer, message.id))

    def _obey(self, message: Message) -> str:
        state = self._journal.present_state()
        match message.command:
            case "pause" if state is RunState.RUNNING:
                self._pause(PAUSED_ON_REQUEST)
            case "resume" if state in (RunState.PAUSING, RunState.PAUSED):
                self._figures.message = ""
                self._session.pace.breakers.restart(self._tally.failed, self._tally.settled)
                self._set_state(RunState.RUNNING)
                self._tally.start_clock()
                self._gate.release()
            case "stop" if state in (RunState.RUNNING, RunState.PAUSING, RunState.PAUSED):
                self._stop()
            case "set":
                return self._change(message.arguments)
            case "pause" | "resume" | "stop":
                return f"Nothing to do: the run is {state}."
            case unknown:
                return f"There is no command {unknown!r}."
        return "ok"

    def _change(self, values: dict[str, Any]) -> str:
        fixed = sorted(name for name in set(values) - LIVE if name in Settings.model_fields)
        if fixed:
            return f"{', '.join(fixed)} can't change while the run runs."
        if "workers" in values and "adaptive" not in values and self._throttle is not None:
            values = {**values, "adaptive": False}  # who names a number means that number
        settings = self._session.settings = self._session.settings.changed(values)
        if self._throttle is not None:
            self._throttle.change(settings.workers, pinned=not settings.adaptive)
        self._gate.change(settings)
        self._workers.resize()
        self._queue.low.set()
        self._journal.set_meta(settings=settings.model_dump())
        return "ok"

    def _pause(self, message: str) -> None:
        if self._journal.present_state() is not RunState.RUNNING:
            return
        self._figures.message = redact(message)
        self._set_state(RunState.PAUSING, self._figures.message)
        # Held before it is asked whether all is quiet: from here on nothing leaves that could disturb it.
        self._gate.hold()
        self._settle_pause()

    def _settle_pause(self) -> None:
        if self._journal.present_state() is RunState.PAUSING and not self._tally.in_flight:
            self._tally.stop_clock()
            self._set_state(RunState.PAUSED, self._figures.message)
            self._figures.persist()

    def _stop(self) -> None:
        # Before the state: a limit that trips in this moment must not turn the stop into a pause.
        self._stopping = True
        self._set_state(RunState.STOPPING)
        self._tally.start_clock()
        self._leave()

    def _give_up(self, message: str, may_pause: bool) -> None:
        message = redact(message)
        if self._failure:
            return
        if may_pause and self._session.settings.on_limit == "pause" and not self._stopping:
            self._log.write("paused by a limit", message=message)
            self._pause(message)
            return
        self._failure = message
        self._log.write("giving up", message=message)
        self._leave()

    def _leave(self) -> None:
        # The gate first: whatever the next two set free looks at it, and goes no further.
        self._gate.leave()
        self._queue.drop()
        self._delivery.deadlines.cut_questions()

    def _set_state(self, state: RunState, message: str = "") -> None:
        if self._journal.present_state() is not state:
            self._journal.set_state(state, message)
            self._log.write("state", state=state, message=message)
        if state is RunState.RUNNING:
            self._tally.start_clock()

    # Ticking.

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await asyncio.sleep(TICK)
            ticks += 1
            # Deadlines first: a call that never comes back must be cut also while a run gives up.
            self._delivery.deadlines.cut_overdue()
            try:
                self._look_around(ticks)
            except Exception as error:  # noqa: BLE001 - without its ticks a run hears no stop: it ends, and says why
                self._internal_error(error)

    def _look_around(self, ticks: int) -> None:
        """What is done ten times a second, and what less often."""
        if self._journal.error is not None:
            self._give_up(str(self._journal.error), False)
        self._read_messages()
        self._settle_pause()
        if self._journal.present_state() is RunState.RUNNING:
            self._tally.tick()
            if self._throttle is not None:
                self._workers.resize()
            if ticks % round(SAMPLE_EVERY / TICK) == 0:
                self._figures.sample()
        if ticks % round(SNAPSHOT_EVERY / TICK) == 0:
            self._figures.persist()
        if ticks % round(DISK_EVERY / TICK) == 0:
            self._look_at_machine()

    def _look_at_machine(self) -> None:
        disk = self._figures.look_at_machine()
        if disk is not None and disk.critical and not self._stopping:
            self._pause(
                f"Only {format_bytes(disk.free)} of disk are free at {self._folder}, less than the"
                f" reserve of {format_bytes(disk.reserve)}. Free some disk, then resume: nothing is lost."
            )
