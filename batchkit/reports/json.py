"""The report for programs: the figures of a run and its first failures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..core.states import Outcome
from . import overview
from .top_errors import digest

if TYPE_CHECKING:
    from .data import ReportData

FAILURES: Final = 10_000
CONFLICTS: Final = 10_000


def write_json(data: ReportData, path: Path) -> None:
    """Write one object; `failures` and `conflicts` hold at most 10,000 items each."""
    with path.open("w", encoding="utf-8") as file:
        json.dump(summary(data), file, ensure_ascii=False, indent=2, default=str)
        file.write("\n")


def summary(data: ReportData) -> dict[str, Any]:
    """The object that `write_json` writes."""
    shown = digest(data, failures=FAILURES, conflicts=CONFLICTS, errors=100)
    return {
        "run": data.run,
        "state": str(data.state),
        "dry_run": data.dry_run,
        "message": data.message,
        "headline": overview.headline(data),
        "next": overview.next_steps(data),
        "source": data.source,
        "target": data.target,
        "started": data.started,
        "finished": data.finished,
        "seconds": round(data.seconds, 3),
        "rate": overview.rate(data),
        "attempts": data.attempts,
        "changes": {str(change): number for change, number in data.changes.items()},
        "outcomes": {str(outcome): data.outcomes.get(outcome, 0) for outcome in Outcome},
        "settings": dict(data.settings),
        "notices": [notice.to_dict() for notice in data.notices],
        "top_errors": [asdict(error) for error in shown.errors],
        "failing": overview.failing(data),
        "failures": [_item(row) for row in shown.failures],
        "conflicts": [_item(row) for row in shown.conflicts],
    }


def _item(row: dict[str, Any]) -> dict[str, Any]:
    names = ("item", "row", "key", "change", "outcome", "attempts", "rule", "reason", "advice")
    at = row["at"].astimezone().replace(tzinfo=None) if row["at"] else None  # on this machine's clock
    return {
        **{name: row[name] for name in names},
        "at": at.isoformat(sep=" ", timespec="seconds") if at else None,
        "detail": overview.read_detail(row["detail"]),
    }
