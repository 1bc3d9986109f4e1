"""What is on the screen of a run: figures, buttons, messages, settings."""

from __future__ import annotations

import pytest

from batchkit.core.errors import SettingsError
from batchkit.core.states import Outcome, RunState
from batchkit.panel.screen import changed_settings, changes_in_words, run_screen
from tests.support.pretend import PretendRun, outcomes, snapshot


@pytest.mark.parametrize(
    ("state", "buttons"),
    [
        (RunState.PLANNED, {"stop"}), (RunState.RUNNING, {"pause", "stop"}),
        (RunState.PAUSING, {"resume", "stop"}), (RunState.PAUSED, {"resume", "stop"}),
        (RunState.STOPPING, set()),
        (RunState.STOPPED, {"resume", "undo", "report"}), (RunState.INTERRUPTED, {"resume", "report"}),
        (RunState.FAILED, {"resume", "undo", "report"}), (RunState.FINISHED, {"undo", "report"}),
    ],
)  # fmt: skip
def test_buttons_follow_the_state(state: RunState, buttons: set[str]) -> None:
    """Only what the run can do now can be clicked."""
    assert run_screen(snapshot(state=state), "t", {}).buttons == buttons


def test_finished_dry_run_offers_the_real_one() -> None:
    """After a dry run comes the start; there is nothing to undo."""
    screen = run_screen(snapshot(state=RunState.FINISHED, dry_run=True), "t", {})
    assert screen.buttons == {"start", "dry_run", "report"}
    assert screen.state == "Dry run finished"


def test_nothing_done_is_nothing_to_undo() -> None:
    """A run of which nothing went in has no undo."""
    screen = run_screen(snapshot(state=RunState.FAILED, outcomes=outcomes(pending=2_000)), "t", {})
    assert "undo" not in screen.buttons


def test_screen_names_unknown_figures() -> None:
    """Before there is a basis, rate, time left and success are unknown."""
    screen = run_screen(snapshot(rate=None, eta=None, success_rate=None), "t", {})
    assert "rate unknown" in screen.line
    assert "time left unknown" in screen.line
    assert dict(screen.facts)["Success rate"] == "unknown"


def test_finished_with_rejected_rows_says_so() -> None:
    """A run that ended with rows left out isn't shown as all well."""
    screen = run_screen(snapshot(state=RunState.FINISHED, outcomes=outcomes(done=1_997, rejected=3)), "t", {})
    assert screen.message.startswith("3 rows were not written.")
    assert (screen.tone, screen.bar) == ("wait", "good")


def test_changes_in_words_counts_what_is_sent() -> None:
    """The question before the start counts what would be written, nothing else."""
    assert (
        changes_in_words({"create": 300, "update": 1_904, "unchanged": 8_000}) == "300 creates, 1,904 updates"
    )


def test_changed_settings_are_converted_and_checked() -> None:
    """Only changed fields are sent, as numbers; a decimal comma is fine; nonsense names the setting."""
    shown = {"workers": "4", "rate": "", "delay": "0", "chunk_size": ""}
    typed = {**shown, "workers": "8", "rate": "0,5", "delay": "200ms"}
    assert changed_settings(typed, shown) == {"workers": 8, "rate": 0.5, "delay": 0.2}
    assert changed_settings({"rate": ""}, {"rate": "2"}) == {"rate": None}
    with pytest.raises(SettingsError, match="workers"):
        changed_settings({"workers": "many"}, shown)


def test_snapshot_kinds_are_all_shown() -> None:
    """Every outcome has its tile, nought included."""
    screen = run_screen(PretendRun().snapshot(), "t", {})
    assert [kind for kind, _, _ in screen.outcomes] == list(Outcome)
