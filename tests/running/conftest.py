"""Fixtures of the tests of runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from batchkit.planning.plan import Plan
from batchkit.testing import MemoryTarget
from tests.support.plans import plan_of


@pytest.fixture(autouse=True)
def empty_stores() -> Iterator[None]:
    """Memory targets begin empty in each test."""
    MemoryTarget._stores.clear()
    yield
    MemoryTarget._stores.clear()


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A plan of 300 creates."""
    return plan_of(tmp_path / "people.parquet", 300)
