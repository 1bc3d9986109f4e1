"""Engine overhead: a durable run over a target that does nothing, against asyncio loops written by hand.

    python -m benchmarks.engine [items]

Peers, in the same process and with the same number of workers:

    bare        workers that take items from a list and await the target: no retry, no limit, no record
    hand-made   the same with retry, timeout, rate limit, tqdm and a group-committed SQLite journal

Ours does all of the hand-made loop's work and adds plan, intents, breakers, control and exact resumption.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from batchkit.core.columns import FieldType
from batchkit.core.states import RunState
from batchkit.planning.plan import Plan
from batchkit.targets.base import CallTarget, Failure, Fate, Item, Result
from tests.support.plans import plan_of

WORKERS, ROUNDS = 10, 5


class Nothing(CallTarget):
    """Takes everything and does nothing."""

    idempotent = True
    call_size = 1
    address = "memory:test"

    def describe(self) -> dict[str, Any]:  # noqa: D102 - the base class says it
        return {}

    def connect(self) -> None:  # noqa: D102 - the base class says it
        pass

    def close(self) -> None:  # noqa: D102 - the base class says it
        pass

    def fields(self) -> dict[str, FieldType]:  # noqa: D102 - the base class says it
        return {}

    def classify(self, error: BaseException) -> Failure:  # noqa: D102 - the base class says it
        return Failure(Fate.ABORT, "bug", repr(error))

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:  # noqa: ARG002, D102 - as the base class says
        return None


async def bare(items: list[Item], target: Nothing) -> None:
    """Workers and nothing else."""
    left = iter(items)

    async def worker() -> None:
        for item in left:
            await target.send([item])

    await asyncio.gather(*(worker() for _ in range(WORKERS)))


class _Record:
    """A journal as one writes it by hand: a thread that commits groups."""

    def __init__(self, path: Path) -> None:
        self.rows: list[tuple[int, str, int, float]] = []
        self.path, self.over = path, False
        self.thread = threading.Thread(target=self._write)
        self.thread.start()

    def _write(self) -> None:
        db = sqlite3.connect(self.path, isolation_level=None)
        db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        db.execute("CREATE TABLE outcomes (item INTEGER PRIMARY KEY, outcome TEXT, attempts INT, at REAL)")
        while not (self.over and not self.rows):
            time.sleep(0.05)
            rows, self.rows = self.rows, []
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO outcomes VALUES (?, ?, ?, ?)", rows)
            db.execute("COMMIT")
        db.close()


async def hand_made(items: list[Item], target: Nothing, folder: Path) -> None:
    """Workers with retry, timeout, rate limit, progress and journal, as a careful script has them."""
    record = _Record(folder / f"peer-{random.random()}.sqlite")
    left, allowance = iter(items), 1e12

    async def worker() -> None:
        nonlocal allowance
        for item in left:
            for attempt in range(1, 4):
                allowance -= 1
                if allowance < 0:
                    await asyncio.sleep(0.1)
                try:
                    async with asyncio.timeout(60):
                        await target.send([item])
                except (TimeoutError, ConnectionError):
                    await asyncio.sleep(random.random() * 2**attempt)
                else:
                    record.rows.append((item.index, "done", attempt, time.time()))
                    break
            bar.update()

    with tqdm(total=len(items), file=io.StringIO()) as bar:
        await asyncio.gather(*(worker() for _ in range(WORKERS)))
    record.over = True
    record.thread.join()


def ours(plan: Plan) -> None:
    """A whole run: plan read from disk, intents, outcomes, snapshots, final state."""
    run = plan.start(target=Nothing(), workers=WORKERS, report=False)
    if run.wait() is not RunState.FINISHED:
        raise SystemExit(run.snapshot().message)


def main() -> None:
    """Measure and print."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["BATCHKIT_HOME"] = str(folder / "home")
        plan = plan_of(folder / "plan.parquet", items)
        rows = [Item(i, i + 2, "create", {"id": str(i)}, {}, {"name": f"new {i}"}) for i in range(items)]
        target = Nothing()
        peers: dict[str, Callable[[], None]] = {
            "bare": lambda: asyncio.run(bare(rows, target)),
            "hand-made": lambda: asyncio.run(hand_made(rows, target, folder)),
            "batchkit": lambda: ours(plan),
        }
        times: dict[str, list[float]] = {peer: [] for peer in peers}
        for _ in range(ROUNDS):
            for peer, work in peers.items():
                start = time.perf_counter()
                work()
                times[peer].append(time.perf_counter() - start)
    middle = {peer: statistics.median(seconds) for peer, seconds in times.items()}
    print(f"{items:,} items, {WORKERS} workers, median of {ROUNDS}")
    for peer, seconds in middle.items():
        print(f"  {peer:<10} {seconds / items * 1e6:6.1f} µs an item  {items / seconds:>10,.0f} items/s")
    print(f"  batchkit / hand-made: {middle['batchkit'] / middle['hand-made']:.2f}  (goal: ≤ 15 µs an item)")
    print(
        f"  peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB"
    )


if __name__ == "__main__":
    main()
