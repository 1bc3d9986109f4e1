"""The schema of a type of posts: its fields with their types, as a real site's OPTIONS lists them."""

from __future__ import annotations

from typing import Any, Final

from .meta import AIOSEO, Meta

_EDIT: Final = {"context": ["edit"]}
_VIEW: Final = {"context": ["view", "edit"]}
_READONLY: Final = {**_VIEW, "readonly": True}
_DATE: Final = {"type": ["string", "null"], "format": "date-time"}
_OPEN: Final = ["open", "closed"]
_STATES: Final = ["publish", "future", "draft", "pending", "private"]
_FORMATS: Final = [
    "standard",
    "aside",
    "chat",
    "gallery",
    "link",
    "image",
    "quote",
    "status",
    "video",
    "audio",
]


def _text(**more: Any) -> dict[str, Any]:
    raw, rendered = {"type": "string", **_EDIT}, {"type": "string", **_READONLY}
    return {"type": "object", **_VIEW, "properties": {"raw": raw, "rendered": rendered, **more}}


_BLOCKS: Final = {"block_version": {"type": "integer", "readonly": True, **_EDIT}}
_IDS: Final = {"type": "array", "items": {"type": "integer"}, **_VIEW}
FIELDS: Final[dict[str, dict[str, Any]]] = {
    "id": {"type": "integer", **_READONLY},
    "date": {**_DATE, **_VIEW},
    "date_gmt": {**_DATE, **_VIEW},
    "guid": {**_text(), "readonly": True},
    "modified": {"type": "string", "format": "date-time", **_READONLY},
    "modified_gmt": {"type": "string", "format": "date-time", **_READONLY},
    "password": {"type": "string", **_EDIT},
    "slug": {"type": "string", **_VIEW},
    "status": {"type": "string", "enum": _STATES, **_VIEW},
    "type": {"type": "string", **_READONLY},
    "link": {"type": "string", "format": "uri", **_READONLY},
    "title": _text(),
    "content": _text(**_BLOCKS, protected={"type": "boolean", **_READONLY}),
    "excerpt": _text(protected={"type": "boolean", **_READONLY}),
    "author": {"type": "integer", **_VIEW},
    "featured_media": {"type": "integer", **_VIEW},
    "comment_status": {"type": "string", "enum": _OPEN, **_VIEW},
    "ping_status": {"type": "string", "enum": _OPEN, **_VIEW},
    "menu_order": {"type": "integer", **_VIEW},
    "sticky": {"type": "boolean", **_VIEW},
    "template": {"type": "string", **_VIEW},
    "parent": {"type": "integer", **_VIEW},
    "format": {"type": "string", "enum": _FORMATS, **_VIEW},
    "meta": {},  # as the plugins make it
    "categories": _IDS,
    "tags": _IDS,
    "permalink_template": {"type": "string", "readonly": True, **_EDIT},
    "generated_slug": {"type": "string", "readonly": True, **_EDIT},
    "class_list": {"type": "array", "items": {"type": "string"}, **_READONLY},
    AIOSEO: {"type": "object", **_VIEW},
}
"""The fields of posts and pages, in the order in which WordPress shows them."""

_ONLY_POST: Final = {"sticky", "format", "categories", "tags"}
_ONLY_PAGE: Final = {"parent", "menu_order"}


def field_names(kind: str, meta: Meta) -> list[str]:
    """The fields of a type: `post` or `page`."""
    hidden = {*(_ONLY_POST if kind == "page" else _ONLY_PAGE), *([] if meta.has_property else [AIOSEO])}
    return [name for name in FIELDS if name not in hidden]


def properties_of(kind: str, meta: Meta) -> dict[str, Any]:
    """The fields of a type of posts, each as the schema tells it.

    Args:
        kind: `post` or `page`.
        meta: The meta keys that are open.
    """
    return {name: meta.schema() if name == "meta" else FIELDS[name] for name in field_names(kind, meta)}
