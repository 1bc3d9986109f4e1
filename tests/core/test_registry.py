"""What opens an address: batchkit's own, what a process registers, what packages add."""

from __future__ import annotations

import pytest

from batchkit.core.errors import UsageError
from batchkit.core.registry import Registry, scheme_of


def test_scheme_is_what_stands_before_the_colon() -> None:
    """Whatever its case, and without what a plus adds."""
    assert [scheme_of(text) for text in ("sqlite:///a", "HTTP+https://h", "whatsapp:1", "a.csv")] == [
        "sqlite", "http", "whatsapp", "a.csv",
    ]  # fmt: skip


def test_what_a_process_registers_comes_first() -> None:
    """A test may put something of its own in the place of what batchkit has."""
    registry = Registry("target", {"shop": "batchkit.core.registry:Registry"})
    assert registry.opener("shop:1") is Registry
    registry.register("Shop", "batchkit.core.registry:scheme_of")
    assert registry.opener("shop:1") is scheme_of


def test_unknown_scheme_is_told_with_those_there_are() -> None:
    """So that a typing error shows."""
    registry = Registry("target", {"shop": "x:Y"})
    with pytest.raises(UsageError, match=r"No target knows the address shoop:.*Known are: shop\."):
        registry.opener("shoop://host")
