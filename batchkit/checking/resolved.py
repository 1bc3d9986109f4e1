"""A mapping held against the columns of one source: which column feeds which field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: A template cut in pieces: literal text, and the source column that follows it (None at the end).
Pieces = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Resolved:
    """A mapping held against the columns of one source.

    Attributes:
        columns: Source column of each field that has one.
        constants: Value of each field that is the same on all rows.
        templates: Pieces of each field that is put together from several columns.
        unused: Source columns that feed no field.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    templates: Mapping[str, Pieces] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
