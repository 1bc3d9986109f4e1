"""The running figures of one session of a run: counts, active time, rate, and what slows it down."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Final

from ..core.estimate import EtaEstimator
from ..core.states import Outcome

DELAY: Final = "of the delay between chunks"
"""What `waited` counts the delay between chunks under."""

MOST_SIGNATURES = 500
"""Different reasons counted; a target that puts an id into each reason must not fill the memory."""


class Tally:
    """Counts what happens to items, and where the time goes.

    Args:
        outcomes: How many items have each outcome when the session starts.
        seconds: Active seconds of earlier sessions.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        outcomes: Mapping[Outcome, int],
        *,
        seconds: float = 0.0,
        clock: Callable[[], float],
    ) -> None:
        self.outcomes: dict[Outcome, int] = {outcome: outcomes.get(outcome, 0) for outcome in Outcome}
        self.errors: Counter[str] = Counter()
        self.retries = 0
        self.calls = 0
        self.chunks = 0
        self.in_flight = 0
        self.done = 0
        self.failed = 0
        self.waited: defaultdict[str, float] = defaultdict(float)
        self._clock = clock
        self._earlier = seconds
        self._active = 0.0
        self._since: float | None = None
        self._eta = EtaEstimator()
        self._work = EtaEstimator()
        self._marks: list[tuple[float, int, dict[str, float]]] = []

    def start_clock(self) -> None:
        """Active time runs from now on."""
        if self._since is None:
            self._since = self._clock()

    def stop_clock(self) -> None:
        """Active time stands still from now on (paused)."""
        if self._since is not None:
            self._active += self._clock() - self._since
            self._since = None

    @property
    def active(self) -> float:
        """Active seconds of this session."""
        running = self._clock() - self._since if self._since is not None else 0.0
        return self._active + running

    @property
    def seconds(self) -> float:
        """Active seconds of all sessions."""
        return self._earlier + self.active

    @property
    def settled(self) -> int:
        """Items that got their outcome in this session."""
        return self.done + self.failed

    def settle(self, outcome: Outcome, items: int = 1) -> None:
        """Count items that leave `pending` for their outcome."""
        self.outcomes[outcome] += items
        self.outcomes[Outcome.PENDING] -= items
        if outcome in (Outcome.DONE, Outcome.UNCHANGED):
            self.done += items
        else:
            self.failed += items

    def reopen(self, outcome: Outcome) -> None:
        """Count an item that has this outcome as pending again."""
        self.outcomes[outcome] -= 1
        self.outcomes[Outcome.PENDING] += 1

    def error(self, reason: str) -> None:
        """Count one reason why an item wasn't done or a call was made again."""
        if reason in self.errors or len(self.errors) < MOST_SIGNATURES:
            self.errors[reason] += 1
        else:
            self.errors["other reasons"] += 1

    def tick(self) -> None:
        """Take a point for rate and time left; call it a few times a second while active."""
        self._eta.add(self.active, self.settled)
        self._work.add(self.active - self.waited[DELAY], self.settled)
        self._marks.append((self.active, self.calls, dict(self.waited)))
        while len(self._marks) > 2 and self.active - self._marks[1][0] > 10.0:
            self._marks.pop(0)

    def rate(self) -> float | None:
        """Items per second lately; None when unknown."""
        return self._eta.rate()

    def eta(self, left: int, delays: float = 0.0) -> tuple[float, float] | None:
        """Seconds left as a range; None when unknown.

        Args:
            left: Items left.
            delays: Seconds of delay between the chunks that are left; the rate of the work doesn't hold them.
        """
        remaining = self._work.remaining(left)
        if remaining is None:
            # Work that takes next to nothing beside its delays is no basis; the whole, with them, is one.
            return self._eta.remaining(left)
        return remaining[0] + delays * 0.9, remaining[1] + delays

    def limiter(self, workers: int) -> str:
        """What slowed the run most lately, as the end of "Slow because ..."; empty when unclear."""
        if len(self._marks) < 2:
            return ""
        start, calls_before, waited_before = self._marks[0]
        span = (self.active - start) * workers
        if span < 1.0:
            return ""
        spent = {cause: self.waited[cause] - waited_before.get(cause, 0.0) for cause in self.waited}
        if not spent:
            return ""
        cause, seconds = max(spent.items(), key=lambda pair: pair[1])
        if seconds / span < 0.3:
            return ""
        if cause == "target":
            calls = max(self.calls - calls_before, 1)
            return f"the target takes {seconds / calls * 1000:,.0f} ms a call with {workers} at once"
        return cause
