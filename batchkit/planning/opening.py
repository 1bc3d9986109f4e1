"""Targets: opened with what they need from the floors above them, and what their kind says of itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..core.errors import BatchkitError
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


@contextmanager
def leaving(target: base.Target) -> Iterator[base.Target]:
    """The target, closed at the end; how it takes its leave makes no difference to what it was asked for."""
    try:
        yield target
    finally:
        try:
            target.close()
        except Exception as error:  # noqa: BLE001 - a target may raise anything, and its answers are here
            logging.getLogger("batchkit").warning("The target %s was not closed: %r", target.address, error)


def fact_of(address: str, name: str) -> Any:
    """What the kind of target at an address says of itself, such as its `default_key`.

    Where nobody knows the address it is what every target says unless it has to say more: that the address is
    wrong is told when the target is opened.
    """
    try:
        kind = base.target_class(address)
    except (BatchkitError, ImportError):
        kind = base.Target
    return getattr(kind, name, getattr(base.Target, name))
