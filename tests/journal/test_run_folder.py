"""The folder of a run: whole or not there, with a plan of its own."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from batchkit.core.errors import DiskFull, PlanError, RunNotFound, UsageError
from batchkit.core.home import runs_folder
from batchkit.core.states import RunState
from batchkit.journal import run_folder
from batchkit.journal.run_folder import REMOVED
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run, list_runs
from batchkit.testing import MemoryTarget
from batchkit.upkeep.retention import clean
from tests.support.plans import plan_of
from tests.support.terminal import Shop, call, make_shop, told

DIES = """
import os, sys
from batchkit.journal import run_folder
from batchkit.planning.plan import Plan
plan = Plan.load(sys.argv[1])
owner, name = {"copying": (Plan, "save"), "journal": (run_folder, "create_journal"),
               "renaming": (run_folder.Path, "rename")}[sys.argv[2]]
whole = getattr(owner, name)
def cut(*given, **named):
    if sys.argv[2] != "renaming":
        whole(*given, **named)
    os._exit(9)
setattr(owner, name, cut)
plan.start()
"""
"""Starts a run and dies at a step of making its folder, as by kill -9."""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A plan of three creates."""
    return plan_of(tmp_path / "p.parquet", 3)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop of 20 rows."""
    return make_shop(tmp_path)


def names() -> list[str]:
    """What lies in the folder of runs, locks aside."""
    return sorted(path.name for path in runs_folder().iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("step", ["copying", "journal", "renaming"])
def test_a_death_while_it_is_made_leaves_no_run(step: str, plan: Plan) -> None:
    """At whichever step: no run is seen, the next start is not refused, and clean takes the half away."""
    died = subprocess.run([sys.executable, "-c", DIES, str(plan.path), step], check=False)
    assert died.returncode == 9
    assert len(names()) == 1, "the half"
    assert list_runs() == []
    with pytest.raises(RunNotFound):
        Run.open("last")
    run = plan.start(target=MemoryTarget("memory:test", key=["id"]), report=False)
    assert run.wait(20) is RunState.FINISHED
    clean()  # if the run's own start hasn't
    assert names() == [run.id]


def test_halves_of_earlier_versions_are_passed_over(shop: Shop) -> None:
    """Their journal has no tables: `show`, `report` and `resume` take the run before; clean removes them."""
    run = told("run", *shop.options, "--yes")["run"]
    half = runs_folder() / "20991231-235959000-shops-abcd"
    half.mkdir()
    shutil.copy2(shop.csv, half / "plan.parquet")
    sqlite3.connect(half / "journal.sqlite").close()
    (half / "journal.sqlite").touch()
    assert told("show", "last")["run"] == run
    assert [each["run"] for each in told("runs")] == [run]
    call("report", "last", "--to", shop.csv.with_name("report.csv"))
    assert half.name not in call("resume", "last", code=2).output
    assert [each["path"] for each in told("clean")["removed"]] == [str(half)]
    assert names() == [run]


def test_nothing_is_cleaned_while_a_run_is_made(shop: Shop) -> None:
    """A half may be somebody's at work: while one process makes a run, halves stay."""
    half = runs_folder() / ".20991231-235959000-shops-abcd.part"
    half.mkdir()
    with run_folder.starting():
        assert clean() == []
    assert [each.path for each in clean()] == [half]


def test_what_is_no_half_stays(shop: Shop) -> None:
    """A folder of the operator's own, and a run that somebody took the journal out of to look at it."""
    run = told("run", *shop.options, "--yes")["run"]
    (runs_folder() / run / "journal.sqlite").rename(shop.csv.with_name("journal.sqlite"))
    (runs_folder() / "mine").mkdir()
    assert clean() == []
    assert names() == sorted([run, "mine"])


def test_a_clean_up_that_was_killed_is_ended_by_the_next(shop: Shop) -> None:
    """What is left of a run that was being removed is no run any more, and goes."""
    folder = runs_folder() / told("run", *shop.options, "--yes")["run"]
    (folder / "journal.sqlite").rename(folder / REMOVED)
    assert list_runs() == []
    assert [each.path for each in clean()] == [folder]
    assert not folder.exists()


def test_a_detached_run_with_a_target_leaves_no_folder(plan: Plan) -> None:
    """It is refused before anything is made, so that the start which follows it goes through."""
    target = MemoryTarget("memory:test", key=["id"])
    with pytest.raises(UsageError, match="detached"):
        plan.start(target=target, detach=True)
    assert not runs_folder().exists() or names() == []
    run = plan.start(target=target, report=False)
    assert run.wait(20) is RunState.FINISHED
    with pytest.raises(UsageError, match="detached"):
        run.resume(target=target, detach=True, settle="done")


def test_a_plan_written_over_in_place_leaves_its_run_alone(shop: Shop, tmp_path: Path) -> None:
    """The operator's file is filled with something else, as `cp` does: the run goes on, and can be undone."""
    before = shop.held()
    plan = Job(shop.csv, to=shop.url, table="shops", key=["id"]).plan(tmp_path / "shops.plan.parquet")
    run = plan.start(canary=5, chunk_size=5)
    while run.state is not RunState.PAUSED:
        run.wait(0.05)
    run.stop()
    assert run.wait(20) is RunState.STOPPED
    plan.path.write_bytes(plan_of(tmp_path / "other.parquet", 50).path.read_bytes())
    again = Run.open(run.id)
    again.resume(canary=None)
    assert again.wait(20) is RunState.FINISHED
    assert len(shop.held()) == 20
    assert again.undo().start().wait(20) is RunState.FINISHED
    assert shop.held() == before


def test_a_saved_plan_is_a_file_of_its_own(plan: Plan, tmp_path: Path) -> None:
    """The copy says the same, and stays as it is whatever is done to the first."""
    copy = plan.save(tmp_path / "copy.parquet")
    assert copy.path.read_bytes() == plan.path.read_bytes()
    plan.path.write_bytes(b"")
    assert len(Plan.load(copy.path)) == 3


def test_a_plan_is_copied_where_the_system_call_is_missing(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand, as on other systems and between some file systems."""

    def refuse(*_: object) -> int:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    assert len(Plan.load(plan.save(tmp_path / "one.parquet").path)) == 3
    monkeypatch.delattr(os, "copy_file_range")
    assert len(Plan.load(plan.save(tmp_path / "two.parquet").path)) == 3


def test_a_plan_replaced_since_it_was_opened_is_not_started(plan: Plan, tmp_path: Path) -> None:
    """What was looked at is what is applied: another plan under the same name is refused, and no run made."""
    plan.path.write_bytes(plan_of(tmp_path / "other.parquet", 50).path.read_bytes())
    with pytest.raises(PlanError, match="changed or replaced"):
        plan.start(target=MemoryTarget("memory:test", key=["id"]))
    assert names() == []


def test_a_plan_that_is_gone_is_not_started(plan: Plan) -> None:
    """Removed since it was opened, by a clean-up maybe: a sentence, and no run."""
    plan.path.unlink()
    with pytest.raises(PlanError, match="can't be read"):
        plan.start(target=MemoryTarget("memory:test", key=["id"]))
    assert names() == []


def test_the_copy_of_the_plan_counts_in_the_disk_need(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the copy finds no room, no run is made."""
    usage = shutil.disk_usage(plan.path)._replace(free=plan.path.stat().st_size)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskFull, match=r"needs .*B at .* are there"):
        plan.start(target=MemoryTarget("memory:test", key=["id"]))
    assert names() == []
