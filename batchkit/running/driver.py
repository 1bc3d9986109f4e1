"""The driver: the thread of the owning process that runs an engine, from opening the target to the report."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from ..core.errors import DiskFull, TargetUnreachable
from ..core.estimate import disk_estimate, disk_need
from ..core.secrets import redact
from ..core.settings import Settings
from ..core.states import ACTIVE, Outcome, RunState
from ..core.words import format_bytes
from ..journal.journal import FIRST_BEAT, JournalReader
from ..journal.log import RunLog
from ..journal.owner import Ownership, owner_of
from ..journal.run_folder import JOURNAL
from ..journal.writer import Journal
from ..planning.plan import Plan
from ..reports.data import ReportData, report_data
from ..reports.report import write_fix_file, write_report
from ..targets.base import CallTarget, FrameTarget, Target
from .engine import Engine
from .outage import SAY_WAIT
from .repeats import find_overlap

_RAN: Final = '"state": "running"'
"""What stands in the log of a run that was begun."""

_FAREWELL: Final = 30.0
"""Seconds that a target has at most for closing, however long its calls may take."""

_live: dict[Path, Driver] = {}
_last_words: dict[Path, str] = {}


def live_driver(folder: Path) -> Driver | None:
    """The driver of this process that has a run in hand; None when there is none."""
    return _live.get(folder.resolve())


def last_words(folder: Path) -> str | None:
    """Why a run of this process failed, where its journal could not take that (full disk); else None."""
    return _last_words.get(folder.resolve())


def _run_to_its_end(work: Coroutine[Any, Any, object]) -> None:
    """`asyncio.run`, but for the thread that it makes in the end: a process that ends makes none any more.

    That thread would wait for the loop's own threads; the engine has waited for them by then.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(work)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.run_until_complete(loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        loop.close()


class Driver(threading.Thread):
    """Drives one session of a run in this process.

    Attributes:
        engine: The engine, once the target is open.
    """

    def __init__(
        self,
        folder: Path,
        ownership: Ownership,
        target: Target | None,
        tidy: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(name=f"batchkit-{folder.name}", daemon=True)
        self.engine: Engine | None = None
        self._folder = folder.resolve()
        self._ownership = ownership
        self._given = target
        self._tidy = tidy
        self._log = RunLog(folder / "log.jsonl")

    @classmethod
    def start_on(
        cls, folder: Path, *, target: Target | None = None, tidy: Callable[[], object] | None = None
    ) -> Driver:
        """Take a run in hand and drive it in a thread.

        Args:
            folder: The run folder.
            target: A connected target to use instead of opening the plan's own.
            tidy: Called first, in the thread.

        Raises:
            RunBusy: Somebody else drives it.
        """
        driver = cls(folder, Ownership(folder), target, tidy)
        _live[driver._folder] = driver
        driver.start()
        return driver

    @staticmethod
    def prepare(
        folder: Path,
        *,
        settle: Literal["done", "resend"] | None = None,
        overwrite: bool = False,
        settings: dict[str, Any] | None = None,
        again: bool = False,
    ) -> None:
        """Write the operator's decisions into the journal of a run that nobody drives.

        Args:
            folder: The run folder.
            settle: `done` takes unknown items for done, `resend` makes them pending.
            overwrite: Items in conflict become pending, and are written whatever the target holds.
            settings: Settings from here on.
            again: What other runs of the same rows have done until now is no reason not to do it.
        """
        ownership, whole = Ownership(folder), False
        try:
            journal = _open_journal(folder, ownership)
            try:
                chosen = Settings.of(journal.meta("settings")).changed(settings or {})
                if settle == "resend":
                    journal.reopen(Outcome.UNKNOWN)
                elif settle == "done":
                    journal.settle(Outcome.UNKNOWN, Outcome.DONE)
                if overwrite:
                    journal.reopen(Outcome.CONFLICT, overwrite=True)
                journal.set_meta(settings=chosen.model_dump(), seen=journal.last_message())
                if again:
                    journal.set_meta(agreed=time.time())
                if "canary" in (settings or {}):
                    journal.set_meta(canary_anew=True)  # so many from here on, and not from the run's start
                journal.flush()
            finally:
                journal.close()
                whole = journal.error is None
        finally:
            ownership.release(noted=not whole)

    def poke(self) -> None:
        """Look at the control messages now rather than at the next tick."""
        if self.engine is not None:
            self.engine.look()

    def run(self) -> None:
        """The thread's work; nothing it meets goes past here."""
        try:
            journal = _open_journal(self._folder, self._ownership)
        except Exception as error:  # noqa: BLE001 - whatever it is, the run must be let go of
            self._log.write("not started", error=str(error))
            self._let_go(noted=True)
            return
        _last_words.pop(self._folder, None)
        try:
            self._session(journal)
        except BaseException as error:  # noqa: BLE001 - a thread's error has nowhere else to go
            self._fail(journal, error)
        finally:
            journal.close()
            if journal.error is not None:
                self._say_it_late(str(journal.error))
            self._let_go(noted=journal.error is not None)

    def _say_it_late(self, message: str) -> None:
        """Try once more to write the end of a run whose journal failed; keep it in memory all the same."""
        _last_words[self._folder] = message
        with contextlib.suppress(Exception):
            journal = Journal(self._folder / JOURNAL)
            try:
                if journal.present_state() in ACTIVE:
                    journal.set_state(RunState.FAILED, message)
                    journal.flush()
            finally:
                journal.close()

    def _session(self, journal: Journal) -> None:
        if self._tidy is not None:
            self._tidy()
        if journal.present_state() in ACTIVE:
            journal.set_state(RunState.INTERRUPTED)
        plan = Plan.load(self._folder / "plan.parquet")
        settings = Settings.of(journal.meta("settings"))
        self._check_disk(plan, settings)
        if journal.present_state() is RunState.PLANNED:
            self._note_overlap(plan, journal)
        target = self._given or plan.open_target()
        with self._letting_go_of(target, settings):
            if self._connect(target, settings):
                plan.check_target(target)
            if not isinstance(target, CallTarget | FrameTarget):
                raise TypeError(f"{type(target).__name__} is neither a CallTarget nor a FrameTarget")
            self.engine = Engine(
                plan,
                target,
                journal,
                settings,
                run=journal.meta("run", self._folder.name),
                folder=self._folder,
                dry_run=journal.meta("dry_run", False),
                owner=str(owner_of(self._folder) or ""),
            )
            _run_to_its_end(self.engine.drive())
            # Before the target is closed: what it told is here, and closing may take its time.
            if journal.meta("report", True):
                self._report(plan, self.engine, journal)

    def _note_overlap(self, plan: Plan, journal: Journal) -> None:
        """Leave word, for all who see the run, of rows that are at the target already and come once more."""
        try:
            overlap = None if journal.meta("dry_run") or journal.meta("agreed") else find_overlap(plan)
        except Exception as error:  # noqa: BLE001 - a hint is all that is lost
            self._log.write("not compared with earlier runs", error=repr(error))
            return
        if overlap is not None:
            journal.set_meta(notices=[overlap.stored()])
            journal.flush()  # the engine reads it from there

    @contextlib.contextmanager
    def _letting_go_of(self, target: Target, settings: Settings) -> Iterator[None]:
        """Close the target in the end. What was sent is on record by then, so failing to is no failure."""

        def close() -> None:
            try:
                target.close()
            except BaseException as error:  # noqa: BLE001 - a target may raise anything, in a thread of its own
                self._log.write("target not closed", error=repr(error), trace=traceback.format_exc())

        try:
            yield
        finally:
            # In a thread that nobody has to wait for: a server that is gone may never answer the farewell,
            # and whoever waits for this run has to hear that it is over.
            closing = threading.Thread(target=close, name=f"{self.name}-close", daemon=True)
            patience = min(settings.timeout, _FAREWELL)
            try:
                closing.start()
                closing.join(patience)
            except RuntimeError:  # its process ends, and Python makes no threads any more
                close()
            if closing.is_alive():
                self._log.write("target not closed", error=f"no end after {patience:g} s")

    def _connect(self, target: Target, settings: Settings) -> bool:
        """Connect; False where the target doesn't answer and the operator wants to wait for it."""
        try:
            target.connect()
            return True
        except TargetUnreachable as error:
            if not (settings.wait_for_target and isinstance(target, CallTarget)):
                if isinstance(target, CallTarget):
                    error.advice = " ".join(filter(None, [error.advice, SAY_WAIT]))
                raise
            # The engine waits for it, where a pause or a stop is heard.
            self._log.write("target does not answer", reason=str(error))
            return False

    def _check_disk(self, plan: Plan, settings: Settings) -> None:
        need = disk_need(plan.to_send(), atomic=True)
        disk = disk_estimate(self._folder, need, settings.disk_reserve)
        if not disk.enough:
            raise DiskFull(
                f"The run may need {format_bytes(need)} at {self._folder} and keeps"
                f" {format_bytes(settings.disk_reserve)} free;"
                f" only {format_bytes(disk.free)} are there.",
                advice="Free some disk, or lower the setting disk_reserve.",
            )

    def _report(self, plan: Plan, engine: Engine, journal: Journal) -> None:
        """Leave a report in the run folder; a report that can't be written never spoils the run."""
        try:
            data = report_data(plan, journal, engine.snapshot(), self._folder)
            written = self._write_fix_file(data, journal)
            write_report(replace(data, fix_file=written), self._folder / "report.html")
        except Exception as error:  # noqa: BLE001 - the run itself went well
            self._log.write("no report", error=str(error), trace=traceback.format_exc())

    def _write_fix_file(self, data: ReportData, journal: Journal) -> str:
        """Leave the rows to fix; never over a file that somebody has begun to correct. Returns its name."""
        path = self._folder / "fix.csv"
        if path.is_file() and path.stat().st_mtime_ns != journal.meta("fix_written"):
            path.replace(path.with_name(f"fix-corrected-{datetime.now().astimezone():%Y%m%d-%H%M%S}.csv"))
        if write_fix_file(data, path) is None:
            path.unlink(missing_ok=True)
            return ""
        journal.set_meta(fix_written=path.stat().st_mtime_ns)
        return path.name

    def _fail(self, journal: Journal, error: BaseException) -> None:
        words = self._log.explain(error)
        self._log.write("failed", message=words)
        with contextlib.suppress(Exception):
            if journal.present_state() not in (RunState.PLANNED, *ACTIVE):
                journal.set_state(RunState.RUNNING)  # no arrow leads from one end to another
            journal.set_state(RunState.FAILED, redact(words))
            journal.flush()

    def _let_go(self, *, noted: bool = False) -> None:
        self._ownership.release(noted=noted)
        # Somebody may have taken the run up again in the moment since.
        if _live.get(self._folder) is self:
            del _live[self._folder]


def _open_journal(folder: Path, ownership: Ownership) -> Journal:
    """The journal of a run that was just taken in hand; where its end is lost, it says so from now on.

    The write-ahead log of a run that died lies beside its journal, and is easily left behind in a copy. The
    owner noted each beat after the journal had taken it, so a journal behind its note has lost something;
    without a note the journal's own word counts.
    """
    log = folder / "log.jsonl"
    with contextlib.closing(JournalReader(folder / JOURNAL)) as left:
        beat, noted = left.meta("beat", FIRST_BEAT), ownership.beat
        whole = left.meta("whole")
        if whole is None and not noted and left.state() is RunState.PLANNED and log.is_file():
            # Of an earlier version, which left neither: it shows only where the whole session is gone.
            whole = _RAN not in log.read_text("utf-8", "replace")
        lost = noted > beat if noted else whole is False
    if lost:
        RunLog(log).write("journal lost its end", beat=beat, noted=noted)
    else:
        ownership.note(beat)  # before the journal is opened for writing: from then on its word needs this one
    return Journal(folder / JOURNAL, lost=lost, note=ownership.note)
