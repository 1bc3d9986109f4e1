"""What can't be seen at the target is done once: not a second time by starting again, unless one means it."""

from __future__ import annotations

import contextlib
import io
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.errors import RunFailed, WorkRepeated
from batchkit.core.states import RunState
from batchkit.journal.run_folder import starting
from batchkit.panel.screen import run_screen
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.planning.plan_file import PlanWriter
from batchkit.planning.work import RowSum
from batchkit.reports.progress import watch
from batchkit.running.repeats import Records
from batchkit.running.run import Run, list_runs
from batchkit.targets.sql.target import SqlTarget
from tests.support.crashes import kill_while_at_work
from tests.support.plans import closed_window
from tests.support.rest_jobs import items, stored
from tests.support.sandboxes import Sandbox
from tests.support.terminal import call

DIES = """
import os, sys
from batchkit.planning.plan import Plan
from batchkit.running.driver import Driver
Driver.start_on = lambda *_, **__: os._exit(9)
Plan.load(sys.argv[1]).start()
"""
"""Makes a run and dies before it is driven, as by kill -9."""


class Log:
    """A table without a key, and the file that goes into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "log.sqlite"
        self.url = f"sqlite:///{self.path.as_posix()}"
        self.make()

    def make(self) -> None:
        """An empty database, whatever was there."""
        self.path.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(self.path)) as link:
            link.execute("CREATE TABLE log (name TEXT, n INTEGER)")

    def plan(self, rows: pl.DataFrame, name: str = "rows.csv", **options: Any) -> Plan:
        """The plan of these rows, from a file."""
        source = self.folder / name
        rows.write_excel(source) if source.suffix == ".xlsx" else rows.write_csv(source)
        return Job(str(source), to=self.url, table="log", mode="append", **options).plan()

    def count(self) -> int:
        """Rows of the table."""
        with contextlib.closing(sqlite3.connect(self.path)) as link:
            return int(link.execute("SELECT count(*) FROM log").fetchone()[0])


@pytest.fixture
def log(tmp_path: Path) -> Log:
    """An empty table without a key."""
    return Log(tmp_path)


def rows(count: int, start: int = 0) -> pl.DataFrame:
    """Rows `name, n`."""
    numbers = pl.int_range(start, start + count, eager=True)
    return pl.DataFrame({"name": "n° " + numbers.cast(pl.String), "n": numbers})


def done(run: Run) -> Run:
    """The run, once it is finished."""
    assert run.wait(30) is RunState.FINISHED, run.snapshot().message
    return run


def stopped(plan: Plan, after: int, **settings: Any) -> Run:
    """A run that was stopped after so many items."""
    run = plan.start(canary=after, chunk_size=after, report=False, **settings)
    while run.state is not RunState.PAUSED:
        assert run.wait(0.02) not in (RunState.FINISHED, RunState.FAILED)
    run.stop()
    assert run.wait(20) is RunState.STOPPED
    return run


def test_a_killed_append_is_gone_on_with_and_not_begun_anew(log: Log) -> None:
    """The same command again exits with 2, names the run and `resume`; after that the table is the file."""
    plan = log.plan(rows(1000))
    run = plan.start(detach=True, chunk_size=50, delay=0.1, report=False)
    kill_while_at_work(run)
    before = log.count()
    assert 0 < before < 1000
    command = ["run", str(log.folder / "rows.csv"), "--to", log.url, "--table", "log", "--mode", "append"]
    said = call(*command, "--yes", code=2).stderr
    assert f"batchkit resume {run.id}" in " ".join(said.split())
    assert log.count() == before
    call("resume", run.id, "--delay", "0")
    assert log.count() == 1000
    call(*command, "--yes", code=2)
    assert log.count() == 1000
    call(*command, "--yes", "--again")
    assert log.count() == 2000


def test_a_detached_run_that_died_at_its_start_is_in_nobodys_way(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is gone before it took the run in hand, so the same rows are started at once."""
    plan = log.plan(rows(30))
    interpreter = log.folder / "python-that-dies"
    interpreter.write_text("#!/bin/sh\nexit 3\n")
    interpreter.chmod(0o755)
    with monkeypatch.context() as patched:
        patched.setattr("batchkit.running.child.sys.executable", str(interpreter))
        dead = plan.start(detach=True)
    with pytest.raises(RunFailed, match="ended at its start"):
        dead.began()
    done(plan.start(report=False))
    assert log.count() == 30


def test_a_database_that_takes_its_time_keeps_nobody_else_from_starting(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for its record before the lock is taken under which runs start, and once only."""
    plan = log.plan(rows(30))
    done(plan.start(report=False))
    log.make()
    asked: list[str] = []
    answer = SqlTarget.has_run

    def ask(target: SqlTarget, run: str) -> bool | None:
        with starting().acquire(timeout=0):  # it is free: another run could start now
            asked.append(run)
        return answer(target, run)

    monkeypatch.setattr(SqlTarget, "has_run", ask)
    second = done(plan.start(report=False))
    assert log.count() == 30
    asked.clear()
    with pytest.raises(WorkRepeated, match=second.id):
        plan.start()
    assert asked == [second.id]


def test_a_finished_append_is_not_applied_twice(log: Log) -> None:
    """Nor its plan, nor a new one of the same file; the message says how many rows are there."""
    plan = log.plan(rows(30))
    first = done(plan.start(report=False))
    for each in (plan, log.plan(rows(30))):
        with pytest.raises(WorkRepeated, match=f"30 of them.*{first.id}") as refused:
            each.start()
        assert "resume" not in str(refused.value), "nothing is left of it"
    assert log.count() == 30
    assert plan.start(dry_run=True).wait(20) is RunState.FINISHED
    done(plan.start(again=True, report=False))
    assert log.count() == 60


@pytest.mark.parametrize("name", ["other.csv", "other.xlsx"])
def test_the_same_rows_are_the_same_work_however_they_are_written(log: Log, name: str) -> None:
    """Under another name, in another order, with columns exchanged, as a workbook: refused all the same."""
    done(log.plan(rows(30)).start(report=False))
    mixed = rows(30).sample(fraction=1, shuffle=True, seed=1).select("n", "name")
    with pytest.raises(WorkRepeated):
        log.plan(mixed, name).start()
    options = {"create": True, "target": {"busy_timeout": 3.0}}
    with pytest.raises(WorkRepeated):
        log.plan(mixed, name, **options).start()


def test_equal_rows_of_one_file_and_other_files_pass(log: Log) -> None:
    """A row that stands twice goes in twice; so do the rows that tomorrow's file shares with today's."""
    done(log.plan(pl.concat([rows(10), rows(10)])).start(report=False))
    assert log.count() == 20
    done(log.plan(rows(10)).start(report=False))
    done(log.plan(rows(15)).start(report=False))
    assert log.count() == 45


def test_another_table_and_another_database_pass(log: Log) -> None:
    """Work is what is written and where."""
    done(log.plan(rows(5)).start(report=False))
    with contextlib.closing(sqlite3.connect(log.path)) as link:
        link.execute("CREATE TABLE other (name TEXT, n INTEGER)")
    source = str(log.folder / "rows.csv")
    done(Job(source, to=log.url, table="other", mode="append").plan().start(report=False))
    (log.folder / "elsewhere").mkdir()
    elsewhere = Log(log.folder / "elsewhere")
    done(elsewhere.plan(rows(5)).start(report=False))


def test_a_database_made_anew_passes(log: Log) -> None:
    """What the target has on record has the last word: none of the rows are there."""
    first = stopped(log.plan(rows(30)), 10)
    with pytest.raises(WorkRepeated):
        log.plan(rows(30)).start()
    log.make()
    second = done(log.plan(rows(30)).start(report=False))
    assert log.count() == 30
    with pytest.raises(WorkRepeated, match=second.id):
        first.resume()
    assert log.count() == 30
    log.path.unlink()
    done(log.plan(rows(30), create=True).start(report=False))
    assert log.count() == 30


def test_a_run_that_another_took_over_is_not_gone_on_with_in_silence(log: Log) -> None:
    """Killed, started again by the operator's word: to resume the first would double its rows."""
    first = stopped(log.plan(rows(30)), 10)
    second = stopped(log.plan(rows(30)), 5, again=True)
    with pytest.raises(WorkRepeated, match=f"{second.id}.*appended 5"):
        first.resume()
    said = call("resume", first.id, code=2).stderr
    assert second.id in " ".join(said.split())
    done(second.resume(canary=None))
    assert log.count() == 40
    call("resume", first.id, "--again", "--canary", "none")
    assert log.count() == 60


def test_two_that_had_done_nothing_end_as_one(log: Log) -> None:
    """Neither refuses the other's start; the one that goes on first keeps the other from it."""
    plan = log.plan(rows(30))
    first = plan.start(window=closed_window(), report=False)
    with pytest.raises(WorkRepeated, match="at these very rows"):
        plan.start()
    first.stop()
    first.wait(20)
    second = plan.start(window=closed_window(), report=False)
    second.stop()
    second.wait(20)
    done(first.resume(window=None))
    with pytest.raises(WorkRepeated, match=first.id):
        second.resume(window=None)
    assert log.count() == 30


def test_a_run_that_did_nothing_is_in_nobodys_way(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """It failed at the door: the same command, once the cause is mended, needs no word more."""
    plan = log.plan(rows(30))
    with monkeypatch.context() as patch:
        patch.setattr(SqlTarget, "connect", lambda _: 1 / 0)
        assert plan.start(report=False).wait(20) is RunState.FAILED
    done(plan.start(report=False))
    assert log.count() == 30


def test_a_run_whose_process_died_at_its_start_is_in_nobodys_way(log: Log) -> None:
    """Killed between the making of its folder and its first sign of work: the same command goes through."""
    plan = log.plan(rows(30))
    died = subprocess.run([sys.executable, "-c", DIES, str(plan.path)], check=False)
    assert died.returncode == 9
    (dead,) = list_runs()
    assert dead.state is RunState.PLANNED
    done(plan.start(report=False))
    with pytest.raises(WorkRepeated):
        dead.resume()
    assert log.count() == 30


def test_a_target_that_cannot_be_asked_leaves_it_to_the_journal(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answers: what the journal says counts."""
    plan = log.plan(rows(30))
    done(plan.start(report=False))
    monkeypatch.setattr(SqlTarget, "has_run", lambda *_: 1 / 0)
    with pytest.raises(WorkRepeated):
        plan.start()


def test_plans_of_earlier_versions_are_guarded_by_their_source(log: Log, tmp_path: Path) -> None:
    """Their plans don't know the sum of their rows: the same file, mapped alike, is the same work."""
    plan = log.plan(rows(30))
    facts = {name: value for name, value in plan.facts.items() if name != "rows"}
    frame = plan.changes().collect()
    with PlanWriter(tmp_path / "old.parquet", frame.schema) as writer:
        writer.write(frame)
        old = Plan(tmp_path / "old.parquet", writer.finish(facts))
    done(old.start(report=False))
    for each in (old, plan):
        with pytest.raises(WorkRepeated):
            each.start()


def test_creates_over_http_that_cannot_be_read_back_are_guarded(server: Sandbox) -> None:
    """A create without a way to find it again, as an append: once is once."""
    create = {"create": {"method": "POST", "url": "/items"}}
    job = Job(items(4), to=f"http+{server.url}", mode="append", target=create)
    first = done(job.plan().start(report=False))
    with pytest.raises(WorkRepeated, match=first.id):
        job.plan().start()
    slower = Job(items(4), to=f"http+{server.url}", mode="append", target={**create, "read_timeout": 9})
    with pytest.raises(WorkRepeated):
        slower.plan().start()
    assert len(server.items()) == len(stored(items(4)))


@pytest.mark.parametrize(
    "other",
    [
        {"target": {"headers": {"X-Trace": "2"}}},
        {"target": {"create": {"headers": {"Authorization": "{secret:new_token}"}}}},
        {"target": {"status": {"409": "unchanged"}, "check": "none"}},
        {"target": {"create": {"idempotency": "Idempotency-Key"}}},
        {"to": "/"},
        {"to": "upper"},
        {"to": "localhost"},
        {"mode": "upsert"},
    ],
)
def test_how_creates_are_sent_makes_no_other_work_of_them(
    server: Sandbox, other: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header, a new token's name, a slash at the end of the address or a mode: the rows are the same."""
    monkeypatch.setenv("BATCHKIT_SECRET_NEW_TOKEN", "t")
    first = done(_creating(server).plan().start(report=False))
    with pytest.raises(WorkRepeated, match=first.id):
        _creating(server, **other).plan().start()
    assert len(server.items()) == len(stored(items(4)))


@pytest.mark.parametrize(
    "other",
    [
        {"create": {"url": "/drafts"}},
        {"create": {"body": {"name": "{name}", "price": 0}}},
    ],
)
def test_another_request_or_body_is_other_work(server: Sandbox, other: dict[str, Any]) -> None:
    """The same rows sent elsewhere below the address, or as something else, are not what was sent."""
    first, second = _creating(server).plan(), _creating(server, target=other).plan()
    assert first.facts["rows"] != second.facts["rows"]


def _creating(server: Sandbox, to: str = "", mode: str = "append", target: Any = None) -> Job:
    """A job whose rows can't be found again."""
    spelt = {"upper": ("http://", "HTTP://"), "localhost": ("127.0.0.1", "LocalHost")}
    address = server.url.replace(*spelt[to]) if to in spelt else f"{server.url}{to}"
    create = {"method": "POST", "url": "/items", **(target or {}).get("create", {})}
    key = [] if mode == "append" else ["id"]
    return Job(
        items(4), to=f"http+{address}", mode=mode, key=key, target={**(target or {}), "create": create}
    )


def test_a_link_to_the_database_is_the_database(log: Log) -> None:
    """Rows that were appended by way of a link are there, and so is the table in capitals."""
    first = done(log.plan(rows(30)).start(report=False))
    link = log.folder / "link.sqlite"
    link.symlink_to(log.path)
    source = str(log.folder / "rows.csv")
    for table in ("log", "LOG"):
        plan = Job(source, to=f"sqlite:///{link.as_posix()}", table=table, mode="append").plan()
        with pytest.raises(WorkRepeated, match=first.id):
            plan.start()
    assert log.count() == 30


def test_rows_that_come_once_more_are_told_by_the_run_itself(log: Log) -> None:
    """By whichever link to the database: in its figures for every view, in what watches it, in its report."""
    first = done(log.plan(rows(30)).start(report=False))
    link = log.folder / "link.sqlite"
    link.symlink_to(log.path)
    rows(30, start=20).write_csv(log.folder / "next.csv")
    plan = Job(str(log.folder / "next.csv"), to=f"sqlite:///{link}", table="log", mode="append").plan()
    run, file = plan.start(), io.StringIO()
    watch(run, file)
    told = f"Of these rows, 10 were appended before, last by the run {first.id}"
    assert told in file.getvalue()
    for seen in (run, Run.open(run.id)):
        assert [text.partition(".")[0] for text in seen.snapshot().notices] == [told]
        assert told in run_screen(seen.snapshot(), "", {}).message
    assert told in (run.folder / "report.html").read_text(encoding="utf-8")
    assert not first.snapshot().notices


@pytest.mark.parametrize(
    ("url", "options", "same"),
    [
        ("postgresql://me@DB.example:5432/crm", {"table": "log", "schema": "public"}, True),
        ("postgresql://me@db.example/crm", {"table": "public.log"}, True),
        ("postgresql://other@db.example/crm", {"table": "log"}, True),
        ("postgresql://me@db.example/crm", {"table": "archive.log"}, False),
        ("postgresql://me@db.example:5433/crm", {"table": "log"}, False),
        ("postgresql://me@db.example/shop", {"table": "log"}, False),
    ],
)
def test_a_database_has_one_destination_however_it_is_written(
    url: str, options: dict[str, Any], same: bool
) -> None:
    """The login, the usual port and the usual schema make no other table of it."""
    usual = SqlTarget("postgresql://me@db.example/crm", table="log", mode="append")
    assert (SqlTarget(url, mode="append", **options).destination == usual.destination) is same


def test_names_of_a_lookup_that_is_yet_to_be_made_are_the_same_work(tmp_path: Path) -> None:
    """The first run creates the category and is stopped; a new plan finds its id, and is refused."""
    log = Log(tmp_path)
    with contextlib.closing(sqlite3.connect(log.path)) as link:
        link.execute("CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
        link.execute("ALTER TABLE log ADD COLUMN category_id INTEGER")
    wanted = rows(10).with_columns(category_id=pl.lit("Food"))
    lookups = {"category_id": {"table": "categories", "by": "name", "create": True}}
    first = stopped(log.plan(wanted, lookups=lookups), 5)
    with pytest.raises(WorkRepeated, match=first.id):
        log.plan(wanted, lookups=lookups).start()


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 3)), max_size=8), st.randoms())
def test_a_sum_forgets_the_order_and_keeps_how_often(
    pairs: list[tuple[str | None, int]], rng: random.Random
) -> None:
    """Equal multisets of rows have equal sums, cut as they may be; one row more or less has another."""

    def summed(some: list[tuple[str | None, int]], cut: int) -> tuple[int, int]:
        total = RowSum()
        for part in (some[:cut], some[cut:]):
            frame = pl.DataFrame(part, schema={"v:x": pl.String, "v:y": pl.Int64}, orient="row")
            total.add(frame, {"v:x": "x", "v:y": "y"})
        return total.rows, total._sum

    mixed = rng.sample(pairs, len(pairs))
    assert summed(pairs, len(pairs) // 2) == summed(mixed, rng.randint(0, len(pairs)))
    assert summed([*pairs, ("a", 1)], 1) != summed(pairs, 1)


def test_the_target_is_asked_again_of_a_run_that_has_done_more(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had before the lock under which runs start was waited for may not be its last word."""
    answers = [False, True]
    monkeypatch.setattr(SqlTarget, "has_run", lambda *_: answers.pop(0))
    records = Records(log.plan(rows(3)))
    assert records.of("r", 0) is False
    assert records.of("r", 0) is False
    assert records.of("r", 3) is True
