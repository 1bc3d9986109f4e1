"""Targets, opened with what they need from the floors above them."""

from __future__ import annotations

from typing import Any

from ..sources.tables import open_table
from ..targets import base


def open_target(url: str, **options: Any) -> base.Target:
    """The target behind an address; not connected yet.

    Args:
        url: Address such as `sqlite:///companies.sqlite` or `postgresql://user@host/db`.
        **options: What that target takes (`table`, `key`, `mode`, ...).

    Raises:
        UsageError: No target has that scheme.
    """
    target = base.open_target(url, **options)
    target.open_table = open_table
    return target
