"""Values between a plan, which has types, and WordPress's JSON."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from .places import ABSENT, Kind, Place
from .terms import Terms


def to_json(value: Any, place: Place, terms: Terms | None = None) -> Any:
    """A wanted value as WordPress takes it.

    Raises:
        UnknownTerms: It names a term that isn't there.
        ValueError: It is no JSON, where the field takes JSON.
    """
    if value is None:
        return place.nothing()
    if place.kind is Kind.TERMS and terms is not None:
        return terms.ids(value)
    if place.type.type == "json" and isinstance(value, str):
        return json.loads(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00"
    if isinstance(value, Decimal):
        return float(value)
    return value


def from_json(value: Any, place: Place, terms: Terms | None = None) -> Any:
    """A value found at WordPress as a plan has it; what means nothing there is None.

    Raises:
        ValueError: It isn't of the field's type.
    """
    if place.is_nothing(value):
        return None
    if place.kind is Kind.TERMS:
        ids = [int(each) for each in value]
        return terms.text(ids) if terms is not None else "|".join(map(str, ids))
    match place.type.type:
        case "integer":
            return _integer(value)
        case "float":
            return float(value)
        case "boolean":
            return value if isinstance(value, bool) else str(value) in ("1", "true")
        case "datetime":
            return datetime.fromisoformat(str(value)).replace(tzinfo=None)
        case "json":
            return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value if isinstance(value, str) else text_of(value)


def same(found: Any, wanted: Any, place: Place, terms: Terms | None = None) -> bool:
    """Whether what is found is what was sent, as WordPress takes values."""
    if wanted is None:
        return found is not ABSENT and (place.is_nothing(found) or found == place.default)
    if place.kind is Kind.TERMS and terms is not None:
        return isinstance(found, list) and set(found) == set(terms.ids(wanted))
    try:
        kept = from_json(found, place, terms)
        if place.type.type == "json":
            return bool(kept == from_json(json.loads(wanted), place))
        if isinstance(wanted, date) and not isinstance(wanted, datetime):
            wanted = datetime(wanted.year, wanted.month, wanted.day)
        return bool(kept == wanted)
    except ValueError:
        return False


def text_of(value: Any) -> str:
    """A value as text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not str(value).lstrip("-").isdigit():
        raise ValueError(value)
    return int(value)
