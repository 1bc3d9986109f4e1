"""Plans and runs that earlier releases left behind, copied to where a test can go on with them."""

from __future__ import annotations

import contextlib
import csv
import json
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from batchkit.planning.plan_file import PlanWriter, read_facts
from batchkit.running.run import Run
from tests.support.needs import ROOT

OLDER: Final = ROOT / "tests" / "fixtures" / "older"
RELEASES: Final = sorted(path.name for path in OLDER.iterdir() if path.is_dir())
"""Every release of which something is kept; a test takes each in turn."""
MADE_IN: Final = "/srv/shop"
"""Where every release made its stories."""
_SERVER: Final = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Story:
    """A folder as an earlier release left it: sources, a database, and a `BATCHKIT_HOME` with its runs.

    Attributes:
        folder: The copy.
        left: What was kept, as it was.
    """

    folder: Path
    left: Path

    @classmethod
    def of(cls, release: str, name: str, to: Path, server: str = _SERVER) -> Story:
        """Copy a story to `to`, with every path and the address of the practice server brought up to date."""
        story = cls(to, OLDER / release / name)
        shutil.copytree(story.left, to, dirs_exist_ok=True)
        moved = {f"{MADE_IN}/{name}": to.as_posix(), _SERVER: server}
        for path in to.rglob("*.toml"):
            path.write_text(_replaced(path.read_text(encoding="utf-8"), moved), encoding="utf-8")
        for path in to.rglob("*.parquet"):
            _move_plan(path, moved)
        for path in to.rglob("journal.sqlite"):
            _move_journal(path, moved)
        return story

    @property
    def home(self) -> Path:
        """Its `BATCHKIT_HOME`."""
        return self.folder / "home"

    @property
    def shown(self) -> dict[str, Any]:
        """What the release itself said of its last run."""
        return dict(json.loads((self.left / "show.json").read_text(encoding="utf-8")))

    @property
    def outcomes(self) -> list[dict[str, str]]:
        """What the release itself reported of each item."""
        return read_report(self.left / "outcomes.csv")

    @property
    def run(self) -> Run:
        """Its last run."""
        return Run.open("last")

    def table(self, name: str = "products") -> list[tuple[Any, ...]]:
        """What its database holds by now."""
        return rows_of(self.folder / "shop.sqlite", name)


def read_report(path: Path) -> list[dict[str, str]]:
    """The rows of a report as CSV."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def rows_of(database: Path, table: str = "products") -> list[tuple[Any, ...]]:
    """All rows of a table, in order."""
    with contextlib.closing(sqlite3.connect(database)) as link:
        return link.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()


def _replaced(text: str, moved: dict[str, str]) -> str:
    for old, new in moved.items():
        text = text.replace(old, new)
    return text


def _move_plan(path: Path, moved: dict[str, str]) -> None:
    """Give a sealed plan other addresses: the same rows and facts, written anew under their own version."""
    facts = read_facts(path)  # the seal of the release itself holds
    frame = pl.read_parquet(path)
    with PlanWriter(path, frame.schema) as writer:
        for window in facts["windows"]:
            writer.write(frame.head(window["rows"]))
            frame = frame.slice(window["rows"])
        writer.finish(json.loads(_replaced(json.dumps(facts, ensure_ascii=False), moved)))


def _move_journal(path: Path, moved: dict[str, str]) -> None:
    if path.with_name("journal.sqlite-wal").exists():
        return  # opened by anybody, it would no longer be what a kill leaves behind
    with contextlib.closing(sqlite3.connect(path)) as link, link:
        for name, value in link.execute("SELECT name, value FROM meta").fetchall():
            # As if it had ended a moment ago, else retention would take it away at the next start.
            new = json.dumps(time.time()) if name == "ended" else _replaced(value, moved)
            link.execute("UPDATE meta SET value = ? WHERE name = ?", (new, name))
