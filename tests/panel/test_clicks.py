"""What to do next, in front of the panel: its own buttons and fields, and no option of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchkit.core import advice
from batchkit.core.advice import worded
from batchkit.core.errors import RunError
from batchkit.core.states import RunState
from batchkit.panel.clicks import on_form, on_run
from batchkit.panel.form import JobForm
from batchkit.panel.html import problems_html
from batchkit.panel.screen import run_screen
from batchkit.panel.tasks import Tasks
from tests.support.pretend import snapshot


def test_a_run_names_its_own_buttons() -> None:
    """What the view has a button for is a click; another run, or more than the button does, is a call."""
    say = on_run("r1")
    assert worded(advice.resume("r1"), say) == "click “Resume”"
    assert worded(advice.undo("r1"), say) == "click “Undo…”"
    assert worded(advice.resume("r2"), say) == 'Run.open("r2").resume()'
    assert worded(advice.resume("r1", settle="done"), say) == 'Run.open("r1").resume(settle="done")'
    assert worded(advice.start_again(), say) == "control(plan, again=True)"


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        (advice.option("dates", ["dd/mm/yy"]), "dd/mm/yy for “Dates are written”"),
        (advice.option("sheet"), "“Sheet”"),
        (advice.option("header_row", 2), "2 for “Header row”"),
        (advice.option("create", value=True), "tick “Create the table”"),
        (advice.option("key", ["siret"]), "tick “Key” beside a column"),
        (advice.map_column("nom", "Nom client"), "choose nom as the field of Nom client"),
        (advice.option("blank", "keep"), 'blank="keep"'),
    ],
)
def test_the_form_names_its_own_fields(marked: str, words: str) -> None:
    """Advice about a job is a field of the form where there is one, and Python where there is none."""
    assert worded(marked, on_form) == words


def test_the_message_of_a_failed_run_is_a_click_away() -> None:
    """What a target advises without knowing the run is the button of the run on the screen."""
    message = f"Look at the target, then {advice.resume()}."
    screen = run_screen(snapshot(state=RunState.FAILED, message=message), "a run", {})
    assert screen.message == "Look at the target, then click “Resume”."


def test_what_a_click_could_not_do_is_said_in_the_views_own_words() -> None:
    """An error keeps its actions until the view that shows it has words for them."""
    tasks = Tasks()

    def refuse() -> None:
        raise RunError("It stands still", advice=f"To go on: {advice.resume('r1')}")

    tasks.now(refuse)
    screen = run_screen(snapshot(state=RunState.STOPPED), "a run", {}, tasks.notice)
    assert screen.message == "It stands still. To go on: click “Resume”"


def test_problems_of_a_file_name_the_fields_of_the_form(tmp_path: Path) -> None:
    """Two tables with no clear header: the way out is the form's field, not `--header-row`."""
    path = tmp_path / "numbers.csv"
    path.write_text("1;2\n3;4\n", encoding="utf-8")
    form, tasks = JobForm(), Tasks()
    form.reading["source"] = str(path)
    tasks.now(form.read)
    said = worded(tasks.notice, on_form) + problems_html(form.found.problems if form.found else (), on_form)
    assert "“Header row”" in said
    assert "--" not in said
