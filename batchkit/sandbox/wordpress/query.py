"""Lists of posts: the parameters that choose among them."""

from __future__ import annotations

from typing import Any, Final

from . import params
from .answers import Refused
from .params import Reader, Wrong
from .store import Post, Store
from .users import User, may

_STATUSES: Final = (
    "publish", "future", "draft", "pending", "private", "trash", "auto-draft", "inherit", "request-pending",
    "request-confirmed", "request-failed", "request-completed", "any",
)  # fmt: skip
_ORDERS: Final = (
    "author", "date", "id", "include", "modified", "parent", "relevance", "slug", "include_slugs", "title",
)  # fmt: skip
_IN_ORDER: Final = {"author", "date", "id", "modified", "parent", "slug", "title"}


def readers(user: User | None) -> dict[str, Reader]:
    """The parameters of a list, in the order in which wrong ones are named."""

    def status(name: str, value: Any) -> list[str]:
        wanted = params.texts(name, value)
        for at, each in enumerate(wanted):
            if each != "publish" and not may(user, "edit_posts"):
                status = 401 if user is None else 403
                raise Wrong("rest_forbidden_status", "Status is forbidden.", {"status": status})
            params.among(*_STATUSES)(f"{name}[{at}]", each)
        return wanted

    return {
        **params.PAGED,
        "author": params.integers,
        "exclude": params.integers,
        "include": params.integers,
        "offset": params.integer,
        "order": params.among("asc", "desc"),
        "orderby": params.among(*_ORDERS),
        "parent": params.integers,
        "slug": params.texts,
        "status": status,
        "categories": params.integers,
        "tags": params.integers,
    }


def posts(store: Store, kind: str, wanted: dict[str, Any]) -> tuple[list[Post], int]:
    """A page of the posts that are wanted, and how many there are on all pages.

    Raises:
        Refused: The order needs a parameter that isn't there.
    """
    where, values = _condition(kind, wanted)
    size = wanted.get("per_page", 10)
    start = wanted.get("offset", (wanted.get("page", 1) - 1) * size)
    found = store.posts(where, values, _order(wanted), f"LIMIT {size} OFFSET {start}")
    return found, store.count(where, values)


def _condition(kind: str, wanted: dict[str, Any]) -> tuple[str, list[Any]]:
    parts, values = ["type = ?"], [kind]

    def one_of(column: str, choices: list[Any]) -> str:
        values.extend(choices)
        return f"{column} IN ({', '.join('?' * len(choices))})"

    statuses = wanted.get("status") or ["publish"]
    parts.append("status NOT IN ('trash', 'auto-draft')" if "any" in statuses else one_of("status", statuses))
    for name, column in (("include", "id"), ("slug", "slug"), ("author", "author"), ("parent", "parent")):
        if wanted.get(name):
            parts.append(one_of(column, wanted[name]))
    if wanted.get("exclude"):
        parts.append(f"NOT {one_of('id', wanted['exclude'])}")
    for name, taxonomy in (("categories", "category"), ("tags", "post_tag")):
        if wanted.get(name):
            path = f"$.terms.{taxonomy}"
            parts.append(
                f"EXISTS (SELECT 1 FROM json_each(rest, '{path}') WHERE {one_of('value', wanted[name])})"
            )
    for word in (wanted.get("search") or "").split():
        parts.append("(title LIKE ? OR json_extract(rest, '$.content') LIKE ?)")
        values += [f"%{word}%"] * 2
    return " AND ".join(parts), values


def _order(wanted: dict[str, Any]) -> str:
    by = wanted.get("orderby", "date")
    if by == "include":
        if not wanted.get("include"):
            message = "You need to define an include parameter to order by include."
            raise Refused(400, "rest_orderby_include_missing_include", message)
        cases = " ".join(f"WHEN {number} THEN {at}" for at, number in enumerate(wanted["include"]))
        return f"CASE id {cases} END"
    column = by if by in _IN_ORDER else "date"
    way = wanted.get("order", "desc")
    return f"{column} {way}, id {way}"
