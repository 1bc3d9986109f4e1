"""What the buttons do: they post a message, or start a thread, and return at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from batchkit.core.errors import RunBusy
from batchkit.core.states import RunState
from batchkit.panel.controller import RunController
from tests.support.panels import until


def test_start_passes_the_changed_settings(plan: Any) -> None:
    """The start takes over what was typed, and the dry run is one."""
    controller = RunController(plan)
    controller.start({"workers": "8"}, {"workers": "4"}, dry_run=True)
    assert plan.started == [{"workers": 8, "dry_run": True}]
    assert controller.run is plan.run


def test_wrong_setting_starts_nothing(plan: Any) -> None:
    """A setting out of range is said on the screen, and nothing starts."""
    controller = RunController(plan)
    controller.start({"workers": "0"}, {"workers": "4"})
    assert plan.started == []
    assert "workers" in controller.screen().message
    assert controller.screen().message_tone == "bad"


@pytest.mark.parametrize("verb", ["pause", "resume", "stop"])
def test_buttons_post_a_message(plan: Any, verb: str) -> None:
    """A button asks the run and does nothing else."""
    controller = RunController(plan, plan.run)
    getattr(controller, verb)()
    assert plan.run.asked == [(verb, None)]


def test_refused_request_is_shown(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the run becomes a sentence on the screen, and the next click clears it."""

    def busy() -> None:
        raise RunBusy("Process 7 on here owns the run.", advice="Ask there.")

    controller = RunController(plan, plan.run)
    monkeypatch.setattr(plan.run, "resume", busy)
    controller.resume()
    assert controller.screen().message == "Process 7 on here owns the run. Ask there."
    controller.pause()
    assert controller.screen().message == ""


def test_reports_are_written_once_per_end(plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The report is written when the run is over, and anew when it went on and ended again."""
    written: list[Path] = []

    def report(path: Path) -> Path:
        written.append(path)
        return path

    monkeypatch.setattr(plan.run, "report", report, raising=False)
    monkeypatch.setattr(plan.run, "fix_file", lambda _: None, raising=False)
    controller = RunController(plan, plan.run, tmp_path / "reports")
    for state in (RunState.RUNNING, RunState.STOPPED, RunState.STOPPED, RunState.RUNNING, RunState.FINISHED):
        plan.run.now(state=state)
        controller.report_when_over(controller.screen())
        until(lambda: not controller.busy)
    assert [path.name for path in written] == ["r1.html", "r1.xlsx"] * 2
    assert list(controller.reports) == ["Report", "Outcome of every row"]


def test_click_returns_at_once(plan: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A slow report or undo doesn't hold the page."""
    release = threading.Event()
    monkeypatch.setattr(plan.run, "undo", lambda: release.wait(5), raising=False)
    monkeypatch.setattr(plan.run, "report", lambda path: path, raising=False)
    monkeypatch.setattr(plan.run, "fix_file", lambda _: None, raising=False)
    controller = RunController(plan, plan.run, tmp_path)
    began = time.monotonic()
    controller.undo()
    assert time.monotonic() - began < 0.5
    assert controller.screen().message == "Working out what can be undone…"
    controller.undo()
    controller.write_reports()  # waits for its turn and isn't forgotten
    release.set()
    until(lambda: not controller.busy)
    assert len(controller.reports) == 2
