"""Once means once, across runs too: what was sent or appended is not so a second time by starting again.

Where the target can be read, a later run finds the rows as they are wanted and sends none; two at once would
be in each other's way, that is all. A message or a row appended without a key can't be found again: there the
runs that are kept are asked, whether or not they are over, and the target itself where it keeps a record.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import polars as pl

from ..core.advice import resume, start_again, watch
from ..core.columns import ITEM, KEY, RENDERED
from ..core.errors import RunError, WorkRepeated
from ..core.states import Change, Outcome, RunState
from ..journal.index import runs_with
from ..journal.journal import JournalReader
from ..journal.outcomes import outcome_frames
from ..journal.owner import owner_of
from ..journal.run_folder import JOURNAL
from ..planning.plan import Plan
from ..planning.work import is_unseen

if TYPE_CHECKING:
    from ..targets.base import Target

_TO_BEGIN: Final = 60.0
"""Seconds in which a run that was made has begun, or never will."""


def refuse_repeat(plan: Plan, target: Target | None = None) -> None:
    """Make sure that what a plan would do was not done already, and is not being done.

    Two plans are the same work when they hold the same rows for the same place (`planning.work`), never for a
    row that they share. Of two others, a message is the same when its key and its text are.

    Args:
        plan: The plan that is to be started.
        target: A connected target to ask instead of the plan's own.

    Raises:
        WorkRepeated: A run is at it, has done some of it, or may have when it died.
    """
    for other in _others(plan):
        if not other.same_work:
            _refuse_same_messages(plan, other)
        elif other.at_it():
            raise WorkRepeated(
                f"The run {other.id} is at these very rows.",
                advice=f"Watch it: {watch(other.id)}. Should its process have died, go on with: "
                f"{resume(other.id)}. To start another: {start_again()}.",
                run=other.id,
            )
        elif is_unseen(plan.facts) and other.did_any(plan, target):
            _refuse_whole(plan, other)


def refuse_resume(plan: Plan, journal: JournalReader, target: Target | None = None) -> None:
    """Make sure that no other run has taken over what a run would go on with.

    What others had done when the run was started or taken up by somebody who said `again` doesn't count.

    Args:
        plan: The plan of the run.
        journal: Its journal.
        target: A connected target to ask instead of the plan's own.

    Raises:
        WorkRepeated: One has done some of it, or is at it.
    """
    if not is_unseen(plan.facts):
        return
    own, agreed = journal.meta("run"), journal.meta("agreed", 0.0)
    for other in _others(plan):
        if other.id == own or not other.same_work or other.created <= agreed:
            continue
        if other.at_it() or other.did_any(plan, target):
            raise WorkRepeated(
                f"The run {other.id} has taken over: it {_verb(plan)} {other.done:,} of the same rows.",
                advice=f"{_way_on(other)}To go on with {own} all the same, so that rows come twice: "
                f"{resume(str(own), again=True)}.",
                run=other.id,
            )


class _Other:
    """Another run, as its journal has it."""

    def __init__(self, folder: Path, journal: JournalReader, plan: Plan) -> None:
        self.folder, self.journal = folder, journal
        self.id: str = journal.meta("run", folder.name)
        self.created: float = journal.meta("created", 0.0)
        facts = ((name, plan.facts.get(name)) for name in ("work", "rows"))
        self.same_work = any(value and journal.meta(name) == value for name, value in facts)
        counts = journal.counts()
        self.done = counts[Outcome.DONE] + counts[Outcome.UNKNOWN]
        to_send: int = journal.meta("snapshot")["to_send"]
        settled = sum(n for outcome, n in counts.items() if outcome is not Outcome.PENDING)
        self.left = to_send - settled + counts[Outcome.UNKNOWN]

    def at_it(self) -> bool:
        """Whether a process has it in hand, or is about to."""
        if owner_of(self.folder) is not None:
            return True
        return self.journal.state() is RunState.PLANNED and time.time() - self.created < _TO_BEGIN

    def did_any(self, plan: Plan, target: Target | None) -> bool:
        """Whether some of its rows are at the target, or may be."""
        # The target's own record has the last word: a database made anew has none of what the journal says.
        recorded = _recorded(plan, target, self.id)
        return bool(self.done or self.journal.intents()) if recorded is None else recorded


def _others(plan: Plan) -> Iterator[_Other]:
    """Runs that did something like the plan, newest first; dry runs left nothing and are none."""
    facts = {name: plan.facts.get(name) for name in ("work", "rows")}
    if _messages_alone(plan):
        facts["address"] = plan.facts["address"]
    for entry in runs_with(**facts):
        if entry.dry_run or (entry.quiet and not (entry.did and is_unseen(plan.facts))):
            continue  # it can be in nobody's way
        try:
            journal = JournalReader(entry.folder / JOURNAL)
        except RunError:
            continue  # removed meanwhile, or unreadable: it can't be gone on with either
        with closing(journal):
            yield _Other(entry.folder, journal, plan)


def _recorded(plan: Plan, target: Target | None, run: str) -> bool | None:
    asked = target
    try:
        asked = target or plan.open_target()
        return asked.has_run(run)
    except Exception:  # noqa: BLE001 - who can't be asked has said nothing; the run itself will say why
        return None
    finally:
        if asked is not None and asked is not target:
            asked.close()


def _refuse_whole(plan: Plan, other: _Other) -> None:
    done = f"{other.done:,} of them" if other.done else "or may have been"
    raise WorkRepeated(
        f"These rows were {_verb(plan)} already, {done}: see the run {other.id}.",
        advice=f"{_way_on(other)}To have all of them a second time: {start_again()}.",
        run=other.id,
    )


def _verb(plan: Plan) -> str:
    return "appended" if plan.facts["mode"] == "append" else "sent"


def _way_on(other: _Other) -> str:
    return f"Go on with it: {resume(other.id)}. " if other.left else ""


def _messages_alone(plan: Plan) -> bool:
    """Whether each message counts, and not only all of them together."""
    return bool(plan.counts.get(Change.SEND)) and not plan.facts.get("idempotent", True)


def _refuse_same_messages(plan: Plan, other: _Other) -> None:
    """For a file that was changed: by the messages themselves, where a plan holds their texts."""
    if not _messages_alone(plan):
        return
    earlier = Plan.load(other.folder / "plan.parquet", verify=False)
    wanted, before = _messages(plan), _messages(earlier)
    if wanted is None or before is None or set(wanted.columns) != set(before.columns):
        return
    gone = [str(Outcome.DONE), str(Outcome.UNKNOWN)]
    frames = [frame.select(ITEM, "outcome") for frame in outcome_frames(earlier, other.journal)]
    if not frames:
        return
    sent = pl.concat(frames).filter(pl.col("outcome").is_in(gone))
    before = before.join(sent.select(ITEM), on=ITEM, how="semi").drop(ITEM)
    doubled = wanted.join(before, on=before.columns, how="semi", nulls_equal=True).height
    if doubled:
        raise WorkRepeated(
            f"{doubled:,} of these messages were sent already, word for word: see the run {other.id}.",
            advice=f"Plan only those that are left: its fix file has what failed, {resume(other.id)} "
            f"sends what it left. To send all of them: {start_again()}.",
            run=other.id,
        )


def _messages(plan: Plan) -> pl.DataFrame | None:
    """Item, key and text of what a plan sends; None where it holds no texts."""
    rows = plan.changes(Change.SEND)
    if RENDERED not in rows.collect_schema():
        return None
    return rows.select(ITEM, pl.col(f"^{KEY}.*$").cast(pl.String), RENDERED).collect()
