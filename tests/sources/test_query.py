"""A SQL query as a source."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from batchkit.core.errors import BatchkitError, SourceError
from batchkit.sources.base import Source
from batchkit.sources.query import QuerySource


@pytest.fixture
def database(tmp_path: Path) -> str:
    """Three people in an SQLite file."""
    link = sqlite3.connect(tmp_path / "crm.sqlite")
    with link:
        link.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, nom TEXT, solde REAL)")
        rows = [(1, "Zoé", 12.0), (2, None, 0.5), (3, "", None)]
        link.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    link.close()
    return f"sqlite:///{(tmp_path / 'crm.sqlite').as_posix()}"


def test_rows_come_as_text_in_batches(database: str) -> None:
    """Columns are the query's, values their canonical text, the first row is row 2."""
    source = QuerySource(database, "SELECT id, nom, solde FROM people ORDER BY id;")
    assert isinstance(source, Source)
    assert source.columns == ["id", "nom", "solde"]
    assert [batch.rows() for batch in source.batches(2)] == [
        [(2, "1", "Zoé", "12"), (3, "2", None, "0.5")],
        [(4, "3", None, None)],
    ]
    assert source.rows == 3


def test_fingerprint_follows_the_content(database: str) -> None:
    """The same rows have the same fingerprint, whether they were read already or not."""
    source = QuerySource(database, "SELECT * FROM people ORDER BY id")
    before = source.fingerprint()
    assert QuerySource(database, "SELECT * FROM people ORDER BY id").fingerprint() == before
    assert QuerySource(database, "SELECT * FROM people ORDER BY id DESC").fingerprint() != before


def test_entries_of_a_job_file_make_the_same_source(database: str) -> None:
    """to_dict and back; describe adds what people call it."""
    source = QuerySource(database, "SELECT 1 AS a")
    again = QuerySource(**source.to_dict())
    assert again.describe() == source.describe()
    assert source.describe()["kind"] == "query"
    assert again.columns == ["a"]


def test_double_names_are_told_apart(database: str) -> None:
    """As in a file."""
    source = QuerySource(database, "SELECT id, id FROM people")
    assert source.columns == ["id", "id (2)"]
    assert [problem.rule for problem in source.problems] == ["duplicate_header"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT nope FROM people", "no such column: nope"),
        ("DELETE FROM people", "readonly"),
        ("CREATE TEMP TABLE t (a)", "no rows"),
        (" ; ", "empty"),
    ],
)
def test_what_gives_no_rows_is_refused(database: str, query: str, words: str) -> None:
    """The database's own reason; nothing can be written through a query."""
    with pytest.raises(SourceError, match=words) as refused:
        _ = QuerySource(database, query).columns
    assert refused.value.advice
    assert sum(batch.height for batch in QuerySource(database, "SELECT * FROM people").batches()) == 3


def test_databases_that_are_not_there(tmp_path: Path) -> None:
    """A missing file isn't created; an unknown kind of address is refused at once."""
    source = QuerySource(f"sqlite:///{tmp_path.as_posix()}/none.sqlite", "SELECT 1")
    with pytest.raises(SourceError, match="no SQLite file"):
        list(source.batches())
    assert not (tmp_path / "none.sqlite").exists()
    with pytest.raises(BatchkitError, match="not a database"):
        QuerySource("mysql://localhost/x", "SELECT 1")


def test_postgresql_is_read_through_a_cursor_that_cannot_write(postgres_url: str) -> None:
    """Typed columns become text; a writing statement is refused by the server; `%` needs no care."""
    columns = "n, n * 1.50 AS p, DATE '2021-01-31' AS d, 'a%b' AS t"
    source = QuerySource(postgres_url, f"SELECT {columns} FROM generate_series(1, 25000) n ORDER BY n")
    assert source.columns == ["n", "p", "d", "t"]
    batches = list(source.batches(20_000))
    assert [batch.height for batch in batches] == [20_000, 5_000]
    assert batches[0].row(0) == (2, "1", "1.50", "2021-01-31", "a%b")
    assert batches[0].row(1) == (3, "2", "3", "2021-01-31", "a%b")
    with pytest.raises(SourceError, match="nowhere"):
        _ = QuerySource(postgres_url, "SELECT * FROM nowhere").columns
    with pytest.raises(SourceError):
        _ = QuerySource(postgres_url, "CREATE TABLE t (a int)").columns
