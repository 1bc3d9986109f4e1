"""The panel without a browser: what is on the screen, what the buttons do, and the thread between them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from batchkit.core.errors import RunBusy, SettingsError
from batchkit.core.settings import LIVE, Settings
from batchkit.core.states import Outcome, RunState
from batchkit.panel import control, preview
from batchkit.panel.controller import RunController
from batchkit.panel.html import cell_html, changes_html, links_html, problems_html, value_html
from batchkit.panel.pages import DEEPEST_PROBLEM, PreviewModel
from batchkit.panel.screen import changed_settings, changes_in_words, run_screen
from batchkit.panel.ticker import TICKER, Ticker
from batchkit.planning.change_view import FieldView
from tests.support.pretend import PretendPlan, PretendRun, change, outcomes, problem, snapshot


def until(done: Callable[[], Any], seconds: float = 5) -> None:
    """Wait for something another thread does."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it didn't happen in time"
        time.sleep(0.01)


@pytest.fixture
def plan() -> Any:
    """A plan with some of each kind of change."""
    return PretendPlan(problems=37, create=30, update=1_204, unchanged=8_000, invalid=12)


# Pages


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


# HTML


def test_values_are_escaped() -> None:
    """Nothing from a file is taken for HTML: not in cells, titles, problems or links."""
    bad = "<img src=x onerror=alert(1)>\"'" * 9
    fields = [FieldView(bad, bad, bad + "x", True), FieldView("b", None, bad, True)]
    rows = [
        change(0, key=bad, fields=fields, problems=[problem(column=bad, value=bad, message=bad, advice=bad)])
    ]
    page = changes_html(rows, [bad]) + problems_html(rows[0].problems) + links_html({bad: Path(bad)})
    assert "<img" not in page
    assert "onerror=alert(1)>" not in page


def test_update_shows_before_struck_through_and_after() -> None:
    """A changed cell shows what it was and what it becomes."""
    cell = cell_html(FieldView("name", "Societe", "Société", True), "update")
    assert cell.index("<del>Societe</del>") < cell.index("→") < cell.index("<ins>Société</ins>")


def test_unchanged_cell_is_plain() -> None:
    """Only what changes is marked."""
    assert cell_html(FieldView("city", "Lyon", "Lyon", False), "update") == "<td>Lyon</td>"


def test_empty_before_is_named() -> None:
    """A field that was empty says so, and doesn't look like the word."""
    assert '<span class="bk-none">empty</span>' in cell_html(FieldView("city", None, "Lyon", True), "update")


def test_space_at_the_edge_is_visible() -> None:
    """A change that is only a space at the end can be seen."""
    assert value_html("Lyon ") == 'Lyon<span class="bk-space">·</span>'


def test_long_texts_are_cut_to_their_difference() -> None:
    """Two long texts that differ at the end show their end."""
    long = "x" * 500
    cell = cell_html(FieldView("note", f"{long} old", f"{long} new", True), "update")
    assert " old" in cell
    assert " new" in cell
    assert len(cell) < 500


def test_wide_plan_shows_the_columns_that_change() -> None:
    """Of fifty fields, those that nothing changes on the page are left out and counted."""
    fields = [FieldView(f"f{n}", "a", "b" if n == 30 else "a", n == 30) for n in range(50)]
    page = changes_html([change(0, fields=fields)], ["id"])
    assert "<th>f30</th>" in page
    assert "<th>f10</th>" not in page
    assert "42 fields without a change" in page


def test_problems_show_row_and_advice() -> None:
    """A problem says which row, what is wrong and what to do."""
    page = changes_html([change(0, "invalid", problems=[problem(row=1234)])], ["siret"])
    assert "<b>siret</b>: not a SIRET (12). Write its 14 digits." in page
    assert "1,234" in problems_html([problem(row=1234)])


# Screen


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


# Controller


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


# Ticker


def test_ticker_ends_with_its_last_view() -> None:
    """The thread is there only while a view is open."""
    ticker, looks = Ticker(0.001), [0]

    def look() -> bool:
        looks[0] += 1
        return looks[0] < 5

    ticker.add(look)
    until(lambda: ticker.idle)
    assert looks[0] == 5


def test_ticker_survives_a_broken_view() -> None:
    """A view that fails is dropped; the others go on."""
    ticker, looks = Ticker(0.001), [0]

    def broken() -> bool:
        raise RuntimeError

    def look() -> bool:
        looks[0] += 1
        return looks[0] < 50

    ticker.add(broken)
    ticker.add(look)
    until(lambda: ticker.idle)
    assert looks[0] == 50


def test_ticker_lets_a_view_go_while_it_takes_another() -> None:
    """A view may be collected at any moment, also while the ticker holds its lock: nothing hangs."""
    ticker = Ticker(0.001)

    class Collected:
        """Stands for the moment: comparing it is when the other view goes."""

        def __call__(self) -> bool:
            return False

        def __eq__(self, other: object) -> bool:
            ticker.remove(gone)
            return self is other

        __hash__ = None  # type: ignore[assignment]  # only compared

    def gone() -> bool:
        return True

    def add() -> None:
        ticker.add(gone)
        ticker.add(Collected())

    thread = threading.Thread(target=add, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    until(lambda: ticker.idle)


def test_ticker_looks_ten_times_a_second_at_most() -> None:
    """Views don't burden the run: at most ten looks a second."""
    looks: list[float] = []

    def look() -> bool:
        looks.append(time.monotonic())
        return True

    TICKER.add(look)
    time.sleep(0.55)
    TICKER.remove(look)
    assert 2 <= len(looks) <= 7


# Views


def texts(widget: Any) -> str:
    """All that a view shows, as one text."""
    own = str(getattr(widget, "value", "")) + str(getattr(widget, "description", ""))
    return own + "".join(texts(child) for child in getattr(widget, "children", ()))


def click(view: Any, name: str) -> None:
    """Click a button of a view by its words."""
    found = [each for each in _buttons(view) if each.description.startswith(name)]
    assert len(found) == 1
    assert not found[0].disabled
    found[0].click()


def _buttons(widget: Any) -> list[Any]:
    if hasattr(widget, "click"):
        return [widget]
    return [each for child in getattr(widget, "children", ()) for each in _buttons(child)]


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


def test_snapshot_kinds_are_all_shown() -> None:
    """Every outcome has its tile, nought included."""
    screen = run_screen(PretendRun().snapshot(), "t", {})
    assert [kind for kind, _, _ in screen.outcomes] == list(Outcome)


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


def test_message_has_no_former_value() -> None:
    """What is sent replaces nothing, so no cell of it says that something was empty."""
    from batchkit.panel.html import cell_html
    from batchkit.planning.change_view import FieldView

    assert "empty" not in cell_html(FieldView("1", None, "Zoé", changed=True), "send")
