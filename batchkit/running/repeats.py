"""Once means once, across runs too: what was sent or appended is not so a second time by starting again.

Where the target can be read, a later run finds the rows as they are wanted and sends none; two at once would
be in each other's way, that is all. A message or a row appended without a key can't be found again: there the
runs that are kept are asked, whether or not they are over, for those that are not kept the ledger, and the
target itself where it keeps a record.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..core.advice import resume, start_again, watch
from ..core.errors import RunError, WorkRepeated
from ..core.home import runs_folder
from ..core.problem import Problem, notice
from ..core.states import Change, Outcome, RunState
from ..journal.index import runs_with
from ..journal.journal import JournalReader
from ..journal.ledger import Done, Ledger
from ..journal.owner import owner_of
from ..journal.run_folder import JOURNAL
from ..planning.opening import leaving
from ..planning.plan import Plan
from ..planning.work import is_unseen, places_of
from .child import lives

if TYPE_CHECKING:
    from ..targets.base import Target

_TO_BEGIN: Final = 60.0
"""Seconds in which a process that can't be seen from here has its run in hand, or never will."""


class Records:
    """What a plan's target itself has on record of runs; a run is asked after once until it does more.

    A server that is away takes its time to be known for that, so it is asked before the lock is held under
    which runs start (`refuse_repeat`, twice), and not again.

    Args:
        plan: The plan.
        target: A connected target to ask instead of the plan's own.
    """

    def __init__(self, plan: Plan, target: Target | None = None) -> None:
        self._plan, self._target = plan, target
        self._known: dict[tuple[str, int], bool | None] = {}
        self._silent = False

    def of(self, run: str, done: int) -> bool | None:
        """Whether there is one of a run; None where the target keeps none, or can't be asked.

        Args:
            run: The run.
            done: How much it did by its journal: where somebody went on with it while the lock was waited
                for, an earlier answer counts no longer.
        """
        if (run, done) not in self._known:
            self._known[run, done] = None if self._silent else self._ask(run)
        return self._known[run, done]

    def _ask(self, run: str) -> bool | None:
        try:
            if self._target is not None:
                return self._target.has_run(run)
            with leaving(self._plan.open_target()) as target:
                return target.has_run(run)
        except Exception:  # noqa: BLE001 - who can't be asked has said nothing; the run itself will say why
            self._silent = True
            return None


def refuse_repeat(plan: Plan, records: Records) -> None:
    """Make sure that what a plan would do was not done already, and is not being done.

    Two plans are the same work when they hold the same rows for the same place (`planning.work`), never for a
    row that they share. Of two others, a message is the same when its key and its text are.

    Args:
        plan: The plan that is to be started.
        records: What its target has on record.

    Raises:
        WorkRepeated: A run is at it, has done some of it, or may have when it died.
    """
    for other in _kept(plan):
        if other.at_it():
            raise WorkRepeated(
                f"The run {other.id} is at these very rows.",
                advice=f"Watch it: {watch(other.id)}. Should its process have died, go on with: "
                f"{resume(other.id)}. To start another: {start_again()}.",
                run=other.id,
            )
        if is_unseen(plan.facts) and other.did_any(records):
            done = f"{other.done:,} of them" if other.done else "or may have been"
            raise WorkRepeated(
                f"These rows were {_verb(plan)} already, {done}: see the run {other.id}.",
                advice=f"{other.way_on()}To have all of them a second time: {start_again()}.",
                run=other.id,
            )
    for past in _removed(plan, records):
        raise WorkRepeated(
            f"These rows were {_verb(plan)} already, {past.items:,} of them, by the run {past.run} which was "
            "removed since.",
            advice=f"To have all of them a second time: {start_again()}.",
            run=past.run,
        )
    if _counts_each(plan) and (shared := _shared(plan)):
        raise WorkRepeated(
            f"{shared.items:,} of these messages were sent already, word for word: see the run {shared.run}.",
            advice="Plan only those that are left: its fix file has what failed, "
            f"{resume(shared.run)} sends what it left. To send all of them: {start_again()}.",
            run=shared.run,
        )


def refuse_resume(plan: Plan, journal: JournalReader, records: Records) -> None:
    """Make sure that no other run has taken over what a run would go on with.

    What others had done when the run was started or taken up by somebody who said `again` doesn't count.

    Args:
        plan: The plan of the run.
        journal: Its journal.
        records: What its target has on record.

    Raises:
        WorkRepeated: One has done some of it, or is at it.
    """
    if not is_unseen(plan.facts):
        return
    own, agreed = str(journal.meta("run")), journal.meta("agreed", 0.0)
    anyway = f"To go on with {own} all the same, so that rows come twice: {resume(own, again=True)}."
    for other in _kept(plan):
        if other.id == own or other.created <= agreed:
            continue
        if other.at_it() or other.did_any(records):
            raise WorkRepeated(
                f"The run {other.id} has taken over: it {_verb(plan)} {other.done:,} of the same rows.",
                advice=f"{other.way_on()}{anyway}",
                run=other.id,
            )
    for past in _removed(plan, records):
        if past.run != own and past.at > agreed:
            raise WorkRepeated(
                f"The run {past.run}, removed since, {_verb(plan)} {past.items:,} of the same rows.",
                advice=anyway,
                run=past.run,
            )


def find_overlap(plan: Plan) -> Problem | None:
    """A notice where runs of other work appended some of a plan's rows; that is no fault, if it is meant.

    Args:
        plan: The plan that is to be started.
    """
    if plan.facts["mode"] != "append" or not is_unseen(plan.facts) or not (shared := _shared(plan)):
        return None
    verb = "was" if shared.items == 1 else "were"
    return notice(
        "overlap",
        f"Of these rows, {shared.items:,} {verb} appended before, last by the run {shared.run}",
        "They will be there twice: go on if that is meant.",
    )


class _Other:
    """A kept run, as its journal has it."""

    def __init__(self, folder: Path, journal: JournalReader) -> None:
        self.folder, self.journal = folder, journal
        self.id: str = journal.meta("run", folder.name)
        self.created: float = journal.meta("created", 0.0)
        counts = journal.counts()
        self.done = counts[Outcome.DONE] + counts[Outcome.UNKNOWN]
        to_send: int = journal.meta("snapshot")["to_send"]
        settled = sum(n for outcome, n in counts.items() if outcome is not Outcome.PENDING)
        self.left = to_send - settled + counts[Outcome.UNKNOWN]

    def at_it(self) -> bool:
        """Whether a process has it in hand, or is about to."""
        if owner_of(self.folder) is not None:
            return True
        if not self.journal.meta("detach", True) or self.journal.state() is not RunState.PLANNED:
            return False
        coming = lives(self.folder)
        return time.time() - self.created < _TO_BEGIN if coming is None else coming

    def did_any(self, records: Records) -> bool:
        """Whether some of its rows are at the target, or may be."""
        # The target's own record has the last word: a database made anew has none of what the journal says.
        recorded = records.of(self.id, self.done)
        if recorded is None:
            return bool(self.done or self.journal.intents() or self.journal.lacks_end())
        return recorded

    def way_on(self) -> str:
        """How to go on with it, where something is left to do."""
        return f"Go on with it: {resume(self.id)}. " if self.left else ""


def _kept(plan: Plan) -> Iterator[_Other]:
    """The kept runs of the same work that matter, newest first; a dry run left nothing and is none."""
    for entry in runs_with(work=plan.facts.get("work"), rows=plan.facts.get("rows")):
        if entry.dry_run or (entry.quiet and not (entry.did and is_unseen(plan.facts))):
            continue  # it can be in nobody's way
        try:
            journal = JournalReader(entry.folder / JOURNAL)
        except RunError:
            continue  # removed meanwhile, or unreadable: it can't be gone on with either
        with contextlib.closing(journal):
            yield _Other(entry.folder, journal)


def _removed(plan: Plan, records: Records) -> Iterator[Done]:
    """Runs of the same work that only the ledger knows of, but for those of which the target has nothing."""
    found: list[Done] = []
    if is_unseen(plan.facts):
        with contextlib.suppress(OSError, sqlite3.Error), Ledger() as ledger:
            found = ledger.same_work(plan.facts)
    for past in found:
        kept = (runs_folder() / past.run).exists()
        if not kept and records.of(past.run, past.items) is not False:
            yield past


def _counts_each(plan: Plan) -> bool:
    """Whether each message counts, and not only all of them together."""
    return plan.renders and bool(plan.counts.get(Change.SEND)) and not plan.facts.get("idempotent", True)


def _shared(plan: Plan) -> Done | None:
    """How many of a plan's items other work for the same place did, whether its runs are kept or not."""
    try:
        with Ledger() as ledger:
            return _gathered(ledger, plan)
    except (OSError, sqlite3.Error):
        with Ledger(lasting=False) as ledger:  # then all that is kept is looked through each time
            return _gathered(ledger, plan)


def _gathered(ledger: Ledger, plan: Plan) -> Done | None:
    """The same, once the ledger has what the kept runs did: of each that is over it is read once."""
    work, rows = plan.facts.get("work"), plan.facts.get("rows")
    same: set[str] = set()
    for entry in runs_with(place=places_of(plan.facts)):
        if (work and entry.work == work) or (rows and entry.rows == rows):
            same.add(entry.name)
        elif entry.did and not entry.dry_run and not ledger.knows(entry.name, entry.changed):
            with contextlib.suppress(RunError):  # removed meanwhile, or unreadable
                ledger.keep(entry.folder, changed=entry.changed)
    return ledger.shared(plan, same)


def _verb(plan: Plan) -> str:
    return "appended" if plan.facts["mode"] == "append" else "sent"
