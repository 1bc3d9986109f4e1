"""One way to talk to either database, for tests that hold for both."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


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
