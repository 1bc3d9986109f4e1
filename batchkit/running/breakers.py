"""Breakers: when so much goes wrong that going on would do harm."""

from __future__ import annotations

from ..core.settings import EVERY, Settings
from ..core.words import plural


class Breakers:
    """Watches failures and says when a run should give up, and why.

    Each method returns None while all is well, else the sentence an operator reads.
    """

    def __init__(self) -> None:
        self._silent = 0
        self._streak = 0
        self._signature = ""
        self._forgiven = (0, 0)

    def restart(self, failed: int, tried: int) -> None:
        """Somebody looked and went on: what failed so far counts no more."""
        self._silent = self._streak = 0
        self._forgiven = (failed, tried)

    def answered(self) -> None:
        """The target answered a call."""
        self._silent = 0

    def not_answered(self, settings: Settings, reason: str) -> str | None:
        """Nobody answered a call."""
        self._silent += 1
        if self._silent < settings.connection_limit:
            return None
        return f"The target did not answer {plural(self._silent, 'call')} in a row: {reason}"

    def succeeded(self) -> None:
        """An item was done."""
        self._streak = 0

    def failed(self, settings: Settings, signature: str, items: int = 1) -> str | None:
        """So many items failed for one and the same reason, with none done in between."""
        if signature != self._signature:
            self._signature, self._streak = signature, 0
        self._streak += items
        if settings.repeat_limit is None or self._streak < settings.repeat_limit:
            return None
        return f"{plural(self._streak, 'item')} in a row failed for the same reason: {signature}"

    def judge(self, settings: Settings, failed: int, tried: int) -> str | None:
        """Judge the session's failures against `failure_limit`."""
        limit = settings.failure_limit
        failed, tried = failed - self._forgiven[0], tried - self._forgiven[1]
        if limit is None or not failed:
            return None
        share = 1.0 if limit == EVERY else float(limit)
        if limit != EVERY and share >= 1:
            if failed < share:
                return None
            return f"{plural(failed, 'item')} failed, which reaches the failure limit of {share:.0f}."
        if tried < settings.failure_min or failed / tried < share:
            return None
        return (
            f"{failed} of the {tried} items tried failed ({failed / tried:.0%}), which reaches the failure"
            f" limit of {share:.0%}."
        )
