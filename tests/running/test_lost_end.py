"""A journal without its end, as in a copy that left the write-ahead log behind: nothing is sent twice."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit import Job
from batchkit.core.errors import RunError, TargetError
from batchkit.core.states import Outcome, RunState
from batchkit.journal import writer
from batchkit.journal.journal import Intent
from batchkit.journal.writer import Journal
from batchkit.planning.plan import Plan
from batchkit.running import driver, engine
from batchkit.running.run import Run
from batchkit.targets.base import Failure, Fate, Item
from batchkit.targets.sql.target import SqlTarget
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


KEPT = ("plan.parquet", "job.toml", "journal.sqlite")
NOTE = ("owner.json", "log.jsonl")


def _copy(folder: Path, to: Path, *names: str) -> Path:
    to.mkdir()
    # The log of what was written comes last: it may only be younger than the rest.
    for name in (*KEPT, *names):
        if (folder / name).is_file():
            shutil.copy(folder / name, to)
    return to


def _append_plan(folder: Path, count: int) -> tuple[Path, pl.DataFrame, Plan]:
    """A database with an empty table without a key, the rows to append to it, and their plan."""
    database = folder / "log.db"
    with contextlib.closing(sqlite3.connect(database)) as link:
        link.execute("CREATE TABLE log (name text)")
    rows = pl.DataFrame({"name": [f"n{number}" for number in range(count)]})
    return database, rows, Job(rows, to=f"sqlite:///{database}", table="log", mode="append").plan()


def _copied(run: Run, to: Path, *names: str, done: int = 50) -> Path:
    """A copy of the folder of a run under way, as it would be found if its process died now."""
    until(lambda: run.snapshot().outcomes["done"] >= done)
    _copy(run.folder, to, *names)
    run.stop()
    run.wait(20)
    return to


@pytest.mark.parametrize("names", [NOTE, ("log.jsonl",), ("attempts",), ()])
def test_rows_that_were_written_are_done(
    plan: Plan, target: MemoryTarget, tmp_path: Path, names: tuple[str, ...]
) -> None:
    """What the journal lost is found at the target, and is this run's own doing: an undo must know of it."""
    run = plan.start(target=target, chunk_size=10, report=False)
    copy = Run(_copied(run, tmp_path / "copy", *names))
    assert 50 <= len(target.rows) < 300
    assert sum(n for name, n in copy.journal.counts().items() if name != "pending") == 0
    with pytest.raises(RunError, match="cut off"):
        copy.undo()
    copy.resume(target=target)
    assert copy.wait(20) is RunState.FINISHED
    assert copy.outcomes()["outcome"].to_list() == ["done"] * 300
    assert "lost its end" in (copy.folder / "log.jsonl").read_text(encoding="utf-8")
    undo = copy.undo().start(target=target, report=False)
    assert undo.wait(20) is RunState.FINISHED
    assert not target.rows


@pytest.mark.parametrize("pages", [1, writer._LOG_PAGES])
def test_the_loss_shows_in_a_later_session_as_well(
    plan: Plan, target: MemoryTarget, tmp_path: Path, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much of its log a journal has taken over: what was written after that is done all the same."""
    monkeypatch.setattr(writer, "_LOG_PAGES", pages)
    run = plan.start(target=target, chunk_size=10, workers=1, report=False)
    until(lambda: run.snapshot().outcomes["done"] >= 50)
    run.stop()
    run.wait(20)
    run.resume(target=target)
    copy = Run(_copied(run, tmp_path / "copy", done=100))
    # With a log taken over at each commit, the copy may by chance lack nothing.
    assert 0 < copy.journal.counts()[Outcome.DONE] < len(target.rows) + (pages == 1)
    copy.resume(target=target)
    assert copy.wait(20) is RunState.FINISHED
    assert copy.outcomes()["outcome"].to_list() == ["done"] * 300


def test_a_resume_asks_a_busy_database_again_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked before anything is sent, with the patience that everything else is asked with."""
    database, rows, plan = _append_plan(tmp_path, 30)
    run = plan.start(chunk_size=10, canary=10, report=False)
    until(lambda: run.state is RunState.PAUSED)
    run.stop()
    run.wait(20)
    ask, asked = SqlTarget.applied_chunks, list[str]()

    def busy_once(self: SqlTarget, name: str) -> list[tuple[int, int]] | None:
        asked.append(name)
        if len(asked) == 1:
            raise TargetError("Busy.", failure=Failure(Fate.RETRY, "busy", "database is locked"))
        return ask(self, name)

    monkeypatch.setattr(SqlTarget, "applied_chunks", busy_once)
    run.resume(backoff=0.01)
    assert run.wait(20) is RunState.FINISHED, run.snapshot().message
    assert asked == [run.id] * 2
    with contextlib.closing(sqlite3.connect(database)) as link:
        assert sorted(name for (name,) in link.execute("SELECT name FROM log")) == sorted(rows["name"])


@pytest.mark.parametrize("size", [10, 70])
@pytest.mark.parametrize("names", [NOTE, ()])
def test_rows_without_a_key_go_in_once_whatever_the_chunks(
    tmp_path: Path, size: int, names: tuple[str, ...]
) -> None:
    """The database has on record which rows it took, so a resume in chunks of another size adds the rest."""
    database, rows, plan = _append_plan(tmp_path, 300)
    run = plan.start(chunk_size=10, delay=0.01, report=False)
    copy = Run(_copied(run, tmp_path / "copy", *names))
    # As a resume of an earlier version leaves it: refused, since its chunks overlap with those on record.
    journal = Journal(copy.folder / "journal.sqlite", lost=True)
    journal.intend([Intent(0, 69)]).result()
    journal.close()
    copy.resume(chunk_size=size, delay=0)
    assert copy.wait(20) is RunState.FINISHED, copy.snapshot().message
    assert copy.outcomes()["outcome"].to_list() == ["done"] * 300
    with contextlib.closing(sqlite3.connect(database)) as link:
        assert sorted(name for (name,) in link.execute("SELECT name FROM log")) == sorted(rows["name"])


async def _slow(_: Sequence[Item]) -> None:
    await asyncio.sleep(0.002)


def test_messages_that_may_have_been_sent_are_left_to_the_operator(plan: Plan, tmp_path: Path) -> None:
    """Nobody gets a message twice because a journal lost what was sent; the operator's word sends it."""
    target = CallRecorder("memory:test", idempotent=False, behave=_slow)
    run = plan.start(target=target, report=False)
    copy = Run(_copied(run, tmp_path / "copy", *NOTE))
    again = CallRecorder("memory:test", idempotent=False)
    copy.resume(target=again)
    assert copy.wait(20) is RunState.FINISHED
    assert again.sent == []
    assert copy.outcomes()["outcome"].to_list() == ["unknown"] * 300
    copy.resume(target=again, settle="resend")
    assert copy.wait(20) is RunState.FINISHED
    assert sorted(again.sent) == list(range(300))


def test_messages_sent_since_the_journal_took_its_log_over_are_not_sent_again(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note beside a journal shows from that very moment on that there is more than its own file has."""
    monkeypatch.setattr(writer, "_LOG_PAGES", 50)
    monkeypatch.setattr(engine, "SNAPSHOT_EVERY", 3_600)
    target = CallRecorder("memory:test", idempotent=False, behave=_slow)
    run = plan.start(target=target, report=False)
    until(lambda: run.snapshot().outcomes["done"] >= 100)
    sent = set(target.sent)
    copy = Run(_copied(run, tmp_path / "copy", *NOTE, done=100))
    assert 0 < copy.journal.counts()[Outcome.DONE] < len(target.sent)
    again = CallRecorder("memory:test", idempotent=False)
    copy.resume(target=again)
    assert copy.wait(20) is RunState.FINISHED
    assert not sent & {*again.sent}


def test_a_whole_journal_is_not_suspected(plan: Plan, target: MemoryTarget, tmp_path: Path) -> None:
    """Where the end is there, a row that somebody else has set meanwhile is unchanged, as ever."""
    run = plan.start(target=target, chunk_size=10, workers=1, report=False)
    copy = Run(_copied(run, tmp_path / "copy", *NOTE, "journal.sqlite-wal"))
    sent = len(target.rows)
    others: dict[str, Any] = {"id": "299", "name": "new 299"}
    target.rows[("299",)] = others
    copy.resume(target=target)
    assert copy.wait(20) is RunState.FINISHED
    outcomes = copy.outcomes()["outcome"].to_list()
    assert outcomes[:50] == ["done"] * 50
    assert outcomes[299] == "unchanged"
    assert 50 <= sent < 300


def test_no_moment_at_which_a_run_dies_makes_its_journal_suspect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before, in, or after any step in which the journal takes its log over, a run goes on with it."""
    copies: list[Path] = []

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql.startswith(("BEGIN", "COMMIT", "PRAGMA wal_checkpoint(")):
                copies.append(tmp_path / f"copy {len(copies)}")
                folder = next(path for path in (tmp_path / "home" / "runs").iterdir() if path.is_dir())
                _copy(folder, copies[-1], *NOTE, "journal.sqlite-wal", "attempts")
            return super().execute(sql, *values)

    def watched(path: Path, *, writer: bool) -> sqlite3.Connection:
        link = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Watched)
        link.executescript("PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = OFF")
        return link

    monkeypatch.setenv("BATCHKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(writer, "_LOG_PAGES", 10)
    monkeypatch.setattr(writer, "connect", watched)
    target = CallRecorder("memory:test", idempotent=False)
    run = plan_of(tmp_path / "few.parquet", 40).start(target=target, workers=2, report=False)
    assert run.wait(20) is RunState.FINISHED
    monkeypatch.undo()
    assert len(copies) > 20
    for folder in copies:
        driver.Driver.prepare(folder)
        assert not Run(folder).journal.lacks_end(), folder
