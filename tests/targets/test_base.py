"""What a target may say besides: its own key and checks, texts it would send, answers that are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl
import pytest
from click.testing import CliRunner

from batchkit.cli import cli
from batchkit.core.columns import FieldType
from batchkit.core.errors import JobError, MappingError, RunError
from batchkit.core.problem import Problem
from batchkit.core.states import Change, Outcome, RunState
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.targets.base import Item, Refusal, Result, register
from batchkit.testing import CallRecorder
from tests.support.plans import closed_window


class Post(CallRecorder):
    """A post office: sends letters, refuses some addresses, and says what it would cost."""

    default_key = ("to",)
    any_key = True
    joins_key = ("kind",)
    result_columns: ClassVar = {"stamp": "stamp"}

    def __init__(self, url: str = "post:office", **options: Any) -> None:
        self.options = {name: value for name, value in options.items() if name in ("colour", "most")}
        super().__init__(url, idempotent=False)
        self.letters = 0

    def describe(self) -> dict[str, Any]:
        """With its options."""
        return {"url": self._url, **self.options}

    def fields(self) -> dict[str, FieldType]:
        """Three."""
        checks = {"max_length": 12, "unique": True, "warn": ("max_length", "unique")}
        return {"to": FieldType("text"), "kind": FieldType("text"), "text": FieldType("text", checks=checks)}

    def canonical(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Refusal]]:
        """Nobody writes to Nowhere."""
        bad = (frame["to"] == "Nowhere").arg_true()
        return frame, [Refusal("to", at, "Nobody lives there", "nowhere", "Leave it out.") for at in bad]

    def rendered(self, frame: pl.DataFrame) -> pl.Series | None:
        """The letter."""
        self.letters += frame.height
        return frame.select(pl.format("Dear {},\n{}", "to", "text")).to_series()

    def notices(self) -> list[Problem]:
        """The cost."""
        return [Problem(None, None, None, "cost", f"{self.letters} stamps", level="notice")]

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        """With a stamp."""
        await super().send(items, dry_run=dry_run)
        return [Result(item.index, Outcome.DONE, detail={"stamp": f"n° {item.index}"}) for item in items]


register("post", f"{__name__}:Post")
ROWS = pl.DataFrame(
    {
        "to": ["Ann", "Bob", "Nowhere", "Ann"],
        "text": ["hello", "=1+1", "hi", "a text that is too long"],
    }
)


def post_plan(folder: Path, frame: pl.DataFrame = ROWS, **options: Any) -> Plan:
    """A plan of letters."""
    return Job(frame, "post:office", **options).plan(folder / "post.parquet")


def test_target_has_a_key_of_its_own() -> None:
    """A job for a target with a key of its own need not name one; others are told to."""
    assert Job(ROWS, "post:office").key == ("to",)
    with pytest.raises(JobError, match="needs a key"):
        Job(ROWS, "memory:test")


def test_fields_that_join_the_key_do_when_a_column_feeds_them(tmp_path: Path) -> None:
    """The kind is part of what identifies an item, where the file has a column for it."""
    frame = pl.DataFrame({"to": ["Ann", "Ann"], "kind": ["card", "parcel"], "text": ["a", "b"]})
    plan = post_plan(tmp_path, frame)
    assert plan.key == ["to", "kind"]
    assert plan.counts == {"send": 2}, "the two are not twins"


def test_key_may_be_a_column_of_the_file_alone_where_the_target_says_so(tmp_path: Path) -> None:
    """An order's number identifies the row although the target has no such field."""
    plan = post_plan(tmp_path, ROWS.with_columns(order=pl.Series(["1", "2", "3", "4"])), key=["order"])
    assert plan.key == ["order"]
    assert plan.counts == {"send": 3, "invalid": 1}


def test_targets_own_checks_warn_and_the_jobs_own_are_strict(tmp_path: Path) -> None:
    """The target's limits are warnings; the same limit said by the job keeps the row from being sent."""
    mild = post_plan(tmp_path, keep_duplicates="last")
    (long,) = [each for each in mild.problems() if each.rule == "max_length"]
    assert (long.row, long.level) == (5, "warning")
    assert mild.counts == {"unchanged": 1, "invalid": 1, "send": 2}
    strict = post_plan(tmp_path, key=["to"], keep_duplicates="last",
                       fields={"to": {}, "text": {"max_length": 10}})  # fmt: skip
    assert [each.level for each in strict.problems() if each.rule == "max_length"] == ["error"]


def test_value_that_the_target_refuses_is_told_by_its_rule(tmp_path: Path) -> None:
    """The row keeps its number, the rule's name, reason and advice, and is not sent."""
    (bad,) = [each for each in post_plan(tmp_path).problems() if each.rule == "nowhere"]
    assert (bad.row, bad.column, bad.value, bad.message, bad.advice) == (
        4, "to", "Nowhere", "Nobody lives there", "Leave it out.",
    )  # fmt: skip


def test_plan_shows_the_text_that_would_be_sent(tmp_path: Path) -> None:
    """What a reader would get is in the plan, for the rows that are sent, and on the screen."""
    plan = post_plan(tmp_path)
    assert [view.rendered for view in plan.page()] == [None, "Dear Bob,\n=1+1", None, None]
    assert [each.message for each in plan.problems() if each.rule == "cost"] == ["4 stamps"]
    shown = CliRunner().invoke(cli, ["show", str(plan.path)])
    assert "Dear Bob," in shown.output
    listed = CliRunner().invoke(cli, ["show", str(plan.path), "--changes", "send", "--json"])
    assert json.loads(listed.output)[0]["rendered"] == "Dear Bob,\n=1+1"


def test_results_are_the_source_of_the_next_job(tmp_path: Path) -> None:
    """Answers stand beside their rows, as a frame and as a file that is read back as it was."""
    run = post_plan(tmp_path).start()
    assert run.wait(10) is RunState.FINISHED
    results = run.results()
    assert results.to_dicts() == [{"to": "Bob", "text": "=1+1", "stamp": "n° 1"}]
    for name in ("stamps.csv", "stamps.xlsx"):
        told = CliRunner().invoke(cli, ["report", run.id, "--results", str(tmp_path / name), "--json"])
        assert told.exit_code == 0, told.output
        again = Job(str(tmp_path / name), "post:office").plan(tmp_path / "again.parquet")
        assert again.page()[0].raw == {"to": "Bob", "text": "=1+1", "stamp": "n° 1"}
        assert again.page()[0].row == 3, "the row number of the first file"


def test_run_without_results_says_so(tmp_path: Path) -> None:
    """A database answers nothing that could be kept."""
    plan = Job(ROWS, f"sqlite:///{tmp_path}/a.db", table="t", mode="append", create=True).plan()
    run = plan.start()
    run.wait(10)
    with pytest.raises(RunError, match="keeps no results"):
        run.results()


def test_rows_of_an_outcome_can_be_listed(tmp_path: Path) -> None:
    """The pending rows of a stopped run are listed with row and key, and can be run later."""
    run = post_plan(tmp_path, keep_duplicates="first").start(canary=1)
    deadline = 100
    while run.state is not RunState.PAUSED and deadline:
        deadline -= 1
        run.wait(0.1)
    run.stop()
    assert run.wait(10) is RunState.STOPPED
    told = CliRunner().invoke(cli, ["show", run.id, "--outcome", "pending", "--json"])
    assert [row["key"] for row in json.loads(told.output)] == ["Bob"]
    assert "Bob" in CliRunner().invoke(cli, ["show", run.id, "--outcome", "pending"]).output
    run.resume()
    assert run.wait(10) is RunState.FINISHED
    assert "No row" in CliRunner().invoke(cli, ["show", run.id, "--outcome", "pending"]).output


def test_targets_options_can_be_given_on_the_command_line(tmp_path: Path) -> None:
    """`--target NAME=VALUE` is what stands under `[target]` in a job file."""
    (tmp_path / "letters.csv").write_text("to;text\nAnn;hello\n", encoding="utf-8")
    job = tmp_path / "job.toml"
    told = CliRunner().invoke(cli, [
        "plan", str(tmp_path / "letters.csv"), "--to", "post:office", "--save-job", str(job),
        "--target", "colour=red", "--target", "most=3",
    ])  # fmt: skip
    assert told.exit_code == 0, told.output
    assert Job.load(job).target == {"colour": "red", "most": 3}


def test_key_that_is_nowhere_is_refused_all_the_same(tmp_path: Path) -> None:
    """A free key must still be a column of the file."""
    with pytest.raises(MappingError, match="neither a field"):
        post_plan(tmp_path, key=["ordre"])


def test_items_that_cannot_be_created_are_missing(tmp_path: Path) -> None:
    """Where the target can't create under the key, an absent item is missing in mode upsert too."""

    class Fixed(Post):
        readable = True
        creatable = False
        missing_advice = "It may be hidden from you."

        def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
            return keys.clear().with_columns(pl.lit(None, pl.String).alias(name) for name in fields)

    job = Job(ROWS.head(1), "post:office")
    plan = job.plan(tmp_path / "p.parquet", target=Fixed(key=("to",)))
    assert plan.counts == {str(Change.MISSING): 1}
    assert plan.page()[0].problems[0].advice == "It may be hidden from you."


def test_target_suggests_settings_and_the_operators_own_win(tmp_path: Path) -> None:
    """What a target finds suitable on connecting holds for its runs, unless somebody says otherwise."""

    class Wide(Post):
        preset: ClassVar = {"chunk_size": 7, "workers": 2}

    plan = Job(ROWS, "post:office").plan(tmp_path / "p.parquet", target=Wide())
    run = plan.start(workers=3, target=Wide(), report=False)
    assert run.wait(10) is RunState.FINISHED
    settings = run.snapshot().settings
    assert (settings["chunk_size"], settings["workers"]) == (7, 3)


def test_panel_shows_the_settings_a_run_will_start_with(tmp_path: Path) -> None:
    """Before the start, the fields hold what the kind of target and the target itself suggest."""
    from batchkit.panel import control

    class Narrow(Post):
        preset: ClassVar = {"workers": 2, "rate": 0.5}

    plan = Job(ROWS, "post:office").plan(tmp_path / "p.parquet", target=Narrow())
    shown = control(plan).fields.shown
    assert (shown["workers"], shown["rate"]) == ("2", "0.5")


def test_rows_that_were_sent_are_not_sent_again_by_a_second_run(tmp_path: Path) -> None:
    """The same plan, or a new one of the same rows, is refused and names the run; `again` is the way."""
    first = post_plan(tmp_path).start()
    assert first.wait(10) is RunState.FINISHED
    for plan in (first.plan, post_plan(tmp_path / "new")):
        with pytest.raises(RunError, match=first.id):
            plan.start()
    told = CliRunner().invoke(cli, ["apply", str(first.folder / "plan.parquet"), "--yes"])
    assert told.exit_code == 2, told.output
    assert "--again" in told.stderr
    assert post_plan(tmp_path / "dry").start(dry_run=True).wait(10) is RunState.FINISHED
    assert post_plan(tmp_path / "again").start(again=True).wait(10) is RunState.FINISHED


def test_two_runs_of_one_plan_that_start_at_once_are_one(tmp_path: Path) -> None:
    """The second of two is refused although the first has sent nothing yet."""
    plan = post_plan(tmp_path)
    first = plan.start(window=closed_window())
    with pytest.raises(RunError, match="at these very rows"):
        plan.start()
    first.stop()
    first.wait(10)


def test_other_rows_and_readable_targets_are_not_kept_from_running(tmp_path: Path) -> None:
    """A corrected file is other work; where the target is compared with, a second run does no harm."""
    assert post_plan(tmp_path).start().wait(10) is RunState.FINISHED
    other = post_plan(tmp_path / "b", ROWS.with_columns(pl.lit("bye").alias("text")))
    assert other.start().wait(10) is RunState.FINISHED
    table = Job(ROWS.head(2), f"sqlite:///{tmp_path}/a.db", table="t", key=["to"], create=True)
    assert table.plan(tmp_path / "t1.parquet").start().wait(10) is RunState.FINISHED
    assert table.plan(tmp_path / "t2.parquet").start().wait(10) is RunState.FINISHED


def test_results_of_a_plan_without_rows_are_an_empty_table(tmp_path: Path) -> None:
    """Nothing answered is no error."""
    run = post_plan(tmp_path, ROWS.clear()).start()
    assert run.wait(10) is RunState.FINISHED
    assert run.results().columns == ["to", "text", "stamp"]
    assert run.results_file(tmp_path / "none.csv").is_file()


def test_blank_cells_that_would_empty_fields_are_counted_before_the_start(tmp_path: Path) -> None:
    """A plan warns of each field that it would empty, how often, and says how to leave it."""
    address = f"sqlite:///{tmp_path}/a.db"
    table: dict[str, Any] = {"table": "t", "key": ["to"], "create": True}
    Job(ROWS.head(2), address, **table).plan(tmp_path / "t1.parquet").start().wait(10)
    blank = ROWS.head(2).with_columns(text=pl.Series([None, "new"], dtype=pl.String))
    plan = Job(blank, address, **table).plan(tmp_path / "t2.parquet")
    (told,) = [each for each in plan.problems() if each.rule == "cleared"]
    assert "'text' 1" in told.message
    assert 'blank="keep"' in told.advice
    kept = Job(blank, address, **table, blank="keep").plan(tmp_path / "t3.parquet")
    assert not [each for each in kept.problems() if each.rule == "cleared"]


def test_plan_that_writes_no_field_says_which_there_are(tmp_path: Path) -> None:
    """Columns whose names fit nothing are told with the fields of the target, not passed over."""
    address = f"sqlite:///{tmp_path}/a.db"
    Job(ROWS.head(2), address, "t", ["to"], create=True).plan(tmp_path / "t1.parquet").start().wait(10)
    other = ROWS.head(2).rename({"text": "Texte"})
    plan = Job(other, address, "t", ["to"], "update").plan(tmp_path / "t2.parquet")
    (told,) = [each for each in plan.problems() if each.rule == "no_fields"]
    assert "'text'" in told.advice


def test_report_shows_what_each_row_changed(tmp_path: Path) -> None:
    """Old and new values, or the message as it was sent, stand beside each outcome in the tables."""
    from openpyxl import load_workbook

    address = f"sqlite:///{tmp_path}/a.db"
    table: dict[str, Any] = {"table": "t", "key": ["to"], "create": True}
    Job(ROWS.head(2), address, **table).plan(tmp_path / "t1.parquet").start().wait(10)
    new = ROWS.head(2).with_columns(text=pl.Series(["hello", "neu {}"]))
    run = Job(new, address, **table).plan(tmp_path / "t2.parquet").start()
    run.wait(10)
    sheet = load_workbook(run.report(tmp_path / "r.xlsx"))["Outcomes"]
    (place,) = [cell.column for cell in sheet[1] if cell.value == "From → to"]
    assert [sheet.cell(row, place).value for row in (2, 3)] == [None, "text: =1+1 → neu {}"]
    letters = post_plan(tmp_path / "p").start()
    letters.wait(10)
    assert "Dear Bob" in letters.report(tmp_path / "r.csv").read_text(encoding="utf-8-sig")


def test_same_message_to_the_same_person_is_not_sent_again_from_a_changed_file(tmp_path: Path) -> None:
    """A file with a corrected row sends nobody the same words twice; the row alone may go."""
    first = post_plan(tmp_path).start()
    assert first.wait(10) is RunState.FINISHED
    longer = pl.concat([ROWS.head(2), pl.DataFrame({"to": ["Zoe"], "text": ["hello"]})])
    with pytest.raises(RunError, match="1 of these messages"):
        post_plan(tmp_path / "b", longer).start()
    assert post_plan(tmp_path / "c", longer.tail(1)).start().wait(10) is RunState.FINISHED


def test_canary_asked_for_on_resuming_counts_from_there(tmp_path: Path) -> None:
    """`resume --canary 2` sends two and pauses, however many were sent before."""
    names = [f"P{n}" for n in range(12)]
    plan = post_plan(tmp_path, pl.DataFrame({"to": names, "text": names}))
    run = plan.start(canary=5)
    for asked, sent in ((3, 5), (2, 8), (None, 10)):
        deadline = 200
        while run.state is not RunState.PAUSED and deadline:
            deadline -= 1
            run.wait(0.05)
        assert run.snapshot().outcomes["done"] == sent
        run.stop()
        assert run.wait(10) is RunState.STOPPED
        more: dict[str, Any] = {"canary": asked} if asked else {}
        run.resume(**more)
    assert run.wait(10) is RunState.FINISHED
    assert run.snapshot().outcomes["done"] == 12


def test_plan_says_how_long_a_gentle_pace_takes(tmp_path: Path) -> None:
    """Where the pace is slow by itself, the operator reads it before the start and not at midnight."""

    class Gentle(Post):
        preset: ClassVar = {"rate": 0.5, "delay": 2.0, "chunk_size": 50}

    names = [f"P{n}" for n in range(100)]
    frame = pl.DataFrame({"to": names, "text": names})
    plan = Job(frame, "post:office").plan(tmp_path / "p.parquet", target=Gentle())
    shown = CliRunner().invoke(cli, ["show", str(plan.path)]).output
    assert "30/min, 2 s between chunks of 50; at least 3 min" in shown


def test_dry_run_of_messages_keeps_no_pace(tmp_path: Path) -> None:
    """Nothing is sent, so nobody waits."""
    run = post_plan(tmp_path).start(dry_run=True, rate=0.001, delay=60, chunk_size=1)
    assert run.wait(5) is RunState.FINISHED
