"""The ledger: what was sent or appended is known for longer than its run is kept, and says nothing else."""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.errors import WorkRepeated
from batchkit.core.home import home
from batchkit.core.states import RunState
from batchkit.journal import ledger
from batchkit.journal.index import NAME as INDEX
from batchkit.journal.ledger import FILE, KEY_FILE, Ledger
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.upkeep.retention import DAY, Retention, clean
from tests.support.graph import PHONE, Graph
from tests.support.terminal import call, make_shop, told
from tests.support.whatsapp_jobs import again, planned, started

PEOPLE = [("0612345678", "Zoé"), ("0611223344", "Léa"), ("0760000001", "Ana")]


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login for the messages."""
    monkeypatch.setenv("whatsapp_token", "practice")


def appended(folder: Path, rows: list[str], name: str = "rows.csv") -> Plan:
    """A plan to append these."""
    pl.DataFrame({"name": rows}).write_csv(folder / name)
    url = f"sqlite:///{(folder / 'log.sqlite').as_posix()}"
    return Job(str(folder / name), to=url, table="log", mode="append", create=True).plan(
        folder / f"{name}.parquet"
    )


def messages(graph: Graph, people: list[tuple[str, str]]) -> Plan:
    """A plan to greet them."""
    rows = pl.DataFrame(
        [(to, f"Bonjour {name} !") for to, name in people], schema=["to", "text"], orient="row"
    )
    return planned(graph, rows, {})


def done(run: Run) -> Run:
    """The run, once it is finished."""
    assert run.wait(20) is RunState.FINISHED, run.snapshot().message
    return run


def removed(run: Run) -> None:
    """Have the run cleaned away."""
    assert [each.path for each in clean(Retention(runs=0), now=time.time() + 1)] == [run.folder]
    assert not run.folder.exists()


def test_appended_rows_are_known_after_their_run_was_removed(tmp_path: Path) -> None:
    """The run is named all the same; a database made anew passes, and so does what was forgotten."""
    plan = appended(tmp_path, ["a", "b", "b"])
    run = done(plan.start(report=False))
    removed(run)
    with pytest.raises(WorkRepeated, match=f"3 of them, by the run {run.id}"):
        plan.start()
    (tmp_path / "log.sqlite").unlink()
    second = done(plan.start(report=False))
    removed(second)
    with pytest.raises(WorkRepeated, match=second.id):
        plan.start()
    assert told("clean", "--dry-run", "--forget")["forgotten"] is False
    with pytest.raises(WorkRepeated, match=second.id):
        plan.start()
    assert "forgotten" in call("clean", "--forget").stdout
    assert not (home() / FILE).exists()
    assert not (home() / KEY_FILE).exists()
    done(plan.start(report=False))


def test_each_message_is_known_after_its_run_was_removed() -> None:
    """Of a changed list, who got the very same words is counted; others and other words pass."""
    graph = Graph()
    run = started(graph, messages(graph, PEOPLE))
    assert len(graph.messages) == 3
    removed(run)
    with pytest.raises(WorkRepeated, match=f"2 of these messages.*{run.id}"):
        started(graph, messages(graph, [*PEOPLE[:2], ("0699999999", "Max")]))
    done(started(graph, messages(graph, [("0612345678", "Zoé B."), ("0699999999", "Max")])))
    assert len(graph.messages) == 5


def test_a_ledger_of_an_earlier_version_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its items were hashed by the address as it was written: nobody gets a message twice for that."""
    graph = Graph()
    run = started(graph, messages(graph, PEOPLE))
    tags = Ledger._tags

    def older(self: Ledger, plan: Plan, *journal: Any, **_: Any) -> Iterator[bytes]:
        return tags(self, plan, *journal, key=self._older_key(plan))

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "_tags", older)
        patched.setattr(ledger, "places_of", lambda facts: (facts["address"],) * 2)
        removed(run)
    with pytest.raises(WorkRepeated, match=f"2 of these messages.*{run.id}"):
        started(graph, messages(graph, [*PEOPLE[:2], ("0699999999", "Max")]))
    assert len(graph.messages) == 3


def test_each_message_is_known_while_its_run_is_kept() -> None:
    """The same, whatever becomes of index and ledger; and a run that was stopped counts with what it sent."""
    graph = Graph()
    plan = messages(graph, PEOPLE)
    run = plan.start(target=again(graph, plan), rate=None, delay=0, canary=1, chunk_size=1, report=False)
    while run.state is not RunState.PAUSED:
        run.wait(0.05)
    run.stop()
    run.wait(20)
    changed = messages(graph, [*PEOPLE, ("0699999999", "Max")])
    for _ in range(2):
        with pytest.raises(WorkRepeated, match="1 of these messages"):
            changed.start(target=again(graph, changed))
    for name in (FILE, KEY_FILE, INDEX):
        (home() / name).unlink(missing_ok=True)
        (home() / name).mkdir()
    with pytest.raises(WorkRepeated, match=f"1 of these messages.*{run.id}"):
        changed.start(target=again(graph, changed))


def test_nothing_in_it_can_be_turned_back() -> None:
    """No number, no word of a message; not even the hash of one that somebody could find by trying all."""
    graph = Graph()
    plan = messages(graph, PEOPLE)
    removed(started(graph, plan))
    held = (home() / FILE).read_bytes()
    key = (home() / KEY_FILE).read_bytes()
    assert len(key) == 32
    assert key not in held
    assert all(word.encode() not in held for person in PEOPLE for word in (*person, PHONE, person[0][1:]))
    with sqlite3.connect(home() / FILE) as link:
        ((before,),) = link.execute("SELECT tags FROM items").fetchall()
    link.close()
    call("clean", "--forget")
    with Ledger() as other:
        (after,) = other._tags(plan)
    assert not set(memoryview(before).cast("Q")) & set(memoryview(after).cast("Q")), (
        "another key, other hashes"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_it_is_closed_to_other_users(tmp_path: Path) -> None:
    """Ledger and key are the operator's alone."""
    removed(done(appended(tmp_path, ["a"]).start(report=False)))
    for name in (FILE, KEY_FILE):
        assert stat.S_IMODE((home() / name).stat().st_mode) == 0o600


def test_a_run_that_cannot_be_written_down_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the ledger, then the folder: where the ledger can't be written, nothing is removed."""
    plan = appended(tmp_path, ["a"])
    run = done(plan.start(report=False))
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "FILE", "not/there.sqlite")
        assert clean(Retention(runs=0), now=time.time() + 1) == []
    assert run.folder.exists()
    with pytest.raises(WorkRepeated, match=run.id):
        plan.start()
    removed(run)


def test_it_forgets_after_its_days(tmp_path: Path) -> None:
    """90 by default, or as many as are said; runs that are still kept are not its own to forget."""
    plan = appended(tmp_path, ["a"])
    run = done(plan.start(report=False))
    removed(run)
    clean(now=time.time() + 89 * DAY)
    with pytest.raises(WorkRepeated):
        plan.start()
    call("clean", "--ledger-days", "1")
    with pytest.raises(WorkRepeated):
        plan.start()
    clean(now=time.time() + 91 * DAY)
    done(plan.start(report=False))


def test_what_can_be_found_at_the_target_is_not_written_down(tmp_path: Path) -> None:
    """An upsert compares with the table: the ledger has nothing to say about it."""
    shop = make_shop(tmp_path)
    told("run", *shop.options, "--yes")
    clean(Retention(runs=0), now=time.time() + 1)
    with sqlite3.connect(home() / FILE) as link:
        assert link.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    link.close()


def test_rows_that_were_appended_before_are_a_notice(tmp_path: Path) -> None:
    """Today's file shares rows with yesterday's: it is said before the question, and goes in whole."""
    done(appended(tmp_path, ["a", "b", "c"]).start(report=False))
    appended(tmp_path, ["b", "c", "c", "d"], "today.csv")
    url = f"sqlite:///{(tmp_path / 'log.sqlite').as_posix()}"
    command = ["run", str(tmp_path / "today.csv"), "--to", url, "--table", "log", "--mode", "append", "--yes"]
    said = " ".join(call(*command).stderr.split())
    assert "Of these rows, 3 were appended before" in said
    with sqlite3.connect(tmp_path / "log.sqlite") as link:
        assert link.execute("SELECT count(*) FROM log").fetchone() == (7,)
    link.close()
    assert "appended before" not in call("run", *make_shop(tmp_path).options, "--yes").stderr


def test_a_resume_is_refused_by_a_run_that_was_removed(tmp_path: Path) -> None:
    """The run that took over is gone; that it did is still known."""
    plan = appended(tmp_path, ["a", "b", "c"])
    first = plan.start(canary=1, chunk_size=1, report=False)
    while first.state is not RunState.PAUSED:
        first.wait(0.05)
    first.stop()
    first.wait(20)
    second = done(plan.start(again=True, report=False))
    os.utime(second.folder / "journal.sqlite")
    removed(second)
    with pytest.raises(WorkRepeated, match=second.id):
        first.resume()
