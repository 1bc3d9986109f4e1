"""Which changes of a plan are on the screen: filter and page, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..core.states import SENDABLE, Change
from ..core.words import number

if TYPE_CHECKING:
    from ..core.problem import Problem
    from ..planning.change_view import ChangeView
    from ..planning.plan import Plan

ALL: Final = "all"
PROBLEMS: Final = "problems"
DEEPEST_PROBLEM: Final = 1_000
"""Problems that can be paged through on the screen; the report holds all of them."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A button that narrows the table: its name, its words and how many items it shows."""

    name: str
    label: str
    count: int


class PreviewModel:
    """Which page of which changes is on the screen.

    Args:
        plan: The plan looked at.
        page_size: Items per page.
    """

    def __init__(self, plan: Plan, page_size: int = 20) -> None:
        self.plan = plan
        self.page_size = page_size
        self.summary = plan.summary()
        self.kind = ALL
        self.page = 1
        counts = self.summary.changes
        kinds = [Filter(kind, kind.capitalize(), counts[kind]) for kind in Change if counts.get(kind)]
        self.filters = [Filter(ALL, "All", sum(counts.values())), *kinds]
        if self.summary.problems:
            self.filters.append(Filter(PROBLEMS, "Problems", self.summary.problems))
        # What changes is what an operator came to see.
        sendable = [each.name for each in self.filters if each.name in SENDABLE]
        if "update" in sendable:
            self.kind = "update"
        elif sendable:
            self.kind = sendable[0]

    @property
    def count(self) -> int:
        """Items behind the present filter that can be paged through."""
        count = next(each.count for each in self.filters if each.name == self.kind)
        return min(count, DEEPEST_PROBLEM) if self.kind == PROBLEMS else count

    @property
    def pages(self) -> int:
        """Pages behind the present filter; at least one."""
        return max(1, -(-self.count // self.page_size))

    def select(self, kind: str) -> None:
        """Show one kind of change (or `all`, or `problems`), from its first page."""
        if kind not in [each.name for each in self.filters]:
            raise KeyError(kind)
        self.kind = kind
        self.page = 1

    def turn(self, page: int) -> None:
        """Show that page, or the nearest there is."""
        self.page = min(max(1, page), self.pages)

    @property
    def span(self) -> str:
        """Which items the page shows: `21 to 40 of 12,345`."""
        if not self.count:
            return "none"
        first = (self.page - 1) * self.page_size + 1
        last = min(self.count, first + self.page_size - 1)
        word = "the first " if self.kind == PROBLEMS and self.count == DEEPEST_PROBLEM else ""
        return f"{number(first)} to {number(last)} of {word}{number(self.count)}"

    def rows(self) -> list[ChangeView]:
        """The changes on this page."""
        kind = None if self.kind == ALL else self.kind
        return self.plan.page(kind, (self.page - 1) * self.page_size, self.page_size)

    def problems(self) -> list[Problem]:
        """The problems on this page."""
        last = self.page * self.page_size
        return self.plan.problems(limit=min(last, DEEPEST_PROBLEM))[last - self.page_size :]
