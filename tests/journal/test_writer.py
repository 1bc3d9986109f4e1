"""The writer of a journal: whatever it meets, nobody waits for it in vain."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchkit.core.errors import BatchkitError, RunError
from batchkit.core.states import Outcome
from batchkit.journal import writer as writing
from batchkit.journal.journal import CODES, Intent, create
from batchkit.journal.writer import Journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty journal."""
    create(tmp_path / "journal.sqlite", {"run": "r", "settings": {}})
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    """An open journal."""
    journal = Journal(path)
    yield journal
    journal.close()


def _row(item: Any, reason: str = "") -> Any:
    return (item, CODES[Outcome.REJECTED], 1, 0.0, "rule", reason, None, None)


@pytest.mark.parametrize("poison", [_row(1, "half \ud83d"), _row(2**80), (1, 2)])
def test_what_can_not_be_written_ends_the_waiting_with_a_reason(journal: Journal, poison: Any) -> None:
    """Who waits is told why nothing is written any more, and so is who asks later."""
    journal.record(poison)
    with pytest.raises(RunError, match="can't"):
        journal.flush()
    assert isinstance(journal.error, BatchkitError)
    with pytest.raises(RunError, match="can't"):
        journal.intend([Intent(0, 1)]).result(5)
    assert [row[0] for row in journal.outcomes()] == []


def test_what_was_written_before_stays(journal: Journal) -> None:
    """A poisoned group loses itself and nothing before it."""
    journal.record(_row(1))
    journal.flush()
    journal.record(_row(2, "\ud83d"))
    with pytest.raises(RunError):
        journal.flush()
    assert [row[0] for row in journal.outcomes()] == [1]


def test_a_waiter_that_went_away_does_not_trip_the_writer(journal: Journal) -> None:
    """A cancelled wait for an intent leaves the writer at work."""
    journal.intend([Intent(0, 9)]).cancel()
    journal.record(_row(3))
    journal.flush()
    assert journal.error is None
    assert [row[0] for row in journal.outcomes()] == [3]


def test_a_writer_that_can_not_begin_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file can't even be opened for writing, nobody waits for ever."""
    begun = threading.Event()

    def refuse(*_: object, **__: object) -> None:
        begun.set()
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(writing, "connect", refuse)
    journal = Journal(path)
    assert begun.wait(5)
    with pytest.raises(RunError, match="Too many open files"):
        journal.flush()
    journal.close()
