"""Killing a run at random moments, again and again, and what must hold afterwards."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from batchkit.core.states import Outcome, RunState
from batchkit.planning.job import Job
from batchkit.running.run import Run

COLUMNS = "siret TEXT NOT NULL{key}, nom TEXT NOT NULL, ville TEXT, effectif INTEGER"


@dataclass
class Killed:
    """What a round of kills did: how many hit a run under way, and where it stood then."""

    kills: int
    settled_at_kill: list[int]


def make_table(url: str, *, keyed: bool, rows: pl.DataFrame | None = None) -> sa.Engine:
    """An empty table `companies`, or one with some rows."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS companies"))
        connection.execute(
            sa.text(f"CREATE TABLE companies ({COLUMNS.format(key=' PRIMARY KEY' if keyed else '')})")
        )
        if rows is not None:
            table = sa.table("companies", *(sa.column(name) for name in rows.columns))
            connection.execute(sa.insert(table), rows.to_dicts())
    return engine


def companies(rows: int, seed: int = 0) -> pl.DataFrame:
    """Rows with leading zeros and accents; another seed gives other values for the same keys."""
    numbers = pl.int_range(rows, eager=True)
    return pl.DataFrame(
        {
            "siret": numbers.cast(pl.String).str.zfill(14),
            "nom": "Société n° " + (numbers * 7 + seed).cast(pl.String),
            "ville": pl.Series(["Orléans", "Nîmes", None]).gather(numbers % 3),
            "effectif": (numbers * 13 + seed) % 500,
        }
    )


def kill_and_resume(run: Run, kills: int, *, within: float, rng: random.Random) -> Killed:
    """Kill a detached run at `kills` random moments of its work, resuming after each, then end it.

    Args:
        run: A detached run that was just started.
        kills: How often.
        within: Longest time in seconds between a session's first sign of work and the kill.
        rng: Draws the moments.
    """
    settled: list[int] = []
    for _ in range(kills):
        kill_while_at_work(run, settled[-1] if settled else 0, rng.uniform(0, within))
        if run.state is RunState.FINISHED:
            break
        assert run.state is RunState.INTERRUPTED
        settled.append(_journaled(run))
        run.resume(detach=True)
    assert run.wait(120) is RunState.FINISHED, run.snapshot().message
    return Killed(len(settled), settled)


def kill_while_at_work(run: Run, before: int = 0, delay: float = 0.0) -> None:
    """Kill the process of a detached run, as by kill -9, some time after it has settled more than before."""
    child = run._child
    assert child is not None
    _wait_for_work(run, before)
    time.sleep(delay)
    child.kill()
    child.wait()


def _wait_for_work(run: Run, before: int) -> None:
    """Wait until the present session has settled something that its predecessors hadn't."""
    child = run._child
    assert child is not None
    deadline = time.monotonic() + 30
    while _journaled(run) <= before and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _journaled(run: Run) -> int:
    return sum(n for outcome, n in run.journal.counts().items() if outcome is not Outcome.PENDING)


def crash_round(
    url: str, folder: Path, *, mode: str, rows: int, kills: int, rng: random.Random, within: float = 0.5
) -> Killed:
    """One run with kills against a database; asserts that the table equals the file, nothing doubled."""
    wanted = companies(rows)
    keyed = mode != "append"
    engine = make_table(url, keyed=keyed, rows=companies(rows // 2, seed=1) if keyed else None)
    source = folder / "companies.csv"
    wanted.write_csv(source, separator=";")
    key = ["siret"] if keyed else []
    plan = Job(str(source), to=url, table="companies", key=key, mode=mode).plan(folder / "plan.parquet")
    run = plan.start(detach=True, chunk_size=max(rows // 100, 1), report=False, again=True)
    killed = kill_and_resume(run, kills, within=within, rng=rng)
    with engine.connect() as connection:
        found = connection.execute(
            sa.text("SELECT siret, nom, ville, effectif FROM companies ORDER BY siret")
        ).all()
    engine.dispose()
    assert [tuple(row) for row in found] == wanted.rows()
    outcomes = run.outcomes()
    assert outcomes["item"].to_list() == list(range(rows))
    assert set(outcomes["outcome"]) <= {"done", "unchanged"}
    assert sum(run.snapshot().outcomes.values()) == rows
    return killed
