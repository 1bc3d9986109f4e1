"""One place decides whether what is in doubt is sent again; a target only says what it knows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.states import Outcome, RunState
from batchkit.running.judge import SETTLE, Judge
from batchkit.targets.base import Failure, Fate, Item, Result
from batchkit.testing import CallRecorder, refuse
from tests.support.plans import plan_of

ITEM = Item(0, 2, "create", {}, {}, {})


class Letters(CallRecorder):
    """Items with an even number may be sent twice, the others not."""

    def __init__(self, **options: Any) -> None:
        super().__init__("memory:test", idempotent=False, **options)

    def repeatable(self, items: Sequence[Item]) -> bool:
        """Whether all of them are even."""
        return all(item.index % 2 == 0 for item in items)


@given(st.sampled_from(list(Fate)), st.booleans(), st.booleans())
def test_only_doubt_is_decided_and_only_by_what_the_items_bear(
    fate: Fate, repeatable: bool, doubt: bool
) -> None:
    """Every other fate is the target's own word; doubt is tried again where that does no harm, and noted."""
    judge = Judge(CallRecorder(), lambda _: repeatable)
    decided = judge.decide(Failure(fate, "rule", "reason", doubt=doubt), [ITEM])
    if fate is not Fate.UNKNOWN:
        assert decided == Failure(fate, "rule", "reason", doubt=doubt)
    elif repeatable:
        assert (decided.fate, decided.doubt) == (Fate.RETRY, True)
    else:
        assert (decided.fate, decided.advice) == (Fate.UNKNOWN, SETTLE)


def test_a_failure_made_as_earlier_targets_make_it_still_counts() -> None:
    """Arguments by place, and a doubt that the target itself wants tried again, mean what they meant."""
    old = Failure(Fate.RETRY, "timeout", "no answer", "wait", 2.0, False, True, 3.0, True)
    assert (old.retry_after, old.pushback, old.rest, old.doubt, old.away) == (2.0, True, 3.0, True, False)
    assert Judge(CallRecorder(), lambda _: False).decide(old, [ITEM]) == old


def test_items_of_one_answer_that_are_in_doubt_are_told_apart(tmp_path: Path) -> None:
    """Of a call whose items each fail in doubt, those that bear it are sent again and no other ever is."""
    doubt = Failure(Fate.UNKNOWN, "500", "the server failed")
    tries: list[list[int]] = []

    def behave(items: Sequence[Item]) -> list[Result]:
        tries.append([item.index for item in items])
        failing = items if len(tries) == 1 else []
        return [Result(item.index, Outcome.PENDING, failure=doubt) for item in failing]

    target = Letters(call_size=4, behave=behave)
    run = plan_of(tmp_path / "p.parquet", 4).start(target=target, backoff=0.01, report=False)
    assert run.wait(10) is RunState.FINISHED
    assert tries == [[0, 1, 2, 3], [0, 2]]
    told = run.outcomes()
    assert told["outcome"].to_list() == ["done", "unknown", "done", "unknown"]
    assert told["reason"].to_list()[1] == "the server failed"
    assert "then settle it" in told["advice"].to_list()[1]


def test_a_call_in_doubt_as_a_whole_is_repeated_only_if_all_of_it_bears_that(tmp_path: Path) -> None:
    """One item that must not be sent twice keeps its whole call from being sent twice."""
    tries: list[list[int]] = []

    def behave(items: Sequence[Item]) -> None:
        tries.append([item.index for item in items])
        raise refuse(Fate.UNKNOWN, "504")

    target = Letters(call_size=2, behave=behave)
    run = plan_of(tmp_path / "p.parquet", 3).start(
        target=target, backoff=0.01, retries=1, workers=1, report=False
    )
    assert run.wait(10) is RunState.FINISHED
    assert tries == [[0, 1], [2], [2]]
    assert run.outcomes()["outcome"].to_list() == ["unknown"] * 3
