"""A plan and a run that only answer what they are told: views are tested without an engine."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from batchkit.core.problem import Problem
from batchkit.core.states import Change, Outcome, RunState
from batchkit.journal.snapshot import Snapshot
from batchkit.planning.change_view import ChangeView, FieldView, PlanSummary


def outcomes(**counts: int) -> dict[str, int]:
    """All six outcomes, nought where nothing is said."""
    return {kind: counts.get(kind, 0) for kind in Outcome}


def snapshot(**changes: Any) -> Snapshot:
    """A run of 2,000 items, of which 500 are done, with whatever a test changes."""
    values: dict[str, Any] = {
        "run": "r1", "state": RunState.RUNNING, "dry_run": False, "message": "", "total": 2_500,
        "to_send": 2_000, "outcomes": outcomes(done=497, rejected=3, unchanged=500, pending=1_500),
        "attempts": 501, "retries": 1, "calls": 5, "chunks": 5, "seconds": 2.0, "rate": 250.0,
        "eta": (5.0, 7.0), "limiter": "", "success_rate": 0.994, "top_errors": [],
        "workers": 4, "settings": {}, "memory": 120_000_000, "disk_free": 10**10,
        "disk_need": 10**6, "owner": "", "in_flight": 4,
    }  # fmt: skip
    return Snapshot(**{**values, **changes})


class PretendRun:
    """A run whose snapshots a test sets; what is asked of it is noted in `asked`."""

    def __init__(self, *states: Snapshot, plan: Any = None) -> None:
        self.script = list(states) or [snapshot()]
        self.asked: list[tuple[str, Any]] = []
        self.looks = 0
        self.plan = plan
        self.id = "r1"
        self.lock = threading.Lock()

    @property
    def state(self) -> RunState:
        """The state of the present snapshot."""
        return self.script[0].state

    def snapshot(self) -> Snapshot:
        """The next snapshot of the script; the last one for ever."""
        with self.lock:
            self.looks += 1
            return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def now(self, **changes: Any) -> None:
        """From now on, the snapshot is the last one with these changes."""
        with self.lock:
            self.script = [replace(self.script[-1], **changes)]

    def pause(self) -> None:
        """Noted."""
        self.asked.append(("pause", None))

    def resume(self) -> None:
        """Noted."""
        self.asked.append(("resume", None))

    def wait(self, timeout: float | None = None) -> RunState:  # noqa: ARG002  as a run's own
        """At once."""
        return self.state

    def stop(self) -> None:
        """Noted."""
        self.asked.append(("stop", None))

    def set(self, **settings: Any) -> None:
        """Noted."""
        self.asked.append(("set", settings))


def problem(row: int = 7, **changes: Any) -> Problem:
    """A problem of one row."""
    values: dict[str, Any] = {
        "row": row,
        "column": "siret",
        "value": "12",
        "rule": "siret",
        "message": "not a SIRET",
        "advice": "Write its 14 digits.",
    }
    return Problem(**{**values, **changes})


def change(item: int, kind: str = "update", **changes: Any) -> ChangeView:
    """A change of one company, whose name gets an accent."""
    fields = [FieldView("name", "Societe", "Société", True), FieldView("city", "Lyon", "Lyon", False)]
    values: dict[str, Any] = {
        "item": item,
        "row": item + 2,
        "key": f"{item:014}",
        "change": Change(kind),
        "fields": fields,
        "problems": [],
    }
    return ChangeView(**{**values, **changes})


class PretendPlan:
    """A plan with so many changes of each kind, made up page by page."""

    def __init__(self, problems: int = 0, **counts: int) -> None:
        self.counts = counts
        self.problem_count = problems
        self.pages: list[tuple[str | None, int, int]] = []
        self.started: list[dict[str, Any]] = []
        self.run = PretendRun(plan=self)

    def summary(self) -> PlanSummary:
        """The figures."""
        return PlanSummary(
            changes=self.counts, rows=sum(self.counts.values()), problems=self.problem_count,
            source="companies.csv", target="sqlite:///c.sqlite", table="companies", key=["siret"],
            mode="upsert", fields=["name", "city"], columns=["siret", "name", "city"], unused=[],
            created_at="2026-01-02T03:04:05+00:00", reversible=True, irreversible_because="", undoes=None,
            notices=[],
        )  # fmt: skip

    def page(self, kind: str | None = None, offset: int = 0, limit: int = 20) -> list[ChangeView]:
        """Made-up changes."""
        self.pages.append((kind, offset, limit))
        count = sum(self.counts.values()) if kind is None else self.counts[kind]
        return [change(n, kind or "update") for n in range(offset, min(count, offset + limit))]

    def problems(self, limit: int | None = None) -> list[Problem]:
        """Made-up problems."""
        count = self.problem_count if limit is None else min(limit, self.problem_count)
        return [problem(n + 2) for n in range(count)]

    def start(self, **settings: Any) -> PretendRun:
        """Noted; the run is the plan's only one."""
        self.started.append(settings)
        self.run.now(dry_run=bool(settings.get("dry_run")))
        return self.run
