"""What the errors of SQLite and PostgreSQL mean for a run, in one table each."""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Final

from ..base import Failure, Fate

LONGEST_REASON: Final = 300

DISK_ADVICE: Final = "Make room where the database keeps its data, then resume the run: nothing is lost."
PERMISSION_ADVICE: Final = (
    "Ask the database's owner to grant your user SELECT, INSERT, UPDATE and DELETE on it."
)
READ_ONLY_ADVICE: Final = (
    "Make the file (and its folder) writable, or name the database's main server, then resume."
)
BUSY_ADVICE: Final = "Another program is writing to it; close it if this lasts."
TIMEOUT_ADVICE: Final = "It took longer than it may: smaller chunks may pass, or a longer timeout."
GONE_ADVICE: Final = "Check that the server runs and that the network reaches it; the run can be resumed."
LOGIN_ADVICE: Final = (
    "Check user and password: in the address as {secret:NAME}, in PGPASSWORD or in the .pgpass file."
)
NUL_ADVICE: Final = "Remove the invisible NUL character from the text."
CHANGED_ADVICE: Final = "The table isn't what the plan saw: make a new plan."

# SQLSTATE, or its first two characters: fate, rule, advice. The longer entry wins.
_POSTGRES: Final[dict[str, tuple[Fate, str, str]]] = {
    "08": (Fate.RETRY, "connection", GONE_ADVICE),
    "21": (Fate.REJECT, "type", "Look at the row's values."),
    "22": (Fate.REJECT, "type", "Correct the value so that it fits the column's type."),
    "22001": (Fate.REJECT, "too_long", "Shorten the text, or have the column widened."),
    "22003": (Fate.REJECT, "out_of_range", "Correct the number, or have the column's type widened."),
    "22021": (Fate.REJECT, "nul", NUL_ADVICE),
    "23": (Fate.REJECT, "constraint", "Correct the row so that it keeps the database's rule."),
    "23502": (Fate.REJECT, "not_null", "Fill in the value: this column must not be empty."),
    "23503": (Fate.REJECT, "foreign_key", "Correct the value, or first create the row it refers to."),
    "23505": (Fate.REJECT, "unique", "Another row has this value already: correct one of the two."),
    "23514": (Fate.REJECT, "check", "Correct the value so that it keeps the database's check."),
    "23P01": (Fate.REJECT, "exclusion", "It overlaps with another row: correct one of the two."),
    "25006": (Fate.ABORT, "read_only", READ_ONLY_ADVICE),
    "28": (Fate.ABORT, "login", LOGIN_ADVICE),
    "3D000": (Fate.ABORT, "database", "Check the database's name in the address."),
    "3F000": (Fate.ABORT, "schema", "Check the schema's name."),
    "40": (Fate.RETRY, "rolled_back", BUSY_ADVICE),
    "40P01": (Fate.RETRY, "deadlock", BUSY_ADVICE),
    "40001": (Fate.RETRY, "serialization", BUSY_ADVICE),
    "42": (Fate.ABORT, "statement", CHANGED_ADVICE),
    "42501": (Fate.ABORT, "permission", PERMISSION_ADVICE),
    "42703": (Fate.ABORT, "column", CHANGED_ADVICE),
    "42P01": (Fate.ABORT, "table", CHANGED_ADVICE),
    "44": (Fate.REJECT, "check", "The view doesn't take this row: correct it."),
    "53": (Fate.RETRY, "resources", "The server is short of memory or connections; use fewer workers."),
    "53100": (Fate.ABORT, "disk_full", DISK_ADVICE),
    "54": (Fate.REJECT, "too_long", "Shorten the value: the database can't store or index one that long."),
    "55": (Fate.RETRY, "locked", BUSY_ADVICE),
    "57": (Fate.RETRY, "timeout", TIMEOUT_ADVICE),
    "57P01": (Fate.RETRY, "connection", GONE_ADVICE),
    "57P02": (Fate.RETRY, "connection", GONE_ADVICE),
    "57P03": (Fate.RETRY, "connection", GONE_ADVICE),
    "58": (Fate.ABORT, "system", "The server reports trouble with its own files: tell its administrator."),
    "58030": (Fate.ABORT, "system", "The server can't read or write its files: tell its administrator."),
    "0A": (
        Fate.ABORT,
        "statement",
        "This server is too old, or the table is of a kind that can't be written.",
    ),
    "XX": (Fate.ABORT, "system", "The server reports an inner error: tell its administrator."),
}
FATAL_CLASSES: Final = tuple(
    code for code, (fate, _, _) in _POSTGRES.items() if len(code) == 2 and fate is not Fate.REJECT
)
_TRIGGER: Final = (Fate.REJECT, "trigger", "A rule of the database refuses this row: see its message.")

_SQLITE: Final[dict[str, tuple[Fate, str, str]]] = {
    "SQLITE_BUSY": (Fate.RETRY, "locked", BUSY_ADVICE),
    "SQLITE_LOCKED": (Fate.RETRY, "locked", BUSY_ADVICE),
    "SQLITE_FULL": (Fate.ABORT, "disk_full", DISK_ADVICE),
    "SQLITE_IOERR": (Fate.ABORT, "system", "The file can't be read or written: check the disk, then resume."),
    "SQLITE_READONLY": (Fate.ABORT, "read_only", READ_ONLY_ADVICE),
    "SQLITE_CANTOPEN": (
        Fate.ABORT,
        "unreachable",
        "Check that the file is there and may be opened, then resume.",
    ),
    "SQLITE_CORRUPT": (Fate.ABORT, "system", "The file is damaged: restore it from a backup."),
    "SQLITE_NOTADB": (Fate.ABORT, "system", "Name an SQLite file."),
    "SQLITE_PERM": (Fate.ABORT, "permission", READ_ONLY_ADVICE),
    "SQLITE_NOMEM": (Fate.RETRY, "resources", "The machine is short of memory: use smaller chunks."),
    "SQLITE_INTERRUPT": (Fate.RETRY, "timeout", TIMEOUT_ADVICE),
    "SQLITE_PROTOCOL": (Fate.RETRY, "locked", BUSY_ADVICE),
    "SQLITE_CONSTRAINT_NOTNULL": (Fate.REJECT, *_POSTGRES["23502"][1:]),
    "SQLITE_CONSTRAINT_FOREIGNKEY": (Fate.REJECT, *_POSTGRES["23503"][1:]),
    "SQLITE_CONSTRAINT_UNIQUE": (Fate.REJECT, *_POSTGRES["23505"][1:]),
    "SQLITE_CONSTRAINT_PRIMARYKEY": (Fate.REJECT, *_POSTGRES["23505"][1:]),
    "SQLITE_CONSTRAINT_ROWID": (Fate.REJECT, *_POSTGRES["23505"][1:]),
    "SQLITE_CONSTRAINT_CHECK": (Fate.REJECT, *_POSTGRES["23514"][1:]),
    "SQLITE_CONSTRAINT_DATATYPE": (Fate.REJECT, *_POSTGRES["22"][1:]),
    "SQLITE_MISMATCH": (Fate.REJECT, *_POSTGRES["22"][1:]),
    "SQLITE_CONSTRAINT_TRIGGER": _TRIGGER,
    "SQLITE_CONSTRAINT": (Fate.REJECT, *_POSTGRES["23"][1:]),
    "SQLITE_TOOBIG": (Fate.REJECT, *_POSTGRES["54"][1:]),
}
_UNKNOWN_ERROR: Final = (Fate.ABORT, "error", "")

# Errors while a connection is opened carry no SQLSTATE; these are the server's words for the hopeless ones.
_HOPELESS: Final = (
    (re.compile(r"password|no pg_hba\.conf entry|role \".*\" does not exist|authentication"), "28"),
    (re.compile(r"database \".*\" does not exist"), "3D000"),
    (re.compile(r"permission denied for database"), "42501"),
)


def shorten(text: str) -> str:
    """One line of at most `LONGEST_REASON` characters."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_REASON else line[: LONGEST_REASON - 1] + "…"


def judge_sqlstate(code: str, message: str = "") -> tuple[Fate, str, str]:
    """Fate, rule and advice for a PostgreSQL error code."""
    if code == "42501" and "row-level security" in message:
        return Fate.REJECT, "policy", "A policy of the database forbids this row to your user."
    return _POSTGRES.get(code) or _POSTGRES.get(code[:2]) or _TRIGGER


def is_database_error(error: BaseException) -> bool:
    """Whether a database, its driver or the network raised it, and not a fault of ours."""
    inner = getattr(error, "orig", None) or error
    origin = type(inner).__module__.partition(".")[0]
    return isinstance(inner, sqlite3.Error | OSError) or origin in {"psycopg", "sqlalchemy"}


def classify_sql(error: BaseException) -> Failure:
    """Judge an error of SQLAlchemy, sqlite3 or psycopg, or one of ours that was made from it."""
    judged = getattr(error, "failure", None)
    if isinstance(judged, Failure):
        return judged
    inner = getattr(error, "orig", None) or error
    if isinstance(inner, sqlite3.Error):
        return _classify_sqlite(inner)
    if type(inner).__module__.startswith("psycopg"):
        return _classify_postgres(inner)
    advice = getattr(inner, "advice", "")
    message = getattr(inner, "message", "") or str(inner) or type(inner).__name__
    if isinstance(inner, OSError) or type(inner).__name__ in {"TargetUnreachable", "TimeoutError"}:
        return Failure(Fate.RETRY, "connection", shorten(message), advice or GONE_ADVICE, connection=True)
    return Failure(Fate.ABORT, type(inner).__name__, shorten(message), advice)


def _classify_sqlite(error: sqlite3.Error) -> Failure:
    name = str(getattr(error, "sqlite_errorname", None) or "")
    parts = name.split("_")  # `SQLITE_IOERR_WRITE`, then `SQLITE_IOERR`, then `SQLITE`
    shorter = ("_".join(parts[:size]) for size in range(len(parts), 0, -1))
    entry = next((_SQLITE[part] for part in shorter if part in _SQLITE), None)
    message = str(error)
    if name == "SQLITE_INTERRUPT":
        message = "The chunk took longer than its timeout and was broken off; nothing of it was written."
    if entry is None and isinstance(error, sqlite3.DataError | sqlite3.IntegrityError):
        entry = _SQLITE["SQLITE_CONSTRAINT"]
    if entry is None and re.search(r"no such (table|column)|has no column|has \d+ columns", message):
        entry = (Fate.ABORT, "table", CHANGED_ADVICE)
    fate, rule, advice = entry or _UNKNOWN_ERROR
    return Failure(fate, rule, shorten(message), advice)


def _classify_postgres(error: BaseException) -> Failure:
    code = str(getattr(error, "sqlstate", None) or "")
    message = message_of(error)
    if not code:
        code = next((code for words, code in _HOPELESS if words.search(message)), "")
    if not code:
        # No code: the server said nothing, because nobody was there or the line broke. A COMMIT may have got
        # through; doing the chunk again as `recovering` finds that out, so it is still safe to retry.
        if type(error).__name__ in {"OperationalError", "InterfaceError", "ConnectionTimeout"}:
            return Failure(Fate.RETRY, "connection", shorten(message), GONE_ADVICE, connection=True)
        return Failure(Fate.REJECT, "type", shorten(message), _POSTGRES["22"][2])
    fate, rule, advice = judge_sqlstate(code, message)
    return Failure(fate, rule, shorten(message), advice, connection=rule == "connection")


def message_of(error: BaseException) -> str:
    """The server's own sentence, without the statement and the context around it."""
    diagnosis: Any = getattr(error, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    if primary:
        detail = getattr(diagnosis, "message_detail", None)
        return f"{primary} ({detail})" if detail else str(primary)
    return str(error)
