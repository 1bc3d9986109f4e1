"""Starting and undoing among thousands of kept runs; the peer opens the journal of each of them.

Run: python -m benchmarks.kept_runs [RUNS]. The ratio is taken within one process on the same folders.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from batchkit.core.home import runs_folder
from batchkit.core.states import RunState
from batchkit.journal.index import NAME
from batchkit.journal.journal import JournalReader
from batchkit.journal.run_folder import JOURNAL, run_folders
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.testing import MemoryTarget
from tests.support.plans import write_plan

ROUNDS = 7
GOAL = 0.2  # seconds


def plan_of(template: Plan, path: Path, work: str) -> Plan:
    """The same few rows as work of another name."""
    return write_plan(path, template.changes().collect(), **{**template.facts, "work": work})


def empty() -> MemoryTarget:
    """The table, without a row."""
    target = MemoryTarget("memory:test", key=["id"])
    target.rows.clear()
    return target


def finished(plan: Plan) -> Run:
    """A run to its end."""
    run = plan.start(report=False, target=empty())
    if run.wait() is not RunState.FINISHED:
        raise SystemExit(f"{run.snapshot()}")
    return run


def multiply(run: Run, count: int, *, alike: bool) -> None:
    """Copies of a finished run, each as its own, of the same work or of others."""
    for number in range(count):
        name = f"20200101-{number:09}-rows-{number % 65536:04x}"
        folder = runs_folder() / name
        folder.mkdir()
        shutil.copyfile(run.folder / JOURNAL, folder / JOURNAL)
        os.link(run.folder / "plan.parquet", folder / "plan.parquet")
        (folder / "log.jsonl").touch()
        facts = {"run": name} if alike else {"run": name, "work": f"work {number}"}
        with contextlib.closing(sqlite3.connect(folder / JOURNAL)) as journal:
            journal.execute("PRAGMA synchronous = OFF")
            values = [(json.dumps(value), key) for key, value in facts.items()]
            journal.executemany("UPDATE meta SET value = ? WHERE name = ?", values)
            journal.commit()


def timed(call: Callable[[], object]) -> float:
    """Seconds it takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def open_all() -> None:
    """What finding the runs of the same work takes where nothing says which to look at."""
    for folder in run_folders():
        with contextlib.closing(JournalReader(folder / JOURNAL)) as journal:
            journal.meta("work")


def measure(count: int, *, alike: bool) -> None:
    """One home with so many runs."""
    from tests.support.plans import plan_of as rows_of

    with tempfile.TemporaryDirectory() as name:
        os.environ["BATCHKIT_HOME"] = f"{name}/home"
        template = rows_of(Path(name) / "p.parquet", 100)
        plan = plan_of(template, Path(name) / "mine.parquet", "mine")
        run = finished(plan)
        multiply(run, count, alike=alike)
        time.sleep(1.1)  # the index trusts no journal that changed within the second
        first = timed(lambda: finished(plan))
        starts, undos = [], []
        for number in range(ROUNDS):
            target = empty()
            begun: list[Run] = []
            starts.append(timed(lambda: begun.append(plan.start(report=False, target=target))))  # noqa: B023
            begun[0].wait()
            undos.append(timed(lambda: begun[0].undo(Path(name) / f"undo{number}.parquet")))  # noqa: B023
        peer = timed(open_all)
        (Path(name) / "home" / NAME).unlink()
        rebuilt = timed(lambda: run.undo(Path(name) / "undo.parquet"))
    kind = "of the same work" if alike else "of other work"
    print(f"\n{count:,} kept runs {kind}; opening the journal of each takes {peer:.2f} s")
    for what, times in (("plan.start()", starts), ("run.undo()", undos)):
        middle = statistics.median(times)
        met = "met" if middle < GOAL else "MISSED"
        print(f"  {what:<13} {middle * 1000:6.0f} ms   {peer / middle:6.1f}x as fast   goal {GOAL} s: {met}")
    print(f"  the first start after they came: {first:.2f} s; making the index anew: {rebuilt:.2f} s")


def main() -> None:
    """Runs of other work, as most are, and the worst: all of the same."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    measure(count, alike=False)
    measure(count, alike=True)


if __name__ == "__main__":
    main()
