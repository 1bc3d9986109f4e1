"""What the tries of one call cost: which of them count, and which don't."""

from __future__ import annotations

from dataclasses import dataclass

from ..core.retry import Backoff

MOST_RESTARTS = 5
"""How often the tries of a call that is turned away while others get through begin anew."""


@dataclass(slots=True)
class Tries:
    """The tries of one call.

    Attributes:
        made: How often it was sent.
        free: Tries of these that don't count.
        restarts: How often counting began anew.
        done_before: Items of the session that were done when counting began.
        suspected: Nobody but its items seemed to be turned away when the tries ran out.
    """

    made: int = 0
    free: int = 0
    restarts: int = 0
    done_before: int = 0
    suspected: bool = False

    @property
    def counted(self) -> int:
        """Tries that count against the setting `retries`."""
        return self.made - self.free

    def begin(self, done: int) -> None:
        """Count a try that is about to be made, when so many items of the session are done."""
        if not self.made:
            self.done_before = done
        self.made += 1

    def others_passed(self, done: int) -> bool:
        """Whether other items were done since counting began: the target isn't away for everybody."""
        return done > self.done_before

    def forgive_last(self) -> None:
        """The last try doesn't count: the target was away, whatever was sent."""
        self.free += 1

    def forgive_all(self) -> None:
        """No try so far counts: somebody looked, and wants it tried again."""
        self.free = self.made

    def restart(self, done: int) -> bool:
        """Begin counting anew; False when that was done often enough."""
        if self.restarts >= MOST_RESTARTS:
            return False
        self.restarts += 1
        self.free, self.done_before = self.made, done
        return True

    def may_go_on(self, backoff: Backoff) -> bool:
        """Whether one more try may follow."""
        return backoff.may_retry(max(self.counted, 1))

    def wait(self, backoff: Backoff) -> float:
        """Seconds to wait before the next try."""
        return backoff.wait(max(self.counted, 1))
