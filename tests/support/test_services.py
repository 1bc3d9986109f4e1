"""The services that tests lean on: they come, go, come back, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import psycopg
import pytest

from tests.support.needs import ROOT
from tests.support.services import PostgresServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

OWNER = """
import sys, time
from tests.support.services import PostgresServer
server = PostgresServer()
print(server.folder, (server.data / "postmaster.pid").read_text().split()[0], flush=True)
time.sleep(60)
"""


def test_each_test_has_an_empty_database(postgres_url: str) -> None:
    """A fresh database holds no table and takes one."""
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE mine (id int)")
        count = connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchone()
    assert count == (1,)


def test_server_comes_back_with_its_data(postgres_server: PostgresServer) -> None:
    """Stopped in any mode and started again, the server answers at the same address with the same rows."""
    address = postgres_server.url.replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    postgres_server.stop("immediate")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address)
    postgres_server.start()
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is a matter of POSIX")
def test_no_server_outlives_its_owner(postgres_cluster: PostgresServer) -> None:
    """When the process that asked for a server is killed, server and folder are gone within seconds."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    ) as owner:
        assert owner.stdout
        folder, pid = owner.stdout.readline().split()
        assert psutil.pid_exists(int(pid))
        os.killpg(owner.pid, signal.SIGKILL)
    _until(lambda: not Path(folder).exists() and not _alive(int(pid)), seconds=20)


def test_browser_shows_a_page(page: Page) -> None:
    """The browser of the browser tests renders and runs scripts."""
    page.set_content("<h1 id=t>no</h1><script>t.textContent = 'Société n°' + 6 * 7</script>")
    assert page.inner_text("h1") == "Société n°42"


def _alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)
