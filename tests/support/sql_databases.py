"""One way to talk to either database, and the fixtures of tests that hold for both."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from batchkit.targets.sql.target import SqlTarget

COMPANIES = """
CREATE TABLE companies (
  siret varchar(14) PRIMARY KEY, nom text NOT NULL, effectif integer CHECK (effectif >= 0),
  ca numeric(10,2), cree date, vu timestamp, actif boolean, email text UNIQUE)
"""

_open: list[SqlTarget] = []


@dataclass(frozen=True, slots=True)
class Database:
    """A database with an address, as another program sees it."""

    kind: str
    url: str
    path: Path | None = None

    def execute(self, *statements: str) -> None:
        """Run statements, each committed."""
        for statement in statements:
            self.query(statement)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query, through a connection of its own."""
        if self.path is not None:
            link = sqlite3.connect(self.path)
            try:
                with link:
                    return [tuple(row) for row in link.execute(sql, parameters)]
            finally:
                link.close()
        import psycopg

        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as server:
            cursor = server.execute(sql.replace("?", "%s").encode(), parameters or None)
            return list(cursor.fetchall()) if cursor.description else []


def database_fixture(*kinds: str) -> Any:
    """The fixture `database`: an empty one of each kind."""

    @pytest.fixture(name="database", params=kinds or ("sqlite", "postgresql"))
    def make(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
        if request.param == "sqlite":
            path = tmp_path / "données.sqlite"
            path.touch()
            return Database("sqlite", f"sqlite:///{path}", path)
        return Database("postgresql", request.getfixturevalue("postgres_url"))

    return make


def companies_fixture() -> Any:
    """The fixture `companies`: a database with a table of companies."""

    @pytest.fixture(name="companies")
    def make(database: Database) -> Database:
        database.execute(COMPANIES)
        return database

    return make


def closing_fixture() -> Any:
    """Closes every target that a test connects, after it."""

    @pytest.fixture(autouse=True)
    def close() -> Iterator[None]:
        yield
        while _open:
            _open.pop().close()

    return close


def connected(target: SqlTarget) -> SqlTarget:
    """The target, connected, and closed at the end of the test."""
    _open.append(target)
    target.connect()
    return target


def open_companies(database: Database, **options: Any) -> SqlTarget:
    """The table of companies as a connected target."""
    return connected(SqlTarget(database.url, **({"table": "companies", "key": ["siret"]} | options)))


def rows(database: Database, what: str = "siret, nom") -> list[tuple[Any, ...]]:
    """The companies as another program sees them."""
    return database.query(f"SELECT {what} FROM companies ORDER BY siret")
