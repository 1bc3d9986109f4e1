"""The journal: what is recorded is there after a crash, and others can read and post meanwhile."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from batchkit.core.errors import BatchkitError, DiskFull, RunError, TransitionError
from batchkit.core.states import Outcome, RunState
from batchkit.journal.journal import CODES, Intent, JournalReader, create, translated
from batchkit.journal.writer import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """An open journal."""
    create(tmp_path / "journal.sqlite", {"run": "r", "settings": {}})
    return Journal(tmp_path / "journal.sqlite")


def _row(item: int, outcome: Outcome = Outcome.DONE, reason: str | None = None) -> tuple[object, ...]:
    return (item, CODES[outcome], 1, 0.0, "rule" if reason else None, reason, None, None)


def test_record_is_committed_within_moments(journal: Journal, tmp_path: Path) -> None:
    """An outcome is on disk a moment after it was recorded, with nobody asking for it."""
    journal.record(_row(3))  # type: ignore[arg-type]
    time.sleep(0.3)
    reader = JournalReader(tmp_path / "journal.sqlite")
    assert [row[0] for row in reader.outcomes()] == [3]
    reader.close()
    journal.close()


def test_intend_is_on_disk_when_its_future_is_done(journal: Journal, tmp_path: Path) -> None:
    """After the future no crash can lose the intent."""
    journal.intend([Intent(0, 9)]).result(5)
    other = sqlite3.connect(tmp_path / "journal.sqlite")
    assert other.execute("SELECT first, last FROM intents").fetchall() == [(0, 9)]
    other.close()
    journal.close()


def test_record_chunk_counts_its_items_and_closes_its_intent(journal: Journal) -> None:
    """A chunk is one row: its items count as done, but for those with a row of their own."""
    journal.intend([Intent(0, 9)]).result(5)
    journal.record_chunk(0, 9, 9, 2, [_row(4, Outcome.REJECTED, "too long")])  # type: ignore[list-item]
    journal.flush()
    assert journal.intents() == []
    assert journal.counts()[Outcome.DONE] == 9
    assert journal.counts()[Outcome.REJECTED] == 1
    assert journal.attempts() == 19
    assert journal.top_errors() == [("too long", 1)]
    journal.close()


def test_set_state_refuses_an_arrow_that_is_not_there(journal: Journal) -> None:
    """The journal itself keeps the table of transitions."""
    journal.set_state(RunState.RUNNING)
    with pytest.raises(TransitionError):
        journal.set_state(RunState.STOPPED)
    journal.flush()
    assert journal.state() is RunState.RUNNING
    journal.close()


def test_post_reaches_the_owner_from_another_connection(journal: Journal, tmp_path: Path) -> None:
    """Control messages arrive once, in order, with their arguments."""
    other = JournalReader(tmp_path / "journal.sqlite")
    first = other.post("set", {"workers": 8}, "me")
    other.post("pause", {}, "me")
    assert [(m.command, m.arguments) for m in journal.messages(0)] == [("set", {"workers": 8}), ("pause", {})]
    assert [m.command for m in journal.messages(first)] == ["pause"]
    other.close()
    journal.close()


def test_reader_refuses_what_is_no_journal(tmp_path: Path) -> None:
    """A foreign file, a newer version and a missing file are clear errors."""
    with pytest.raises(RunError, match="no journal"):
        JournalReader(tmp_path / "none.sqlite")
    (tmp_path / "text.sqlite").write_text("this is no database, whatever its name says")
    with pytest.raises(RunError, match="can't be used"):
        JournalReader(tmp_path / "text.sqlite")
    create(tmp_path / "new.sqlite", {"version": 99})
    with pytest.raises(RunError, match="version 99"):
        JournalReader(tmp_path / "new.sqlite")


def test_kill_loses_nothing_that_was_flushed(tmp_path: Path) -> None:
    """After kill -9 the journal holds every flushed outcome and still opens."""
    create(tmp_path / "journal.sqlite", {})
    script = f"""
        import os, signal
        from pathlib import Path
        from batchkit.journal.writer import Journal
        journal = Journal(Path({str(tmp_path / "journal.sqlite")!r}))
        for item in range(5000):
            journal.record((item, 0, 1, 0.0, None, None, None, None))
        journal.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=False, timeout=30)
    reader = JournalReader(tmp_path / "journal.sqlite")
    assert reader.counts()[Outcome.DONE] == 5000
    reader.close()


def test_samples_are_thinned_but_keep_the_last(journal: Journal) -> None:
    """A long run gives a bounded picture that ends where the run ended."""
    for second in range(1000):
        journal.execute("INSERT INTO samples VALUES (0, ?, ?, 0, 0, 1.0, 1)", (float(second), second))
    journal.flush()
    points = journal.samples(most=100)
    assert len(points) == 100
    assert points[-1][0] == 999
    journal.close()


def test_samples_tell_unchanged_items_from_others(journal: Journal) -> None:
    """What the plan knew as unchanged counts from the start, what was found so on the way from then on."""
    for at, other in ((100.0, 7), (101.0, 8), (102.0, 10)):  # the points count both among the others
        journal.execute("INSERT INTO samples VALUES (?, ?, 1, 0, ?, NULL, 1)", (at, at - 100, other))
    for item, (at, found) in enumerate([(100.5, 1), (101.25, 1), (101.5, 3)]):
        journal.execute("INSERT INTO outcomes VALUES (?, ?, 1, ?, '', '', '', NULL)", (item, found, at))
    journal.flush()
    assert [(same, other) for _, _, same, _, other, *_ in journal.samples(unchanged=7)] == [
        (7, 0),
        (8, 0),
        (9, 1),
    ]
    journal.close()


def test_create_lets_go_of_what_it_could_not_make(tmp_path: Path) -> None:
    """Where no journal can be made, the error is ours and the file isn't held open behind it."""
    path = tmp_path / "journal.sqlite"
    path.write_text("no database\n" * 1000, encoding="utf-8")
    with pytest.raises(RunError, match="can't be used"):
        create(path, {})
    assert str(path) not in {file.path for file in psutil.Process().open_files()}


def test_a_post_that_fails_keeps_nobody_from_writing(journal: Journal, tmp_path: Path) -> None:
    """A message that can't be written lets go of the journal at once: the run goes on recording."""
    other = JournalReader(tmp_path / "journal.sqlite")
    other._connection.execute(
        "CREATE TEMP TRIGGER refuse BEFORE INSERT ON control BEGIN SELECT raise(FAIL, 'no'); END"
    )
    with pytest.raises(RunError):
        other.post("pause", {}, "me")
    journal.record(_row(1))  # type: ignore[arg-type]
    journal.flush()
    assert [row[0] for row in journal.outcomes()] == [1]
    other.close()
    journal.close()


def test_a_post_takes_words_that_no_file_can_hold(journal: Journal, tmp_path: Path) -> None:
    """Half an emoji in a message arrives as a gap, in its command, its arguments and its sender."""
    other = JournalReader(tmp_path / "journal.sqlite")
    other.post("set\ud83d", {"a\ud83d": ["\ud83d"]}, "me\ud83d")
    (message,) = journal.messages(0)
    assert (message.command, message.arguments, message.sender) == ("set�", {"a�": ["�"]}, "me�")
    other.close()
    journal.close()


def test_an_error_of_the_disk_is_a_full_one_only_where_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log that was taken away under an open journal sends nobody to free disk; a full disk does."""
    create(tmp_path / "journal.sqlite", {"run": "r", "settings": {}})

    def meet(words: str) -> BatchkitError:
        with pytest.raises(BatchkitError) as caught, translated(tmp_path / "journal.sqlite"):
            raise sqlite3.OperationalError(words)
        return caught.value

    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**30))
    error = meet("disk I/O error")
    assert isinstance(error, RunError)
    assert "disk I/O error" in str(error)
    assert "journal.sqlite-wal" in error.advice
    assert isinstance(meet("database or disk is full"), DiskFull)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    assert isinstance(meet("disk I/O error"), DiskFull)
