"""The judge of failures: what the target says of one, and what is done about the items it leaves in doubt."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from ..core.advice import resume
from ..core.errors import RunError
from ..core.secrets import redact
from ..core.states import Outcome
from ..targets.base import Failure, Fate, Item, Result, Target

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
            failure: object = self._target.classify(error)
            if isinstance(failure, Failure):
                return failure
            words = f"which it judged as {failure!r}"
        except Exception as second:  # noqa: BLE001 - a hole in that table must not end in a guess
            words = f"{second!r} while judging it"
        # A target whose table has a hole must not send on: nobody knows what happened.
        name = type(self._target).__name__
        return Failure(Fate.ABORT, INTERNAL, f"{name} met {type(error).__name__}: {error} ({words})")

    def check(self, results: object, numbers: Container[int]) -> list[Result]:
        """The results of a call with these items, where that is what the target returned.

        Raises:
            RunError: It returned something else, so that nobody can say what became of the items.
        """
        found: list[Any] = list(results) if isinstance(results, Iterable) else [results]
        odd = [each for each in found if not _is_sound(each) or each.item not in numbers]
        if odd:
            name, shown = type(self._target).__name__, f"{odd[0]!r:.200}"
            raise RunError(
                f"{name} returned {shown}, which is no Result of an item that it was sent.",
                advice="Its author has to mend that. What it was sent last is in doubt until a resume.",
            )
        return found

    def decide(self, failure: Failure, items: Sequence[Item]) -> Failure:
        """Send again what is in doubt where that does no harm; leave it unknown where it would."""
        if failure.fate is Fate.UNKNOWN and self._repeatable(items):
            failure = replace(failure, fate=Fate.RETRY, doubt=True)
        elif failure.fate is Fate.UNKNOWN:
            failure = replace(failure, advice=failure.advice or SETTLE)
        return redacted(failure)


def _is_sound(result: object) -> bool:
    if not isinstance(result, Result):
        return False
    number, outcome, failure = (getattr(result, name) for name in ("item", "outcome", "failure"))
    return isinstance(number, int) and isinstance(outcome, Outcome) and isinstance(failure, Failure | None)


def redacted(failure: Failure) -> Failure:
    """A failure fit to be seen: its words may hold what was sent, and they go to journal, log and screen."""
    return replace(
        failure,
        rule=redact(failure.rule),
        reason=redact(failure.reason),
        advice=redact(failure.advice),
    )
