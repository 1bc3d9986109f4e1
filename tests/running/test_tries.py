"""What tries cost: those that say something about the call count, the others don't."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.retry import Backoff
from batchkit.running.tries import MOST_RESTARTS, Tries


def test_a_call_is_sent_once_and_then_retries_times() -> None:
    """Three retries are four tries, and the fourth was the last."""
    tries, sent = Tries(), 0
    while True:
        tries.begin(done=0)
        sent += 1
        if not tries.may_go_on(Backoff(retries=3)):
            break
    assert (sent, tries.made, tries.counted) == (4, 4, 4)


def test_tries_during_an_outage_cost_nothing() -> None:
    """However long a target was away, a call has all its tries when it is back."""
    tries = Tries()
    for _ in range(50):
        tries.begin(done=7)
        tries.forgive_last()
    assert (tries.made, tries.counted) == (50, 0)
    tries.begin(done=7)
    assert tries.may_go_on(Backoff(retries=1))


def test_others_pass_when_items_are_done_after_the_first_try() -> None:
    """What was done before a call was first sent says nothing about whether the target is there."""
    tries = Tries()
    tries.begin(done=5)
    assert not tries.others_passed(5)
    assert tries.others_passed(6)
    tries.begin(done=6)
    assert tries.others_passed(6), "counting began with the first try"


def test_counting_begins_anew_a_few_times_only() -> None:
    """A call that is turned away for ever comes to its end."""
    tries = Tries()
    tries.begin(done=0)
    assert all(tries.restart(done=n) for n in range(MOST_RESTARTS))
    assert not tries.restart(done=99)
    assert tries.done_before == MOST_RESTARTS - 1


@given(st.integers(0, 5), st.lists(st.sampled_from(["count", "forgive", "restart", "forgive all"])))
def test_what_is_forgiven_never_shortens_what_is_left(retries: int, steps: list[str]) -> None:
    """Whatever happened, tries are never counted below zero, nor above those that were made."""
    tries, backoff = Tries(), Backoff(base=1, cap=8, retries=retries)
    for step in steps:
        tries.begin(done=0)
        before = tries.counted
        match step:
            case "forgive":
                tries.forgive_last()
            case "restart":
                tries.restart(done=0)
            case "forgive all":
                tries.forgive_all()
        assert 0 <= tries.counted <= before <= tries.made == tries.counted + tries.free
        assert tries.wait(backoff) <= 8
        assert tries.may_go_on(backoff) == (max(tries.counted, 1) <= retries)
