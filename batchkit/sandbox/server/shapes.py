"""How a status that was ordered reads: each API has its own words for it."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, Final

from .. import chat
from ..whatsapp import errors as whatsapp
from ..wordpress import answers as wordpress
from .faults import Fault

Headers = list[tuple[bytes, bytes]]

_HTML: Final = (b"content-type", b"text/html; charset=utf-8")
_JSON: Final = (b"content-type", b"application/json")
_GUARD: Final = b"<!doctype html><html><head><title>Just a moment...</title></head><body>Hello</body></html>"
_LOGIN: Final = (
    b"<!doctype html><html><head><title>Log In</title></head><body>"
    b'<form><input name="user"><input type="password" name="password"></form></body></html>'
)
_MAINTENANCE: Final = (
    b"<!DOCTYPE html>\n<html dir='ltr'>\n<head><title>Maintenance</title></head>\n"
    b'<body id="error-page">\n\t<div class="wp-die-message">Briefly unavailable for scheduled maintenance. '
    b"Check back in a minute.</div></body>\n</html>\n"
)


def page(fault: Fault, path: str) -> tuple[int, Headers, bytes]:
    """What is answered instead of the API: status, headers and body."""
    match fault.kind:
        case "html":
            return 200, [_HTML], _GUARD
        case "login":
            return 200, [_HTML], _LOGIN
        case "firewall":
            return 403, [_HTML], _GUARD
        case "maintenance":
            return 503, [_HTML, (b"retry-after", b"600")], _MAINTENANCE
        case "redirect":
            return 307, [(b"location", f"{fault.options.get('to', '')}{path}".encode())], b""
    status = int(fault.kind)
    headers: Headers = []
    if "retry-after" in fault.options:
        headers.append((b"retry-after", fault.options["retry-after"].encode()))
    body = _words(status, fault.options.get("code"), path)
    if path.startswith("/v1/") and status == 429:
        headers += chat.LIMIT_HEADERS
    if body is None:
        return status, [_HTML, *headers], _of_the_web_server(status)
    return status, [_JSON, *headers], json.dumps(body).encode()


def _words(status: int, code: str | None, path: str) -> dict[str, Any] | None:
    if path.startswith("/wp-json"):
        return wordpress.ordered(status, code)
    if path.startswith("/v1/"):
        return chat.ordered(status, code)
    if re.match(r"/v\d+\.\d+/", path):
        return whatsapp.ordered(status, code)
    return {"error": {"code": code or status, "message": "ordered fault"}}


def _of_the_web_server(status: int) -> bytes:
    title = f"{status} {HTTPStatus(status).phrase}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        f"<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    ).encode()
