"""What the tries of one call cost: which of them count, and which don't."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.retry import Backoff

MOST_RESTARTS = 5
"""How often the tries of a call that is turned away begin anew, while others get through or may do so."""


@dataclass(slots=True)
class Tries:
    """The tries of one call.

    Attributes:
        made: How often it was sent.
        free: Tries of these that don't count.
        restarts: How often counting began anew.
        done_before: Items of the session that were done when counting began.
        done_first: The same when it was sent first.
        suspicions: How often it ran out of tries while nobody else got through.
    """

    made: int = 0
    free: int = 0
    restarts: int = 0
    done_before: int = 0
    done_first: int = 0
    suspicions: int = 0

    @classmethod
    def of_first(cls, done: int) -> Tries:
        """The tries of a call whose first was made when so many items were done."""
        return cls(made=1, done_before=done, done_first=done)

    @property
    def counted(self) -> int:
        """Tries that count against the setting `retries`."""
        return self.made - self.free

    def begin(self, done: int) -> None:
        """Count a try that is about to be made, when so many items of the session are done."""
        if not self.made:
            self.done_before = self.done_first = done
        self.made += 1

    def others_passed(self, done: int) -> bool:
        """Whether other items were done since counting began: the target isn't away for everybody."""
        return done > self.done_before

    def ever_passed(self, done: int) -> bool:
        """Whether others got through at any time since it was sent first."""
        return done > self.done_first

    def forgive_last(self) -> None:
        """The last try doesn't count: the target was away, whatever was sent."""
        self.free += 1

    def forgive_all(self) -> None:
        """No try so far counts: somebody looked, and wants it tried again."""
        self.free = self.made

    def restart(self, done: int) -> bool:
        """Begin counting anew; False when that was done often enough."""
        self.restarts += 1
        return self.restarts <= MOST_RESTARTS and self._begin_anew(done)

    def suspect(self, done: int) -> bool:
        """Begin counting anew to see whether others get through; False when that was done often enough."""
        self.suspicions += 1
        return self.suspicions <= MOST_RESTARTS and self._begin_anew(done)

    def _begin_anew(self, done: int) -> bool:
        self.free, self.done_before = self.made, done
        return True

    def may_go_on(self, backoff: Backoff) -> bool:
        """Whether one more try may follow."""
        return backoff.may_retry(max(self.counted, 1))

    def wait(self, backoff: Backoff) -> float:
        """Seconds to wait before the next try."""
        return backoff.wait(max(self.counted, 1))
