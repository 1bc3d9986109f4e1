"""`watch`, `pause`, `resume`, `stop` and `set`: what is said to a run, from this terminal or any other."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Literal

import click

from ..core.errors import UsageError
from ..core.states import OVER, RunState
from . import options
from .apply import again, detach, detached, finish
from .console import Console, is_terminal
from .drive import TICK, drive, exit_code
from .family import DONE
from .pages import changed_settings
from .results import result_page, run_object
from .runs import any_run, real_run

if TYPE_CHECKING:
    from ..running.run import Run

PATIENCE = 10.0  # seconds to wait for what is under way to come back before we say that it takes longer


def _open_unfinished(console: Console, name: str) -> Run:
    run = real_run(console, name)
    if run.state is RunState.FINISHED:
        raise UsageError(f"The run {run.id} is finished: there is nothing left to control.")
    return run


@click.command(short_help="Watch a run live, whoever drives it.")
@options.run_name
@options.as_json
def watch(name: str, console: Console) -> int:
    """Watch a run live, whichever process drives it; Ctrl-C only ends the watching.

    At a terminal a pause is watched to its end. With --json, or where no terminal reads along, a paused run
    is the end of it (exit code 4): nobody may ever resume it.
    RUN is the id of a run, the beginning of one, a run folder, or "last".
    """
    from ..reports.progress import Bar

    run = any_run(console, name)
    enough = OVER if is_terminal(sys.stdout) and not console.json else (*OVER, RunState.PAUSED)
    try:
        with Bar(run) as bar:
            snapshot = bar.update()
            while snapshot.state not in enough:
                time.sleep(TICK)
                snapshot = bar.update()
    except KeyboardInterrupt:
        console.note("\nNo longer watching; the run goes on.")
        return DONE
    snapshot = run.snapshot()
    console.answer(run_object(run, snapshot), lambda: ["", *result_page(run, snapshot)])
    return exit_code(snapshot)


@click.command(short_help="Pause a run.")
@options.run_name
@options.as_json
def pause(name: str, console: Console) -> int:
    """Pause a run: what is under way comes back, nothing new is sent until `batchkit resume`.

    RUN is the id of a run, the beginning of one, a run folder, or "last", which passes dry runs over.
    """
    return _ask(console, name, "pause", (RunState.PAUSED, *OVER))


@click.command(short_help="Stop a run in good order.")
@options.run_name
@options.as_json
def stop(name: str, console: Console) -> int:
    """Stop a run in good order: what is under way comes back, the rest stays for `batchkit resume`.

    RUN is the id of a run, the beginning of one, a run folder, or "last", which passes dry runs over.
    """
    return _ask(console, name, "stop", OVER)


@click.command(cls=options.Described, short_help="Go on with a run; also one whose process was killed.")
@options.run_name
@click.option(
    "--settle",
    type=click.Choice(["done", "resend"]),
    help="Decide about items of which nobody knows whether they were done: they were, or send them again.",
)
@click.option(
    "--overwrite-conflicts",
    is_flag=True,
    help="Write the rows in conflict, whatever somebody entered at the target since the plan.",
)
@options.yes
@options.resuming
@detach
@again
@options.as_json
def resume(
    name: str,
    settle: Literal["done", "resend"] | None,
    overwrite_conflicts: bool,
    yes: bool,
    detach: bool,
    again: bool,
    console: Console,
    **given: Any,
) -> int:
    """Go on with a run that was paused, stopped or failed, or whose process was killed.

    A paused run goes on where it is; any other is driven by this command. While the run is running it is
    refused, and the message names the process (exit code 2). It was agreed to when it was started, so you are
    asked only where it pauses for you to look; with --yes, or without a terminal, that ends the session.
    RUN is the id of a run, the beginning of one, a run folder, or "last", which passes dry runs over.
    """
    from ..journal.owner import owner_of

    run = real_run(console, name)
    settings = options.chosen_settings(given, live=True)

    def go_on() -> Run:
        return run.resume(
            settle=settle, overwrite=overwrite_conflicts, detach=detach, again=again, **settings
        )

    if owner_of(run.folder) is not None:  # its own process goes on with it, or it refuses
        go_on()
        return _tell(console, run, (RunState.RUNNING, *OVER), "watch it with: batchkit watch")
    if detach:
        return detached(console, go_on())
    return finish(console, *drive(go_on, yes=yes))


@click.command("set", cls=options.Setting, short_help="Change settings of a run while it runs.")
@options.run_name
@click.argument("values", nargs=-1, required=True, metavar="NAME=VALUE...")
@options.as_json
def set_(name: str, values: tuple[str, ...], console: Console) -> int:
    """Change settings of a run while it runs.

    Each NAME=VALUE is one setting, such as workers=8 rate=2 delay=200ms chunk_size=50. An empty value (rate=)
    takes a limit away.
    RUN is the id of a run, the beginning of one, a run folder, or "last", which passes dry runs over.
    """
    chosen = options.checked(options.pairs(values, "batchkit set RUN"))
    run = _open_unfinished(console, name)
    run.set(**chosen)
    console.answer(run_object(run), lambda: [f"Run {run.id}: {changed_settings(chosen)}"])
    return DONE


def _ask(console: Console, name: str, verb: str, awaited: tuple[RunState, ...]) -> int:
    run = _open_unfinished(console, name)
    getattr(run, verb)()
    return _tell(console, run, awaited, "go on with: batchkit resume")


def _tell(console: Console, run: Run, awaited: tuple[RunState, ...], hint: str) -> int:
    """Wait a little until the run got there, then say where it stands."""
    deadline = time.monotonic() + PATIENCE
    while run.state not in awaited and time.monotonic() < deadline:
        time.sleep(TICK)
    snapshot = run.snapshot()
    late = "" if snapshot.state in awaited else " What is under way takes its time; it will follow."
    advice = "" if snapshot.state is RunState.FINISHED else f" You can {hint} {run.id}"
    console.answer(run_object(run, snapshot), lambda: [f"Run {run.id} is {snapshot.state}.{late}{advice}"])
    return DONE
