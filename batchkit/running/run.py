"""A run: one execution of a plan. Start it, watch it, pause, resume, stop and change it, from anywhere.

A run lives in a folder that holds all it needs, and is owned by at most one process at a time: a lock says
which, and the lock dies with its process. The owner drives it in a thread of its own; everybody else reads
the journal and leaves control messages there.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..core import advice
from ..core.errors import RunBusy, RunError, RunFailed, SettingsError, UsageError
from ..core.settings import LIVE, Settings
from ..core.states import RunState
from ..journal.index import runs_with
from ..journal.owner import Owner, owner_of, unmoved
from ..journal.run_folder import find_run, make_folder, run_folders, starting
from ..planning.plan import Plan
from ..planning.work import is_unseen
from .child import spawn, why_it_died
from .driver import Driver, live_driver
from .repeats import Records, refuse_repeat, refuse_resume
from .view import RunView

if TYPE_CHECKING:
    from ..targets.base import Target

_POLL = 0.1
_QUIET_STATES = (RunState.STOPPED, RunState.FINISHED, RunState.FAILED, RunState.INTERRUPTED)


def start(
    plan: Plan,
    *,
    dry_run: bool = False,
    detach: bool = False,
    target: Target | None = None,
    report: bool = True,
    again: bool = False,
    tidy: Callable[[], object] | None = None,
    **settings: Any,
) -> Run:
    """Start a run of a plan; returns at once, the run goes on behind.

    Args:
        plan: The plan.
        dry_run: Apply and roll back: everything is tried, nothing stays written.
        detach: Drive it in a process of its own that outlives this one.
        target: A connected target to use instead of opening the plan's own (same process only).
        report: Write a report into the run folder when the session ends.
        again: Send or append what another run of the same rows has already; without it, that is refused.
        tidy: Called once while the run begins, beside it: what is old goes then.
        **settings: See `Settings`; the target's preset and the job's own settings stand behind them.

    Raises:
        SettingsError: A setting is wrong; nothing was started.
        UsageError: A detached run was given a target, or the plan is gone; nothing was started.
        DiskFull: No room for the run folder.
        WorkRepeated: The same rows were sent or appended already, or are being so; the message names the run.
    """
    chosen = Settings.of(plan.settings, **settings)
    _check_detach(detach, target)
    Plan.load(plan.path, verify=False)  # it may be gone, or cut off, since it was opened
    guarded, records = not (again or dry_run), Records(plan, target)
    if guarded and is_unseen(plan.facts):
        refuse_repeat(plan, records)
    with starting():
        if guarded:  # once more, now that nobody else starts; the target was asked before
            refuse_repeat(plan, records)
        folder = make_folder(plan, chosen, dry_run=dry_run, report=report, again=again, detach=detach)
        run = Run(folder)
        # In hand before the next one looks: a run that nobody has in hand, or is about to, is nobody's.
        if detach:
            run._detach()
        else:
            Driver.start_on(folder, target=target, tidy=tidy)
    if detach and tidy is not None:
        tidy()  # the run is another process's: this one has the time
    return run


def _check_detach(detach: bool, target: Target | None) -> None:
    if detach and target is not None:
        raise UsageError("A detached run opens its target itself.", advice="Leave out target= or detach=.")


def list_runs(limit: int | None = None) -> list[Run]:
    """The runs, newest first; folders that hold no readable journal are left out.

    Args:
        limit: At most so many; None for all.
    """
    found: list[Run] = []
    for folder in run_folders():
        if len(found) == limit:
            break
        try:
            found.append(Run(folder))
        except RunError:
            continue
    return found


class Run(RunView):
    """A run, seen and steered from any process. Make one by `plan.start()` or `Run.open(id)`."""

    @classmethod
    def open(cls, name: str | Path) -> Run:
        """The run with this id (or an unambiguous part of it, `last`, or the path of its folder).

        Raises:
            RunNotFound: None, or more than one, fits.
        """
        return cls(find_run(name))

    # Control.

    def pause(self) -> None:
        """Let the calls under way come back, then hold; `resume` goes on."""
        self._post("pause")

    def stop(self) -> None:
        """Let the calls under way come back, then end the session; `resume` takes it up again later."""
        self._post("stop")

    def set(self, **settings: Any) -> None:
        """Change settings while it runs (`workers=8, rate=2, chunk_size=100`, ...).

        Raises:
            SettingsError: A setting is wrong; nothing was changed.
        """
        Settings.of(self._journal.meta("settings")).changed(settings)
        fixed = sorted(set(settings) - LIVE)
        if fixed:
            here = advice.resume(self.id, **{fixed[0]: settings[fixed[0]]})
            raise SettingsError(
                f"The setting {fixed[0]} can't change while the run runs.",
                advice=f"Stop it if it runs, then: {here}",
                setting=fixed[0],
            )
        self._post("set", settings)

    def resume(
        self,
        *,
        settle: Literal["done", "resend"] | None = None,
        overwrite: bool = False,
        detach: bool = False,
        target: Target | None = None,
        again: bool = False,
        **settings: Any,
    ) -> Run:
        """Go on: tell the owner of a paused run to, or take up a run that nobody owns.

        Args:
            settle: What to do about items whose fate is unknown: they were `done`, or `resend` them.
            overwrite: Send the items in conflict again, whatever the target holds now.
            detach: Drive it in a process of its own.
            target: A connected target to use instead of opening the plan's own.
            again: Send or append what another run of the same rows has since; without it, that is refused.
            **settings: Settings to change from here on.

        Raises:
            UsageError: It is to be detached and was given a target.
            RunBusy: It is running already, or its owner is suspended; the message names the owner.
            WorkRepeated: Another run has sent or appended the same rows since; the message names it.
            RunError: It has nothing left to do.
        """
        _check_detach(detach, target)
        if (owner := owner_of(self.folder)) is not None:
            self._release(owner, settings, decides=bool(settle or overwrite))
            return self
        self._refuse_finished(decides=bool(settle or overwrite))
        only_settles = settle == "done" and not self.snapshot().outcomes["pending"]
        guarded, records = not (again or self.dry_run or only_settles), Records(self.plan, target)
        if guarded:
            refuse_resume(self.plan, self._journal, records)
        with starting():  # until it is in hand: who starts the same rows meanwhile must see it
            if guarded:  # once more, now that nobody else starts; the target was asked before
                refuse_resume(self.plan, self._journal, records)
            Driver.prepare(self.folder, settle=settle, overwrite=overwrite, settings=settings, again=again)
            if detach:
                self._detach()
                self.began()
            else:
                Driver.start_on(self.folder, target=target)
        return self

    def _release(self, owner: Owner, settings: dict[str, Any], *, decides: bool) -> None:
        """Tell the owner of a paused run to go on."""
        self._refuse_suspended(owner)
        state = self.state
        if decides or state not in (RunState.PAUSED, RunState.PAUSING):
            raise RunBusy(
                f"The run {self.id} is {state}, driven by {owner}.",
                advice=f"Watch it: {advice.watch(self.id)}; or stop it first.",
                pid=owner.pid,
                host=owner.host,
            )
        if settings:
            self.set(**settings)
        self._post("resume")

    def _refuse_finished(self, *, decides: bool) -> None:
        """Refuse a run in which nothing is left to do, or whose work was taken back."""
        if self.state is RunState.FINISHED and not decides:
            raise RunError(
                f"The run {self.id} is finished: nothing is left to send.", advice=self._what_remains()
            )
        if undone := self._undone_by():
            raise RunError(
                f"The run {self.id} was undone by {undone}: it is not taken up again.",
                advice="Make a new plan from the source, or undo the undo.",
                by=undone,
            )

    def wait(self, timeout: float | None = None) -> RunState:
        """Block until the session is over (finished, stopped, failed, interrupted) or the time is up."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            driver = live_driver(self.folder)
            state = self.state
            over = state in _QUIET_STATES or self._never_began(state)
            if driver is None and over and not self._child_lives():
                return self.state
            # A driver of this process wakes who waits for it; only the others are asked again and again.
            poll = _POLL if driver is None else 5 * _POLL
            left = poll if deadline is None else min(poll, deadline - time.monotonic())
            if left <= 0:
                return state
            if driver is not None:
                driver.join(left)
            else:
                time.sleep(left)

    def undo(self, path: str | Path | None = None, *, again: bool = False) -> Plan:
        """The inverse plan: what would take back what this run did; it is run like any other plan.

        Args:
            path: Where the plan goes; the plans folder when left out.
            again: Also where an earlier undo of this run has done something.

        Raises:
            PlanError: It can't be undone (a dry run, an append without a key, a message that was sent).
            RunBusy: It is running.
        """
        from ..planning.undo import invert_plan

        owner = owner_of(self.folder)
        if owner is not None:
            self._refuse_suspended(owner)
            raise RunBusy(f"The run {self.id} is {self.state}.", advice="Stop it first, then undo it.")
        earlier = None if again else self._undone_by()
        if earlier:
            raise RunError(
                f"The run {self.id} was undone already, by {earlier}.",
                advice="What a later run wrote is taken back by undoing that run.",
                by=earlier,
            )
        # Once finished, all that a lost end left open was held against the target.
        lost = self._journal.lacks_end() and self.state is not RunState.FINISHED
        if lost or self._journal.intents():
            raise RunError(
                f"The run {self.id} was cut off: what became of its last chunks isn't on record yet.",
                advice=f"Settle that first: {advice.resume(self.id)}. Then stop it, if you like, and undo.",
            )
        if self.dry_run:
            raise RunError(f"The run {self.id} was a dry run: it wrote nothing, so there is nothing to undo.")
        return invert_plan(self.plan, self.outcome_frames(), run_id=self.id, path=path)

    def _undone_by(self) -> str | None:
        for entry in runs_with(undoes=self.id):
            if entry.dry_run or not entry.did:
                continue
            run = Run(entry.folder)
            if run.snapshot().outcomes["done"]:
                return None if run._undone_by() else run.id
        return None

    # Plumbing.

    def _post(self, command: str, arguments: Mapping[str, Any] | None = None) -> None:
        driver = live_driver(self.folder)
        owner = owner_of(self.folder) if driver is None else None
        if owner is not None:
            self._refuse_suspended(owner)
        if driver is None and owner is None and not self._child_lives():
            what = "no settings are in force that could change" if arguments else f"nothing runs to {command}"
            with_them = " with them" if arguments else ""
            way_on = f"To go on{with_them}: {advice.resume(self.id, **(arguments or {}))}"
            over = self.state is RunState.FINISHED
            raise RunError(f"The run {self.id} is {self.state}: {what}.", advice="" if over else way_on)
        sender = f"pid {os.getpid()} on {socket.gethostname()}"
        self._journal.post(command, dict(arguments or {}), sender)
        if driver is not None:
            driver.poke()

    def _refuse_suspended(self, owner: Owner) -> None:
        # Before any advice to stop it: that it wouldn't hear either.
        if owner.is_suspended():
            raise unmoved(self.folder, owner, "is suspended: it hears nothing")

    def _detach(self) -> None:
        self._child = spawn(self.folder)

    def began(self, timeout: float = 10.0) -> bool:
        """Wait until the detached process has the run in hand.

        Returns:
            Whether it has (or has had) it; False when the time is up.

        Raises:
            RunFailed: The process ended before it could take the run in hand; the message says why.
        """
        deadline = time.monotonic() + timeout
        while self._child_lives() and owner_of(self.folder) is None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        if not self._child_lives() and self._never_began(self._journal.state()):
            raise RunFailed(why_it_died(self.folder), run=self.id)
        return True

    def _never_began(self, state: RunState) -> bool:
        if state is not RunState.PLANNED or owner_of(self.folder) is not None:
            return False
        return not self._child_lives()


__all__ = ["Run", "find_run", "list_runs", "run_folders", "start"]
