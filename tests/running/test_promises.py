"""What the README promises, from a file to a database and back: bad rows, edited rows, undo."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run

ROWS = 10_000
BAD_ITEM = 4_321  # stands on row 4,323 of the file
COLUMNS = ("id", "nom", "code", "effectif", "categorie_id")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with companies that refer to categories."""
    if request.param == "sqlite":
        address = f"sqlite:///{tmp_path / 'crm.sqlite'}"
    else:
        address = str(request.getfixturevalue("postgres_url"))
    with _engine(address).begin() as link:
        link.execute(sa.text("CREATE TABLE categories (id INTEGER PRIMARY KEY)"))
        link.execute(sa.text("INSERT INTO categories VALUES (1), (2)"))
        link.execute(
            sa.text(
                "CREATE TABLE companies (id INTEGER PRIMARY KEY, nom VARCHAR(30) NOT NULL,"
                " code VARCHAR(5) UNIQUE, effectif INTEGER CHECK (effectif >= 0),"
                " categorie_id INTEGER REFERENCES categories(id))"
            )
        )
    return address


def _engine(url: str) -> sa.Engine:
    return sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), poolclass=sa.NullPool)


def _table(url: str) -> list[tuple[Any, ...]]:
    with _engine(url).connect() as link:
        found = link.execute(sa.text(f"SELECT {', '.join(COLUMNS)} FROM companies ORDER BY id"))
        return [tuple(row) for row in found]


def _rows(version: str = "") -> list[list[str]]:
    return [[str(i), f"Société {i}{version}", f"{i:05d}", str(i % 500), str(i % 2 + 1)] for i in range(ROWS)]


def _plan(url: str, folder: Path, rows: list[list[str]]) -> Plan:
    lines = [";".join(COLUMNS), *(";".join(row) for row in rows)]
    (folder / "companies.csv").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")
    return Job(str(folder / "companies.csv"), to=url, table="companies", key=["id"]).plan()


def _finished(plan: Plan) -> Run:
    run = plan.start(report=False)
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    return run


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("effectif", "douze", "not a number"),
        ("nom", "", "value"),
        ("nom", "x" * 31, "30"),
        ("categorie_id", "99", "categor"),
        ("effectif", "-5", "effectif|check"),
        ("code", "00007", "code|unique"),
        ("nom", "avec \x00 nul", "NUL"),
    ],
    ids=["type", "not-null", "too-long", "foreign-key", "check", "unique", "nul"],
)
def test_one_bad_row_costs_one_row(url: str, tmp_path: Path, column: str, value: str, words: str) -> None:
    """Of 10,000 rows 9,999 go in; the bad one is reported by its row number, with reason and advice."""
    rows = _rows()
    rows[BAD_ITEM][COLUMNS.index(column)] = value
    run = _finished(_plan(url, tmp_path, rows))
    assert run.snapshot().outcomes["done"] == ROWS - 1
    failed = run.outcomes("rejected").to_dicts()
    assert [row["row"] for row in failed] == [BAD_ITEM + 2]
    assert failed[0]["advice"]
    assert re.search(words, failed[0]["reason"], re.IGNORECASE), failed[0]["reason"]
    kept = [row[0] for row in _table(url)]
    assert kept == [i for i in range(ROWS) if i != BAD_ITEM]


def test_rows_edited_meanwhile_are_kept_and_all_others_can_be_undone(url: str, tmp_path: Path) -> None:
    """Five rows edited between plan and run are five conflicts; an undo brings all the others back."""
    _finished(_plan(url, tmp_path, _rows()))
    before = _table(url)
    plan = _plan(url, tmp_path, _rows(" bis"))
    assert plan.counts == {"update": ROWS}
    edited = (3, 500, 4_321, 7_777, 9_999)
    with _engine(url).begin() as link:
        link.execute(sa.text(f"UPDATE companies SET nom = 'à la main' WHERE id IN {edited}"))
    run = _finished(plan)
    conflicts = run.outcomes("conflict")
    assert tuple(conflicts["item"]) == edited
    assert "à la main" in conflicts["detail"][0]
    assert "bis" in conflicts["detail"][0]
    assert [row[1] for row in _table(url) if row[0] in edited] == ["à la main"] * 5
    undone = _finished(run.undo())
    assert undone.snapshot().outcomes["done"] == ROWS - 5
    after = _table(url)
    assert [row for row in after if row[0] not in edited] == [row for row in before if row[0] not in edited]
    assert [row[1] for row in _table(url) if row[0] in edited] == ["à la main"] * 5


def test_an_undo_keeps_what_was_edited_after_the_run(url: str, tmp_path: Path) -> None:
    """Created rows are deleted by an undo, but for those that somebody has edited since; these are listed."""
    run = _finished(_plan(url, tmp_path, _rows()[:100]))
    with _engine(url).begin() as link:
        link.execute(sa.text("UPDATE companies SET nom = 'gardée' WHERE id = 42"))
    undone = _finished(run.undo())
    assert undone.snapshot().outcomes["done"] == 99
    assert undone.outcomes("conflict")["key"].to_list() == ["42"]
    assert [row[1] for row in _table(url)] == ["gardée"]
