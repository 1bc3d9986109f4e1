"""Where a field lives in a post, as the schema of its type tells, and its value on the way there and back."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from ...core.columns import FieldType
from .seo import SEO_CHECKS, Preset
from .terms import Terms

META: Final = "meta."
"""Beginning of the name of a field that is a meta key."""

ABSENT: Final = object()
"""What is found where an answer doesn't hold a field at all."""

_FORGET_ZERO: Final = frozenset({"parent", "featured_media", "post"})
"""Properties whose 0 means that there is none."""

_FIXED: Final = frozenset({
    "slug", "status", "date", "author", "menu_order", "comment_status", "ping_status", "sticky", "format",
})  # fmt: skip
"""Properties that a post always has: a blank cell leaves them, or takes what WordPress gives a new post."""

_LEFT_OUT: Final = frozenset({"date_gmt", "id", "type", "link", "guid"})
_TYPES: Final = {"string": "text", "integer": "integer", "number": "float", "boolean": "boolean"}


class Kind(StrEnum):
    """How a post holds a value."""

    PLAIN = "plain"  # a property with the value
    RAW = "raw"  # a property with `raw` and `rendered`
    META = "meta"  # a key of `meta`
    TERMS = "terms"  # a list of ids of terms
    PART = "part"  # a key of a property that a plugin added


@dataclass(frozen=True, slots=True)
class Place:
    """Where a field lives.

    Attributes:
        kind: How the post holds it.
        at: Name of the property, or meta key.
        type: The field as planning sees it.
        part: Key in the property, for `Kind.PART`.
        default: What an absent meta key reads as.
        registered: The site shows it; what isn't registered is ignored in silence.
    """

    kind: Kind
    at: str
    type: FieldType
    part: str = ""
    default: Any = None
    registered: bool = True

    @property
    def asked(self) -> str:
        """What `_fields` asks for."""
        match self.kind:
            case Kind.RAW:
                return f"{self.at}.raw"
            case Kind.META:
                return "meta" if set(self.at) & set(".,") else f"{META}{self.at}"
        return self.at

    @property
    def holder(self) -> str:
        """The property of a post that holds it."""
        return "meta" if self.kind is Kind.META else self.at

    def found(self, post: Mapping[str, Any]) -> Any:
        """Its value in a post as JSON has it; `ABSENT` where the post hasn't got it."""
        inner = {Kind.RAW: "raw", Kind.META: self.at, Kind.PART: self.part}.get(self.kind)
        if inner is None:
            return post.get(self.at, ABSENT)
        holder = post.get(self.holder)
        return holder.get(inner, ABSENT) if isinstance(holder, Mapping) else ABSENT

    def put(self, body: dict[str, Any], value: Any) -> None:
        """Put a value of JSON into the body of a request."""
        if self.kind is Kind.META:
            body.setdefault("meta", {})[self.at] = value
        elif self.kind is Kind.PART:
            body.setdefault(self.at, {})[self.part] = value
        else:
            body[self.at] = value

    def is_nothing(self, value: Any) -> bool:
        """Whether a value found means that there is none."""
        return (
            value is ABSENT
            or value in (None, "")
            or (self.at in _FORGET_ZERO and value == 0)
            or (self.kind is Kind.TERMS and not value)
        )

    def nothing(self) -> Any:
        """What is sent to have none: null removes a meta key, row and all."""
        if self.kind is Kind.META:
            return None
        if self.kind is Kind.TERMS:
            return []
        return 0 if self.at in _FORGET_ZERO else ""


def places_of(
    schema: Mapping[str, Any] | None, taxonomies: Collection[str], preset: Preset | None
) -> dict[str, Place]:
    """The fields of a type of posts, in WordPress's own order.

    Args:
        schema: Its properties, as OPTIONS shows them; None where the site doesn't show any.
        taxonomies: REST bases of the site's taxonomies.
        preset: Where the site's SEO plugin keeps its texts; None where there is none.
    """
    properties = _USUAL if schema is None else schema
    found = {}
    for name, described in properties.items():
        if name not in _LEFT_OUT and name != "meta" and not described.get("readonly"):
            place = _property(name, described, taxonomies)
            if place is not None:
                found[name] = place
    meta = properties.get("meta", {}).get("properties") or {}
    for key, described in meta.items():
        kind = FieldType(_type_of(described))
        found[META + key] = Place(Kind.META, key, kind, default=described.get("default"))
    if preset is not None:
        found |= _seo(preset, properties, meta, known=schema is not None)
    return found


def _property(name: str, described: Mapping[str, Any], taxonomies: Collection[str]) -> Place | None:
    if "raw" in (described.get("properties") or {}):
        return Place(Kind.RAW, name, FieldType("text"))
    if name in taxonomies:
        return Place(Kind.TERMS, name, FieldType("text"))
    kind = _type_of(described)
    if kind == "json":
        return None  # what a plugin keeps there is its own affair
    checks = {"one_of": tuple(described["enum"])} if kind == "text" and described.get("enum") else {}
    fixed = name in _FIXED
    return Place(Kind.PLAIN, name, FieldType(kind, nullable=not fixed, has_default=fixed, checks=checks))


def _type_of(described: Mapping[str, Any]) -> str:
    types = described.get("type")
    first = types if isinstance(types, str) else next((each for each in types or () if each != "null"), "")
    if first == "string" and described.get("format") == "date-time":
        return "datetime"
    return _TYPES.get(first, "json")


def _seo(
    preset: Preset, properties: Mapping[str, Any], meta: Mapping[str, Any], *, known: bool
) -> dict[str, Place]:
    found = {}
    for name, key in preset.keys.items():
        kind = FieldType("text", checks=SEO_CHECKS[name])
        if preset.property and preset.property in properties:
            found[name] = Place(Kind.PART, preset.property, kind, part=preset.parts[name])
        else:
            registered = key in meta or (not known and bool(key))
            found[name] = Place(Kind.META, key, kind, registered=registered)
    return found


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


_TEXT: Final[Mapping[str, Any]] = {"type": "object", "properties": {"raw": {"type": "string"}}}
_USUAL: Final[Mapping[str, Mapping[str, Any]]] = {
    "title": _TEXT,
    "content": _TEXT,
    "excerpt": _TEXT,
    "slug": {"type": "string"},
    "status": {"type": "string"},
    "date": {"type": "string", "format": "date-time"},
}
"""What every post has, for a site that doesn't show its schema."""
