"""Lookups: a field given by name becomes the id of another table's row, resolved as a set."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import polars as pl
import pytest

from batchkit.core.errors import MappingError
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Two shops, one category."""
    path = tmp_path / "shops.sqlite"
    link = sqlite3.connect(path)
    link.executescript("""
        CREATE TABLE categories (id INTEGER PRIMARY KEY, nom TEXT UNIQUE);
        CREATE TABLE shops (id INTEGER PRIMARY KEY, nom TEXT, categorie_id INTEGER REFERENCES categories(id));
        INSERT INTO categories VALUES (1, 'Boulangerie');
        INSERT INTO shops VALUES (1, 'Chez Léa', 1), (2, 'Au Four', 1);
    """)
    link.close()
    return path


def _plan(database: Path, rows: dict[str, list[object]], *, create: bool) -> Plan:
    return Job(
        pl.DataFrame(rows),
        to=f"sqlite:///{database}",
        table="shops",
        key=["id"],
        map={"categorie": "categorie_id"},
        lookups={"categorie_id": {"table": "categories", "by": "nom", "id": "id", "create": create}},
    ).plan()


ROWS: dict[str, list[object]] = {
    "id": [1, 2, 3],
    "nom": ["Chez Léa", "Au Four", "La Fleur"],
    "categorie": ["Boulangerie", "Fleuriste", "Fleuriste"],
}


def test_a_name_yet_to_be_made_changes_rows_that_exist(database: Path) -> None:
    """With `create`, a new name updates a row that is there, creates one that is not, and is made once."""
    plan = _plan(database, ROWS, create=True)
    assert plan.counts == {"create": 1, "update": 1, "unchanged": 1}
    run = plan.start(report=False)
    run.wait(20)
    assert run.snapshot().outcomes["done"] == 2
    link = sqlite3.connect(database)
    assert link.execute("SELECT count(*) FROM categories WHERE nom = 'Fleuriste'").fetchone() == (1,)
    names = "SELECT s.id, c.nom FROM shops s JOIN categories c ON c.id = s.categorie_id ORDER BY s.id"
    assert link.execute(names).fetchall() == [(1, "Boulangerie"), (2, "Fleuriste"), (3, "Fleuriste")]
    link.close()
    assert _plan(database, ROWS, create=True).counts == {"unchanged": 3}
    plan = run.undo()
    (told,) = [each for each in plan.summary().notices if each.rule == "lookup"]
    assert "What the run added to categories" in told.message
    assert told.message.endswith("Fleuriste")
    undo = plan.start(report=False)
    undo.wait(20)
    link = sqlite3.connect(database)
    rows = link.execute("SELECT id, nom, categorie_id FROM shops ORDER BY id").fetchall()
    assert rows == [(1, "Chez Léa", 1), (2, "Au Four", 1)]
    link.close()


def test_an_unknown_name_is_a_problem_on_its_row(database: Path) -> None:
    """Without `create`, a name that isn't there keeps its rows from being sent, and says which name it is."""
    plan = _plan(database, ROWS, create=False)
    assert plan.counts == {"unchanged": 1, "invalid": 2}
    problems = [problem for problem in plan.problems() if problem.level == "error"]
    assert [problem.row for problem in problems] == [3, 4]
    assert all("Fleuriste" in str(problem) for problem in problems)


def test_a_lookup_of_no_field_is_refused(database: Path) -> None:
    """A lookup whose field nothing fills isn't passed over: names would be written where ids belong."""
    lookup = {"table": "categories", "by": "nom"}
    address, rows = f"sqlite:///{database}", pl.DataFrame(ROWS)
    named = {"categorie": "categorie_id"}
    job = Job(rows, address, "shops", ["id"], map=named, lookups={"categori": lookup})
    with pytest.raises(MappingError, match=r"lookup of 'categori' .* Did you mean 'categorie_id'\?"):
        job.plan()
    job = Job(rows, address, "shops", ["id"], fields=["nom"], lookups={"categorie_id": lookup})
    with pytest.raises(MappingError, match="map a column of the source to it"):
        job.plan()
