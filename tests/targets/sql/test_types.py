"""Types: a field that is checked as one type, in a column that the database declares as another."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from batchkit.checking.fields import Field
from batchkit.core.errors import MappingError
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from tests.support.sql_databases import Database

FRENCH = ("dd/mm/yyyy",)


def _plan(database: Database, rows: dict[str, list[str | None]], *fields: Field, **options: Any) -> Plan:
    return Job(pl.DataFrame(rows), database.url, "t", ["id"], fields=fields, **options).plan()


@pytest.mark.parametrize(
    ("field", "cells", "texts"),
    [
        (Field("v", type="date", formats=FRENCH), ["31/01/2021", "1/2/2020"], ["2021-01-31", "2020-02-01"]),
        (Field("v", type="integer"), ["012", "1 000"], ["12", "1000"]),
        (Field("v", type="decimal"), ["12,50", "3,00"], ["12.5", "3"]),
        (Field("v", type="boolean"), ["oui", "0"], ["true", "false"]),
    ],
)
def test_a_typed_field_in_a_column_of_texts(
    database: Database, field: Field, cells: list[str], texts: list[str]
) -> None:
    """The check is of the operator's type; the canonical text is compared and written, junk is undone."""
    database.execute(
        "CREATE TABLE t (id integer PRIMARY KEY, v text)",
        f"INSERT INTO t VALUES (1, '{texts[0]}'), (2, 'junk'), (3, ''), (4, NULL), (5, 'left')",
    )
    rows: dict[str, list[str | None]] = {
        "id": ["1", "2", "3", "4", "5", "6"],
        "v": [cells[0], cells[1], cells[0], cells[1], "never", cells[0]],
    }
    plan = _plan(database, rows, field)
    kinds = plan.changes().collect()["change"].to_list()
    assert kinds == ["unchanged", "update", "update", "update", "invalid", "create"]
    assert [each.rule for each in plan.problems() if each.level == "error"] == [field.type]
    before, after = plan.page(None, 1, 1)[0].fields[0][1:3]
    assert (before, after) == ("junk", texts[1])
    run = plan.start(report=False)
    run.wait(20)
    wanted = [texts[0], texts[1], texts[0], texts[1], "left", texts[0]]
    assert [value for (value,) in database.query("SELECT v FROM t ORDER BY id")] == wanted
    assert _plan(database, rows, field).counts == {"unchanged": 5, "invalid": 1}
    run.undo().start(report=False).wait(20)
    there = [value for (value,) in database.query("SELECT v FROM t ORDER BY id")]
    assert there == [texts[0], "junk", "", None, "left"]


def test_types_that_have_nothing_in_common(database: Database) -> None:
    """A date where the database keeps numbers is refused in words, before any row is read."""
    database.execute(
        "CREATE TABLE t (id integer PRIMARY KEY, v numeric(10,2))", "INSERT INTO t VALUES (1, 2)"
    )
    with pytest.raises(MappingError, match="checked as date, but the target's is decimal"):
        _plan(database, {"id": ["1"], "v": ["2021-01-31"]}, Field("v", type="date"))


def test_a_typed_key_in_a_column_of_texts(database: Database) -> None:
    """A key that is checked as a number finds its item by the number's text."""
    database.execute(
        "CREATE TABLE t (id varchar(3) PRIMARY KEY, v text)", "INSERT INTO t VALUES ('7', 'a'), ('x', 'b')"
    )
    rows: dict[str, list[str | None]] = {"id": ["007", "8", "08", "9", "12345"], "v": ["z"] * 5}
    fields = [Field("id", type="integer"), Field("v")]
    plan = _plan(database, rows, *fields, delete=True, delete_cap=1)
    kinds = plan.changes().collect()["change"].to_list()
    assert kinds == ["update", "duplicate", "duplicate", "create", "invalid", "delete"]
    assert "at most 3 characters" in plan.problems()[-1].message


def test_decimals_whose_scale_nobody_says(database: Database) -> None:
    """They are shown as people write them, and a column made for them takes any number of decimals."""
    database.execute(
        "CREATE TABLE old (id numeric PRIMARY KEY, v numeric)", "INSERT INTO old VALUES (1.5, 2.25)"
    )
    rows = pl.DataFrame({"id": ["1,5", "3,0", "4", "4"], "v": ["100", "0,125", "1", "1"]})
    plan = Job(rows, database.url, "old", ["id"], decimal=",").plan()
    shown = [(one.key, [str(value) for value in one.fields[0][1:3]]) for one in plan.page()[:2]]
    assert shown == [("1.5", ["2.25", "100"]), ("3", ["None", "0.125"])]
    assert {one.value for one in plan.problems()} == {"4"}
    fields = [Field("v", type="decimal", decimal=",")]
    new = Job(rows.head(2), database.url, "t", ["id"], fields=fields, create=True).plan()
    assert str(new.page()[0].fields[0].after) == "100"
    new.start(report=False).wait(20)
    if database.kind == "sqlite":
        declared = database.query("SELECT type FROM pragma_table_info('t') WHERE name = 'v'")
        assert declared == [("NUMERIC",)]
    else:
        facts = "SELECT numeric_scale FROM information_schema.columns"
        assert database.query(f"{facts} WHERE table_name = 't' AND column_name = 'v'") == [(None,)]
    assert [float(value) for (value,) in database.query("SELECT v FROM t ORDER BY id")] == [100, 0.125]


def test_large_decimals_whose_scale_nobody_says(database: Database) -> None:
    """Prices of millions go in and are found again; what SQLite would hold as another number is refused."""
    fields = [Field("v", type="decimal", decimal=",")]
    cells = ["1234567,89", "250000", "-999999999,5", "1234567890,1234567890"]
    rows = pl.DataFrame({"id": ["1", "2", "3", "4"], "v": cells})
    job = Job(rows, database.url, "t", ["id"], fields=fields, create=True)
    run = job.plan().start(report=False)
    run.wait(20)
    long = int(database.kind == "sqlite")
    assert (run.snapshot().outcomes["done"], run.snapshot().outcomes["rejected"]) == (4 - long, long)
    there = [float(value) for (value,) in database.query("SELECT v FROM t ORDER BY id")]
    assert there[:3] == [1234567.89, 250000, -999999999.5]
    assert job.plan().counts == {"unchanged": 4 - long} | ({"create": 1} if long else {})
    changed = Job(rows.with_columns(v=pl.lit("300000,5")), database.url, "t", ["id"], fields=fields).plan()
    changed.start(report=False).wait(20)
    assert {float(value) for (value,) in database.query("SELECT v FROM t")} == {300000.5}
