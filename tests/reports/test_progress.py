"""Figures in plain words, the bar, the lines without a terminal, and Ctrl-C."""

from __future__ import annotations

import io
import os
import time
from typing import Any

import pytest

from batchkit.core.advice import as_command, spoken
from batchkit.core.states import RunState
from batchkit.reports.progress import (
    Bar,
    figures,
    next_step,
    summary_line,
    watch,
)
from tests.support.pretend import PretendRun, outcomes, snapshot


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_figures_name_what_is_unknown() -> None:
    """Without a basis the rate and the time left are said to be unknown, not nought."""
    text = ", ".join(figures(snapshot(rate=None, eta=None)))
    assert text == "500 of 2,000, 3 rejected, rate unknown, time left unknown"


def test_figures_name_the_limiter() -> None:
    """What slows the run stands in the line."""
    assert figures(snapshot(limiter="Slow because of the rate limit"))[-1] == "Slow because of the rate limit"


def test_figures_of_a_paused_run_claim_no_rate() -> None:
    """A run that stands still has neither rate nor time left."""
    assert figures(snapshot(state=RunState.PAUSED)) == ["500 of 2,000", "3 rejected"]


def test_bar_on_a_terminal_shows_the_figures() -> None:
    """A terminal gets a bar with counts, rate and time left."""
    stream = Terminal()
    with Bar(PretendRun(snapshot()), stream) as bar:
        bar.update()
    assert "25%|" in stream.getvalue()
    assert "500 of 2,000, 3 rejected, 250/s, 5 to 7 s left" in stream.getvalue()


@pytest.mark.parametrize(("columns", "parts"), [(80, "3 rejected, 250/s"), (60, "3 rejected"), (40, "")])
def test_bar_on_a_narrow_terminal_keeps_what_matters_most(
    monkeypatch: pytest.MonkeyPatch, columns: int, parts: str
) -> None:
    """Where the line is too short, whole figures are left out: never the items done nor the time left."""
    monkeypatch.setattr("tqdm.std._screen_shape_wrapper", lambda: lambda _: (columns, 24))
    stream = Terminal()
    with Bar(PretendRun(snapshot(limiter="Slow because the rate is limited")), stream) as bar:
        bar.update()
    line = stream.getvalue().split("\r")[-1].rstrip()
    assert line.endswith(" " + ", ".join(filter(None, ("500 of 2,000", parts, "5 to 7 s left"))))
    assert len(line) <= columns


def test_bar_takes_braces_in_a_limiter() -> None:
    """Words of a target with braces in them don't break the bar."""
    stream = Terminal()
    with Bar(PretendRun(snapshot(limiter="Slow because {x}")), stream) as bar:
        bar.update()
    assert "Slow because {x}" in stream.getvalue()


def test_bar_without_a_terminal_writes_a_line_every_few_seconds() -> None:
    """A log gets a line every five seconds, not one per look, and none for an unchanged pause."""
    stream, now = io.StringIO(), [0.0]
    run = PretendRun(snapshot())
    with Bar(run, stream, clock=lambda: now[0]) as bar:
        for _ in range(120):
            bar.update()
            run.now(seconds=now[0], outcomes=outcomes(done=int(now[0]), pending=2000 - int(now[0])))
            now[0] += 0.1
        run.now(state=RunState.PAUSED)
        for _ in range(200):
            bar.update()
            now[0] += 0.1
    lines = stream.getvalue().splitlines()
    assert [line.split(":")[0] for line in lines] == ["Running", "Running", "Running", "Paused"]
    assert "\r" not in stream.getvalue()


def test_watch_returns_when_the_run_is_over_and_tells_how() -> None:
    """The last lines say the state, the counts and nothing to do."""
    stream = io.StringIO()
    run = PretendRun(snapshot(), snapshot(), snapshot(state=RunState.FINISHED, outcomes=outcomes(done=2000)))
    assert watch(run, stream, interval=0) is RunState.FINISHED
    assert stream.getvalue().splitlines()[-1] == "Finished in 2.0 s: 2,000 done."


@pytest.mark.parametrize("state", [RunState.PAUSED, RunState.STOPPED, RunState.INTERRUPTED, RunState.FAILED])
def test_next_step_names_the_command(state: RunState) -> None:
    """Every state that stands still tells how to go on, after the reason."""
    with spoken(as_command):
        words = next_step(snapshot(state=state, message="The disk is full."))
    assert words.startswith("The disk is full.\n")
    assert words.endswith("batchkit resume r1")


def test_next_step_in_a_notebook_names_the_method() -> None:
    """In a notebook the way on is a method, not a command."""
    assert next_step(snapshot(state=RunState.STOPPED)).endswith('Run.open("r1").resume()')


def test_summary_of_a_dry_run_says_that_nothing_was_written() -> None:
    """Nobody mistakes a dry run for a real one."""
    line = summary_line(snapshot(state=RunState.FINISHED, dry_run=True, outcomes=outcomes(done=3)))
    assert line == "Dry run finished in 2.0 s: 3 done. Nothing was written."


def test_watch_can_leave_a_paused_run() -> None:
    """An unattended caller isn't held for ever by a run that paused itself."""
    run = PretendRun(snapshot(), snapshot(state=RunState.PAUSED, message="The disk is full."))
    stream = io.StringIO()
    assert watch(run, stream, leave_when_paused=True, interval=0) is RunState.PAUSED
    assert "The disk is full." in stream.getvalue()


def _press_ctrl_c(monkeypatch: pytest.MonkeyPatch, *looks: int) -> None:
    count = [0]

    def sleep(_: float) -> None:
        count[0] += 1
        if count[0] in looks:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)


def test_first_ctrl_c_stops_a_run_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C once asks for a stop and goes on watching until it has stopped."""
    _press_ctrl_c(monkeypatch, 2)
    ours = {"owner": f"pid {os.getpid()} on here"}
    run = PretendRun(*[snapshot(**ours)] * 4, snapshot(state=RunState.STOPPED, **ours))
    stream = io.StringIO()
    assert watch(run, stream) is RunState.STOPPED
    assert run.asked == [("stop", None)]
    assert "Ctrl-C again leaves at once" in stream.getvalue()


def test_second_ctrl_c_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C twice doesn't wait for anything."""
    _press_ctrl_c(monkeypatch, 2, 3)
    run = PretendRun(snapshot(owner=f"pid {os.getpid()} on here"))
    with pytest.raises(KeyboardInterrupt):
        watch(run, io.StringIO())
    assert run.asked == [("stop", None)]


def test_ctrl_c_leaves_another_process_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watching somebody else's run and leaving doesn't stop it."""
    _press_ctrl_c(monkeypatch, 1)
    run = PretendRun(snapshot(owner="pid 1 on elsewhere"))
    with pytest.raises(KeyboardInterrupt):
        watch(run, io.StringIO())
    assert run.asked == []


def test_ctrl_c_calls_the_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller may say what the first Ctrl-C does."""
    _press_ctrl_c(monkeypatch, 1)
    calls: list[Any] = []
    run = PretendRun(snapshot(), snapshot(), snapshot(state=RunState.FINISHED))
    watch(run, io.StringIO(), interrupt=lambda: calls.append(1))
    assert calls == [1]
