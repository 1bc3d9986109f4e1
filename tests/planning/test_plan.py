"""Plans as they are looked at: every row once, blocks, pages, samples, problems."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.columns import CHANGE, ITEM
from batchkit.core.errors import PlanError
from batchkit.core.states import SENDABLE, Change
from batchkit.sources.base import regrouped
from tests.support.shelf import planned, the_plan

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
    plan = the_plan()
    frame = plan.changes().collect()
    wanted = frame.filter(pl.col(CHANGE).is_in(list(SENDABLE)) & (pl.col(ITEM) > after))
    blocks = list(plan.blocks(size, after))
    assert [height for height in (b.height for b in blocks[:-1]) if height != size] == []
    assert [item for block in blocks for item in block[ITEM]] == wanted[ITEM].to_list()
    for block in blocks:
        assert not any(name.startswith("raw:") for name in block.columns)


@given(offset=st.integers(0, 70), limit=st.integers(0, 30), kind=st.sampled_from([None, *Change]))
def test_pages_are_slices(offset: int, limit: int, kind: str | None) -> None:
    """A page is the slice of the changes it says, whatever windows it falls into."""
    plan = the_plan()
    everything = plan.changes(kind).collect()[ITEM].to_list()
    assert [one.item for one in plan.page(kind, offset, limit)] == everything[offset : offset + limit]


def test_sample_shows_each_kind() -> None:
    """A sample without a kind has some of each, and no more than asked."""
    plan = the_plan()
    assert {one.change for one in plan.sample(len(plan.counts))} == set(plan.counts)
    assert len(plan.sample(2)) == 2
    assert {one.change for one in plan.sample(3, "create")} == {"create"}


def test_problems_limit() -> None:
    """Problems come by row, and only as many as asked for."""
    plan = the_plan()
    rows = [problem.row for problem in plan.problems()]
    assert rows == sorted(row for row in rows if row is not None)
    assert plan.problems(limit=3) == plan.problems()[:3]
    assert len(rows) == plan.summary().problems


def test_unknown_kind() -> None:
    """A kind of change that doesn't exist is refused."""
    with pytest.raises(PlanError, match="no kind of change 'upsert'"):
        the_plan().page("upsert")


def test_to_pandas() -> None:
    """The plan as a pandas frame has a row per item."""
    frame = the_plan().to_pandas("update")
    assert set(frame["change"]) == {"update"}
    assert len(frame) == the_plan().counts["update"]
    whole = the_plan().to_pandas()
    assert whole["problems"].notna().any()
    assert "⟦" not in str(whole["problems"].tolist())


@given(sizes=st.lists(st.integers(0, 9), max_size=12), size=st.integers(1, 7))
def test_regroup_keeps_rows(sizes: list[int], size: int) -> None:
    """Regrouped frames hold the same rows in the same order."""
    frames = [pl.DataFrame({"n": list(range(n))}, schema={"n": pl.Int64}) for n in sizes]
    out = list(regrouped(frames, size))
    assert [n for frame in out for n in frame["n"]] == [n for frame in frames for n in frame["n"]]
    assert all(frame.height == size for frame in out[:-1])
