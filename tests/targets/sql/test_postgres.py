"""SQL targets on PostgreSQL: concurrency, types of its own, policies, and a server that goes away."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import psycopg
import pytest

from batchkit.core.errors import TargetError, TargetUnreachable
from batchkit.planning.job import Job
from batchkit.targets.base import Fate
from batchkit.targets.sql.target import SqlTarget
from tests.support.services import PostgresServer
from tests.support.sql_databases import Database, connected
from tests.support.sql_frames import by_item, context, plan_frame


@pytest.fixture
def database(postgres_url: str) -> Database:
    """An empty one."""
    return Database("postgresql", postgres_url)


def opened(database: Database, table: str = "t", key: tuple[str, ...] = ("id",), **options: Any) -> SqlTarget:
    """A connected target, closed at the end of the test."""
    target = SqlTarget(database.url, table=table, key=key, **options)
    return connected(target)


def link_to(database: Database) -> psycopg.Connection[Any]:
    """Another program's connection."""
    return psycopg.connect(database.url.replace("+psycopg", ""))


class TestTypes:
    """Types that only PostgreSQL has."""

    TABLE = """
    CREATE TYPE mood AS ENUM ('sad', 'fine'); CREATE DOMAIN zip AS varchar(5) CHECK (VALUE ~ '^[0-9]+$');
    CREATE TABLE t (id bigint PRIMARY KEY, u uuid, j json, jb jsonb, arr text[], m mood, z zip, c char(6),
      n numeric, f4 real, tz timestamptz, raw bytea, t time, iv interval, ip inet, p point,
      made text GENERATED ALWAYS AS ('x' || id) STORED, serial_no serial, big numeric(50,3))
    """
    ROW = {  # noqa: RUF012 - never changed
        "id": 2**62,
        "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "j": '{"b":1,  "a": [1,2]}',
        "jb": '{"a": [1, 2], "b": 1}',
        "arr": '{a,"b c",NULL}',
        "m": "fine",
        "z": "01000",
        "c": "ab",
        "n": Decimal("12.5"),
        "f4": 0.1,
        "tz": datetime(2021, 1, 31, 10, 20, 30),
        "raw": b"\x00\xff",
        "t": "10:20:30",
        "iv": "1 day 02:00:00",
        "ip": "10.0.0.1",
        "p": "(1,2)",
        "serial_no": 7,
        "big": "12345678901234567890123456789012345678901234.125",
    }

    def test_every_type_goes_in_and_comes_back(self, database: Database) -> None:
        """Enums, domains, arrays, JSON, UUIDs, time zones, bytes: written, read back, compared, deleted."""
        database.execute(self.TABLE)
        target = opened(database)
        fields = target.fields()
        assert fields["made"].generated
        assert fields["serial_no"].has_default
        assert (fields["z"].max_length, fields["c"].max_length) == (5, 6)
        assert (fields["id"].minimum, fields["id"].maximum) == (-(2**63), 2**63 - 1)
        types = {name: field for name, field in fields.items() if name != "made"}
        frame = plan_frame([("create", None, self.ROW)], ["id"], types)
        assert target.apply(frame, context(frame)) == []
        assert database.query("SELECT n::text, c::text FROM t") == [("12.5", "ab")]
        found = target.read(pl.DataFrame({"id": [2**62]}), [n for n in types if n != "id"]).row(0, named=True)
        assert found == self.ROW
        changed = self.ROW | {"n": Decimal("0.25"), "j": "[]", "p": "(3,4)", "c": "abc", "raw": b""}
        update = plan_frame([("update", found, changed)], ["id"], types)
        assert target.apply(update, context(update)) == []
        assert target.apply(update, context(update, recovering=True)) == []
        delete = plan_frame([("delete", changed, None)], ["id"], types)
        assert target.apply(delete, context(delete)) == []
        assert database.query("SELECT count(*) FROM t") == [(0,)]

    @pytest.mark.parametrize(
        ("column", "value", "rule"),
        [
            ("u", "not-a-uuid", "type"),
            ("m", "angry", "type"),
            ("z", "abc", "check"),
            ("z", "123456", "too_long"),
            ("c", "1234567", "too_long"),
            ("jb", "{broken", "type"),
            ("serial_no", 2**40, "out_of_range"),
            ("ip", "10.0.0.300", "type"),
        ],
    )
    def test_a_value_that_does_not_fit_stands_alone(
        self, database: Database, column: str, value: Any, rule: str
    ) -> None:
        """Even a value that can't be staged is isolated and its column named; the others go in."""
        database.execute(self.TABLE)
        target = opened(database)
        types = {name: field for name, field in target.fields().items() if name != "made"}
        rows = [self.ROW | {"id": i, "serial_no": i} for i in range(300)]
        rows[123] |= {column: value}
        frame = plan_frame([("create", None, row) for row in rows], ["id"], types)
        (result,) = target.apply(frame, context(frame))
        assert (result.item, result.rule) == (123, rule)
        if rule != "check":
            assert (result.detail or {}).get("column") == column
        assert database.query("SELECT count(*) FROM t") == [(299,)]

    def test_what_a_field_cannot_carry_is_never_overwritten(self, database: Database) -> None:
        """Infinity in a date column is read as empty; writing over it is not taken for granted."""
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, d date)", "INSERT INTO t VALUES (1, 'infinity')"
        )
        target = opened(database)
        before = target.read(pl.DataFrame({"id": [1]}), ["d"]).row(0, named=True)
        assert before == {"id": 1, "d": None, "lost:d": "infinity"}
        frame = plan_frame([("update", before, {"id": 1, "d": date(2020, 1, 1)})], ["id"], target.fields())
        (result,) = target.apply(frame, context(frame))
        assert (str(result.outcome), result.rule) == ("conflict", "unreadable")
        assert "infinity" in result.reason
        assert database.query("SELECT d::text FROM t") == [("infinity",)]


class TestPlans:
    """Plans against types whose values the server writes in its own way."""

    def test_texts_are_compared_as_the_server_writes_them(self, database: Database) -> None:
        """A UUID in capitals, a short time, an interval in words and money are what is there already."""
        database.execute(
            "CREATE TABLE t (id uuid PRIMARY KEY, h time, iv interval, m money, ip inet, f real, "
            "big numeric(50,3), a int[])",
            "INSERT INTO t VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10:00', '36 hours', '1234.5', "
            "'10.0.0.1', 0.123456789, 1.5, '{1,2}')",
        )
        rows = {
            "id": ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"],
            "h": ["10:00"],
            "iv": ["36 hours"],
            "m": ["1234.5"],
            "ip": ["10.0.0.1/32"],
            "f": ["0.123456789"],
            "big": ["1.5"],
            "a": ["{1, 2}"],
        }
        job = Job(pl.DataFrame(rows), database.url, "t", ["id"], delete=True, delete_cap=1)
        plan = job.plan()
        assert plan.counts == {"unchanged": 1}
        assert [one.key for one in plan.page()] == ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]

    def test_a_value_the_server_cannot_take_is_a_problem_of_its_row(self, database: Database) -> None:
        """Told in the plan with row, column and the server's words; a key that can't be read spares all."""
        database.execute(
            "CREATE TABLE t (id uuid PRIMARY KEY, h time)",
            "INSERT INTO t VALUES ('00000000-0000-0000-0000-000000000009', '10:00')",
        )
        one = "00000000-0000-0000-0000-00000000000"
        rows = {"id": [one + "1", "nonsense", one + "3"], "h": ["10:00", "11:00", "25:99"]}
        plan = Job(pl.DataFrame(rows), database.url, "t", ["id"], delete=True, delete_cap=9).plan()
        assert plan.counts == {"create": 1, "invalid": 2}
        found = [(p.row, p.column, p.value, p.rule) for p in plan.problems() if p.level == "error"]
        assert found == [(3, "id", "nonsense", "type"), (4, "h", "25:99", "type")]
        assert "nonsense" in plan.problems()[1].message
        assert any("Nothing is deleted" in each.message for each in plan.summary().notices)

    def test_what_the_plan_cannot_read_is_told_and_not_taken_for_empty(self, database: Database) -> None:
        """Infinity and a year BC are problems of their rows, with the server's text; other rows go on."""
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, d date, n int)",
            "INSERT INTO t VALUES (1, 'infinity', 1), (2, '0044-03-15 BC', 1), (3, '2020-01-01', 1)",
        )
        rows = {"id": [1, 2, 3], "d": [None, "2020-01-01", "2020-01-02"], "n": [1, 1, 1]}
        job = Job(pl.DataFrame(rows), database.url, "t", ["id"])
        plan = job.plan()
        assert plan.counts == {"update": 1, "invalid": 2}
        found = [(p.row, p.column, p.value, p.rule) for p in plan.problems()]
        assert found == [
            (2, "d", "infinity", "unreadable"),
            (3, "d", "0044-03-15 BC", "unreadable"),
        ]
        without = pl.DataFrame({name: rows[name] for name in ("id", "n")})
        assert Job(without, database.url, "t", ["id"]).plan().counts == {"unchanged": 3}

    def test_an_undo_never_brings_back_a_rounded_number(self, database: Database) -> None:
        """A number of more decimals than a plan keeps is changed with a notice, and left out of the undo."""
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, n numeric)",
            "INSERT INTO t VALUES (1, 1.123456789012), (2, 1.5000000000000), (3, 7.000000000001)",
        )
        rows = pl.DataFrame({"id": [1, 2], "n": ["2", "3"]})
        plan = Job(rows, database.url, "t", ["id"], delete=True, delete_cap=1).plan()
        assert plan.counts == {"update": 2, "delete": 1}
        assert [(p.value, p.rule, p.level) for p in plan.problems()] == [
            ("1.123456789012", "rounded", "notice"),
            ("7.000000000001", "rounded", "notice"),
        ]
        run = plan.start(report=False)
        run.wait(20)
        assert run.snapshot().outcomes["done"] == 3
        undo = run.undo()
        assert [(one.change, one.key) for one in undo.page()] == [("update", "2")]
        assert "2 items cannot be undone" in undo.summary().notices[0].message
        undo.start(report=False).wait(20)
        assert database.query("SELECT id, n::text FROM t ORDER BY id") == [(1, "2"), (2, "1.5")]

    def test_twins_are_told_by_what_the_server_reads(self, database: Database) -> None:
        """The same UUID in capitals and in small letters is one key."""
        database.execute("CREATE TABLE t (id uuid PRIMARY KEY)")
        key = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
        plan = Job(pl.DataFrame({"id": [key, key.upper()]}), database.url, "t", ["id"]).plan()
        assert plan.counts == {"duplicate": 2}

    def test_a_name_that_looks_like_our_quotes(self, database: Database) -> None:
        """A column may be called what the function that sorts rows out is quoted by."""
        database.execute(
            'CREATE TABLE t (id int PRIMARY KEY, "a $batchkit0$ b" text NOT NULL, "$batchkit$" text)'
        )
        target = opened(database)
        rows = [{"id": i, "a $batchkit0$ b": "x" if i else None, "$batchkit$": "y"} for i in range(3)]
        frame = plan_frame([("create", None, row) for row in rows], ["id"], target.fields())
        assert by_item(target.apply(frame, context(frame))) == {0: ("rejected", "not_null")}


class TestConcurrency:
    """Other writers at the same time."""

    def test_an_edit_in_flight_is_waited_for_and_then_a_conflict(self, database: Database) -> None:
        """A chunk that meets another's uncommitted edit waits for it, and doesn't overwrite it."""
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1,'a'), (2,'b')"
        )
        target = opened(database)
        frame = plan_frame(
            [("update", {"id": i, "v": v}, {"id": i, "v": "new"}) for i, v in [(1, "a"), (2, "b")]]
            + [("create", None, {"id": 3, "v": "new"})],
            ["id"],
            target.fields(),
        )
        with ThreadPoolExecutor(1) as pool, link_to(database) as other:
            other.execute("UPDATE t SET v = 'edited' WHERE id = 2")
            other.execute("INSERT INTO t VALUES (3, 'theirs')")
            waiting = pool.submit(target.apply, frame, context(frame))
            wait_for_lock(database)
            other.commit()
            results = waiting.result(30)
        assert by_item(results) == {1: ("conflict", "changed"), 2: ("conflict", "exists")}
        assert database.query("SELECT * FROM t ORDER BY id") == [(1, "new"), (2, "edited"), (3, "theirs")]

    @pytest.mark.parametrize("index", ["PRIMARY KEY", ""])
    def test_two_writers_never_create_a_row_twice(self, database: Database, index: str) -> None:
        """The same creates from eight threads: each row once, with an index on the key and without."""
        database.execute(f"CREATE TABLE t (id int {index}, v text)")
        target = opened(database)
        frame = plan_frame(
            [("create", None, {"id": i, "v": "x"}) for i in range(200)], ["id"], target.fields()
        )
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: target.apply(frame, context(frame)), range(8)))
        assert sorted(len(result) for result in results) == [0] + [200] * 7
        assert database.query("SELECT count(*), count(DISTINCT id) FROM t") == [(200, 200)]

    def test_a_deadlock_is_to_be_retried(self, database: Database) -> None:
        """Two transactions that wait for each other: the one that is broken off has lost nothing but time."""
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, v text)", "INSERT INTO t VALUES (1,'a'), (2,'b')"
        )
        target = opened(database)
        delete_then_update = plan_frame(
            [("delete", {"id": 1, "v": "a"}, None), ("update", {"id": 2, "v": "b"}, {"id": 2, "v": "new"})],
            ["id"],
            target.fields(),
        )
        with ThreadPoolExecutor(1) as pool, link_to(database) as other:
            # The other one finds the deadlock late, so that it is the target that is broken off.
            other.execute("SET LOCAL deadlock_timeout = '20s'")
            other.execute("UPDATE t SET v = 'x' WHERE id = 2")
            waiting = pool.submit(target.apply, delete_then_update, context(delete_then_update))
            wait_for_lock(database)
            blocker = threading.Thread(target=lambda: other.execute("UPDATE t SET v = 'y' WHERE id = 1"))
            blocker.start()
            with pytest.raises(psycopg.errors.DeadlockDetected) as caught:
                waiting.result(30)
            blocker.join()
            other.rollback()
        assert target.classify(caught.value).fate is Fate.RETRY
        assert target.apply(delete_then_update, context(delete_then_update, recovering=True)) == []
        assert database.query("SELECT * FROM t") == [(2, "new")]

    def test_a_lock_held_too_long_is_to_be_retried(self, database: Database) -> None:
        """A locked table is given up after the lock timeout and tried again later."""
        database.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        target = opened(database, lock_timeout=0.1)
        frame = plan_frame([("create", None, {"id": 1, "v": "x"})], ["id"], target.fields())
        with link_to(database) as other:
            other.execute("LOCK TABLE t")
            with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
                target.apply(frame, context(frame))
            other.rollback()
        assert (target.classify(caught.value).fate, target.classify(caught.value).rule) == (
            Fate.RETRY,
            "locked",
        )
        assert target.apply(frame, context(frame)) == []

    def test_a_record_of_append_holds_under_two_senders(self, database: Database) -> None:
        """The same chunk from four threads at once goes in once, even while the table of records is made."""
        database.execute("CREATE TABLE t (v text)")
        target = opened(database, key=(), mode="append")
        frame = plan_frame([("create", None, {"v": "x"}) for _ in range(50)], [], target.fields())
        others = [opened(database, key=(), mode="append") for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda one: one.apply(frame, context(frame)), others)) == [[]] * 4
        assert database.query("SELECT count(*) FROM t") == [(50,)]


def wait_for_lock(database: Database) -> None:
    """Until some transaction waits for another."""
    for _ in range(1000):
        if database.query("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0]:
            return
        threading.Event().wait(0.01)
    raise AssertionError("nobody waits")


class TestServer:
    """Logins, rights, and a server that goes away."""

    def test_rows_that_a_policy_hides_are_told(self, database: Database) -> None:
        """Row-level security refuses creates with its reason; rows it hides are a conflict, not a success."""
        database.execute(
            "DROP ROLE IF EXISTS clerk",
            "CREATE ROLE clerk LOGIN",
            "CREATE TABLE t (id int PRIMARY KEY, v text)",
            "INSERT INTO t VALUES (1, 'a'), (2, 'secret')",
            "GRANT ALL ON t TO clerk",
            "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY p ON t TO clerk USING (v <> 'secret') WITH CHECK (v <> 'forbidden')",
        )
        clerk = Database("postgresql", database.url.replace("postgres@", "clerk@"))
        target = opened(clerk)
        frame = plan_frame(
            [
                ("update", {"id": 1, "v": "a"}, {"id": 1, "v": "new"}),
                ("update", {"id": 2, "v": "secret"}, {"id": 2, "v": "new"}),
                ("create", None, {"id": 3, "v": "forbidden"}),
                ("create", None, {"id": 4, "v": "x"}),
            ],
            ["id"],
            target.fields(),
        )
        expected = {1: ("conflict", "gone"), 2: ("rejected", "policy")}
        assert by_item(target.apply(frame, context(frame))) == expected
        assert database.query("SELECT id, v FROM t ORDER BY id") == [(1, "new"), (2, "secret"), (4, "x")]
        target.close()
        database.execute("DROP OWNED BY clerk", "DROP ROLE clerk")

    def test_no_right_to_write_ends_the_run(self, database: Database) -> None:
        """A missing right is no row's fault: the run is to give up, with advice."""
        database.execute(
            "DROP ROLE IF EXISTS reader",
            "CREATE ROLE reader LOGIN",
            "CREATE TABLE t (id int PRIMARY KEY)",
            "GRANT SELECT ON t TO reader",
        )
        target = opened(Database("postgresql", database.url.replace("postgres@", "reader@")))
        frame = plan_frame([("create", None, {"id": 1})], ["id"], target.fields())
        with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
            target.apply(frame, context(frame))
        failure = target.classify(caught.value)
        assert (failure.fate, failure.rule) == (Fate.ABORT, "permission")
        assert "GRANT" in failure.advice.upper()
        target.close()
        database.execute("DROP OWNED BY reader", "DROP ROLE reader")

    def test_wrong_addresses_are_told_apart(self, database: Database) -> None:
        """No server, no such database, no such role: three errors, none of them with the password."""
        base, name = database.url.replace("postgres@", "postgres:s3cret@").rsplit("/", 1)
        with pytest.raises(TargetError, match="does not exist") as unknown:
            SqlTarget(f"{base}/nowhere", table="t", key=["id"]).connect()
        with pytest.raises(TargetError, match="refuses the login of nobody") as login:
            SqlTarget(f"{base.replace('postgres:', 'nobody:')}/{name}", table="t", key=["id"]).connect()
        with pytest.raises(TargetUnreachable, match="Nobody answers") as closed:
            SqlTarget("postgresql://me:s3cret@127.0.0.1:1/db", table="t", key=["id"]).connect()
        for caught in (unknown, login, closed):
            assert caught.value.advice
            assert "s3cret" not in str(caught.value)

    def test_schemas_and_views(self, database: Database) -> None:
        """A table of another schema is written by its full name; a near one is named when it is missing."""
        database.execute("CREATE SCHEMA sales", "CREATE TABLE sales.orders (id int PRIMARY KEY, v text)")
        target = opened(database, table="sales.orders")
        frame = plan_frame([("create", None, {"id": 1, "v": "x"})], ["id"], target.fields())
        assert target.apply(frame, context(frame)) == []
        assert database.query("SELECT v FROM sales.orders") == [("x",)]
        with pytest.raises(TargetError, match=r"sales\.orders"):
            opened(database, table="orders")

    def test_a_server_that_restarts(self, postgres_server: PostgresServer) -> None:
        """While it is down calls are to be retried; once it is up the same target goes on."""
        database = Database("postgresql", postgres_server.create_database())
        database.execute("CREATE TABLE t (id int PRIMARY KEY, v text)")
        target = opened(database)
        frame = plan_frame([("create", None, {"id": 1, "v": "x"})], ["id"], target.fields())
        assert target.apply(frame, context(frame)) == []
        postgres_server.stop("immediate")
        for _ in range(2):
            with pytest.raises(Exception, match=r"connection|terminat") as caught:
                target.apply(frame, context(frame, recovering=True))
            failure = target.classify(caught.value)
            assert (failure.fate, failure.connection) == (Fate.RETRY, True)
        postgres_server.start()
        assert target.apply(frame, context(frame, recovering=True)) == []
        assert target.apply(frame, context(frame)) != []

    def test_a_result_can_be_kept_as_json(self, database: Database) -> None:
        """Details of conflicts hold nothing that JSON can't."""
        database.execute(
            "CREATE TABLE t (id int PRIMARY KEY, d date, n numeric(5,2), b bytea)",
            "INSERT INTO t VALUES (1, '2020-01-01', 1.5, 'x')",
        )
        target = opened(database)
        old = {"id": 1, "d": date(2019, 1, 1), "n": Decimal("2.00"), "b": b"y"}
        new = {"id": 1, "d": date(2021, 1, 1), "n": Decimal("3.00"), "b": b"z"}
        frame = plan_frame([("update", old, new)], ["id"], target.fields())
        (result,) = target.apply(frame, context(frame))
        assert json.loads(json.dumps(result.detail))["d"] == {
            "planned": "2019-01-01",
            "found": "2020-01-01",
            "wanted": "2021-01-01",
        }
