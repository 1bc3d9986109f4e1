"""What to do next is data: each face words it in its own terms, and none in another's."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import batchkit
from batchkit.core import advice
from batchkit.core.advice import Wording, about_run, as_command, as_python, spoken, worded
from batchkit.core.errors import UsageError
from batchkit.core.problem import Problem
from batchkit.core.states import RunState
from batchkit.journal.snapshot import Snapshot

ACTIONS = {
    advice.resume("r-1"): ('Run.open("r-1").resume()', "batchkit resume r-1"),
    advice.resume(settle="done"): ('run.resume(settle="done")', "batchkit resume RUN --settle done"),
    advice.resume("r-1", overwrite=True): (
        'Run.open("r-1").resume(overwrite=True)', "batchkit resume r-1 --overwrite-conflicts",
    ),
    advice.resume("r-1", confirm=""): (
        'Run.open("r-1").resume(confirm="")', "batchkit resume r-1 --set confirm=",
    ),
    advice.undo("r-1"): ('Run.open("r-1").undo()', "batchkit undo r-1"),
    advice.watch("r-1"): ('batchkit.watch(Run.open("r-1"))', "batchkit watch r-1"),
    advice.list_runs(): ("batchkit.list_runs()", "batchkit runs"),
    advice.start_again(): ("plan.start(again=True)", "--again"),
    advice.plan_file("a b/fix.csv", "a b/job.toml"): (
        'replace(Job.load("a b/job.toml"), source="a b/fix.csv").plan()',
        "batchkit plan 'a b/job.toml' --source 'a b/fix.csv'",
    ),
    advice.terminal("doctor"): ("`batchkit doctor` in a terminal", "batchkit doctor"),
    advice.option("dates", ["dd/mm/yy"]): (
        'dates=["dd/mm/yy"]', '--dates dd/mm/yy, or dates = ["dd/mm/yy"] in a job file',
    ),
    advice.option("fill_merged", value=True): (
        "fill_merged=True", "--fill-merged, or fill_merged = true in a job file",
    ),
    advice.option("sheet"): ("sheet=", "--sheet, or sheet in a job file"),
    advice.field_option("nom", "strip", value=False): (
        'Field("nom", strip=False)', "--field nom.strip=false, or strip = false for the field in a job file",
    ),
    advice.map_column("name", "Nom client"): (
        'Field("name", column="Nom client")', "--map 'Nom client=name'",
    ),
    advice.create_missing(): (
        'lookup={..., "create": True}', "--create-missing, or create = true in the lookup of a job file",
    ),
    advice.setting("wait_for_target", "10m"): ('wait_for_target="10m"', "--set wait_for_target=10m"),
}  # fmt: skip


@pytest.mark.parametrize("marked", ACTIONS)
def test_python_and_the_command_line_word_an_action_in_their_own_terms(marked: str) -> None:
    """A call or an argument here; there a command, or an option and the entry of a job file."""
    assert (worded(marked, as_python), worded(marked, as_command)) == ACTIONS[marked]


def test_an_error_reads_as_the_face_that_is_speaking() -> None:
    """`str(error)` is Python's outside a face, and the command line's while that speaks."""
    words = f"Go on with it: {advice.resume('r-1')}."
    assert str(UsageError("No", advice=words)) == 'No. Go on with it: Run.open("r-1").resume().'
    with spoken(as_command):
        assert str(UsageError("No", advice=words)) == "No. Go on with it: batchkit resume r-1."
    assert UsageError("No", advice=words).advice == 'Go on with it: Run.open("r-1").resume().'


def test_what_is_stored_is_worded_anew_by_who_opens_it() -> None:
    """A problem that was planned on the command line reads as Python in a notebook."""
    with spoken(as_command):
        problem = Problem(
            3, "dates", "1/2/24", "date", "The year has two digits.", advice.option("blank", "keep")
        )
    assert problem.advice == '--blank keep, or blank = "keep" in a job file'
    again = Problem(**json.loads(json.dumps(problem.stored())))
    assert again.advice == 'blank="keep"'
    assert again.to_dict()["advice"] == 'blank="keep"'


def test_a_message_about_the_run_at_hand_names_it() -> None:
    """A target doesn't know the run's id; the command that is shown has it all the same."""
    words = f"Look there, then {advice.resume(settle='done')}."
    with spoken(as_command):
        told = Snapshot("r-1", RunState.FAILED, message=words).message
        assert told == "Look there, then batchkit resume r-1 --settle done."
    assert about_run(advice.resume("r-2"), "r-1") == advice.resume("r-2")


def test_plain_texts_stay_as_they_are() -> None:
    """Advice of older runs and of other people's targets, also where it looks like ours."""
    for text in (
        "Resume it: batchkit resume r-1 --settle done",
        "⟦odd⟧",
        "⟦resume {broken⟧",
        "⟦map {}⟧",
        "{x}",
    ):
        assert worded(text) == text
        assert str(Wording(text)) == text


@given(st.text(), st.text())
def test_any_argument_comes_through(field: str, column: str) -> None:
    """Column names are other people's: none ends the mark early, none is lost."""
    wording = Wording(f"Map it: {advice.map_column(field, column)}.")
    (action,) = wording.actions
    assert action.arguments == {"field": field, "column": column}
    assert worded(wording, lambda one: one.name) == "Map it: map."


def test_a_wording_can_be_copied_and_sent() -> None:
    """Errors cross processes: what can be done must not be lost on the way."""
    wording = Wording(f"Do {advice.undo('r-1')}")
    for other in (copy.deepcopy(wording), pickle.loads(pickle.dumps(wording))):  # noqa: S301 - our own
        assert other == wording
        assert worded(other, as_command) == "Do batchkit undo r-1"


_SPELLED = re.compile(
    r"(?<![\w-])--[a-z][a-z-]+|\bbatchkit (?:resume|watch|undo|runs|plan|apply|set)\b|\b(?:start|resume)\(\w"
)
_FACES = {"cli", "panel", "sandbox", "demo"}


def _texts() -> Iterator[tuple[str, str]]:
    """Every text of the floors below the faces that isn't a docstring, with where it stands."""
    package = Path(batchkit.__file__).parent
    for path in sorted(package.rglob("*.py")):
        place = path.relative_to(package)
        if place.parts[0] in _FACES or place.as_posix() in ("core/advice.py", "__init__.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        notes = {
            id(node.value) for node in ast.walk(tree)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        }  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in notes:
                yield f"{place}:{node.lineno}", node.value


def test_no_text_below_the_faces_spells_a_flag_or_a_call() -> None:
    """What a floor advises is an action: a flag in a notebook, or a call in a terminal, helps nobody."""
    found = [f"{place}: {text!r}" for place, text in _texts() if _SPELLED.search(text)]
    assert not found, "\n".join(found)
