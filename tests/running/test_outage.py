"""A target that is away for everybody is waited for; what only one item meets is that item's own."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.states import RunState
from batchkit.running.run import Run
from batchkit.targets.base import Fate, Item, Result
from batchkit.testing import CallRecorder, refuse
from tests.support.plans import plan_of
from tests.support.sandboxes import until

FAST = {"backoff": 0.01, "workers": 3, "report": False}


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the target every few hundredths of a second."""
    monkeypatch.setattr("batchkit.running.outage.FIRST_LOOK", 0.05)
    monkeypatch.setattr("batchkit.running.outage.LONGEST_LOOK", 0.05)


class Site(CallRecorder):
    """A target behind a gateway: while it is down, the gateway answers in its place.

    Attributes:
        down: Pings after which it is back (calls, where it has no ping); 0 when it is up.
        falls_at: Calls after which it goes down.
        answer: What the gateway says meanwhile, as arguments of `refuse`.
        pings: How often it was asked whether it is there.
        tries: How often each item was sent, in vain or not.
    """

    pings_back = True

    def __init__(self, **options: Any) -> None:
        super().__init__("memory:test", **options)
        self.down = self.falls_at = self.pings = 0
        self.answer: dict[str, Any] = {"fate": Fate.UNKNOWN, "rule": "502", "away": True}
        self.tries: Counter[int] = Counter()

    def turn_away(self) -> None:
        """Raise what the gateway says."""
        if self.down:
            self.down -= not self.pings_back
            raise refuse(**{"reason": f"gateway says {self.answer['rule']}", **self.answer})

    async def ping(self) -> bool:
        """Whether it is there."""
        self.pings += 1
        self.down = max(self.down - 1, 0)
        self.turn_away()
        return True

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        """Take items while the site is up."""
        self.tries.update(item.index for item in items)
        if self.falls_at and sum(self.tries.values()) > self.falls_at:
            self.falls_at, self.down = 0, 8 if self.pings_back else 20
        self.turn_away()
        return await super().send(items, dry_run=dry_run)


class Mute(Site):
    """Has nothing that could be asked without harm."""

    pings_back = False

    async def ping(self) -> bool:
        """Nothing."""
        return False


class ReadOnly(Site):
    """Answers the question whether it is there all the while it turns calls away."""

    pings_back = False

    async def ping(self) -> bool:
        """It is."""
        self.pings += 1
        return True


def counts(run: Run) -> dict[str, int]:
    """Outcomes that occur."""
    return {name: n for name, n in run.snapshot().outcomes.items() if n}


@pytest.mark.parametrize(
    "answer",
    [
        {"fate": Fate.UNKNOWN, "rule": "502", "away": True},
        {"fate": Fate.RETRY, "rule": "503", "away": True, "pushback": True},
        {"fate": Fate.RETRY, "rule": "429", "pushback": True},
        {"fate": Fate.RETRY, "rule": "connection", "connection": True},
    ],
    ids=["502", "503", "429", "refused"],
)
@pytest.mark.parametrize("kind", [Site, Mute])
def test_a_target_that_turns_everybody_away_is_waited_for(
    tmp_path: Path, answer: dict[str, Any], kind: type[Site]
) -> None:
    """A dead site behind a gateway costs time and no item: each is done, and was taken once."""
    target = kind()
    target.falls_at, target.answer = 10, answer
    run = plan_of(tmp_path / "p.parquet", 30).start(target=target, wait_for_target=20, **FAST)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 30}
    assert sorted(target.sent) == list(range(30))
    log = (run.folder / "log.jsonl").read_text()
    assert "target is away" in log
    assert "target answers again" in log


@pytest.mark.parametrize("rule", ["502", "429"])
def test_without_the_setting_the_run_fails_and_names_it(tmp_path: Path, rule: str) -> None:
    """Who didn't ask for patience learns how to, and every item is left for a resume."""
    target = Site()
    target.down = 10_000
    if rule == "429":
        target.answer = {"fate": Fate.RETRY, "rule": "429", "pushback": True}
    run = plan_of(tmp_path / "p.parquet", 30).start(target=target, **FAST)
    assert run.wait(60) is RunState.FAILED
    assert counts(run) == {"pending": 30}
    assert f"gateway says {rule}" in run.snapshot().message
    assert "wait until it is back: wait_for_target" in run.snapshot().message
    target.down = 0
    run.resume(target=target)
    assert run.wait(60) is RunState.FINISHED
    assert counts(run) == {"done": 30}


def test_a_target_that_stays_away_ends_the_run_in_time(tmp_path: Path) -> None:
    """It is waited for as long as the setting says and no longer, and the message says so."""
    target = Site()
    target.down = 10_000
    before = time.monotonic()
    run = plan_of(tmp_path / "p.parquet", 5).start(target=target, wait_for_target=0.6, **FAST)
    assert run.wait(60) is RunState.FAILED
    assert time.monotonic() - before < 20
    assert counts(run) == {"pending": 5}
    assert "as wait_for_target says" in run.snapshot().message


def test_a_gateway_leaves_few_messages_in_doubt(tmp_path: Path) -> None:
    """Only what was under way ends in doubt; all others go out when the site is back, each once."""
    target = Site(idempotent=False)
    target.falls_at = 10
    run = plan_of(tmp_path / "p.parquet", 60).start(target=target, wait_for_target=20, **FAST)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert 1 <= counts(run)["unknown"] <= 3, "more than the workers had in hand"
    assert max(target.tries.values()) == 1, "a message was sent twice"
    assert counts(run)["done"] == len(target.sent) == 60 - counts(run)["unknown"]


@pytest.mark.parametrize(("kind", "waits"), [(Site, 0), (Mute, 0), (Mute, 20)])
def test_a_dead_gateway_is_not_fed_with_messages(tmp_path: Path, kind: type[Site], waits: float) -> None:
    """Where nothing can be asked, or nobody wants to wait, a few in doubt end the run and not hundreds."""
    target = kind(idempotent=False)
    target.down = 10_000
    run = plan_of(tmp_path / "p.parquet", 60).start(
        target=target, wait_for_target=waits, connection_limit=4, **FAST
    )
    assert run.wait(60) is RunState.FAILED
    assert counts(run)["unknown"] <= 4 + 2
    assert counts(run)["pending"] >= 54
    assert "wait_for_target" in run.snapshot().message


def test_a_long_order_to_wait_ends_when_the_target_is_back(tmp_path: Path) -> None:
    """Maintenance that names ten minutes and is over at once holds the run for as long as it lasts."""
    target = Site()
    target.falls_at = 5
    target.answer = {"fate": Fate.RETRY, "rule": "503", "away": True, "pushback": True, "retry_after": 600}
    run = plan_of(tmp_path / "p.parquet", 20).start(target=target, **FAST)
    until(lambda: run.snapshot().limiter.startswith("the target asked to wait (503)"))
    assert run.wait(60) is RunState.FINISHED
    assert counts(run) == {"done": 20}


def test_an_order_to_go_slower_is_obeyed_in_full(tmp_path: Path) -> None:
    """Who was asked too often is asked nothing before its time."""
    target = Site()
    target.pings_back, target.down = False, 1
    target.answer = {"fate": Fate.RETRY, "rule": "429", "pushback": True, "retry_after": 0.8}
    sent: list[float] = []

    def note(_: Sequence[Item]) -> None:
        sent.append(time.monotonic())

    target.behave = note
    start = time.monotonic()
    run = plan_of(tmp_path / "p.parquet", 3).start(target=target, **{**FAST, "workers": 1})
    assert run.wait(60) is RunState.FINISHED
    assert sent[0] - start >= 0.75
    assert target.pings == 0


def test_a_question_that_misleads_is_not_asked_for_ever(tmp_path: Path) -> None:
    """Where reading works all the while, a long order to wait is obeyed after one vain look."""
    target = ReadOnly()
    target.down = 2
    target.answer = {"fate": Fate.RETRY, "rule": "503", "away": True, "pushback": True, "retry_after": 0.9}
    start = time.monotonic()
    run = plan_of(tmp_path / "p.parquet", 1).start(target=target, **FAST)
    assert run.wait(60) is RunState.FINISHED
    assert time.monotonic() - start >= 0.85
    assert target.pings == 1


def test_what_one_item_does_to_a_gateway_is_that_items_fault(tmp_path: Path) -> None:
    """An item that kills the server behind the gateway fails alone, though nobody else is under way."""
    target = Site()

    def behave(items: Sequence[Item]) -> None:
        if items[0].index == 2:
            raise refuse(Fate.UNKNOWN, "502", away=True)

    target.behave = behave
    run = plan_of(tmp_path / "p.parquet", 3).start(target=target, retries=1, **FAST)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 2, "unknown": 1}
    assert run.outcomes("unknown")["item"].to_list() == [2]


def test_a_call_that_was_under_way_may_get_through_meanwhile(tmp_path: Path) -> None:
    """An answer from before the outage, come late, neither ends the run nor the patience with the target."""

    class Late(Site):
        def __init__(self) -> None:
            super().__init__()
            self.asked = asyncio.Event()

        async def ping(self) -> bool:
            self.asked.set()
            return await super().ping()

        async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
            if items[0].index:
                return await super().send(items, dry_run=dry_run)
            await self.asked.wait()
            self.sent.append(0)
            return None

    target = Late()
    target.down = 6
    run = plan_of(tmp_path / "p.parquet", 9).start(target=target, wait_for_target=20, retries=0, **FAST)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 9}
    assert sorted(target.sent) == list(range(9))


def test_a_stop_and_a_pause_are_heard_while_a_target_is_waited_for(tmp_path: Path) -> None:
    """Nobody is asked while the run is paused, and a stop ends the wait at once."""
    target = Site()
    target.down = 10_000
    run = plan_of(tmp_path / "p.parquet", 5).start(target=target, wait_for_target=60, **FAST)
    until(lambda: target.pings > 2)
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    time.sleep(0.1)  # a question that was under way
    before = target.pings
    time.sleep(0.3)
    assert target.pings == before
    run.resume()
    until(lambda: target.pings > before)
    start = time.monotonic()
    run.stop()
    assert run.wait(5) is RunState.STOPPED
    assert time.monotonic() - start < 1.0
    assert counts(run) == {"pending": 5}


class Shelf(Site):
    """A site that can be read, when it is there."""

    readable = True

    def __init__(self, rows: dict[str, str], **options: Any) -> None:
        super().__init__(**options)
        self.rows = rows
        self.reads = 0

    async def read_now(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """What is there now; the first question is answered, so that something is sent."""
        self.reads += 1
        if self.reads > 1:
            self.turn_away()
        return self.read(keys, fields)

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:  # noqa: ARG002
        """What is there."""
        found = [(key, self.rows[key]) for key in keys["id"] if key in self.rows]
        return pl.DataFrame(found, schema={"id": pl.String, "name": pl.String}, orient="row")

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        """Write."""
        results = await super().send(items, dry_run=dry_run)
        self.rows.update((item.key["id"], item.after["name"]) for item in items)
        return results


@pytest.mark.parametrize("idempotent", [True, False])
def test_an_update_cut_off_by_an_outage_is_compared_and_sent_by_a_resume(
    tmp_path: Path, idempotent: bool
) -> None:
    """What nobody could look up before the run gave up is no doubt for ever: a resume looks, and sends."""
    target = Shelf({"0": "old 0"}, idempotent=idempotent)
    target.down = 10_000
    run = plan_of(tmp_path / "p.parquet", 1, changes=["update"]).start(target=target, retries=1, **FAST)
    assert run.wait(60) is RunState.FAILED
    assert sum(target.tries.values()) > 0, "it was never sent"
    target.down = 0
    run.resume(target=target)
    assert run.wait(60) is RunState.FINISHED
    assert counts(run) == {"done": 1}
    assert target.rows == {"0": "new 0"}
    assert target.sent == [0]


def _mind(*minded: int) -> Callable[[Sequence[Item]], None]:
    """A target's behaviour: it turns these items away for ever, and takes all others."""

    def behave(items: Sequence[Item]) -> None:
        if items[0].index in minded:
            raise refuse(Fate.RETRY, "too often for this one", rule="429", pushback=True)

    return behave


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(("kind", "minded"), [(Site, (7,)), (Site, (29,)), (Mute, (7,))])
def test_one_item_that_is_always_turned_away_fails_alone(
    tmp_path: Path, kind: type[Site], minded: tuple[int, ...], workers: int
) -> None:
    """A target that serves all others isn't away: the item is refused in the target's words, the run ends."""
    target = kind(behave=_mind(*minded))
    settings = {**FAST, "workers": workers}
    run = plan_of(tmp_path / "p.parquet", 30).start(target=target, retries=1, backoff_max=0.02, **settings)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 30 - len(minded), "rejected": len(minded)}
    refused = run.outcomes("rejected")
    assert refused["item"].to_list() == list(minded)
    assert "too often for this one" in refused["reason"][0]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", [Site, Mute])
@pytest.mark.parametrize(
    "minded",
    [(7, 8), (0, 1), (58, 59), (2, 11, 43), (4, 5, 6, 7), tuple(range(3, 15))],
    ids=["neighbours", "first", "last", "apart", "four", "twelve"],
)
def test_items_that_are_always_turned_away_fail_alone(
    tmp_path: Path, kind: type[Site], minded: tuple[int, ...], workers: int
) -> None:
    """A few workers that hold such items, one and all, don't take the target for away: others get through."""
    target = kind(behave=_mind(*minded))
    settings = {**FAST, "workers": workers, "backoff_max": 0.02, "retries": 1}
    run = plan_of(tmp_path / "p.parquet", 60).start(target=target, **settings)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 60 - len(minded), "rejected": len(minded)}
    assert sorted(run.outcomes("rejected")["item"]) == list(minded)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("kind", [Mute, ReadOnly])
def test_a_target_that_turns_all_away_from_some_point_on_costs_no_item(
    tmp_path: Path, kind: type[Site], workers: int
) -> None:
    """Where no question tells, a handful of items in a row do: none is refused for what befalls all."""
    target = kind()
    target.answer = {"fate": Fate.RETRY, "rule": "429", "pushback": True}

    def fall(items: Sequence[Item]) -> None:
        target.down = 10_000 if len(target.sent) == 10 else 0

    target.behave = fall
    settings = {**FAST, "workers": workers, "backoff_max": 0.02, "retries": 1}
    run = plan_of(tmp_path / "p.parquet", 30).start(target=target, **settings)
    assert run.wait(60) is RunState.FAILED
    assert set(counts(run)) == {"done", "pending"}
    assert "wait_for_target" in run.snapshot().message
    target.down, target.behave = 12, None
    run.resume(target=target, wait_for_target=20)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 30}


def test_a_resume_with_only_such_an_item_left_finishes(tmp_path: Path) -> None:
    """Nobody else can show that the target is there any more, but the target itself answers."""
    target = Site(behave=_mind(0))
    run = plan_of(tmp_path / "p.parquet", 1).start(target=target, retries=1, backoff_max=0.02, **FAST)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"rejected": 1}


def test_a_limit_in_bursts_costs_no_item(tmp_path: Path) -> None:
    """A living server that takes a few and turns the rest away for a while gets all of them in the end."""
    taken = 0
    opens = 0.0

    def behave(_: Sequence[Item]) -> None:
        nonlocal taken, opens
        if time.monotonic() < opens:
            raise refuse(Fate.RETRY, "429", pushback=True, retry_after=max(opens - time.monotonic(), 0.01))
        taken += 1
        if taken % 5 == 0:
            opens = time.monotonic() + 0.1

    target = Mute(behave=behave)
    run = plan_of(tmp_path / "p.parquet", 30).start(target=target, retries=2, **FAST)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 30}
