"""A request with its parameters: their types, and what is said of one that doesn't fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .answers import Refused
from .users import User

Reader = Callable[[str, Any], Any]
"""Takes a parameter's name and value to the value as it is used, or raises `Wrong`."""

_DATE: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(Z|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Call:
    """A request as the site's routes see it, whether it came by itself or in a batch.

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
        return tuple(texts("_fields", self.given.get("_fields", [])))


class Wrong(Exception):
    """A value that doesn't fit.

    Args:
        code: WordPress' word for it.
        message: What is said.
        data: More.
    """

    def __init__(self, code: str, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


def read(given: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The parameters that are known, as they are used; unknown ones are passed over, as WordPress does.

    Raises:
        Refused: Some don't fit; all of them are named.
    """
    values: dict[str, Any] = {}
    wrong: dict[str, Wrong] = {}
    for name, reader in readers.items():
        if name in given:
            try:
                values[name] = reader(name, given[name])
            except Wrong as error:
                wrong[name] = error
    if wrong:
        raise invalid(wrong)
    return values


def invalid(wrong: Mapping[str, Wrong]) -> Refused:
    """The refusal that names these parameters."""
    details = {
        name: {"code": error.code, "message": str(error), "data": error.data}
        for name, error in wrong.items()
        if error.code
    }
    data: dict[str, Any] = {
        "params": {name: str(error) for name, error in wrong.items()},
        "details": details or [],
    }
    return Refused(400, "rest_invalid_param", f"Invalid parameter(s): {', '.join(wrong)}", data)


def integer(name: str, value: Any) -> int:
    """A whole number, also as text."""
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value).strip()):
        raise _no_type(name, "integer")
    return int(value)


def between(low: int, high: int) -> Reader:
    """A whole number within bounds."""

    def reader(name: str, value: Any) -> int:
        number = integer(name, value)
        if not low <= number <= high:
            raise Wrong(
                "rest_out_of_bounds", f"{name} must be between {low} (inclusive) and {high} (inclusive)"
            )
        return number

    return reader


def at_least(low: int) -> Reader:
    """A whole number with a lower bound."""

    def reader(name: str, value: Any) -> int:
        number = integer(name, value)
        if number < low:
            raise Wrong("rest_out_of_bounds", f"{name} must be greater than or equal to {low}")
        return number

    return reader


def text(name: str, value: Any) -> str | None:
    """Text; null is let through and means: leave it."""
    if value is not None and not isinstance(value, str):
        raise _no_type(name, "string")
    return value


def content(_: str, value: Any) -> str | None:
    """Text, or an object with it under `raw`."""
    if isinstance(value, Mapping):
        value = value.get("raw")
    return None if value is None else str(value)


def flag(name: str, value: Any) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    if str(value).lower() not in ("true", "false", "0", "1"):
        raise _no_type(name, "boolean")
    return str(value).lower() in ("true", "1")


def among(*choices: str) -> Reader:
    """One of some words."""

    def reader(name: str, value: Any) -> str:
        if value not in choices:
            raise Wrong("rest_not_in_enum", f"{name} is not one of {_listed(choices)}.")
        return str(value)

    return reader


def integers(name: str, value: Any) -> list[int]:
    """Whole numbers, in a list or as text with commas."""
    return [_inner(name, at, each) for at, each in enumerate(_several(value))]


def texts(_: str, value: Any) -> list[str]:
    """Texts, in a list or as text with commas."""
    return [str(each) for each in _several(value)]


def date(_: str, value: Any) -> datetime | None:
    """A moment in the site's time, which is UTC; null means: now. Days beyond the month's end roll over."""
    if value is None:
        return None
    found = _DATE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Wrong("rest_invalid_date", "Invalid date.")
    *parts, zone = found.groups()
    year, month, day, hour, minute, second = (int(part) for part in parts)
    try:
        moment = datetime(year, month, 1) + timedelta(
            days=day - 1, hours=hour, minutes=minute, seconds=second
        )
    except ValueError:
        raise Wrong("rest_invalid_date", "Invalid date.") from None
    if not zone or zone == "Z":
        return moment
    return datetime.fromisoformat(f"{moment.isoformat()}{zone}").astimezone(UTC).replace(tzinfo=None)


def mapping(_: str, value: Any) -> dict[str, Any]:
    """An object; an empty list is one, as PHP writes it."""
    if value == []:
        return {}
    if not isinstance(value, dict):
        raise Wrong("", "Invalid parameter.")
    return value


def _several(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        return [part for part in re.split(r"[\s,]+", value) if part]
    return value if isinstance(value, list) else [value]


def _inner(name: str, at: int, value: Any) -> int:
    try:
        return integer(name, value)
    except Wrong:
        raise _no_type(f"{name}[{at}]", "integer") from None


def _no_type(name: str, kind: str) -> Wrong:
    return Wrong("rest_invalid_type", f"{name} is not of type {kind}.", {"param": name})


def _listed(choices: tuple[str, ...]) -> str:
    if len(choices) < 3:
        return " and ".join(choices)
    return f"{', '.join(choices[:-1])}, and {choices[-1]}"


CONTEXT: Final[dict[str, Reader]] = {"context": among("view", "embed", "edit")}
"""What nearly every route takes."""
PAGED: Final[dict[str, Reader]] = CONTEXT | {"page": at_least(1), "per_page": between(1, 100), "search": text}
"""What every list takes, first of all."""
