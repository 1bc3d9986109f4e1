"""Runs in one process: every item gets exactly one outcome, whatever is asked of the run while it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchkit.core.errors import RunBusy, RunError, RunFailed, SettingsError
from batchkit.core.states import Outcome, RunState
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.targets.base import Fate, Item, Result
from batchkit.testing import CallRecorder, MemoryTarget, refuse
from tests.support.plans import closed_window, plan_of


@pytest.fixture(autouse=True)
def empty_stores() -> Iterator[None]:
    """Memory targets begin empty in each test."""
    MemoryTarget._stores.clear()
    yield
    MemoryTarget._stores.clear()


def _until(true: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.01)


def _calls(**options: Any) -> CallRecorder:
    return CallRecorder("memory:test", **options)


def _counts(run: Run) -> dict[str, int]:
    return {name: n for name, n in run.snapshot().outcomes.items() if n}


def _slow(seconds: float) -> Callable[[Sequence[Item]], Any]:
    async def behave(_: Sequence[Item]) -> None:
        await asyncio.sleep(seconds)

    return behave


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A plan of 300 creates."""
    return plan_of(tmp_path / "people.parquet", 300)


def test_run_sends_every_item_once(plan: Plan) -> None:
    """A plain run sends each item exactly once and ends finished."""
    target = _calls()
    run = plan.start(target=target)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))
    assert _counts(run) == {"done": 300}
    assert run.outcomes()["outcome"].to_list() == ["done"] * 300


def test_start_returns_at_once(tmp_path: Path) -> None:
    """Starting takes no time to speak of, and the rows are not read for it."""
    plan = plan_of(tmp_path / "big.parquet", 200_000)
    before = time.monotonic()
    run = plan.start(target=_calls(behave=_slow(0.05)))
    took = time.monotonic() - before
    run.stop()
    run.wait(20)
    assert took < 0.2


def test_only_sendable_changes_reach_the_target(tmp_path: Path) -> None:
    """Unchanged, missing, invalid and duplicate items have their outcome from the plan and are never sent."""
    kinds = ["create", "unchanged", "invalid", "update", "missing", "duplicate"]
    plan = plan_of(tmp_path / "p.parquet", 60, changes=kinds)
    target = _calls()
    run = plan.start(target=target)
    run.wait(20)
    assert sorted(target.sent) == sorted([*range(0, 60, 6), *range(3, 60, 6)])
    assert _counts(run) == {"done": 20, "unchanged": 10, "rejected": 30}
    assert sum(run.snapshot().outcomes.values()) == 60


def test_workers_bound_the_calls_at_once(plan: Plan) -> None:
    """Never more calls under way than workers, and as many as workers when there is work."""
    target = _calls(behave=_slow(0.01))
    plan.start(target=target, workers=7).wait(20)
    assert target.most_at_once == 7


def test_pause_holds_and_resume_goes_on(plan: Plan) -> None:
    """Pause acts within half a second: nothing is sent while paused; resume sends the rest, each once."""
    target = _calls(behave=_slow(0.01))
    run = plan.start(target=target, workers=2)
    _until(lambda: len(target.sent) > 10)
    before = time.monotonic()
    run.pause()
    _until(lambda: run.state is RunState.PAUSED)
    assert time.monotonic() - before < 0.5
    sent = len(target.sent)
    time.sleep(0.2)
    assert len(target.sent) == sent
    assert run.snapshot().rate is None
    run.resume()
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_stop_drains_and_resume_takes_up_the_rest(plan: Plan) -> None:
    """Stop lets the calls under way end; the stopped run goes on later where it was."""
    target = _calls(behave=_slow(0.01))
    run = plan.start(target=target, workers=2)
    _until(lambda: len(target.sent) > 10)
    run.stop()
    assert run.wait(20) is RunState.STOPPED
    assert _counts(run)["done"] == len(target.sent) < 300
    again = Run.open(run.id)
    again.resume(target=target)
    assert again.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_pause_and_stop_cut_every_wait_short(plan: Plan) -> None:
    """A long delay, a slow rate, a long backoff, an order to wait: none keeps stop from acting at once."""

    def refused(_: Sequence[Item]) -> None:
        raise refuse(Fate.RETRY, "busy", retry_after=60.0)

    for options in (
        {"delay": 60, "chunk_size": 5},
        {"rate": 0.05},
        {"backoff": 60},
        {"window": closed_window()},
    ):
        target = _calls(behave=refused if "backoff" in options else None)
        run = plan.start(target=target, report=False, **options)
        time.sleep(0.15)
        before = time.monotonic()
        run.stop()
        run.wait(20)
        assert time.monotonic() - before < 1.0, options


def test_set_changes_a_running_run(plan: Plan) -> None:
    """Workers, rate and chunk size changed on the way: no item skipped or doubled, and the new values act."""
    target = _calls(behave=_slow(0.005))
    run = plan.start(target=target, workers=1, chunk_size=10)
    _until(lambda: len(target.sent) > 5)
    run.set(workers=6, chunk_size=37)
    _until(lambda: target.most_at_once == 6)
    run.set(workers=2, rate=2000, chunk_size=3)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))
    assert run.snapshot().settings["workers"] == 2


def test_set_refuses_nonsense_and_changes_nothing(plan: Plan) -> None:
    """A wrong setting is an error for who set it; the run goes on as before."""
    target = _calls(behave=_slow(0.005))
    run = plan.start(target=target)
    with pytest.raises(SettingsError, match="workers"):
        run.set(workers=0)
    run.stop()
    run.wait(20)


def test_rate_is_kept(plan: Plan) -> None:
    """With a rate of 200 a second, 300 items take about 1.5 seconds."""
    run = plan.start(target=_calls(), rate=200, workers=10)
    before = time.monotonic()
    run.wait(20)
    assert 1.4 < time.monotonic() - before < 4


def test_retry_tries_again_and_counts(plan: Plan) -> None:
    """A call that fails twice and then passes is done once; the retries are counted."""
    failures: dict[int, int] = {}

    def flaky(items: Sequence[Item]) -> None:
        index = items[0].index
        failures[index] = failures.get(index, 0) + 1
        if index % 50 == 0 and failures[index] < 3:
            raise refuse(Fate.RETRY, "503")

    target = _calls(behave=flaky)
    run = plan.start(target=target, backoff=0.001)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))
    assert run.snapshot().retries == 12
    assert run.outcomes().filter(pl.col("attempts") == 3).height == 6


def test_exhausted_retries_reject_the_item_with_its_reason(plan: Plan) -> None:
    """An item that never passes is rejected after its tries, and says so; the others are done."""

    def behave(items: Sequence[Item]) -> None:
        if items[0].index == 7:
            raise refuse(Fate.RETRY, "500 from the server")

    run = plan.start(target=_calls(behave=behave), backoff=0.001, retries=2)
    run.wait(20)
    failed = run.outcomes("rejected")
    assert failed["item"].to_list() == [7]
    assert failed["row"].to_list() == [9]
    assert "after 3 tries: 500 from the server" in failed["reason"][0]


def test_a_refused_call_is_split_until_the_bad_item_stands_alone(plan: Plan) -> None:
    """A call of 25 items that is refused as a whole costs only the bad item."""

    def behave(items: Sequence[Item]) -> None:
        if any(item.index == 40 for item in items):
            raise refuse(Fate.REJECT, "item 40 is bad")

    target = _calls(call_size=25, behave=behave)
    run = plan.start(target=target)
    run.wait(20)
    assert _counts(run) == {"done": 299, "rejected": 1}
    assert run.outcomes("rejected")["item"].to_list() == [40]
    assert sorted(target.sent) == [i for i in range(300) if i != 40]


def test_a_refused_chunk_is_split_until_the_bad_row_stands_alone(plan: Plan) -> None:
    """A transaction refused as a whole is split; all other rows go in, each once."""
    target = MemoryTarget("memory:test", key=["id"])

    def refuse_40(frame: pl.DataFrame) -> None:
        if 40 in frame["item"]:
            raise refuse(Fate.REJECT, "constraint violated")

    target.on_apply = refuse_40
    run = plan.start(target=target, chunk_size=100)
    run.wait(20)
    assert _counts(run) == {"done": 299, "rejected": 1}
    assert sorted(target.applied) == [i for i in range(300) if i != 40]
    assert run.outcomes("rejected")["reason"].to_list() == ["constraint violated"]


def test_items_the_target_wants_again_are_sent_again_alone(plan: Plan) -> None:
    """A result of `pending` within a call means: this one once more, the others are settled."""
    asked: list[int] = []

    def behave(items: Sequence[Item]) -> list[Result]:
        again = [item.index for item in items if item.index == 12 and 12 not in asked]
        asked.extend(again)
        return [Result(index, Outcome.PENDING) for index in again]

    run = plan.start(target=_calls(call_size=10, behave=behave), backoff=0.001)
    assert run.wait(20) is RunState.FINISHED
    assert _counts(run) == {"done": 300}


def test_abort_fails_the_run_and_keeps_the_rest_pending(plan: Plan) -> None:
    """A wrong password ends the run at once, with the reason; it can be resumed when it is mended."""
    target = _calls(behave=_raise(refuse(Fate.ABORT, "401: wrong password")))
    run = plan.start(target=target)
    assert run.wait(20) is RunState.FAILED
    assert "wrong password" in run.snapshot().message
    assert _counts(run) == {"pending": 300}
    with pytest.raises(RunFailed, match=rf"Run.open\(\"{run.id}\"\).resume"):
        run.raise_for_state()
    target.behave = None
    run.resume(target=target)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def _raise(error: Exception) -> Callable[[Sequence[Item]], None]:
    def behave(_: Sequence[Item]) -> None:
        raise error

    return behave


def test_a_silent_target_fails_the_run_and_rejects_nobody(plan: Plan) -> None:
    """When nobody answers, the items are not to blame: they stay pending and the run says what happened."""
    run = plan.start(target=_calls(behave=_raise(ConnectionError("refused"))), backoff=0.001)
    assert run.wait(20) is RunState.FAILED
    assert _counts(run) == {"pending": 300}
    assert "did not answer" in run.snapshot().message or "failed" in run.snapshot().message


def test_wait_for_target_carries_on_by_itself(plan: Plan) -> None:
    """With `wait_for_target` a target that comes back is taken up again without anybody's help."""
    back = time.monotonic() + 0.6

    def behave(_: Sequence[Item]) -> None:
        if time.monotonic() < back:
            raise ConnectionError("down")

    target = _calls(behave=behave)
    run = plan.start(target=target, wait_for_target=0.3 + 5, backoff=0.01)
    assert run.wait(30) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_failure_limit_ends_a_run_that_goes_wrong(plan: Plan) -> None:
    """When half of the first hundred items fail, the run gives up instead of failing them all."""
    run = plan.start(
        target=_calls(behave=_raise(refuse(Fate.REJECT, "404"))), failure_limit="50%", chunk_size=20
    )
    assert run.wait(20) is RunState.FAILED
    assert "failure limit" in run.snapshot().message
    assert 100 <= _counts(run)["rejected"] < 300


@pytest.mark.parametrize(("limit", "rejected"), [("100%", 150), (1, 1), (1.0, 1)])
def test_a_limit_of_all_is_no_limit_of_one(plan: Plan, limit: Any, rejected: int) -> None:
    """100% gives up only when every item failed; 1 at the first that does, also where it is stored as 1.0."""

    def behave(items: Sequence[Item]) -> None:
        if items[0].index % 2 == 1:
            raise refuse(Fate.REJECT, "404")

    run = plan.start(
        target=_calls(behave=behave), failure_limit=limit, failure_min=2, workers=1, report=False
    )
    run.wait(20)
    assert _counts(run)["rejected"] == rejected


def test_on_limit_pause_keeps_the_run_alive(plan: Plan) -> None:
    """With `on_limit=pause` a limit pauses the run; after a look somebody may go on."""
    run = plan.start(
        target=_calls(behave=_raise(refuse(Fate.REJECT, "404"))),
        failure_limit=10,
        on_limit="pause",
        workers=1,
    )
    _until(lambda: run.state is RunState.PAUSED)
    assert "reaches the failure limit" in run.snapshot().message
    run.stop()
    assert run.wait(20) is RunState.STOPPED


def test_canary_pauses_after_the_first_items(plan: Plan) -> None:
    """`canary=12` sends twelve items and waits for a look; resume sends the rest."""
    target = _calls()
    run = plan.start(target=target, canary=12)
    _until(lambda: run.state is RunState.PAUSED)
    assert len(target.sent) == 12
    assert "look at them" in run.snapshot().message
    run.resume()
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_confirm_asks_before_each_chunk(plan: Plan) -> None:
    """`confirm=chunk` sends one chunk per resume."""
    target = _calls()
    run = plan.start(target=target, confirm="chunk", chunk_size=100)
    for sent in (0, 100, 200):
        _until(lambda: run.state is RunState.PAUSED)
        assert len(target.sent) == sent
        run.resume()
        _until(lambda sent=sent: len(target.sent) > sent)  # type: ignore[misc]
    assert run.wait(20) is RunState.FINISHED
    assert len(target.sent) == 300


def test_timeout_of_a_repeatable_call_is_tried_again(plan: Plan) -> None:
    """A call that hangs is cut off; where sending twice is harmless it is sent again."""
    hung: list[int] = []

    async def behave(items: Sequence[Item]) -> None:
        if items[0].index == 5 and not hung:
            hung.append(5)
            await asyncio.sleep(60)

    target = _calls(behave=behave)
    run = plan.start(target=target, timeout=0.3, backoff=0.01)
    assert run.wait(20) is RunState.FINISHED
    assert _counts(run) == {"done": 300}


def test_timeout_of_an_unrepeatable_call_is_unknown_and_never_sent_again(plan: Plan) -> None:
    """Where sending twice would do harm, a call without an answer is left for the operator to settle."""
    arrived: list[int] = []

    async def behave(items: Sequence[Item]) -> None:
        arrived.append(items[0].index)
        if items[0].index == 5 and arrived.count(5) == 1:
            await asyncio.sleep(60)

    target = _calls(idempotent=False, behave=behave)
    run = plan.start(target=target, timeout=0.3)
    assert run.wait(20) is RunState.FINISHED
    assert _counts(run) == {"done": 299, "unknown": 1}
    assert arrived.count(5) == 1
    with pytest.raises(RunError, match="finished"):
        run.resume(target=target)
    run.resume(target=target, settle="resend")
    assert run.wait(20) is RunState.FINISHED
    assert _counts(run) == {"done": 300}
    assert arrived.count(5) == 2


def test_second_resume_is_refused_with_the_owner(plan: Plan) -> None:
    """A running run can't be taken up twice; the refusal names who has it."""
    run = plan.start(target=_calls(behave=_slow(0.02)))
    _until(lambda: run.state is RunState.RUNNING)
    with pytest.raises(RunBusy, match="pid"):
        Run.open(run.id).resume()
    run.stop()
    run.wait(20)


def test_conflicts_are_kept_and_overwritten_only_on_request(tmp_path: Path) -> None:
    """Rows edited since the plan are conflicts; `overwrite` writes exactly those, and nothing else again."""
    plan = plan_of(tmp_path / "p.parquet", 100, changes=["update"])
    rows = [{"id": str(i), "name": f"old {i}" if i >= 5 else "edited"} for i in range(100)]
    target = MemoryTarget("memory:test", key=["id"], rows=rows)
    run = plan.start(target=target, chunk_size=40)
    run.wait(20)
    assert _counts(run) == {"done": 95, "conflict": 5}
    assert target.rows[("0",)]["name"] == "edited"
    run.resume(target=target, overwrite=True)
    assert run.wait(20) is RunState.FINISHED
    assert _counts(run) == {"done": 100}
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
    target = _calls(behave=_raise(ValueError("boom")))
    target.classify = _raise(KeyError("hole"))  # type: ignore[method-assign,assignment]
    run = plan.start(target=target)
    assert run.wait(20) is RunState.FAILED
    assert "boom" in run.snapshot().message


def test_full_disk_pauses_with_a_clear_message(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk runs into the reserve the run pauses, says so, and loses nothing."""
    target = _calls(behave=_slow(0.02))
    run = plan.start(target=target, workers=1)
    _until(lambda: len(target.sent) > 3)
    run.set(disk_reserve=2**60)
    _until(lambda: run.state is RunState.PAUSED)
    assert "disk" in run.snapshot().message
    run.set(disk_reserve=0, workers=20)
    run.resume()
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_too_little_disk_refuses_to_start(plan: Plan) -> None:
    """A run that could not end for want of disk fails before its first item and says what it needs."""
    target = _calls()
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
    _until(lambda: run.state is RunState.PAUSED or run.state is RunState.FINISHED)
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
