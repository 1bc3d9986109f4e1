"""The table of transitions: each arrow that is there, and every one that is not."""

from __future__ import annotations

from itertools import product

import pytest

from batchkit.core.errors import TransitionError
from batchkit.core.states import (
    ACTIVE,
    PLANNED_OUTCOME,
    SENDABLE,
    TRANSITIONS,
    Change,
    RunState,
    check_transition,
)

ARROWS = [(a, b) for a in RunState for b in RunState if b in TRANSITIONS[a]]
OTHERS = [pair for pair in product(RunState, RunState) if pair not in ARROWS]


@pytest.mark.parametrize(("present", "following"), ARROWS)
def test_check_transition_lets_each_arrow_pass(present: RunState, following: RunState) -> None:
    """An arrow of the table may be taken."""
    check_transition(present, following)


@pytest.mark.parametrize(("present", "following"), OTHERS)
def test_check_transition_refuses_all_others(present: RunState, following: RunState) -> None:
    """What is not in the table is refused, and the message names what is possible."""
    with pytest.raises(TransitionError, match=f"{present} can't become {following}"):
        check_transition(present, following)


def test_transitions_cover_every_state_and_lead_back_to_running() -> None:
    """Every state is in the table, and from each that is not active a run can be taken up again."""
    assert set(TRANSITIONS) == set(RunState)
    for state in RunState:
        if state not in ACTIVE:
            assert RunState.RUNNING in TRANSITIONS[state]


def test_every_change_is_either_sent_or_has_its_outcome_from_the_plan() -> None:
    """No kind of change is forgotten: it reaches the target or the plan says what becomes of it."""
    assert set(SENDABLE) | set(PLANNED_OUTCOME) == set(Change)
    assert not set(SENDABLE) & set(PLANNED_OUTCOME)
