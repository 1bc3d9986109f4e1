"""Jobs that earlier releases left behind; plans and journals of an earlier and of a later version."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from batchkit.core.errors import PlanError, RunError
from batchkit.journal import journal
from batchkit.planning import plan_file
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from tests.support.older import OLDER, RELEASES
from tests.support.plans import plan_of
from tests.support.terminal import call

JOBS = sorted(OLDER.glob("*/jobs/*.toml"))


@pytest.mark.parametrize("path", JOBS, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_job_says_what_its_file_says(path: Path) -> None:
    """Every entry of a job file is taken as it stands, and written back the same."""
    written = tomllib.loads(path.read_text(encoding="utf-8"))
    job = Job.load(path)
    read = tomllib.loads(job.to_toml(path.parent))
    for entry in {"name", "source", "to", "key", "map", "target", "fields", "lookups"} & set(written):
        assert read[entry] == written[entry]
    assert job.mode == written.get("mode", "upsert")
    assert set(job.settings) == set(written.get("settings", {}))


@pytest.mark.parametrize("release", RELEASES)
def test_limit_of_one_is_one_row(release: str, tmp_path: Path) -> None:
    """`failure_limit = 1.0` in a job file ends a run at its first bad row, as it always has."""
    shutil.copy(OLDER / release / "jobs" / "limit.toml", tmp_path)
    shutil.copy(OLDER / release / "plan" / "shop.sqlite", tmp_path)
    shutil.copy(OLDER / "products.csv", tmp_path)
    call("run", tmp_path / "limit.toml", "--chunk-size", "1", "--yes", code=3)
    assert "failure limit of 1." in call("show", "last").stdout


def test_earlier_versions_are_read_and_later_ones_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release that writes a newer version reads plans and journals of today; today's refuses that one's."""
    path = plan_of(tmp_path / "today.parquet", 3).path
    journal.create(tmp_path / "today.sqlite", {"state": "planned"})
    with monkeypatch.context() as next_release:
        for module in (plan_file, journal):
            next_release.setattr(module, "VERSION", module.VERSION + 1)
        assert Plan.load(path).counts == {"create": 3}
        journal.JournalReader(tmp_path / "today.sqlite").close()
        later = plan_of(tmp_path / "later.parquet", 3).path
        journal.create(tmp_path / "later.sqlite", {"state": "planned"})
    with pytest.raises(PlanError, match=r"reads formats up to .* Update batchkit"):
        Plan.load(later)
    with pytest.raises(RunError, match=r"reads versions up to .* Use the batchkit that made it"):
        journal.JournalReader(tmp_path / "later.sqlite")
