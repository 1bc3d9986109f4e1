"""Reading a CSV file of 1,000,000 rows x 8 columns through `batches()`, against polars.read_csv.

    python benchmarks/read_csv.py [--rows N] [--repeat N]

Both read everything as text, in the same run and turn by turn; the ratio is of medians. Memory is the growth
of the resident set in a process of its own that reads the file once and keeps nothing.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl

from batchkit.sources.tables import open_table

HEADER = ["siret", "nom", "adresse", "code_postal", "ville", "chiffre_affaires", "date", "note"]

MEMORY = """
import sys, threading, time, psutil
import polars as pl
from batchkit.sources.tables import open_table
how, path = sys.argv[1:]
me = psutil.Process()
before = peak = me.memory_info().rss
done = False
def watch():
    global peak
    while not done:
        peak = max(peak, me.memory_info().rss)
        time.sleep(0.002)
watcher = threading.Thread(target=watch)
watcher.start()
if how == "batchkit":
    for batch in open_table(path).batches():
        pass
else:
    frame = pl.read_csv(path, separator=";", infer_schema=False)
done = True
watcher.join()
print(round((peak - before) / 2**20))
"""


def write_sample(path: Path, rows: int, quoting: int) -> None:
    """A table of made-up companies."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";", quoting=quoting, lineterminator="\n")  # type: ignore[arg-type]
        writer.writerow(HEADER)
        for i in range(rows):
            writer.writerow(
                [f"{i * 7919 % 10**14:014d}", f'Société "{i % 977}"' if quoting else f"Société Générale {i}",
                 f"{i % 99} rue de la Paix", f"{i % 95000:05d}", "Châteauroux", f"{i % 1000},{i % 100:02d}",
                 f"{i % 28 + 1:02d}/0{i % 9 + 1}/2021", f"note {i % 77}"]
            )  # fmt: skip


def through_batches(path: Path) -> int:
    """Rows counted by reading all batches."""
    return sum(batch.height for batch in open_table(path).batches())


def through_polars(path: Path) -> int:
    """Rows counted by reading the file into one frame."""
    return pl.read_csv(path, separator=";", infer_schema=False).height


def seconds(work: Callable[[Path], int], path: Path, rows: int) -> float:
    """How long it took, having read every row."""
    start = time.perf_counter()
    assert work(path) == rows
    return time.perf_counter() - start


def growth(how: str, path: Path) -> str:
    """Peak growth of the resident set in MiB, of a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", MEMORY, how, str(path)], check=True, capture_output=True, text=True
    ).stdout.strip()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind, quoting in (("plain", csv.QUOTE_MINIMAL), ("all quoted", csv.QUOTE_ALL)):
            path = Path(folder) / "sample.csv"
            write_sample(path, options.rows, quoting)
            ours, theirs = [], []
            for _ in range(options.repeat):
                theirs.append(seconds(through_polars, path, options.rows))
                ours.append(seconds(through_batches, path, options.rows))
            mine, peer = statistics.median(ours), statistics.median(theirs)
            print(
                f"{kind}: {options.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB: batches() {mine:.2f} s, "
                f"polars.read_csv {peer:.2f} s, ratio {mine / peer:.1f}; peak memory "
                f"+{growth('batchkit', path)} MiB against +{growth('polars', path)} MiB",
                flush=True,
            )


if __name__ == "__main__":
    main()
