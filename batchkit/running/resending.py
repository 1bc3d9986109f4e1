"""Nobody is messaged twice because a plan was made, or started, a second time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import polars as pl

from ..core.columns import ITEM, KEY, RENDERED
from ..core.errors import RunError
from ..core.states import ACTIVE, Change, Outcome, RunState

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from .run import Run

_TO_BEGIN: Final = 60.0
"""Seconds in which a run that was made has begun, or never will."""


def refuse_resending(plan: Plan, runs: Iterable[Run]) -> None:
    """Make sure that the rows which a plan would send were not sent already.

    Where the target can be read, a later run finds the rows as they are wanted and sends none; two at once
    would be in each other's way. A message can't be read back: there, the runs are asked that are still
    kept, whether or not they are over. Two plans are the same work when they hold the same rows, mapped
    alike, for the same target; and of two others, a message is the same when its key and its text are.

    Args:
        plan: The plan that is to be started.
        runs: The runs there are.

    Raises:
        RunError: One of them has sent some of the rows, is sending them, or may have when it died.
    """
    work = plan.facts.get("work")
    if not work:
        return
    for run in runs:
        if run.dry_run:
            continue
        if run.journal.meta("work") != work:
            _refuse_same_messages(plan, run)
            continue
        outcomes, state = run.snapshot().outcomes, run.state
        sent = outcomes["done"] + outcomes["unknown"]
        begins = state is RunState.PLANNED and time.time() - run.journal.meta("created", 0.0) < _TO_BEGIN
        at_it = state in ACTIVE or begins
        doubled = plan.counts.get(Change.SEND) and (sent or run.journal.intents())
        if not (doubled or at_it):
            continue
        if at_it:
            raise RunError(
                f"The run {run.id} is at these very rows.",
                advice=f"Watch it: batchkit watch {run.id}. To start another: --again, or start(again=True).",
                run=run.id,
            )
        left = outcomes["pending"] + outcomes["unknown"]
        way = f"Go on with it: batchkit resume {run.id}. " if left else ""
        raise RunError(
            f"These rows were sent already, {sent:,} of them: see the run {run.id}.",
            advice=f"{way}To send all of them a second time: --again, or start(again=True).",
            run=run.id,
        )


def _refuse_same_messages(plan: Plan, run: Run) -> None:
    """The same, for a file that was changed: by the messages themselves, where a plan holds their texts."""
    harmless = plan.facts.get("idempotent", True) or not plan.counts.get(Change.SEND)
    if harmless or run.journal.meta("address") != plan.facts["address"]:
        return
    wanted, before = _messages(plan), _messages(run.plan)
    if wanted is None or before is None or set(wanted.columns) != set(before.columns):
        return
    sent = run.outcomes().filter(pl.col("outcome").is_in([str(Outcome.DONE), str(Outcome.UNKNOWN)]))
    before = before.join(sent.select(ITEM), on=ITEM, how="semi").drop(ITEM)
    doubled = wanted.join(before, on=before.columns, how="semi", nulls_equal=True).height
    if doubled:
        raise RunError(
            f"{doubled:,} of these messages were sent already, word for word: see the run {run.id}.",
            advice=f"Plan only those that are left: its fix file has what failed, batchkit resume {run.id} "
            "sends what it left. To send all of them: --again, or start(again=True).",
            run=run.id,
        )


def _messages(plan: Plan) -> pl.DataFrame | None:
    """Item, key and text of what a plan sends; None where it holds no texts."""
    rows = plan.changes(Change.SEND)
    if RENDERED not in rows.collect_schema():
        return None
    return rows.select(ITEM, pl.col(f"^{KEY}.*$").cast(pl.String), RENDERED).collect()
