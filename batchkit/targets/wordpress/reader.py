"""Reading posts: a hundred a page, by id, by slug or by address, as they are edited.

A page's JSON may hold a hundred whole articles: only the values that were asked for are kept of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import polars as pl

from ...checking.conversions import dtype_of
from ..base import Fate
from ..http.failures import HttpError
from ..http.many import Memory, chunked, frame_of, read_parts
from .keys import asked_slugs, candidates, place_of, plain_slug
from .places import Kind, from_json, text_of
from .site import PostType, Site
from .terms import Terms

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
        type: Slug of its type.
        id: Its id.
        slug: Its own slug, where that was asked for.
        link: Its address, where that was asked for.
        values: The fields that were asked for, each with a text where its type can't carry the value.
    """

    type: str
    id: int
    slug: str
    link: str
    values: tuple[tuple[Any, str | None], ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of posts.

    Attributes:
        fields: Fields.
        get: Asks.
        learning: Held while terms are learned, so that nobody learns them twice.
    """

    fields: tuple[str, ...]
    get: Get
    learning: asyncio.Lock = field(default_factory=asyncio.Lock)


Key = Mapping[str, Any]
Post = tuple[str, int]
"""Type and id of a post."""

Pair = tuple[Key, Found]


class Reader:
    """Reads posts of a site.

    Args:
        site: The site.
        book: Terms of each taxonomy, by property; read as they are needed.
        memory: Takes in which post a key stands for.

    Attributes:
        book, memory: Those.
        closed: Names of types whose posts this login may not edit.
    """

    def __init__(self, site: Site, book: dict[str, Terms], memory: Memory[Post]) -> None:
        self._site = site
        self.book = book
        self.memory = memory
        self._any_status: dict[str, bool] = {}
        self.closed: set[str] = set()

    async def read(
        self, keys: pl.DataFrame, fields: Sequence[str], get: Get, *, again: bool = False
    ) -> pl.DataFrame:
        """The posts with these keys, as `Target.read` gives them.

        Args:
            keys: The keys.
            fields: The fields wanted.
            get: Asks the site.
            again: Posts that were found by an address before are those posts, whatever their address is now.
        """
        pairs = await self.find(keys.rows(named=True), Asked(tuple(fields), get), again=again)
        for key, found in pairs:
            self.memory.keep(key, (found.type, found.id))
        types = {name: dtype_of(self.type_of(name), None) for name in fields}
        return frame_of(keys, types, [(key, found.values) for key, found in pairs])

    def type_of(self, name: str) -> str:
        """The type of a field, in whichever type of posts has it."""
        places = (each.places.get(name) for each in self._site.types.values())
        return next((place.type.type for place in places if place is not None), "text")

    def _typed(self, name: str, kind: PostType, post: Mapping[str, Any]) -> tuple[Any, str | None]:
        place = kind.places.get(name)
        if place is None:
            return None, None
        value = place.found(post)
        try:
            return from_json(value, place, self.book.get(place.at)), None
        except ValueError:
            return None, text_of(value)

    # Finding

    async def find(self, keys: Sequence[Key], asked: Asked, *, again: bool = False) -> list[Pair]:
        """The posts that keys stand for; a key of several posts comes several times."""
        found = await self._remembered(keys, asked) if again else []
        over = {id(key) for key, _ in found}
        by_type: dict[str | None, list[Key]] = {}
        for key in keys:
            if id(key) not in over:
                by_type.setdefault(key.get("type"), []).append(key)
        for slug, rows in by_type.items():
            named = self._site.types.get(slug or "")
            types = [] if named is None else [named]
            left = rows
            for kind in types if slug is not None else self._site.types.values():
                here = await self._find_in(kind, left, asked)
                found += here
                if here and "slug" not in here[0][0]:
                    # An id, or an address, is of one post; a slug may be of one in each type.
                    over = {id(key) for key, _ in here}
                    left = [key for key in left if id(key) not in over]
        return found

    async def _remembered(self, keys: Iterable[Key], asked: Asked) -> list[Pair]:
        """Posts that their addresses led to before: what was written since may have given them others."""
        by_type: dict[str, dict[int, Key]] = {}
        for key in keys:
            known = self.memory.recall(key) if "url" in key else None
            if known is not None and known[0] in self._site.types:
                by_type.setdefault(known[0], {})[known[1]] = key
        pairs: list[Pair] = []
        for slug, by_id in by_type.items():
            posts = await self._by_ids(self._site.types[slug], list(by_id), asked)
            pairs += [(by_id[found.id], found) for found in posts if found.id in by_id]
        return pairs

    async def _find_in(self, kind: PostType, keys: Sequence[Key], asked: Asked) -> list[Pair]:
        if not keys or kind.name in self.closed:
            return []
        if "id" in keys[0]:
            by_id = {int(key["id"]): key for key in keys}
            posts = await self._by_ids(kind, list(by_id), asked)
            return [(by_id[found.id], found) for found in posts if found.id in by_id]
        if "slug" in keys[0]:
            by_slug = {plain_slug(key["slug"]): key for key in keys}
            posts = await self._by_slugs(kind, list(by_slug), asked)
            named = [(plain_slug(found.slug), found) for found in posts]
            return [(by_slug[slug], found) for slug, found in named if slug in by_slug]
        return await self._by_addresses(kind, keys, asked)

    async def _by_addresses(self, kind: PostType, keys: Sequence[Key], asked: Asked) -> list[Pair]:
        wanted = {place_of(key["url"]): key for key in keys}
        looks = [candidates(key["url"], self._site.front_page) for key in keys]
        slugs = list(dict.fromkeys(slug for named, _ in looks for slug in named))
        ids = list(dict.fromkeys(number for _, numbered in looks for number in numbered))
        posts = [
            *await self._by_slugs(kind, slugs, asked),
            *await self._by_ids(kind, ids, asked, "link"),
        ]
        proven = {}
        for found in posts:
            for path in {place_of(found.link), f"?p={found.id}"}:
                if path in wanted:
                    proven[path, found.id] = found
        return [(wanted[path], found) for (path, _), found in proven.items()]

    async def _by_ids(self, kind: PostType, ids: Sequence[int], asked: Asked, *more: str) -> list[Found]:
        parts = [",".join(map(str, part)) for part in chunked(ids, PAGE)]
        return await self._listed(kind, "include", parts, asked, more)

    async def _by_slugs(self, kind: PostType, slugs: Sequence[str], asked: Asked) -> list[Found]:
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
        return await self._listed(kind, "slug", parts, asked, ("slug", "link"))

    async def _listed(
        self, kind: PostType, name: str, parts: Sequence[str], asked: Asked, more: Sequence[str]
    ) -> list[Found]:
        places = (kind.places[field] for field in asked.fields if field in kind.places)
        wanted = ",".join(dict.fromkeys(["id", *more, *(place.asked for place in places if place.at)]))

        async def one(part: str) -> list[Found]:
            found: list[Found] = []
            for page in count(1):
                posts = await self._page(kind, asked.get, {name: part, "page": page, "_fields": wanted})
                await self._learn_terms(kind, posts, asked)
                found += [self._found(kind, post, asked.fields) for post in posts]
                # Pages under different parents may share a slug, so that there are more than were asked.
                if name == "include" or len(posts) < PAGE:
                    break
            return found

        # Whether all states may be seen is found out once, by the first.
        first = await read_parts(parts[:1], one, AT_ONCE)
        return [*first, *await read_parts(parts[1:], one, AT_ONCE)]

    async def _page(self, kind: PostType, get: Get, query: dict[str, Any]) -> list[dict[str, Any]]:
        """A page of posts; none where this login may edit none of that type."""
        # Asked for less each time until the site gives it: first all states, then the public one.
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
                listed = posts if isinstance(posts, list) else []
                return [post for post in listed if isinstance(post, dict) and "id" in post]
        return []

    def _found(self, kind: PostType, post: Mapping[str, Any], fields: Sequence[str]) -> Found:
        slug, link = (str(post.get(name) or "") for name in ("slug", "link"))
        values = tuple(self._typed(name, kind, post) for name in fields)
        return Found(kind.slug, int(post["id"]), slug, link, values)

    # Terms

    async def _learn_terms(self, kind: PostType, posts: Sequence[Mapping[str, Any]], asked: Asked) -> None:
        for name in asked.fields:
            place = kind.places.get(name)
            if place is None or place.kind is not Kind.TERMS:
                continue
            ids = {int(each) for post in posts for each in post.get(place.at) or ()}
            if ids:
                # Pages come in together: the first reads the taxonomy, the others wait and find it known.
                async with asked.learning:
                    await self.terms(name, asked.get, ids)

    async def terms(self, name: str, get: Get, ids: Iterable[int] = ()) -> Terms:
        """The terms of a taxonomy, all of them; read again where an id is new."""
        terms = self.book.setdefault(name, Terms(name))
        if not terms.known or terms.unknown(ids):
            route, wanted = self._site.taxonomies[name], "id,name,slug,parent"
            for page in count(1):
                part = await get(route, per_page=PAGE, page=page, _fields=wanted)
                terms.add(part)
                if len(part) < PAGE:
                    break
            terms.known = True
        return terms
