"""SQL targets: rows without a key exactly once, and names that become ids."""

from __future__ import annotations

from typing import Any, ClassVar

import polars as pl
import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from batchkit.core.columns import FieldType
from batchkit.core.errors import RunError
from batchkit.targets.base import ChunkContext
from batchkit.targets.sql.target import SqlTarget
from tests.support.sql_databases import (
    Database,
    connected,
    open_companies,
)
from tests.support.sql_frames import by_item, context, plan_frame


class TestAppend:
    """Rows without a key go in exactly once."""

    TYPES: ClassVar = {"name": FieldType("text", nullable=False), "n": FieldType("integer")}

    def open_log(self, database: Database) -> SqlTarget:
        """A table without a key."""
        database.execute("CREATE TABLE log (name text NOT NULL, n integer)")
        return connected(SqlTarget(database.url, table="log", mode="append"))

    def test_a_chunk_sent_twice_goes_in_once(self, database: Database) -> None:
        """The second time nothing is written, and the refusals of the first time are told again."""
        target = self.open_log(database)
        same: list[Any] = [("create", None, {"name": name, "n": 1}) for name in ("a", "a", None)]
        frame = plan_frame(same, [], self.TYPES)
        first = target.apply(frame, context(frame))
        assert by_item(first) == {2: ("rejected", "not_null")}
        assert target.apply(frame, context(frame, recovering=True)) == first
        assert database.query("SELECT name FROM log") == [("a",), ("a",)]
        assert target.apply(frame, context(frame, run="another run")) == first
        assert database.query("SELECT count(*) FROM log") == [(4,)]

    def test_it_knows_which_runs_wrote_to_it(self, database: Database) -> None:
        """By the records beside the rows, which a database made anew has none of."""
        target = self.open_log(database)
        frame = plan_frame([("create", None, {"name": "a", "n": 1})], [], self.TYPES)
        assert target.has_run("run1") is False
        target.apply(frame, context(frame, run="run1"))
        assert (target.has_run("run1"), target.has_run("run2")) == (True, False)
        database.execute("DROP TABLE _batchkit_chunks")
        assert target.has_run("run1") is False

    def test_a_chunk_that_was_rolled_back_goes_in(self, database: Database) -> None:
        """Death before the COMMIT leaves no record: the chunk is written when it is sent again."""
        target = self.open_log(database)
        frame = plan_frame([("create", None, {"name": "a", "n": 1})], [], self.TYPES)

        def die(_link: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement == "COMMIT":
                raise KeyboardInterrupt

        event.listen(Engine, "before_cursor_execute", die)
        try:
            with pytest.raises(KeyboardInterrupt):
                target.apply(frame, context(frame))
        finally:
            event.remove(Engine, "before_cursor_execute", die)
        assert database.query("SELECT count(*) FROM log") == [(0,)]
        assert target.apply(frame, context(frame, recovering=True)) == []
        assert database.query("SELECT count(*) FROM log") == [(1,)]

    def test_overlapping_chunks_are_refused(self, database: Database) -> None:
        """Other bounds over the same items are an error, never a second insert."""
        target = self.open_log(database)
        frame = plan_frame([("create", None, {"name": name, "n": 1}) for name in "abc"], [], self.TYPES)
        target.apply(frame, context(frame))
        with pytest.raises(RunError, match="overlap"):
            target.apply(frame.head(2), context(frame.head(2)))
        with pytest.raises(RunError, match="overlap"):
            target.apply(frame.tail(2), ChunkContext("run1", 1, 5))
        assert database.query("SELECT count(*) FROM log") == [(3,)]

    def test_dry_run_leaves_no_record(self, database: Database) -> None:
        """A dry run neither creates the table of records nor writes to it."""
        target = self.open_log(database)
        frame = plan_frame([("create", None, {"name": "a", "n": 1})], [], self.TYPES)
        assert target.apply(frame, context(frame, dry_run=True)) == []
        with pytest.raises(Exception, match="_batchkit_chunks"):
            database.query("SELECT * FROM _batchkit_chunks")
        target.apply(frame, context(frame))
        assert target.apply(frame, context(frame, dry_run=True, run="other")) == []
        assert database.query("SELECT run FROM _batchkit_chunks") == [("run1",)]
        assert not target.reversible


class TestLookups:
    """Names that become ids, as sets."""

    LOOKUP: ClassVar = {"cat": {"table": "categories", "by": "name", "id": "id", "create": True}}

    def open_shop(self, database: Database, unique: str = "UNIQUE") -> SqlTarget:
        """A table that refers to categories."""
        identity = "integer PRIMARY KEY" + (
            " GENERATED BY DEFAULT AS IDENTITY" if database.kind != "sqlite" else ""
        )
        database.execute(
            f"CREATE TABLE categories (id {identity}, name text {unique} CHECK (name <> 'forbidden'))",
            "INSERT INTO categories (name) VALUES ('tools'), (' toys ')",
            "CREATE TABLE companies (siret text PRIMARY KEY, cat integer REFERENCES categories (id))",
        )
        return open_companies(database, lookups=self.LOOKUP)

    def test_names_are_resolved_by_one_query(self, database: Database) -> None:
        """Thousands of names cost one query, and none the second time; unknown names are left out."""
        target = self.open_shop(database)
        counted: list[str] = []

        def count(_link: Any, _cursor: Any, statement: str, *_: Any) -> None:
            counted.append(statement)

        event.listen(Engine, "before_cursor_execute", count)
        try:
            names = pl.Series(["tools", "toys", "  tools", "unknown", None, *(["tools"] * 5000)])
            found = target.resolve_lookup(self.LOOKUP["cat"], names)
            assert dict(found.rows()) == {"tools": 1, "toys": 2, "  tools": 1}
            assert len(counted) == 1
            target.resolve_lookup(self.LOOKUP["cat"], pl.Series(["toys", "tools"]))
            assert len(counted) == 1
        finally:
            event.remove(Engine, "before_cursor_execute", count)

    def test_a_name_that_stands_twice_is_not_guessed(self, database: Database) -> None:
        """Two rows of one name: left out, and remembered as ambiguous."""
        target = self.open_shop(database, unique="")
        database.execute("INSERT INTO categories (name) VALUES ('tools')")
        assert target.resolve_lookup(self.LOOKUP["cat"], pl.Series(["tools", "toys"])).rows() == [("toys", 2)]
        assert target.ambiguous == {"categories.name.id": {"tools"}}

    @pytest.mark.parametrize("unique", ["UNIQUE", ""])
    def test_missing_rows_are_created_with_the_chunk(self, database: Database, unique: str) -> None:
        """New names are created once, ids filled in; a name the database refuses rejects its rows alone."""
        target = self.open_shop(database, unique)
        wanted: list[Any] = [
            ("create", None, {"siret": str(i), "cat": 1 if i == 0 else None}) for i in range(5)
        ]
        names: list[Any] = [{"cat": name} for name in (None, "new", "new", "forbidden", "toys")]
        frame = plan_frame(wanted, ["siret"], target.fields(), names=names)
        assert by_item(target.apply(frame, context(frame, dry_run=True))) == {3: ("rejected", "lookup")}
        assert database.query("SELECT count(*) FROM categories") == [(2,)]
        assert by_item(target.apply(frame, context(frame))) == {3: ("rejected", "lookup")}
        joined = "SELECT siret, trim(name) FROM companies JOIN categories ON id = cat ORDER BY siret"
        assert database.query(joined) == [("0", "tools"), ("1", "new"), ("2", "new"), ("4", "toys")]
        assert database.query("SELECT count(*) FROM categories") == [(3,)]

    def test_a_row_that_is_refused_leaves_no_category(self, database: Database) -> None:
        """A name that only refused rows bear is not created; one that another row bears is, now or later."""
        target = self.open_shop(database)
        database.execute(
            "CREATE TABLE goods (siret text PRIMARY KEY, cat integer, price integer CHECK (price >= 0))"
        )
        target = connected(SqlTarget(database.url, table="goods", key=["siret"], lookups=self.LOOKUP))
        wanted: list[Any] = [
            ("create", None, {"siret": str(i), "cat": None, "price": price})
            for i, price in enumerate([1, -1, -1])
        ]
        names: list[Any] = [{"cat": name} for name in ("both", "both", "lost")]
        frame = plan_frame(wanted, ["siret"], target.fields(), names=names)
        assert by_item(target.apply(frame, context(frame))) == {
            1: ("rejected", "check"),
            2: ("rejected", "check"),
        }
        there = "SELECT trim(name) FROM categories ORDER BY id"
        assert database.query(there) == [("tools",), ("toys",), ("both",)]
        wanted = [("create", None, {"siret": "9", "cat": None, "price": 1})]
        frame = plan_frame(wanted, ["siret"], target.fields(), names=[{"cat": "lost"}])
        assert target.apply(frame, context(frame)) == []
        assert database.query(there)[-1] == ("lost",)
