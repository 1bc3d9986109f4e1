"""A snapshot of a run: what every view shows, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from ..core.advice import Wording, about_run
from ..core.states import PLANNED_OUTCOME, Change, Outcome, RunState

if TYPE_CHECKING:
    from ..planning.plan import Plan


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a run stands at one moment.

    Attributes:
        run: Id of the run.
        state: Its state.
        dry_run: Whether it writes nothing.
        message: Why it paused, stopped or failed, in a sentence; empty otherwise.
        total: Items in the plan.
        to_send: Items of the plan that are sent to the target.
        outcomes: How many items have each outcome; every outcome is there, they sum to `total`.
        attempts: Calls made for items, counted per item.
        retries: Calls made again.
        calls: Calls made in this session.
        chunks: Chunks closed in this session.
        seconds: Active seconds over all sessions; pauses aren't counted.
        rate: Items per second lately; None when unknown.
        eta: Seconds left as a range; None when unknown.
        limiter: How "Slow because ..." goes on, or empty.
        success_rate: Share of the items sent that are done; None before the first.
        top_errors: The most frequent reasons and how often each came.
        workers: Calls that may be in flight at once.
        settings: The settings in force.
        memory: Resident memory of the owner in bytes; 0 when nobody owns the run.
        disk_free: Free bytes where the run folder lies; 0 when unknown.
        disk_need: Bytes the run may still write.
        owner: `pid 123 on host`, or empty.
        in_flight: Calls under way.
        notices: What to know of the run as a whole, such as rows that an earlier one appended already.
    """

    run: str
    state: RunState
    dry_run: bool = False
    message: str = ""
    total: int = 0
    to_send: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    attempts: int = 0
    retries: int = 0
    calls: int = 0
    chunks: int = 0
    seconds: float = 0.0
    rate: float | None = None
    eta: tuple[float, float] | None = None
    limiter: str = ""
    success_rate: float | None = None
    top_errors: list[tuple[str, int]] = field(default_factory=list)
    workers: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)
    memory: int = 0
    disk_free: int = 0
    disk_need: int = 0
    owner: str = ""
    in_flight: int = 0
    notices: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Word what can be done as the face that is speaking does."""
        object.__setattr__(self, "message", Wording(about_run(self.message, self.run)))

    @property
    def settled(self) -> int:
        """Items that have an outcome other than pending."""
        return self.total - self.outcomes.get("pending", 0)

    def to_dict(self) -> dict[str, Any]:
        """The snapshot as JSON-able values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Snapshot:
        """A snapshot from what `to_dict` gave, possibly by way of JSON."""
        known = {f.name for f in fields(cls)}
        kept = {name: value for name, value in values.items() if name in known}
        kept["state"] = RunState(kept["state"])
        # One that an earlier version stored lacks the outcomes that came later.
        kept["outcomes"] = {**dict.fromkeys(map(str, Outcome), 0), **kept.get("outcomes", {})}
        kept["eta"] = tuple(kept["eta"]) if kept.get("eta") else None
        kept["top_errors"] = [(reason, n) for reason, n in kept.get("top_errors", [])]
        return cls(**kept)


def count_outcomes(plan: Plan, recorded: Mapping[Outcome, int] | None = None) -> dict[Outcome, int]:
    """How many of a plan's items have each outcome: those the plan decides, and those on record."""
    counts = {outcome: (recorded or {}).get(outcome, 0) for outcome in Outcome}
    for kind, n in plan.counts.items():
        if (outcome := PLANNED_OUTCOME.get(Change(kind))) is not None:
            counts[outcome] += n
    counts[Outcome.PENDING] += len(plan) - sum(counts.values())
    return counts
