"""What tests of the panel share."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.pretend import PretendPlan


@pytest.fixture
def plan() -> Any:
    """A plan with some of each kind of change."""
    return PretendPlan(problems=37, create=30, update=1_204, unchanged=8_000, invalid=12)
