"""Nobody is messaged twice because a plan was made, or started, a second time."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from .errors import RunError
from .states import ACTIVE, Change, RunState

if TYPE_CHECKING:
    from .plan import Plan
    from .run import Run

_TO_BEGIN: Final = 60.0
"""Seconds in which a run that was made has begun, or never will."""


def refuse_resending(plan: Plan, runs: Iterable[Run]) -> None:
    """Make sure that the rows which a plan would send were not sent already.

    Where the target can be read, a later run finds the rows as they are wanted and sends none; two at once
    would be in each other's way. A message can't be read back: there, the runs are asked that are still
    kept, whether or not they are over. Two plans are the same work when they
    hold the same rows, mapped alike, for the same target.

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
        if run.journal.meta("work") != work or run.dry_run:
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
