"""`batchkit clean` and `doctor`: what is old goes, what isn't finished stays, and what is wrong is said."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from batchkit.cli import cli
from batchkit.core.home import home, plans_folder, runs_folder
from batchkit.core.states import RunState
from batchkit.running.run import Run
from batchkit.upkeep.retention import DAY, Retention, clean, clean_quietly
from tests.support.terminal import Shop, make_shop, told


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop of 20 rows."""
    return make_shop(tmp_path)


def aged(run: str, days: float, **facts: Any) -> Path:
    """Make a run look as if it had ended that many days ago; `facts` go into its journal."""
    folder = runs_folder() / run
    with sqlite3.connect(folder / "journal.sqlite") as connection:
        for name, value in {"ended": time.time() - days * DAY, **facts}.items():
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))
    connection.close()
    return folder


def test_finished_runs_go_after_seven_days(shop: Shop) -> None:
    """A run of eight days ago goes, one of six stays, and the log of the first outlives it."""
    old = aged(told("run", *shop.options, "--yes")["run"], 8)
    young = aged(told("run", *shop.options, "--yes")["run"], 6)
    removed = told("clean")["removed"]
    assert [each["path"] for each in removed] == [str(old)]
    assert not old.exists()
    assert young.exists()
    assert (home() / "logs" / f"{old.name}.jsonl").is_file()


@pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.FINISHED])
def test_what_is_not_finished_never_goes(state: RunState, shop: Shop) -> None:
    """However old: a run that is planned, running, paused, stopped, interrupted or failed can go on."""
    folder = aged(told("run", *shop.options, "--yes")["run"], 1000, state=state)
    assert clean(Retention(0, 0, 0), now=time.time() + 1000 * DAY) is not None
    assert (folder / "plan.parquet").exists()
    assert Run.open(folder.name).id == folder.name


def test_a_run_with_unknown_items_stays(shop: Shop) -> None:
    """Somebody still has to say what became of them."""
    folder = aged(told("run", *shop.options, "--yes")["run"], 1000)
    with sqlite3.connect(folder / "journal.sqlite") as connection:
        row = connection.execute("SELECT * FROM outcomes LIMIT 0").description
        assert row[1][0] == "outcome"
        from batchkit.core.states import Outcome
        from batchkit.journal.journal import CODES

        connection.execute(
            "INSERT OR REPLACE INTO outcomes (item, outcome, attempts, at) VALUES (0, ?, 1, 0)",
            (CODES[Outcome.UNKNOWN],),
        )
    connection.close()
    clean(Retention(runs=0))
    assert folder.exists()


def test_a_run_that_somebody_takes_up_stays(shop: Shop) -> None:
    """While a process holds the run, it isn't touched."""
    from batchkit.journal.owner import Ownership

    folder = aged(told("run", *shop.options, "--yes")["run"], 1000)
    ownership = Ownership(folder)
    try:
        assert clean() == []
    finally:
        ownership.release()
    assert [each.path for each in clean()] == [folder]


def test_a_dry_run_removes_nothing(shop: Shop) -> None:
    """It says what would go, and how much that is."""
    folder = aged(told("run", *shop.options, "--yes")["run"], 8)
    value = told("clean", "--dry-run")
    assert value["dry_run"]
    assert value["bytes"] > 0
    assert folder.exists()
    assert "Would remove 1 item" in CliRunner().invoke(cli, ["clean", "--dry-run"]).stdout


def test_old_plans_and_logs_go(shop: Shop) -> None:
    """Plans after 30 days, logs after 90; what isn't ours in the home folder stays."""
    (home() / "logs").mkdir()
    places = {
        plans_folder() / "old.parquet": 31,
        plans_folder() / "young.parquet": 29,
        home() / "logs" / "old.jsonl": 91,
        home() / "logs" / "young.jsonl": 89,
        home() / "mine.txt": 1000,
    }
    for path, days in places.items():
        path.write_text("x", encoding="utf-8")
        os.utime(path, (time.time() - days * DAY,) * 2)
    told("clean")
    assert {path.name for path in places if path.exists()} == {"young.parquet", "young.jsonl", "mine.txt"}


def test_a_start_cleans_quietly(shop: Shop) -> None:
    """Starting a run tidies up, at most once an hour, and never fails for it."""
    old = aged(told("run", *shop.options, "--yes")["run"], 8)
    told("run", *shop.options, "--yes")
    assert old.exists(), "within the hour"
    os.utime(home() / ".cleaned", (time.time() - 2 * 3600,) * 2)
    told("run", *shop.options, "--yes")
    assert not old.exists()
    clean_quietly()


def test_doctor_finds_all_well(shop: Shop) -> None:
    """Versions, home, disk, terminal; the target when it is named; exit code 0."""
    value = told("doctor", "--to", shop.url, "--table", "shops")
    assert value["ok"]
    names = {check["name"] for check in value["checks"]}
    assert {"python", "polars", "sqlite", "home", "disk", "terminal", "target"} <= names
    assert told("doctor", "--to", shop.url)["ok"]


def test_doctor_names_what_is_wrong(shop: Shop, tmp_path: Path) -> None:
    """A target that doesn't answer, or lacks the table: exit code 2 and what to do; no password is shown."""
    for words in (
        ["--to", shop.url, "--table", "shopz"],
        ["--to", f"sqlite:///{(tmp_path / 'no.sqlite').as_posix()}"],
        ["--to", "mysql://host/db"],
        ["--to", "postgresql://me:hunter22@127.0.0.1:1/db"],
    ):
        value = told("doctor", *words, code=2)
        [wrong] = [check for check in value["checks"] if check["level"] == "error"]
        assert wrong["name"] == "target"
        assert wrong["advice"]
        assert "hunter22" not in json.dumps(value)
        page = CliRunner().invoke(cli, ["doctor", *words]).stdout
        assert "resume" not in page, "there is no run"
    assert "Something is wrong" in CliRunner().invoke(cli, ["doctor", *words]).stdout


def test_doctor_says_sentences(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home that can't be made is named with what to do, and no class of ours."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("BATCHKIT_HOME", str(tmp_path / "file" / "home"))
    page = CliRunner().invoke(cli, ["doctor"]).stdout
    assert "can't be made" in page
    assert "UsageError" not in page
