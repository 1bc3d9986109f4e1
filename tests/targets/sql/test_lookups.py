"""Lookups of either database: what is made of them where the table is new, or theirs isn't there."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from batchkit.core.errors import TargetError
from batchkit.planning.job import Job
from batchkit.targets.sql.target import SqlTarget
from tests.support.sql_databases import Database, connected


def test_the_type_of_a_new_lookup_column(database: Database) -> None:
    """A table that is made for a file has the type of the ids where it is given names, and takes them."""
    database.execute(
        "CREATE TABLE categories (id integer PRIMARY KEY, nom text)",
        "CREATE TABLE langues (code varchar(2), nom text)",
        "INSERT INTO categories VALUES (7, 'Boulangerie')",
        "INSERT INTO langues VALUES ('fr', 'Français')",
    )
    lookups: dict[str, dict[str, object]] = {
        "categorie_id": {"table": "categories", "by": "nom", "create": True},
        "langue": {"table": "langues", "by": "nom", "id": "code"},
    }
    rows = pl.DataFrame({"id": ["1"], "categorie": ["Boulangerie"], "langue": ["Français"]})
    job = Job(rows, database.url, "shops", ["id"], lookups=lookups, create=True)
    plan = job.plan()
    assert plan.facts["types"]["categorie_id"]["type"] == "integer"
    run = plan.start(report=False)
    run.wait(20)
    assert database.query("SELECT * FROM shops") == [("1", 7, "fr")]
    target = connected(SqlTarget(database.url, table="shops", key=["id"]))
    assert target.fields()["categorie_id"].type == "integer"
    assert job.plan().counts == {"unchanged": 1}


@pytest.mark.parametrize("create", [False, True])
def test_a_lookup_table_that_is_not_there(database: Database, create: bool) -> None:
    """It is said whose lookup it is and what is near, not that it could be created."""
    database.execute("CREATE TABLE ville (id integer, nom text)")
    if not create:
        database.execute("CREATE TABLE shops (id integer PRIMARY KEY, ville_id integer)")
    rows = pl.DataFrame({"id": ["1"], "ville": ["Rennes"]})

    def told(lookup: dict[str, str]) -> str:
        job = Job(rows, database.url, "shops", ["id"], lookups={"ville_id": lookup}, create=create)
        with pytest.raises(TargetError) as caught:
            job.plan()
        assert "create=" not in str(caught.value)
        return str(caught.value)

    absent = told({"table": "villes", "by": "nom"})
    assert absent == "There is no table 'villes' for the lookup of ville_id. Did you mean ville?"
    assert "no column 'name', which the lookup of ville_id names" in told({"table": "ville", "by": "name"})
    assert "no column 'code', which the lookup of ville_id names" in told(
        {"table": "ville", "by": "nom", "id": "code"}
    )


def test_a_lookup_in_a_file_yet_to_be_made(tmp_path: Path) -> None:
    """A new database has no table to look names up in."""
    rows = pl.DataFrame({"id": ["1"], "ville": ["Rennes"]})
    lookups = {"ville_id": {"table": "villes", "by": "nom"}}
    job = Job(rows, f"sqlite:///{tmp_path / 'new.sqlite'}", "t", ["id"], lookups=lookups, create=True)
    with pytest.raises(TargetError, match="no table 'villes' for the lookup of ville_id"):
        job.plan()
    assert not (tmp_path / "new.sqlite").exists()
