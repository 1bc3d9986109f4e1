"""Made-up runs that the tests of reports write down."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import polars as pl

from batchkit.core.problem import Problem
from batchkit.core.states import RunState
from batchkit.reports.data import ReportData, Sample

SCHEMA: dict[str, type[pl.DataType]] = {
    "item": pl.UInt32, "row": pl.UInt32, "key": pl.String, "change": pl.String, "outcome": pl.String,
    "attempts": pl.UInt32, "at": pl.Float64, "rule": pl.String, "reason": pl.String, "advice": pl.String,
    "detail": pl.String,
}  # fmt: skip

HOSTILE = [
    "=cmd|' /C calc'!A0", "@SUM(A1:A9)", "+33612345678", "-5", "+20% de CA", "<script>alert(1)</script>",
    "👩‍🔧🇫🇷", "שלום", "a\x00b\x07c", "tab\tin", "two\nlines", "c\rr", 'say "hi"; done',
    '=HYPERLINK("http://x";1)', "\u202eevil", "00501", "NA", "1E5", "_x0041_", " lead and trail ", "é" * 40,
    "]]>", "{{ 7*7 }}", "\ufffe\uffff",
]  # fmt: skip
"""Texts that have broken somebody's spreadsheet, page or loader."""

START = 1_767_258_030.25  # 2026-01-01 09:00:30.25 UTC


def outcome(item: int, kind: str = "done", **facts: Any) -> dict[str, Any]:
    """A row of an outcome frame; `facts` replaces what it would hold."""
    row: dict[str, Any] = {
        "item": item, "row": item + 2, "key": f"{item:014d}", "change": "update", "outcome": kind,
        "attempts": 1, "at": START + item / 1000, "rule": None, "reason": None, "advice": None,
        "detail": None,
    }  # fmt: skip
    return row | facts


def frame(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Outcome rows as a frame; keys that begin with `raw:` become columns of texts."""
    raw: dict[str, type[pl.DataType]] = {
        name: pl.String for row in rows for name in row if name.startswith("raw:")
    }
    seconds = pl.DataFrame(rows, schema=SCHEMA | raw)
    return seconds.with_columns((pl.col("at") * 1_000_000).cast(pl.Datetime("us", "UTC")))


def run_data(rows: Sequence[dict[str, Any]] | pl.DataFrame, **facts: Any) -> ReportData:
    """A run with these outcomes; `facts` replaces what is said of it."""
    whole = rows if isinstance(rows, pl.DataFrame) else frame(rows)
    plain = whole.select(list(SCHEMA))
    known: dict[str, Any] = {
        "run": "companies-7f3a",
        "state": RunState.FINISHED,
        "dry_run": False,
        "source": "entreprises.csv",
        "target": "sqlite:///companies.sqlite#companies",
        "changes": dict(Counter(plain["change"].to_list())),
        "outcomes": dict(Counter(plain["outcome"].to_list())),
        "frames": plain.iter_slices,
        "raw_frames": lambda kinds, size: whole.filter(pl.col("outcome").is_in(list(kinds))).iter_slices(
            size
        ),
        "columns": [name.removeprefix("raw:") for name in whole.columns if name.startswith("raw:")],
        "started": "2026-01-01T09:00:30+00:00",
        "finished": "2026-01-01T09:04:12+00:00",
        "seconds": 221.5,
        "attempts": whole.height,
    }
    return ReportData(**(known | facts))


def realistic(items: int = 10_000) -> ReportData:
    """A run as an operator meets it: most done, some refused for a few reasons, conflicts, unknown ones."""
    return run_data(
        [outcome(item, **_story(item)) for item in range(items)],
        samples=[_sample(second / 2, items * (second / 443) ** 0.9) for second in range(444)],
        settings={
            "chunk_size": 500, "workers": 4, "rate": None, "delay": 0.2, "retries": 3, "confirm": "",
            "window": "22:00-06:00", "stop_on_failures": True, "backoff": [0.5, 1, 2],
        },
        notices=[
            Problem(None, None, None, "encoding", "Read as cp1252", "Say --encoding to overrule.", "notice"),
            Problem(812, "ville", "Saint-\ufffdtienne", "encoding", "A character is broken", "", "warning"),
        ],
    )  # fmt: skip


def _sample(seconds: float, items: float) -> Sample:
    wave = (seconds * 13) % 7
    return seconds, int(items * 0.925), int(items * 0.03), int(items * 0.04), int(items * 0.005), 42 + wave, 4


_REFUSED = {
    37: ("siret", "« {item:013d} » n'est pas un SIRET : il manque un chiffre",
         "Add the leading zero that a spreadsheet removed."),
    97: ("constraint", 'Key (categorie_id)=({item}) is not present in table "categories"',
         "Create the category first, or correct the cell."),
    211: ("length", "'Société d’exploitation n° {item}' has 61 characters, the column takes 50",
          "Shorten the text."),
}  # fmt: skip

CONFLICT: dict[str, dict[str, Any]] = {
    "nom": {"planned": "Café de l'Été", "found": "CAFÉ DE L'ÉTÉ", "wanted": "Café d’Hiver"},
    "effectif": {"planned": 12, "found": None, "wanted": 15},
}


def _story(item: int) -> dict[str, Any]:
    for every, (rule, reason, advice) in _REFUSED.items():
        if item % every == 5:
            return refused(rule, reason.format(item=item), advice)
    if item % 499 == 100:
        return {"kind": "conflict", "rule": "changed", "reason": "Edited at the target since",
                "advice": "Make a new plan to see the present values.",
                "detail": json.dumps(CONFLICT, ensure_ascii=False)}  # fmt: skip
    if item % 1999 == 40:
        return {"kind": "unknown", "rule": "timeout", "reason": "No answer within 30 s, maybe written",
                "advice": "Look at the target before sending it again."}  # fmt: skip
    return {"change": "unchanged", "kind": "unchanged", "attempts": 0} if item % 31 == 7 else {}


def refused(rule: str, reason: str, advice: str = "") -> dict[str, Any]:
    """What makes an outcome a rejected one."""
    return {"kind": "rejected", "rule": rule, "reason": reason, "advice": advice}
