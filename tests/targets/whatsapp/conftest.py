"""Fixtures of tests of WhatsApp."""

from __future__ import annotations

import pytest


@pytest.fixture
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is a secret of the environment."""
    monkeypatch.setenv("whatsapp_token", "EAAG-sesame-open")
