"""`batchkit apply`, `run` and `undo`: nothing is written unasked, and the exit code says how it went."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
from pathlib import Path

import pytest

from batchkit.running.run import Run
from tests.support.terminal import Shop, answer, batchkit, call, make_shop, told, wait_until


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """20 rows: 4 new, 8 of another name, 8 as they should be."""
    return make_shop(tmp_path)


def planned(shop: Shop) -> Path:
    """A plan file of the shop."""
    path = shop.csv.with_suffix(".plan")
    call("plan", *shop.options, "-o", path)
    return path


def test_nothing_is_applied_without_a_yes(shop: Shop) -> None:
    """Without a terminal and without `--yes` it is refused (2), and the database stays as it was."""
    before, plan = shop.held(), planned(shop)
    for words in (["apply", str(plan)], ["run", *shop.options]):
        refused = call(*words, code=2)
        assert "--yes" in refused.stderr
        assert shop.held() == before
    assert told("runs") == [], "not even a run was made"


def test_apply_with_yes_brings_the_database_in_line(shop: Shop) -> None:
    """Exit code 0, every row as the file has it, and the object that programs read."""
    done = told("apply", planned(shop), "--yes")
    assert set(done) == {
        "run", "state", "dry_run", "outcomes", "attempts", "seconds", "rate", "report",
        "message", "advice", "fix",
    }  # fmt: skip
    assert (done["message"], done["advice"], done["fix"]) == ("", "", None)
    assert (done["state"], done["dry_run"]) == ("finished", False)
    assert done["outcomes"] == {
        "done": 12, "unchanged": 8, "rejected": 0, "conflict": 0, "unknown": 0, "pending": 0,
    }  # fmt: skip
    assert Path(done["report"]).is_file()
    assert shop.held() == {f"{n:05}": f"Épicerie {n}" for n in range(20)}


def test_apply_says_what_came_of_it(shop: Shop) -> None:
    """The page names outcomes in numbers, the report, and how to take it back."""
    page = call("apply", planned(shop), "--yes").stdout
    for words in ("finished", "done       12", "report", "batchkit undo "):
        assert words in page, page


def test_a_dry_run_needs_no_yes_and_writes_nothing(shop: Shop) -> None:
    """It tries everything, says so, and leaves the database as it was."""
    before = shop.held()
    done = told("apply", planned(shop), "--dry-run")
    assert (done["state"], done["dry_run"], done["outcomes"]["done"]) == ("finished", True, 12)
    assert shop.held() == before


def test_bad_rows_make_it_1(tmp_path: Path) -> None:
    """The good rows go in, the bad one is named with a file to fix, and the exit code is 1."""
    shop = make_shop(tmp_path, extra=[("99999", "")])
    page = call("apply", planned(shop), "--yes", code=1).stdout
    assert "fix.csv" in page
    fix = told("show", "last")["fix"]
    assert Path(fix).name == "fix.csv"
    assert Path(fix).is_file()
    assert len(shop.held()) == 20


def test_one_is_said_as_one(shop: Shop) -> None:
    """A canary of one item is `the first item`, not `the first 1 items`."""
    done = told("apply", planned(shop), "--yes", "--canary", "1", "--chunk-size", "1", code=4)
    assert done["message"].startswith("The first item is sent: look at it")


def test_rows_to_correct_are_planned_by_the_command_that_is_given(tmp_path: Path) -> None:
    """Correct `fix.csv` and paste the command that stands there: the rest goes in, whatever the layout."""
    shop = make_shop(tmp_path, extra=[("99999", "")])
    rows = shop.csv.read_text("utf-8-sig").replace("\n", "\r\n")
    shop.csv.write_bytes(f"Liste des magasins\r\n\r\n{rows}".encode("cp1252"))
    options = ("--encoding", "cp1252", "--header-row", "3", "--field", "name.required=true", "--yes")
    page = call("run", *shop.options, *options, code=1).stdout
    command = next(line.strip() for line in page.splitlines() if "--source" in line)
    assert command in told("show", "last")["advice"]
    report = told("report", "last", "--to", tmp_path / "r.html")["report"]
    assert f"<code>{command}</code>" in Path(report).read_text("utf-8")
    fix = Path(told("show", "last")["fix"])
    fix.write_text(fix.read_text("utf-8-sig").replace(';"99999";', ';"99999";"Épicerie fine"'), "utf-8")
    plan = told(*shlex.split(command)[1:])
    assert plan["changes"] == {"create": 1}
    call("apply", plan["plan"], "--yes")
    assert shop.held()["99999"] == "Épicerie fine"


def test_a_conflict_makes_it_1_and_resume_overwrites_when_told(shop: Shop) -> None:
    """What somebody edited since the plan is kept, until the operator says otherwise."""
    plan = planned(shop)
    with sqlite3.connect(shop.database) as connection:
        connection.execute("UPDATE shops SET name = 'edited' WHERE id = '00002'")
    connection.close()
    done = told("apply", plan, "--yes", code=1)
    assert done["outcomes"]["conflict"] == 1
    assert shop.held()["00002"] == "edited"
    command = f"batchkit resume {done['run']} --overwrite-conflicts"
    assert command in done["advice"]
    page = call("show", "last").stdout
    assert command in page
    assert "name: there now edited, wanted Épicerie 2" in page, "both values, to decide by"
    assert command in call("apply", plan, "--yes", code=1).stdout.replace(Run.open("last").id, done["run"])
    call("report", done["run"], "--to", plan.with_suffix(".json"))
    assert command in plan.with_suffix(".json").read_text(encoding="utf-8")
    assert told("resume", "last", "--overwrite-conflicts")["outcomes"]["conflict"] == 0
    assert shop.held()["00002"] == "Épicerie 2"


def test_a_run_that_fails_makes_it_3(shop: Shop) -> None:
    """A table that is gone since the plan: the run fails with the reason, and nothing is half done."""
    plan = planned(shop)
    with sqlite3.connect(shop.database) as connection:
        connection.execute("ALTER TABLE shops RENAME TO other")
    connection.close()
    failed = batchkit("apply", plan, "--yes", "--json")
    assert failed.returncode == 3, failed.stderr
    answered = json.loads(failed.stdout)
    assert answered["state"] == "failed"
    assert "shops" in answered["message"]
    assert f"batchkit resume {answered['run']}" in answered["advice"]
    shown = told("show", "last")
    assert (shown["message"], shown["advice"]) == (answered["message"], answered["advice"])
    assert "shops" in failed.stderr
    assert "batchkit resume " in failed.stderr
    assert "Traceback" not in failed.stderr
    with sqlite3.connect(shop.database) as connection:
        connection.execute("ALTER TABLE other RENAME TO shops")
    connection.close()
    assert told("resume", "last")["state"] == "finished", "it goes on once the cause is mended"


def test_a_canary_stops_to_be_looked_at(shop: Shop) -> None:
    """With nobody to ask, the run stops after the canary (4) and goes on by `resume`."""
    done = told("apply", planned(shop), "--yes", "--canary", "5", code=4)
    assert done["outcomes"]["done"] == 5
    assert done["outcomes"]["pending"] == 7
    assert told("show", "last")["state"] == done["state"] == "stopped"
    assert told("resume", "last", "--yes", "--set", "canary=")["outcomes"]["done"] == 12


def test_chunk_by_chunk_without_a_terminal_names_the_way_on(shop: Shop) -> None:
    """With nobody to ask, each stop says how the next chunk is sent and how to be asked no more."""
    words = ("--confirm", "chunk", "--chunk-size", "5")
    asked = told("apply", planned(shop), "--yes", *words, code=4)
    assert asked["outcomes"]["done"] == 5, "the yes is the yes to the first chunk"
    assert f"batchkit resume {asked['run']} --set confirm=" in asked["advice"]
    assert "--set confirm=" in call("show", "last").stdout
    assert told("resume", "last", "--set", "confirm=")["outcomes"]["done"] == 12
    assert Run.open("last").snapshot().settings["confirm"] == "none"


def test_a_file_that_is_no_plan_is_met_with_the_verb_for_it(shop: Shop, tmp_path: Path) -> None:
    """A source or a job in place of a plan: what it is, and the command that plans it, to be pasted."""
    spaced = tmp_path / "my shops.csv"
    spaced.write_bytes(shop.csv.read_bytes())
    refused = call("apply", spaced, "--yes", code=2).stderr
    assert "is a source, not a plan" in refused
    assert f"batchkit plan '{spaced}' --to" in refused
    call("plan", *shop.options, "--save-job", tmp_path / "job.toml")
    for verb in ("apply", "show"):
        refused = call(verb, tmp_path / "job.toml", code=2).stderr
        assert "is a job, not a plan" in refused
        assert f"batchkit plan {tmp_path / 'job.toml'}" in refused


def test_run_is_plan_and_apply_in_one(shop: Shop, tmp_path: Path) -> None:
    """`run FILE` shows the plan and applies it; a second time there is nothing left to do."""
    page = call("run", *shop.options, "--yes").stdout
    assert "update" in page
    assert "finished" in page
    assert shop.held()["00002"] == "Épicerie 2"
    assert told("run", *shop.options, "--yes")["outcomes"]["unchanged"] == 20


def test_run_shows_as_much_as_plan_does(tmp_path: Path) -> None:
    """`--examples` and `--all-problems` are taken by both verbs."""
    shop = make_shop(tmp_path, extra=[(f"9{n:04}", "") for n in range(30)])
    page = call("run", *shop.options, "--yes", "--examples", "0", "--all-problems", code=1).stdout
    assert page.count("The target needs a value") >= 30
    assert "Examples" not in page


def test_advice_in_files_is_in_options_and_entries(tmp_path: Path) -> None:
    """What stands beside a row to fix can be typed, or written into a job file; none of it is Python."""
    rows = ["id;siret;jour;montant", "1;5750553900213;31/12/2026;1,234", "2;;;", "2;;;"]
    (tmp_path / "firms.csv").write_text("\n".join(rows), encoding="utf-8")
    database = tmp_path / "firms.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE firms (id TEXT PRIMARY KEY, siret TEXT, jour DATE, montant NUMERIC)")
    connection.close()
    words = ("run", tmp_path / "firms.csv", "--to", f"sqlite:///{database.as_posix()}", "--table", "firms")
    fix = told(*words, "--key", "id", "--field", "siret.siret=true", "--yes", code=1)["fix"]
    advice = Path(fix).read_text(encoding="utf-8-sig")
    for option, entry in (
        ("--field siret.repair=leading_zero", 'repair = ""leading_zero""'),
        ("--dates dd/mm/yyyy", 'dates = [""dd/mm/yyyy""]'),
        ("--decimal ,", 'decimal = "",""'),
        ("--keep-duplicates first", 'keep_duplicates = ""first""'),
    ):
        assert option in advice
        assert entry in advice
    assert not re.search(r"(?<![.\w])\w+=[\"(\[]", advice), "as Python has it"


def test_settings_are_checked_before_anything_starts(shop: Shop) -> None:
    """A setting that doesn't fit is a wrong call (2), whichever option it came by."""
    plan = planned(shop)
    for words in (["--workers", "many"], ["--workers", "0"], ["--set", "wrkers=2"], ["--window", "night"]):
        refused = call("apply", plan, "--yes", *words, code=2)
        assert words[-1].partition("=")[0] in refused.stderr
    assert told("runs") == []


def test_settings_reach_the_run(shop: Shop) -> None:
    """What is said by options and by `--set` is what the run goes by."""
    call("apply", planned(shop), "--yes", "--chunk-size", "3", "--delay", "1ms", "--set", "backoff=2s")
    settings = Run.open("last").snapshot().settings
    assert (settings["chunk_size"], settings["delay"], settings["backoff"]) == (3, 0.001, 2.0)


def test_undo_takes_it_back(shop: Shop) -> None:
    """After undo the database is what it was; without a yes nothing happens."""
    before = shop.held()
    call("run", *shop.options, "--yes")
    assert "--yes" in call("undo", "last", code=2).stderr
    assert shop.held() != before
    undone = told("undo", "last", "--yes")
    assert undone["outcomes"]["done"] == 12
    assert shop.held() == before


def test_an_undo_keeps_what_was_edited_since(shop: Shop) -> None:
    """A row edited after the run comes out as a conflict of the undo's run: kept, listed, and no surprise."""
    call("run", *shop.options, "--yes")
    with sqlite3.connect(shop.database) as connection:
        connection.execute("UPDATE shops SET name = 'edited' WHERE id = '00002'")
    connection.close()
    undone = call("undo", "last", "--yes", code=1).stdout
    assert "conflict" in undone
    assert shop.held()["00002"] == "edited"
    assert "00002" in undone.partition("Conflicts")[2]
    promised = " ".join(call("undo", "--help").stdout.split())
    assert "come out as conflicts of the undo's own run, which keeps them and lists them" in promised


def test_last_is_what_can_be_steered(shop: Shop) -> None:
    """A dry run after it doesn't take over `last` for what steers or takes back, and that is said."""
    run = told("run", *shop.options, "--yes")["run"]
    dry = told("run", *shop.options, "--dry-run")["run"]
    for verb in ("pause", "stop", "resume"):
        refused = call(verb, "last", code=2).stderr
        assert f"The run {run} is finished" in refused
        assert f"the dry run {dry} after it is passed over" in refused
    assert told("show", "last")["run"] == dry
    for verb in ("report", "watch"):
        looked = call(verb, "last")
        assert f"the dry run {dry}" in looked.stderr
    assert told("undo", "last", "--yes")["outcomes"]["done"] == 12


def test_an_undo_that_deletes_says_removed(tmp_path: Path) -> None:
    """Of rows that an undo deleted nobody reads that they were written: neither here nor in the report."""
    shop = make_shop(tmp_path)
    with sqlite3.connect(shop.database) as connection:
        connection.execute("DELETE FROM shops")
    connection.close()
    call("run", *shop.options, "--yes")
    page = call("undo", "last", "--yes").stdout
    assert re.search(r"done +20  removed from the target", page)
    text = Path(told("show", "last")["report"]).read_text("utf-8")
    assert "20 of 20 items were removed." in text
    assert "ritten at the target" not in text


def test_a_dry_run_cannot_be_undone(shop: Shop) -> None:
    """There is nothing to take back, and that is a wrong call."""
    call("apply", planned(shop), "--dry-run")
    assert "dry run" in call("undo", "last", code=2).stderr


def test_a_plan_that_is_none(tmp_path: Path) -> None:
    """A missing, damaged or foreign file is refused with advice."""
    (tmp_path / "broken.plan").write_bytes(b"PAR1 nothing else")
    for name in ("missing.plan", "broken.plan"):
        refused = call("apply", tmp_path / name, "--yes", code=2).stderr
        assert name in refused
        assert "plan" in refused.splitlines()[1]


def test_a_changed_source_is_mentioned(shop: Shop) -> None:
    """The plan applies the rows as they were; that the file has changed since is said."""
    plan = planned(shop)
    shop.csv.write_text("id;name\n1;x\n", encoding="utf-8")
    assert "has changed since the plan" in call("apply", plan, "--yes").stderr


def test_detach_returns_while_the_run_goes_on(shop: Shop) -> None:
    """The command is back once the run has begun (0); it finishes in a process of its own."""
    slowly = ("--chunk-size", "2", "--delay", "0.1", "--workers", "1")
    started = answer("apply", planned(shop), "--yes", "--detach", *slowly)
    assert started["state"] in {"planned", "running"}
    wait_until(lambda: Run.open(started["run"]).state == "finished")
    assert told("show", started["run"])["outcomes"]["done"] == 12
    assert len(shop.held()) == 20


def test_detach_says_when_the_process_dies_at_its_start(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends before it has the run in hand is a failure (3), never a run that "goes on"."""
    plan = planned(shop)
    monkeypatch.setattr("sys.executable", shutil.which("false"))
    failed = call("apply", plan, "--yes", "--detach", code=3)
    assert "ended at its start" in failed.stderr
    assert "goes on" not in failed.stdout
