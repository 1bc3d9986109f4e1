"""The judge of failures: what the target says of one, and what is done about the items it leaves in doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from ..core.advice import resume
from ..core.secrets import redact
from ..targets.base import Failure, Fate, Item, Target

INTERNAL: Final = "internal"
SETTLE: Final = f"Look at the target, then settle it: {resume(settle='done')}, or {resume(settle='resend')}."
"""What to do about an item of which nobody knows whether it was done."""


class Judge:
    """Judges what a target raises and answers.

    A target says whether items went out and what was answered. Whether what is in doubt is sent again is
    decided here and nowhere else.

    Args:
        target: The target.
        repeatable: Whether sending these very items twice has the effect of sending them once.
    """

    def __init__(self, target: Target, repeatable: Callable[[Sequence[Item]], bool]) -> None:
        self._target = target
        self._repeatable = repeatable

    def classify(self, error: Exception) -> Failure:
        """What the target's own table makes of an error."""
        try:
            return self._target.classify(error)
        except Exception as second:  # noqa: BLE001 - a hole in that table must not end in a guess
            # A target whose table has a hole must not send on: nobody knows what happened.
            words = f"{type(error).__name__}: {error} ({second!r} while judging it)"
            return Failure(Fate.ABORT, INTERNAL, words)

    def decide(self, failure: Failure, items: Sequence[Item]) -> Failure:
        """Send again what is in doubt where that does no harm; leave it unknown where it would."""
        if failure.fate is Fate.UNKNOWN and self._repeatable(items):
            failure = replace(failure, fate=Fate.RETRY, doubt=True)
        elif failure.fate is Fate.UNKNOWN:
            failure = replace(failure, advice=failure.advice or SETTLE)
        return redacted(failure)


def redacted(failure: Failure) -> Failure:
    """A failure fit to be seen: its words may hold what was sent, and they go to journal, log and screen."""
    return replace(
        failure,
        rule=redact(failure.rule),
        reason=redact(failure.reason),
        advice=redact(failure.advice),
    )
