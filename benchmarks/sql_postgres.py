"""Upserts into PostgreSQL, with an outcome per row and bad rows isolated, against what else there is.

Run: python benchmarks/sql_postgres.py [ROWS_OF_THE_LARGE_RUN]. The server is started for it, with
PostgreSQL's own settings for writing to disk. Median of 5; every ratio is taken within a round. The main
peer is the quickest way known: a binary COPY of ready Python tuples into a temporary table, then one
INSERT .. ON CONFLICT, which knows neither conflicts nor bad rows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl
import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from batchkit.targets.base import ChunkContext
from batchkit.targets.sql.target import SqlTarget
from benchmarks.sql_companies import FIELDS, TABLE, frame_of, measure, old_rows, plan_of, rows, show
from tests.support.services import PostgresServer

ROUNDS = 5
COLUMNS = ("siret", *FIELDS)
UPSERT = f"INSERT INTO companies ({', '.join(COLUMNS)}) {{}} ON CONFLICT (siret) DO UPDATE SET " + ", ".join(
    f"{name} = excluded.{name}" for name in FIELDS
)


class Bench:
    """A table on a server, and the ways to bring it in line."""

    def __init__(self, url: str, count: int) -> None:
        self.url = url
        self.frame, self.wanted = plan_of(count)
        self.count = count
        self.link = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self.link.execute("DROP TABLE IF EXISTS companies, start")
        self.link.execute(TABLE.encode())
        self.link.execute("CREATE TABLE start (LIKE companies)")
        with self.link.cursor().copy("COPY start FROM STDIN") as copy:
            for row in old_rows(count):
                copy.write_row(row)
        self.target = SqlTarget(url, table="companies", key=["siret"])

    def fresh(self) -> None:
        """The table as it was, and nothing left to do for the server."""
        self.link.execute("TRUNCATE companies")
        self.link.execute("INSERT INTO companies SELECT * FROM start")
        self.link.execute("VACUUM ANALYZE companies")
        self.link.execute("CHECKPOINT")
        self.target.close()
        self.target.connect()

    def ours(self, size: int, frame: pl.DataFrame | None = None, bad: int = 0) -> None:
        """Our target, a chunk at a time."""
        told = 0
        for part in (self.frame if frame is None else frame).iter_slices(size):
            first = int(part["item"][0])
            told += len(self.target.apply(part, ChunkContext("bench", first, first + part.height - 1)))
        assert told == bad, told

    def raw(self) -> None:
        """Binary COPY of ready tuples into a temporary table, and one upsert."""
        with self.link.transaction():
            self.link.execute("CREATE TEMP TABLE stage (LIKE companies) ON COMMIT DROP")
            with self.link.cursor().copy("COPY stage FROM STDIN (FORMAT binary)") as copy:
                copy.set_types(["text"] * 6 + ["int4", "date"])
                for row in self.wanted:
                    copy.write_row(row)
            self.link.execute(UPSERT.format("SELECT * FROM stage").encode())

    def executemany(self) -> None:
        """The executemany of psycopg, pipelined, in one transaction."""
        marks = ", ".join(["%s"] * len(COLUMNS))
        with self.link.transaction():
            self.link.cursor().executemany(UPSERT.format(f"VALUES ({marks})").encode(), self.wanted)

    def core(self) -> None:
        """SQLAlchemy Core, a thousand rows a statement."""
        engine = sa.create_engine(self.url)
        table = sa.Table("companies", sa.MetaData(), autoload_with=engine)
        statement = insert(table)
        chosen = {name: statement.excluded[name] for name in FIELDS}
        statement = statement.on_conflict_do_update(index_elements=["siret"], set_=chosen)
        with engine.begin() as link:
            for part in slices(self.wanted, 1000):
                link.execute(statement, [dict(zip(COLUMNS, row, strict=True)) for row in part])
        engine.dispose()

    def pandas(self) -> None:
        """pandas.to_sql into a table, then one upsert."""
        import pandas as pd

        engine = sa.create_engine(self.url)
        data = pd.DataFrame(self.wanted, columns=list(COLUMNS))
        with engine.begin() as link:
            data.to_sql("stage", link, index=False, if_exists="replace")
            link.execute(sa.text(UPSERT.format("SELECT * FROM stage")))
            link.execute(sa.text("DROP TABLE stage"))
        engine.dispose()


def slices(wanted: list[Any], size: int) -> Iterator[list[Any]]:
    """A list in pieces."""
    return (wanted[start : start + size] for start in range(0, len(wanted), size))


def small(url: str) -> None:
    """50,000 rows, against all peers; then with bad rows; then reading."""
    bench = Bench(url, 50_000)
    contenders: dict[str, Callable[[], object]] = {
        "raw binary COPY + INSERT .. ON CONFLICT": bench.raw,
        "batchkit, one chunk": lambda: bench.ours(50_000),
        "batchkit, chunks of 10,000": lambda: bench.ours(10_000),
        "executemany": bench.executemany,
        "SQLAlchemy Core in thousands": bench.core,
        "pandas.to_sql + merge": bench.pandas,
    }
    peer = "raw binary COPY + INSERT .. ON CONFLICT"
    goals = {"batchkit, one chunk": 0.7, "batchkit, chunks of 10,000": 0.7}
    show("50,000 rows, half updates, half creates", measure(contenders, bench.fresh, ROUNDS), peer, goals)
    spoilt, _ = plan_of(50_000, bad=20)
    one, _ = plan_of(50_000, bad=50_000)
    contenders = {
        "clean, chunks of 10,000": lambda: bench.ours(10_000),
        "1 bad row of 50,000": lambda: bench.ours(10_000, one, 1),
        "2,500 bad rows of 50,000": lambda: bench.ours(10_000, spoilt, 2500),
    }
    goals = {"2,500 bad rows of 50,000": 0.25}
    show("Bad rows", measure(contenders, bench.fresh, ROUNDS), "clean, chunks of 10,000", goals)
    keys = frame_of(rows(0, 50_000)).select("siret")
    contenders = {
        "read 50,000 keys x 7 fields": lambda: bench.target.read(keys, FIELDS),
        "scan the table": lambda: list(bench.target.scan_keys(FIELDS)),
    }
    show("Reading", measure(contenders, lambda: None, ROUNDS), "scan the table", {})
    bench.target.close()
    bench.link.close()


def large(url: str, count: int) -> None:
    """A million rows against the main peer."""
    bench = Bench(url, count)
    peer = "raw binary COPY + INSERT .. ON CONFLICT"
    contenders: dict[str, Callable[[], object]] = {
        peer: bench.raw,
        "batchkit, chunks of 10,000": lambda: bench.ours(10_000),
        "batchkit, chunks of 50,000": lambda: bench.ours(50_000),
    }
    goals = {"batchkit, chunks of 10,000": 0.85, "batchkit, chunks of 50,000": 0.85}
    show(f"{count:,} rows", measure(contenders, bench.fresh, ROUNDS), peer, goals)
    bench.target.close()
    bench.link.close()


def main() -> None:
    """Both sizes on one server."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    settings = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
    with PostgresServer(durable=True, settings=settings) as server:
        small(server.create_database())
        if count:
            large(server.create_database(), count)


if __name__ == "__main__":
    main()
