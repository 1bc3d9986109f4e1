"""Values on their way to a REST API and back: templates filled, JSON made and read."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

from ...core import secrets
from ...core.columns import FieldType

_PLACE: Final = re.compile(r"\{(?!secret:)([^{}]+)\}")


class NoValue(Exception):
    """A template names something that the item hasn't got."""


def fill_address(template: str, values: Mapping[str, Any]) -> str:
    """An address with each `{name}` replaced by its value, percent-quoted.

    Raises:
        NoValue: There is no such field, or it is blank: the address would be another item's, or all items'.
    """

    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[1])
        text = "" if value is None else text_of(value)
        if not text or text in (".", ".."):
            raise NoValue(match[1])
        return quote(text, safe="")

    return _PLACE.sub(value_of, template)


def fill_body(template: Any, values: Mapping[str, Any]) -> Any:
    """A body made from a template: tables, lists and texts with `{name}` or `{secret:NAME}` in them.

    Raises:
        NoValue: There is no such field.
    """
    if isinstance(template, Mapping):
        return {str(name): fill_body(each, values) for name, each in template.items()}
    if isinstance(template, list | tuple):
        return [fill_body(each, values) for each in template]
    if not isinstance(template, str):
        return template
    if "{secret:" in template:
        template = secrets.resolve(template)
    alone = _PLACE.fullmatch(template)
    if alone:
        return _value(alone[1], values)
    return _PLACE.sub(lambda match: text_of(_value(match[1], values)), template)


def _value(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise NoValue(name)
    return values[name]


def to_json(value: Any, kind: FieldType | None) -> Any:
    """A field's value as JSON has it: numbers and truth values as such, dates as ISO texts.

    A decimal that a JSON number can't carry exactly goes as a text.
    """
    if kind is not None and kind.type == "json" and isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    if isinstance(value, Decimal):
        if value == value.to_integral_value():
            return int(value)
        number = float(value)
        return number if Decimal(repr(number)) == value else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def text_of(value: Any) -> str:
    """A value as text, by which keys are compared: 1.0 and 1 are the same, true is `true`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value)


def from_json(value: Any, kind: FieldType | None) -> Any:
    """A value of an answer as the field's type has it.

    Raises:
        ValueError, ArithmeticError: It is none of that type.
    """
    read: Callable[[Any], Any] = _READERS.get(kind.type if kind else "text", text_of)
    return None if value is None else read(value)


def _integer(value: Any) -> int:
    number = Decimal(str(value))
    if isinstance(value, bool) or number != number.to_integral_value():
        raise ValueError(value)
    return int(number)


def _boolean(value: Any) -> bool:
    text = text_of(value).lower()
    if text not in _WORDS:
        raise ValueError(value)
    return _WORDS[text]


_WORDS: Final = dict.fromkeys(("true", "1", "yes"), True) | dict.fromkeys(("false", "0", "no", ""), False)
_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "integer": _integer,
    "float": float,
    "decimal": lambda value: Decimal(str(value)),
    "boolean": _boolean,
    "date": lambda value: date.fromisoformat(str(value)[:10]),
    # Zones are left out, as they are in a sheet; a `Z` and an offset alike.
    "datetime": lambda value: datetime.fromisoformat(str(value)).replace(tzinfo=None),
}
