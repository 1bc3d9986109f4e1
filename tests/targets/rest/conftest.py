"""What holds for all tests of REST targets."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback is reached directly, whatever the machine's environment says."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
