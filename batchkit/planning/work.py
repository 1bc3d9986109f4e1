"""What makes two plans the same work, so that what can't be seen at the target is done once only.

What is compared is the whole: the rows that would be sent as a multiset, and where they go. The same file
saved anew, in another order or another format, is the same work; tomorrow's file is not, and neither are two
equal rows of one file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ..core.states import Change

if TYPE_CHECKING:
    from ..targets.base import Target

_BYTES: Final = 16


class RowSum:
    """The rows that a plan sends, as one number that is the same in whichever order they come."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, frame: pl.DataFrame, columns: Mapping[str, str]) -> None:
        """Take in rows.

        Args:
            frame: The rows.
            columns: The field that each column holds.
        """
        self.rows += frame.height
        # A sum, for that forgets the order and keeps how often each row stands there.
        for text in row_texts(frame, columns):
            digest = hashlib.blake2b(text.encode(), digest_size=_BYTES).digest()
            self._sum += int.from_bytes(digest, "big")
        self._sum %= 1 << 8 * _BYTES

    def at(self, target: Target) -> str:
        """These rows for this place, as a hash.

        What only says how they are sent isn't in it, nor the mode: whatever can't be seen at the target is
        there twice when it is sent twice, and is appended in each mode.
        """
        parts = [self.rows, self._sum, target.destination, target.shape]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def row_texts(frame: pl.DataFrame, columns: Mapping[str, str]) -> Iterator[str]:
    """A text for each row that equal rows share, whatever else the frame has and in whichever order.

    Args:
        frame: The rows.
        columns: The field that each column holds; the cells of a field that several columns hold are one.
    """
    texts: dict[str, list[pl.Expr]] = {}
    for column, name in columns.items():
        # The one type that has no text of its own.
        plain = pl.col(column).bin.encode("hex") if frame.schema[column] == pl.Binary else pl.col(column)
        texts.setdefault(name, []).append(plain.cast(pl.String))
    cells = [pl.lit(f"{name}\x1f") + pl.coalesce(texts[name]) for name in sorted(texts)]
    if not cells:
        return iter([""] * frame.height)
    joined = frame.select(pl.concat_str(cells, separator="\x1e", ignore_nulls=True))
    return iter(joined.to_series())


def places_of(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Where a plan's rows go: in one spelling, and as the address is written, which is all an older run has.

    Args:
        facts: The plan's, or its run's.
    """
    address = facts.get("address") or ""
    return facts.get("place") or address, address


def is_unseen(facts: Mapping[str, Any]) -> bool:
    """Whether what a plan sends can't be seen at the target afterwards: appended rows, messages.

    Args:
        facts: The plan's, with its counts.
    """
    return facts["undoes"] is None and (facts["mode"] == "append" or bool(facts["counts"].get(Change.SEND)))
