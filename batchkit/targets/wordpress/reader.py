"""Reading posts: a hundred a page, by id, by slug or by address, as they are edited."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from ...checking.convert import dtype_of
from ..base import LOST, Fate
from ..http.target import HttpError
from .keys import asked_slugs, candidates, plain_address, plain_slug
from .places import Kind, Place
from .site import PostType, Site
from .terms import Terms
from .values import chunked, from_json, text_of

PAGE: Final = 100
"""Posts of a page; the most that WordPress gives."""

AT_ONCE: Final = 4
MOST_IDS: Final = 50_000
_ADDRESS_ROOM: Final = 3_000
"""Characters of slugs in one address; servers refuse long ones."""

Get = Callable[..., Awaitable[Any]]
"""`get(route, **query)`: the JSON at a route."""


@dataclass(frozen=True, slots=True)
class Found:
    """A post.

    Attributes:
        type: Its type.
        post: What was asked of it.
    """

    type: PostType
    post: dict[str, Any]

    @property
    def id(self) -> int:
        """Its id."""
        return int(self.post["id"])


class Memory:
    """Which post a key stands for, kept between reading it and writing it."""

    def __init__(self) -> None:
        self._posts: OrderedDict[tuple[Any, ...], tuple[str, int]] = OrderedDict()

    def keep(self, key: Mapping[str, Any], found: Found) -> None:
        """Remember the post behind a key."""
        self._posts[tuple(key.values())] = (found.type.slug, found.id)
        if len(self._posts) > MOST_IDS:
            self._posts.popitem(last=False)

    def post(self, key: Mapping[str, Any]) -> tuple[str, int] | None:
        """Type and id of the post behind a key."""
        return self._posts.get(tuple(key.values()))


class Reader:
    """Reads posts of a site.

    Args:
        site: The site.
        book: Terms of each taxonomy, by property; read as they are needed.
        memory: Takes in which post a key stands for.

    Attributes:
        closed: Names of types whose posts this login may not edit.
    """

    def __init__(self, site: Site, book: dict[str, Terms], memory: Memory) -> None:
        self._site = site
        self._book = book
        self._memory = memory
        self._any_status: dict[str, bool] = {}
        self.closed: set[str] = set()

    async def read(self, keys: pl.DataFrame, fields: Sequence[str], get: Get) -> pl.DataFrame:
        """The posts with these keys, as `Target.read` gives them."""
        pairs = await self.find(keys.rows(named=True), fields, get)
        await self._learn_terms(fields, [found for _, found in pairs], get)
        columns: dict[str, list[Any]] = {name: [] for name in (*keys.columns, *fields)}
        lost: dict[str, list[str | None]] = {name: [] for name in fields}
        for key, found in pairs:
            self._memory.keep(key, found)
            for name, value in key.items():
                columns[name].append(value)
            for name in fields:
                value, text = self._typed(name, found)
                columns[name].append(value)
                lost[name].append(text)
        types = {name: dtype_of(self.type_of(name), None) for name in fields}
        frame = pl.DataFrame(columns, schema={**keys.schema, **types})
        gone = [name for name, texts in lost.items() if any(text is not None for text in texts)]
        return frame.with_columns(pl.Series(LOST + name, lost[name], pl.String) for name in gone)

    def type_of(self, name: str) -> str:
        """The type of a field, in whichever type of posts has it."""
        places = (each.places.get(name) for each in self._site.types.values())
        return next((place.type.type for place in places if place is not None), "text")

    def _typed(self, name: str, found: Found) -> tuple[Any, str | None]:
        place = found.type.places.get(name)
        if place is None:
            return None, None
        value = place.found(found.post)
        try:
            return from_json(value, place, self._book.get(place.at)), None
        except ValueError:
            return None, text_of(value)

    # Finding

    async def find(
        self, keys: Iterable[Mapping[str, Any]], fields: Sequence[str], get: Get
    ) -> list[tuple[Mapping[str, Any], Found]]:
        """The posts that keys stand for; a key of several posts comes several times."""
        found: list[tuple[Mapping[str, Any], Found]] = []
        by_type: dict[str | None, list[Mapping[str, Any]]] = {}
        for key in keys:
            by_type.setdefault(key.get("type"), []).append(key)
        for slug, rows in by_type.items():
            named = self._site.types.get(slug or "")
            types = [] if named is None else [named]
            left = rows
            for kind in types if slug is not None else self._site.types.values():
                here = await self._find_in(kind, left, fields, get)
                found += here
                if here and "slug" not in here[0][0]:
                    # An id, or an address, is of one post; a slug may be of one in each type.
                    over = {id(key) for key, _ in here}
                    left = [key for key in left if id(key) not in over]
        return found

    async def _find_in(
        self, kind: PostType, keys: Sequence[Mapping[str, Any]], fields: Sequence[str], get: Get
    ) -> list[tuple[Mapping[str, Any], Found]]:
        if not keys or kind.name in self.closed:
            return []
        if "id" in keys[0]:
            by_id = {int(key["id"]): key for key in keys}
            posts = await self._by_ids(kind, list(by_id), fields, get)
            return [(by_id[found.id], found) for found in posts if found.id in by_id]
        if "slug" in keys[0]:
            by_slug = {plain_slug(key["slug"]): key for key in keys}
            posts = await self._by_slugs(kind, list(by_slug), fields, get)
            named = [(plain_slug(str(found.post.get("slug", ""))), found) for found in posts]
            return [(by_slug[slug], found) for slug, found in named if slug in by_slug]
        return await self._by_addresses(kind, keys, fields, get)

    async def _by_addresses(
        self, kind: PostType, keys: Sequence[Mapping[str, Any]], fields: Sequence[str], get: Get
    ) -> list[tuple[Mapping[str, Any], Found]]:
        wanted = {_path(key["url"]): key for key in keys}
        looks = [candidates(key["url"], self._site.front_page) for key in keys]
        slugs = list(dict.fromkeys(slug for look in looks for slug in look.slugs))
        ids = list(dict.fromkeys(number for look in looks for number in look.ids))
        posts = [
            *await self._by_slugs(kind, slugs, [*fields, "link"], get),
            *await self._by_ids(kind, ids, [*fields, "link"], get),
        ]
        proven = {}
        for found in posts:
            for path in {_path(str(found.post.get("link", ""))), f"?p={found.id}"}:
                if path in wanted:
                    proven[path, found.id] = found
        return [(wanted[path], found) for (path, _), found in proven.items()]

    async def _by_ids(
        self, kind: PostType, ids: Sequence[int], fields: Sequence[str], get: Get
    ) -> list[Found]:
        parts = [",".join(map(str, part)) for part in chunked(ids, PAGE)]
        return await self._listed(kind, "include", parts, fields, get)

    async def _by_slugs(
        self, kind: PostType, slugs: Sequence[str], fields: Sequence[str], get: Get
    ) -> list[Found]:
        parts: list[str] = []
        room = 0
        for slug in (form for each in slugs for form in asked_slugs(each) if "," not in each):
            size = len(slug.encode()) * (3 if not slug.isascii() else 1) + slug.count("%") * 2
            if parts and room + size < _ADDRESS_ROOM and parts[-1].count(",") < PAGE // 2:
                parts[-1] += f",{slug}"
                room += size
            else:
                parts.append(slug)
                room = size
        return await self._listed(kind, "slug", parts, ["slug", *fields], get)

    async def _listed(
        self, kind: PostType, name: str, parts: Sequence[str], fields: Sequence[str], get: Get
    ) -> list[Found]:
        asked = ",".join(dict.fromkeys(["id", *self._asked(kind, fields)]))
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(part: str) -> list[Found]:
            async with turns:
                found: list[Found] = []
                page = 1
                while True:
                    posts = await self._page(kind, get, {name: part, "page": page, "_fields": asked})
                    found += [Found(kind, post) for post in posts]
                    # Pages under different parents may share a slug, so that there are more than were asked.
                    if name == "include" or len(posts) < PAGE:
                        return found
                    page += 1

        # Whether all states may be seen is found out once.
        first = [await one(part) for part in parts[:1]]
        rest = await together(one(part) for part in parts[1:])
        return [found for posts in [*first, *rest] for found in posts]

    async def _page(self, kind: PostType, get: Get, query: dict[str, Any]) -> list[dict[str, Any]]:
        """A page of posts; none where this login may edit none of that type."""
        while kind.name not in self.closed:
            status = "any" if self._any_status.get(kind.slug, True) else None
            try:
                posts = await get(kind.base, context="edit", status=status, per_page=PAGE, **query)
            except HttpError as error:
                failure = error.failure
                if failure.rule in ("rest_invalid_param", "rest_forbidden_status") and status is not None:
                    self._any_status[kind.slug] = False
                elif failure.rule == "rest_forbidden_context" and failure.fate is Fate.REJECT:
                    self.closed.add(kind.name)
                elif failure.rule == "rest_post_invalid_page_number":
                    return []
                else:
                    raise
            else:
                return [post for post in posts if isinstance(post, dict)] if isinstance(posts, list) else []
        return []

    def _asked(self, kind: PostType, fields: Sequence[str]) -> Iterable[str]:
        for name in fields:
            if name in kind.places and kind.places[name].at:
                yield kind.places[name].asked
            elif name in ("link", "slug"):
                yield name

    # Terms

    async def _learn_terms(self, fields: Sequence[str], posts: Sequence[Found], get: Get) -> None:
        for name in fields:
            ids = {
                int(each)
                for found in posts
                if (place := found.type.places.get(name)) is not None and place.kind is Kind.TERMS
                for each in found.post.get(place.at) or ()
            }
            if ids:
                await self.terms(name, get, ids)

    async def terms(self, name: str, get: Get, ids: Iterable[int] = ()) -> Terms:
        """The terms of a taxonomy, all of them; read again where an id is new."""
        terms = self._book.setdefault(name, Terms(name))
        if not terms.known or terms.unknown(ids):
            page = 1
            while True:
                part = await get(
                    self._site.taxonomies[name], per_page=PAGE, page=page, _fields="id,name,slug,parent"
                )
                terms.add(part)
                if len(part) < PAGE:
                    break
                page += 1
            terms.known = True
        return terms


def place_in(types: Iterable[PostType], name: str) -> Place | None:
    """The place of a field in the first type that has it."""
    return next((each.places[name] for each in types if name in each.places), None)


async def together(coroutines: Iterable[Any]) -> list[Any]:
    """Await them together; when one fails, none is left running."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


def _path(url: str) -> str:
    """What of an address must be the same: the site may be reached by several names."""
    plain = plain_address(url) or ""
    return f"?{plain.partition('?')[2]}" if "?" in plain else plain.partition("/")[2]
