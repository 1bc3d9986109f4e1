"""File → plan: 1,000,000 rows of 8 columns, against an empty and against a full SQLite table.

    python benchmarks/plan_million.py [ROWS]

Prints seconds, the peak of memory, and the ratio to the named peer: polars alone, which reads the file as
text and the table as a whole, joins, compares and writes, with no checks, no row numbers and no bound on
memory. Each measure is taken in a process of its own.
"""

from __future__ import annotations

import json
import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import polars as pl

ROUNDS = 3
GOAL_SECONDS, GOAL_BYTES = 5.0, 2 * 1024**3


def make_rows(rows: int) -> pl.DataFrame:
    """Companies, as text: SIRET, name, address, postal code, city, category, staff, date."""
    n = pl.int_range(rows, eager=True)
    text = n.cast(pl.String)
    cities = pl.Series(["Saint-Étienne", "Lyon", "Nîmes", "Besançon", "Paris", "Orléans", "Brest"])
    return pl.DataFrame(
        {
            "siret": text.str.zfill(14),
            "nom": "Société " + text + " & Fils",
            "adresse": (n % 200).cast(pl.String) + " rue de la République",
            "code_postal": (n % 95_000).cast(pl.String).str.zfill(5),
            "ville": cities.gather(n % cities.len()),
            "categorie": "C" + (n % 40).cast(pl.String),
            "effectif": (n % 5_000).cast(pl.String),
            "cree_le": "20"
            + (n % 24).cast(pl.String).str.zfill(2)
            + "-0"
            + (n % 9 + 1).cast(pl.String)
            + "-15",
        }
    )


def prepare(folder: Path, rows: int) -> None:
    """The CSV file, an empty table, and a table that holds all rows, a tenth of them under another name."""
    frame = make_rows(rows)
    frame.write_csv(folder / "companies.csv", separator=";")
    stored = frame.with_columns(
        nom=pl.when(pl.int_range(pl.len()) % 10 == 0).then(pl.lit("Autre nom")).otherwise("nom")
    )
    columns = "siret TEXT PRIMARY KEY, nom TEXT, adresse TEXT, code_postal TEXT, ville TEXT, categorie TEXT, "
    for name, data in (("empty", stored.clear()), ("full", stored)):
        with sqlite3.connect(folder / f"{name}.sqlite") as base:
            base.execute(f"CREATE TABLE companies ({columns}effectif INTEGER, cree_le DATE)")
            base.executemany("INSERT INTO companies VALUES (?,?,?,?,?,?,?,?)", data.iter_rows())
        base.close()


def batchkit_plan(folder: Path, table: str) -> dict[str, object]:
    """Plan the file against a table."""
    from batchkit.planning.job import Job

    os.environ["BATCHKIT_HOME"] = str(folder / "home")
    job = Job(str(folder / "companies.csv"), f"sqlite:///{folder}/{table}.sqlite", "companies", ["siret"])
    plan = job.plan(folder / f"{table}.parquet")
    return {"changes": plan.counts, "bytes": plan.path.stat().st_size}


def polars_alone(folder: Path, table: str) -> dict[str, object]:
    """What polars needs for the bare work: read as text, read the table, join, compare, write."""
    file = pl.read_csv(folder / "companies.csv", separator=";", infer_schema=False)
    with sqlite3.connect(folder / f"{table}.sqlite") as base:
        rows = base.execute("SELECT * FROM companies").fetchall()
    base.close()
    there = pl.DataFrame(rows, schema=file.schema, orient="row", strict=False)
    both = file.join(there, on="siret", how="left", suffix="_before")
    fields = [name for name in file.columns if name != "siret"]
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in fields)
    changed = both.with_columns(change=differs)
    changed.write_parquet(folder / "peer.parquet", compression="zstd", compression_level=1)
    return {"changed": int(changed["change"].sum())}


WORK = {"batchkit": batchkit_plan, "polars": polars_alone}


def measure(who: str, folder: Path, table: str) -> dict[str, float]:
    """Seconds and peak bytes of one measure in a process of its own, start-up not counted."""
    call = [sys.executable, __file__, "--measure", who, str(folder), table]
    answer = subprocess.run(call, check=True, capture_output=True, text=True, env={**os.environ})
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def main() -> None:
    """Measure all and print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        prepare(folder, rows)
        size = (folder / "companies.csv").stat().st_size
        print(f"{rows:,} rows x 8, {size / 1e6:.0f} MB of CSV; goal {GOAL_SECONDS} s and 2 GiB")
        for table in ("empty", "full"):
            took: dict[str, list[float]] = {"batchkit": [], "polars": []}
            peak: dict[str, float] = {}
            for _ in range(ROUNDS):
                for who, seconds in took.items():
                    found = measure(who, folder, table)
                    seconds.append(found["seconds"])
                    peak[who] = max(peak.get(who, 0), found["peak"])
            ours, peer = median(took["batchkit"]), median(took["polars"])
            print(
                f"{table:>6}: {ours:5.2f} s, peak {peak['batchkit'] / 1e6:5.0f} MB"
                f"  |  polars alone {peer:5.2f} s, {peak['polars'] / 1e6:5.0f} MB  |  ratio {peer / ours:.2f}"
                f"  {'ok' if ours < GOAL_SECONDS and peak['batchkit'] < GOAL_BYTES else 'OVER THE GOAL'}"
            )


def one_measure(who: str, folder: Path, table: str) -> None:
    """The body of the process that `measure` starts."""
    start = time.perf_counter()
    facts = WORK[who](folder, table)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "peak": peak, **facts}))


if __name__ == "__main__":
    if "--measure" in sys.argv:
        one_measure(sys.argv[2], Path(sys.argv[3]), sys.argv[4])
    else:
        main()
