"""A MariaDB of one's own on a Unix socket, read and written through its command-line client."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from tests.support.wordpress_guard import kill, start
from tests.support.wordpress_machine import program

Row = tuple[str | None, ...]

# Tests kill processes, never the operating system: what was committed need not be forced onto the disk.
_SETTINGS = (
    "--skip-networking",
    "--skip-log-bin",
    "--performance-schema=OFF",
    "--innodb-buffer-pool-size=128M",
    "--innodb-log-file-size=16M",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-doublewrite=0",
    "--max-connections=100",
)


class MariaDB:
    """One server, its data below a folder that a guard watches.

    Args:
        folder: Where its data (`data`), socket and log go.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.socket = folder / "db.sock"

    def create(self) -> None:
        """Make the system tables of an empty server."""
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        with (self.folder / "install-db.log").open("wb") as log:
            subprocess.run(
                [self._program("mariadb-install-db"), "--no-defaults", *self._common(), *options],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self) -> None:
        """Start, and return once it answers.

        Raises:
            RuntimeError: It didn't within 60 s; with the end of its log.
        """
        command = [self._program("mariadbd"), "--no-defaults", *self._common(), *_SETTINGS]
        places = [f"--socket={self.socket}", f"--pid-file={self.folder / 'db.pid'}"]
        start(self.folder, "db", [*command, *places])
        end = time.monotonic() + 60
        while not self.answers():
            if time.monotonic() > end:
                raise RuntimeError(f"MariaDB didn't start:\n{(self.folder / 'db.log').read_text()[-2000:]}")
            time.sleep(0.02)

    def answers(self) -> bool:
        """Whether it greets who connects."""
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(5)
            try:
                caller.connect(str(self.socket))
                return bool(caller.recv(1))
            except OSError:
                return False

    def stop(self) -> None:
        """Shut down in good order, so that its data can be copied."""
        self.query("SHUTDOWN")
        end = time.monotonic() + 60
        while (self.folder / "db.pid").exists():
            if time.monotonic() > end:
                raise RuntimeError("MariaDB didn't stop")
            time.sleep(0.02)
        time.sleep(0.05)  # the file goes a moment before the process
        kill(self.folder, "db")

    def kill(self) -> None:
        """End it as a crash does."""
        kill(self.folder, "db")

    def query(self, text: str, *, database: str = "") -> list[Row]:
        """Run statements and return the rows of all of them, values as text, NULL as None.

        The text `NULL` reads as None too: the client prints both alike.

        Raises:
            RuntimeError: The server refused a statement; with its words.
        """
        client = [self._program("mariadb"), "--no-defaults", "-uroot", f"--socket={self.socket}"]
        options = ["--default-character-set=utf8mb4", "--binary-mode", "--batch", "--skip-column-names"]
        done = subprocess.run(
            [*client, *options, database], input=text.encode(), capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode(errors="replace").strip())
        lines = done.stdout.decode().split("\n")[:-1]
        return [tuple(_value(cell) for cell in line.split("\t")) for line in lines]

    def _common(self) -> list[str]:
        account = ["--user=root"] if os.geteuid() == 0 else []
        return [f"--datadir={self.data}", *account]

    @staticmethod
    def _program(name: str) -> str:
        return program(name) or name


def quoted(value: str | int | None) -> str:
    """A value as it stands in a statement."""
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'").replace("\0", "\\0")
    return f"'{escaped}'"


def insert(table: str, columns: str, rows: Iterable[Iterable[str | int | None]]) -> str:
    """The statements that insert rows, a few hundred at a time; nothing when there are none."""
    tuples = [f"({', '.join(map(quoted, row))})" for row in rows]
    pieces = (",\n".join(tuples[at : at + 500]) for at in range(0, len(tuples), 500))
    return "".join(f"INSERT INTO {table} ({columns}) VALUES\n{piece};\n" for piece in pieces)


def _value(cell: str) -> str | None:
    if cell == "NULL":
        return None
    if "\\" not in cell:
        return cell
    parts = cell.split("\\\\")
    return "\\".join(part.replace("\\n", "\n").replace("\\t", "\t").replace("\\0", "\0") for part in parts)
