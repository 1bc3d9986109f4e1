"""Who wrote to the WhatsApp number, and when: it opens a window of 24 hours for free text."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

WINDOW: Final = 24 * 3600
"""Seconds in which what a customer wrote may be answered without a template."""


class Inbox:
    """The last message of each customer, and the last one sent to each.

    Args:
        db: The file they are kept in.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(
            "CREATE TABLE IF NOT EXISTS whatsapp_inbox (number TEXT PRIMARY KEY, at REAL NOT NULL);"
            "CREATE TABLE IF NOT EXISTS whatsapp_sent (number TEXT PRIMARY KEY, at REAL NOT NULL);"
        )

    def wrote(self, number: str) -> None:
        """Note that this customer wrote just now."""
        self._note("whatsapp_inbox", digits(number))

    def sent(self, number: str) -> None:
        """Note that this customer was written to just now."""
        self._note("whatsapp_sent", number)

    def is_open(self, number: str) -> bool:
        """Whether this customer wrote within the window."""
        return time.time() - self._last("whatsapp_inbox", number) < WINDOW

    def since_sent(self, number: str) -> float:
        """Seconds since this customer was written to."""
        return time.time() - self._last("whatsapp_sent", number)

    def _note(self, table: str, number: str) -> None:
        self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (number, time.time()))

    def _last(self, table: str, number: str) -> float:
        row = self._db.execute(f"SELECT at FROM {table} WHERE number = ?", (number,)).fetchone()
        return 0.0 if row is None else float(row[0])


def digits(number: str) -> str:
    """A number as WhatsApp keeps it: digits alone."""
    return "".join(c for c in number if c.isdigit())
