"""What goes wrong around a run: a locked file, a server that is restarted, a full disk."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from batchkit.core.errors import DiskFull
from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from tests.support.crashes import companies, make_table
from tests.support.needs import missing
from tests.support.services import PostgresServer
from tests.support.terminal import wait_until


def _plan(url: str, folder: Path, rows: int = 2_000) -> Plan:
    make_table(url, keyed=True).dispose()
    companies(rows).write_csv(folder / "companies.csv", separator=";")
    return Job(str(folder / "companies.csv"), to=url, table="companies", key=["siret"]).plan()


def _count(url: str) -> int:
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        count = int(connection.execute(sa.text("SELECT count(*) FROM companies")).scalar_one())
    engine.dispose()
    return count


def test_a_locked_file_is_waited_for_and_then_named(tmp_path: Path) -> None:
    """While another program holds the SQLite file the run tries again, then fails and says so."""
    url = f"sqlite:///{tmp_path / 'crm.sqlite'}"
    plan = _plan(url, tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "crm.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        run = plan.start(retries=1, backoff=0.05, report=False)
        assert run.wait(30) is RunState.FAILED
        assert "lock" in run.snapshot().message
        assert run.snapshot().outcomes["pending"] == 2_000
    run.resume()
    assert run.wait(30) is RunState.FINISHED
    assert _count(url) == 2_000


def test_a_short_lock_is_outlasted(tmp_path: Path) -> None:
    """A lock that ends within the tries is not even noticed by the operator."""
    url = f"sqlite:///{tmp_path / 'crm.sqlite'}"
    plan = _plan(url, tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "crm.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        run = plan.start(retries=6, backoff=0.3, report=False)
        wait_until(lambda: run.snapshot().retries > 0)
    assert run.wait(30) is RunState.FINISHED
    assert _count(url) == 2_000


def test_a_server_restarted_in_the_middle_is_outlasted(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """PostgreSQL stopped at once and started again: with `wait_for_target` the run carries on by itself."""
    url = postgres_server.create_database()
    plan = _plan(url, tmp_path)
    run = plan.start(chunk_size=20, delay=0.02, wait_for_target="60s", report=False)
    _wait_for_rows(run, 100)
    postgres_server.stop("immediate")
    time.sleep(1.0)
    assert run.state is RunState.RUNNING
    postgres_server.start()
    assert run.wait(60) is RunState.FINISHED
    assert _count(url) == 2_000
    assert run.snapshot().outcomes["done"] == 2_000


def test_a_server_that_stays_away_fails_the_run_resumably(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """Without waiting, a dead server fails the run with its reason, blames no row; a resume does the rest."""
    url = postgres_server.create_database()
    plan = _plan(url, tmp_path)
    run = plan.start(chunk_size=20, delay=0.02, retries=1, backoff=0.05, report=False)
    _wait_for_rows(run, 100)
    postgres_server.stop("immediate")
    assert run.wait(30) is RunState.FAILED
    snapshot = run.snapshot()
    assert snapshot.outcomes["rejected"] == 0
    assert snapshot.outcomes["pending"] > 0
    assert snapshot.message
    postgres_server.start()
    run.resume(delay=0)
    assert run.wait(60) is RunState.FINISHED
    assert _count(url) == 2_000


def _wait_for_rows(run: Run, rows: int) -> None:
    deadline = time.monotonic() + 20
    while run.snapshot().outcomes["done"] < rows:
        assert time.monotonic() < deadline, run.snapshot()
        time.sleep(0.01)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 12 MiB."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    try:
        command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        missing("a small disk can only be mounted as root on Linux")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_fails_clearly_and_loses_nothing(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the journal's disk is full the run ends with a message; with room again it is resumed."""
    url = f"sqlite:///{tmp_path / 'crm.sqlite'}"
    plan = _plan(url, tmp_path)
    monkeypatch.setenv("BATCHKIT_HOME", str(small_disk / "home"))
    run = plan.start(chunk_size=20, delay=0.02, disk_reserve=0, report=False)
    _wait_for_rows(run, 100)
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    assert run.wait(30) is RunState.FAILED
    assert "No room is left" in run.snapshot().message
    assert sum(run.snapshot().outcomes.values()) == 2_000
    assert _count(url) < 2_000
    with pytest.raises(DiskFull, match=f"No room is left at .*{run.id}"):
        run.resume()
    ballast.unlink()
    again = Run.open(run.folder)
    again.resume(delay=0)
    assert again.wait(30) is RunState.FINISHED
    assert _count(url) == 2_000
    assert again.outcomes()["item"].to_list() == list(range(2_000))


def test_a_disk_that_runs_low_pauses_and_goes_on(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Below the reserve the run pauses and says what to do; with room again, resume does the rest."""
    url = f"sqlite:///{tmp_path / 'crm.sqlite'}"
    plan = _plan(url, tmp_path)
    monkeypatch.setenv("BATCHKIT_HOME", str(small_disk / "home"))
    run = plan.start(chunk_size=20, delay=0.05, disk_reserve=1024**2, report=False)
    _wait_for_rows(run, 40)
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 512 * 1024))
    deadline = time.monotonic() + 10
    while run.state is not RunState.PAUSED:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "of disk are free at" in run.snapshot().message
    ballast.unlink()
    run.resume(delay=0)
    assert run.wait(30) is RunState.FINISHED
    assert _count(url) == 2_000
