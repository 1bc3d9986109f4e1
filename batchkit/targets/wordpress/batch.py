"""The envelope of batch/v1: many writes in one request, each with a status of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import httpx

from ..base import Failure, Fate
from ..http.answer import Answer
from ..http.failures import HttpError
from .failures import value_of
from .site import address
from .writer import Request

NOT_ALLOWED: Final = "rest_batch_not_allowed"
"""Code of a route that can't be written through it."""


def envelope(requests: Sequence[Request]) -> dict[str, Any]:
    """The body of a call. Paths in it are without `/wp-json`."""
    inner = []
    for request in requests:
        one: dict[str, Any] = {
            "method": request.method,
            "path": f"/{address(request.route, '', request.query)}",
        }
        if request.body is not None:
            one["body"] = request.body
        inner.append(one)
    return {"requests": inner}


def opened(answer: Answer, count: int) -> list[Answer]:
    """The answers in an answer, in the order of the requests.

    Raises:
        HttpError: The call failed as a whole, or its answer isn't what it should be.
    """
    value = value_of(answer)
    responses = value.get("responses") if isinstance(value, dict) else None
    if not isinstance(responses, list) or len(responses) != count:
        reason = "WordPress answered a batch with something else than its results"
        raise HttpError(Failure(Fate.UNKNOWN, "batch", reason))
    return [_inner(each, answer.url) for each in responses]


def _inner(response: Any, url: str) -> Answer:
    if not isinstance(response, dict):  # it never got there, as when another of them can't be validated
        response = {"status": 500, "body": {"message": "WordPress gave no result for this item of the batch"}}
    headers = response.get("headers")
    return Answer(
        int(response.get("status", 500)),
        httpx.Headers(
            {name: str(text) for name, text in headers.items()} if isinstance(headers, dict) else {}
        ),
        json.dumps(response.get("body")).encode(),
        True,
        url,
    )
