"""What a server answered, and what can be read in it when it isn't what it should be."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final

import httpx

from ...core.storable import storable_all

LONGEST_WORDS: Final = 300
"""Characters of a server's own message that go on record."""

_CANDIDATES: Final = 40
_PASSWORD_FIELD: Final = re.compile(r"(?is)<input[^>]+type\s*=\s*[\"']?password")
_TITLE: Final = re.compile(r"(?is)<(title|h1)[^>]*>(.*?)</\1>")
_LOGIN_WORDS: Final = re.compile(r"(?i)\b(log ?in|sign ?in|connexion|se connecter|anmelden|anmeldung)\b")
_TAG: Final = re.compile(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>")
_TELLING: Final = ("message", "error_description", "detail", "error", "title", "errors", "reason", "code")


class Unreadable(Exception):
    """An answer's body isn't the JSON it should be.

    Attributes:
        kind: `empty`, `login`, `html`, `truncated` or `text`.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(slots=True)
class Answer:
    """A server's answer with as much of its body as was let in.

    Attributes:
        status: HTTP status.
        headers: Its headers.
        body: The body, decoded from gzip and the like, cut at the client's limit.
        whole: The body came to its end.
        url: What was asked for.
    """

    status: int
    headers: httpx.Headers = field(default_factory=httpx.Headers)
    body: bytes = b""
    whole: bool = True
    url: str = ""

    @property
    def text(self) -> str:
        """The body as text; what can't be decoded is shown as �."""
        match = re.search(r"charset=[\"']?([\w.-]+)", self.headers.get("content-type", ""), re.IGNORECASE)
        try:
            return self.body.decode(match[1] if match else "utf-8", "replace")
        except LookupError:
            return self.body.decode("utf-8", "replace")

    @property
    def is_html(self) -> bool:
        """Whether it is a page for people."""
        if "html" in self.headers.get("content-type", ""):
            return self.body.lstrip()[:1] not in (b"{", b"[")
        start = self.body.lstrip()[:200].lower()
        return start.startswith((b"<!doctype html", b"<html"))

    @property
    def is_login(self) -> bool:
        """Whether it is a page that asks for a login."""
        text = self.text
        title = _TITLE.search(text)
        return bool(_PASSWORD_FIELD.search(text) or (title and _LOGIN_WORDS.search(title[2])))

    def json(self) -> Any:
        """The body's JSON, also where a server put warnings before it.

        Raises:
            Unreadable: There is none, or not all of it.
        """
        if self.whole:
            try:
                found = json.loads(self.body)
                # Half an emoji comes escaped, or as bytes that are no UTF-8: the rest needs no second look.
                return found if self.body.isascii() and b"\\u" not in self.body else storable_all(found)
            except ValueError:  # not JSON, or not in an encoding it may have
                pass
        text = self.text.lstrip("\ufeff").strip()
        if not text:
            raise Unreadable("empty" if self.whole else "truncated")
        if self.whole and (found := _behind_warnings(text)) is not None:
            return storable_all(found)
        if self.is_html:
            raise Unreadable("login" if self.is_login else "html")
        raise Unreadable("truncated" if not self.whole or text[0] in "{[" else "text")

    def words(self) -> str:
        """The server's own message, short, in one line; empty where it said nothing."""
        try:
            found = message_in(self.json())
        except Unreadable:
            found = _page_words(self.text)
        return " ".join(found.split())[:LONGEST_WORDS]


def message_in(value: Any) -> str:
    """The message for people in the JSON of a refusal, wherever servers use to put it."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        return "; ".join(filter(None, map(message_in, value[:3])))
    if isinstance(value, dict):
        for name in _TELLING:
            if value.get(name) and (words := message_in(value[name])):
                return words
        if value and all(isinstance(each, list | str) for each in value.values()):
            # {"price": ["must be a number"]}, as Laravel and Django write it.
            return "; ".join(f"{name}: {message_in(each)}" for name, each in list(value.items())[:3])
    return ""


def _behind_warnings(text: str) -> Any:
    """The JSON object or list that ends the text, where something stands before it."""
    decoder = json.JSONDecoder()
    for match in list(re.finditer(r"[{\[]", text))[:_CANDIDATES]:
        try:
            value, end = decoder.raw_decode(text, match.start())
        except ValueError:
            continue
        if not text[end:].strip():
            return value
    return None


def _page_words(text: str) -> str:
    title = _TITLE.search(text)
    return unescape(_TAG.sub(" ", title[2] if title else text[:5000])).strip()
