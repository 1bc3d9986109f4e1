"""Plans: what they say, what they hold, what they refuse; and their inverse."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.errors import DiskFull, JobError, MappingError, PlanError, SourceError
from batchkit.fields import Field
from batchkit.job import Job
from batchkit.plan import Plan
from batchkit.planning import planner as planning
from batchkit.planning import spool
from batchkit.planning.diff import Compare, diff
from batchkit.planning.inverse import inverse
from batchkit.planning.planfile import PlanWriter
from batchkit.problems import Problem
from batchkit.sources import ROW, regrouped
from batchkit.states import SENDABLE, Change
from batchkit.targets.base import AFTER, BEFORE, CHANGE, ITEM, KEY
from batchkit.testing import MemoryTarget

SHOP: list[dict[str, Any]] = [
    {"id": "1", "name": "Old", "city": "Lyon", "price": Decimal("1.50")},
    {"id": "2", "name": "Same", "city": None, "price": None},
    {"id": "9", "name": "Other", "city": "Metz", "price": Decimal("9.00")},
]
TYPES = {"id": "text", "name": "text", "city": "text", "price": "decimal"}


class Shelf(MemoryTarget):
    """A memory target that can also list its items, resolve lookups and hold keys twice."""

    def __init__(self, rows: Sequence[dict[str, Any]] = SHOP, types: dict[str, str] | None = None) -> None:
        super().__init__(
            f"memory:{uuid.uuid4()}", key=["id"], rows=rows, types=TYPES if types is None else types
        )
        self.categories = {"Food": 1, "Tools": 2}
        self.asked: list[str] = []
        self.twice: list[str] = []

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """As the table, with a second row for the keys in `twice`."""
        found = super().read(keys, fields)
        return pl.concat([found, found.filter(pl.col("id").is_in(self.twice))])

    def scan_keys(self, fields: Sequence[str], size: int = 50_000) -> Any:
        """All rows, one frame each."""
        del size
        for key in list(self.rows):
            yield super().read(pl.DataFrame({"id": [key[0]]}), fields)

    def resolve_lookup(self, lookup: Any, names: pl.Series) -> pl.DataFrame:
        """Ids of categories; notes which names were asked for."""
        del lookup
        self.asked += names.to_list()
        known = [name for name in names if name in self.categories]
        ids = [self.categories[name] for name in known]
        return pl.DataFrame({"name": known, "id": ids}, schema={"name": pl.String, "id": pl.Int64})


def planned(rows: Mapping[str, Any], target: MemoryTarget | None = None, **options: Any) -> Plan:
    """The plan of these rows for a shelf."""
    given = {"key": ["id"], **options}
    return Job(pl.DataFrame(rows, strict=False), "memory:x", **given).plan(target=target or Shelf())


def kinds(plan: Plan) -> list[str]:
    """The kind of change of each item, in order."""
    return plan.changes().collect()[CHANGE].to_list()


def view(plan: Plan, item: int) -> dict[str, tuple[Any, Any, bool]]:
    """Before, after and changed of one item's fields."""
    one = plan.page(None, item, 1)[0]
    return {name: (before, after, changed) for name, before, after, changed in one.fields}


# What a plan says


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
    """Append neither reads nor looks for keys: every good row is created, twins included."""
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
    """Twins are found wherever in the file they are, and plans of many parts keep the order of the rows.

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


# Deletes


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


def test_delete_cap_must_be_readable() -> None:
    """A cap that is neither count nor share is refused."""
    with pytest.raises(JobError, match="delete_cap"):
        planned({"id": ["1"]}, delete=True, delete_cap="a lot")


# Shape and size

cells = st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8))


@given(rows=st.lists(st.tuples(st.one_of(st.none(), st.sampled_from("123456789")), cells), max_size=40))
def test_every_row_is_in_the_plan_once(rows: list[tuple[str | None, str | None]]) -> None:
    """Every source row is one item, in order, with its number and its cells as they were."""
    source = {"id": [key for key, _ in rows], "name": [name for _, name in rows]}
    frame = planned({n: pl.Series(v, dtype=pl.String) for n, v in source.items()}).changes().collect()
    assert frame["row"].to_list() == list(range(2, 2 + len(rows)))
    assert frame["raw:id"].to_list() == [key or None for key, _ in rows]
    assert frame["raw:name"].to_list() == [name or None for _, name in rows]
    for key, change in zip(source["id"], frame[CHANGE], strict=True):
        twin = key is not None and source["id"].count(key) > 1
        assert (change in SENDABLE or change == "unchanged") == (
            key is not None and not twin
        ) or change == "invalid"


@given(size=st.integers(1, 30), after=st.integers(-1, 60))
def test_blocks_are_the_sendable_items(size: int, after: int) -> None:
    """Blocks of any size are the items to send behind a given one, in order and nothing else."""
    plan = THE_PLAN()
    frame = plan.changes().collect()
    wanted = frame.filter(pl.col(CHANGE).is_in(list(SENDABLE)) & (pl.col(ITEM) > after))
    blocks = list(plan.blocks(size, after))
    assert [height for height in (b.height for b in blocks[:-1]) if height != size] == []
    assert [item for block in blocks for item in block[ITEM]] == wanted[ITEM].to_list()
    for block in blocks:
        assert not any(name.startswith("raw:") for name in block.columns)


_plans: list[Plan] = []


def THE_PLAN() -> Plan:  # noqa: N802  one plan for all examples of a property
    """A plan of 60 rows of all kinds, in windows of 9."""
    if not _plans:
        folder = Path(__import__("tempfile").mkdtemp())
        names = ["Old" if n % 3 else "New" for n in range(60)]
        rows = [{"id": str(n), "name": "Old", "city": None, "price": None} for n in range(0, 60, 2)]
        keys = [str(n) if n % 10 else "0" for n in range(60)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(planning, "WINDOW", 9)
            job = Job(pl.DataFrame({"id": keys, "name": names}), "memory:x", key=["id"])
            _plans.append(job.plan(folder / "p.parquet", target=Shelf(rows)))
    return _plans[0]


@given(offset=st.integers(0, 70), limit=st.integers(0, 30), kind=st.sampled_from([None, *Change]))
def test_pages_are_slices(offset: int, limit: int, kind: str | None) -> None:
    """A page is the slice of the changes it says, whatever windows it falls into."""
    plan = THE_PLAN()
    everything = plan.changes(kind).collect()[ITEM].to_list()
    assert [one.item for one in plan.page(kind, offset, limit)] == everything[offset : offset + limit]


def test_sample_shows_each_kind() -> None:
    """A sample without a kind has some of each, and no more than asked."""
    plan = THE_PLAN()
    assert {one.change for one in plan.sample(len(plan.counts))} == set(plan.counts)
    assert len(plan.sample(2)) == 2
    assert {one.change for one in plan.sample(3, "create")} == {"create"}


def test_problems_limit() -> None:
    """Problems come by row, and only as many as asked for."""
    plan = THE_PLAN()
    rows = [problem.row for problem in plan.problems()]
    assert rows == sorted(row for row in rows if row is not None)
    assert plan.problems(limit=3) == plan.problems()[:3]
    assert len(rows) == plan.summary().problems


def test_unknown_kind() -> None:
    """A kind of change that doesn't exist is refused."""
    with pytest.raises(PlanError, match="no kind of change 'upsert'"):
        THE_PLAN().page("upsert")


def test_to_pandas() -> None:
    """The plan as a pandas frame has a row per item."""
    frame = THE_PLAN().to_pandas("update")
    assert set(frame["change"]) == {"update"}
    assert len(frame) == THE_PLAN().counts["update"]


@given(sizes=st.lists(st.integers(0, 9), max_size=12), size=st.integers(1, 7))
def test_regroup_keeps_rows(sizes: list[int], size: int) -> None:
    """Regrouped frames hold the same rows in the same order."""
    frames = [pl.DataFrame({"n": list(range(n))}, schema={"n": pl.Int64}) for n in sizes]
    out = list(regrouped(frames, size))
    assert [n for frame in out for n in frame["n"]] == [n for frame in frames for n in frame["n"]]
    assert all(frame.height == size for frame in out[:-1])


# The file


def saved(tmp_path: Path) -> Path:
    """A small plan file."""
    job = Job(pl.DataFrame({"id": ["1", "3"], "name": ["a", "b"]}), "memory:x", key=["id"])
    return job.plan(tmp_path / "p.parquet", target=Shelf()).path


def test_load_gives_the_same_plan(tmp_path: Path) -> None:
    """A loaded plan says what the planned one said."""
    path = saved(tmp_path)
    plan = Plan.load(path)
    assert plan.summary().to_dict()["changes"] == {"create": 1, "update": 1}
    assert plan.facts["source"]["sha256"]
    assert [one.key for one in plan.page()] == ["1", "3"]


def test_load_finds_every_flipped_bit(tmp_path: Path) -> None:
    """A plan with one changed bit, anywhere, is refused."""
    path = saved(tmp_path)
    whole, chance = path.read_bytes(), random.Random(7)
    for _ in range(400):
        place = chance.randrange(len(whole))
        bad = bytearray(whole)
        bad[place] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        with pytest.raises(PlanError):
            Plan.load(path)


def test_load_finds_truncation(tmp_path: Path) -> None:
    """A plan that was cut off, or grew, is refused as damaged."""
    path = saved(tmp_path)
    whole = path.read_bytes()
    for size in (0, 3, 11, 12, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(PlanError, match="damaged"):
            Plan.load(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(PlanError, match="damaged"):
        Plan.load(path)


def test_load_refuses_foreign_files(tmp_path: Path) -> None:
    """A Parquet file that is no plan, a newer plan, and no file at all are told apart."""
    foreign = tmp_path / "foreign.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(foreign)
    with pytest.raises(PlanError, match="no plan of batchkit"):
        Plan.load(foreign)
    with pytest.raises(PlanError, match="can't be read"):
        Plan.load(tmp_path / "absent.parquet")
    newer = tmp_path / "newer.parquet"
    with PlanWriter(newer, pl.Schema({CHANGE: pl.String(), "problems": pl.List(pl.Int8())})) as writer:
        writer.finish({"version": 2})
    with pytest.raises(PlanError, match="format 2"):
        Plan.load(newer)


def test_save_makes_a_second_plan(tmp_path: Path) -> None:
    """A plan that was saved elsewhere is whole there, even when the first is gone."""
    first = Plan.load(saved(tmp_path))
    second = first.save(tmp_path / "runs" / "plan.parquet")
    first.path.unlink()
    assert Plan.load(second.path).counts == first.counts


def test_only_plans_are_written_over(tmp_path: Path) -> None:
    """A plan replaces a plan; a source, a database, yet to be made or not, or any other file is kept."""
    source, base, other = tmp_path / "c.csv", tmp_path / "c.sqlite", tmp_path / "letter.parquet"
    source.write_text("id;name\n1;a\n", encoding="utf-8")
    pl.DataFrame({"a": [1]}).write_parquet(other)
    folder = tmp_path / "folder"
    folder.mkdir()
    job = Job(str(source), f"sqlite:///{base}", "t", ["id"], create=True)
    plan = job.plan(tmp_path / "p.parquet")
    assert Plan.load(job.plan(plan.path).path).counts == {"create": 1}
    kept = {path: path.read_bytes() for path in (source, other)}
    for path, why in ((source, "source"), (base, "target"), (other, "no plan"), (folder, "a folder")):
        with pytest.raises(PlanError, match=f"can't be written to .*{why}.* another path"):
            job.plan(path)
    for path in kept:
        with pytest.raises(PlanError, match="another path"):
            plan.save(path)
        with pytest.raises(PlanError, match="another path"):
            PlanWriter(path, pl.Schema())
    assert {path: path.read_bytes() for path in kept} == kept
    assert not base.exists()


def test_no_half_file_after_an_error(tmp_path: Path) -> None:
    """When the source or the target fails in the middle, neither a plan nor a temporary file is left."""

    class Broken(Shelf):
        def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
            del keys, fields
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Job(pl.DataFrame({"id": ["1"]}), "memory:x", key=["id"]).plan(tmp_path / "p.parquet", target=Broken())
    assert list(tmp_path.glob("*")) == []
    assert list(tmp_path.glob(".*")) == []
    assert "batchkit-plan" not in {thread.name for thread in threading.enumerate()}


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is a clear error, and leaves nothing behind."""

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    with pytest.raises(DiskFull, match="No room"):
        saved(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_full_disk_while_spooling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same while the rows that memory has no room for are spooled."""
    monkeypatch.setattr(spool, "IN_MEMORY", 0)

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_ipc", full)
    with pytest.raises(DiskFull, match="No room"):
        saved(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_source_errors_come_through(tmp_path: Path) -> None:
    """An error of the source keeps its kind and words."""
    with pytest.raises(SourceError):
        Job(str(tmp_path / "absent.csv"), "memory:x", key=["id"]).plan()
    with pytest.raises(MappingError, match=r"(?i)no column"):
        planned({"a": ["1"]})


def test_check_source_and_target(tmp_path: Path) -> None:
    """A changed source is worth a notice; another target, or another type, is refused."""
    file = tmp_path / "c.csv"
    file.write_text("id;name\n1;a\n")
    target = Shelf()
    plan = Job(str(file), target.address, key=["id"]).plan(target=target)
    assert plan.check_source() is None
    file.write_text("id;name\n1;b\n")
    stale = plan.check_source()
    assert stale is not None
    assert (stale.rule, stale.level) == ("stale", "notice")
    file.unlink()
    assert "no longer there" in str(plan.check_source())
    plan.check_target(target)
    with pytest.raises(PlanError, match="was made for memory:"):
        plan.check_target(Shelf())
    target._types["name"] = "integer"
    with pytest.raises(PlanError, match="'name' was text"):
        plan.check_target(target)


def test_no_secret_in_a_plan(tmp_path: Path) -> None:
    """A password in the job's address reaches no byte of the plan."""
    job = Job(pl.DataFrame({"id": ["1"]}), "memory://u:hush-hush@h/x", key=["id"])
    plan = job.plan(tmp_path / "p.parquet")
    assert b"hush-hush" not in plan.path.read_bytes()


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


# Undo


@given(picked=st.sets(st.integers(0, 59)).map(lambda items: items | {1}))  # item 1 is sent
def test_inverse_of_inverse_is_identity(picked: set[int]) -> None:
    """Undoing the undo of what was done wants what the plan wanted; what was not done is in neither."""
    plan = THE_PLAN()
    items = sorted(picked)
    outcomes = [
        pl.DataFrame({ITEM: items, "outcome": ["done"] * len(items)}, schema_overrides={ITEM: pl.UInt32})
    ]
    undo = inverse(plan, outcomes, run_id="r", path=plan.path.with_name("undo.parquet"))
    done = [pl.DataFrame({ITEM: range(len(undo)), "outcome": "done"}, schema_overrides={ITEM: pl.UInt32})]
    redo = inverse(undo, done, run_id="u", path=plan.path.with_name("redo.parquet"))
    wanted = plan.changes().collect().filter(pl.col(ITEM).is_in(items) & pl.col(CHANGE).is_in(list(SENDABLE)))
    same = ["row", CHANGE, *(n for n in wanted.columns if n.startswith((KEY, BEFORE, AFTER)))]
    assert redo.changes().collect().select(same).equals(wanted.select(same))


def test_inverse_turns_each_change() -> None:
    """Created is deleted, changed is restored, deleted is created again; last change first."""
    plan = planned({"id": ["1", "3"], "name": ["New", "b"]}, delete=True, delete_cap=2)
    done = pl.DataFrame({ITEM: [0, 1, 2, 3], "outcome": ["done", "done", "done", "conflict"]})
    undo = inverse(plan, iter([done]), run_id="run-1")
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
            inverse(plan, outcomes, run_id="r")
    assert not list(plan.path.parent.glob("undo-*"))


def test_inverse_leaves_what_was_written_over_an_edit() -> None:
    """What somebody had edited isn't in the plan, so an undo would destroy it: left out, and told by key."""
    plan = planned({"id": ["1", "2", "3"], "name": ["New", "Newer", "b"]})
    undo = inverse(
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
    undo = inverse(plan, outcomes_of((0, "done", {"kept": ["city"]})), run_id="r")
    assert view(undo, 0) == {"name": ("New", "Old", True), "city": ("Metz", "Metz", False)}
    assert [each.rule for each in undo.summary().notices] == ["kept"]


def test_inverse_refuses_append() -> None:
    """What has no key can't be undone, and says why."""
    plan = planned({"id": ["1"]}, mode="append")
    with pytest.raises(PlanError, match="can't be undone"):
        inverse(plan, [], run_id="r")


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


# Against SQLite


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
    """Real files are planned whole: their rows, their keys as text, their twins by row number."""
    job = Job(str(shared_data / file), f"sqlite:///{tmp_path}/new.sqlite", "rows", [key], create=True)
    plan = job.plan()
    assert plan.counts == changes
    frame = plan.changes().collect()
    column = next(name for name in frame.columns if name.startswith(KEY))
    assert frame[column].dtype == pl.String
    assert frame[column].to_list() == [value.strip() for value in frame[f"raw:{key}"]]
    twins = frame.filter(pl.col(CHANGE) == "duplicate")
    assert [p.row for p in plan.problems() if p.rule == "duplicate"] == twins["row"].to_list()
    assert not (tmp_path / "new.sqlite").exists()


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
