"""Targets of somebody else's that return what they shouldn't: put right where it comes in, or named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from batchkit.core.states import Outcome, RunState
from batchkit.targets.base import Failure, Fate, Item, Result
from batchkit.testing import CallRecorder, MemoryTarget, refuse
from tests.support.plans import plan_of
from tests.support.runs import counts, raising

ODD: Any = b"it said \xff no"


@pytest.mark.parametrize(
    ("rule", "reason", "shown"),
    [(404, ODD, "it said � no"), (None, None, None), (3.5, ["a", 1], "['a', 1]"), ("x", OSError("no"), "no")],
)
def test_words_of_any_kind_become_text(tmp_path: Path, rule: Any, reason: Any, shown: str | None) -> None:
    """A rule that is a number, a reason in bytes or none at all: the run goes on."""

    def behave(items: Sequence[Item]) -> list[Result] | None:
        item = items[0].index
        if item == 1:
            return [Result(item, Outcome.REJECTED, rule, reason, ODD)]
        if item == 2:
            raise refuse(Fate.REJECT, reason, rule=rule, advice=ODD)
        if item == 0:
            return [Result(item, cast(Outcome, "rejected"), rule, reason)]
        if item == 3:
            again = Failure(Fate.REJECT, rule, reason, retry_after=ODD)
            return [Result(item, Outcome.REJECTED, rule, reason, failure=again)]
        return None

    run = plan_of(tmp_path / "p.parquet", 5).start(
        target=CallRecorder("memory:test", behave=behave), report=False
    )
    assert run.wait(20) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 1, "rejected": 4}
    refused = run.outcomes("rejected")
    assert refused["rule"].to_list() == ["" if rule is None else str(rule)] * 4
    assert refused["reason"].to_list() == [shown or ""] * 4


def test_an_answer_worth_keeping_may_have_names_of_any_kind(tmp_path: Path) -> None:
    """What is kept of an answer is kept whatever it is: with names in bytes, in pairs, or as bare text."""

    def behave(items: Sequence[Item]) -> list[Result]:
        kept: Any = [{b"id": 1, ("a", 2): {None: b"x"}}, "M-1", 7][items[0].index]
        return [Result(items[0].index, Outcome.DONE, detail=kept)]

    run = plan_of(tmp_path / "p.parquet", 3).start(
        target=CallRecorder("memory:test", behave=behave), report=False
    )
    assert run.wait(20) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 3}


@pytest.mark.parametrize(
    "answer",
    [
        True,
        5,
        "done",
        ["done"],
        [None],
        {"item": 0},
        [Result(99, Outcome.DONE)],
        [Result(0, cast(Outcome, "gone"))],
    ],
    ids=["true", "number", "text", "texts", "nothing", "dict", "stranger", "outcome"],
)
@pytest.mark.parametrize("frames", [False, True])
def test_what_is_no_result_ends_the_run_with_the_targets_name(
    tmp_path: Path, answer: Any, frames: bool
) -> None:
    """Nobody can say what became of the items then: the run fails, and says whose answer it was."""
    target: Any = CallRecorder("memory:test", behave=lambda _: answer)
    if frames:
        target = MemoryTarget("memory:test", key=["id"])
        target.apply = lambda *_: answer
    run = plan_of(tmp_path / "p.parquet", 1).start(target=target, report=False)
    assert run.wait(20) is RunState.FAILED
    message = run.snapshot().message
    assert type(target).__name__ in message
    assert "inside batchkit" not in message
    assert counts(run) == {"pending": 1}


def test_a_judgement_that_is_none_names_the_target(tmp_path: Path) -> None:
    """A table of fates with a hole that gives nothing ends the run, with the error and the target's name."""
    target: Any = CallRecorder("memory:test", behave=raising(ValueError("boom")))
    target.classify = lambda _: None
    run = plan_of(tmp_path / "p.parquet", 1).start(target=target, report=False)
    assert run.wait(20) is RunState.FAILED
    assert "boom" in run.snapshot().message
    assert "CallRecorder" in run.snapshot().message
