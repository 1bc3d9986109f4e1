"""From a file to a run in the panel: load, map, check, preview."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from batchkit import Job
from batchkit.core.errors import JobError, TargetError
from batchkit.panel import wizard
from batchkit.panel.form import JobForm
from tests.support.panels import click, texts, until


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a file of companies, and a database that holds one of them."""
    monkeypatch.chdir(tmp_path)
    rows = "SIRET;Nom;Ouverture;Note\n00552081200016;Zoé;31/01/2020;x\n33456789800385;Léa;01/02/2021;y\n"
    (tmp_path / "companies.csv").write_text(rows, encoding="utf-8")
    database = sqlite3.connect(tmp_path / "c.sqlite")
    database.execute("CREATE TABLE companies (siret TEXT PRIMARY KEY, nom TEXT, ouverture DATE)")
    database.execute("INSERT INTO companies VALUES ('00552081200016', 'Zoe', '2020-01-31')")
    database.commit()
    database.close()
    return tmp_path


def filled(folder: Path) -> JobForm:
    """A form with the file and the table."""
    form = JobForm()
    form.reading["source"] = "companies.csv"
    form.target.update(to=f"sqlite:///{(folder / 'c.sqlite').as_posix()}", table="companies")
    return form


def test_form_proposes_by_name_and_leaves_out_the_rest(folder: Path) -> None:
    """Columns find their field whatever their case; the table's key is the key; a stranger is left out."""
    form = filled(folder)
    form.read()
    form.connect()
    assert [(each.column, each.field, each.key) for each in form.choices] == [
        ("SIRET", "siret", True), ("Nom", "nom", False), ("Ouverture", "ouverture", False),
        ("Note", "", False),
    ]  # fmt: skip


def test_form_plans_what_it_says(folder: Path) -> None:
    """The plan compares with the table, dates read as they are written in the file."""
    form = filled(folder)
    form.read()
    form.connect()
    assert form.plan().summary().changes == {"create": 1, "update": 1}


def test_form_makes_the_job_a_file_can_hold(folder: Path) -> None:
    """The job of the form, saved and loaded, plans the same."""
    form = filled(folder)
    form.read()
    form.connect()
    form.choices[0].check = "SIRET"
    form.choices[1].required = True
    path = form.job().save(folder / "job.toml")
    assert Job.load(path).plan().summary().changes == form.plan().summary().changes


def test_form_creates_a_table_from_the_file(folder: Path) -> None:
    """Without a table, every column becomes a field of its own name."""
    form = filled(folder)
    form.target["table"] = "new"
    form.read()
    with pytest.raises(TargetError):
        form.connect()
    form.create = True
    form.connect()
    form.choices[0].key = True
    assert [each.field for each in form.choices] == ["SIRET", "Nom", "Ouverture", "Note"]
    assert form.plan().summary().changes == {"create": 2}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("source", "No file is named"),
        ("header_row", "header_row takes a whole number"),
        ("key", "needs a key"),
        ("field", "No column feeds a field"),
    ],
)
def test_form_says_what_is_missing(folder: Path, change: str, words: str) -> None:
    """What is missing or wrong is said in a sentence."""
    form = filled(folder)
    form.read()
    form.connect()
    if change in form.reading:
        form.reading[change] = {"source": " ", "header_row": "two"}[change]
    for choice in form.choices:
        choice.key = choice.key and change != "key"
        choice.field = "" if change == "field" else choice.field
    with pytest.raises(JobError, match=words):
        form.read() if change in form.reading else form.job()


def test_wizard_leads_to_a_preview_and_a_run(folder: Path) -> None:
    """Each click opens the next step; at the end the changes are shown and the run can be started."""
    view: Any = wizard(
        source="companies.csv", to=f"sqlite:///{(folder / 'c.sqlite').as_posix()}", table="companies"
    )
    click(view, "Read file")
    until(lambda: "2 rows, 4 columns" in texts(view))
    click(view, "Connect")
    until(lambda: "Which column feeds which field" in texts(view) and view.form.connected)
    until(lambda: not view.tasks.busy)
    click(view, "Check and preview")
    until(lambda: "Update  1" in texts(view))
    click(view, "Apply…")
    click(view, "Apply now")
    until(lambda: "Finished" in texts(view))
    with sqlite3.connect(folder / "c.sqlite") as database:
        found = database.execute("SELECT nom FROM companies ORDER BY siret").fetchall()
    database.close()
    assert found == [("Zoé",), ("Léa",)]
    click(view, "Save job")
    assert "kept in job.toml" in texts(view)
    assert (folder / "job.toml").exists()
    until(lambda: len(list((folder / "reports").glob("*"))) == 2, 15)
    view.close()


def test_wizard_says_what_went_wrong(folder: Path) -> None:
    """A file that isn't there is a sentence on the screen, and the next step stays closed."""
    view: Any = wizard(source="nowhere.csv")
    click(view, "Read file")
    until(lambda: "nowhere.csv" in texts(view) and "bk-tone-bad" in texts(view))
    assert view.form.found is None
    view.close()
