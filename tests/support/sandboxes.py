"""The practice server as tests use it: a process of its own on a free port, gone with the test."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx


class Sandbox:
    """A running practice server.

    Args:
        folder: Where its state is kept.
        faults: Orders.
        port: Where it listens; 0 takes a free port.
        **options: Further options of the command.
    """

    def __init__(self, folder: Path, faults: Sequence[str] = (), port: int = 0, **options: Any) -> None:
        self.state = folder / "practice.sqlite"
        command = [
            sys.executable,
            "-m",
            "batchkit",
            "sandbox",
            "--port",
            str(port),
            "--state",
            str(self.state),
        ]
        for order in faults:
            command += ["--fault", order]
        for name, value in {"seed": 1, **options}.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        # A group of its own, so that it ends with all that it may have started.
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("Practice server at "), line + self._process.stdout.read()
        self.url = line.split()[-1]
        self.port = int(self.url.rpartition(":")[2])

    def close(self) -> None:
        """End it at once, as a crash does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def order(self, *faults: str, latency: str = "0") -> None:
        """Put these faults in force instead of the former."""
        answer = httpx.put(
            f"{self.url}/_sandbox", json={"faults": list(faults), "latency": latency}, trust_env=False
        )
        assert answer.status_code == 200, answer.text

    def put(self, items: Sequence[dict[str, Any]]) -> None:
        """Have these items there."""
        import json

        with contextlib.closing(sqlite3.connect(self.state, timeout=10)) as db:
            db.executemany(
                "INSERT OR REPLACE INTO items VALUES (?, ?)",
                [(each["id"], json.dumps(each)) for each in items],
            )
            db.commit()

    def items(self) -> dict[str, dict[str, Any]]:
        """All items by id."""
        import json

        return {key: json.loads(body) for key, body in self.rows("SELECT id, body FROM items ORDER BY id")}

    def messages(self) -> Counter[str]:
        """How many messages each recipient got."""
        return Counter(to for (to,) in self.rows("SELECT json_extract(body, '$.to') FROM messages"))

    def wrote(self, *numbers: str) -> None:
        """Have these people written to the WhatsApp number just now."""
        answer = httpx.put(f"{self.url}/_sandbox", json={"wrote": list(numbers)}, trust_env=False)
        assert answer.status_code == 200, answer.text

    def most_within(self, seconds: float, path: str = "") -> int:
        """The most requests that arrived within any window of so many seconds, of those to a path."""
        times = [at for (at,) in self.rows(f"SELECT at FROM requests WHERE path LIKE '{path}%' ORDER BY at")]
        most = first = 0
        for last, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most

    def rows(self, query: str) -> list[Any]:
        """Rows of the server's own record."""
        with contextlib.closing(sqlite3.connect(self.state, timeout=10)) as db:
            return db.execute(query).fetchall()


@contextlib.contextmanager
def sandbox(folder: Path, *faults: str, **options: Any) -> Iterator[Sandbox]:
    """A practice server for the length of a test."""
    server = Sandbox(folder, faults, **options)
    try:
        yield server
    finally:
        server.close()


def until(true: Any, seconds: float = 10.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.01)
