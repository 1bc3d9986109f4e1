"""`batchkit runs`, `show` and `report`; errors nobody foresaw; old consoles and broken pipes."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from batchkit.running.run import Run
from tests.support.terminal import COMMAND, Shop, batchkit, call, environment, make_shop, told


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A run of 20 rows with one bad one, finished."""
    shop = make_shop(tmp_path, extra=[("99999", "")])
    call("run", *shop.options, "--yes", code=1)
    return shop


def test_runs_are_listed_newest_first(shop: Shop) -> None:
    """`--json` prints the same objects as `show`, the page a line for each."""
    call("run", *shop.options, "--dry-run", code=1)
    runs = told("runs")
    assert [run["dry_run"] for run in runs] == [True, False]
    assert runs[0] == told("show", "last")
    assert runs[1] == told("show", runs[1]["run"])
    page = call("runs").stdout
    assert page.index(runs[0]["run"]) < page.index(runs[1]["run"])
    assert len(told("runs", "--limit", "1")) == 1


def test_no_runs_is_no_error() -> None:
    """An empty house is said to be empty, with what to do."""
    assert told("runs") == []
    assert "batchkit demo" in call("runs").stdout


def test_show_tells_where_everything_is(shop: Shop) -> None:
    """State, outcomes, report, the rows to fix, and how to take it back."""
    page = call("show", "last").stdout
    for words in ("finished", "done", "rejected", "report.html", "fix.csv", "batchkit undo"):
        assert words in page, page


def test_show_a_plan_by_kind(shop: Shop) -> None:
    """A plan file is shown again, all of one kind if asked for."""
    plan = Run.open("last").folder / "plan.parquet"
    assert "create" in call("show", plan).stdout
    assert set(told("show", plan)) == {"plan", "changes", "problems"}
    updates = told("show", plan, "--changes", "update", "--limit", "100")
    assert len(updates) == 8
    assert updates[0]["fields"] == {"name": {"before": "old", "after": "Épicerie 2"}}
    assert "create" in call("show", plan, "--changes", "nonsense", code=2).stderr


def test_report_writes_each_format(shop: Shop, tmp_path: Path) -> None:
    """The suffix says which; without a name it lies in the run folder; an unknown one is refused."""
    for suffix in ("xlsx", "csv", "html", "json"):
        path = tmp_path / f"report.{suffix}"
        assert told("report", "last", "--to", path)["report"] == str(path)
        assert path.stat().st_size > 0
    assert Path(told("report", "last")["report"]).parent == Run.open("last").folder
    assert ".xlsx" in call("report", "last", "--to", tmp_path / "report.pdf", code=2).stderr


def test_the_rows_to_fix_can_be_planned_again(shop: Shop, tmp_path: Path) -> None:
    """`report --fix` writes the failed rows; corrected, the same file goes in, under its own row numbers."""
    fix = tmp_path / "fix.csv"
    assert told("report", "last", "--fix", fix)["fix"] == str(fix)
    text = fix.read_text(encoding="utf-8-sig")
    assert "99999" in text
    rows = list(csv.reader(text.splitlines(), delimiter=";"))
    rows[1][rows[0].index("name")] = "Corrigé"
    with fix.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    call("run", fix, *shop.options[1:], "--yes")
    assert shop.held()["99999"] == "Corrigé"


def test_no_report_is_written_over_source_or_target(shop: Shop, tmp_path: Path) -> None:
    """`--to` and `--fix` refuse the file that was read, and each other's; every file stays to the byte."""
    source = shop.csv.read_bytes()
    for option in ("--to", "--fix"):
        assert "the source of this run" in call("report", "last", option, shop.csv, code=2).stderr
    database = tmp_path / "other.csv"  # a database may bear any name
    database.write_bytes(shop.database.read_bytes())
    call("run", shop.csv, "--to", f"sqlite:///{database}", *shop.options[3:], "--dry-run", code=1)
    held = database.read_bytes()
    for option in ("--to", "--fix"):
        assert "the target of this run" in call("report", "last", option, database, code=2).stderr
    both = tmp_path / "both.csv"
    assert "twice" in call("report", "last", "--to", both, "--fix", both, code=2).stderr
    assert (shop.csv.read_bytes(), database.read_bytes(), both.exists()) == (source, held, False)


def test_a_status_beside_each_row_of_the_workbook(tmp_path: Path) -> None:
    """`report --workbook` writes a copy of the operator's own workbook."""
    import openpyxl
    import xlsxwriter

    shop = make_shop(tmp_path)
    path, copy = tmp_path / "shops.xlsx", tmp_path / "copy.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("Shops")
        for n, row in enumerate([("id", "name"), ("00002", "New"), ("00099", "")]):
            sheet.write_row(n, 0, row)
    call("run", path, *shop.options[1:], "--yes", code=1)
    call("report", "last", "--workbook", copy)
    rows = list(openpyxl.load_workbook(copy)["Shops"].iter_rows(values_only=True))
    assert "done" in rows[1]
    assert "rejected" in rows[2]
    call("run", *shop.options, "--yes")
    assert ".xlsx" in call("report", "last", "--workbook", copy, code=2).stderr, "a CSV file is no workbook"


# What nobody foresaw.


def test_the_unforeseen_is_a_sentence_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake of ours: one sentence, exit 3, and the traceback in a log whose path is named."""

    def broken(name: str) -> None:
        raise RuntimeError("the moon is in the wrong house")

    monkeypatch.setattr("batchkit.running.run.Run.open", broken)
    failed = call("show", "last", code=3)
    assert "the moon is in the wrong house" in failed.stderr
    assert "Traceback" not in failed.stderr
    log = Path(failed.stderr.rpartition(" is in ")[2].strip().rstrip("."))
    assert "Traceback" in log.read_text(encoding="utf-8")
    error = json.loads(call("show", "last", "--json", code=3).stdout)["error"]
    assert str(log) in error["advice"]


def test_debug_shows_where_an_error_came_from() -> None:
    """`BATCHKIT_DEBUG=1` is for whoever mends it."""
    failed = batchkit("show", "nobody", env=environment(BATCHKIT_DEBUG="1"))
    assert failed.returncode == 2
    assert "Traceback" in failed.stderr


def test_a_home_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """The folder is named, and the variable that chooses another."""
    (tmp_path / "file").write_text("x", encoding="utf-8")
    failed = batchkit("runs", env=environment(BATCHKIT_HOME=str(tmp_path / "file" / "home")))
    assert failed.returncode == 2
    assert "BATCHKIT_HOME" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe breaks otherwise there")
def test_a_broken_pipe_is_quiet(shop: Shop) -> None:
    """`batchkit ... | head -1` says nothing about the pipe."""
    words = [*COMMAND, "show", "last"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as command:
        assert command.stdout is not None
        command.stdout.close()
        assert command.stderr is not None
        assert command.stderr.read() == b""
    assert command.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="a pipe breaks otherwise there")
def test_a_broken_pipe_does_not_end_a_run(tmp_path: Path) -> None:
    """`batchkit run ... --yes | head -1` writes every row all the same."""
    shop = make_shop(tmp_path)
    words = [*COMMAND, "run", *shop.options, "--yes"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()
    ) as command:
        assert command.stdout is not None
        command.stdout.close()
    assert command.returncode == 0
    assert len(shop.held()) == 20


@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
def test_old_consoles_don_t_stop_it(encoding: str, shop: Shop) -> None:
    """A console without → or é shows something else; what programs read stays whole."""
    variables = environment(PYTHONIOENCODING=encoding, PYTHONUTF8="0")
    plan = Run.open("last").folder / "plan.parquet"
    done = subprocess.run([*COMMAND, "show", plan], capture_output=True, check=True, env=variables)
    page = done.stdout.decode(encoding)
    assert "old -> " in page or "old → " in page
    done = subprocess.run(
        [*COMMAND, "show", plan, "--changes", "update", "--json"],
        capture_output=True,
        check=True,
        env=variables,
    )
    assert json.loads(done.stdout.decode(encoding))[0]["fields"]["name"]["after"] == "Épicerie 2"


def test_colours_only_when_they_are_wanted(shop: Shop) -> None:
    """None in a pipe, some when they are asked for."""
    assert "\x1b" not in batchkit("show", "last").stdout
    assert "\x1b[" in batchkit("show", "last", env=environment(FORCE_COLOR="1")).stdout
