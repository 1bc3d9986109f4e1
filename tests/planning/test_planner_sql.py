"""Planning against a database, and from real files."""

from __future__ import annotations

import random
import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.checking.fields import Field
from batchkit.core.columns import CHANGE, KEY
from batchkit.planning import planner as planning
from batchkit.planning import spool
from batchkit.planning.job import Job
from tests.support.shelf import kinds, view


def companies(folder: Path) -> str:
    """A database with a table of each type, and a lookup table."""
    with sqlite3.connect(folder / "c.sqlite") as base:
        base.execute("CREATE TABLE categories (id INTEGER PRIMARY KEY, nom TEXT UNIQUE)")
        base.execute("INSERT INTO categories VALUES (1, 'Boulangerie'), (2, 'Garage')")
        base.execute(
            "CREATE TABLE companies (siren TEXT, nic TEXT, nom TEXT NOT NULL, categorie_id INTEGER, "
            "ca DECIMAL(12,2), cree_le DATE, actif BOOLEAN, PRIMARY KEY (siren, nic))"
        )
        row = ("001", "00010", "Dupont", 1, 10.5, "2020-01-31", 1)
        base.execute("INSERT INTO companies VALUES (?,?,?,?,?,?,?)", row)
    base.close()
    return f"sqlite:///{folder / 'c.sqlite'}"


def test_sqlite_typed_composite_and_looked_up(tmp_path: Path) -> None:
    """Composite keys with leading zeros, typed compare, and names that become ids, from a French CSV."""
    (tmp_path / "c.csv").write_text(
        "SIREN;NIC;Nom;Catégorie;CA;Créé le;Actif\n"
        "001;00010;Dupont;Boulangerie;10,50;31/01/2020;oui\n"
        "001;00020;Durand;Garage;3;1/2/2021;non\n"
        "002;00010;Petit;Boulangerei;;;\n",
        encoding="utf-8",
    )
    job = Job(
        str(tmp_path / "c.csv"),
        companies(tmp_path),
        "companies",
        ["siren", "nic"],
        fields=[
            Field("nom"),
            Field("categorie_id", column="Catégorie", lookup={"table": "categories", "by": "nom"}),
            Field("ca", decimal=","),
            Field("cree_le", formats=("dd/mm/yyyy",)),
            Field("actif"),
        ],
    )
    plan = job.plan()
    assert kinds(plan) == ["unchanged", "create", "invalid"]
    created = view(plan, 1)
    assert created["categorie_id"] == (None, 2, True)
    assert created["ca"] == (None, Decimal("3.00"), True)
    assert created["cree_le"] == (None, date(2021, 2, 1), True)
    assert plan.page()[0].key == "001 / 00010"
    problem = plan.problems()[0]
    assert (problem.row, problem.column, problem.value) == (4, "Catégorie", "Boulangerei")
    assert "'Boulangerie'" in problem.advice


def test_sqlite_delete_and_undo_plan(tmp_path: Path) -> None:
    """What the file lacks is deleted when asked, with a warning about what an undo could not bring back."""
    url = companies(tmp_path)
    rows = pl.DataFrame({"siren": ["009"], "nic": ["1"], "nom": ["Neuf"]})
    plan = Job(rows, url, "companies", ["siren", "nic"], delete=True, delete_cap=1).plan()
    assert plan.counts == {"create": 1, "delete": 1}
    assert any("bring deleted items back without" in each.message for each in plan.summary().notices)


def test_sqlite_required_field_is_foreseen(tmp_path: Path) -> None:
    """That new items lack a value the table needs is said before anything is sent."""
    rows = pl.DataFrame({"siren": ["009"], "nic": ["1"], "ca": ["1"]})
    plan = Job(rows, companies(tmp_path), "companies", ["siren", "nic"]).plan()
    assert any("'nom'" in each.message and each.level == "warning" for each in plan.summary().notices)


def test_an_empty_cell_of_a_field_with_a_default(tmp_path: Path) -> None:
    """It takes the default in a new item and keeps what is in an old one, is stable, and is undone."""
    with sqlite3.connect(tmp_path / "c.sqlite") as base:
        base.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, state TEXT NOT NULL DEFAULT 'new', n INTEGER)")
        base.execute("INSERT INTO t VALUES (1, 'old', 1)")
    base.close()
    rows = pl.DataFrame(
        {"id": [1, 2], "state": [None, None], "n": [5, 5]}, schema_overrides={"state": pl.String}
    )
    job = Job(rows, f"sqlite:///{tmp_path / 'c.sqlite'}", "t", ["id"])
    plan = job.plan()
    assert plan.counts == {"create": 1, "update": 1}

    def there() -> list[Any]:
        with sqlite3.connect(tmp_path / "c.sqlite") as base:
            found = base.execute("SELECT * FROM t ORDER BY id").fetchall()
        base.close()
        return found

    run = plan.start(report=False)
    run.wait(20)
    assert there() == [(1, "old", 5), (2, "new", 5)]
    assert job.plan().counts == {"unchanged": 2}
    run.undo().start(report=False).wait(20)
    assert there() == [(1, "old", 1)]


def test_children_before_their_parents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that refers to itself is filled in small chunks from a file in any order, and emptied."""
    monkeypatch.setattr(planning, "WINDOW", 7)
    monkeypatch.setattr(spool, "IN_MEMORY", 500)
    with sqlite3.connect(tmp_path / "c.sqlite") as base:
        base.execute("CREATE TABLE t (id TEXT PRIMARY KEY, up TEXT REFERENCES t (id))")
    base.close()
    chance = random.Random(3)
    pairs = [(f"{n:03}", None if n == 0 else f"{chance.randrange(n):03}") for n in range(100)]
    chance.shuffle(pairs)
    rows = pl.DataFrame({"id": [key for key, _ in pairs], "up": [up for _, up in pairs]})
    plan = Job(rows, f"sqlite:///{tmp_path / 'c.sqlite'}", "t", ["id"]).plan()
    assert plan.counts == {"create": 100}
    assert sorted(plan.changes().collect()["row"]) == list(range(2, 102))
    assert "order" in {each.rule for each in plan.summary().notices}
    run = plan.start(report=False, chunk_size=5)
    run.wait(20)
    assert run.snapshot().outcomes["done"] == 100
    undo = run.undo().start(report=False, chunk_size=5)
    undo.wait(20)
    assert undo.snapshot().outcomes["done"] == 100
    straight = Job(rows.sort("id"), f"sqlite:///{tmp_path / 'c.sqlite'}", "t", ["id"]).plan()
    assert straight.changes().collect()["row"].to_list() == list(range(2, 102))


def test_query_on_the_same_table(tmp_path: Path) -> None:
    """Names in a table are mended in place: a query on it is the source, the table is the target."""
    url = companies(tmp_path)
    query = "SELECT siren, nic, upper(nom) AS nom FROM companies"
    plan = Job({"address": url, "query": query}, url, "companies", ["siren", "nic"]).plan()
    assert plan.counts == {"update": 1}
    assert view(plan, 0) == {"nom": ("Dupont", "DUPONT", True)}


@pytest.mark.parametrize(
    ("file", "key", "changes"),
    [
        ("fr/sae_ID_2022r.csv", "fi", {"create": 3995}),
        ("fr/irep_etablissements.csv", "Identifiant", {"create": 10167}),
        ("fr/annuaire_education_35.csv", "Identifiant_de_l_etablissement", {"create": 990, "duplicate": 6}),
        ("wp/meta-data-1min30.csv", "id", {"create": 552}),
        ("dpgf/BPU.xlsx", "N° de prix", {"create": 496}),
    ],
)
def test_real_files_into_a_new_table(
    shared_data: Path, tmp_path: Path, file: str, key: str, changes: dict[str, int]
) -> None:
    """Real files are planned whole: their rows, their keys as text, their duplicates by row number."""
    job = Job(str(shared_data / file), f"sqlite:///{tmp_path}/new.sqlite", "rows", [key], create=True)
    plan = job.plan()
    assert plan.counts == changes
    frame = plan.changes().collect()
    column = next(name for name in frame.columns if name.startswith(KEY))
    assert frame[column].dtype == pl.String
    assert frame[column].to_list() == [value.strip() for value in frame[f"raw:{key}"]]
    duplicates = frame.filter(pl.col(CHANGE) == "duplicate")
    assert [p.row for p in plan.problems() if p.rule == "duplicate"] == duplicates["row"].to_list()
    assert not (tmp_path / "new.sqlite").exists()
