"""Faults to order: which requests go wrong, and how."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ...core.errors import UsageError
from ...core.settings import seconds

BEFORE: Final = ("reset", "hang", "html", "login", "firewall", "redirect", "maintenance")
"""Faults that keep the request from being carried out; a status such as `429` does too."""
AFTER: Final = ("drop-after-write", "hang-after-write", "truncate", "warnings", "close")
"""Faults that come when the request has been carried out; so does a status with `:after`."""
_OPTIONS: Final = ("retry-after", "method", "path", "to", "seconds", "times", "after", "code")


@dataclass(slots=True)
class Fault:
    """One order.

    Attributes:
        kind: One of `BEFORE` and `AFTER`, or a status.
        share: Share of the requests it befalls.
        options: `retry-after` (what a status says), `method` and `path` (the requests meant), `to` (where a
            redirect leads; it comes last), `seconds` (how long a hang lasts), `times` (how often at most),
            `after` (a status comes when the request has been carried out), `code` (the API's own code that
            comes with a status, such as 130429 of WhatsApp's).
        done: How often it has befallen a request.
    """

    kind: str
    share: float = 1.0
    options: dict[str, str] = field(default_factory=dict)
    done: int = 0

    @classmethod
    def of(cls, order: str) -> Fault:
        """Read an order such as `429:5%:retry-after=2` or `reset:1%:method=POST`.

        Raises:
            UsageError: It can't be read.
        """
        # An address in `to=` has colons of its own, so it comes last.
        head, found, to = order.partition(":to=")
        kind, *parts = head.split(":")
        fault = cls(kind, options={"to": to} if found else {})
        if kind not in (*BEFORE, *AFTER) and not re.fullmatch(r"[1-5]\d\d", kind):
            advice = f"Known: a status such as 429, {', '.join((*BEFORE, *AFTER))}."
            raise UsageError(f"There is no fault {kind!r}.", advice=advice)
        for part in parts:
            name, equals, value = part.partition("=")
            if not equals and re.fullmatch(r"\d+(\.\d+)?%", part):
                fault.share = float(part[:-1]) / 100
            elif name in _OPTIONS:
                fault.options[name] = value
            else:
                advice = "Write one such as 429:5%:retry-after=2 or reset:1%:method=POST."
                raise UsageError(f"The fault {order!r} can't be read at {part!r}.", advice=advice)
        return fault

    @property
    def is_after(self) -> bool:
        """Whether it comes when the request has been carried out."""
        return self.kind in AFTER or "after" in self.options

    def fits(self, method: str, path: str) -> bool:
        """Whether it is meant for such a request, and still wanted."""
        wanted = self.options
        return (
            wanted.get("method", method).upper() == method
            and path.startswith(wanted.get("path", ""))
            and self.done < int(wanted.get("times", "1000000000"))
        )


class Orders:
    """The faults in force, and the latency.

    Args:
        faults: The orders.
        latency: Time each answer takes: `50ms`, or `20ms-80ms`.
        seed: Makes the draw the same each time.
    """

    def __init__(self, faults: Iterable[str] = (), latency: str = "0", seed: int | None = None) -> None:
        self._random = random.Random(seed)
        self.set(faults, latency)

    def set(self, faults: Iterable[str], latency: str | float) -> None:
        """Put other orders in force.

        Raises:
            UsageError: One can't be read; the former stay in force.
        """
        read = [Fault.of(order) for order in faults]
        low, _, high = str(latency).partition("-")
        try:
            self._latency = (seconds(low), seconds(high or low))
        except ValueError as error:
            raise UsageError(f"The latency {latency!r} can't be read: {error}.") from None
        self.faults = read

    def draw(self, method: str, path: str) -> Fault | None:
        """What befalls this request: at most one fault; the shares add up."""
        point = self._random.random()
        for fault in self.faults:
            if not fault.fits(method, path):
                continue
            if point < fault.share:
                fault.done += 1
                return fault
            point -= fault.share
        return None

    def wait(self) -> float:
        """Seconds this answer takes."""
        return self._random.uniform(*self._latency)
