"""Doctor: whether everything batchkit needs is there, and what to do where it isn't."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal

from ..core import words
from ..core.advice import worded
from ..core.errors import BatchkitError
from ..core.home import home
from ..core.install import install_command, installed_version, required_packages
from ..targets.exchange import Finding

OLDEST_PYTHON: Final = (3, 11)
OLDEST_SQLITE: Final = (3, 35, 0)  # RETURNING and ON CONFLICT as the SQLite target writes them
LITTLE_DISK: Final = 1_000_000_000
NO_TABLE: Final = "batchkit_doctor"
"""Asked for where only the database is meant: a database that says it isn't there has answered."""
OPTIONAL: Final = {
    "psycopg": ("postgres", "PostgreSQL"),
    "phonenumberslite": ("phones", "checks of phone numbers"),
    "keyring": ("secrets", "secrets in the system's keyring"),
    "jupyterlab": ("lab", "notebooks"),
    "starlette": ("sandbox", "the practice server"),
}
"""Package: the extra that brings it, and what needs it."""


def examine(
    to: str | None = None, table: str | None = None, options: Mapping[str, Any] | None = None
) -> list[Finding]:
    """Look at everything; never raises.

    Args:
        to: Address of a target that shall answer.
        table: Table that it shall have.
        options: What that kind of target takes besides.
    """
    looks: dict[str, Callable[[], Iterator[Finding]]] = {
        "python": _python,
        "packages": _packages,
        "sqlite": _sqlite,
        "home": _home,
        "disk": _disk,
        "terminal": _terminal,
        "keyring backend": _keyring,
    }
    if to:
        looks["target"] = partial(_target, to, table, options or {})
    return [check for name, look in looks.items() for check in _safely(name, look)]


def _safely(name: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(look())
    except BatchkitError as error:
        return [Finding(name, "error", error.message, error.advice)]
    except Exception as error:  # noqa: BLE001 - a doctor that falls ill helps nobody
        return [Finding(name, "error", f"{type(error).__name__}: {error}")]


def _python() -> Iterator[Finding]:
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}, {sys.executable}"
    good = sys.version_info >= OLDEST_PYTHON
    yield Finding("python", "ok" if good else "error", text, "Use Python 3.11 or newer.")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    yield Finding("batchkit", "ok", installed_version() or "run from its folder, not installed")
    for line in required_packages():
        package = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        found = _version(package)
        yield Finding(package, "ok" if found else "error", found or "missing", f"Run: {install_command()}")
    for package, (extra, what) in OPTIONAL.items():
        found = _version(package)
        advice = f"Needed for {what}: {install_command(extra)}"
        yield Finding(package, "ok" if found else "warning", found or "not installed", advice)


def _sqlite() -> Iterator[Finding]:
    good = sqlite3.sqlite_version_info >= OLDEST_SQLITE
    advice = "Use a Python built with SQLite 3.35 or newer."
    yield Finding("sqlite", "ok" if good else "error", sqlite3.sqlite_version, advice)


def _home() -> Iterator[Finding]:
    try:
        with tempfile.NamedTemporaryFile(dir=home(), prefix=".doctor-") as file:
            file.write(b"x")
            file.flush()
    except (OSError, BatchkitError) as error:
        yield Finding(
            "home", "error", f"can't be written: {error}", "Set BATCHKIT_HOME to a folder you may write to."
        )
        return
    named = "BATCHKIT_HOME" if os.environ.get("BATCHKIT_HOME") else "default"
    yield Finding("home", "ok", f"{home()} ({named}), writable")


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(home()).free
    level: Literal["ok", "warning"] = "ok" if free > LITTLE_DISK else "warning"
    yield Finding(
        "disk", level, f"{words.format_bytes(free)} free", "Free some disk, or run `batchkit clean`."
    )


def _terminal() -> Iterator[Finding]:
    encoding = getattr(sys.stdout, "encoding", None) or "unknown"
    try:
        "é → …".encode(encoding)
    except (LookupError, UnicodeEncodeError):
        advice = "Some characters are shown as ?; set PYTHONUTF8=1 to have them all."
        yield Finding("terminal", "warning", f"encoding {encoding}", advice)
        return
    yield Finding("terminal", "ok", f"encoding {encoding}")


def _keyring() -> Iterator[Finding]:
    if _version("keyring") is None:
        return
    import keyring

    backend = keyring.get_keyring()
    name = f"{type(backend).__module__}.{type(backend).__qualname__}"
    safe = getattr(backend, "priority", 0) > 0 and not any(
        word in name.lower() for word in ("plaintext", "fail", "null")
    )
    advice = "Secrets are then taken from the environment or a .env file."
    yield Finding("keyring backend", "ok" if safe else "warning", name, advice)


def _target(to: str, table: str | None, options: Mapping[str, Any]) -> Iterator[Finding]:
    from ..core import secrets
    from ..planning.opening import fact_of, open_target

    # Append needs no key, and connecting writes nothing in any mode.
    place = {"table": table or NO_TABLE} if table or fact_of(to, "tabled") else {}
    target = open_target(secrets.conceal(to), **place, **options, mode="append")
    try:
        target.connect()
        fields = target.fields()
        yield Finding("target", "ok", f"{target.address} answers, {words.plural(len(fields), 'field')}")
        yield from (finding._replace(advice=worded(finding.advice)) for finding in target.checkup())
    except BatchkitError as error:
        if table is None and error.facts.get("table") == NO_TABLE:  # so far it came, and no further was asked
            yield Finding("target", "ok", f"{secrets.redact(to)} answers")
        else:
            yield Finding("target", "error", secrets.redact(error.message), error.advice)
    finally:
        target.close()
