"""Reading many posts: what is kept of their pages, and how often terms are asked for."""

from __future__ import annotations

import asyncio
import weakref
from collections import Counter
from typing import Any

import polars as pl

from batchkit.targets.http.many import Memory
from batchkit.targets.wordpress.places import places_of
from batchkit.targets.wordpress.reader import AT_ONCE, PAGE, Reader
from batchkit.targets.wordpress.site import PostType, Site
from batchkit.targets.wordpress.terms import Terms

SCHEMA = {
    "title": {"type": "object", "properties": {"raw": {"type": "string"}}},
    "categories": {"type": "array"},
}


class Post(dict[str, Any]):
    """A post of a page, of which one can tell whether anybody holds it still."""


class Pages:
    """A site of any number of posts, each in one of nine categories.

    Attributes:
        asked: How often each route was asked.
        most: The most posts that were held at any time.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.most = 0
        self._posts: list[weakref.ref[Post]] = []

    async def get(self, route: str, **query: Any) -> Any:
        """Answer as a site does."""
        self.asked[route] += 1
        await asyncio.sleep(0)
        if route == "wp/v2/categories":
            return [{"id": n, "name": f"Rubrique {n}", "slug": f"r{n}", "parent": 0} for n in range(1, 10)]
        posts = [
            Post(id=int(n), title={"raw": f"Titre {n}"}, categories=[int(n) % 9 + 1])
            for n in query["include"].split(",")
        ]
        self._posts += [weakref.ref(post) for post in posts]
        self.most = max(self.most, sum(each() is not None for each in self._posts))
        return posts


def test_pages_are_dropped_as_they_are_read() -> None:
    """However many posts are read, no more than the pages under way are held; terms are asked for once."""
    kind = PostType("post", "wp/v2/posts", "Posts", places_of(SCHEMA, ("categories",), None), shown=True)
    site = Site(
        "https://a.test/wp-json/",
        "https://a.test",
        "A",
        types={"post": kind},
        taxonomies={"categories": "wp/v2/categories"},
    )
    book: dict[str, Terms] = {}
    pages = Pages()
    keys = pl.DataFrame({"id": range(1, 30 * PAGE + 1)})
    frame = asyncio.run(Reader(site, book, Memory(10)).read(keys, ["title", "categories"], pages.get))
    assert frame.height == 30 * PAGE
    assert frame.filter(id=11).row(0) == (11, "Titre 11", "Rubrique 3")
    assert pages.most <= (AT_ONCE + 1) * PAGE
    assert pages.asked == {"wp/v2/posts": 30, "wp/v2/categories": 1}
