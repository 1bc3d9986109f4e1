"""The statements of both databases, and the target in memory, decide as `core.compare` says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from batchkit.core.columns import ITEM
from batchkit.core.compare import Standing, judge_row
from batchkit.targets.base import Result
from batchkit.targets.sql.target import SqlTarget
from batchkit.testing import MemoryTarget
from tests.support.sql_databases import Database, connected
from tests.support.sql_frames import by_item, context
from tests.support.verdicts import Case, Values, every_case, plan_rows

FIELDS = ("f", "g")
OUTCOMES = {
    Standing.DONE: "unchanged",
    Standing.UNTOUCHED: "done",
    Standing.PARTLY: "done",
    Standing.EDITED: "conflict",
}


def check(
    cases: Sequence[Case],
    fields: Sequence[str],
    results: Sequence[Result],
    held: dict[str, Values],
    fills_in: Sequence[str] = (),
) -> None:
    """Each item came out as it stood, and the target holds what that means."""
    told = by_item(results)
    for item, case in enumerate(cases):
        stands = judge_row(case.row(fields), fills_in)
        outcome, rule = told.get(item, ("done", ""))
        assert outcome == OUTCOMES[stands], (case, rule)
        assert (rule == "kept") == (stands is Standing.PARTLY), case
        left = case.left(stands)
        if fills_in and left is not None and outcome == "done":
            left = {name: "default" if value is None else value for name, value in left.items()}
        assert held.get(str(item)) == left, case


def fill(database: Database, cases: Sequence[Case], fields: Sequence[str]) -> None:
    """Have the table hold what the cases say it holds now."""
    rows = [(str(item), *(case.now[n] for n in fields)) for item, case in enumerate(cases) if case.now]
    marks = ", ".join("?" * (len(fields) + 1))
    for start in range(0, len(rows), 100):
        some = rows[start : start + 100]
        several = ", ".join([f"({marks})"] * len(some))
        database.query(f"INSERT INTO items VALUES {several}", [value for row in some for value in row])


def held_by(database: Database, fields: Sequence[str]) -> dict[str, Values]:
    """What the table holds, by key."""
    rows = database.query(f"SELECT id, {', '.join(fields)} FROM items")
    return {key: dict(zip(fields, values, strict=True)) for key, *values in rows}


@pytest.mark.parametrize("key", ["PRIMARY KEY", ""], ids=["unique", "not-unique"])
def test_statements_decide_as_the_table_says(database: Database, key: str) -> None:
    """A chunk of every possible case: written, left as done, or a conflict, each as `core.compare` has it."""
    database.execute(f"CREATE TABLE items (id varchar(9) {key}, f text, g text)")
    cases = every_case(FIELDS, (None, "a", "b"))
    fill(database, cases, FIELDS)
    target = connected(SqlTarget(database.url, table="items", key=["id"]))
    frame = plan_rows(cases, FIELDS)
    check(cases, FIELDS, target.apply(frame, context(frame)), held_by(database, FIELDS))


def test_one_by_one_they_decide_the_same(database: Database) -> None:
    """Each case as a chunk of its own: a row alone in its chunk takes another way through the statements."""
    database.execute("CREATE TABLE items (id varchar(9) PRIMARY KEY, f text)")
    cases = every_case(("f",), (None, "a", "b"))
    fill(database, cases, ("f",))
    target = connected(SqlTarget(database.url, table="items", key=["id"]))
    frame = plan_rows(cases, ("f",))
    results = [
        result for row in range(frame.height) for result in target.apply(frame[row], context(frame[row]))
    ]
    check(cases, ("f",), results, held_by(database, ("f",)))


def test_a_default_in_the_place_of_nothing_is_no_edit(database: Database) -> None:
    """A column that fills itself in: what was created without a value is done, and an undo may delete it."""
    database.execute("CREATE TABLE items (id varchar(9) PRIMARY KEY, f text NOT NULL DEFAULT 'default')")
    cases = [
        case
        for case in every_case(("f",), (None, "a", "default"))
        if case.now != {"f": None} and (case.change != "update" or (case.wanted["f"] and case.before["f"]))
    ]
    fill(database, cases, ("f",))
    target = connected(SqlTarget(database.url, table="items", key=["id"]))
    frame = plan_rows(cases, ("f",))
    check(cases, ("f",), target.apply(frame, context(frame)), held_by(database, ("f",)), ("f",))


def test_the_target_in_memory_decides_the_same() -> None:
    """Who tests a job with `batchkit.testing` sees what a database would do."""
    cases = every_case(FIELDS, (None, "a", "b"))
    rows = [{"id": str(item), **case.now} for item, case in enumerate(cases) if case.now is not None]
    target = MemoryTarget("memory:verdicts", key=["id"], rows=rows)
    frame = plan_rows(cases, FIELDS)
    results = target.apply(frame, context(frame))
    held = {str(key): {name: row.get(name) for name in FIELDS} for (key,), row in target.rows.items()}
    assert set(target.applied) == set(frame[ITEM])
    check(cases, FIELDS, results, held)
