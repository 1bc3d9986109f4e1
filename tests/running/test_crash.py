"""kill -9 at random moments, then resume: the table equals the file, every row has one outcome."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.support.crashes import Killed, crash_round


@pytest.mark.parametrize(("mode", "seed"), [("upsert", 1), ("upsert", 2), ("append", 3), ("append", 4)])
def test_kill_nine_loses_and_doubles_nothing_in_sqlite(tmp_path: Path, mode: str, seed: int) -> None:
    """An SQLite run killed again and again ends with each row exactly as in the file, once."""
    url = f"sqlite:///{tmp_path / 'crm.sqlite'}"
    killed = crash_round(url, tmp_path, mode=mode, rows=8_000, kills=3, rng=random.Random(seed), within=0.1)
    assert _hits(killed, 8_000) >= 2


@pytest.mark.parametrize(("mode", "seed"), [("upsert", 5), ("append", 6)])
def test_kill_nine_loses_and_doubles_nothing_in_postgres(
    tmp_path: Path, postgres_url: str, mode: str, seed: int
) -> None:
    """The same against PostgreSQL, where several chunks are under way at once."""
    killed = crash_round(
        postgres_url, tmp_path, mode=mode, rows=8_000, kills=3, rng=random.Random(seed), within=0.1
    )
    assert _hits(killed, 8_000) >= 2


def _hits(killed: Killed, rows: int) -> int:
    """Kills that found work done and work left."""
    return sum(0 < settled < rows for settled in killed.settled_at_kill)
