"""Upserts into SQLite, with an outcome per row and bad rows isolated, against executemany in one transaction.

Run: python benchmarks/sql_sqlite.py [ROWS]. Median of 5; every ratio is taken within a round. The peer knows
neither conflicts nor bad rows. It gets its rows as ready Python tuples, which nobody has who read a file; so
it is also shown with a frame to start from, as we have to.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl

from batchkit.targets.base import ChunkContext
from batchkit.targets.sql.target import SqlTarget
from batchkit.targets.sql.types import to_sqlite_values
from benchmarks.sql_companies import FIELDS, TABLE, frame_of, measure, old_rows, plan_of, rows, show

ROUNDS = 5
COLUMNS = ("siret", *FIELDS)
UPSERT = (
    f"INSERT INTO companies ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "
    f"ON CONFLICT (siret) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in FIELDS)}"
)


class Bench:
    """A table in a file, and the ways to bring it in line."""

    def __init__(self, folder: Path, count: int) -> None:
        self.path = folder / f"{count}.sqlite"
        self.frame, wanted = plan_of(count)
        self.source = to_sqlite_values(frame_of(wanted))
        self.wanted: list[tuple[object, ...]] = []
        self.old = to_sqlite_values(frame_of(old_rows(count))).rows()
        self.target = SqlTarget(f"sqlite:///{self.path}", table="companies", key=["siret"])

    def fresh(self) -> None:
        """The file as it was."""
        self.target.close()
        self.path.unlink(missing_ok=True)
        link = sqlite3.connect(self.path)
        with link:
            link.execute(TABLE)
            link.executemany(f"INSERT INTO companies VALUES ({', '.join('?' * len(COLUMNS))})", self.old)
        link.close()
        self.target.connect()
        # New ones each time: Python keeps a text's UTF-8 form once it was bound, and the next round would
        # profit.
        self.wanted = self.source.rows()

    def ours(self, size: int, frame: pl.DataFrame | None = None, bad: int = 0) -> None:
        """Our target, a chunk at a time."""
        told = 0
        for part in (self.frame if frame is None else frame).iter_slices(size):
            first = int(part["item"][0])
            told += len(self.target.apply(part, ChunkContext("bench", first, first + part.height - 1)))
        assert told == bad, told

    def executemany(self, *, from_frame: bool = False) -> None:
        """One executemany in one transaction."""
        link = sqlite3.connect(self.path)
        with link:
            link.executemany(UPSERT, self.source.rows() if from_frame else self.wanted)
        link.close()


def main() -> None:
    """A large upsert, then bad rows, then reading."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    peer = "executemany upsert, one transaction"
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), count)
        contenders: dict[str, Callable[[], object]] = {
            peer: bench.executemany,
            "the same, starting from a frame": lambda: bench.executemany(from_frame=True),
            "batchkit, chunks of 10,000": lambda: bench.ours(10_000),
            "batchkit, chunks of 50,000": lambda: bench.ours(50_000),
        }
        goals = {"batchkit, chunks of 10,000": 0.8, "batchkit, chunks of 50,000": 0.8}
        show(
            f"{count:,} rows, half updates, half creates",
            measure(contenders, bench.fresh, ROUNDS),
            peer,
            goals,
        )
        bench.target.close()
        bench = Bench(Path(folder), 50_000)
        one, _ = plan_of(50_000, bad=50_000)
        spoilt, _ = plan_of(50_000, bad=20)
        contenders = {
            "clean, chunks of 10,000": lambda: bench.ours(10_000),
            "1 bad row of 50,000": lambda: bench.ours(10_000, one, 1),
            "2,500 bad rows of 50,000": lambda: bench.ours(10_000, spoilt, 2500),
        }
        goals = {"2,500 bad rows of 50,000": 0.25}
        show(
            "50,000 rows with bad ones",
            measure(contenders, bench.fresh, ROUNDS),
            "clean, chunks of 10,000",
            goals,
        )
        keys = frame_of(rows(0, 50_000)).select("siret")
        contenders = {
            "read 50,000 keys x 7 fields": lambda: bench.target.read(keys, FIELDS),
            "scan the table": lambda: list(bench.target.scan_keys(FIELDS)),
        }
        show("Reading", measure(contenders, lambda: None, ROUNDS), "scan the table", {})
        bench.target.close()


if __name__ == "__main__":
    main()
