"""Deletes: only when asked, up to a cap, and never of what a row may stand for."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from batchkit.core.errors import JobError, PlanError
from batchkit.planning.job import Job
from tests.support.shelf import Shelf, kinds, planned


def test_delete_only_when_asked() -> None:
    """What the file lacks is deleted only by name, at the end of the plan, with its values kept."""
    rows = {"id": ["1", "2"], "name": ["Old", "Same"]}
    assert kinds(planned(rows)) == ["unchanged", "unchanged"]
    plan = planned(rows, delete=True, delete_cap=1)
    assert kinds(plan) == ["unchanged", "unchanged", "delete"]
    last = plan.page("delete")[0]
    assert (last.row, last.key) == (None, "9")
    assert (plan.summary().rows, plan.summary().source_rows, plan.summary().to_dict()["source_rows"]) == (
        3,
        2,
        2,
    )
    assert last.fields[0] == ("name", "Other", None, True)


@pytest.mark.parametrize("cap", [0, 0.1, "10 %"])
def test_delete_is_capped(cap: Any, batchkit_home: Path) -> None:
    """More deletes than the cap make no plan at all."""
    with pytest.raises(PlanError, match="1 item of 3 would be deleted"):
        planned({"id": ["1", "2"], "name": ["a", "b"]}, delete=True, delete_cap=cap)
    assert list((batchkit_home / "plans").iterdir()) == []


def test_delete_spares_all_when_a_key_is_unreadable() -> None:
    """A row whose key can't be read may stand for any item, so nothing is deleted then."""
    plan = planned({"id": ["1", None], "name": ["a", "b"]}, delete=True, delete_cap=1.0)
    assert "delete" not in plan.counts
    assert any("Nothing is deleted" in each.message for each in plan.summary().notices)


def test_delete_spares_invalid_and_twin_rows() -> None:
    """A row that is not sent still says that its item is wanted."""
    plan = planned({"id": ["1", "2", "2", "9"], "price": ["abc", "1", "2", "3"]}, delete=True, delete_cap=1.0)
    assert plan.counts == {"update": 1, "invalid": 1, "duplicate": 2}


@pytest.mark.parametrize("name", ["b", None])
def test_delete_spares_what_the_database_finds(tmp_path: Path, name: str | None) -> None:
    """Where the database doesn't tell upper from lower case, the row stands for the item, valid or not."""
    with sqlite3.connect(tmp_path / "c.sqlite") as base:
        base.execute("CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, name TEXT NOT NULL)")
        base.execute("INSERT INTO t VALUES ('ABC', 'a'), ('gone', 'a')")
    base.close()
    rows = pl.DataFrame({"id": ["abc"], "name": [name]}, schema={"id": pl.String, "name": pl.String})
    url = f"sqlite:///{tmp_path / 'c.sqlite'}"
    plan = Job(rows, url, "t", ["id"], delete=True, delete_cap=2).plan()
    assert [one.key for one in plan.page("delete")] == ["gone"]
    assert kinds(plan)[0] == ("update" if name else "invalid")


def test_delete_spares_all_when_hidden_rows_are_skipped(tmp_path: Path) -> None:
    """A hidden row that was left out is no reason to delete its item; without hidden rows all is as usual."""
    for hidden in (True, False):
        book = openpyxl.Workbook()
        for row in (["id", "name"], ["1", "Old"], ["2", "Same"]):
            book.active.append(row)
        book.active.row_dimensions[3].hidden = hidden
        book.save(tmp_path / "shop.xlsx")
        job = Job(
            str(tmp_path / "shop.xlsx"),
            "memory:x",
            key=["id"],
            hidden_rows="skip",
            delete=True,
            delete_cap=2,
        )
        plan = job.plan(target=Shelf())
        assert plan.counts.get("delete", 0) == (0 if hidden else 1)
        told = any("Nothing is deleted: hidden rows" in each.message for each in plan.summary().notices)
        assert told is hidden


@pytest.mark.parametrize("cap", ["a lot", "-0.5", "-5%", "101%", "1.5", 1.5, -1, None, True, ["5"]])
def test_delete_cap_must_be_readable(cap: Any) -> None:
    """A cap that is neither count nor share is refused; a sign too many is not taken for a share."""
    with pytest.raises(JobError, match="delete_cap"):
        planned({"id": ["1"]}, delete=True, delete_cap=cap)
