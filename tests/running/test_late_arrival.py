"""A request whose sender died may still be carried out: what it was to create is not sent again too soon."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.states import RunState
from batchkit.planning.job import Job

SLOW = 2.0


class Slow(BaseHTTPRequestHandler):
    """Takes its time to create, also for those who have gone."""

    asked: list[Any]
    made: list[Any]

    def log_message(self, *_: Any) -> None:
        """Nothing on the screen."""

    def do_GET(self) -> None:
        """All there is."""
        self._answer(self.made)

    def do_POST(self) -> None:
        """Create, late."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        time.sleep(SLOW)
        self.made.append(body)
        self._answer(body)

    def _answer(self, value: Any) -> None:
        body = json.dumps(value).encode()
        try:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            pass  # who asked is gone


@pytest.fixture
def slow() -> Iterator[ThreadingHTTPServer]:
    """The server."""
    Slow.asked, Slow.made = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_create_under_way_when_the_run_was_killed_gets_time_to_arrive(
    slow: ThreadingHTTPServer, tmp_path: Path
) -> None:
    """Killed while the server was at it and resumed at once, the item is found there and made once."""
    target = {"read": {"url": "/items?ids={keys}"}, "create": {"url": "/items"}, "check": "none"}
    frame = pl.DataFrame({"id": ["a"], "name": ["x"]})
    job = Job(frame, f"http+http://127.0.0.1:{slow.server_port}", key=["id"], mode="insert", target=target)
    run = job.plan(tmp_path / "p.parquet").start(detach=True, timeout=SLOW + 2, report=False)
    deadline = time.monotonic() + 20
    while not Slow.asked:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(int(run.snapshot().owner.split()[1]), 9)
    assert run.wait(10) is RunState.INTERRUPTED
    run.resume()
    assert run.wait(20) is RunState.FINISHED
    assert [body["id"] for body in Slow.made] == ["a"]
    assert run.snapshot().outcomes["done"] == 1
