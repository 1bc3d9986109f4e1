"""The site behind HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..rules import Rules
from ..state import State
from .answers import Answer, Refused
from .params import Call
from .site import Site
from .users import user_of


class WordPress:
    """The endpoints under `/wp-json`.

    Args:
        state: Where the site is kept.
        rules: Who may log in, and what the site is like.
    """

    def __init__(self, state: State, rules: Rules) -> None:
        self._rules = rules
        self._site = Site(state.db, rules)

    def routes(self) -> list[Route]:
        """Its endpoints."""
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
        return [Route(path, self._any, methods=methods) for path in ("/wp-json", "/wp-json/{path:path}")]

    async def _any(self, request: Request) -> Response:
        answer = await self._answer(request)
        site = str(request.base_url).rstrip("/")
        headers = {"Link": f'<{site}/wp-json/>; rel="https://api.w.org/"', **answer.headers}
        return JSONResponse(answer.body, answer.status, headers)

    async def _answer(self, request: Request) -> Answer:
        try:
            body = _parameters(request.headers.get("content-type", ""), await request.body())
            user = user_of(request.headers.get("authorization"), self._rules)
        except Refused as refused:
            return refused.answer()
        query = dict(request.query_params)
        method = query.pop("_method", None) or request.headers.get("x-http-method-override")
        return self._site.answer(
            Call(
                (method or request.method).upper().replace("HEAD", "GET"),
                f"/{request.path_params.get('path', '')}",
                query,
                body,
                user,
                str(request.base_url).rstrip("/"),
            )
        )


def _parameters(kind: str, body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    if kind.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode("utf-8", "replace")))
    if "json" not in kind:
        return {}
    try:
        read = json.loads(body)
    except ValueError:
        more = {"json_error_code": 4, "json_error_message": "Syntax error"}
        raise Refused(400, "rest_invalid_json", "Invalid JSON body passed.", more) from None
    return read if isinstance(read, dict) else {}
