"""Convert and check 1,000,000 rows x 8 fields, against plain polars casts of the same columns.

Run: python benchmarks/check_rows.py [ROWS]. One core: polars gets one thread.
The peer does the least that could be called a conversion: replace the comma, cast, parse the date. It checks
nothing, names no row and turns what it can't read into nothing. Median of 5, both in the same run.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import polars as pl

from batchkit.checking.fields import Field
from batchkit.checking.mapping import Mapping

BATCH = 50_000
MAPPING = Mapping(
    (
        Field("nom", required=True, max_length=80),
        Field("ville", required=True),
        Field("code_postal", pattern=r"\d{5}"),
        Field("effectif", type="integer", minimum=0),
        Field("annee", type="integer"),
        Field("chiffre", type="decimal", scale=2, decimal=","),
        Field("taux", type="decimal", scale=4),
        Field("creation", type="date", formats=("dd/mm/yyyy",)),
    )
)


def batches(rows: int, bad: int) -> list[pl.DataFrame]:
    """Batches of French-looking rows, one in `bad` of which has a decimal that can't be read."""
    number = pl.int_range(rows, eager=True)
    frame = pl.select(
        (number + 2).cast(pl.UInt32).alias("#row"),
        pl.format("Société Générale n° {}", number).alias("nom"),
        pl.when(number % 3 == 0).then(pl.lit("Saint-Étienne")).otherwise(pl.lit("Lyon")).alias("ville"),
        (number * 7 % 95_000 + 1000).cast(pl.String).str.zfill(5).alias("code_postal"),
        (number * 31 % 5000).cast(pl.String).alias("effectif"),
        (number % 60 + 1964).cast(pl.String).alias("annee"),
        pl.when(number % bad == bad // 2)
        .then(pl.lit("environ 12"))
        .otherwise(pl.format("{},{}", number * 977 % 10_000_019, (number % 100).cast(pl.String).str.zfill(2)))
        .alias("chiffre"),
        pl.format("0,{}", (number * 13 % 10_000).cast(pl.String).str.zfill(4)).alias("taux"),
        (pl.lit("2000-01-01").str.to_date() + pl.duration(days=pl.lit(number % 9000)))
        .dt.strftime("%d/%m/%Y")
        .alias("creation"),
    )
    return list(frame.iter_slices(BATCH))


def checked(parts: list[pl.DataFrame]) -> None:
    """Ours: typed values and a problem for each bad cell."""
    checker = MAPPING.checker([c for c in parts[0].columns if c != "#row"])
    for part in parts:
        checker.check(part)
    checker.finish()


def plain(parts: list[pl.DataFrame]) -> None:
    """The peer: casts alone."""
    for part in parts:
        part.with_columns(
            pl.col("nom", "ville", "code_postal").str.strip_chars(),
            pl.col("effectif", "annee").cast(pl.Int64, strict=False),
            pl.col("chiffre").str.replace(",", ".", literal=True).cast(pl.Decimal(38, 2), strict=False),
            pl.col("taux").str.replace(",", ".", literal=True).cast(pl.Decimal(38, 4), strict=False),
            pl.col("creation").str.to_date("%d/%m/%Y", strict=False),
        )


def seconds(work: Callable[[list[pl.DataFrame]], None], parts: list[pl.DataFrame]) -> float:
    """Median time of 5 passes."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work(parts)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{rows:,} rows x 8 fields in batches of {BATCH:,}, one thread, median of 5")
    for bad in (10_000, 1_000, 20):
        parts = batches(rows, bad)
        ours, peer = seconds(checked, parts), seconds(plain, parts)
        print(
            f"  1 bad row in {bad:>6,}: checked {ours:6.3f} s   plain casts {peer:6.3f} s   "
            f"ratio {ours / peer:5.2f}   {rows / ours / 1e6:5.2f} M rows/s"
        )


if __name__ == "__main__":
    main()
