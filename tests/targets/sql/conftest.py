"""Fixtures of tests that hold for every kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sql_databases import COMPANIES, Database, empty_sqlite, opened


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return empty_sqlite(tmp_path)
    return Database("postgresql", request.getfixturevalue("postgres_url"))


@pytest.fixture
def companies(database: Database) -> Database:
    """A database with a table of companies."""
    database.execute(COMPANIES)
    return database


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    """Every target that a test connects is closed after it."""
    yield
    while opened:
        opened.pop().close()
