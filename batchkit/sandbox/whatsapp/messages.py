"""What a message must hold before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from . import templates
from .errors import GraphError

LONGEST: Final = 4096
"""Characters of a text message."""


def check(body: Mapping[str, Any]) -> None:
    """Hold a message against the rules of its type.

    Raises:
        GraphError: It breaks one.
    """
    for name in ("messaging_product", "to"):
        if not body.get(name):
            raise GraphError(100, message=f"(#100) The parameter {name} is required.")
    if body["messaging_product"] != "whatsapp":
        raise GraphError(100, "Param messaging_product must be one of {WHATSAPP}.")
    kind = body.get("type", "text")
    if kind not in _CHECKS:
        raise GraphError(
            100, f"Param type must be one of {{{', '.join(sorted(_CHECKS)).upper()}}} - got {kind!r}."
        )
    part = body.get(kind)
    if not isinstance(part, dict):
        raise GraphError(131008, f"Parameter '{kind}' is mandatory for type '{kind}'")
    _CHECKS[kind](kind, part)


def _text(_: str, part: Mapping[str, Any]) -> None:
    text = part.get("body")
    if not isinstance(text, str) or not text.strip():
        raise GraphError(131008, "Parameter 'body' is mandatory for type 'text'")
    if len(text) > LONGEST:
        raise GraphError(100, f"Param text['body'] must be at most {LONGEST} characters long.")


def _media(kind: str, part: Mapping[str, Any]) -> None:
    link = part.get("link")
    if not link and not part.get("id"):
        raise GraphError(131008, f"Either '{kind}.link' or '{kind}.id' is needed")
    if link and not str(link).startswith(("http://", "https://")):
        raise GraphError(131009, f"Param {kind}['link'] is not a valid URL.")


def _template(_: str, part: Mapping[str, Any]) -> None:
    language = part.get("language")
    code = language.get("code") if isinstance(language, dict) else None
    for name, value in (("name", part.get("name")), ("language", code)):
        if not value:
            raise GraphError(131008, f"Parameter '{name}' is mandatory for type 'template'")
    templates.check(templates.found(part["name"], code), part.get("components"))


_CHECKS: Final[dict[str, Callable[[str, Mapping[str, Any]], None]]] = {
    "text": _text,
    "template": _template,
    "image": _media,
    "document": _media,
    "video": _media,
    "audio": _media,
}
