"""Which page of which changes of a plan is on the screen."""

from __future__ import annotations

from typing import Any, cast

import pytest

from batchkit.panel.pages import DEEPEST_PROBLEM, PreviewModel
from tests.support.pretend import PretendPlan


def test_filters_carry_their_counts(plan: Any) -> None:
    """Every kind of change that occurs is a filter with its count, and so are the problems."""
    found = [(each.label, each.count) for each in PreviewModel(plan).filters]
    assert found == [
        ("All", 9_246), ("Create", 30), ("Update", 1_204), ("Unchanged", 8_000), ("Invalid", 12),
        ("Problems", 37),
    ]  # fmt: skip


def test_preview_opens_on_what_changes(plan: Any) -> None:
    """The first page shows updates, not thousands of unchanged rows."""
    assert PreviewModel(plan).kind == "update"
    assert PreviewModel(cast(Any, PretendPlan(unchanged=4))).kind == "all"


def test_page_reads_only_its_rows(plan: Any) -> None:
    """A page asks the plan for its own twenty rows, however many there are."""
    model = PreviewModel(plan)
    model.turn(61)
    assert [row.item for row in model.rows()] == [1_200, 1_201, 1_202, 1_203]
    assert plan.pages == [("update", 1_200, 20)]
    assert model.span == "1,201 to 1,204 of 1,204"


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (-3, 1), (62, 61), (10**9, 61)])
def test_page_out_of_range_is_the_nearest(plan: Any, asked: int, given: int) -> None:
    """Nobody gets an empty page by asking for too far."""
    model = PreviewModel(plan)
    model.turn(asked)
    assert model.page == given


def test_problems_are_paged(plan: Any) -> None:
    """The second page of problems begins where the first ended."""
    model = PreviewModel(plan)
    model.select("problems")
    model.turn(2)
    assert [each.row for each in model.problems()] == list(range(22, 39))


def test_problem_pages_are_bounded() -> None:
    """A million problems don't make a page slow: the report has all of them."""
    model = PreviewModel(cast(Any, PretendPlan(problems=10**6, invalid=10**6)))
    model.select("problems")
    model.turn(10**6)
    assert model.page == DEEPEST_PROBLEM // 20
    assert len(model.problems()) == 20
