"""The `batchkit` command as an operator has it: in this process, in one of its own, and in a terminal."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from click.testing import CliRunner, Result

from batchkit.cli import cli

COMMAND = (sys.executable, "-m", "batchkit")
needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty module")


@dataclass(frozen=True)
class Shop:
    """A file and a database that differ in known ways.

    Of `rows` rows every fifth is new, every second of the others has another name, the rest is as wanted.
    """

    csv: Path
    database: Path
    table: str = "shops"

    @property
    def url(self) -> str:
        """The database as the command line takes it."""
        return f"sqlite:///{self.database.as_posix()}"

    @property
    def options(self) -> tuple[str, ...]:
        """What `plan` and `run` need to know."""
        return (str(self.csv), "--to", self.url, "--table", self.table, "--key", "id")

    def held(self) -> dict[str, str]:
        """The database as it is now: id → name."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=30)) as connection:
            return dict(connection.execute("SELECT id, name FROM shops"))


def make_shop(folder: Path, rows: int = 20, extra: Iterable[Sequence[str]] = ()) -> Shop:
    """Write `shops.csv` (and `extra` lines behind it) and the database it is compared with."""
    shop = Shop(folder / "shops.csv", folder / "shops.sqlite")
    wanted = [(f"{n:05}", f"Épicerie {n}") for n in range(rows)]
    with shop.csv.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerows([("id", "name"), *wanted, *extra])
    held = [(key, name if n % 2 else "old") for n, (key, name) in enumerate(wanted) if n % 5]
    with contextlib.closing(sqlite3.connect(shop.database)) as connection:
        connection.execute("CREATE TABLE shops (id VARCHAR(5) PRIMARY KEY, name VARCHAR(40) NOT NULL)")
        connection.executemany("INSERT INTO shops VALUES (?, ?)", held)
        connection.commit()
    return shop


def call(*words: str | Path, code: int = 0) -> Result:
    """Call the command in this process; its exit code must be `code`."""
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def told(*words: str | Path, code: int = 0) -> Any:
    """What the command prints with `--json`, called in this process."""
    return json.loads(call(*words, "--json", code=code).stdout)


def batchkit(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, with no terminal."""
    options = {"timeout": 60, "env": environment(), "stdin": subprocess.DEVNULL, **options}
    return subprocess.run(
        [*COMMAND, *map(str, words)], capture_output=True, text=True, encoding="utf-8", check=False, **options
    )


def answer(*words: str | Path, code: int = 0) -> Any:
    """What the command prints with `--json`; its exit code must be `code`."""
    done = batchkit(*words, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def environment(**more: str) -> dict[str, str]:
    """This process's environment, in UTF-8 and without wishes about colours."""
    kept = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    return {**kept, "PYTHONUTF8": "1", "TERM": "xterm-256color", **more}


def wait_until(happened: Any, seconds: float = 20.0) -> None:
    """Wait until `happened()` is true; fail when it doesn't come true in time."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.05)


class Terminal:
    """The command in a terminal of its own, to be read and typed at.

    Attributes:
        text: All that it has shown so far, with its control codes.
    """

    def __init__(self, *words: str | Path, **variables: str) -> None:
        import fcntl
        import pty
        import struct
        import termios

        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.text = ""
        self._screen = ours
        self._process = subprocess.Popen(
            [sys.executable, "-c", _IN_TERMINAL, *map(str, words)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            env=environment(**variables),
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        os.close(self._screen)

    @property
    def plain(self) -> str:
        """What it has shown, without colours."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text)

    def expect(self, wanted: str, seconds: float = 20.0) -> None:
        """Read until `wanted` is shown."""
        deadline = time.monotonic() + seconds
        while wanted not in self.plain:
            assert time.monotonic() < deadline, f"{wanted!r} was not shown:\n{self.plain}"
            assert self._read(0.05) or self._process.poll() is None or self._read(0.05), (
                f"it ended without showing {wanted!r}:\n{self.plain}"
            )

    def read(self) -> bool:
        """Read what is there, so that a full screen doesn't hold the command up; always true."""
        while self._read(0):
            pass
        return True

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._screen, keys.encode())

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = 20.0) -> int:
        """Read to the end; returns the exit code."""
        deadline = time.monotonic() + seconds
        while self._process.poll() is None:
            assert time.monotonic() < deadline, f"it doesn't end:\n{self.plain}"
            self._read(0.05)
        while self._read(0.05):
            pass
        return self._process.returncode

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], seconds)
        if not ready:
            return False
        try:
            part = os.read(self._screen, 65536)
        except OSError:  # the other side has closed
            return False
        self.text += part.decode("utf-8", errors="replace")
        return bool(part)


# A session of its own has no controlling terminal until it takes one; without it Ctrl-C is only a character.
_IN_TERMINAL = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from batchkit.cli import main
sys.argv[0] = "batchkit"
main()
"""
