"""After a crash: what was under way is found out, never guessed, never sent twice where that does harm."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
import pytest

from batchkit.core.errors import RunBusy, RunError, RunFailed, SettingsError
from batchkit.core.states import Outcome, RunState
from batchkit.journal.journal import CODES, Intent
from batchkit.journal.owner import Ownership
from batchkit.journal.writer import Journal
from batchkit.running.driver import Driver
from batchkit.running.run import Run
from batchkit.targets.base import Fate, Item, Result
from batchkit.testing import CallRecorder, MemoryTarget, refuse
from tests.support.plans import closed_window, plan_of


def _until(true: Callable[[], object], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.01)


def _crashed(run: Run, *intents: Intent) -> None:
    """Leave a run as kill -9 leaves it: these intents on record, no outcome."""
    ownership = Ownership(run.folder)
    journal = Journal(run.folder / "journal.sqlite")
    journal.set_state(RunState.RUNNING)
    journal.intend(intents).result(5)
    journal.close()
    ownership.release()


class ReadableCalls(CallRecorder):
    """Calls that must not be repeated, at a target that can be read."""

    readable = True

    def __init__(self, rows: dict[str, str]) -> None:
        super().__init__("memory:test", idempotent=False)
        self.rows = rows

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:  # noqa: ARG002
        """The rows that are there."""
        found = [(key, self.rows[key]) for key in keys["id"].to_list() if key in self.rows]
        return pl.DataFrame(found, schema={"id": pl.String, "name": pl.String}, orient="row")


def _stopped_before_anything(tmp_path: Path, kinds: list[str], target: CallRecorder) -> Run:
    plan = plan_of(tmp_path / "p.parquet", 12, changes=kinds)
    run = plan.start(target=target, window=closed_window(), report=False)
    _until(lambda: run.state is RunState.RUNNING)
    run.stop()
    run.wait(10)
    return run


def test_unknown_items_are_read_back(tmp_path: Path) -> None:
    """Where the target can be read, it says itself: wanted → done, as before → sent, edited → conflict."""
    rows = {str(i): f"old {i}" for i in range(12)} | {"1": "new 1", "2": "somebody else's"}
    target = ReadableCalls(rows)
    run = _stopped_before_anything(tmp_path, ["update"], target)
    _crashed(run, Intent(0, 3))
    run.resume(target=target, window="none")
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == [0, 3, *range(4, 12)]
    outcomes = run.outcomes()["outcome"].to_list()
    assert outcomes == ["done", "done", "conflict", "done", *["done"] * 8]


def test_items_left_unknown_are_compared_by_a_resume(tmp_path: Path) -> None:
    """What a session left unknown is looked up: done, sent again, in conflict; a create stays open."""
    rows = {str(i): f"old {i}" for i in range(12)} | {"1": "new 1", "2": "somebody else's"}
    target = ReadableCalls({key: row for key, row in rows.items() if key != "3"})
    run = _stopped_before_anything(tmp_path, ["update", "update", "update", "create"], target)
    ownership = Ownership(run.folder)
    journal = Journal(run.folder / "journal.sqlite")
    for item in range(4):
        journal.record((item, CODES[Outcome.UNKNOWN], 1, 0.0, "504", "late", "", None))
    journal.close()
    ownership.release()
    for item in (7, 11):
        del target.rows[str(item)]
    run.resume(target=target, window="none")
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == [0, *range(4, 12)]
    assert run.outcomes()["outcome"].to_list() == ["done", "done", "conflict", "unknown", *["done"] * 8]
    assert run.snapshot().outcomes["unknown"] == 1


def test_a_call_that_may_be_repeated_is_sent_again_after_a_crash(tmp_path: Path) -> None:
    """Of what was under way and can't be read, only items that must not be sent twice are left unknown."""

    class Letters(CallRecorder):
        def repeatable(self, items: Sequence[Item]) -> bool:
            """Even numbers."""
            return all(item.index % 2 == 0 for item in items)

    target = Letters("memory:test", idempotent=False)
    run = _stopped_before_anything(tmp_path, ["send"], target)
    _crashed(run, Intent(2, 2), Intent(5, 5))
    run.resume(target=target, window="none")
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == [i for i in range(12) if i != 5]
    assert run.outcomes("unknown")["item"].to_list() == [5]


def test_unknown_items_stay_unknown_where_nobody_can_look(tmp_path: Path) -> None:
    """Where the target can't be read, what was under way is left to the operator, not sent again."""
    target = CallRecorder("memory:test", idempotent=False)
    run = _stopped_before_anything(tmp_path, ["send"], target)
    _crashed(run, Intent(2, 2), Intent(5, 5))
    run.resume(target=target, window="none")
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == [i for i in range(12) if i not in (2, 5)]
    assert run.outcomes("unknown")["item"].to_list() == [2, 5]
    with pytest.raises(RunError, match='settle="done"'):
        run.resume(target=target)
    run.resume(target=target, settle="done")
    run.wait(20)
    assert run.outcomes()["outcome"].to_list() == ["done"] * 12
    assert run.journal.top_errors() == []


def test_recovered_items_are_not_sent_again_with_the_rest(tmp_path: Path) -> None:
    """What was under way is sent once more as it was cut then, not a second time with fresh chunks."""
    target = CallRecorder("memory:test")
    run = _stopped_before_anything(tmp_path, ["create"], target)
    _crashed(run, Intent(0, 4))
    run.resume(target=target, window="none", chunk_size=3)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(12))


@pytest.mark.parametrize("fate", [Fate.RETRY, Fate.REJECT])
def test_an_orderly_stop_leaves_nothing_unknown(tmp_path: Path, fate: Fate) -> None:
    """A call known not to have been done is not in doubt after a stop, be it waiting for a retry or split."""
    target = CallRecorder("memory:test", idempotent=False, call_size=4)
    calls = 0

    def behave(items: Sequence[Item]) -> None:
        nonlocal calls
        calls += 1
        if len(items) > 1 or fate is Fate.RETRY:
            run.stop()
            time.sleep(0.15)
            raise refuse(fate, "not now")

    run = plan_of(tmp_path / "p.parquet", 8).start(
        target=target, workers=1, canary=1, report=False, backoff=5
    )
    _until(lambda: run.state is RunState.PAUSED)
    target.behave = behave
    run.resume()
    assert run.wait(20) is RunState.STOPPED
    target.behave = None
    run.resume(target=target)
    assert run.wait(20) is RunState.FINISHED
    assert run.snapshot().outcomes["unknown"] == 0
    assert sorted(target.sent) == list(range(8))


def test_items_asked_for_again_leave_no_doubt(tmp_path: Path) -> None:
    """An item the target wants again, and that is stopped before that, is pending and not unknown."""
    target = CallRecorder("memory:test", idempotent=False, call_size=2)

    def behave(items: Sequence[Item]) -> list[Result]:
        run.stop()
        time.sleep(0.15)
        return [Result(items[-1].index, Outcome.PENDING)]

    run = plan_of(tmp_path / "p.parquet", 2).start(
        target=target, window=closed_window(), report=False, backoff=5, workers=1
    )
    target.behave = behave
    _until(lambda: run.state is RunState.RUNNING)
    run.set(window="none")
    assert run.wait(20) is RunState.STOPPED
    assert run.snapshot().outcomes["pending"] == 1
    target.behave = None
    run.resume(target=target)
    assert run.wait(20) is RunState.FINISHED
    assert run.snapshot().outcomes["done"] == 2


def test_overwriting_is_for_the_conflicts_that_were_seen(tmp_path: Path) -> None:
    """Overwriting the conflicts on record doesn't overwrite what was edited since and never shown."""
    plan = plan_of(tmp_path / "p.parquet", 6, changes=["update"])
    rows = [{"id": str(i), "name": f"old {i}" if i else "edited before"} for i in range(6)]
    MemoryTarget._stores.pop("memory:test", None)
    target = MemoryTarget("memory:test", key=["id"], rows=rows)
    run = plan.start(target=target, canary=2, report=False)
    _until(lambda: run.state is RunState.PAUSED)
    run.stop()
    run.wait(20)
    assert run.outcomes("conflict")["item"].to_list() == [0]
    target.rows[("4",)]["name"] = "edited later"
    run.resume(target=target, overwrite=True)
    assert run.wait(20) is RunState.FINISHED
    assert target.rows[("0",)]["name"] == "new 0"
    assert target.rows[("4",)]["name"] == "edited later"
    assert run.outcomes("conflict")["item"].to_list() == [4]
    MemoryTarget._stores.pop("memory:test", None)


def test_no_secret_in_what_a_run_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in a target's own words reaches neither journal nor log, screen nor report."""
    from batchkit.core import secrets

    monkeypatch.setenv("BATCHKIT_SECRET_TOKEN", 'hé"unter2\\secret')
    secret = secrets.lookup("token")

    def behave(_: Sequence[Item]) -> None:
        raise refuse(Fate.ABORT, f"401 for token {secret}")

    run = plan_of(tmp_path / "p.parquet", 3).start(target=CallRecorder("memory:test", behave=behave))
    assert run.wait(20) is RunState.FAILED
    assert secret not in run.snapshot().message
    for file in run.folder.iterdir():
        content = file.read_bytes()
        for form in (secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]):
            assert form.encode() not in content, file.name


def test_a_limit_that_was_forgiven_starts_anew(tmp_path: Path) -> None:
    """After somebody looked and resumed, the failures so far don't trip the limit again at the next one."""
    bad = {0, 1, 2, 30}

    def behave(items: Sequence[Item]) -> list[Result]:
        return [Result(i.index, Outcome.REJECTED, "bad", "bad") for i in items if i.index in bad]

    run = plan_of(tmp_path / "p.parquet", 60).start(
        target=CallRecorder("memory:test", behave=behave),
        failure_limit=3,
        on_limit="pause",
        workers=1,
        report=False,
    )
    _until(lambda: run.state is RunState.PAUSED)
    run.resume()
    assert run.wait(20) is RunState.FINISHED
    assert run.snapshot().outcomes["rejected"] == 4


def test_settings_that_change_what_is_written_are_refused_aloud(tmp_path: Path) -> None:
    """What can't change on the way is an error for who asks, not a silence."""
    run = plan_of(tmp_path / "p.parquet", 6).start(
        target=CallRecorder("memory:test"), window=closed_window(), report=False
    )
    with pytest.raises(SettingsError, match="overwrite can't change"):
        run.set(overwrite=True)
    run.stop()
    run.wait(20)


def test_an_empty_plan_runs_and_reports(tmp_path: Path) -> None:
    """A plan of nothing ends finished, with outcomes of no rows and a report."""
    run = plan_of(tmp_path / "p.parquet", 0).start(target=CallRecorder("memory:test"))
    assert run.wait(20) is RunState.FINISHED
    assert run.outcomes().height == 0
    assert run.report(tmp_path / "r.csv").is_file()


def test_a_detached_process_that_dies_at_its_start_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that can't even begin is told, with its own last words, and not waited for."""
    monkeypatch.setattr("batchkit.running.child.sys.executable", str(tmp_path / "python-that-dies"))
    (tmp_path / "python-that-dies").write_text("#!/bin/sh\necho no such interpreter >&2\nexit 3\n")
    (tmp_path / "python-that-dies").chmod(0o755)
    run = plan_of(tmp_path / "p.parquet", 3).start(detach=True)
    with pytest.raises(RunFailed, match="no such interpreter"):
        run.began()
    assert run.wait(5) is RunState.PLANNED
    for seen in (run, Run.open(run.id)):
        assert "no such interpreter" in seen.snapshot().message


def test_a_cut_off_run_is_not_undone_before_it_is_settled(tmp_path: Path) -> None:
    """What isn't on record yet can't be taken back: undo says to resume first."""
    target = CallRecorder("memory:test")
    run = _stopped_before_anything(tmp_path, ["create"], target)
    _crashed(run, Intent(0, 4))
    with pytest.raises(RunError, match="Settle that first"):
        run.undo()


def test_the_lock_says_who_drives(tmp_path: Path) -> None:
    """A run is owned as long as its lock is held, whatever the note beside it says."""
    run = plan_of(tmp_path / "p.parquet", 3).start(target=CallRecorder("memory:test"), report=False)
    run.wait(20)
    ownership = Ownership(run.folder)
    (run.folder / "owner.json").unlink()
    with pytest.raises(RunBusy):
        Driver.start_on(run.folder)
    with pytest.raises(RunBusy):
        run.undo()
    ownership.release()


def test_corrections_in_the_fix_file_survive_a_resume(tmp_path: Path) -> None:
    """A resume writes the rows to fix anew, but never over a file that somebody is correcting."""
    bad = {0, 1}

    def behave(items: Sequence[Item]) -> list[Result]:
        return [Result(i.index, Outcome.REJECTED, "bad", "bad") for i in items if i.index in bad]

    target = CallRecorder("memory:test", behave=behave)
    run = plan_of(tmp_path / "p.parquet", 10).start(target=target, canary=4, chunk_size=2)
    _until(lambda: run.state is RunState.PAUSED)
    run.stop()
    run.wait(20)
    fix = run.folder / "fix.csv"
    fix.write_text(fix.read_text(encoding="utf-8-sig") + "mine", encoding="utf-8")
    bad.add(9)
    run.resume(target=target)
    assert run.wait(20) is RunState.FINISHED
    (kept,) = run.folder.glob("fix-corrected-*.csv")
    assert kept.read_text(encoding="utf-8").endswith("mine")
    assert len(fix.read_text(encoding="utf-8-sig").splitlines()) == 4


def test_an_undone_run_is_not_taken_up_again(tmp_path: Path) -> None:
    """A run undone half-way stays undone: resuming it, or undoing it twice, is refused with the way on."""
    MemoryTarget._stores.pop("memory:test", None)
    target = MemoryTarget("memory:test", key=["id"])
    run = plan_of(tmp_path / "p.parquet", 10).start(target=target, canary=4, report=False)
    _until(lambda: run.state is RunState.PAUSED)
    run.stop()
    run.wait(20)
    undo = run.undo().start(target=target, report=False)
    undo.wait(20)
    assert target.rows == {}
    with pytest.raises(RunError, match="was undone by"):
        run.resume(target=target)
    with pytest.raises(RunError, match="was undone already"):
        run.undo()
    again = undo.undo().start(target=target, report=False)
    again.wait(20)
    assert len(target.rows) == 4
    run.resume(target=target)
    assert run.wait(20) is RunState.FINISHED
    assert len(target.rows) == 10
    MemoryTarget._stores.pop("memory:test", None)


def test_a_run_outside_its_window_says_so(tmp_path: Path) -> None:
    """A run that waits for its time of day says what it waits for."""
    run = plan_of(tmp_path / "p.parquet", 3).start(
        target=CallRecorder("memory:test"), window=closed_window(), report=False
    )
    _until(lambda: run.state is RunState.RUNNING)
    assert "works only from" in run.snapshot().limiter
    run.stop()
    run.wait(20)
