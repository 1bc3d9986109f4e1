"""SQL targets: what holds for SQLite and PostgreSQL alike."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from batchkit.targets.base import Fate
from batchkit.targets.sql.target import SqlTarget
from tests.support.sql_databases import (
    Database,
    connected,
    open_companies,
    rows,
)
from tests.support.sql_frames import by_item, context, plan_frame

EMPTY: dict[str, Any] = dict.fromkeys(["effectif", "ca", "cree", "vu", "actif", "email"])


def company(siret: str, nom: str | None = "Société", **fields: Any) -> dict[str, Any]:
    """A row of the table."""
    return EMPTY | {"siret": siret, "nom": nom} | fields


class TestApply:
    """A chunk and what becomes of its items."""

    def test_every_type_is_written_and_read_back_as_it_was(self, companies: Database) -> None:
        """Accents, line breaks, quotes, decimals, dates, instants and booleans survive exactly."""
        wanted = [
            company(
                "00501",
                'Éa «x», "y"\r\nz;\'\\.\n\\.\n',
                effectif=7,
                ca=Decimal("12345678.05"),
                cree=date(1, 1, 1),
                vu=datetime(2021, 1, 31, 10, 20, 30, 123456),
                actif=True,
                email="",
            ),
            company("NA", "NULL", vu=datetime(9999, 12, 31, 23, 59, 59), actif=False, ca=Decimal("-0.10")),
            company("\\N", "日本 \U0001f600", email="\\N"),
        ]
        target = open_companies(companies)
        frame = plan_frame([("create", None, row) for row in wanted], ["siret"], target.fields())
        assert target.apply(frame, context(frame)) == []
        keys = frame.select(pl.col("key:siret").alias("siret"))
        found = target.read(keys, [name for name in target.fields() if name != "siret"])
        assert sorted(found.rows(named=True), key=str) == sorted(wanted, key=str)
        target.close()

    def test_a_row_is_updated_only_where_it_still_is_as_planned(self, companies: Database) -> None:
        """Another's edit of a field to change is a conflict with all three values; of others it isn't."""
        companies.execute(
            "INSERT INTO companies (siret, nom, effectif) VALUES ('1','a',1), ('2','edited',1), ('3','c',99)"
        )
        target = open_companies(companies)
        befores = [
            company("1", "a", effectif=1),
            company("2", "b", effectif=1),
            company("3", "c", effectif=1),
        ]
        afters = [row | {"nom": "new"} for row in befores]
        frame = plan_frame(
            [("update", *pair) for pair in zip(befores, afters, strict=True)], ["siret"], target.fields()
        )
        results = target.apply(frame, context(frame))
        assert by_item(results) == {1: ("conflict", "changed")}
        assert results[0].detail == {"nom": {"planned": "b", "found": "edited", "wanted": "new"}}
        assert rows(companies, "siret, nom, effectif") == [
            ("1", "new", 1),
            ("2", "edited", 1),
            ("3", "new", 99),
        ]

    def test_overwrite_writes_over_conflicts(self, companies: Database) -> None:
        """Told to, it overwrites an edited row and one created meanwhile, and deletes an edited one."""
        companies.execute(
            "INSERT INTO companies (siret, nom) VALUES ('1','edited'), ('2','other'), ('3','edited')"
        )
        target = open_companies(companies)
        frame = plan_frame(
            [
                ("update", company("1", "a"), company("1", "new")),
                ("create", None, company("2", "new")),
                ("delete", company("3", "c"), None),
                ("update", company("4", "d"), company("4", "new")),
            ],
            ["siret"],
            target.fields(),
        )
        results = target.apply(frame, context(frame, overwrite=True))
        assert by_item(results) == {
            0: ("done", "overwritten"),
            1: ("done", "overwritten"),
            2: ("done", "overwritten"),
            3: ("conflict", "gone"),
        }
        assert [result.detail for result in results[:3]] == [
            {"overwritten": {"nom": "edited"}},
            {"overwritten": {"nom": "other"}},
            {"overwritten": {"nom": "edited"}},
        ]
        assert rows(companies) == [("1", "new"), ("2", "new")]

    def test_overwrite_says_nothing_of_rows_that_nobody_edited(self, companies: Database) -> None:
        """Only an edit of what the run writes counts as written over; other fields stay as they are."""
        companies.execute(
            "INSERT INTO companies (siret, nom, effectif) VALUES ('1','a',5), ('2','edited',1), ('3','new',1)"
        )
        target = open_companies(companies)
        frame = plan_frame(
            [
                ("update", company("1", "a", effectif=1), company("1", "new", effectif=1)),
                ("update", company("2", "b", effectif=1), company("2", "new", effectif=-1)),
                ("update", company("3", "c", effectif=1), company("3", "new", effectif=2)),
            ],
            ["siret"],
            target.fields(),
        )
        assert by_item(target.apply(frame, context(frame, overwrite=True))) == {
            1: ("rejected", "check"),
            2: ("done", "kept"),
        }
        assert rows(companies, "nom, effectif") == [("new", 5), ("edited", 1), ("new", 2)]

    def test_null_is_compared_like_any_value(self, companies: Database) -> None:
        """A null that became a value, or the reverse, is a conflict; null that stayed null isn't."""
        companies.execute(
            "INSERT INTO companies (siret, nom, effectif) VALUES ('1','a',NULL), ('2','b',5), ('3','c',NULL)"
        )
        target = open_companies(companies)
        frame = plan_frame(
            [
                ("update", company("1", "a"), company("1", "a", effectif=1)),
                ("update", company("2", "b"), company("2", "b", effectif=1)),
                ("update", company("3", "c", effectif=5), company("3", "c", effectif=1)),
            ],
            ["siret"],
            target.fields(),
        )
        assert by_item(target.apply(frame, context(frame))) == {
            1: ("conflict", "changed"),
            2: ("conflict", "changed"),
        }
        assert [row[0] for row in rows(companies, "effectif")] == [1, 5, None]

    def test_create_of_a_row_that_appeared_is_a_conflict_unless_it_is_the_same(
        self, companies: Database
    ) -> None:
        """A key taken meanwhile is never overwritten; the very row that was wanted counts as unchanged."""
        companies.execute("INSERT INTO companies (siret, nom) VALUES ('1','mine'), ('2','theirs')")
        target = open_companies(companies)
        frame = plan_frame(
            [("create", None, company(siret, "mine")) for siret in "123"], ["siret"], target.fields()
        )
        results = target.apply(frame, context(frame))
        assert by_item(results) == {0: ("unchanged", ""), 1: ("conflict", "exists")}
        assert results[1].detail == {"nom": {"planned": None, "found": "theirs", "wanted": "mine"}}
        assert rows(companies) == [("1", "mine"), ("2", "theirs"), ("3", "mine")]

    def test_delete_needs_the_row_as_it_was(self, companies: Database) -> None:
        """An edited row is not deleted; one that is gone already is unchanged."""
        companies.execute("INSERT INTO companies (siret, nom) VALUES ('1','a'), ('2','edited')")
        target = open_companies(companies)
        frame = plan_frame(
            [("delete", company(siret, nom), None) for siret, nom in ("1a", "2b", "3c")],
            ["siret"],
            target.fields(),
        )
        assert by_item(target.apply(frame, context(frame))) == {
            1: ("conflict", "changed"),
            2: ("unchanged", ""),
        }
        assert rows(companies) == [("2", "edited")]

    def test_recovering_counts_own_work_as_done(self, companies: Database) -> None:
        """A chunk applied twice, the second time as recovering, is done whole and changes nothing."""
        companies.execute("INSERT INTO companies (siret, nom) VALUES ('1','a'), ('2','b')")
        target = open_companies(companies)
        frame = plan_frame(
            [
                ("update", company("1", "a"), company("1", "new")),
                ("delete", company("2", "b"), None),
                ("create", None, company("3", "c")),
            ],
            ["siret"],
            target.fields(),
        )
        assert target.apply(frame, context(frame)) == []
        after = rows(companies)
        assert target.apply(frame, context(frame, recovering=True)) == []
        assert set(by_item(target.apply(frame, context(frame))).values()) == {("unchanged", "")}
        assert rows(companies) == after

    def test_a_row_half_way_there_is_finished(self, companies: Database) -> None:
        """Where one field holds the wanted value and the other still the old one, the row is written.

        The field that somebody else had set is named, so that an undo leaves it be.
        """
        companies.execute("INSERT INTO companies (siret, nom, effectif) VALUES ('1','new',1)")
        target = open_companies(companies)
        frame = plan_frame(
            [("update", company("1", "a", effectif=1), company("1", "new", effectif=2))],
            ["siret"],
            target.fields(),
        )
        results = target.apply(frame, context(frame))
        assert by_item(results) == {0: ("done", "kept")}
        assert results[0].detail == {"kept": ["nom"]}
        assert rows(companies, "nom, effectif") == [("new", 2)]

    def test_dry_run_leaves_nothing_and_says_what_would_be(self, companies: Database) -> None:
        """Constraint errors show, and the table is as it was."""
        companies.execute("INSERT INTO companies (siret, nom) VALUES ('1','a')")
        target = open_companies(companies)
        frame = plan_frame(
            [
                ("update", company("1", "a"), company("1", "new")),
                ("create", None, company("2", None)),
                ("create", None, company("3")),
            ],
            ["siret"],
            target.fields(),
        )
        assert by_item(target.apply(frame, context(frame, dry_run=True))) == {1: ("rejected", "not_null")}
        assert rows(companies) == [("1", "a")]
        assert by_item(target.apply(frame, context(frame))) == {1: ("rejected", "not_null")}

    def test_composite_keys(self, database: Database) -> None:
        """A key of two columns finds its row by both."""
        database.execute(
            "CREATE TABLE prices (site integer, code text, price numeric(8,3), PRIMARY KEY (code, site))",
            "INSERT INTO prices VALUES (1,'a',1.5), (2,'a',2.5)",
        )
        target = connected(SqlTarget(database.url, table="prices", key=["site", "code"]))
        frame = plan_frame(
            [
                ("update", row(1, "a", "1.5"), row(1, "a", "9.125")),
                ("create", None, row(2, "b", "3")),
                ("create", None, row(2, "a", "4")),
            ],
            ["site", "code"],
            target.fields(),
        )
        assert by_item(target.apply(frame, context(frame))) == {2: ("conflict", "exists")}
        found = database.query("SELECT site, code, price FROM prices ORDER BY code, site")
        assert [(site, code, float(price)) for site, code, price in found] == [
            (1, "a", 9.125),
            (2, "a", 2.5),
            (2, "b", 3),
        ]

    def test_a_key_without_an_index_is_still_safe(self, database: Database) -> None:
        """Without a unique index rows are matched by key all the same; a key that stands twice is refused."""
        database.execute(
            "CREATE TABLE companies (siret text, nom text)",
            "INSERT INTO companies VALUES ('1','a'), ('2','b'), ('2','b'), ('3','c')",
        )
        target = open_companies(database)
        assert target.warnings
        changes: list[Any] = [
            ("update", {"siret": "1", "nom": "a"}, {"siret": "1", "nom": "new"}),
            ("update", {"siret": "2", "nom": "b"}, {"siret": "2", "nom": "new"}),
            ("create", None, {"siret": "3", "nom": "new"}),
            ("create", None, {"siret": "4", "nom": "new"}),
        ]
        frame = plan_frame(changes, ["siret"], target.fields())
        expected = {1: ("rejected", "ambiguous"), 2: ("conflict", "exists")}
        assert by_item(target.apply(frame, context(frame))) == expected
        assert rows(database) == [("1", "new"), ("2", "b"), ("2", "b"), ("3", "c"), ("4", "new")]

    def test_an_empty_cell_takes_the_default_of_a_column_that_needs_a_value(self, database: Database) -> None:
        """Empty in a NOT NULL column with a default means the default; a given value is kept."""
        database.execute(
            "CREATE TABLE companies (siret text PRIMARY KEY, nom text NOT NULL DEFAULT 'inconnu')"
        )
        target = open_companies(database)
        creates: list[Any] = [
            ("create", None, {"siret": s, "nom": n}) for s, n in [("1", None), ("2", "x"), ("3", None)]
        ]
        frame = plan_frame(creates, ["siret"], target.fields())
        assert target.apply(frame, context(frame)) == []
        assert target.apply(frame, context(frame, recovering=True)) == []
        assert rows(database) == [("1", "inconnu"), ("2", "x"), ("3", "inconnu")]
        undo = plan_frame([("delete", row, None) for _, _, row in creates], ["siret"], target.fields())
        assert target.apply(undo, context(undo, dry_run=True)) == []
        database.execute("UPDATE companies SET nom = 'edited' WHERE siret = '2'")
        assert by_item(target.apply(undo, context(undo))) == {1: ("conflict", "changed")}
        assert rows(database) == [("2", "edited")]

    def test_names_of_every_kind_are_quoted(self, database: Database) -> None:
        """Blanks, quotes, percent signs, keywords and accents in names of tables and columns are harmless."""
        database.execute(
            'CREATE TABLE "my ""table"" 50%" ("select" text PRIMARY KEY, "a b%s" text, "n" text, "Été" text)'
        )
        target = connected(SqlTarget(database.url, table='my "table" 50%', key=["select"]))
        first = {"select": "1", "a b%s": "x", "n": "y", "Été": "z"}
        frame = plan_frame(
            [("create", None, first), ("create", None, first | {"select": "2"})], ["select"], target.fields()
        )
        assert target.apply(frame, context(frame)) == []
        assert by_item(target.apply(frame, context(frame))) == {0: ("unchanged", ""), 1: ("unchanged", "")}
        keys = pl.DataFrame({"select": ["2"]})
        assert target.read(keys, ["a b%s", "n", "Été"]).rows() == [("2", "x", "y", "z")]


def row(site: int, code: str, price: str) -> dict[str, Any]:
    """A row of the table of prices."""
    return {"site": site, "code": code, "price": Decimal(price)}


def test_a_chunk_that_takes_too_long_is_broken_off_and_tried_again(database: Database) -> None:
    """Beyond its timeout a chunk leaves nothing and is to be retried; with time enough it goes in."""
    slow = "SELECT count(*) FROM (WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT {n}) "
    slow += "SELECT x FROM c) AS y"
    database.execute("CREATE TABLE companies (siret text PRIMARY KEY, nom text)")
    if database.kind == "sqlite":
        database.execute(
            "CREATE TRIGGER slow AFTER INSERT ON companies WHEN new.nom = 'slow' "
            f"BEGIN {slow.format(n=3_000_000)}; END"
        )
    else:
        database.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF new.nom = 'slow' THEN PERFORM pg_sleep(1.5); END IF; RETURN new; END $$",
            "CREATE TRIGGER slow BEFORE INSERT ON companies FOR EACH ROW EXECUTE FUNCTION slow()",
        )
    target = open_companies(database)
    frame = plan_frame(
        [("create", None, {"siret": s, "nom": n}) for s, n in (("1", "quick"), ("2", "slow"))],
        ["siret"],
        target.fields(),
    )
    with pytest.raises(Exception, match=r"(?i)interrupt|timeout") as caught:
        target.apply(frame, context(frame, timeout=0.1))
    failure = target.classify(caught.value)
    assert (failure.fate, failure.rule, failure.connection) == (Fate.RETRY, "timeout", False)
    assert "smaller chunks" in failure.advice
    assert "timeout" in failure.reason
    assert rows(database) == []
    assert target.apply(frame, context(frame, timeout=60.0)) == []
    assert target.apply(frame, context(frame, recovering=True)) == []


class TestBadRows:
    """One bad row is told with the database's reason, and the rest goes in."""

    @pytest.mark.parametrize(
        ("bad", "rule", "column"),
        [
            (company("bad", None), "not_null", "nom"),
            (company("bad", effectif=-1), "check", None),
            (company("bad", email="taken"), "unique", "email"),
            (company("bad", "a\0b"), "nul", "nom"),
            (company(None), "key", "siret"),  # type: ignore[arg-type]
        ],
    )
    def test_one_bad_row_among_many(
        self, companies: Database, bad: dict[str, Any], rule: str, column: str | None
    ) -> None:
        """All others are in; the bad one is rejected with its rule, its column and advice."""
        companies.execute("INSERT INTO companies (siret, nom, email) VALUES ('0','first','taken')")
        target = open_companies(companies)
        wanted = [company(f"{i:05}", email=f"{i}@x") for i in range(1, 1001)]
        wanted[500] = bad
        frame = plan_frame([("create", None, row) for row in wanted], ["siret"], target.fields())
        (result,) = target.apply(frame, context(frame))
        assert (result.item, str(result.outcome), result.rule) == (500, "rejected", rule)
        assert result.reason
        assert result.advice
        if column:
            assert (result.detail or {})["column"] == column
            assert column in result.reason
        assert companies.query("SELECT count(*) FROM companies") == [(1000,)]

    def test_a_bad_update_leaves_its_row_and_lets_the_others_pass(self, companies: Database) -> None:
        """Updates and deletes are isolated like creates."""
        companies.execute(
            "INSERT INTO companies (siret, nom) VALUES ('1','a'), ('2','b'), ('3','c')",
            "CREATE TABLE parts (siret varchar(14) REFERENCES companies (siret))",
            "INSERT INTO parts VALUES ('3')",
        )
        target = open_companies(companies)
        frame = plan_frame(
            [
                ("update", company("1", "a"), company("1", "new")),
                ("update", company("2", "b"), company("2", None)),
                ("delete", company("3", "c"), None),
            ],
            ["siret"],
            target.fields(),
        )
        results = target.apply(frame, context(frame))
        assert by_item(results) == {1: ("rejected", "not_null"), 2: ("rejected", "foreign_key")}
        assert rows(companies) == [("1", "new"), ("2", "b"), ("3", "c")]

    @pytest.mark.parametrize("deferred", ["", "DEFERRABLE INITIALLY DEFERRED"])
    def test_a_missing_parent_is_named(self, database: Database, deferred: str) -> None:
        """A refusal names column and value, deferred or not; rows of a chunk may refer to each other."""
        database.execute(
            "CREATE TABLE categories (id integer PRIMARY KEY)",
            "INSERT INTO categories VALUES (1)",
            "CREATE TABLE companies (siret text PRIMARY KEY, "
            f"cat integer REFERENCES categories (id) {deferred},"
            f" parent text REFERENCES companies (siret) {deferred})",
        )
        target = open_companies(database)
        wanted: list[dict[str, Any]] = [
            {"siret": "1", "cat": 1, "parent": "2"},
            {"siret": "2", "cat": 1, "parent": "4"},
            {"siret": "3", "cat": 99, "parent": None},
            {"siret": "4", "cat": None, "parent": None},
            {"siret": "5", "cat": None, "parent": "zz"},
        ]
        frame = plan_frame([("create", None, row) for row in wanted], ["siret"], target.fields())
        results = target.apply(frame, context(frame))
        assert by_item(results) == {2: ("rejected", "foreign_key"), 4: ("rejected", "foreign_key")}
        assert "99" in results[0].reason
        assert results[0].detail is not None
        assert results[0].detail["column"] == "cat"
        assert results[1].detail is not None
        assert results[1].detail["column"] == "parent"
        assert [row[0] for row in rows(database, "siret")] == ["1", "2", "4"]

    def test_a_trigger_that_refuses_is_quoted_and_one_that_skips_is_noticed(
        self, companies: Database
    ) -> None:
        """The message of a trigger reaches the operator; a row it drops in silence is not called done."""
        if companies.kind == "sqlite":
            companies.execute(
                "CREATE TRIGGER t1 BEFORE INSERT ON companies WHEN new.nom = 'evil' "
                "BEGIN SELECT RAISE(ABORT, 'no evil here'); END",
                "CREATE TRIGGER t2 BEFORE INSERT ON companies WHEN new.nom = 'dull' "
                "BEGIN SELECT RAISE(IGNORE); END",
            )
        else:
            companies.execute(
                "CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF new.nom = 'evil' THEN RAISE EXCEPTION 'no evil here'; END IF; "
                "IF new.nom = 'dull' THEN RETURN NULL; END IF; RETURN new; END $$",
                "CREATE TRIGGER t BEFORE INSERT ON companies FOR EACH ROW EXECUTE FUNCTION judge()",
            )
        target = open_companies(companies)
        for names, expected in [
            (["good", "dull"], {1: ("rejected", "skipped")}),
            (["fine", "evil", "dull"], {1: ("rejected", "trigger"), 2: ("rejected", "skipped")}),
        ]:
            frame = plan_frame([("create", None, company(n, n)) for n in names], ["siret"], target.fields())
            results = target.apply(frame, context(frame))
            assert by_item(results) == expected
        assert results[0].reason == "no evil here"
        assert rows(companies, "nom") == [("fine",), ("good",)]

    def test_many_bad_rows(self, companies: Database) -> None:
        """Every twentieth of 2,000 rows is bad: the others are in, and each bad one is told once."""
        target = open_companies(companies)
        wanted = [
            company(f"{i:05}", None if i % 40 == 0 else "x", effectif=-1 if i % 40 == 20 else 1)
            for i in range(2000)
        ]
        frame = plan_frame([("create", None, row) for row in wanted], ["siret"], target.fields())
        outcomes = by_item(target.apply(frame, context(frame)))
        assert outcomes == {i: ("rejected", "check" if i % 40 else "not_null") for i in range(0, 2000, 20)}
        assert companies.query("SELECT count(*) FROM companies") == [(1900,)]
