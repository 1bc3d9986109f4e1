"""Addresses and slugs as keys: written in many ways, meaning one post."""

from __future__ import annotations

import re
import unicodedata
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

_EDGES: Final = " \t\r\n\f\v\u00a0\ufeff\u200b\u200c\u200d\u2060"
"""What a cell may have at its ends without anybody seeing it."""

_ID_QUERY: Final = ("p", "page_id", "attachment_id")


def plain_slug(text: str) -> str:
    """A slug as people write it: `%C3%A9t%C3%A9/` and `été` are the same."""
    return unicodedata.normalize("NFC", unquote(text.strip(_EDGES).strip("/"))).lower()


def plain_address(url: str) -> str | None:
    """An address by which two ways to write it are one: no scheme, no `www.`, no slash at the end, decoded.

    Returns:
        `host/path`, with `?p=5` where that names the post; None where it is no address.
    """
    text = url.strip(_EDGES)
    if "://" not in text:
        text = f"https://{text.lstrip('/')}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    host = parts.hostname.removeprefix("www.") + (f":{port}" if port and port not in (80, 443) else "")
    path = unicodedata.normalize("NFC", re.sub(r"/+", "/", unquote(parts.path))).rstrip("/").lower()
    number = post_id(text)
    return f"{host}{path}" + (f"?p={number}" if number is not None else "")


def post_id(url: str) -> int | None:
    """The id in an address such as `https://site/?p=5`."""
    query = parse_qs(urlsplit(url.strip(_EDGES)).query)
    for name in _ID_QUERY:
        text = query.get(name, [""])[0]
        if is_number(text):
            return int(text)
    return None


def is_number(text: str) -> bool:
    """Whether a text is a plain number: `²` is a digit as well, and no number."""
    return text.isascii() and text.isdigit() and len(text) < 20


def place_of(url: str) -> str:
    """What of an address must be the same: the site may be reached by several names."""
    plain = plain_address(url) or ""
    return f"?{plain.partition('?')[2]}" if "?" in plain else plain.partition("/")[2]


def candidates(url: str, front_page: int = 0) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The slugs and the ids that the post behind an address may have; its own link must prove it.

    Args:
        url: The address.
        front_page: Id of the page that is the site's front; 0 for none.
    """
    url = url.strip(_EDGES)
    number = post_id(url)
    if number is not None:
        return (), (number,)
    last = plain_slug(urlsplit(url if "://" in url else f"https://{url}").path.rstrip("/").rpartition("/")[2])
    if not last:
        return (), (front_page,) if front_page else ()
    slugs, ids = [last], []
    bare = re.sub(r"\.(html?|php)$", "", last)
    if bare != last:
        slugs.append(bare)
    # Permalinks may hold the id: /archives/123, /my-post-123, /123-my-post.
    for pattern, rest in ((r"^(\d+)$", 0), (r"^(.+)-(\d+)$", 1), (r"^(\d+)-(.+)$", 2)):
        match = re.match(pattern, bare, re.ASCII)
        if match:
            ids.append(int(match[2 if rest == 1 else 1]))
            if rest:
                slugs.append(match[rest])
    return tuple(slugs), tuple(n for n in ids if 0 < n < 2**63)


def asked_slugs(slug: str) -> list[str]:
    """How a slug is asked for: as it is, and percent-encoded, as WordPress stores letters beyond ASCII."""
    encoded = quote(slug, safe="-_.~").lower()
    return [slug] if encoded == slug else [slug, encoded]
