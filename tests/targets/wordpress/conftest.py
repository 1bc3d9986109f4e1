"""Fixtures of tests against a real WordPress."""

from __future__ import annotations

import pytest

from tests.support.wordpress_jobs import know_logins
from tests.support.wordpress_site import WordPressSite


@pytest.fixture
def logins(wordpress: WordPressSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The users' passwords as secrets."""
    know_logins(wordpress, monkeypatch)
