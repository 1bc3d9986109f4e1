"""How long the report of 50,000 items takes, and how much memory, beside pandas writing the same table.

Each measurement has a process of its own; each figure is the median of five. Memory is the growth of the
peak over what the process held when its imports and its data were there.

    python benchmarks/report_speed.py [items]
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
GOALS = {"xlsx": (3.5, 60.0), "csv": (0.2, None)}


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and MB that the process grew by at its peak."""
    import psutil

    process = psutil.Process()
    before = process.memory_info().rss
    peak, over = before, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.005):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    over.set()
    watcher.join()
    return seconds, (max(peak, process.memory_info().rss) - before) / 1e6


def one(what: str, items: int, folder: Path) -> tuple[float, float]:
    """Measure one format, or its peer, in this process."""
    sys.path.insert(0, str(ROOT))
    from tests.support.report_samples import realistic

    name, _, suffix = what.partition(" ")
    data = realistic(items)
    path = folder / f"{name}.{suffix}"
    if name == "pandas":
        import pandas as pd
        import polars.selectors as cs

        # pandas writes no times with a zone into a workbook.
        plain = (frame.with_columns(cs.datetime().dt.replace_time_zone(None)) for frame in data.frames(items))
        table = pd.concat(pd.DataFrame(frame.to_dict(as_series=False)) for frame in plain)
        if suffix == "csv":
            return measure(lambda: table.to_csv(path, sep=";", index=False, encoding="utf-8-sig"))
        __import__("xlsxwriter")
        return measure(lambda: table.to_excel(path, index=False, engine="xlsxwriter"))
    from batchkit.reports.report import write_report

    write_report(realistic(10), path)  # the imports
    return measure(lambda: write_report(data, path))


def median(what: str, items: int) -> tuple[float, float]:
    """The median of five processes."""
    found = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--one", what, str(items), folder]
            answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            found.append(json.loads(answer))
    seconds, memory = zip(*found, strict=True)
    return statistics.median(seconds), statistics.median(memory)


def main(items: int = 50_000) -> None:
    """Print the figures and the ratios."""
    print(f"Report of {items:,} items, median of {ROUNDS}:")
    print(f"{'':10}{'batchkit':>20}{'pandas':>20}{'ratio':>9}  goal")
    for suffix in ("xlsx", "csv"):
        seconds, memory = median(f"batchkit {suffix}", items)
        peer, peer_memory = median(f"pandas {suffix}", items)
        most, most_memory = GOALS[suffix]
        goal = f"{most} s" + (f" in {most_memory:.0f} MB" if most_memory else "")
        reached = seconds <= most and (most_memory is None or memory <= most_memory)
        print(
            f"{suffix:10}{seconds:>9.3f} s {memory:>5.0f} MB{peer:>9.3f} s {peer_memory:>5.0f} MB"
            f"{seconds / peer:>9.2f}  {goal}{': reached' if reached else ': MISSED'}"
        )
    for suffix in ("html", "json"):
        seconds, memory = median(f"batchkit {suffix}", items)
        print(f"{suffix:10}{seconds:>9.3f} s {memory:>5.0f} MB")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))))
    else:
        main(*map(int, sys.argv[1:2]))
