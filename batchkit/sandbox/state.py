"""The practice server's state in one SQLite file: items, messages, and the record of every request."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

BODY: Final = 20_000
"""Bytes of a body that are kept."""

_REQUESTS: Final = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL,
    login TEXT, fault TEXT, body TEXT, status INTEGER
);
"""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS items (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, at REAL NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS known (key TEXT PRIMARY KEY, status INTEGER NOT NULL, body TEXT NOT NULL);
"""


class Record:
    """What arrived, in order.

    Args:
        db: The file it is kept in.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(_REQUESTS)

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


class State:
    """What the server knows.

    Args:
        path: The file; None keeps it in memory.

    Attributes:
        db: The file, for those who keep tables of their own in it.
        record: Every request.
    """

    def __init__(self, path: Path | None = None) -> None:
        # The server's loop alone uses it, whichever thread that runs in: no lock is needed.
        self.db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        # It outlives this process when that is killed; more is not asked of practice.
        self.db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; {_SCHEMA}")
        self.record = Record(self.db)

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    # Items

    def item(self, key: str) -> dict[str, Any] | None:
        """The item with this id."""
        row = self.db.execute("SELECT body FROM items WHERE id = ?", (key,)).fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def items(self, keys: list[str]) -> list[dict[str, Any]]:
        """The items with these ids that are there."""
        found = (self.item(key) for key in dict.fromkeys(keys))
        return [item for item in found if item is not None]

    def page(self, number: int, size: int) -> list[dict[str, Any]]:
        """A page of all items, in order of id; the first is number 1."""
        rows = self.db.execute(
            "SELECT body FROM items ORDER BY id LIMIT ? OFFSET ?", (size, (number - 1) * size)
        )
        return [json.loads(body) for (body,) in rows]

    def put(self, key: str, item: dict[str, Any]) -> bool:
        """Keep an item; True when it is new."""
        new = self.item(key) is None
        self.db.execute("INSERT OR REPLACE INTO items VALUES (?, ?)", (key, _text(item)))
        return new

    def remove(self, key: str) -> bool:
        """Remove an item; False when there is none."""
        return self.db.execute("DELETE FROM items WHERE id = ?", (key,)).rowcount > 0

    # Messages

    def add_message(self, body: Any) -> int:
        """Append a message and return its number."""
        row = self.db.execute("INSERT INTO messages (at, body) VALUES (?, ?)", (time.time(), _text(body)))
        return int(row.lastrowid or 0)

    def messages(self) -> list[Any]:
        """All messages, in order."""
        return [json.loads(body) for (body,) in self.db.execute("SELECT body FROM messages ORDER BY id")]

    # Requests known again

    def known(self, key: str) -> tuple[int, Any] | None:
        """What was answered to the request with this idempotency key."""
        row = self.db.execute("SELECT status, body FROM known WHERE key = ?", (key,)).fetchone()
        return None if row is None else (int(row[0]), json.loads(row[1]))

    def remember(self, key: str, status: int, body: Any) -> None:
        """Keep an answer under its request's idempotency key."""
        self.db.execute("INSERT OR REPLACE INTO known VALUES (?, ?, ?)", (key, status, _text(body)))

    def counts(self) -> dict[str, int]:
        """How many items, messages and requests there are."""
        tables = ("items", "messages", "requests")
        return {name: self.db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
