"""Several writes in one request: `batch/v1`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from .answers import Answer, Refused
from .params import Call, Wrong, invalid

MOST: Final = 25
"""Requests that one batch may hold."""
_METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
OFFER: Final[dict[str, Any]] = {
    "namespace": "",
    "methods": ["POST"],
    "endpoints": [
        {
            "methods": ["POST"],
            "args": {
                "validation": {
                    "type": "string",
                    "enum": ["require-all-validate", "normal"],
                    "default": "normal",
                    "required": False,
                },
                "requests": {
                    "type": "array",
                    "maxItems": MOST,
                    "items": {
                        "type": "object",
                        "properties": {
                            "method": {"type": "string", "enum": list(_METHODS), "default": "POST"},
                            "path": {"type": "string", "required": True},
                            "body": {"type": "object", "properties": [], "additionalProperties": True},
                            "headers": {"type": "object", "properties": []},
                        },
                    },
                    "required": True,
                },
            },
        }
    ],
}
"""What `OPTIONS` says of it."""


def run(call: Call, answer: Callable[[Call], Answer]) -> Answer:
    """Answer each request of a batch; the batch itself is always 207.

    Args:
        call: The batch.
        answer: Answers one request.

    Raises:
        Refused: The batch can't be read, or holds too many.
    """
    requests = call.given.get("requests")
    if requests is None:
        message = "Missing parameter(s): requests"
        raise Refused(400, "rest_missing_callback_param", message, {"params": ["requests"]})
    if (wrong := _wrong(requests)) is not None:
        raise invalid({"requests": wrong})
    answers = [answer(_inner(call, request)) for request in requests]
    responses = [
        {"body": each.body, "status": each.status, "headers": dict(each.headers) or []} for each in answers
    ]
    return Answer(207, {"responses": responses}, {"Allow": "POST"})


def _inner(call: Call, request: dict[str, Any]) -> Call:
    parts = urlsplit(request["path"])
    method = request.get("method", "POST")
    body = request.get("body") or {}
    return Call(method, parts.path, dict(parse_qsl(parts.query)), body, call.user, call.site)


def _wrong(requests: Any) -> Wrong | None:
    if not isinstance(requests, list):
        return Wrong("rest_invalid_type", "requests is not of type array.", {"param": "requests"})
    if len(requests) > MOST:
        return Wrong("rest_too_many_items", f"requests must contain at most {MOST} items.")
    for at, request in enumerate(requests):
        if not isinstance(request, dict) or "path" not in request:
            name = f"path is a required property of requests[{at}]."
            return Wrong("rest_property_required", name)
        if request.get("method", "POST") not in _METHODS:
            message = f"requests[{at}][method] is not one of POST, PUT, PATCH, and DELETE."
            return Wrong("rest_not_in_enum", message)
    return None
