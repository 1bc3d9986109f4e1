"""The practice server's REST API."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .state import State

Endpoint = Callable[[Request], Awaitable[Response]]


class Api:
    """The endpoints.

    Args:
        state: What they keep.
        token: What `Authorization: Bearer` must hold; None lets everybody in.
    """

    def __init__(self, state: State, token: str | None = None) -> None:
        self._state = state
        self._token = token

    def routes(self) -> list[Route]:
        """Its endpoints."""
        return [
            Route("/", self._guarded(self._hello), methods=["GET"]),
            Route("/items", self._guarded(self._list), methods=["GET"]),
            Route("/items", self._guarded(self._create), methods=["POST"]),
            Route("/items/{id:path}", self._guarded(self._one), methods=["GET", "PUT", "PATCH", "DELETE"]),
            Route("/messages", self._guarded(self._messages), methods=["GET", "POST"]),
        ]

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        async def guarded(request: Request) -> Response:
            if self._token is not None and request.headers.get("authorization") != f"Bearer {self._token}":
                return refused(401, "unauthorized", "The token is not valid.")
            return await endpoint(request)

        return guarded

    async def _hello(self, _: Request) -> Response:
        return JSONResponse({"name": "batchkit practice server"})

    async def _list(self, request: Request) -> Response:
        wanted = request.query_params.get("ids")
        if wanted is not None:
            return JSONResponse({"items": self._state.items(wanted.split(","))})
        page = int(request.query_params.get("page", "1"))
        size = min(int(request.query_params.get("per_page", "100")), 100)
        return JSONResponse({"items": self._state.page(page, size), "page": page})

    async def _create(self, request: Request) -> Response:
        body = await object_in(request)
        if body is None:
            return _no_object()
        again = request.headers.get("idempotency-key")
        # Before the look for the item, which the first of the two requests has made.
        if again and (known := self._state.known(again)):
            return JSONResponse(known[1], known[0])
        key = str(body.setdefault("id", secrets.token_hex(6)))
        if self._state.item(key) is not None:
            return refused(409, "exists", f"There is an item {key} already.")
        if (problem := _problem(body)) is not None:
            return problem
        self._state.put(key, body)
        if again:
            self._state.remember(again, 201, body)
        return JSONResponse(body, 201)

    async def _one(self, request: Request) -> Response:
        key = request.path_params["id"]
        present = self._state.item(key)
        body = await object_in(request) if request.method in ("PUT", "PATCH") else {}
        if request.method == "PUT":
            if body is None:
                return _no_object()
            new = self._state.put(key, {**body, "id": body.get("id", key)})
            return JSONResponse(self._state.item(key), 201 if new else 200)
        if present is None:
            return refused(404, "not_found", f"There is no item {key}.")
        if request.method == "DELETE":
            self._state.remove(key)
            return Response(status_code=204)
        if request.method == "PATCH":
            if body is None:
                return _no_object()
            if (problem := _problem(body)) is not None:
                return problem
            present = {**present, **body}
            self._state.put(key, present)
        return JSONResponse(present)

    async def _messages(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"messages": self._state.messages()})
        body = await object_in(request)
        if body is None or not body.get("to"):
            return refused(422, "no_recipient", "The message has no recipient (to).")
        return JSONResponse({"id": self._state.add_message(body)}, 201)


async def object_in(request: Request) -> dict[str, Any] | None:
    """The JSON object that a request brings; None when it brings none."""
    try:
        body = await request.json()
    except ValueError:
        return None
    return body if isinstance(body, dict) else None


def _no_object() -> Response:
    return refused(400, "bad_request", "The body is not a JSON object.")


def _problem(body: dict[str, Any]) -> Response | None:
    """A rule of its own, so that a refusal of values can be seen."""
    if body.get("name") == "":
        return refused(422, "blank", "The name must not be empty.")
    return None


def refused(status: int, code: str, message: str) -> Response:
    """An error in the words of this API."""
    return JSONResponse({"error": {"code": code, "message": message}}, status)
