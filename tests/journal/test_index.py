"""The index of runs: narrows what is opened, and is never believed against folder and journal."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from batchkit.core.errors import WorkRepeated
from batchkit.core.home import home, runs_folder
from batchkit.core.states import RunState
from batchkit.journal import index
from batchkit.journal.index import NAME, Entry, all_runs, runs_with
from batchkit.journal.journal import JournalReader
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from tests.support.plans import closed_window

DIES = """
import os
from batchkit.journal import index
def cut(self, entries, gone):
    self._link.execute("BEGIN IMMEDIATE")
    self._link.execute("DELETE FROM runs")
    os._exit(9)
index._Stored.change = cut
index.all_runs()
"""
"""Changes the index and dies before it commits, as by kill -9."""


def made(folder: Path, name: str = "a") -> Plan:
    """A plan to append three rows; another name makes other rows."""
    path = folder / f"{name}.csv"
    pl.DataFrame({"name": [f"{name}{n}" for n in range(3)]}).write_csv(path)
    url = f"sqlite:///{(folder / 'log.sqlite').as_posix()}"
    return Job(str(path), to=url, table="log", mode="append", create=True).plan()


def done(plan: Plan) -> Run:
    """A run of it, at its end."""
    run = plan.start(report=False)
    assert run.wait(20) is RunState.FINISHED
    return run


def settled(run: Run) -> None:
    """Have the run's journal look as if it hadn't changed for long, so that the index may rely on it."""
    os.utime(run.folder / "journal.sqlite", (1, 1_000_000_000))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Journals that are opened from now on, be it only to look."""
    paths: list[Path] = []
    look, read = index._look, JournalReader.__init__

    def looked(folder: Path) -> Entry | None:
        paths.append(folder)
        return look(folder)

    def reading(self: JournalReader, path: Path) -> None:
        paths.append(path.parent)
        read(self, path)

    monkeypatch.setattr(index, "_look", looked)
    monkeypatch.setattr(JournalReader, "__init__", reading)
    return paths


def test_a_start_opens_only_the_journals_that_matter(tmp_path: Path, opened: list[Path]) -> None:
    """Of eight kept runs of other rows none is opened once they are known, and of the same rows just that."""
    runs = [done(made(tmp_path, name)) for name in "abcdefgh"]
    for run in runs:
        settled(run)
    all_runs()
    new = made(tmp_path, "new")
    opened.clear()
    run = new.start(report=False)
    assert set(opened) <= {run.folder}
    run.wait(20)
    opened.clear()
    with pytest.raises(WorkRepeated, match=runs[3].id):
        made(tmp_path, "d").start()
    assert set(opened) <= {runs[3].folder, run.folder}


def damaged(path: Path) -> None:
    """Fill it with something else."""
    path.write_bytes(b"no database at all, but something somebody put here" * 100)


def emptied(path: Path) -> None:
    """Leave nothing in it."""
    path.write_bytes(b"")


def of_other_layout(path: Path) -> None:
    """Make it one of another version."""
    with sqlite3.connect(path) as link:
        link.executescript("DROP TABLE runs; CREATE TABLE runs (x); PRAGMA user_version = 77;")
    link.close()


def without_its_table(path: Path) -> None:
    """Take out what it holds."""
    with sqlite3.connect(path) as link:
        link.execute("DROP TABLE runs")
    link.close()


def in_nobodys_reach(path: Path) -> None:
    """Let nothing be written there."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [Path.unlink, damaged, emptied, of_other_layout, without_its_table,
                                   in_nobodys_reach])  # fmt: skip
def test_an_index_that_is_spoilt_changes_nothing(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """Lost, damaged, of another version, or where nothing can be written: the same run is found."""
    run = done(made(tmp_path))
    assert [entry.name for entry in all_runs()] == [run.id]
    spoil(home() / NAME)
    with pytest.raises(WorkRepeated, match=run.id):
        made(tmp_path).start()
    assert [entry.name for entry in all_runs()] == [run.id]


def test_the_folder_says_which_runs_there_are(tmp_path: Path) -> None:
    """A run that was copied here is found, one that was removed by hand isn't; nor is what is no run."""
    run = done(made(tmp_path))
    all_runs()
    aside = tmp_path / run.id
    shutil.move(run.folder, aside)
    (runs_folder() / "mine").mkdir()
    assert all_runs() == []
    shutil.move(aside, run.folder)
    with pytest.raises(WorkRepeated, match=run.id):
        made(tmp_path).start()


def test_the_journal_says_what_became_of_a_run(tmp_path: Path) -> None:
    """A run that had done nothing when the index saw it, and has since: the start of the same is refused."""
    plan = made(tmp_path)
    run = plan.start(window=closed_window(), report=False)
    run.stop()
    run.wait(20)
    settled(run)
    work = plan.facts["rows"]
    (before,) = runs_with(rows=work)
    assert (before.quiet, before.did) == (True, False)
    assert before.changed, "it is relied on"
    run.resume(window=None)
    assert run.wait(20) is RunState.FINISHED
    (after,) = runs_with(rows=work)
    assert (after.quiet, after.did) == (True, True)
    with pytest.raises(WorkRepeated, match=run.id):
        plan.start()


def test_a_run_under_way_is_never_taken_for_quiet(tmp_path: Path) -> None:
    """From the moment on at which somebody takes it in hand, whatever the index said before."""
    plan = made(tmp_path)
    run = plan.start(window=closed_window(), report=False)
    run.stop()
    run.wait(20)
    settled(run)
    assert runs_with(rows=plan.facts["rows"])[0].quiet
    run.resume()
    with pytest.raises(WorkRepeated, match="at these very rows"):
        plan.start()
    run.stop()
    run.wait(20)


def test_many_at_once_find_the_same(tmp_path: Path) -> None:
    """Eight that make the index at one time all find every run."""
    names = {done(made(tmp_path, name)).id for name in "abcd"}
    for _ in range(3):
        (home() / NAME).unlink(missing_ok=True)
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda _: {entry.name for entry in all_runs()}, range(8)))
        assert found == [names] * 8


def test_a_death_while_it_is_changed_leaves_it_as_it_was(tmp_path: Path) -> None:
    """What was begun is undone when it is opened the next time."""
    run = done(made(tmp_path))
    settled(run)
    all_runs()
    other = done(made(tmp_path, "b"))
    assert subprocess.run([sys.executable, "-c", DIES], check=False).returncode == 9
    assert {entry.name for entry in all_runs()} == {run.id, other.id}
