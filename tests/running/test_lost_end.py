"""A journal without its end, as in a copy that left the write-ahead log behind: nothing is sent twice."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from batchkit.core.states import RunState
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.targets.base import Item
from batchkit.testing import CallRecorder, MemoryTarget
from tests.support.plans import plan_of
from tests.support.waiting import until


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A plan of 300 creates."""
    return plan_of(tmp_path / "people.parquet", 300)


@pytest.fixture
def target() -> Iterator[MemoryTarget]:
    """An empty table that takes its time."""
    MemoryTarget._stores.clear()
    table = MemoryTarget("memory:test", key=["id"])
    table.on_apply = lambda _: time.sleep(0.01)
    yield table
    MemoryTarget._stores.clear()


def _copied(run: Run, to: Path, *names: str) -> Path:
    """A copy of the folder of a run under way, as it would be found if its process died now."""
    until(lambda: run.snapshot().outcomes["done"] >= 50)
    to.mkdir()
    # The log of what was written comes last: it may only be younger than the rest.
    for name in ("owner.json", "plan.parquet", "job.toml", "log.jsonl", "journal.sqlite", *names):
        if (run.folder / name).is_file():
            shutil.copy(run.folder / name, to)
    run.stop()
    run.wait(20)
    return to


def test_rows_that_were_written_are_done(plan: Plan, target: MemoryTarget, tmp_path: Path) -> None:
    """What the journal lost is found at the target, and is this run's own doing: an undo must know of it."""
    run = plan.start(target=target, chunk_size=10, report=False)
    copy = Run(_copied(run, tmp_path / "copy"))
    assert 50 <= len(target.rows) < 300
    assert sum(n for name, n in copy.journal.counts().items() if name != "pending") == 0
    copy.resume(target=target)
    assert copy.wait(20) is RunState.FINISHED
    assert copy.outcomes()["outcome"].to_list() == ["done"] * 300
    assert "lost its end" in (copy.folder / "log.jsonl").read_text(encoding="utf-8")


def test_messages_that_may_have_been_sent_are_left_to_the_operator(plan: Plan, tmp_path: Path) -> None:
    """Nobody gets a message twice because a journal lost what was sent; the operator's word sends it."""

    async def slow(_: Sequence[Item]) -> None:
        await asyncio.sleep(0.002)

    target = CallRecorder("memory:test", idempotent=False, behave=slow)
    run = plan.start(target=target, report=False)
    copy = Run(_copied(run, tmp_path / "copy"))
    again = CallRecorder("memory:test", idempotent=False)
    copy.resume(target=again)
    assert copy.wait(20) is RunState.FINISHED
    assert again.sent == []
    assert copy.outcomes()["outcome"].to_list() == ["unknown"] * 300
    copy.resume(target=again, settle="resend")
    assert copy.wait(20) is RunState.FINISHED
    assert sorted(again.sent) == list(range(300))


def test_a_whole_journal_is_not_suspected(plan: Plan, target: MemoryTarget, tmp_path: Path) -> None:
    """Where the end is there, a row that somebody else has set meanwhile is unchanged, as ever."""
    run = plan.start(target=target, chunk_size=10, workers=1, report=False)
    copy = Run(_copied(run, tmp_path / "copy", "journal.sqlite-wal"))
    sent = len(target.rows)
    others: dict[str, Any] = {"id": "299", "name": "new 299"}
    target.rows[("299",)] = others
    copy.resume(target=target)
    assert copy.wait(20) is RunState.FINISHED
    outcomes = copy.outcomes()["outcome"].to_list()
    assert outcomes[:50] == ["done"] * 50
    assert outcomes[299] == "unchanged"
    assert 50 <= sent < 300
