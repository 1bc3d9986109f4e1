"""What was sent is counted as it leaves: no kill takes a try out of the count."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchkit.core.states import RunState
from batchkit.journal.attempts import Attempts, attempts_made
from batchkit.journal.journal import JournalReader, create
from batchkit.journal.writer import Journal
from batchkit.running.run import Run

_SESSION = """
import sys
from pathlib import Path
from batchkit import Plan, Run
from batchkit.testing import CallRecorder, MemoryTarget, die_after
from tests.support.plans import plan_of

folder, kind, calls = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
die = die_after(calls)

def note(items):
    with (folder / "sent").open("a") as file:
        file.write("".join(f"{item}\\n" for item in items))
    die(None)

if kind == "frames":
    target = MemoryTarget("memory:test", key=["id"])
    target.on_apply = lambda frame: note(frame["item"].to_list())
else:
    target = CallRecorder("memory:test", idempotent=kind == "calls", call_size=3)
    target.behave = lambda items: note([item.index for item in items])
if (folder / "run").is_file():
    run = Run.open((folder / "run").read_text()).resume(target=target)
else:
    run = plan_of(folder / "p.parquet", 300).start(target=target, workers=4, chunk_size=10, report=False)
    (folder / "run").write_text(str(run.folder))
run.wait(30)
"""


@pytest.mark.parametrize("kind", ["frames", "calls", "calls once each"])
def test_attempts_are_what_was_sent(tmp_path: Path, kind: str) -> None:
    """Over a kill the count is exactly what the target got, for the run and for its items together."""
    sent = tmp_path / "sent"
    for calls in (7, 1_000):
        command = [sys.executable, "-c", _SESSION, str(tmp_path), kind, str(calls)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        run = Run.open((tmp_path / "run").read_text())
        assert run.snapshot().attempts == len(sent.read_text().split()), done.stderr
    assert run.state is RunState.FINISHED
    assert run.outcomes()["attempts"].sum() == len(sent.read_text().split()) > 270


@settings(max_examples=25)
@given(st.lists(st.sets(st.integers(0, 29), min_size=1), max_size=20), st.integers(0, 20))
def test_count_outlives_its_session(
    tmp_path_factory: pytest.TempPathFactory, calls: list[set[int]], cut: int
) -> None:
    """However the tries lie and wherever a session ends, each item keeps its own count."""
    path = tmp_path_factory.mktemp("run") / "journal.sqlite"
    create(path, {"run": "r", "settings": {}})
    for part in (calls[:cut], calls[cut:]):
        journal = Journal(path)
        attempts = Attempts(journal, 30)
        for items in part:
            attempts.count_chunk(sorted(items))
        attempts.close()
        journal.close()
    reader = JournalReader(path)
    assert attempts_made(reader) == attempts.made == sum(map(len, calls))
    assert [attempts.of(item) for item in range(30)] == [sum(n in each for each in calls) for n in range(30)]
    reader.close()


def test_a_run_of_an_earlier_version_keeps_what_is_on_record(tmp_path: Path) -> None:
    """Where no count lies beside the journal, it goes on from what the outcomes say."""
    create(tmp_path / "journal.sqlite", {"run": "r", "settings": {}})
    for _ in range(2):
        journal = Journal(tmp_path / "journal.sqlite")
        attempts = Attempts(journal, 30)
        if not attempts.made:
            journal.record_chunk(0, 9, 10, 2, [])
            journal.flush()
            attempts.close()
            (tmp_path / "attempts").unlink(missing_ok=True)
        journal.close()
    assert attempts.made == 20
    journal = Journal(tmp_path / "journal.sqlite")
    attempts = Attempts(journal, 30)
    attempts.count_chunk([10, 12])
    assert attempts.made == 22
    assert attempts_made(journal) == 22
    attempts.close()
    journal.close()


def test_a_try_that_is_counted_often_stays_within_its_byte(tmp_path: Path) -> None:
    """An item tried for ever counts 255 and disturbs no other."""
    create(tmp_path / "journal.sqlite", {"run": "r", "settings": {}})
    journal = Journal(tmp_path / "journal.sqlite")
    attempts = Attempts(journal, 3)
    for _ in range(300):
        attempts.count(1)
        attempts.count_chunk([0, 2])
    assert [attempts.of(item) for item in range(3)] == [255, 255, 255]
    attempts.close()
    journal.close()


def test_a_count_without_a_file_goes_on_in_memory(tmp_path: Path) -> None:
    """Where the file can't be written, tries are counted for the outcomes all the same."""
    create(tmp_path / "journal.sqlite", {"run": "r", "settings": {}})
    (tmp_path / "attempts").mkdir()
    journal = Journal(tmp_path / "journal.sqlite")
    attempts = Attempts(journal, 3)
    attempts.count(1)
    attempts.count_chunk([0, 1, 2])
    attempts.close()
    assert [attempts.of(item) for item in range(3)] == [1, 2, 1]
    journal.close()
