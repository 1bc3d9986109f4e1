"""Calls that fail: tried again, split, refused, left unknown, or the end of the run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest

from batchkit.core.errors import RunError, RunFailed
from batchkit.core.states import Outcome, RunState
from batchkit.planning.plan import Plan
from batchkit.targets.base import Fate, Item, Result
from batchkit.testing import MemoryTarget, refuse
from tests.support.runs import calls, counts, raising


def test_retry_tries_again_and_counts(plan: Plan) -> None:
    """A call that fails twice and then passes is done once; the retries are counted."""
    failures: dict[int, int] = {}

    def flaky(items: Sequence[Item]) -> None:
        index = items[0].index
        failures[index] = failures.get(index, 0) + 1
        if index % 50 == 0 and failures[index] < 3:
            raise refuse(Fate.RETRY, "503")

    target = calls(behave=flaky)
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

    run = plan.start(target=calls(behave=behave), backoff=0.001, retries=2)
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

    target = calls(call_size=25, behave=behave)
    run = plan.start(target=target)
    run.wait(20)
    assert counts(run) == {"done": 299, "rejected": 1}
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
    assert counts(run) == {"done": 299, "rejected": 1}
    assert sorted(target.applied) == [i for i in range(300) if i != 40]
    assert run.outcomes("rejected")["reason"].to_list() == ["constraint violated"]


def test_items_the_target_wants_again_are_sent_again_alone(plan: Plan) -> None:
    """A result of `pending` within a call means: this one once more, the others are settled."""
    asked: list[int] = []

    def behave(items: Sequence[Item]) -> list[Result]:
        again = [item.index for item in items if item.index == 12 and 12 not in asked]
        asked.extend(again)
        return [Result(index, Outcome.PENDING) for index in again]

    run = plan.start(target=calls(call_size=10, behave=behave), backoff=0.001)
    assert run.wait(20) is RunState.FINISHED
    assert counts(run) == {"done": 300}


def test_abort_fails_the_run_and_keeps_the_rest_pending(plan: Plan) -> None:
    """A wrong password ends the run at once, with the reason; it can be resumed when it is mended."""
    target = calls(behave=raising(refuse(Fate.ABORT, "401: wrong password")))
    run = plan.start(target=target)
    assert run.wait(20) is RunState.FAILED
    assert "wrong password" in run.snapshot().message
    assert counts(run) == {"pending": 300}
    with pytest.raises(RunFailed, match=rf"Run.open\(\"{run.id}\"\).resume"):
        run.raise_for_state()
    target.behave = None
    run.resume(target=target)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_a_silent_target_fails_the_run_and_rejects_nobody(plan: Plan) -> None:
    """When nobody answers, the items are not to blame: they stay pending and the run says what happened."""
    run = plan.start(target=calls(behave=raising(ConnectionError("refused"))), backoff=0.001)
    assert run.wait(20) is RunState.FAILED
    assert counts(run) == {"pending": 300}
    assert "did not answer" in run.snapshot().message or "failed" in run.snapshot().message


def test_wait_for_target_carries_on_by_itself(plan: Plan) -> None:
    """With `wait_for_target` a target that comes back is taken up again without anybody's help."""
    back = time.monotonic() + 0.6

    def behave(_: Sequence[Item]) -> None:
        if time.monotonic() < back:
            raise ConnectionError("down")

    target = calls(behave=behave)
    run = plan.start(target=target, wait_for_target=0.3 + 5, backoff=0.01)
    assert run.wait(30) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_failure_limit_ends_a_run_that_goes_wrong(plan: Plan) -> None:
    """When half of the first hundred items fail, the run gives up instead of failing them all."""
    run = plan.start(
        target=calls(behave=raising(refuse(Fate.REJECT, "404"))), failure_limit="50%", chunk_size=20
    )
    assert run.wait(20) is RunState.FAILED
    assert "failure limit" in run.snapshot().message
    assert 100 <= counts(run)["rejected"] < 300


@pytest.mark.parametrize(("limit", "rejected"), [("100%", 150), (1, 1), (1.0, 1)])
def test_a_limit_of_all_is_no_limit_of_one(plan: Plan, limit: Any, rejected: int) -> None:
    """100% gives up only when every item failed; 1 at the first that does, also where it is stored as 1.0."""

    def behave(items: Sequence[Item]) -> None:
        if items[0].index % 2 == 1:
            raise refuse(Fate.REJECT, "404")

    run = plan.start(target=calls(behave=behave), failure_limit=limit, failure_min=2, workers=1, report=False)
    run.wait(20)
    assert counts(run)["rejected"] == rejected


def test_timeout_of_a_repeatable_call_is_tried_again(plan: Plan) -> None:
    """A call that hangs is cut off; where sending twice is harmless it is sent again."""
    hung: list[int] = []

    async def behave(items: Sequence[Item]) -> None:
        if items[0].index == 5 and not hung:
            hung.append(5)
            await asyncio.sleep(60)

    target = calls(behave=behave)
    run = plan.start(target=target, timeout=0.3, backoff=0.01)
    assert run.wait(20) is RunState.FINISHED
    assert counts(run) == {"done": 300}


def test_timeout_of_an_unrepeatable_call_is_unknown_and_never_sent_again(plan: Plan) -> None:
    """Where sending twice would do harm, a call without an answer is left for the operator to settle."""
    arrived: list[int] = []

    async def behave(items: Sequence[Item]) -> None:
        arrived.append(items[0].index)
        if items[0].index == 5 and arrived.count(5) == 1:
            await asyncio.sleep(60)

    target = calls(idempotent=False, behave=behave)
    run = plan.start(target=target, timeout=0.3)
    assert run.wait(20) is RunState.FINISHED
    assert counts(run) == {"done": 299, "unknown": 1}
    assert arrived.count(5) == 1
    with pytest.raises(RunError, match="finished"):
        run.resume(target=target)
    run.resume(target=target, settle="resend")
    assert run.wait(20) is RunState.FINISHED
    assert counts(run) == {"done": 300}
    assert arrived.count(5) == 2
