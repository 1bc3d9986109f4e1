"""Runs under control from another terminal: pause, resume, stop, set, watch; and `kill`."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchkit.cli import cli
from batchkit.cli.pages import run_page
from batchkit.core.states import RunState
from batchkit.journal.snapshot import Snapshot
from batchkit.running.run import Run, list_runs
from tests.support.terminal import (
    COMMAND,
    Shop,
    Terminal,
    batchkit,
    environment,
    make_shop,
    needs_terminal,
    told,
    wait_until,
)

SLOWLY = ("--chunk-size", "2", "--delay", "0.15", "--workers", "1")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """100 rows, 60 of them to be written."""
    return make_shop(tmp_path, rows=100)


@pytest.fixture
def driven(shop: Shop) -> Iterator[subprocess.Popen[str]]:
    """A slow run in a process of its own, which has written something and not all."""
    process = subprocess.Popen(
        [*COMMAND, "run", *shop.options, "--yes", "--json", *SLOWLY],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    wait_until(lambda: _done() > 2)
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def _done() -> int:

    return next((run.snapshot().outcomes["done"] for run in list_runs()), 0)


def whole(shop: Shop) -> bool:
    """Whether the database is as the file wants it."""
    return shop.held() == {f"{n:05}": f"Épicerie {n}" for n in range(100)}


def test_pause_and_resume_from_another_terminal(driven: subprocess.Popen[str], shop: Shop) -> None:
    """A paused run writes nothing; resumed, it goes on in its own process and finishes there."""
    assert told("pause", "last")["state"] == "paused"
    held = shop.held()
    time.sleep(0.5)
    assert shop.held() == held
    assert driven.poll() is None
    assert told("resume", "last")["state"] == "running"
    assert told("set", "last", "delay=0", "chunk_size=50")["run"] == told("show", "last")["run"]
    out, _ = driven.communicate(timeout=20)
    assert driven.returncode == 0
    assert json.loads(out)["state"] == "finished"
    assert whole(shop)


def test_stop_and_resume_here(driven: subprocess.Popen[str], shop: Shop) -> None:
    """A stopped run ends its process with exit code 4; `resume` drives the rest in this one."""
    stopped = told("stop", "last")
    assert stopped["state"] == "stopped"
    assert driven.wait(timeout=20) == 4
    assert stopped["outcomes"]["pending"] > 0
    resumed = told("resume", stopped["run"], "--delay", "0", "--chunk-size", "50")
    assert resumed["state"] == "finished"
    assert whole(shop)


def test_a_running_run_is_not_resumed_twice(driven: subprocess.Popen[str]) -> None:
    """A second resume is refused (2) and told the pid of the process that drives it."""
    refused = batchkit("resume", "last")
    assert refused.returncode == 2
    assert str(driven.pid) in refused.stderr
    assert driven.poll() is None


def test_resume_takes_up_a_run_whose_process_was_killed(driven: subprocess.Popen[str], shop: Shop) -> None:
    """After kill -9 the run is interrupted, nothing is lost, and `resume` finishes it."""
    driven.kill()
    driven.wait(timeout=10)
    assert told("show", "last")["state"] == "interrupted"
    resumed = told("resume", "last", "--delay", "0", "--chunk-size", "50")
    assert resumed["state"] == "finished"
    assert sum(resumed["outcomes"].values()) == 100
    assert whole(shop)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_sigterm_stops_in_good_order(driven: subprocess.Popen[str]) -> None:
    """What an administrator's `kill` does is what Ctrl-C does: drain, exit 4, resumable."""
    driven.send_signal(signal.SIGTERM)
    out, told_ = driven.communicate(timeout=20)
    assert driven.returncode == 4, told_
    assert json.loads(out)["state"] == "stopped"
    assert "batchkit resume " in told_


def test_set_refuses_what_cannot_change(driven: subprocess.Popen[str]) -> None:
    """An unknown setting, a wrong value, or one that decides what is written: refused, and why."""
    for words in (["wrkers=2"], ["workers=none"], ["overwrite=true"], ["workers"]):
        assert told("set", "last", *words, code=2)["error"]["message"]
    assert driven.poll() is None


def test_an_empty_value_takes_a_limit_away(driven: subprocess.Popen[str]) -> None:
    """`confirm=`, `rate=` and `delay=` are taken by a running run: it asks and waits no more."""
    told("set", "last", "rate=1000", "retries=2")
    told("set", "last", "confirm=", "rate=", "delay=")
    assert driven.wait(timeout=20) == 0
    settings = Run.open("last").snapshot().settings
    assert [settings[name] for name in ("confirm", "rate", "delay")] == ["none", None, 0]


def test_what_slows_a_run_is_a_sentence() -> None:
    """The page of a run that is running says why it isn't faster, in the words of the live bar."""
    snapshot = Snapshot("r", RunState.RUNNING, limiter="the rate is limited to 2 items per second.")
    page = "\n".join(run_page(snapshot, {}, {}))
    assert "Slow because the rate is limited to 2 items per second\n" in page + "\n"


def test_a_finished_run_is_not_controlled(shop: Shop) -> None:
    """Pause, stop, set and resume of a finished run are wrong calls that say so."""
    CliRunner().invoke(cli, ["run", *shop.options, "--yes"])
    for words in (["pause", "last"], ["stop", "last"], ["set", "last", "workers=2"], ["resume", "last"]):
        assert "finished" in told(*words, code=2)["error"]["message"]


def test_settings_of_a_stopped_run_are_given_to_resume(driven: subprocess.Popen[str], shop: Shop) -> None:
    """`set` on a run that stands still says so and how to go on with those settings; that command works."""
    stopped = told("stop", "last")["run"]
    driven.communicate(timeout=20)
    error = told("set", stopped, "delay=0", "rate=", "chunk_size=50", code=2)["error"]
    assert error["message"] == f"The run {stopped} is stopped: no settings are in force that could change."
    words = shlex.split(error["advice"].partition("batchkit ")[2])
    assert words == ["resume", stopped, "--set", "delay=0.0", "--set", "rate=", "--set", "chunk_size=50"]
    assert told(*words)["state"] == "finished"
    assert whole(shop)


def test_what_cannot_change_on_the_way_is_given_to_resume(driven: subprocess.Popen[str]) -> None:
    """Overwriting is decided when a run is taken up: `set` names the option of `resume` for it."""
    error = told("set", "last", "overwrite=true", code=2)["error"]
    assert error["advice"].endswith(f"batchkit resume {told('show', 'last')['run']} --overwrite-conflicts")


def test_watch_follows_to_the_end(driven: subprocess.Popen[str]) -> None:
    """Another terminal sees the run to its end, with its exit code."""
    told("set", "last", "delay=0.01")
    assert told("watch", "last")["state"] == "finished"
    assert driven.wait(timeout=20) == 0


def test_watch_ends_at_a_pause_where_nobody_reads_along(driven: subprocess.Popen[str]) -> None:
    """Of a paused run a program gets the object and exit code 4, and so does a log; neither hangs."""
    run = told("pause", "last")["run"]
    for words in (["watch", run, "--json"], ["watch", run]):
        done = batchkit(*words, timeout=10)
        assert done.returncode == 4, done.stderr
        assert "paused" in done.stdout
    assert json.loads(batchkit("watch", run, "--json", timeout=10).stdout)["state"] == "paused"
    assert driven.poll() is None


def test_a_run_is_named_by_its_beginning(driven: subprocess.Popen[str]) -> None:
    """`last`, the id, the beginning of it and its folder all mean the run; a stranger is not found (2)."""
    run = Run.open("last")
    for name in (run.id, run.id[:-2], str(run.folder)):
        assert told("show", name)["run"] == run.id
    assert "batchkit runs" in told("show", "nobody", code=2)["error"]["advice"]


@needs_terminal
def test_ctrl_c_only_ends_the_watching(driven: subprocess.Popen[str]) -> None:
    """The watcher leaves (0), the run it watched goes on."""
    with Terminal("watch", "last") as terminal:
        terminal.expect("Running")
        terminal.type("\x03")
        terminal.expect("the run goes on")
        assert terminal.wait() == 0
    assert driven.poll() is None
    assert Run.open("last").state == "running"
