"""One way to talk to either database."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchkit.targets.sql.target import SqlTarget

COMPANIES = """
CREATE TABLE companies (
  siret varchar(14) PRIMARY KEY, nom text NOT NULL, effectif integer CHECK (effectif >= 0),
  ca numeric(10,2), cree date, vu timestamp, actif boolean, email text UNIQUE)
"""

opened: list[SqlTarget] = []
"""Targets that the running test has connected; a fixture closes them after it."""


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


def empty_sqlite(folder: Path) -> Database:
    """An empty SQLite database."""
    path = folder / "données.sqlite"
    path.touch()
    return Database("sqlite", f"sqlite:///{path}", path)


def connected(target: SqlTarget) -> SqlTarget:
    """The target, connected, and closed at the end of the test."""
    opened.append(target)
    target.connect()
    return target


def open_companies(database: Database, **options: Any) -> SqlTarget:
    """The table of companies as a connected target."""
    return connected(SqlTarget(database.url, **({"table": "companies", "key": ["siret"]} | options)))


def rows(database: Database, what: str = "siret, nom") -> list[tuple[Any, ...]]:
    """The companies as another program sees them."""
    return database.query(f"SELECT {what} FROM companies ORDER BY siret")
