"""A session comes to an end that says why, whatever a target, a disk or a server's words bring."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.states import Outcome, RunState
from batchkit.running.driver import live_driver
from batchkit.running.engine import Engine
from batchkit.running.figures import Figures
from batchkit.targets.base import Fate, Item, Result
from batchkit.testing import CallRecorder, refuse
from tests.support.plans import plan_of
from tests.support.waiting import until

HALF = "half an emoji \ud83d and NUL \x00"


async def _slow(_: Sequence[Item]) -> None:
    await asyncio.sleep(0.02)


def _raise(error: BaseException) -> Callable[[Sequence[Item]], Any]:
    def behave(_: Sequence[Item]) -> None:
        raise error

    return behave


def _answer(outcome: Outcome) -> Callable[[Sequence[Item]], Any]:
    return lambda items: [Result(items[0].index, outcome, HALF, HALF, HALF, {HALF: [HALF]})]


@pytest.mark.parametrize(
    ("behave", "outcome", "state"),
    [
        (_raise(refuse(Fate.REJECT, HALF, advice=HALF)), "rejected", RunState.FINISHED),
        (_raise(refuse(Fate.UNKNOWN, HALF)), "unknown", RunState.FINISHED),
        (_raise(refuse(Fate.RETRY, HALF)), "rejected", RunState.FINISHED),
        (_raise(refuse(Fate.ABORT, HALF)), "pending", RunState.FAILED),
        (_raise(ValueError(HALF)), "rejected", RunState.FINISHED),
        (_answer(Outcome.REJECTED), "rejected", RunState.FINISHED),
        (_answer(Outcome.DONE), "done", RunState.FINISHED),
    ],
)
def test_half_an_emoji_in_what_a_server_says_hangs_nothing(
    tmp_path: Path, behave: Callable[[Sequence[Item]], Any], outcome: str, state: RunState
) -> None:
    """Words that no file can hold end in journal, log and each kind of report as words that can be read."""
    target = CallRecorder("memory:test", idempotent=False, behave=behave)
    run = plan_of(tmp_path / "p.parquet", 3).start(
        target=target, retries=0, backoff=0, failure_limit=None, workers=1
    )
    assert run.wait(20) is state
    assert run.snapshot().outcomes[outcome] == 3
    for line in (run.folder / "log.jsonl").read_text(encoding="utf-8").splitlines():
        json.loads(line)
    assert (run.folder / "report.html").read_text(encoding="utf-8")
    for suffix in ("xlsx", "csv", "json", "html"):
        assert run.report(tmp_path / f"report.{suffix}").stat().st_size
    if state is RunState.FAILED:
        assert "half an emoji �" in run.snapshot().message
    else:
        assert "half an emoji �" in str(pl.concat(run.outcome_frames()).rows())


def test_an_error_of_the_disk_check_is_outlasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that doesn't say how much is free is shown as unknown; the run goes on and hears stop."""
    run = plan_of(tmp_path / "p.parquet", 5_000).start(
        target=CallRecorder("memory:test", behave=_slow), report=False
    )
    until(lambda: run.snapshot().outcomes["done"])
    looked: list[object] = []

    def refused(path: object) -> None:
        looked.append(path)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", refused)
    until(lambda: looked and run.snapshot().disk_free == 0)
    run.journal.post("stop", {}, "another terminal")
    assert run.wait(20) is RunState.STOPPED


def test_a_ticker_that_fails_ends_the_run_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that could hear no stop any more doesn't go on: it fails, says why, and can be resumed."""

    def refused(_: object) -> None:
        raise OSError(5, "Input/output error")

    target = CallRecorder("memory:test", behave=_slow)
    run = plan_of(tmp_path / "p.parquet", 3_000).start(target=target, report=False)
    until(lambda: target.sent)
    with monkeypatch.context() as patch:
        patch.setattr(Figures, "persist", refused)
        until(lambda: "Input/output error" in run.snapshot().message)
    assert run.wait(20) is RunState.FAILED
    assert "Input/output error" in run.snapshot().message
    target.behave = None
    run.resume(target=target)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(3_000))


def test_deadlines_hold_while_a_run_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that never comes back is cut off also when the ticker is what failed."""

    async def never(_: Sequence[Item]) -> None:
        await asyncio.sleep(3_600)

    def refused(_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Engine, "_settle_pause", refused)
    target = CallRecorder("memory:test", behave=never)
    run = plan_of(tmp_path / "p.parquet", 10).start(target=target, timeout=0.5, retries=0, report=False)
    assert run.wait(20) is RunState.FAILED
    assert "Input/output error" in run.snapshot().message


@pytest.mark.parametrize("error", [RuntimeError("the pool is gone"), SystemExit("the pool is gone")])
def test_a_target_that_can_not_be_closed_spoils_nothing(tmp_path: Path, error: BaseException) -> None:
    """When the last item is done the run is finished and has its report, whatever closing brings."""
    target = CallRecorder("memory:test")
    target.close = _raise(error).__get__(target)  # type: ignore[method-assign]
    run = plan_of(tmp_path / "p.parquet", 30).start(target=target)
    assert run.wait(20) is RunState.FINISHED
    assert run.snapshot().outcomes["done"] == 30
    assert (run.folder / "report.html").is_file()
    assert "the pool is gone" in (run.folder / "log.jsonl").read_text(encoding="utf-8")


def test_a_target_that_hangs_on_closing_keeps_no_run_from_its_end(tmp_path: Path) -> None:
    """The report is there while the target closes, and a close that never comes back is not waited for."""
    told, free = threading.Event(), threading.Event()
    target = CallRecorder("memory:test")
    reports: list[bool] = []

    def hang() -> None:
        reports.append((run.folder / "report.html").is_file())
        told.set()
        free.wait(60)

    target.close = hang  # type: ignore[method-assign]
    run = plan_of(tmp_path / "p.parquet", 30).start(target=target, timeout=1)
    try:
        assert told.wait(20)
        assert run.wait(20) is RunState.FINISHED
        assert live_driver(run.folder) is None
    finally:
        free.set()
    assert reports == [True]
    assert "target not closed" in (run.folder / "log.jsonl").read_text(encoding="utf-8")
