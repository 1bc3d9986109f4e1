"""SQL targets on SQLite: files, locks, columns that hold any type, and apply-and-undo as a property."""

from __future__ import annotations

import sqlite3
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.errors import TargetError
from batchkit.targets.base import Fate, Result
from batchkit.targets.sql.sqlite_read import build_frame
from batchkit.targets.sql.target import SqlTarget
from tests.support.sql_databases import Database, connected, empty_sqlite
from tests.support.sql_frames import by_item, context, plan_frame


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """An empty one."""
    return empty_sqlite(tmp_path)


def opened(database: Database, **options: Any) -> SqlTarget:
    """A connected target, closed at the end of the test."""
    target = SqlTarget(database.url, **({"table": "t", "key": ["id"]} | options))
    return connected(target)


class TestFiles:
    """What is said of a file that can't be used."""

    def test_a_file_that_is_not_there_is_never_made_in_silence(self, tmp_path: Path) -> None:
        """A slip in the name is an error that names the file beside it, and leaves no empty file."""
        (tmp_path / "companies.sqlite").touch()
        with pytest.raises(TargetError, match=r"Did you mean companies\.sqlite"):
            SqlTarget(f"sqlite:///{tmp_path}/compagnies.sqlite", table="t", key=["id"]).connect()
        with pytest.raises(TargetError, match="no folder"):
            SqlTarget(f"sqlite:///{tmp_path}/nowhere/x.sqlite", table="t", key=["id"]).connect()
        with pytest.raises(TargetError, match="is a folder"):
            SqlTarget(f"sqlite:///{tmp_path}", table="t", key=["id"]).connect()
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["companies.sqlite"]

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        """A CSV given as a database is called what it is, and isn't held open any longer."""
        path = tmp_path / "data.csv"
        path.write_text("siret;nom\n" * 1000)
        with pytest.raises(TargetError, match="is not an SQLite database"):
            SqlTarget(f"sqlite:///{path}", table="t", key=["id"]).connect()
        assert str(path) not in {file.path for file in psutil.Process().open_files()}

    def test_a_file_that_may_not_be_written(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A read-only file is told before anything is planned."""
        monkeypatch.setattr("os.access", lambda *_: False)
        with pytest.raises(TargetError, match="can't be written"):
            SqlTarget(database.url, table="t", key=["id"]).connect()

    def test_a_new_file_is_made_by_the_first_chunk_and_not_by_a_dry_run(self, tmp_path: Path) -> None:
        """Asked to create, connect and a dry run leave no file; applying does, and with odd names too."""
        path = tmp_path / "été 50%?#.sqlite"
        target = opened(Database("sqlite", f"sqlite:///{path}", path), create=True)
        frame = pl.DataFrame(
            {
                "item": [0],
                "row": [2],
                "change": ["create"],
                "key:id": ["1"],
                "before:v": [None],
                "after:v": ["x"],
            },
            schema_overrides={"item": pl.UInt32, "row": pl.UInt32, "before:v": pl.String},
        )
        assert target.apply(frame, context(frame, dry_run=True)) == []
        assert not path.exists()
        assert target.apply(frame, context(frame)) == []
        assert Database("sqlite", "", path).query("SELECT * FROM t") == [("1", "x")]

    def test_a_locked_file_is_to_be_retried(self, database: Database) -> None:
        """While another program holds the file, the chunk is tried again later; then it goes in."""
        database.execute("CREATE TABLE t (id integer PRIMARY KEY, v text)")
        target = opened(database, busy_timeout=0.05)
        frame = plan_frame([("create", None, {"id": 1, "v": "x"})], ["id"], target.fields())
        other = sqlite3.connect(database.path or "", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Exception, match="locked") as caught:
            target.apply(frame, context(frame))
        failure = target.classify(caught.value)
        assert (failure.fate, failure.rule, failure.connection) == (Fate.RETRY, "locked", False)
        other.execute("ROLLBACK")
        other.close()
        assert target.apply(frame, context(frame)) == []

    def test_a_full_disk_ends_the_run_and_loses_nothing(self, database: Database) -> None:
        """No room: the chunk is rolled back whole, and the advice says to make room and resume."""
        database.execute("CREATE TABLE t (id integer PRIMARY KEY, v text)")
        target = opened(database)
        frame = plan_frame(
            [("create", None, {"id": i, "v": "x" * 500}) for i in range(500)], ["id"], target.fields()
        )
        with target._open_engine().connect() as link:
            link.exec_driver_sql("PRAGMA max_page_count = 10")
        with pytest.raises(Exception, match="full") as caught:
            target.apply(frame, context(frame))
        failure = target.classify(caught.value)
        assert (failure.fate, failure.rule) == (Fate.ABORT, "disk_full")
        assert "resume" in failure.advice
        assert database.query("SELECT count(*) FROM t") == [(0,)]
        target.close()
        assert target.apply(frame, context(frame)) == []

    def test_the_journal_mode_is_left_as_it_is(self, database: Database) -> None:
        """WAL or not is the owner's choice."""
        for mode in ("wal", "delete"):
            database.execute("DROP TABLE IF EXISTS t", "CREATE TABLE t (id integer PRIMARY KEY)")
            link = sqlite3.connect(database.path or "")
            link.execute(f"PRAGMA journal_mode = {mode}")
            link.close()
            target = opened(database)
            frame = plan_frame([("create", None, {"id": 1})], ["id"], target.fields())
            target.apply(frame, context(frame))
            target.close()
            assert database.query("PRAGMA journal_mode") == [(mode,)]


class TestAnyType:
    """SQLite's columns hold what they are given."""

    def test_values_of_another_type_are_read_as_text_or_not_at_all(self, database: Database) -> None:
        """Numbers in a text column come as text; what the declared type can't carry comes as null."""
        database.execute(
            "CREATE TABLE t (id integer PRIMARY KEY, v, d date, n integer, b boolean, x decimal(10,2))"
        )
        database.execute(
            "INSERT INTO t VALUES (1, 5, 'soon', 'many', 'true', 0.1 + 0.2), (2, 2.0, '2020-01-02', 7, 0, 3)"
        )
        names = ["id", "v", "d", "n", "b", "x"]
        found = opened(database).read(pl.DataFrame({"id": [1, 2]}), names[1:]).sort("id")
        assert found.select(names).rows() == [
            (1, "5", None, None, True, Decimal("0.30")),
            (2, "2", date(2020, 1, 2), 7, False, Decimal("3.00")),
        ]
        assert found.select("lost:d", "lost:n").rows() == [("soon", "many"), (None, None)]

    def test_what_the_declared_type_cannot_carry_is_not_overwritten(self, database: Database) -> None:
        """A text in a date column, read as empty, is a conflict and not a free place."""
        database.execute(
            "CREATE TABLE t (id integer PRIMARY KEY, d date)", "INSERT INTO t VALUES (1, 'soon'), (2, NULL)"
        )
        target = opened(database)
        frame = plan_frame(
            [("update", {"id": i, "d": None}, {"id": i, "d": date(2020, 1, 1)}) for i in (1, 2)],
            ["id"],
            target.fields(),
        )
        (result,) = target.apply(frame, context(frame))
        assert (result.item, str(result.outcome), result.rule) == (0, "conflict", "unreadable")
        assert result.detail == {"d": {"planned": None, "found": "soon", "wanted": "2020-01-01"}}
        assert database.query("SELECT d FROM t") == [("soon",), ("2020-01-01",)]

    @pytest.mark.parametrize(
        "stored",
        ["2020-01-02 03:04:05", "2020-01-02T03:04:05", "2020-01-02 03:04:05.000000", "2020-01-02T03:04:05Z"],
    )
    def test_instants_are_compared_by_what_they_say(self, database: Database, stored: str) -> None:
        """However other programs write an instant, it is not a conflict when it is the same."""
        database.execute(
            "CREATE TABLE t (id integer PRIMARY KEY, at datetime)", f"INSERT INTO t VALUES (1, '{stored}')"
        )
        target = opened(database)
        before = target.read(pl.DataFrame({"id": [1]}), ["at"]).row(0, named=True)
        assert before["at"] == datetime(2020, 1, 2, 3, 4, 5)
        frame = plan_frame([("update", before, before | {"at": None})], ["id"], target.fields())
        assert target.apply(frame, context(frame)) == []

    def test_a_decimal_of_more_digits_than_a_float_is_refused(self, database: Database) -> None:
        """It would be read back as another number."""
        database.execute("CREATE TABLE t (id integer PRIMARY KEY, n decimal(20,2), whole decimal(18,0))")
        target = opened(database)
        rows = [
            {"id": 1, "n": Decimal("9999999999999.99"), "whole": Decimal(10**17 + 1)},
            {"id": 2, "n": Decimal("12345678901234567.89"), "whole": None},
        ]
        frame = plan_frame([("create", None, row) for row in rows], ["id"], target.fields())
        assert by_item(target.apply(frame, context(frame))) == {1: ("rejected", "out_of_range")}
        assert target.read(pl.DataFrame({"id": [1]}), ["n", "whole"]).row(0, named=True) == rows[0]

    def test_a_text_that_is_not_utf8_is_shown_and_not_overwritten(self, database: Database) -> None:
        """Bytes of another encoding don't stop the reading; writing over them is a conflict."""
        database.execute(
            "CREATE TABLE t (id integer PRIMARY KEY, v text)", "INSERT INTO t VALUES (1, CAST(x'E9' AS text))"
        )
        target = opened(database)
        before = target.read(pl.DataFrame({"id": [1]}), ["v"]).row(0, named=True)
        assert before["v"] == "\ufffd"
        frame = plan_frame([("update", before | {"v": "é"}, before | {"v": "x"})], ["id"], target.fields())
        assert by_item(target.apply(frame, context(frame))) == {0: ("conflict", "changed")}

    def test_a_rollback_ordered_by_a_trigger_is_nothing_half_done(self, database: Database) -> None:
        """A trigger that rolls the whole transaction back leaves nothing of the chunk, and is told."""
        database.execute(
            "CREATE TABLE t (id integer PRIMARY KEY)",
            "CREATE TRIGGER r BEFORE INSERT ON t WHEN new.id = 2 "
            "BEGIN SELECT RAISE(ROLLBACK, 'all of it'); END",
        )
        target = opened(database)
        frame = plan_frame([("create", None, {"id": i}) for i in range(4)], ["id"], target.fields())
        with pytest.raises(sqlite3.IntegrityError, match="all of it") as caught:
            target.apply(frame, context(frame))
        assert (
            target.classify(caught.value).fate is Fate.REJECT
        )  # the engine splits the chunk and finds the row
        assert database.query("SELECT count(*) FROM t") == [(0,)]


VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"), max_size=5)
    | st.sampled_from(
        ["2020-01-02", "2020-01-02 03:04:05", 0, 1, "true", 0.1 + 0.2, 10**15, b"\xff", '"', "\\"]
    )
)


@given(columns=st.lists(st.lists(VALUES, min_size=4, max_size=4), min_size=6, max_size=6))
def test_columns_read_as_json_are_those_read_row_by_row(columns: list[list[Any]]) -> None:
    """Whatever a table holds, the quick way of reading says the same as the plain one."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.sqlite"
        path.touch()
        database = Database("sqlite", f"sqlite:///{path}", path)
        database.execute(
            "CREATE TABLE t (id text, a text, n integer, x decimal(10,2), d date, b boolean, j json)"
        )
        link = sqlite3.connect(path)
        link.executemany(
            "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(str(i), *values) for i, values in enumerate(zip(*columns, strict=True))],
        )
        link.commit()
        target = SqlTarget(database.url, table="t", key=["id"])
        names = ["id", "a", "n", "x", "d", "b", "j"]
        for one in names[1:]:  # alone, so that one odd column doesn't send the others the slow way
            found = target.read(pl.DataFrame({"id": ["0", "1", "2", "3"]}), [one]).sort("id")
            table = target._find_table()
            assert table is not None
            plain = build_frame(
                table, ["id", one], link.execute(f'SELECT id, "{one}" FROM t ORDER BY id').fetchall()
            )
            assert found.equals(plain)
        link.close()
        target.close()


ROW = st.fixed_dictionaries(
    {
        "a": st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=4),
        "n": st.none() | st.integers(-3, 3),
        "x": st.none() | st.decimals(-9, 9, places=2),
        "d": st.none() | st.dates(),
    }
)
TABLE = st.dictionaries(st.integers(1, 6), ROW, max_size=6)


@given(planned=TABLE, edited=TABLE, wanted=TABLE)
def test_apply_writes_what_fits_and_undo_takes_it_back(
    planned: dict[int, dict[str, Any]], edited: dict[int, dict[str, Any]], wanted: dict[int, dict[str, Any]]
) -> None:
    """Whatever was planned and whoever edited since: each item has one outcome, and undo restores the table.

    Rows are as wanted, or as they were where the outcome is not `done`; negative numbers are refused by a
    CHECK.
    """
    current = planned | edited
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t.sqlite"
        path.touch()
        database = Database("sqlite", f"sqlite:///{path}", path)
        database.execute(
            "CREATE TABLE t "
            "(id integer PRIMARY KEY, a text, n integer CHECK (n >= -2), x decimal(6,2), d date)"
        )
        target = SqlTarget(database.url, table="t", key=["id"])
        current = {key: row for key, row in current.items() if row["n"] != -3}
        write(target, [("create", None, {"id": key} | row) for key, row in current.items()])
        before = read(target)
        changes = changes_between(planned, wanted)
        results = {result.item: result for result in write(target, changes)}
        after = read(target)
        result_kept: dict[int, list[str] | None] = {}
        for item, (_, old, new) in enumerate(changes):
            key = (new or old or {})["id"]
            outcome = str(results[item].outcome) if item in results else "done"
            result_kept[item] = kept_by(results.get(item))
            expected = new if outcome == "done" else before.get(key)
            if outcome != "unchanged":
                assert_holds(after.get(key), expected, old, before.get(key))
        untouched = set(before) - {(new or old or {})["id"] for _, old, new in changes}
        assert {key: after[key] for key in untouched} == {key: before[key] for key in untouched}
        inverse = [
            (INVERSE[kind], new, leaving(old, new, result_kept[item]))
            for item, (kind, old, new) in enumerate(changes)
            if item not in results or result_kept[item]
        ]
        assert write(target, inverse) == []
        assert read(target) == before
        target.close()


INVERSE = {"create": "delete", "delete": "create", "update": "update"}


def kept_by(result: Result | None) -> list[str] | None:
    """The fields that were as wanted before the run came."""
    detail = result.detail if result is not None else None
    return list(detail["kept"]) if detail and "kept" in detail else None


def leaving(old: dict[str, Any] | None, new: dict[str, Any] | None, kept: list[str] | None) -> Any:
    """What an undo wants back: all but the fields that the run did not change."""
    return old if old is None or new is None else old | {name: new[name] for name in kept or ()}


def changes_between(
    planned: dict[int, dict[str, Any]], wanted: dict[int, dict[str, Any]]
) -> list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]:
    """A plan that turns one table into the other."""
    changes: list[tuple[str, dict[str, Any] | None, dict[str, Any] | None]] = []
    for key in sorted(set(planned) | set(wanted)):
        old = {"id": key} | planned[key] if key in planned else None
        new = {"id": key} | wanted[key] if key in wanted else None
        if old != new:
            changes.append(("update" if old and new else "create" if new else "delete", old, new))
    return changes


def write(target: SqlTarget, changes: list[Any]) -> list[Any]:
    """Apply changes as one chunk."""
    frame = plan_frame(changes, ["id"], target.fields())
    return target.apply(frame, context(frame))


def read(target: SqlTarget) -> dict[int, dict[str, Any]]:
    """The whole table by key."""
    frames = list(target.scan_keys(["a", "n", "x", "d"]))
    return {row["id"]: row for frame in frames for row in frame.rows(named=True)}


def assert_holds(found: Any, expected: Any, old: Any, before: Any) -> None:
    """A row holds what is expected; fields the plan doesn't change may hold what somebody else wrote."""
    if found is None or expected is None or old is None:
        assert found == expected
        return
    for name, value in expected.items():
        assert found[name] in ((value, before[name]) if old[name] == value else (value,))
