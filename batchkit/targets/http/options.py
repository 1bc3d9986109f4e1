"""What a job may say of a target behind HTTP: the entries of its table `[target]`, read one by one.

A value of the wrong kind is an error that names the entry, what it takes, and an example. `place` is where an
entry stands: `target`, or a table in it such as `target.read`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from ...core.errors import UsageError
from ...core.settings import seconds

HTTP_OPTIONS: Final[tuple[str, ...]] = ("headers", "connect_timeout", "read_timeout")
"""Options that every target behind HTTP takes."""

PLACE: Final = "target"
_LONGEST: Final = 86_400.0
_SHOWN: Final = 60


def of_http(options: dict[str, Any]) -> dict[str, Any]:
    """The options that every target behind HTTP takes, taken out of those of one."""
    return {name: options.pop(name) for name in HTTP_OPTIONS if name in options}


def refuse_unknown(
    given: Iterable[str], known: Iterable[str], place: str = PLACE, near: Iterable[str] = ()
) -> None:
    """Make sure that each entry is known.

    Args:
        given: Names of the entries.
        known: Names there are.
        place: Where they stand.
        near: More names that may have been meant; those entries are read elsewhere.

    Raises:
        UsageError: One isn't; the near one is named.
    """
    names = list(known)
    for name in given:
        if name not in names:
            names += near
            meant = get_close_matches(name, names, 1)
            hint = f"Did you mean {meant[0]!r}?" if meant else f"Known: {', '.join(names)}."
            raise UsageError(f"{place} has no entry {name!r}.", advice=hint)


def wrong(place: str, takes: str, value: Any, example: str = "") -> UsageError:
    """The error for an entry of the wrong kind.

    Args:
        place: The entry, such as `target.read.many`.
        takes: What it takes.
        value: What it was given.
        example: The entry as it would be right, as a job file has it.
    """
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    advice = f"Write {place.rpartition('.')[2]} = {example}." if example else ""
    return UsageError(f"{place} takes {takes}, not {shown}.", advice=advice)


def text(name: str, value: Any, example: str = "", place: str = PLACE) -> str:
    """A text.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(value, str):
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        raise wrong(f"{place}.{name}", "text", value, f'"{value}"' if plain else example)
    return value


def texts(name: str, value: Any, example: str, place: str = PLACE) -> tuple[str, ...]:
    """A list of texts; a single text is one with commas.

    Raises:
        UsageError: It is none.
    """
    if isinstance(value, str):
        return tuple(part for each in value.split(",") if (part := each.strip()))
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise wrong(f"{place}.{name}", "a list of texts", value, example)
    return tuple(value)


def flag(name: str, value: Any, place: str = PLACE) -> bool:
    """True or false, whichever way it is written.

    Raises:
        UsageError: It is neither.
    """
    word = str(value).strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise wrong(f"{place}.{name}", "true or false", value, "true")


def count(name: str, value: Any, example: str = "10", place: str = PLACE) -> int:
    """A whole number from 1 up.

    Raises:
        UsageError: It is none.
    """
    plain = str(value)
    if isinstance(value, bool) or not plain.isascii() or not plain.isdigit() or int(plain) < 1:
        raise wrong(f"{place}.{name}", "a whole number from 1 up", value, example)
    return int(plain)


def table(name: str, value: Any, example: str, place: str = PLACE) -> dict[str, Any]:
    """A table.

    Raises:
        UsageError: It is none.
    """
    if not isinstance(value, Mapping):
        raise wrong(f"{place}.{name}", "a table", value, example)
    return {str(each): held for each, held in value.items()}


def words_by_name(name: str, value: Any, example: str, place: str = PLACE) -> dict[str, str]:
    """A table of texts, such as headers; a number in it is taken as it is written.

    Raises:
        UsageError: It is none, or holds something else.
    """
    found = table(name, value, example, place)
    for each, held in found.items():
        if isinstance(held, bool) or not isinstance(held, str | int | float):
            raise wrong(f"{place}.{name}.{each}", "text", held, '"..."')
    return {each: str(held) for each, held in found.items()}


def duration(name: str, value: Any, place: str = PLACE) -> float:
    """A time, in seconds.

    Raises:
        UsageError: It is none, not above zero, or more than a day.
    """
    try:
        found = float(seconds(value)) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        found = math.nan
    if not 0 < found <= _LONGEST:
        raise wrong(f"{place}.{name}", "a time of up to a day", value, '"30s"')
    return found
