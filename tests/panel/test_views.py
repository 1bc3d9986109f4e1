"""The widgets themselves, clicked on without a browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pytest

from batchkit.core.settings import LIVE, Settings
from batchkit.core.states import RunState
from batchkit.panel import control, preview
from batchkit.panel.ticker import TICKER
from tests.support.panels import click, texts, until
from tests.support.pretend import PretendPlan, outcomes


def test_preview_filters_and_pages(plan: Any) -> None:
    """A click on a filter shows its rows; Next shows the next page."""
    view = preview(plan)
    click(view, "Create")
    click(view, "Next")
    assert "21 to 30 of 30" in texts(view)
    assert plan.pages[-1] == ("create", 20, 20)
    view.close()


def test_preview_of_a_lost_plan_says_so(plan: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the plan's file is gone, the table says it and nothing breaks."""

    def lost(*_: Any) -> None:
        raise FileNotFoundError("plan.parquet is gone")

    monkeypatch.setattr(plan, "page", lost)
    assert "plan.parquet is gone" in texts(preview(plan))


def test_control_asks_before_it_starts(plan: Any) -> None:
    """The first click shows the count, the second starts; Cancel starts nothing."""
    view = control(plan)
    click(view, "Apply…")
    assert "Write to companies: 30 creates, 1,204 updates?" in texts(view)
    click(view, "Cancel")
    assert plan.started == []
    click(view, "Apply…")
    click(view, "Apply now")
    assert plan.started == [{}]
    view.close()


def test_control_follows_the_run_until_it_is_closed(plan: Any) -> None:
    """Figures move without a click; after closing, nobody looks at the run any more."""
    plan.run.now(state=RunState.RUNNING)
    view = control(plan.run)
    plan.run.now(outcomes=outcomes(done=1_777, pending=223))
    until(lambda: "1,777 of 2,000" in texts(view))
    view.close()
    until(lambda: TICKER.idle)
    looks = plan.run.looks
    time.sleep(0.3)
    assert plan.run.looks == looks


def test_two_views_of_one_run(plan: Any) -> None:
    """A run can be looked at twice; closing one view leaves the other alive."""
    first, second = control(plan.run), control(plan.run)
    first.close()
    plan.run.now(outcomes=outcomes(done=1_888, pending=112))
    until(lambda: "1,888 of 2,000" in texts(second))
    second.close()


def test_view_ends_with_its_run(plan: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the run is over and its report written, the thread ends by itself."""
    monkeypatch.setattr("batchkit.panel.run_view.AWAKE", 0.1)
    monkeypatch.setattr(plan.run, "report", lambda path: path, raising=False)
    monkeypatch.setattr(plan.run, "fix_file", lambda path: path, raising=False)
    view = control(plan.run, report_folder=tmp_path)
    plan.run.now(state=RunState.FINISHED, outcomes=outcomes(done=2_000))
    until(lambda: TICKER.idle)
    assert "Finished" in texts(view)
    links = view.children[-2].children[0].outputs[0]["data"]["text/html"]
    assert links.count("<a ") == 3
    view.close()


def test_settings_open_by_themselves_for_many_items(plan: Any) -> None:
    """Up to a thousand items the settings are folded away, above they are open."""
    few = control(cast(Any, PretendPlan(create=1_000)))
    many = control(cast(Any, PretendPlan(create=1_001)))
    assert few.fields.widget.selected_index is None
    assert many.fields.widget.selected_index == 0
    few.close()
    many.close()


def test_settings_act_on_the_running_run(plan: Any) -> None:
    """A changed field is sent to the run; what another terminal sets appears in the field."""
    plan.run.now(settings={"workers": 4, "rate": None, "delay": 0.0, "chunk_size": None, "retries": 3})
    view = control(plan.run)
    view.fields.type("workers", "8")
    plan.run.now(settings={"workers": 4, "rate": 2.5, "delay": 0.0, "chunk_size": None, "retries": 3})
    until(lambda: view.fields.texts["rate"] == "2.5")
    click(view, "Apply settings")
    assert plan.run.asked == [("set", {"workers": 8})]
    assert view.fields.texts["workers"] == "8"
    view.close()


def test_every_setting_has_a_field(plan: Any) -> None:
    """What a run may be told can be told here; what can't change while it runs can't be typed then."""
    view = control(plan)
    assert set(view.fields.texts) == set(Settings.model_fields)
    assert view.fields.texts["adaptive"] == "yes"
    view.fields.type("adaptive", "no")
    view.fields.type("window", "22:00-06:00")
    view.fields.type("overwrite", "yes")
    click(view, "Apply…")
    click(view, "Apply now")
    assert plan.started == [{"adaptive": False, "window": "22:00-06:00", "overwrite": True}]
    until(lambda: "Pause" in texts(view))
    assert view.fields.open == LIVE
    view.close()


def test_start_after_a_dry_run_keeps_the_settings(plan: Any) -> None:
    """What was set for the dry run, before or while it ran, holds for the real one."""
    view = control(plan, settings={"chunk_size": 10})
    click(view, "Dry run")
    plan.run.now(settings={"workers": 4, "rate": 2.0, "delay": 0.0, "chunk_size": 10, "retries": 3})
    until(lambda: view.fields.texts["rate"] == "2")
    plan.run.now(state=RunState.FINISHED)
    until(lambda: not view.buttons["start"].disabled)
    click(view, "Apply…")
    click(view, "Apply now")
    assert plan.started == [{"chunk_size": 10, "dry_run": True}, {"chunk_size": 10, "rate": 2.0}]
    view.close()


def test_undo_is_previewed_before_it_is_run(
    plan: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Undo shows the inverse plan with a start of its own; nothing is reversed by the click itself."""
    inverse = PretendPlan(delete=30, update=1_204)
    monkeypatch.setattr(plan.run, "undo", lambda: inverse, raising=False)
    monkeypatch.setattr(plan.run, "report", lambda path: path, raising=False)
    monkeypatch.setattr(plan.run, "fix_file", lambda _: None, raising=False)
    plan.run.now(state=RunState.FINISHED, outcomes=outcomes(done=2_000))
    view = control(plan.run, report_folder=tmp_path)
    until(lambda: not view.controller.busy)
    click(view, "Undo…")
    until(lambda: "what would be reversed" in texts(view))
    assert "1,204 updates, 30 deletes" in texts(view)
    assert inverse.started == []
    view.close()


def test_imports_of_a_cell_that_runs_twice_are_the_same() -> None:
    """Run All Cells a second time finds the functions again, and no module of the same name."""
    import importlib
    import pkgutil

    from batchkit import panel

    modules = {name for _, name, _ in pkgutil.iter_modules(panel.__path__)}
    assert not modules & set(panel.__all__)
    for name in modules:
        importlib.import_module(f"batchkit.panel.{name}")
    assert all(callable(getattr(panel, name)) for name in panel.__all__)
