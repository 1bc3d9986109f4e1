"""Texts from outside, made fit for every file, database and screen: once, where they come in."""

from __future__ import annotations

import re
from typing import Any, Final

_UNSTORABLE: Final = re.compile("[\ud800-\udfff\x00]")


def storable(text: str) -> str:
    """The text with halves of characters joined where both are there, and with � for what nothing can hold.

    JSON can spell half an emoji, which no encoding can write, and NUL, where many a text ends.
    """
    if not _UNSTORABLE.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", "�")


def as_text(value: object) -> str:
    """Whatever stands where a text should, as one that can be stored: nothing is an empty one."""
    if isinstance(value, bytes | bytearray):
        value = value.decode("utf-8", "replace")
    return storable("" if value is None else str(value))


def storable_all(value: Any) -> Any:
    """`storable` for every text inside lists, tuples and dicts; names that are no numbers become texts."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {
            key if isinstance(key, int | float) else as_text(key): storable_all(each)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(map(storable_all, value)) if type(value) in (list, tuple) else value
    return value
