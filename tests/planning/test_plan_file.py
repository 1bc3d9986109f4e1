"""The file of a plan: whole, sealed, and never written over anything else."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.columns import CHANGE
from batchkit.core.errors import DiskFull, MappingError, PlanError, SourceError
from batchkit.planning import spool
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.planning.plan_file import PlanWriter
from tests.support.plans import plan_of, write_plan
from tests.support.shelf import Shelf, planned


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


def test_a_source_whose_name_is_no_text_can_be_planned(tmp_path: Path) -> None:
    """A file name in another encoding than the system's leaves a plan that can be written and read."""
    rows = plan_of(tmp_path / "rows.parquet", 3).changes().collect()
    source = {"name": os.fsdecode(b"prix-\xe9t\xe9.csv"), "kind": "csv"}
    plan = write_plan(tmp_path / "p.parquet", rows, address="memory:x", target={}, fields=[], source=source)
    assert Plan.load(plan.path).facts["source"]["name"].encode()


LEAVING = """
import sys, threading, time
from pathlib import Path
import polars as pl
from batchkit.planning.plan_file import CHANGE, ITEM, PROBLEMS, PlanWriter
from batchkit.planning.row_problems import PROBLEM_LIST

begun = threading.Event()

def plan():
    schema = pl.Schema({ITEM: pl.UInt32, CHANGE: pl.String, PROBLEMS: PROBLEM_LIST})
    with PlanWriter(Path(sys.argv[1]), schema):
        begun.set()
        time.sleep(600)  # a source that takes its time

threading.Thread(target=plan, daemon=True).start()
begun.wait()
"""


def test_a_plan_under_way_keeps_no_process_from_ending(tmp_path: Path) -> None:
    """As a notebook's kernel that is shut down while its panel makes a plan."""
    command = [sys.executable, "-c", LEAVING, str(tmp_path / "p.parquet")]
    subprocess.run(command, check=True, timeout=60)
