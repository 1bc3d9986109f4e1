"""A request as the site's routes see it, whether it came by itself or in a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import params
from .users import User


@dataclass(frozen=True, slots=True)
class Call:
    """A request.

    Attributes:
        method: The method.
        path: The path without `/wp-json`.
        query: Parameters of the address.
        body: Parameters of the body.
        user: Who is logged in.
        site: Address of the site, without a slash at its end.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    user: User | None = None
    site: str = ""

    @property
    def given(self) -> dict[str, Any]:
        """All parameters; the body's win."""
        return {**self.query, **self.body}

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields asked for by `_fields`."""
        return tuple(params.texts("_fields", self.given.get("_fields", [])))
