"""Runs in one process: every item gets exactly one outcome, whatever is asked of the run while it runs."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchkit.core.errors import RunError
from batchkit.core.states import Outcome, RunState
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.targets.base import Item, Result
from batchkit.testing import CallRecorder, MemoryTarget
from tests.support.plans import plan_of
from tests.support.runs import calls, counts, raising, slow
from tests.support.waiting import until


def test_run_sends_every_item_once(plan: Plan) -> None:
    """A plain run sends each item exactly once and ends finished."""
    target = calls()
    run = plan.start(target=target)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))
    assert counts(run) == {"done": 300}
    assert run.outcomes()["outcome"].to_list() == ["done"] * 300


def test_start_returns_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting waits for no call, and the rows are not read for it: that is done behind."""
    plan = plan_of(tmp_path / "big.parquet", 1_000)
    started, readers = threading.Event(), set()
    blocks = Plan.blocks

    def read(self: Plan, size: int) -> Iterator[pl.DataFrame]:
        readers.add(threading.current_thread())
        return blocks(self, size)

    async def wait(_: Sequence[Item]) -> None:
        await asyncio.to_thread(started.wait)

    monkeypatch.setattr(Plan, "blocks", read)
    run = plan.start(target=calls(behave=wait))
    started.set()  # no call can come back before
    assert run.wait(60) is RunState.FINISHED
    assert readers
    assert threading.current_thread() not in readers


def test_only_sendable_changes_reach_the_target(tmp_path: Path) -> None:
    """Unchanged, missing, invalid and duplicate items have their outcome from the plan and are never sent."""
    kinds = ["create", "unchanged", "invalid", "update", "missing", "duplicate"]
    plan = plan_of(tmp_path / "p.parquet", 60, changes=kinds)
    target = calls()
    run = plan.start(target=target)
    run.wait(20)
    assert sorted(target.sent) == sorted([*range(0, 60, 6), *range(3, 60, 6)])
    assert counts(run) == {"done": 20, "unchanged": 10, "rejected": 30}
    assert sum(run.snapshot().outcomes.values()) == 60


def test_workers_bound_the_calls_at_once(plan: Plan) -> None:
    """Never more calls under way than workers, and as many as workers when there is work."""
    target = calls(behave=slow(0.01))
    plan.start(target=target, workers=7).wait(20)
    assert target.most_at_once == 7


def test_rate_is_kept(plan: Plan) -> None:
    """With a rate of 200 a second, 300 items take 1.5 seconds, and most follow each other within 5 ms."""
    sent: list[float] = []
    run = plan.start(target=calls(behave=lambda _: sent.append(time.monotonic())), rate=200, workers=10)
    assert run.wait(60) is RunState.FINISHED
    assert run.snapshot().seconds >= 299 / 200
    assert statistics.median(after - before for before, after in pairwise(sent)) < 0.009


def test_conflicts_are_kept_and_overwritten_only_on_request(tmp_path: Path) -> None:
    """Rows edited since the plan are conflicts; `overwrite` writes exactly those, and nothing else again."""
    plan = plan_of(tmp_path / "p.parquet", 100, changes=["update"])
    rows = [{"id": str(i), "name": f"old {i}" if i >= 5 else "edited"} for i in range(100)]
    target = MemoryTarget("memory:test", key=["id"], rows=rows)
    run = plan.start(target=target, chunk_size=40)
    run.wait(20)
    assert counts(run) == {"done": 95, "conflict": 5}
    assert target.rows[("0",)]["name"] == "edited"
    run.resume(target=target, overwrite=True)
    assert run.wait(20) is RunState.FINISHED
    assert counts(run) == {"done": 100}
    assert target.rows[("0",)]["name"] == "new 0"
    assert sorted(target.applied) == sorted([*range(100), *range(5)])
    assert run.outcomes()["outcome"].to_list() == ["done"] * 100


def test_dry_run_writes_nothing_and_is_a_run_of_its_own(tmp_path: Path) -> None:
    """A dry run tries everything, leaves the target as it was, and never touches the real run's journal."""
    plan = plan_of(tmp_path / "p.parquet", 50)
    target = MemoryTarget("memory:test", key=["id"])
    dry = plan.start(target=target, dry_run=True)
    assert dry.wait(20) is RunState.FINISHED
    assert target.rows == {}
    real = plan.start(target=target)
    real.wait(20)
    assert dry.folder != real.folder
    assert len(target.rows) == 50
    with pytest.raises(RunError, match="dry run"):
        dry.undo()


def test_ten_runs_at_once(tmp_path: Path) -> None:
    """Ten runs in one process don't get in each other's way."""
    targets = [CallRecorder(f"memory:t{n}") for n in range(10)]
    runs = []
    for n, target in enumerate(targets):
        plan = plan_of(tmp_path / f"p{n}.parquet", 200, target={"url": f"memory:t{n}"})
        runs.append(plan.start(target=target, report=False))
    assert [run.wait(30) for run in runs] == [RunState.FINISHED] * 10
    assert all(sorted(target.sent) == list(range(200)) for target in targets)


def test_an_error_inside_a_target_fails_the_run_without_hanging(plan: Plan) -> None:
    """A target with a bug in its judgement ends the run with a message; nothing hangs, nothing is guessed."""
    target = calls(behave=raising(ValueError("boom")))
    target.classify = raising(KeyError("hole"))  # type: ignore[method-assign,assignment]
    run = plan.start(target=target)
    assert run.wait(20) is RunState.FAILED
    assert "boom" in run.snapshot().message


def test_full_disk_pauses_with_a_clear_message(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk runs into the reserve the run pauses, says so, and loses nothing."""
    target = calls(behave=slow(0.02))
    run = plan.start(target=target, workers=1)
    until(lambda: len(target.sent) > 3)
    run.set(disk_reserve=2**60)
    until(lambda: run.state is RunState.PAUSED)
    assert "disk" in run.snapshot().message
    run.set(disk_reserve=0, workers=20)
    run.resume()
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_too_little_disk_refuses_to_start(plan: Plan) -> None:
    """A run that could not end for want of disk fails before its first item and says what it needs."""
    target = calls()
    run = plan.start(target=target, disk_reserve=2**60)
    assert run.wait(20) is RunState.FAILED
    assert "MB" in run.snapshot().message
    assert target.sent == []


@settings(max_examples=15)
@given(
    items=st.integers(1, 120),
    chunk_size=st.integers(1, 50),
    workers=st.integers(1, 8),
    call_size=st.integers(1, 7),
    bad=st.sets(st.integers(0, 119)),
    interruptions=st.lists(st.integers(1, 40), max_size=3),
)
def test_every_item_gets_exactly_one_outcome(
    tmp_path_factory: pytest.TempPathFactory,
    items: int,
    chunk_size: int,
    workers: int,
    call_size: int,
    bad: set[int],
    interruptions: list[int],
) -> None:
    """However a run is cut, and however often it is stopped and resumed: one outcome each."""
    plan = plan_of(tmp_path_factory.mktemp("plan") / "p.parquet", items)
    stops = list(interruptions)
    seen = 0
    run: Run | None = None

    def behave(sent: Sequence[Item]) -> list[Result]:
        nonlocal seen
        seen += 1
        if stops and seen >= stops[0]:
            stops.pop(0)
            seen = 0
            assert run is not None
            run.stop()
        return [Result(item.index, Outcome.REJECTED, "bad", "bad") for item in sent if item.index in bad]

    target = CallRecorder("memory:test", call_size=call_size)
    run = plan.start(target=target, report=False, canary=1, failure_limit=None)
    until(lambda: run.state is RunState.PAUSED or run.state is RunState.FINISHED)
    sent_before = list(target.sent)
    target.behave = behave
    if run.state is RunState.PAUSED:
        run.resume(chunk_size=chunk_size, workers=workers)
    for _ in range(len(interruptions) + 1):
        if run.wait(30) is RunState.STOPPED:
            run.resume(target=target, chunk_size=workers, workers=chunk_size % 8 + 1)
    assert run.wait(30) is RunState.FINISHED
    assert sorted(target.sent) == list(range(items))
    outcomes = run.outcomes()
    assert outcomes["item"].to_list() == list(range(items))
    expected = {i for i in bad if i < items} - set(sent_before)
    assert set(outcomes.filter(pl.col("outcome") == "rejected")["item"]) == expected
    assert set(outcomes["outcome"]) <= {"done", "rejected"}
