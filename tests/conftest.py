"""Fixtures for all tests: a home of one's own, the shared real inputs, PostgreSQL, WordPress, a browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support.needs import chromium_program, missing, shared_folder
from tests.support.sandboxes import Sandbox, sandbox
from tests.support.services import PostgresMissing, PostgresServer
from tests.support.wordpress_machine import WordPressMissing
from tests.support.wordpress_site import WordPressSite

if TYPE_CHECKING:
    from playwright.sync_api import Page

# A shared machine is slow at times: an example that took long says nothing about the code.
settings.register_profile(
    "batchkit", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("batchkit")

_MARKED_BY = {
    "postgres_cluster": "postgres",
    "postgres_server": "postgres",
    "wordpress_site": "wordpress",
    "chromium": "browser",
}


def pytest_xdist_auto_num_workers() -> int:
    """Two workers a core, for half of the tests' time is waiting for servers, browsers and processes."""
    return min(8, 2 * (os.cpu_count() or 1))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by what they ask for: `-m 'not postgres'` needs no mark by hand."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if mark := _MARKED_BY.get(fixture):
                item.add_marker(mark)


@pytest.fixture(autouse=True)
def batchkit_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `BATCHKIT_HOME` for each test: nothing is read from or written to the user's own."""
    home = tmp_path / "batchkit-home"
    monkeypatch.setenv("BATCHKIT_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real inputs, never written to."""
    return shared_folder() or missing("the shared real inputs are not beside the project (BATCHKIT_SHARED)")


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[PostgresServer]:
    """One server per worker, for tests that only need databases on it."""
    try:
        server = PostgresServer()
    except PostgresMissing as error:
        missing(str(error))
    with server:
        yield server


@pytest.fixture
def postgres_url(postgres_cluster: PostgresServer) -> Iterator[str]:
    """SQLAlchemy address of an empty database, dropped after the test."""
    url = postgres_cluster.create_database()
    yield url
    postgres_cluster.drop_database(url)


@pytest.fixture
def postgres_server() -> Iterator[PostgresServer]:
    """A server for one test alone, which may stop it and start it again."""
    try:
        server = PostgresServer()
    except PostgresMissing as error:
        missing(str(error))
    with server:
        yield server


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A practice server without faults, reached directly whatever the machine's environment says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with sandbox(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def wordpress_site() -> Iterator[WordPressSite]:
    """One site per worker, which is up in a third of a second; tests take it as `wordpress`."""
    folder = shared_folder()
    try:
        site = WordPressSite(folder / "wp" / "export.csv" if folder else 600)
    except WordPressMissing as error:
        missing(str(error))
    with site:
        yield site


@pytest.fixture
def wordpress(wordpress_site: WordPressSite) -> Iterator[WordPressSite]:
    """A real WordPress in which to make posts of one's own; back to normal after the test."""
    yield wordpress_site
    wordpress_site.set()
    wordpress_site.start()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The program of a Chromium browser."""
    return chromium_program() or missing("no Chromium on this machine (BATCHKIT_CHROMIUM)")


@pytest.fixture
def page(chromium: str) -> Iterator[Page]:
    """A blank page in a headless Chromium of this test's own.

    One for each test, because playwright's loop would forbid `asyncio.run` to every test that follows.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        # As root, and in containers with little /dev/shm, Chromium starts only with these.
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser.new_page(viewport={"width": 1280, "height": 900})
        browser.close()
