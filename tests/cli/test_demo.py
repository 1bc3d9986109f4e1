"""`batchkit demo`: the whole way, as often as one likes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner

from batchkit.cli import cli
from batchkit.core.home import home
from batchkit.demo.sample import make_sample
from tests.support.terminal import Terminal, batchkit, needs_terminal


def test_the_demo_goes_the_whole_way(tmp_path: Path) -> None:
    """Numbers, examples, dry run, apply, report, what to try next; exit 0, bad rows and all."""
    done = batchkit("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    page = done.stdout
    for words in (
        "create",
        "update",
        "→",
        "problems",
        "Dry run",
        "report",
        "fix.csv",
        "batchkit undo",
        "resume",
    ):
        assert words in page, page
    assert "on purpose" in page
    report = next(word for word in page.split() if word.endswith("report.html"))
    assert Path(report).is_file()


def test_the_demo_brings_the_database_in_line(tmp_path: Path) -> None:
    """What is planned is what the sample promises, and it is all in the database afterwards."""
    expected = make_sample(tmp_path / "twin", rows=1000).expected
    done = CliRunner().invoke(cli, ["demo", "--rows", "1000", "--folder", str(tmp_path / "demo"), "--json"])
    assert done.exit_code == 0, done.output
    value = json.loads(done.stdout)
    assert value["changes"] == {kind: n for kind, n in expected.items() if n}
    assert value["dry_run"]["dry_run"]
    assert value["apply"]["outcomes"]["done"] == expected["create"] + expected["update"]
    assert value["apply"]["outcomes"]["rejected"] == expected["invalid"] + expected["duplicate"]
    with closing(sqlite3.connect(tmp_path / "demo" / "companies.sqlite")) as connection:
        [(rows,)] = connection.execute("SELECT count(*) FROM companies")
    assert rows == expected["create"] + expected["update"] + expected["unchanged"] + 10


def test_the_demo_works_twice_and_its_advice_too(tmp_path: Path) -> None:
    """Called again it starts afresh; the undo it names takes everything back, its job file does it again."""
    for _ in range(2):
        called("demo", "--rows", "500")
    undone = called("undo", "last", "--yes", "--json")
    again = called("run", str(home() / "demo" / "companies.toml"), "--yes", "--json", code=1)
    assert json.loads(again)["outcomes"]["done"] == json.loads(undone)["outcomes"]["done"]


def called(*words: str, code: int = 0) -> str:
    """What the command prints, called in this process."""
    done = CliRunner().invoke(cli, list(words))
    assert done.exit_code == code, done.output
    return done.stdout


@needs_terminal
def test_the_demo_shows_a_live_bar_in_colours() -> None:
    """At a terminal the bar is seen on its way, and examples are coloured."""
    with Terminal("demo", "--rows", "2000") as terminal:
        assert terminal.wait() == 0, terminal.plain
        assert "100%" in terminal.plain
        shares = {part.rsplit("%", 1)[0][-3:].strip() for part in terminal.plain.split("|") if "%" in part}
        assert len(shares) > 3, shares
        assert "\x1b[31m" in terminal.text
        assert "\x1b[32m" in terminal.text


@needs_terminal
def test_ctrl_c_ends_the_demo_in_good_order() -> None:
    """Stopped on the way: exit 4 and how to go on."""
    with Terminal("demo") as terminal:
        terminal.expect("so that you can watch")
        terminal.expect("Running")
        terminal.type("\x03")
        assert terminal.wait() == 4, terminal.plain
        assert "stopping" in terminal.plain
        assert "Traceback" not in terminal.plain
