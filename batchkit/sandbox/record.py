"""The record: every request that arrived, with its body and what was answered."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, Final

BODY: Final = 20_000
"""Bytes of a body that are kept."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    login TEXT, fault TEXT, body TEXT, status INTEGER
);
"""


class Record:
    """What arrived, in order.

    Args:
        db: The file it is kept in.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(SCHEMA)

    def arrived(self, method: str, path: str, login: str | None, fault: str | None, body: bytes) -> int:
        """Put a request on record and return its number."""
        text = body[:BODY].decode("utf-8", "replace") if body else None
        row = self._db.execute(
            "INSERT INTO requests (at, method, path, login, fault, body) VALUES (?, ?, ?, ?, ?, ?)",
            (time.time(), method, path, login, fault, text),
        )
        return int(row.lastrowid or 0)

    def answered(self, number: int, status: int) -> None:
        """Put on record which status was answered, whether or not it got there."""
        self._db.execute("UPDATE requests SET status = ? WHERE id = ?", (status, number))

    def requests(self) -> list[dict[str, Any]]:
        """Every request, in order."""
        names = ("id", "at", "method", "path", "login", "fault", "body", "status")
        rows = self._db.execute(f"SELECT {', '.join(names)} FROM requests ORDER BY id")
        return [dict(zip(names, row, strict=True)) for row in rows]
