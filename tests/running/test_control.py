"""A run seen and steered from another process than the one that drives it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from batchkit.core.errors import RunBusy, RunError, RunNotFound
from batchkit.core.states import RunState
from batchkit.journal import journal as journals
from batchkit.journal.owner import owner_of
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run, list_runs
from tests.support.crashes import companies, make_table
from tests.support.waiting import until


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A plan of 2,000 creates against an empty SQLite table."""
    url = f"sqlite:///{tmp_path / 'crm.sqlite'}"
    make_table(url, keyed=True).dispose()
    companies(2_000).write_csv(tmp_path / "companies.csv", separator=";")
    return Job(str(tmp_path / "companies.csv"), to=url, table="companies", key=["siret"]).plan()


def _rows(plan: Plan) -> int:
    engine = sa.create_engine(plan.facts["target"]["url"])
    with engine.connect() as connection:
        count = int(connection.execute(sa.text("SELECT count(*) FROM companies")).scalar_one())
    engine.dispose()
    return count


def test_a_suspended_owner_is_named_with_what_to_do(plan: Plan) -> None:
    """Who steers a run whose process was put to sleep is told at once who holds it, and what to do.

    Whichever way they steer: no advice leads to another command that is refused.
    """
    run = plan.start(detach=True, chunk_size=20, delay=0.05, report=False)
    until(lambda: run.snapshot().outcomes["done"] > 0)
    owner = owner_of(run.folder)
    assert owner is not None
    process = psutil.Process(owner.pid)
    process.suspend()
    try:
        until(owner.is_suspended)
        before = time.monotonic()
        for steer in (run.pause, run.resume, run.stop, run.undo):
            with pytest.raises(RunBusy, match=f"held by pid {owner.pid} .* suspended") as caught:
                steer()
            assert f"kill -CONT {owner.pid}" in caught.value.advice
        assert time.monotonic() - before < 2
    finally:
        process.resume()
    run.set(delay=0)
    assert run.wait(30) is RunState.FINISHED


def test_a_journal_that_stays_locked_names_who_holds_it(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that nobody lets go of is told as one, with its holder; copying the folder would not help."""
    run = plan.start(detach=True, chunk_size=20, delay=30, report=False)
    until(lambda: run.snapshot().outcomes["done"] > 0)
    monkeypatch.setattr(journals, "PATIENCE", 0.1)
    onlooker = Run.open(run.id)
    other = sqlite3.connect(run.folder / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RunBusy, match="held by pid") as caught:
        onlooker.pause()
    assert "copy" not in str(caught.value)
    other.execute("ROLLBACK")
    other.close()
    run.stop()
    run.wait(30)
    other = sqlite3.connect(run.folder / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RunBusy, match="Another program holds"):
        onlooker.journal.post("pause", {}, "me")
    other.close()


def test_detached_run_obeys_this_process(plan: Plan) -> None:
    """Pause, set, resume and stop reach a run in another process within half a second, and lose no row."""
    run = plan.start(detach=True, chunk_size=20, delay=0.05, report=False)
    until(lambda: run.state is RunState.RUNNING and run.snapshot().outcomes["done"] > 0)
    assert run.snapshot().owner.startswith("pid ")
    before = time.monotonic()
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    assert time.monotonic() - before < 0.6
    written = _rows(plan)
    time.sleep(0.3)
    assert _rows(plan) == written < 2_000
    run.set(delay=0, chunk_size=333)
    run.resume()
    assert run.wait(30) is RunState.FINISHED
    assert _rows(plan) == 2_000
    assert run.snapshot().outcomes["done"] == 2_000


def test_second_resume_names_the_owner(plan: Plan) -> None:
    """A run that another process drives can't be taken up; the refusal names that process."""
    run = plan.start(detach=True, chunk_size=20, delay=0.2, report=False)
    until(lambda: run.state is RunState.RUNNING)
    assert run._child is not None
    with pytest.raises(RunBusy, match=f"pid {run._child.pid}"):
        Run.open(run.id).resume()
    run.stop()
    assert run.wait(20) is RunState.STOPPED


def test_finished_run_says_nobody_drives_it(plan: Plan) -> None:
    """What nobody drives can't be paused; how to take it up is said where something is left."""
    run = plan.start(report=False)
    run.wait(20)
    with pytest.raises(RunError, match="nothing runs to pause") as refused:
        run.pause()
    assert not refused.value.advice


def test_killed_process_leaves_an_interrupted_run(plan: Plan) -> None:
    """After kill -9 the run shows as interrupted with true counts, and ends in this process when resumed."""
    run = plan.start(detach=True, chunk_size=20, delay=0.05, report=False)
    until(lambda: run.snapshot().outcomes["done"] > 0)
    assert run._child is not None
    run._child.kill()
    run._child.wait()
    assert run.state is RunState.INTERRUPTED
    snapshot = run.snapshot()
    assert 0 < snapshot.outcomes["done"] < 2_000
    assert sum(snapshot.outcomes.values()) == 2_000
    run.resume(delay=0, chunk_size=500)
    assert run.wait(20) is RunState.FINISHED
    assert _rows(plan) == 2_000


def test_dry_run_resumed_never_touches_the_real_one(plan: Plan) -> None:
    """A dry run that is stopped and resumed stays dry: the table is empty, the real run not begun."""
    dry = plan.start(dry_run=True, chunk_size=50, delay=0.05, report=False)
    until(lambda: dry.snapshot().outcomes["done"] > 0)
    dry.stop()
    dry.wait(20)
    real = plan.start(canary=100, chunk_size=100, report=False)
    until(lambda: real.state is RunState.PAUSED)
    dry.resume(delay=0)
    assert dry.wait(20) is RunState.FINISHED
    assert _rows(plan) == 100
    assert real.snapshot().outcomes["done"] == 100
    real.resume()
    assert real.wait(20) is RunState.FINISHED
    assert _rows(plan) == 2_000


def test_open_finds_runs_by_part_of_their_name(plan: Plan) -> None:
    """A run is found by its id, a part of it, `last`, or its folder; what fits none or many is an error."""
    first, second = plan.start(report=False), plan.start(dry_run=True, report=False)
    first.wait(20)
    second.wait(20)
    assert Run.open(first.id).id == Run.open(first.folder).id == first.id
    assert Run.open(first.id[-4:]).id == first.id
    assert {run.id for run in list_runs()} == {first.id, second.id}
    with pytest.raises(RunNotFound, match="More than one"):
        Run.open("companies")
    with pytest.raises(RunNotFound, match="no run"):
        Run.open("nonsense")


def test_copied_folder_resumes_elsewhere(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run folder holds all a run needs: a copy of it goes on where the original stopped."""
    import shutil

    run = plan.start(canary=500, chunk_size=100, report=False)
    until(lambda: run.state is RunState.PAUSED)
    run.stop()
    run.wait(20)
    elsewhere = tmp_path / "elsewhere" / run.id
    shutil.copytree(run.folder, elsewhere)
    plan.path.unlink()
    copy = Run.open(elsewhere)
    copy.resume()
    assert copy.wait(20) is RunState.FINISHED
    assert _rows(plan) == 2_000


def test_what_is_asked_right_after_resume_is_not_lost(plan: Plan) -> None:
    """A pause posted before the new session is even connected holds; one posted to a dead session doesn't."""
    run = plan.start(detach=True, chunk_size=20, delay=0.05, report=False)
    until(lambda: run.snapshot().outcomes["done"] > 0)
    assert run._child is not None
    run._child.kill()
    run._child.wait()
    run.journal.post("stop", {}, "somebody who came too late")
    run.resume()
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    run.resume(delay=0)
    assert run.wait(20) is RunState.FINISHED
    assert _rows(plan) == 2_000
