"""Calls that rest on their own, calls that are looked back at, and what stands on record of them."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.states import Change, Outcome, RunState
from batchkit.journal.writer import Journal
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.targets.base import Failure, Fate, Item, Result
from batchkit.testing import CallRecorder, Refused, refuse
from tests.support.plans import plan_of


class Recipients(CallRecorder):
    """Items of one recipient are those whose numbers have the same remainder by three."""

    def limited_by(self, item: Item) -> Hashable:
        """Who gets it."""
        return item.index % 3


class Shelf(CallRecorder):
    """A readable target in memory whose answers can be lost on the way."""

    readable = True

    def __init__(self, rows: dict[str, str], **options: Any) -> None:
        super().__init__("memory:shelf", idempotent=False, **options)
        self.rows = rows
        self.keys = ("id",)
        self.lose: set[str] = set()
        self.lose_before: set[str] = set()

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """What is on the shelf."""
        found = [key for key in keys["id"] if key in self.rows]
        return pl.DataFrame(
            {"id": found, **{name: [self.rows[key] for key in found] for name in fields}},
            schema={"id": pl.String, **dict.fromkeys(fields, pl.String)},
        )

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:  # noqa: ARG002
        """Write, and perhaps lose the answer."""
        await asyncio.sleep(0)
        (item,) = items
        key = item.key["id"]
        if key in self.lose_before:
            self.lose_before.discard(key)
            raise Refused(Failure(Fate.UNKNOWN, "timeout", "no answer in time"))
        self.sent.append(item.index)
        self.rows[key] = item.after["name"]
        if key in self.lose:
            raise Refused(Failure(Fate.UNKNOWN, "timeout", "no answer in time"))
        return [Result(item.index, Outcome.DONE, detail={"id": f"answer {key}"})]


def shelf_plan(folder: Path, target: Shelf, rows: dict[str, str], mode: str = "upsert") -> Plan:
    """A plan to bring these rows to the shelf."""
    frame = pl.DataFrame({"id": list(rows), "name": list(rows.values())})
    job = Job(frame, "memory:shelf", key=["id"], mode=mode, fields=["name"])
    return job.plan(folder / "shelf.parquet", target=target)


def outcomes(run: Any) -> dict[str, str]:
    """Outcome by key."""
    return dict(run.outcomes().select("key", "outcome").iter_rows())


def test_key_rest_lies_between_two_calls_for_one_key_while_others_go_on(tmp_path: Path) -> None:
    """Two messages to one recipient are `key_rest` apart, and nobody else waits for that."""
    left: dict[Hashable, list[float]] = defaultdict(list)
    target = Recipients("memory:test", idempotent=False)

    def note(items: Sequence[Item]) -> None:
        left[items[0].index % 3].append(time.monotonic())

    target.behave = note
    run = plan_of(tmp_path / "p.parquet", 9).start(target=target, key_rest=0.3, workers=3, report=False)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(9))
    for times in left.values():
        assert all(b - a >= 0.29 for a, b in itertools.pairwise(times))
    firsts, seconds, _ = zip(*left.values(), strict=True)
    assert max(firsts) < min(seconds), "another recipient's rest held this one up"


def test_key_rest_begins_when_a_call_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a busy disk takes to note the first of two messages doesn't shorten the rest before the second."""
    left: list[float] = []
    target = Recipients("memory:test", idempotent=False, behave=lambda _: left.append(time.monotonic()))
    monkeypatch.setattr(target, "limited_by", lambda _: "one")
    run_commit, slow = Journal._commit, iter([0.0])

    def commit(self: Journal, connection: Any, rows: Any, statements: Any) -> None:
        if any("intents VALUES" in sql for sql, _ in statements):
            time.sleep(0.25 if next(slow, None) is not None else 0)
        run_commit(self, connection, rows, statements)

    monkeypatch.setattr(Journal, "_commit", commit)
    run = plan_of(tmp_path / "p.parquet", 2).start(target=target, key_rest=0.4, workers=2, report=False)
    assert run.wait(60) is RunState.FINISHED
    assert left[1] - left[0] >= 0.39


def test_rest_of_one_call_lets_its_worker_go_on(tmp_path: Path) -> None:
    """A call that is told to rest alone comes back later; with one worker, all others are sent before."""
    seen: list[int] = []

    def behave(items: Sequence[Item]) -> None:
        seen.append(items[0].index)
        if items[0].index == 0 and seen.count(0) == 1:
            raise refuse(Fate.RETRY, "pair rate", rest=0.5)

    target = CallRecorder("memory:test", behave=behave, idempotent=False)
    run = plan_of(tmp_path / "p.parquet", 6).start(target=target, workers=1, backoff=0, report=False)
    assert run.wait(20) is RunState.FINISHED
    assert seen == [0, 1, 2, 3, 4, 5, 0]
    assert run.snapshot().outcomes["done"] == 6


def test_stop_while_a_call_rests_leaves_it_pending_and_resume_sends_it(tmp_path: Path) -> None:
    """A resting call is not waited for by a stop, and is not lost either."""

    def behave(items: Sequence[Item]) -> None:
        if items[0].index == 0:
            raise refuse(Fate.RETRY, "pair rate", rest=60)

    target = CallRecorder("memory:test", behave=behave, idempotent=False)
    run = plan_of(tmp_path / "p.parquet", 6).start(target=target, backoff=0, report=False)
    deadline = time.monotonic() + 10
    while run.snapshot().outcomes["done"] < 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    run.stop()
    assert run.wait(5) is RunState.STOPPED
    assert run.snapshot().outcomes["pending"] == 1
    target.behave = None
    run.resume(target=target)
    assert run.wait(10) is RunState.FINISHED
    assert sorted(target.sent) == list(range(6))


@pytest.mark.parametrize("lost", ["after the write", "before the write"])
def test_update_that_nobody_answered_is_looked_back_at(tmp_path: Path, lost: str) -> None:
    """Where the target can be read, an update without an answer ends done: found so, or sent again."""
    target = Shelf({"a": "old", "b": "old"})
    plan = shelf_plan(tmp_path, target, {"a": "new", "b": "new"})
    (target.lose if lost == "after the write" else target.lose_before).add("b")
    run = plan.start(target=target, backoff=0.01, report=False)
    assert run.wait(10) is RunState.FINISHED
    assert outcomes(run) == {"a": "done", "b": "done"}
    assert target.rows == {"a": "new", "b": "new"}
    assert sorted(target.sent) == [0, 1]


def test_create_that_nobody_answered_is_never_sent_again_on_its_own(tmp_path: Path) -> None:
    """What was to be created and isn't there may still come, so it stays unknown; what is there is done."""
    target = Shelf({})
    plan = shelf_plan(tmp_path, target, {"a": "1", "b": "2", "c": "3"})
    assert plan.counts == {str(Change.CREATE): 3}
    target.lose.add("b")
    target.lose_before.add("c")
    run = plan.start(target=target, backoff=0.01, report=False)
    assert run.wait(10) is RunState.FINISHED
    assert outcomes(run) == {"a": "done", "b": "done", "c": "unknown"}
    assert sorted(target.sent) == [0, 1]


def test_item_found_changed_by_others_is_a_conflict(tmp_path: Path) -> None:
    """What holds neither the former nor the wanted value after a lost answer is shown with both."""
    target = Shelf({"a": "old"})
    plan = shelf_plan(tmp_path, target, {"a": "new"})
    target.lose.add("a")
    spoil = target.send

    async def send(items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        try:
            return await spoil(items, dry_run=dry_run)
        finally:
            target.rows["a"] = "somebody's"

    target.send = send  # type: ignore[method-assign]
    run = plan.start(target=target, backoff=0.01, report=False)
    assert run.wait(10) is RunState.FINISHED
    row = run.outcomes("conflict").row(0, named=True)
    assert json.loads(row["detail"])["name"] == {"planned": "old", "found": "somebody's", "wanted": "new"}


def test_answer_of_a_done_item_is_kept_in_the_journal(tmp_path: Path) -> None:
    """What a target says of an item that is done, such as a message's id, is on record."""
    target = Shelf({"a": "old"})
    run = shelf_plan(tmp_path, target, {"a": "new"}).start(target=target, report=False)
    assert run.wait(10) is RunState.FINISHED
    assert json.loads(run.outcomes().row(0, named=True)["detail"]) == {"id": "answer a"}


def test_call_that_is_pushed_back_while_others_pass_is_never_the_items_fault(tmp_path: Path) -> None:
    """However often a busy target turns an item away, it is sent as long as others get through."""
    tries = 0

    def behave(items: Sequence[Item]) -> None:
        nonlocal tries
        if items[0].index == 0 and tries < 12:
            tries += 1
            raise refuse(Fate.RETRY, "429", pushback=True)

    async def slow(items: Sequence[Item]) -> None:
        await asyncio.sleep(0.02)
        behave(items)

    target = CallRecorder("memory:test", behave=slow, idempotent=False)
    run = plan_of(tmp_path / "p.parquet", 120).start(
        target=target, workers=2, retries=2, backoff=0.01, backoff_max=0.05, report=False
    )
    assert run.wait(20) is RunState.FINISHED
    assert run.snapshot().outcomes["done"] == 120
    assert tries == 12


def test_target_that_only_pushes_back_ends_the_run_with_its_items_pending(tmp_path: Path) -> None:
    """Items that a busy target never took are sound: they stay pending, and the run can be resumed."""

    def behave(_: Sequence[Item]) -> None:
        raise refuse(Fate.RETRY, "too many requests", pushback=True)

    target = CallRecorder("memory:test", behave=behave, idempotent=False)
    run = plan_of(tmp_path / "p.parquet", 5).start(target=target, retries=2, backoff=0.01, report=False)
    assert run.wait(20) is RunState.FAILED
    assert run.snapshot().outcomes["pending"] == 5
    assert "too many requests" in run.snapshot().message


class Deaf(Shelf):
    """Answers no read once it is told to be silent."""

    silent = False

    async def read_now(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """What is on the shelf, or nothing for an hour."""
        if self.silent:
            await asyncio.sleep(3600)
        return self.read(keys, fields)


def test_read_that_nobody_answers_is_cut_off_by_the_timeout(tmp_path: Path) -> None:
    """A comparison that takes longer than the timeout is tried again, then ends the run resumably."""
    target = Deaf({"a": "old"})
    plan = shelf_plan(tmp_path, target, {"a": "new"})
    target.silent = True
    run = plan.start(target=target, timeout=0.3, retries=1, backoff=0.01, report=False)
    assert run.wait(10) is RunState.FAILED
    assert run.snapshot().outcomes["pending"] == 1


def test_stop_ends_a_read_at_once(tmp_path: Path) -> None:
    """What changes nothing at the target is not waited for."""
    target = Deaf({"a": "old"})
    plan = shelf_plan(tmp_path, target, {"a": "new"})
    target.silent = True
    run = plan.start(target=target, report=False)
    time.sleep(0.3)
    before = time.monotonic()
    run.stop()
    assert run.wait(10) is RunState.STOPPED
    assert time.monotonic() - before < 1.0


def test_item_that_a_firewall_minds_is_rejected_and_the_others_pass(tmp_path: Path) -> None:
    """A page in place of an answer for one item again and again, while others pass, is about that item."""
    holds = 0

    def behave(items: Sequence[Item]) -> None:
        nonlocal holds
        if items[0].index == 3:
            holds += 1
            raise refuse(Fate.RETRY, "blocked", rule="firewall", pushback=True, retry_after=0.3)

    target = CallRecorder("memory:test", behave=behave, idempotent=False)
    run = plan_of(tmp_path / "p.parquet", 60).start(target=target, retries=2, backoff=0.01, report=False)
    assert run.wait(20) is RunState.FINISHED
    assert run.snapshot().outcomes["done"] == 59
    row = run.outcomes("rejected").row(0, named=True)
    assert (row["item"], row["rule"], holds) == (3, "firewall", 3)


def test_what_may_have_been_written_is_never_called_rejected(tmp_path: Path) -> None:
    """An update whose answers get lost until the tries run out is looked up: it is done."""
    target = Shelf({"a": "old"})
    target.idempotent = True
    plan = shelf_plan(tmp_path, target, {"a": "new"})
    target.lose.add("a")
    run = plan.start(target=target, retries=2, backoff=0.01, report=False)
    assert run.wait(10) is RunState.FINISHED
    assert outcomes(run) == {"a": "done"}


def test_message_that_may_have_gone_out_ends_unknown(tmp_path: Path) -> None:
    """Where nothing can be looked up, tries that got no answer leave a doubt and not a refusal."""

    def behave(_: Sequence[Item]) -> None:
        raise refuse(Fate.UNKNOWN, "no answer")

    target = CallRecorder("memory:test", behave=behave, idempotent=True)
    run = plan_of(tmp_path / "p.parquet", 1).start(target=target, retries=1, backoff=0.01, report=False)
    assert run.wait(10) is RunState.FINISHED
    assert run.snapshot().outcomes["unknown"] == 1


def test_tries_during_an_outage_use_up_no_retries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was tried while nobody answered doesn't count when the target is back and stumbles once."""
    monkeypatch.setattr("batchkit.running.outage.FIRST_LOOK", 0.05)
    faults = [refuse(Fate.RETRY, "refused", connection=True)] * 4 + [refuse(Fate.RETRY, "500")]

    def behave(_: Sequence[Item]) -> None:
        if faults:
            raise faults.pop(0)

    target = CallRecorder("memory:test", behave=behave)
    run = plan_of(tmp_path / "p.parquet", 1).start(
        target=target, retries=1, backoff=0.01, wait_for_target=20, report=False
    )
    assert run.wait(20) is RunState.FINISHED
    assert run.snapshot().outcomes["done"] == 1


def test_stop_waits_for_no_resting_call(tmp_path: Path) -> None:
    """A call that is told to rest just as the run stops stays pending."""
    begun = asyncio.Event()

    async def behave(_: Sequence[Item]) -> None:
        begun.set()
        await asyncio.sleep(0.3)
        raise refuse(Fate.RETRY, "pair rate", rest=30)

    target = CallRecorder("memory:test", behave=behave, idempotent=False)
    run = plan_of(tmp_path / "p.parquet", 1).start(target=target, report=False)
    while not begun.is_set():
        time.sleep(0.01)
    before = time.monotonic()
    run.stop()
    assert run.wait(10) is RunState.STOPPED
    assert time.monotonic() - before < 2.0
    assert run.snapshot().outcomes["pending"] == 1


def test_refusal_of_the_login_for_one_of_several_ends_the_run(tmp_path: Path) -> None:
    """Items of one call may each have a reason of their own to be sent again; a lost login ends the run."""
    aborts = Failure(Fate.ABORT, "401", "the login is no longer valid")
    waits = Failure(Fate.RETRY, "429", "too often", retry_after=0.2, pushback=True)

    def behave(items: Sequence[Item]) -> list[Result]:
        return [
            Result(items[1].index, Outcome.PENDING, failure=waits),
            Result(items[2].index, Outcome.PENDING, failure=aborts),
        ]

    target = CallRecorder("memory:test", behave=behave, call_size=3)
    run = plan_of(tmp_path / "p.parquet", 3).start(target=target, report=False)
    assert run.wait(10) is RunState.FAILED
    assert "no longer valid" in run.snapshot().message
    assert {n: v for n, v in run.snapshot().outcomes.items() if v} == {"done": 1, "pending": 2}


def test_items_that_are_to_wait_make_the_run_wait(tmp_path: Path) -> None:
    """`Retry-After` of one item in a call is obeyed like that of a whole call."""
    left: list[float] = []

    def behave(items: Sequence[Item]) -> list[Result]:
        left.append(time.monotonic())
        again = Failure(Fate.RETRY, "429", "too often", retry_after=0.5, pushback=True)
        return [Result(items[0].index, Outcome.PENDING, failure=again)] if len(left) == 1 else []

    target = CallRecorder("memory:test", behave=behave, call_size=2)
    run = plan_of(tmp_path / "p.parquet", 2).start(target=target, backoff=0.01, report=False)
    assert run.wait(10) is RunState.FINISHED
    assert left[1] - left[0] >= 0.45
