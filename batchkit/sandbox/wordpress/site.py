"""The site: which route answers a request, by itself and behind HTTP."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any, Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..rules import Rules
from ..state import State
from . import batch, params
from .answers import Answer, Refused, no_route
from .meta import Meta
from .params import Call
from .posts import Posts
from .sample import plant
from .schema import properties_of
from .store import Store
from .terms import TermRoutes
from .users import forbidden, may, shown, user_of
from .view import BASES, TAXONOMIES, narrowed

NAME: Final = "Atelier du Bois Clair"
"""Name of the site."""
_NAMES: Final = {"post": "Posts", "page": "Pages", "category": "Categories", "post_tag": "Tags"}
_ENDPOINTS: Final = re.compile(r"/wp/v2/(posts|pages|categories|tags)(?:/(\d+))?")


class Site:
    """A small WordPress site.

    Args:
        db: The file it is kept in; sample posts are put there when it is new.
        rules: Which SEO plugin there is, and how open it is.
    """

    def __init__(self, db: sqlite3.Connection, rules: Rules) -> None:
        self._store = Store(db)
        self._meta = Meta(rules)
        plant(self._store, rules)
        self._posts = {base: Posts(kind, self._store, self._meta) for kind, base in BASES.items()}
        self._terms = {base: TermRoutes(taxonomy, self._store) for taxonomy, base in TAXONOMIES.items()}

    def answer(self, call: Call) -> Answer:
        """What is answered to a request."""
        try:
            return self._routed(call)
        except Refused as refused:
            return refused.answer()

    def _routed(self, call: Call) -> Answer:
        path = call.path.rstrip("/") or "/"
        if found := _ENDPOINTS.fullmatch(path):
            return self._of_endpoint(call, found[1], int(found[2]) if found[2] else None)
        match call.method, path:
            case "GET", "/":
                return Answer(200, narrowed(self._index(call), call.fields), {"Allow": "GET"})
            case "GET", "/wp/v2/types":
                return self._types(call)
            case "GET", "/wp/v2/types/post" | "/wp/v2/types/page":
                return Answer(200, narrowed(self._type(call, path.rpartition("/")[2]), call.fields))
            case "GET", "/wp/v2/taxonomies":
                return self._taxonomies(call)
            case "GET", "/wp/v2/users/me":
                return self._me(call)
            case "POST", "/batch/v1":
                return batch.run(call, self._of_batch)
            case "OPTIONS", "/batch/v1":
                return Answer(200, batch.OFFER, {"Allow": "POST"})
        raise no_route()

    def _of_endpoint(self, call: Call, base: str, number: int | None) -> Answer:
        routes: Posts | TermRoutes = self._posts.get(base) or self._terms[base]
        try:
            answer = self._by_method(call, base, routes, number)
        except Refused as refused:
            answer = refused.answer()
        allow = routes.allow(call, number)
        headers = {"Allow": allow} if allow and "Allow" not in answer.headers else {}
        return answer._replace(headers={**headers, **answer.headers})

    def _by_method(self, call: Call, base: str, routes: Posts | TermRoutes, number: int | None) -> Answer:
        match call.method, number:
            case "GET", None:
                return routes.list(call)
            case "POST", None:
                return routes.create(call)
            case "OPTIONS", _:
                return self._schema(call, base, one=number is not None)
            case "GET", int():
                return routes.get(call, number)
            case "POST" | "PUT" | "PATCH", int():
                return routes.change(call, number)
            case "DELETE", int():
                return routes.remove(call, number)
        raise no_route()

    def _of_batch(self, call: Call) -> Answer:
        if _ENDPOINTS.fullmatch(call.path.rstrip("/")) is None and call.path.startswith("/wp/v2/users"):
            message = "The requested route does not support batch requests."
            return Refused(400, "rest_batch_not_allowed", message).answer()
        return self.answer(call)

    def _index(self, call: Call) -> dict[str, Any]:
        routes = ["/", "/batch/v1", "/wp/v2/types", "/wp/v2/taxonomies", "/wp/v2/users/me"]
        for base in (*BASES.values(), *TAXONOMIES.values()):
            routes += [f"/wp/v2/{base}", f"/wp/v2/{base}/(?P<id>[\\d]+)"]
        authorize = f"{call.site}/wp-admin/authorize-application.php"
        return {
            "name": NAME,
            "description": "Menuiserie et meubles sur mesure",
            "url": call.site,
            "home": call.site,
            "gmt_offset": "0",
            "timezone_string": "",
            "page_for_posts": 0,
            "page_on_front": 0,
            "show_on_front": "posts",
            "namespaces": ["oembed/1.0", *self._meta.namespaces, "wp/v2", "wp-site-health/v1"],
            "authentication": {"application-passwords": {"endpoints": {"authorization": authorize}}},
            "routes": {path: {"namespace": "wp/v2" if "v2" in path else ""} for path in routes},
        }

    def _types(self, call: Call) -> Answer:
        values = params.read(call.given, params.CONTEXT)
        if values.get("context") == "edit" and not may(call.user, "edit_posts"):
            raise forbidden(call.user, "rest_cannot_view", "edit posts in this post type")
        # Real sites apply `_fields` twice here, to each type and to all of them, and little is left.
        types = {kind: narrowed(self._type(call, kind), call.fields) for kind in BASES}
        return Answer(200, narrowed(types, call.fields), {"Allow": "GET"})

    def _type(self, call: Call, kind: str) -> dict[str, Any]:
        base = f"{call.site}/wp-json/wp/v2"
        edit = {"viewable": True, "supports": {"title": True, "editor": True, "custom-fields": True}}
        return {
            "description": "",
            "hierarchical": kind == "page",
            "has_archive": False,
            "name": _NAMES[kind],
            "slug": kind,
            **(edit if call.given.get("context") == "edit" else {}),
            "taxonomies": list(TAXONOMIES) if kind == "post" else [],
            "rest_base": BASES[kind],
            "rest_namespace": "wp/v2",
            "_links": {
                "collection": [{"href": f"{base}/types"}],
                "wp:items": [{"href": f"{base}/{BASES[kind]}"}],
            },
        }

    def _taxonomies(self, call: Call) -> Answer:
        whole = {
            taxonomy: {
                "name": _NAMES[taxonomy],
                "slug": taxonomy,
                "description": "",
                "types": ["post"],
                "hierarchical": taxonomy == "category",
                "rest_base": base,
                "rest_namespace": "wp/v2",
            }
            for taxonomy, base in TAXONOMIES.items()
        }
        each = {taxonomy: narrowed(one, call.fields) for taxonomy, one in whole.items()}
        return Answer(200, narrowed(each, call.fields), {"Allow": "GET"})

    def _me(self, call: Call) -> Answer:
        values = params.read(call.given, params.CONTEXT)
        if call.user is None:
            raise Refused(401, "rest_not_logged_in", "You are not currently logged in.")
        whole = shown(call.user, call.site, edit=values.get("context") == "edit")
        plain = [name for name in call.fields if "." not in name]
        return Answer(200, narrowed(whole, plain) if plain else whole, {"Allow": "GET, POST, PUT, PATCH"})

    def _schema(self, call: Call, base: str, *, one: bool) -> Answer:
        reads, writes = ["GET"], ["POST", "PUT", "PATCH"] if one else ["POST"]
        kind = next((kind for kind, known in BASES.items() if known == base), None)
        plain = ("id", "count", "description", "link", "name", "slug", "taxonomy")
        properties: dict[str, Any] = (
            properties_of(kind, self._meta)
            if kind
            else {name: {"context": ["view", "edit"]} for name in plain}
        )
        schema = {
            "$schema": "http://json-schema.org/draft-04/schema#",
            "title": kind or base,
            "type": "object",
            "properties": properties,
        }
        endpoints = [
            {"methods": methods, "allow_batch": {"v1": True}, "args": {}} for methods in (reads, writes)
        ]
        methods = [*reads, *writes, *(["DELETE"] if one else [])]
        offered = ", ".join(methods) if may(call.user, "edit_posts") else "GET"
        body = {"namespace": "wp/v2", "methods": methods, "endpoints": endpoints, "schema": schema}
        return Answer(200, body, {"Allow": offered})


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
