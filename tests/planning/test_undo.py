"""The inverse of a plan: what an undo takes back, and what it leaves."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.columns import AFTER, BEFORE, CHANGE, ITEM, KEY
from batchkit.core.errors import PlanError
from batchkit.core.states import SENDABLE
from batchkit.planning.undo import _set_values, invert_plan
from tests.support.shelf import planned, the_plan, view


@given(picked=st.sets(st.integers(0, 59)).map(lambda items: items | {1}))  # item 1 is sent
def test_inverse_of_inverse_is_identity(picked: set[int]) -> None:
    """Undoing the undo of what was done wants what the plan wanted; what was not done is in neither."""
    plan = the_plan()
    items = sorted(picked)
    outcomes = [
        pl.DataFrame({ITEM: items, "outcome": ["done"] * len(items)}, schema_overrides={ITEM: pl.UInt32})
    ]
    undo = invert_plan(plan, outcomes, run_id="r", path=plan.path.with_name("undo.parquet"))
    done = [pl.DataFrame({ITEM: range(len(undo)), "outcome": "done"}, schema_overrides={ITEM: pl.UInt32})]
    redo = invert_plan(undo, done, run_id="u", path=plan.path.with_name("redo.parquet"))
    wanted = plan.changes().collect().filter(pl.col(ITEM).is_in(items) & pl.col(CHANGE).is_in(list(SENDABLE)))
    same = ["row", CHANGE, *(n for n in wanted.columns if n.startswith((KEY, BEFORE, AFTER)))]
    assert redo.changes().collect().select(same).equals(wanted.select(same))


def test_inverse_turns_each_change() -> None:
    """Created is deleted, changed is restored, deleted is created again; last change first."""
    plan = planned({"id": ["1", "3"], "name": ["New", "b"]}, delete=True, delete_cap=2)
    done = pl.DataFrame({ITEM: [0, 1, 2, 3], "outcome": ["done", "done", "done", "conflict"]})
    undo = invert_plan(plan, iter([done]), run_id="run-1")
    assert [(one.change, one.key, one.fields[0][1:3]) for one in undo.page()] == [
        ("create", "2", (None, "Same")),
        ("delete", "3", ("b", None)),
        ("update", "1", ("New", "Old")),
    ]
    assert undo.summary().undoes == "run-1"
    assert "did not do 1 change" in undo.summary().notices[0].message


def outcomes_of(*rows: tuple[int, str, Any]) -> list[pl.DataFrame]:
    """Outcomes as the journal tells them: item, outcome, detail."""
    details = [json.dumps(detail) if detail else None for _, _, detail in rows]
    return [
        pl.DataFrame(
            {ITEM: [row[0] for row in rows], "outcome": [row[1] for row in rows], "detail": details},
            schema={ITEM: pl.UInt32, "outcome": pl.String, "detail": pl.String},
        )
    ]


def test_inverse_of_a_run_that_did_nothing() -> None:
    """A run that changed nothing has no undo, and says so instead of making an empty plan."""
    plan = planned({"id": ["1", "3"], "name": ["New", "b"]})
    for outcomes in ([], outcomes_of((0, "conflict", None), (1, "pending", None))):
        with pytest.raises(PlanError, match="nothing to undo"):
            invert_plan(plan, outcomes, run_id="r")
    assert not list(plan.path.parent.glob("undo-*"))


def test_inverse_leaves_what_was_written_over_an_edit() -> None:
    """What somebody had edited isn't in the plan, so an undo would destroy it: left out, and told by key."""
    plan = planned({"id": ["1", "2", "3"], "name": ["New", "Newer", "b"]})
    undo = invert_plan(
        plan,
        outcomes_of(
            (0, "done", {"overwritten": {"name": "theirs"}}),
            (1, "done", None),
            (2, "done", {"overwritten": None}),
        ),
        run_id="r",
    )
    assert [(one.change, one.key) for one in undo.page()] == [("update", "2")]
    (told,) = undo.summary().notices
    assert told.rule == "overwritten"
    assert "2 items cannot be undone: written over somebody's edit" in told.message
    assert told.message.endswith("1, 3")


def test_inverse_leaves_fields_that_the_run_did_not_change() -> None:
    """A field that held the wanted value before the run came keeps it when the rest is undone."""
    plan = planned({"id": ["1"], "name": ["New"], "city": ["Metz"]})
    undo = invert_plan(plan, outcomes_of((0, "done", {"kept": ["city"]})), run_id="r")
    assert view(undo, 0) == {"name": ("New", "Old", True), "city": ("Metz", "Metz", False)}
    assert [each.rule for each in undo.summary().notices] == ["kept"]


def test_inverse_of_what_was_written_in_part() -> None:
    """Of a rejected item the written fields are taken back, from what is there now; the others are left."""
    rows = {"id": ["1", "3"], "name": ["New", "b"], "city": ["Metz", "Pau"]}
    plan = planned(rows)
    old = view(plan, 0)["city"]
    undo = invert_plan(
        plan,
        outcomes_of((0, "rejected", {"written": {"name": "New-2"}}), (1, "rejected", {"written": {}})),
        run_id="r",
    )
    assert len(undo) == 1
    assert view(undo, 0) == {"name": ("New-2", "Old", True), "city": (old[0], old[0], False)}
    told = {each.rule: each.message for each in undo.summary().notices}
    assert "1 change was written in part" in told["in_part"]
    assert "did not do 1 change" in told["not_done"]


def test_inverse_starts_from_what_was_put_there() -> None:
    """A value that the target kept in its own way, such as a trimmed text, is what the undo finds there."""
    plan = planned(
        {"id": ["1"], "name": ["New "], "city": ["Metz"]},
        fields={"id": {}, "name": {"strip": False}, "city": {}},
    )
    undo = invert_plan(plan, outcomes_of((0, "done", {"written": {"name": "New"}})), run_id="r")
    assert view(undo, 0)["name"] == ("New", "Old", True)
    assert view(undo, 0)["city"][0] == "Metz"
    assert not undo.summary().notices


def test_inverse_finds_what_goes_by_another_key_now() -> None:
    """An item whose change moved it to another key is undone under that key, with the key's own type."""
    plan = planned({"id": ["1", "3"], "name": ["New", "b"]})
    undo = invert_plan(
        plan,
        outcomes_of((0, "done", {"key": {"id": "9"}}), (1, "conflict", {"key": {"id": "8"}})),
        run_id="r",
    )
    assert [(one.change, one.key) for one in undo.page()] == [("update", "9")]


@pytest.mark.parametrize(
    ("value", "kind", "typed"),
    [
        ("2021-03-04", pl.Date(), date(2021, 3, 4)),
        ("2021-03-04T05:06:07", pl.Datetime("us"), datetime(2021, 3, 4, 5, 6, 7)),
        ("1.50", pl.Decimal(38, 2), Decimal("1.50")),
        (True, pl.Boolean(), True),
        (7, pl.Int64(), 7),
        (None, pl.String(), None),
    ],
)
def test_values_on_record_have_their_columns_types(value: Any, kind: pl.DataType, typed: Any) -> None:
    """What a journal keeps as JSON comes back as the value it was."""
    rows = pl.DataFrame({ITEM: [0, 1], "x": [None, None]}, schema={ITEM: pl.UInt32, "x": kind})
    assert _set_values(rows, "x", {1: value})["x"].to_list() == [None, typed]


def test_inverse_refuses_append() -> None:
    """What has no key can't be undone, and says why."""
    plan = planned({"id": ["1"]}, mode="append")
    with pytest.raises(PlanError, match="can't be undone"):
        invert_plan(plan, [], run_id="r")
