"""A run steered while it runs: paused, stopped, changed, and asked before it goes on."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from batchkit.core.errors import RunBusy, SettingsError
from batchkit.core.states import RunState
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.targets.base import Fate, Item
from batchkit.testing import refuse
from tests.support.plans import closed_window
from tests.support.runs import calls, counts, raising, slow
from tests.support.waiting import until


def test_pause_holds_and_resume_goes_on(plan: Plan) -> None:
    """Pause acts within half a second: nothing is sent while paused; resume sends the rest, each once."""
    target = calls(behave=slow(0.01))
    run = plan.start(target=target, workers=2)
    until(lambda: len(target.sent) > 10)
    before = time.monotonic()
    run.pause()
    until(lambda: run.state is RunState.PAUSED)
    assert time.monotonic() - before < 0.5
    sent = len(target.sent)
    time.sleep(0.2)
    assert len(target.sent) == sent
    assert run.snapshot().rate is None
    run.resume()
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_stop_drains_and_resume_takes_up_the_rest(plan: Plan) -> None:
    """Stop lets the calls under way end; the stopped run goes on later where it was."""
    target = calls(behave=slow(0.01))
    run = plan.start(target=target, workers=2)
    until(lambda: len(target.sent) > 10)
    run.stop()
    assert run.wait(20) is RunState.STOPPED
    assert counts(run)["done"] == len(target.sent) < 300
    again = Run.open(run.id)
    again.resume(target=target)
    assert again.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_pause_and_stop_cut_every_wait_short(plan: Plan) -> None:
    """A long delay, a slow rate, a long backoff, an order to wait: none keeps stop from acting at once."""

    def refused(_: Sequence[Item]) -> None:
        raise refuse(Fate.RETRY, "busy", retry_after=60.0)

    for options in (
        {"delay": 60, "chunk_size": 5},
        {"rate": 0.05},
        {"backoff": 60},
        {"window": closed_window()},
    ):
        target = calls(behave=refused if "backoff" in options else None)
        run = plan.start(target=target, report=False, **options)
        time.sleep(0.15)
        before = time.monotonic()
        run.stop()
        run.wait(20)
        assert time.monotonic() - before < 1.0, options


def test_set_changes_a_running_run(plan: Plan) -> None:
    """Workers, rate and chunk size changed on the way: no item skipped or doubled, and the new values act."""
    target = calls(behave=slow(0.005))
    run = plan.start(target=target, workers=1, chunk_size=10)
    until(lambda: len(target.sent) > 5)
    run.set(workers=6, chunk_size=37)
    until(lambda: target.most_at_once == 6)
    run.set(workers=2, rate=2000, chunk_size=3)
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))
    assert run.snapshot().settings["workers"] == 2


def test_set_refuses_nonsense_and_changes_nothing(plan: Plan) -> None:
    """A wrong setting is an error for who set it; the run goes on as before."""
    target = calls(behave=slow(0.005))
    run = plan.start(target=target)
    with pytest.raises(SettingsError, match="workers"):
        run.set(workers=0)
    run.stop()
    run.wait(20)


def test_on_limit_pause_keeps_the_run_alive(plan: Plan) -> None:
    """With `on_limit=pause` a limit pauses the run; after a look somebody may go on."""
    run = plan.start(
        target=calls(behave=raising(refuse(Fate.REJECT, "404"))),
        failure_limit=10,
        on_limit="pause",
        workers=1,
    )
    until(lambda: run.state is RunState.PAUSED)
    assert "reaches the failure limit" in run.snapshot().message
    run.stop()
    assert run.wait(20) is RunState.STOPPED


def test_canary_pauses_after_the_first_items(plan: Plan) -> None:
    """`canary=12` sends twelve items and waits for a look; resume sends the rest."""
    target = calls()
    run = plan.start(target=target, canary=12)
    until(lambda: run.state is RunState.PAUSED)
    assert len(target.sent) == 12
    assert "look at them" in run.snapshot().message
    run.resume()
    assert run.wait(20) is RunState.FINISHED
    assert sorted(target.sent) == list(range(300))


def test_confirm_asks_before_each_chunk(plan: Plan) -> None:
    """`confirm=chunk` sends one chunk per resume."""
    target = calls()
    run = plan.start(target=target, confirm="chunk", chunk_size=100)
    for sent in (0, 100, 200):
        until(lambda: run.state is RunState.PAUSED)
        assert len(target.sent) == sent
        run.resume()
        until(lambda sent=sent: len(target.sent) > sent)  # type: ignore[misc]
    assert run.wait(20) is RunState.FINISHED
    assert len(target.sent) == 300


def test_second_resume_is_refused_with_the_owner(plan: Plan) -> None:
    """A running run can't be taken up twice; the refusal names who has it."""
    run = plan.start(target=calls(behave=slow(0.02)))
    until(lambda: run.state is RunState.RUNNING)
    with pytest.raises(RunBusy, match="pid"):
        Run.open(run.id).resume()
    run.stop()
    run.wait(20)
