"""`batchkit apply`, `run` and `undo`: what writes, always after saying what it will write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ..core.states import Change, RunState
from ..core.words import plural
from . import options
from .console import Console, shell, style
from .drive import drive, exit_code
from .family import DONE, STOPPED
from .pages import place, plan_page
from .plan import PAGE_OPTIONS, PLAN_OPTIONS, load_plan, make_plan
from .results import advice, result_page, run_object
from .runs import real_run

if TYPE_CHECKING:
    from ..core.problem import Problem
    from ..journal.snapshot import Snapshot
    from ..planning.plan import Plan
    from ..running.run import Run

dry_run = click.option(
    "--dry-run",
    is_flag=True,
    help="Try everything and leave nothing written; what is behind HTTP is only read and compared.",
)
detach = click.option(
    "--detach", is_flag=True, help="Go on in a process of its own; this command returns once that has begun."
)
again = click.option(
    "--again", is_flag=True, help="Send or append rows a second time that another run has already."
)
_VERBS = {
    Change.UPDATE: ("update", "updates"),
    Change.CREATE: ("create", "creates"),
    Change.DELETE: ("delete", "deletes"),
    Change.SEND: ("message", "messages"),
}


starting = options.together(dry_run, options.yes, options.running, detach)


@click.command(cls=options.Described, short_help="Apply a plan.")
@click.argument("plan", metavar="PLAN", type=click.Path(dir_okay=False))
@starting
@again
@options.as_json
def apply(plan: str, console: Console, **given: Any) -> int:
    """Apply a plan.

    PLAN is the file that `batchkit plan` wrote. Before anything is written you are told how much and asked;
    without a terminal, --yes is needed. The exit code is 0 when all is done, 1 when some rows failed,
    3 when the run failed, 4 when it was paused or stopped, or when you answered no.
    """
    return start(console, load_plan(plan), **_chosen(given))


@click.command(cls=options.Described, short_help="Plan, show, ask and apply in one.")
@PLAN_OPTIONS
@PAGE_OPTIONS
@starting
@again
@options.as_json
def run(examples: int, all_problems: bool, console: Console, **given: Any) -> int:
    """Plan, show the plan, ask, and apply it.

    SOURCE is a CSV or Excel file, its https:// address, or a job file (JOB.toml). This is `plan` and `apply`
    in one.
    """
    chosen = _chosen(given)
    plan = make_plan(console, **given)
    problems = None if all_problems else 10
    console.page(plan_page(plan, examples=examples, problems=problems, settings=chosen["settings"]))
    console.say()
    return start(console, plan, **chosen)


@click.command(cls=options.Described, short_help="Take back what a run did.")
@options.run_name
@starting
@options.as_json
def undo(name: str, console: Console, **given: Any) -> int:
    """Take back what a run did.

    Rows it created are deleted, rows it changed get their former values. It is a plan like any other: shown
    first, applied when you agree. Rows that somebody edited since are met while it runs: they come out as
    conflicts of the undo's own run, which keeps them and lists them.
    RUN is the id of a run, the beginning of one, a run folder, or "last", which passes dry runs over.
    """
    chosen = _chosen(given)
    plan = real_run(console, name).undo()
    console.page(plan_page(plan, settings=chosen["settings"]))
    console.say()
    return start(console, plan, **chosen)


def _chosen(given: dict[str, Any]) -> dict[str, Any]:
    """What `start` is told, taken out of a verb's options."""
    how = {name: given.pop(name) for name in ("dry_run", "yes", "detach")}
    own = {"again": given.pop("again")} if "again" in given else {}
    return {"settings": options.chosen_settings(given) | own, **how}


def start(
    console: Console, plan: Plan, *, settings: dict[str, Any], dry_run: bool, yes: bool, detach: bool
) -> int:
    """Ask, start a run of the plan, watch it, and say what came of it."""
    from ..running.repeats import find_overlap

    _note(console, plan.check_source())
    if not (dry_run or settings.get("again")):
        _note(console, find_overlap(plan))
    # A dry run leaves nothing written, so there is nothing to agree to.
    if not console.confirm(question(plan), yes=yes or dry_run or not plan.to_send()):
        console.note(f"Nothing was started. The plan is kept: batchkit apply {shell(plan.path)}")
        return STOPPED
    if detach:
        return detached(console, plan.start(dry_run=dry_run, detach=True, **settings))
    return finish(console, *drive(lambda: plan.start(dry_run=dry_run, **settings), yes=yes))


def question(plan: Plan) -> str:
    """What will happen, in numbers: `Write 1,998 updates and 998 creates to ...?`."""
    parts = [plural(plan.counts[kind], *words) for kind, words in _VERBS.items() if plan.counts.get(kind)]
    listed = " and ".join(parts) if len(parts) < 3 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    summary = plan.summary()
    last = "" if summary.reversible else " This can't be undone."
    return f"Write {listed} to {place(summary)}?{last}"


def _note(console: Console, found: Problem | None) -> None:
    if found is not None:
        console.note(style("Note: ", fg="yellow") + f"{found.message.rstrip('.')}. {found.advice}".strip())


def detached(console: Console, run: Run) -> int:
    """Wait until the run's own process has it in hand, then say how it can be watched.

    Raises:
        RunFailed: The process died at its start; the message says why.
    """
    begun = run.began(timeout=10.0)

    def lines() -> Iterator[str]:
        state = "goes on in a process of its own" if begun else "is about to begin in a process of its own"
        yield f"Run {run.id} {state}."
        yield f"  watch it   batchkit watch {run.id}"
        yield f"  stop it    batchkit stop {run.id}"

    console.answer(run_object(run), lines)
    return DONE


def finish(console: Console, run: Run, snapshot: Snapshot) -> int:
    """Say what came of a run and what can be done next; returns the exit code."""
    console.answer(run_object(run, snapshot), lambda: ["", *result_page(run, snapshot)])
    if console.json and snapshot.state is not RunState.FINISHED:
        console.note("\n".join(filter(None, (snapshot.message, advice(run, snapshot)))))
    return exit_code(snapshot)
