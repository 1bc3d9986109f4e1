"""What came of a run: its page, the first conflicts with both values, what can be done now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..core.words import number
from .console import bold, dim, shorten, style, value_text, width
from .pages import run_page
from .steps import next_steps

if TYPE_CHECKING:
    from ..journal.snapshot import Snapshot
    from ..running.run import Run

SHOWN = 3
"""Conflicts that stand on the page; the report has them all."""


def result_page(run: Run, snapshot: Snapshot, more: Mapping[str, str] | None = None) -> Iterator[str]:
    """The page of a run.

    Args:
        run: The run.
        snapshot: Its figures.
        more: Lines to show before the next steps, label → text.
    """
    yield from run_page(snapshot, run.plan.counts, {**(more or {}), **next_steps(run, snapshot)})
    if total := snapshot.outcomes.get("conflict", 0):
        yield from _conflicts(run, total)


def _conflicts(run: Run, total: int) -> Iterator[str]:
    yield ""
    yield bold("Conflicts") + dim("  edited at the target since the plan was made; kept as they are")
    shown = 0
    for row in _rows(run):
        place = f"row {row['row']}  " if row["row"] is not None else ""
        yield f"  {place}{bold(shorten(str(row['key']), 60))}"
        yield from _values(row)
        shown += 1
    if total > shown:
        yield dim(f"  and {number(total - shown)} more; the report lists them")


def _rows(run: Run) -> Iterator[dict[str, Any]]:
    import polars as pl

    left = SHOWN
    for frame in run.outcome_frames():
        found = frame.filter(pl.col("outcome") == "conflict").head(left)
        yield from found.to_dicts()
        left -= found.height
        if not left:
            return


def _values(row: Mapping[str, Any]) -> Iterator[str]:
    from ..reports.overview import differences

    room = max(16, (width() - 50) // 2)
    fields = differences(row["detail"])
    for name, _, found, wanted in fields:
        now = style(value_text(found, room), fg="red")
        yield f"      {name}: there now {now}, wanted {style(value_text(wanted, room), fg='green')}"
    if not fields and row["reason"]:
        yield f"      {shorten(row['reason'], width() - 8)}"
