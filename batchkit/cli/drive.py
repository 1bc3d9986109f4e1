"""A run that this process drives, in a terminal: live bar, Ctrl-C once and twice, SIGTERM, the exit code."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..core.advice import resume, worded
from ..core.states import OVER, Outcome, RunState
from . import console
from .family import DONE, FAILED, SOME_FAILED, STOPPED

if TYPE_CHECKING:
    from ..journal.snapshot import Snapshot
    from ..running.run import Run

TICK = 0.1  # seconds between two looks at the run
HEARD_WITHIN = 2.0  # seconds in which a run hears what it is told, with a margin
LINES_AFTER = 2.0  # seconds after which a run without a terminal writes lines about itself
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""All ask for the same: stop in good order. SIGHUP is a closed terminal, SIGBREAK Windows' Ctrl-Break."""


class Stop:
    """Whether somebody asked this process to stop.

    A signal only sets a flag, because it may arrive while the journal is being read, its lock held by the
    very thread that would ask for it; the loop that watches the run acts on it. The second signal leaves at
    once: the lock dies with the process and nothing else.
    """

    def __init__(self) -> None:
        self.asked = False
        self.resume = "batchkit resume last"

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - Python's signature
        """Take note of a signal."""
        if not self.asked:
            self.asked = True
            return
        with contextlib.suppress(OSError):  # os.write, because a print may be what was interrupted
            os.write(2, f"\nLeft at once; what was done is on record. To go on: {self.resume}\n".encode())
        os._exit(STOPPED)


@contextlib.contextmanager
def signals_to(stop: Stop) -> Iterator[None]:
    """Let `stop` take the signals while a run is driven."""
    previous: dict[int, Any] = {}
    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number is None or (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):
            continue  # nohup: the terminal may go, the run stays
        with contextlib.suppress(ValueError, OSError):  # not in the main thread
            previous[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def drive(begin: Callable[[], Run], *, yes: bool = False) -> tuple[Run, Snapshot]:
    """Begin a run in this process and watch it until it is over, with a live bar on stderr.

    At a pause of the run's own (canary, chunk by chunk, a limit) the person at the terminal is asked; where
    there is none, the session ends and the run can be resumed from anywhere. A pause that somebody asked for
    from another terminal lasts until somebody ends it there.

    Args:
        begin: Starts the run or takes it up; from here on Ctrl-C means the run.
        yes: `--yes` was given: nobody is asked, a pause ends the session.

    Returns:
        The run and where it stands.
    """
    stop = Stop()
    with signals_to(stop):
        run = begin()
        stop.resume = worded(resume(run.id))
        snapshot = _watch(run, stop)
    agreed = _is_before_the_first_chunk(snapshot)  # the yes to the whole is the yes to that one
    while snapshot.state is RunState.PAUSED:
        goes_on = agreed or (not yes and console.is_terminal(sys.stdin) and _go_on(snapshot))
        agreed = False
        with signals_to(stop):
            if goes_on:
                run.resume()
                _wait_until_it_goes_on(run, snapshot)
                snapshot = _watch(run, stop)
            else:
                run.stop()
                snapshot = _with_reason(_watch(run, stop, leaving=True), snapshot.message)
    return run, snapshot


def _with_reason(snapshot: Snapshot, message: str) -> Snapshot:
    """The figures with the reason of the pause that ended the session, where they give none of their own."""
    return snapshot if snapshot.message else replace(snapshot, message=message)


def _wait_until_it_goes_on(run: Run, paused: Snapshot) -> None:
    """Until the run has heard that it may go on: before that it would ask the same question again."""
    deadline = time.monotonic() + HEARD_WITHIN
    while time.monotonic() < deadline:
        now = run.snapshot()
        # A message is taken away a moment before its pause ends.
        if now.state is not RunState.PAUSED or now.message not in {"", paused.message}:
            return
        time.sleep(TICK / 10)


def _watch(run: Run, stop: Stop, *, leaving: bool = False) -> Snapshot:
    """Draw the bar until the session is over, or paused with a question to ask."""
    from ..reports.progress import Bar
    from ..running.driver import live_driver

    asked = leaving
    begin = time.monotonic() + (0 if console.is_terminal(sys.stderr) else LINES_AFTER)
    with contextlib.closing(Bar(run)) as bar:
        while True:
            # Asked first: a driver that goes while we look has written its last figures before it went.
            driven = live_driver(run.folder) is not None
            snapshot = run.snapshot()
            if time.monotonic() >= begin:
                with contextlib.suppress(OSError, ValueError):  # a closed terminal must not end the run
                    bar.update(snapshot)
            if not driven and snapshot.state in OVER:
                return snapshot
            if stop.asked and not asked and driven and snapshot.state not in (*OVER, RunState.PLANNED):
                asked = True
                _ask_to_stop(run, bar)
            elif _has_question(snapshot) and not stop.asked and not leaving:
                return snapshot
            time.sleep(TICK)


def _ask_to_stop(run: Run, bar: Any) -> None:
    from ..core.errors import RunError

    with contextlib.suppress(RunError):  # it ended by itself between two looks
        run.stop()
    with contextlib.suppress(OSError, ValueError):
        bar.say(f"stopping{console.mark('…', '...')} Ctrl-C again to leave at once")


def _has_question(snapshot: Snapshot) -> bool:
    from ..running.engine import PAUSED_ON_REQUEST

    # Who asked for a pause elsewhere also ends it there.
    return snapshot.state is RunState.PAUSED and snapshot.message not in {"", PAUSED_ON_REQUEST}


def _is_before_the_first_chunk(snapshot: Snapshot) -> bool:
    return snapshot.settings.get("confirm") == "chunk" and not snapshot.calls and not snapshot.chunks


def _go_on(snapshot: Snapshot) -> bool:
    """Whether the person at the terminal wants a paused run to go on."""
    import click

    with contextlib.suppress(click.Abort, KeyboardInterrupt, EOFError):
        # The question takes the place of "resume to send ...", which is for those who are not asked.
        facts = re.sub(r"(?:,? then resume|\. Resume) to send [^.]*\.$", ".", snapshot.message)
        return console.agree(f"{facts} Go on?", err=True)
    return False


def exit_code(snapshot: Snapshot) -> int:
    """0 all done, 1 some rows failed, 3 run failed, 4 paused or stopped."""
    if snapshot.state is RunState.FAILED:
        return FAILED
    if snapshot.state is not RunState.FINISHED:
        return STOPPED
    bad = (Outcome.REJECTED, Outcome.CONFLICT, Outcome.UNKNOWN, Outcome.PENDING)
    return SOME_FAILED if any(snapshot.outcomes.get(outcome, 0) for outcome in bad) else DONE
