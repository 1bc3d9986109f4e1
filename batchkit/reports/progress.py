"""Progress of a run: its figures in plain words, a tqdm bar, and lines where no bar can be drawn."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TextIO

from ..core import words
from ..core.advice import worded
from ..core.states import OVER, RESUMABLE, Outcome, RunState
from ..core.words import FAILING, STATES, UNKNOWN, format_eta, format_rate, format_seconds, number

if TYPE_CHECKING:
    from types import TracebackType

    from ..journal.snapshot import Snapshot


TICK = 0.1  # seconds between two looks: 10 Hz is as quick as eyes follow
SETTLES = 10.0  # seconds the owner of a run that is over may take to leave
LINE_EVERY = 5.0  # seconds between two lines where no bar can be drawn


class Watchable(Protocol):
    """A run as the views need it: of this process or of another one."""

    @property
    def id(self) -> str:
        """What the command line knows the run by."""

    def snapshot(self) -> Snapshot:
        """The figures as they stand; cheap enough for ten looks a second."""

    def stop(self) -> None:
        """Ask for a stop in good order; returns at once."""

    def wait(self, timeout: float | None = None) -> RunState:
        """Block until the session is over and its owner is gone, or the time is up."""


def settled(snapshot: Snapshot) -> int:
    """How many of the items to be sent have their outcome."""
    return max(0, snapshot.to_send - snapshot.outcomes.get(Outcome.PENDING, 0))


def figures(snapshot: Snapshot, *, limiter: bool = True, room: int | None = None) -> list[str]:
    """The figures that matter now, most important first.

    Args:
        snapshot: The run.
        limiter: Also what slows the run.
        room: Characters there are for them; where they are too many, whole figures are left out, but never
            how many items are done, nor the time left.
    """
    running = snapshot.state not in OVER and snapshot.state is not RunState.PAUSED
    failing = [f"{number(n)} {name}" for name in FAILING if (n := snapshot.outcomes.get(name, 0))]
    rate = f"rate {UNKNOWN}" if snapshot.rate is None else format_rate(snapshot.rate)
    left = f"time left {UNKNOWN}" if snapshot.eta is None else f"{format_eta(snapshot.eta)} left"
    ranked = [(0, f"{number(settled(snapshot))} of {number(snapshot.to_send)}")]
    ranked += [(2, each) for each in failing]
    ranked += [(3, rate), (1, left)] if running else []
    ranked += [(4, slow_because(snapshot))] if running and limiter and snapshot.limiter else []
    ranked += [(1, f"in {format_seconds(snapshot.seconds)}")] if snapshot.state in OVER else []
    while room is not None and len(", ".join(text for _, text in ranked)) > room:
        least = max(reversed(ranked), key=lambda each: each[0])
        if least[0] < 2:
            break
        ranked.remove(least)
    return [text for _, text in ranked]


def slow_because(snapshot: Snapshot) -> str:
    """What slows the run, as a sentence without its full stop; empty when nothing is known."""
    limiter = snapshot.limiter.rstrip(".")
    return limiter if not limiter or limiter.lower().startswith("slow") else f"Slow because {limiter}"


def summary_line(snapshot: Snapshot) -> str:
    """How the run ended, in one sentence: `Finished in 42 s: 9,990 done, 8 rejected.`."""
    counts = [f"{number(n)} {outcome}" for outcome, n in snapshot.outcomes.items() if n]
    kind = "Dry run " if snapshot.dry_run else ""
    word = snapshot.state.value if kind else snapshot.state.value.capitalize()
    line = f"{kind}{word} in {format_seconds(snapshot.seconds)}: {', '.join(counts) or 'nothing to do'}."
    return f"{line} Nothing was written." if snapshot.dry_run else line


def next_step(snapshot: Snapshot) -> str:
    """What the operator can do about a run that stands still; empty when it moves or is finished."""
    if snapshot.state not in RESUMABLE:
        return ""
    steps = words.next_steps(snapshot.run, snapshot.state, {}, dry_run=False)
    parts = [snapshot.message, f"{STATES[snapshot.state]} {worded(str(next(steps)))}"]
    return "\n".join(filter(None, parts))


class Bar:
    """A live bar for one run; lines every few seconds where the stream is no terminal.

    Args:
        run: The run to look at.
        file: Stream to write to; None for standard error (standard output in a notebook).
        notebook: Draw a notebook's widget instead of characters.
        clock: Seconds that only go forward; tests pass their own.
    """

    def __init__(
        self,
        run: Watchable,
        file: TextIO | None = None,
        notebook: bool = False,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.run = run
        self.file = file or _default_stream(notebook)
        self.notebook = notebook
        self._clock = clock
        self._last_line: float | None = None
        self._last_text = ""
        self._bar: Any = None
        if notebook or self.file.isatty():
            self._bar = self._make_bar(run.snapshot())

    def __enter__(self) -> Bar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_bar(self, snapshot: Snapshot) -> Any:
        if self.notebook:
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm
        return tqdm(
            total=snapshot.to_send,
            file=self.file,
            dynamic_ncols=not self.notebook,
            bar_format="{l_bar}{bar}|",
            mininterval=0,  # we already look at most ten times a second
            miniters=1,
        )

    def update(self, snapshot: Snapshot | None = None) -> Snapshot:
        """Draw the figures of `snapshot`, or of a new one, and hand it back."""
        snapshot = snapshot or self.run.snapshot()
        if self._bar is not None:
            self._draw(snapshot)
        elif self._line_is_due():
            self._write_line(snapshot)
        return snapshot

    def _draw(self, snapshot: Snapshot) -> None:
        bar = self._bar
        bar.n = settled(snapshot)
        label = "Dry run" if snapshot.dry_run else snapshot.state.value.capitalize()
        columns = None if self.notebook else bar.format_dict["ncols"]
        for frame, taken in ((f"{label} {{percentage:3.0f}}%|{{bar}}| ", 12), (f"{label} ", 1), ("", 0)):
            room = columns - (len(label) + taken if frame else 0) if columns else None
            text = ", ".join(figures(snapshot, room=room))
            if room is None or len(text) <= room:  # on a very narrow terminal the bar goes before the figures
                break
        # tqdm's own rate and remaining time would count pauses and resumed items; ours don't
        bar.bar_format = frame + text.replace("{", "{{").replace("}", "}}")
        bar.refresh()

    def _line_is_due(self) -> bool:
        return self._last_line is None or self._clock() - self._last_line >= LINE_EVERY

    def _write_line(self, snapshot: Snapshot) -> None:
        self._last_line = self._clock()
        text = f"{snapshot.state.value.capitalize()}: {', '.join(figures(snapshot))}"
        if text != self._last_text:  # a paused run doesn't fill the log
            self._last_text = text
            self.say(text)

    def say(self, text: str) -> None:
        """Write a line without breaking the bar."""
        if self._bar is not None and not self.notebook:
            self._bar.clear()
        self.file.write(f"{text}\n")
        self.file.flush()

    def close(self) -> None:
        """Leave the bar as it stands and end its line."""
        if self._bar is not None:
            self._bar.close()


def watch(
    run: Watchable,
    file: TextIO | None = None,
    notebook: bool = False,
    *,
    leave_when_paused: bool = False,
    interrupt: Callable[[], None] | None = None,
    interval: float = TICK,
) -> RunState:
    """Show a run until it is over; works for runs of other processes too.

    Ctrl-C once stops a run of this process in good order, twice leaves at once. Ctrl-C while watching another
    process's run only ends the watching.

    Args:
        run: The run to look at.
        file: Stream to write to; None for standard error (standard output in a notebook).
        notebook: Draw a notebook's widget instead of characters.
        leave_when_paused: Return when the run has paused instead of waiting for someone to resume it.
        interrupt: What the first Ctrl-C does instead of the above.
        interval: Seconds between two looks.

    Returns:
        The state the run was in at the last look.

    Raises:
        KeyboardInterrupt: Ctrl-C came twice, or the run belongs to another process.
    """
    ends = (*OVER, RunState.PAUSED) if leave_when_paused else OVER
    interrupted = hinted = noted = False
    with Bar(run, file, notebook) as bar:
        snapshot = bar.update()
        while snapshot.state not in ends:
            try:
                time.sleep(interval)
                snapshot = bar.update()
                if snapshot.notices and not noted:
                    bar.say("\n".join(snapshot.notices))
                    noted = True
                if snapshot.state is RunState.PAUSED and not hinted:
                    bar.say(next_step(snapshot))
                hinted = snapshot.state is RunState.PAUSED
            except KeyboardInterrupt:
                ask = interrupt or (run.stop if _is_ours(snapshot) else None)
                if interrupted or ask is None:
                    raise
                interrupted = True
                ask()
                bar.say("Stopping; what is under way is finished first. Ctrl-C again leaves at once.")
        if snapshot.state in OVER:
            run.wait(SETTLES)  # its owner may still be writing the last figures
            snapshot = run.snapshot()
        bar.update(snapshot)
    ending = (*([] if noted else snapshot.notices), summary_line(snapshot), next_step(snapshot))
    bar.say("\n".join(part for part in ending if part))
    return snapshot.state


def _is_ours(snapshot: Snapshot) -> bool:
    return snapshot.owner.startswith(f"pid {os.getpid()} ")


def _default_stream(notebook: bool) -> TextIO:
    # Jupyter paints standard error red, which reads as a failure.
    in_kernel = type(sys.stderr).__module__.startswith("ipykernel")
    return sys.stdout if notebook or in_kernel else sys.stderr
