"""Planning: what becomes of each row, its lookups and its problems; and the diff by itself."""

from __future__ import annotations

import sqlite3
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.checking.fields import Field
from batchkit.core.columns import CHANGE, ITEM, ROW
from batchkit.core.compare import Compare
from batchkit.core.problem import Problem
from batchkit.planning import planner as planning
from batchkit.planning import spool
from batchkit.planning.diff import diff
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from tests.support.shelf import TYPES, Shelf, kinds, planned, view


def test_upsert_tells_create_update_unchanged() -> None:
    """Each row becomes what would happen to its item; what isn't in the file is untouched."""
    plan = planned({"id": ["1", "2", "3"], "name": ["New", "Same", "Third"], "price": ["1,50", None, "2"]})
    assert kinds(plan) == ["update", "unchanged", "create"]
    assert plan.counts == {"create": 1, "update": 1, "unchanged": 1}
    assert view(plan, 0) == {"name": ("Old", "New", True), "price": (Decimal("1.50"), Decimal("1.50"), False)}
    assert view(plan, 2)["name"] == (None, "Third", True)
    assert plan.to_send() == 2


def test_update_mode_reports_missing() -> None:
    """In update mode an item that isn't there is missing, with a reason and its row."""
    plan = planned({"id": ["1", "3"], "name": ["New", "x"]}, mode="update")
    assert kinds(plan) == ["update", "missing"]
    assert [(p.row, p.rule) for p in plan.problems()] == [(3, "missing")]


def test_insert_mode_refuses_what_exists_otherwise() -> None:
    """In insert mode an item that exists with other values is invalid; with equal ones it is unchanged."""
    plan = planned({"id": ["1", "2", "3"], "name": ["New", "Same", "x"]}, mode="insert")
    assert kinds(plan) == ["invalid", "unchanged", "create"]
    assert [(p.row, p.rule) for p in plan.problems()] == [(2, "exists")]
    assert "upsert" in plan.problems()[0].advice


def test_append_creates_all() -> None:
    """Append neither reads nor looks for keys: every good row is created, duplicates included."""
    plan = planned({"id": ["1", "1"], "name": ["a", "b"]}, mode="append")
    assert kinds(plan) == ["create", "create"]
    assert plan.key == []
    assert plan.fields == ["id", "name"]
    assert not plan.summary().reversible
    assert plan.summary().irreversible_because


def test_twins_are_never_sent() -> None:
    """Rows that share a key are duplicates, and each names the others' rows."""
    plan = planned({"id": ["3", "4", "3", "3"], "name": ["a", "b", "c", "d"]})
    assert kinds(plan) == ["duplicate", "create", "duplicate", "duplicate"]
    assert [(p.row, p.message) for p in plan.problems()] == [
        (2, "The same key stands on rows 4, 5 as well"),
        (4, "The same key stands on rows 2, 5 as well"),
        (5, "The same key stands on rows 2, 4 as well"),
    ]


@pytest.mark.parametrize(
    ("keep", "expected"), [("first", ["create", "unchanged"]), ("last", ["unchanged", "create"])]
)
def test_twins_may_keep_one(keep: str, expected: list[str]) -> None:
    """The operator may say which of several rows counts; the others are no errors, and end no run badly."""
    plan = planned({"id": ["3", "3"], "name": ["a", "b"]}, keep_duplicates=keep)
    assert kinds(plan) == expected
    row, counts = (3, 2) if keep == "first" else (2, 3)
    told = f"Row {counts}, which has the same key, counts"
    assert [(p.row, p.rule, p.level, p.message) for p in plan.problems()] == [
        (row, "duplicate", "notice", told)
    ]
    assert plan.page("unchanged")[0].fields[0][1:3] == (None, None)


@pytest.mark.parametrize("keep", ["first", "last"])
def test_left_out_twins_are_not_to_be_fixed(tmp_path: Path, keep: str) -> None:
    """A run whose only doubtful rows were left out by choice rejects nothing and has nothing to fix."""
    address = f"sqlite:///{tmp_path / 'c.sqlite'}"
    rows = pl.DataFrame({"id": ["3", "4", "3"], "name": ["a", "b", "c"]})
    run = Job(rows, address, "t", ["id"], keep_duplicates=keep, create=True).plan().start()
    run.wait(20)
    outcomes = {kind: count for kind, count in run.snapshot().outcomes.items() if count}
    assert outcomes == {"done": 2, "unchanged": 1}
    assert run.fix_file() is None
    with sqlite3.connect(tmp_path / "c.sqlite") as base:
        there = base.execute("SELECT name FROM t ORDER BY id").fetchall()
    base.close()
    assert there == [("a" if keep == "first" else "c",), ("b",)]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [("first", ["invalid", "create", "unchanged"]), ("last", ["invalid", "unchanged", "create"])],
)
def test_the_twin_that_counts_is_a_good_one(keep: str, expected: list[str]) -> None:
    """A row that can't be sent anyway doesn't keep the others of its key from being sent."""
    rows = {"id": ["3", "3", "3"], "price": ["abc", "1", "2"]}
    assert kinds(planned(rows, keep_duplicates=keep)) == expected
    backwards = {name: values[::-1] for name, values in rows.items()}
    other = {"first": ["create", "unchanged", "invalid"], "last": ["unchanged", "create", "invalid"]}
    assert kinds(planned(backwards, keep_duplicates=keep)) == other[keep]
    bad = planned({"id": ["3", "3"], "price": ["abc", "def"]}, keep_duplicates=keep)
    assert kinds(bad) == ["invalid", "invalid"]
    assert {p.rule for p in bad.problems()} == {"decimal"}


def test_many_twins_are_told_in_short() -> None:
    """A key that stands on a thousand rows doesn't make a thousand long messages."""
    plan = planned({"id": ["3"] * 1000, "name": ["a"] * 1000})
    assert plan.counts == {"duplicate": 1000}
    assert plan.problems()[0].message == "The same key stands on rows 3, 4, 5 and 996 more as well"


def test_twins_across_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Duplicates are found wherever in the file they are, and plans of many parts keep the order of the rows.

    So they do when some of the parts had to wait on disk.
    """
    monkeypatch.setattr(planning, "WINDOW", 7)
    monkeypatch.setattr(spool, "IN_MEMORY", 1000)
    keys = [str(n % 90) for n in range(100)]
    plan = planned({"id": keys, "name": keys}, Shelf([]))
    assert kinds(plan) == [("duplicate" if int(k) < 10 else "create") for k in keys]
    assert plan.changes().collect()["row"].to_list() == list(range(2, 102))
    assert plan.changes().collect()[ITEM].to_list() == list(range(100))


def test_blank_and_refused_keys_are_invalid() -> None:
    """A row without a key is invalid and says so once."""
    plan = planned(
        {"id": [None, "abc", "5"], "name": ["a", "b", "c"]}, Shelf(types={**TYPES, "id": "integer"})
    )
    assert kinds(plan) == ["invalid", "invalid", "create"]
    assert [(p.row, p.rule) for p in plan.problems()] == [(2, "key"), (3, "integer")]


def test_failed_checks_are_invalid_with_row_and_advice() -> None:
    """A row that fails a check is never sent, always reported, with the file's row number."""
    plan = planned({"id": ["1", "3"], "price": ["abc", "2"]})
    assert kinds(plan) == ["invalid", "create"]
    problem = plan.problems()[0]
    assert (problem.row, problem.column, problem.value, problem.level) == (2, "price", "abc", "error")
    assert problem.advice


def test_key_not_unique_at_the_target() -> None:
    """Two items with one key at the target make the row invalid instead of changing either."""
    target = Shelf()
    target.twice = ["1"]
    plan = planned({"id": ["1", "2"], "name": ["New", "New"]}, target)
    assert kinds(plan) == ["invalid", "update"]
    assert plan.problems()[0].rule == "key_not_unique"


@pytest.mark.parametrize(
    ("options", "name", "expected"),
    [
        ({}, "OLD", "update"),
        ({"ignore_case": True}, "OLD", "unchanged"),
        ({}, " Old", "unchanged"),  # a cell's outer white space is never meant
        ({"ignore_space": True}, "O  ld", "update"),
        ({"normalize_unicode": True}, "Old", "unchanged"),
    ],
)
def test_compare_options(options: dict[str, Any], name: str, expected: str) -> None:
    """Texts are compared as asked."""
    assert kinds(planned({"id": ["1"], "name": [name]}, **options)) == [expected]


def test_compare_leaves_the_targets_spelling() -> None:
    """Where a text counts as equal, the target keeps its own spelling even if another field changes."""
    rows = [{"id": "1", "name": "Cafe\u0301  du  PORT", "city": "Lyon", "price": None}]
    plan = planned(
        {"id": ["1"], "name": ["Café du port"], "city": ["Metz"]},
        Shelf(rows),
        ignore_case=True,
        ignore_space=True,
        normalize_unicode=True,
    )
    assert view(plan, 0)["name"] == (rows[0]["name"], rows[0]["name"], False)
    assert kinds(plan) == ["update"]


def test_blank_clears_or_keeps() -> None:
    """An empty cell clears the field, or leaves it where the job says so."""
    rows: dict[str, list[Any]] = {"id": ["1"], "name": ["Old"], "city": [None]}
    assert view(planned(rows), 0)["city"] == ("Lyon", None, True)
    kept = planned(rows, blank="keep")
    assert view(kept, 0)["city"] == ("Lyon", "Lyon", False)
    assert kinds(kept) == ["unchanged"]


def test_unused_columns_are_said() -> None:
    """A column that feeds nothing is said, and is still in the plan."""
    plan = planned({"id": ["1"], "name": ["Old"], "Remarks": ["hello"]})
    assert plan.summary().unused == ["Remarks"]
    assert "'Remarks'" in plan.summary().notices[0].message
    assert plan.page()[0].raw == {"id": "1", "name": "Old", "Remarks": "hello"}


@pytest.mark.parametrize(
    ("column", "example"),
    [
        ("Remarks", ""),  # no field is called anything like it: writing it anywhere would do harm
        ("Title SEO", ""),  # nor is the half of a name enough
        ("Citty", 'Field("city", column="Citty")'),
    ],
)
def test_only_a_near_name_is_proposed_for_a_column_that_feeds_nothing(column: str, example: str) -> None:
    """The advice beside a column that feeds nothing is safe to follow: it maps it to a field of like name."""
    plan = planned({"id": ["1"], "name": ["Old"], column: ["hello"]})
    advice = next(each.advice for each in plan.summary().notices if each.rule == "unused")
    assert ("Field(" in advice) is bool(example)
    assert example in advice
    assert "'city'" in advice or example  # what is free is listed all the same


def test_plan_of_no_rows() -> None:
    """A source without rows makes a plan without items."""
    plan = planned({"id": pl.Series([], dtype=pl.String), "name": pl.Series([], dtype=pl.String)})
    assert len(plan) == 0
    assert plan.page() == []
    assert list(plan.blocks(10)) == []


def test_fields_with_checks() -> None:
    """The job's own fields bring their checks."""
    plan = planned({"id": ["3"], "name": ["x"]}, fields=[Field("id"), Field("name", min_length=2)])
    assert kinds(plan) == ["invalid"]


# Lookups


def looked_up(names: list[str | None], *, create: bool = False) -> tuple[Plan, Shelf]:
    """A plan whose `category` is given by name."""
    target = Shelf([], {"id": "text", "category": "integer"})
    lookup = {"table": "categories", "by": "name", "create": create}
    rows = {"id": [str(n) for n in range(len(names))], "category": names}
    return planned(rows, target, lookups={"category": lookup}), target


def test_lookups_become_ids_by_sets() -> None:
    """Names become ids; each name is asked for once, and an unknown one is a problem of its rows."""
    plan, target = looked_up(["Food", "Tools", "Food", None, "Toys"])
    assert kinds(plan) == ["create", "create", "create", "create", "invalid"]
    assert plan.changes().collect()["after:category"].to_list() == [1, 2, 1, None, None]
    assert sorted(target.asked) == ["Food", "Tools", "Toys"]
    problem = plan.problems()[0]
    assert (problem.row, problem.column, problem.value, problem.rule) == (6, "category", "Toys", "lookup")
    assert "categories" in problem.message


def test_lookups_may_create() -> None:
    """A missing name that shall be created travels in the plan as a name."""
    plan, _ = looked_up(["Food", "Toys"], create=True)
    assert kinds(plan) == ["create", "create"]
    frame = plan.changes().collect()
    assert frame["name:category"].to_list() == [None, "Toys"]
    assert view(plan, 1)["category"] == (None, "Toys", True)


# Source problems


class Told:
    """A source with a problem on one row, one on a skipped row, and one about the whole."""

    name, columns = "told", ["id", "name"]

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def batches(self, size: int = 50_000) -> Any:
        """Two rows; the problems are known when they have been read."""
        del size
        yield pl.DataFrame(
            {ROW: [5, 7], "id": ["3", "4"], "name": ["a", "b"]}, schema_overrides={ROW: pl.UInt32}
        )
        for row, rule, level in (
            (7, "width", "error"),
            (6, "blank", "notice"),
            (None, "encoding", "warning"),
        ):
            self.problems.append(Problem(row, None, None, rule, rule, "", level))  # type: ignore[arg-type]

    def fingerprint(self) -> str:
        """No file."""
        return "0" * 64

    def describe(self) -> dict[str, Any]:
        """Nothing to open again."""
        return {"kind": "told"}


def test_source_problems_find_their_rows() -> None:
    """A row the source finds broken is invalid; what it says of other rows or the file is a notice."""
    plan = Job(Told(), "memory:x", key=["id"]).plan(target=Shelf())
    assert kinds(plan) == ["create", "invalid"]
    assert [(p.row, p.rule) for p in plan.page()[1].problems] == [(7, "width")]
    assert {p.rule for p in plan.summary().notices} == {"encoding", "blank"}


# The diff by itself


def test_diff_is_typed_and_null_safe() -> None:
    """Dates, decimals, NaN, null and JSON are compared by what they are."""
    wanted = pl.DataFrame(
        {
            "#ok": [True] * 3,
            "key:id": [1, 2, 3],
            "after:on": [date(2020, 1, 1), None, None],
            "after:x": [float("nan"), None, 1.0],
            "after:j": ['{"a":1,"b":2}', None, "[1]"],
        }
    )
    found = pl.DataFrame(
        {
            "id": [3, 2, 1],
            "on": [date(2020, 1, 2), None, date(2020, 1, 1)],
            "x": [1.0, None, float("nan")],
            "j": ["[1]", None, '{"b": 2, "a": 1}'],
        }
    )
    fields = ["on", "x", "j"]
    out = diff(wanted, found, key=["id"], fields=fields, mode="upsert", compare=Compare(), json_fields=["j"])
    assert out[CHANGE].to_list() == ["unchanged", "unchanged", "update"]
    assert out["after:j"].to_list() == out["before:j"].to_list()
