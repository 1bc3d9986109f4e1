"""Runs that earlier releases left behind are shown, reported, resumed and undone as their own were."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest

from batchkit.core.errors import RunBusy, RunError
from batchkit.core.states import RunState
from batchkit.journal.owner import owner_of
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run, list_runs
from batchkit.targets.sql.target import SqlTarget
from tests.support.older import MADE_IN, OLDER, RELEASES, Story, read_report, rows_of
from tests.support.sandboxes import Sandbox, sandbox
from tests.support.terminal import call, told

Copy = Callable[..., Story]
WITH_RUNS = ("finished", "undone", "killed", "killed-append", "stopped", "messages", "killed-messages")


@pytest.fixture(params=RELEASES)
def copy(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """Copies a story of a release, and takes its home for this test's."""

    def copied(name: str, server: str = "http://127.0.0.1:9") -> Story:
        story = Story.of(request.param, name, tmp_path / name, server)
        monkeypatch.setenv("BATCHKIT_HOME", str(story.home))
        return story

    monkeypatch.setenv("whatsapp_token", "practice")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    return copied


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A practice server without faults; what it was sent before a test is none of that test's."""
    with sandbox(tmp_path_factory.mktemp("practice")) as running:
        yield running


def wanted(story: Story) -> list[tuple[object, ...]]:
    """What the products are to become: all of the file but what it says twice, amiss, or below nothing."""
    rows: list[tuple[object, ...]] = []
    for line in (story.folder / "products.csv").read_text(encoding="utf-8").splitlines()[1:]:
        sku, name, price, stock, _ = line.split(";")
        if sku not in {"00035", "00040", "00045"}:
            rows.append((sku, name, float(price.replace(",", ".")), int(stock), "2024-01-31"))
    return rows


def finished(run: Run) -> Run:
    """The run at its end."""
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    return run


@pytest.mark.parametrize("name", WITH_RUNS)
def test_show_says_what_the_release_said(copy: Copy, name: str) -> None:
    """State, figures and the outcome of every item are those that the release itself showed."""
    story = copy(name)
    shown, then = told("show", "last"), story.shown
    same = ("run", "state", "dry_run", "attempts", "seconds")
    assert {each: shown[each] for each in same} == {each: then[each] for each in same}
    assert {outcome: n for outcome, n in shown["outcomes"].items() if n} == {
        outcome: n for outcome, n in then["outcomes"].items() if n
    }
    assert then["run"] in call("runs").stdout
    call("report", "last", "--to", story.folder / "now.csv")
    facts = ("item", "row", "key", "change", "outcome", "rule", "reason", "detail", "values")
    for now, before in zip(read_report(story.folder / "now.csv"), story.outcomes, strict=True):
        assert {each: now[each] for each in facts} == {each: before[each] for each in facts}


@pytest.mark.parametrize("name", WITH_RUNS)
def test_every_kind_of_report_is_written(copy: Copy, name: str) -> None:
    """As a page, a workbook, JSON and the rows to fix."""
    story = copy(name)
    for suffix in ("html", "xlsx", "json"):
        call("report", "last", "--to", story.folder / f"now.{suffix}")
        assert (story.folder / f"now.{suffix}").stat().st_size > 500
    story.run.fix_file(story.folder / "fix.csv")
    rows = len(story.run.outcomes("rejected")) + len(story.run.outcomes("conflict"))
    lines = (story.folder / "fix.csv").read_text(encoding="utf-8").splitlines() if rows else []
    assert len(lines) >= rows


def test_undo_takes_back_what_the_release_did(copy: Copy) -> None:
    """It leaves exactly what the release's own undo of the same run left: others' edits are kept."""
    story = copy("finished")
    call("undo", "last", "--yes")
    assert story.table() == rows_of(OLDER / story.left.parent.name / "undone" / "shop.sqlite")


def test_an_undo_is_known_and_can_be_undone(copy: Copy) -> None:
    """A run that the release has undone is not undone twice; undoing the undo brings its rows back."""
    story = copy("undone")
    undo, undone = list_runs()
    with pytest.raises(RunError, match="undone already"):
        undone.undo()
    finished(undo.undo().start(report=False))
    assert story.table() == rows_of(OLDER / story.left.parent.name / "finished" / "shop.sqlite")


def test_dry_run_is_still_one(copy: Copy) -> None:
    """It wrote nothing, so there is nothing to undo."""
    copy("finished")
    dry = list_runs()[1]
    assert dry.dry_run
    with pytest.raises(RunError, match="dry run"):
        dry.undo()


def test_conflicts_can_be_written_all_the_same(copy: Copy) -> None:
    """The finished run is taken up for the row that somebody else had edited, and for no other."""
    story = copy("finished")
    before = story.table()
    call("resume", "last", "--overwrite-conflicts", code=1)
    assert sorted(set(story.table()) - set(before)) == [("00011", "Lampe 11", 10.5, 11, "2024-01-31")]


def test_killed_run_is_resumed(copy: Copy) -> None:
    """The chunk that had reached the database without a record counts as done; every row is there once."""
    story = copy("killed")
    assert next(story.home.rglob("journal.sqlite-wal")).stat().st_size  # as the kill left it
    assert story.run.state == "interrupted"
    call("resume", "last", code=1)
    assert story.table() == wanted(story)
    assert Counter(story.run.outcomes()["outcome"]) == {"done": 53, "unchanged": 4, "rejected": 4}
    call("undo", "last", "--yes")
    assert len(story.table()) == 30


def test_killed_append_adds_no_row_twice(copy: Copy) -> None:
    """The database's own record of chunks, made by the release, still has the last word."""
    story = copy("killed-append")
    call("resume", "last")
    lines = (story.folder / "products.csv").read_text(encoding="utf-8").splitlines()[1:]
    rows = sorted((line.split(";")[0], int(line.split(";")[3])) for line in lines)
    assert story.table("moves") == rows
    assert Counter(story.run.outcomes()["outcome"]) == {"done": 61}


def test_stopped_run_keeps_its_limit(copy: Copy) -> None:
    """A limit of 1.0, which counted one row, is no share of all rows now: the first bad row ends the run."""
    story = copy("stopped")
    call("resume", "last", "--set", "chunk_size=1", "--delay", "0", code=3)
    outcomes = Counter(story.run.outcomes()["outcome"])
    assert outcomes["rejected"] == 4
    assert outcomes["pending"] > 10
    call("resume", "last", "--failure-limit", "off", code=1)
    assert story.table() == wanted(story)


@pytest.mark.parametrize(("settle", "sent"), [("resend", 2), ("done", 0)])
def test_messages_in_doubt_are_settled(copy: Copy, server: Sandbox, settle: str, sent: int) -> None:
    """Two messages nobody answered for: sent again or taken for done as the operator says, no other again."""
    story, before = copy("messages", server.url), server.messages()
    call("resume", "last", "--settle", settle, code=1)
    assert (server.messages() - before).total() == sent
    assert Counter(story.run.outcomes()["outcome"]) == {"done": 9, "rejected": 1}


def test_messages_are_not_sent_again_by_a_new_plan(copy: Copy, server: Sandbox) -> None:
    """The same people, planned anew, are refused: the older run has sent them their messages."""
    story, before = copy("messages", server.url), server.messages()
    plan = Job.load(story.folder / "people.toml").plan()
    with pytest.raises(RunError, match=story.run.id):
        plan.start()
    assert server.messages() == before


def test_appended_rows_are_not_added_again_by_a_new_plan(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same job, planned anew for the same table, is refused: it is the work of the killed run."""
    story = copy("killed-append")
    describe, address = SqlTarget.describe, SqlTarget.address.__get__

    def as_then(text: str) -> str:  # the place is part of what was noted, and it can't be had again
        return text.replace(story.folder.as_posix(), f"{MADE_IN}/killed-append")

    with monkeypatch.context() as then:
        then.setattr(SqlTarget, "describe", lambda self: json.loads(as_then(json.dumps(describe(self)))))
        then.setattr(SqlTarget, "address", property(lambda self: as_then(address(self))))
        plan = Job.load(story.folder / "moves.toml").plan()
    target = SqlTarget(f"sqlite:///{story.folder.as_posix()}/shop.sqlite", table="moves", mode="append")
    with contextlib.closing(target), pytest.raises(RunError, match=story.run.id):
        plan.start(target=target)
    assert len(story.table("moves")) == 30


def test_killed_messages_leave_the_one_in_doubt(copy: Copy, server: Sandbox) -> None:
    """The message that was out when the process died stays unknown; the later ones are sent, no other."""
    story, before = copy("killed-messages", server.url), server.messages()
    call("resume", "last", "--rate", "1000", "--delay", "0", code=1)
    assert server.messages() - before == {f"331990012{n:02}": 1 for n in range(6, 11)}
    assert [row["key"] for row in story.run.outcomes("unknown").to_dicts()] == ["+33199001204"]


def test_plan_is_applied(copy: Copy) -> None:
    """A plan that the release made is opened by its seal, shown, and applied."""
    story = copy("plan")
    whole = Plan.load(story.left / "products.plan.parquet")
    assert whole.counts == {"create": 28, "update": 26, "unchanged": 4, "invalid": 1, "duplicate": 2}
    plan = story.folder / "products.plan.parquet"
    assert "create" in call("show", plan).stdout
    call("apply", plan, "--yes", code=1)
    assert story.table() == wanted(story)


def test_process_of_the_release_is_seen_as_the_owner(copy: Copy) -> None:
    """While it still holds its lock, the run is its own: it is running, and nobody else takes it up."""
    story = copy("killed")
    folder = story.run.folder
    with filelock.FileLock(folder / "run.lock"):  # what every release has held while it drove a run
        assert str(owner_of(folder)).endswith("on shop")
        assert story.run.state == "running"
        with pytest.raises(RunBusy, match="on shop"):
            story.run.resume()
    assert story.run.state == "interrupted"
