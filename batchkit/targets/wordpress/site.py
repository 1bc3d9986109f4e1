"""Finding out about a WordPress site: where its REST API is, who we are to it, what it has and offers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from jmespath import search

from ..base import Failure, Fate
from ..http.answer import Unreadable
from ..http.client import origin
from ..http.failures import HttpError
from .failures import body_of, judged, value_of
from .login import Ask, User, find_user
from .places import Place, places_of
from .seo import NOWHERE, Seo, by_texts, find_seo

BATCH: Final = "batch/v1"
_TAXONOMIES: Final[Mapping[str, dict[str, Any]]] = {
    "category": {"rest_base": "categories"},
    "post_tag": {"rest_base": "tags"},
}
_LINK: Final = re.compile(r"""<([^>]+)>\s*;\s*rel=["']?https://api\.w\.org/""")
_INDEX: Final = "name,home,namespaces,authentication,page_on_front"
_NO_API: Final = (
    "Check the address: it is that of the site's front, such as wordpress+https://user@example.org/blog. "
    "Where it is right, a plugin has turned the REST API off."
)


@dataclass(frozen=True, slots=True)
class PostType:
    """A type of posts that the job may write.

    Attributes:
        slug: Its name, such as `post`.
        base: Its place in the REST API, such as `wp/v2/posts`.
        name: How people call it.
        places: Where its fields live.
        shown: The site shows its schema.
    """

    slug: str
    base: str
    name: str
    places: Mapping[str, Place]
    shown: bool


@dataclass(frozen=True, slots=True)
class Site:
    """A site, as this login sees it.

    Attributes:
        root: Address of the REST API, to which a route is appended.
        home: Address of the front page.
        name: Its name.
        user: Who we are; None where the site doesn't say.
        types: The types of the job, by slug, in the job's order.
        all_types: REST base of each type that the site has, by slug.
        taxonomies: Base of each taxonomy in the REST API, by its property in posts.
        seo: Its SEO plugin.
        batch: Requests that one call to batch/v1 may carry; 0 where the site doesn't offer it.
        front_page: Id of the page that is the front; 0 for none.
    """

    root: str
    home: str
    name: str
    user: User | None = None
    types: Mapping[str, PostType] = field(default_factory=dict)
    all_types: Mapping[str, str] = field(default_factory=dict)
    taxonomies: Mapping[str, str] = field(default_factory=dict)
    seo: Seo = field(default_factory=Seo)
    batch: int = 0
    front_page: int = 0

    def url(self, route: str, **query: Any) -> str:
        """The address of a route, such as `wp/v2/posts/5`."""
        return address(self.root, route, query)

    def type_called(self, text: str) -> PostType | None:
        """The type that a cell means: by its slug, its REST base or its name, in any case."""
        plain = text.strip().casefold()
        for each in self.types.values():
            if plain in (each.slug.casefold(), each.base.rpartition("/")[2].casefold(), each.name.casefold()):
                return each
        return None


def address(root: str, route: str, query: Mapping[str, Any]) -> str:
    """A route under the root of a REST API, which may be a path or a query (`?rest_route=/`)."""
    text = urlencode(
        {name: value for name, value in query.items() if value is not None}, safe=",", quote_via=quote
    )
    joint = "&" if "?" in root else "?"
    return f"{root}{route}{joint + text if text else ''}"


async def discover(ask: Ask, base: str, *, types: Sequence[str], seo: str) -> Site:
    """Find out about the site at an address.

    Args:
        ask: Sends requests with the login.
        base: Address of its front.
        types: REST bases, or slugs, of the types wanted.
        seo: Which SEO plugin, or `auto`.

    Raises:
        HttpError: Nobody answers, no WordPress is there, or the login isn't taken.
    """
    # One after the other: without a root there is no login to try, without a login the rest looks empty.
    root, index = await find_root(ask, base)
    offered = index.get("authentication")
    app_passwords = "application-passwords" in offered if isinstance(offered, dict | list) else None
    user = await find_user(ask, root, app_passwords=app_passwords)
    described, taxonomies, batch = await asyncio.gather(
        _table(ask, address(root, "wp/v2/types", {})),
        _table(ask, address(root, "wp/v2/taxonomies", {}), _TAXONOMIES),
        _batch_limit(ask, root),
    )
    bases = {slug: _route(each) for slug, each in described.items()}
    chosen = [_slug_of(name, bases) for name in types]
    schemas = await asyncio.gather(*(_schema(ask, address(root, bases[slug], {})) for slug in chosen))
    keys = {
        name for schema in schemas if schema for name in (*schema, *(search("meta.properties", schema) or ()))
    }
    found = find_seo(seo, index.get("namespaces") or (), keys)
    if found.because == "keys" and found.others:
        found = by_texts(found, await _some(ask, root, bases[chosen[0]]))
    preset = NOWHERE if found.because == "nothing" else found.preset
    terms = {each["rest_base"]: _route(each) for each in taxonomies.values()}
    return Site(
        root=root,
        home=str(index.get("home") or base),
        name=str(index.get("name") or ""),
        user=user,
        types={
            slug: PostType(
                slug, bases[slug], str(described[slug].get("name", slug)),
                places_of(schema, terms, preset), shown=schema is not None,
            )
            for slug, schema in zip(chosen, schemas, strict=True)
        },
        all_types=bases,
        taxonomies=terms,
        seo=found,
        batch=batch,
        front_page=int(index.get("page_on_front") or 0),
    )  # fmt: skip


def _route(described: Mapping[str, Any]) -> str:
    return f"{described.get('rest_namespace', 'wp/v2')}/{described['rest_base']}"


async def find_root(ask: Ask, base: str) -> tuple[str, dict[str, Any]]:
    """The root of the REST API and what it says of the site.

    Raises:
        HttpError: There is none.
    """
    for root in (f"{base}/wp-json/", f"{base}/?rest_route=/"):
        answer = await ask("GET", address(root, "", {"_fields": _INDEX}))
        index = body_of(answer)
        if "namespaces" in index:
            return root, index
        failure = judged(answer)
        if failure is not None and (
            failure.fate is not Fate.REJECT or failure.rule not in ("404", "rest_no_route")
        ):
            raise HttpError(failure)
        if failure is None and answer.is_html and answer.is_login:
            reason = "The site answered with a page that asks for a login."
            advice = "Let the REST API through there, or log in to it."
            raise HttpError(Failure(Fate.ABORT, "login page", reason, advice))
        if "wp-json" in root and (linked := await _linked(ask, base)) is not None:
            return linked
    raise HttpError(Failure(Fate.ABORT, "no REST API", f"No WordPress REST API is found at {base}", _NO_API))


async def _linked(ask: Ask, base: str) -> tuple[str, dict[str, Any]] | None:
    """The root that the front page names, where that is on the same host."""
    answer = await ask("GET", f"{base}/")
    match = _LINK.search(answer.headers.get("link", ""))
    if match is None or origin(match[1]) != origin(base):
        return None
    index = body_of(await ask("GET", address(match[1], "", {"_fields": _INDEX})))
    return (match[1], index) if "namespaces" in index else None


async def _table(
    ask: Ask, url: str, otherwise: Mapping[str, dict[str, Any]] | None = None
) -> Mapping[str, dict[str, Any]]:
    answer = await ask("GET", url)
    failure = judged(answer)
    if otherwise is not None and failure is not None and failure.fate is Fate.REJECT:
        return otherwise  # a site may hide the list and have what is in it
    value = value_of(answer)
    return (
        {name: each for name, each in value.items() if "rest_base" in each} if isinstance(value, dict) else {}
    )


async def _schema(ask: Ask, url: str) -> dict[str, Any] | None:
    """The properties of a type; None where the site doesn't show them (some firewalls refuse OPTIONS)."""
    properties = search("schema.properties", body_of(await ask("OPTIONS", url)))
    return properties if isinstance(properties, dict) else None


async def _some(ask: Ask, root: str, base: str) -> list[dict[str, Any]]:
    url = address(root, base, {"context": "edit", "per_page": 50, "_fields": "meta"})
    answer = await ask("GET", url)
    try:
        posts = answer.json() if answer.status == 200 else []
    except Unreadable:
        return []
    return [post for post in posts if isinstance(post, dict)] if isinstance(posts, list) else []


async def _batch_limit(ask: Ask, root: str) -> int:
    offer = body_of(await ask("OPTIONS", address(root, BATCH, {})))
    most = search("endpoints[0].args.requests.maxItems", offer)
    return int(most) if isinstance(most, int | float) else 0


def _slug_of(name: str, bases: Mapping[str, str]) -> str:
    for slug, base in bases.items():
        if name in (slug, base, base.rpartition("/")[2]):
            return slug
    known = ", ".join(base.rpartition("/")[2] for base in bases.values())
    reason = f"The site has no type {name!r} in its REST API"
    advice = f"It has: {known}. A type of a plugin must be registered with show_in_rest."
    raise HttpError(Failure(Fate.ABORT, "type", reason, advice))
