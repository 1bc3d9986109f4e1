"""Companies for the benchmarks of SQL targets: half of them in the table, half new, all to be written."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl

FIELDS = ("nom", "adresse", "code_postal", "ville", "categorie", "effectif", "cree")
TABLE = (
    "CREATE TABLE companies (siret text PRIMARY KEY, nom text NOT NULL, adresse text, code_postal text, "
    "ville text, categorie text, effectif integer CHECK (effectif >= 0), cree date)"
)
SCHEMA: Any = dict.fromkeys(("siret", *FIELDS), pl.String) | {"effectif": pl.Int64, "cree": pl.Date}
_DAY = date(1990, 1, 1)


def rows(start: int, stop: int, version: str = "", bad: int = 0) -> list[tuple[Any, ...]]:
    """Rows as plain Python; every `bad`-th has no name, which the table refuses."""
    return [
        (
            f"{i:014d}",
            None if bad and i % bad == bad // 2 else f"Société {i}{version}",
            f"{i % 300} rue des Lilas{version}",
            f"{i % 95_000:05d}",
            f"Saint-Étienne {i % 3000}",
            f"cat{i % 40}",
            i % 500 + len(version),
            _DAY + timedelta(days=i % 9000),
        )
        for i in range(start, stop)
    ]


def frame_of(wanted: list[tuple[Any, ...]]) -> pl.DataFrame:
    """The same as a frame."""
    return pl.DataFrame(wanted, schema=SCHEMA, orient="row")


def plan_of(count: int, *, bad: int = 0) -> tuple[pl.DataFrame, list[tuple[Any, ...]]]:
    """A plan of `count` items, every other one an update of three fields, and its wanted rows.

    Of rows 0, 2, 4, .. the table holds the old version (`old_rows`); the others are to be created.
    """
    wanted = rows(0, count, " bis", bad)
    after = frame_of(wanted)
    before = frame_of(rows(0, count))
    exists = pl.int_range(count, eager=True) % 2 == 0
    frame = pl.DataFrame(
        [
            pl.Series("item", range(count), dtype=pl.UInt32),
            pl.Series("row", range(2, count + 2), dtype=pl.UInt32),
            pl.select(pl.when(exists).then(pl.lit("update")).otherwise(pl.lit("create")))
            .to_series()
            .alias("change"),
            after["siret"].alias("key:siret"),
            *(
                pl.select(pl.when(exists).then(before[name])).to_series().alias(f"before:{name}")
                for name in FIELDS
            ),
            *(after[name].alias(f"after:{name}") for name in FIELDS),
        ]
    )
    return frame, wanted


def old_rows(count: int) -> list[tuple[Any, ...]]:
    """What the table holds before."""
    return rows(0, count)[::2]


def measure(
    contenders: dict[str, Callable[[], object]], fresh: Callable[[], object], rounds: int
) -> dict[str, list[float]]:
    """Seconds of each contender, in turns, so that a busy machine is busy for all of them."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            fresh()
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return times


def show(title: str, times: dict[str, list[float]], peer: str, goals: dict[str, float]) -> None:
    """Print medians, and the ratio to the peer (above 1: quicker than it), taken round by round."""
    print(f"\n{title}")
    for name, seconds in times.items():
        ratio = statistics.median(p / s for p, s in zip(times[peer], seconds, strict=True))
        goal = f"   goal {goals[name]:g}" if name in goals else ""
        print(f"  {name:44} {statistics.median(seconds):8.3f} s   ratio {ratio:5.2f}{goal}")
