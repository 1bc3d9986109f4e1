"""Posts, pages and terms of the site, kept in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS wp_posts (
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL, author INTEGER NOT NULL,
    date TEXT NOT NULL, modified TEXT NOT NULL, slug TEXT NOT NULL, title TEXT NOT NULL,
    parent INTEGER NOT NULL, rest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS wp_slugs ON wp_posts (type, slug);
CREATE TABLE IF NOT EXISTS wp_terms (
    id INTEGER PRIMARY KEY, taxonomy TEXT NOT NULL, name TEXT NOT NULL, slug TEXT NOT NULL,
    description TEXT NOT NULL, parent INTEGER NOT NULL
);
"""
_COLUMNS: Final = ("id", "type", "status", "author", "date", "modified", "slug", "title", "parent")


@dataclass(slots=True)
class Post:
    """A post or page; text as it is stored, which is what the API calls raw.

    Attributes:
        id: Its number; 0 until it is kept.
        type: `post` or `page`.
        date: When it is or was published, in UTC, as ISO without a zone.
        modified: When it was last changed.
        terms: Numbers of its terms, by taxonomy.
        meta: Its meta values by key, registered or not.
        was: The status and slug it had before it went to the trash.
    """

    id: int = 0
    type: str = "post"
    status: str = "draft"
    author: int = 1
    date: str = ""
    modified: str = ""
    slug: str = ""
    title: str = ""
    parent: int = 0
    content: str = ""
    excerpt: str = ""
    password: str = ""
    featured_media: int = 0
    menu_order: int = 0
    comment_status: str = "open"
    ping_status: str = "open"
    sticky: bool = False
    template: str = ""
    format: str = "standard"
    terms: dict[str, list[int]] = field(default_factory=dict)
    meta: dict[str, str] = field(default_factory=dict)
    was: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Term:
    """A category or tag; its name with entities, as WordPress stores it."""

    id: int
    taxonomy: str
    name: str
    slug: str
    description: str = ""
    parent: int = 0


class Store:
    """All posts and terms.

    Args:
        db: The file they are kept in.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(_SCHEMA)

    def post(self, number: int) -> Post | None:
        """The post or page with this number."""
        found = self.posts("id = ?", [number])
        return found[0] if found else None

    def posts(self, where: str, values: Sequence[Any] = (), order: str = "id", limit: str = "") -> list[Post]:
        """The posts that a condition holds for."""
        query = f"SELECT {', '.join(_COLUMNS)}, rest FROM wp_posts WHERE {where} ORDER BY {order} {limit}"
        return [
            Post(**dict(zip(_COLUMNS, row, strict=False)), **json.loads(row[-1]))
            for row in self._db.execute(query, values)
        ]

    def count(self, where: str, values: Sequence[Any] = ()) -> int:
        """How many posts a condition holds for."""
        return int(self._db.execute(f"SELECT count(*) FROM wp_posts WHERE {where}", values).fetchone()[0])

    def keep(self, post: Post) -> None:
        """Keep a post; a new one gets its number."""
        whole = asdict(post)
        values = [whole.pop(name) for name in _COLUMNS]
        values[0] = post.id or None
        marks = ", ".join("?" * (len(_COLUMNS) + 1))
        row = self._db.execute(
            f"INSERT OR REPLACE INTO wp_posts ({', '.join(_COLUMNS)}, rest) VALUES ({marks})",
            [*values, json.dumps(whole, ensure_ascii=False)],
        )
        post.id = post.id or int(row.lastrowid or 0)

    def remove(self, number: int) -> None:
        """Remove a post for good."""
        self._db.execute("DELETE FROM wp_posts WHERE id = ?", (number,))

    def is_taken(self, slug: str, post: Post) -> bool:
        """Whether another post has this slug."""
        where = "type = ? AND slug = ? AND id <> ?"
        values: list[Any] = [post.type, slug, post.id]
        if post.type == "page":
            where += " AND parent = ?"
            values.append(post.parent)
        return self.count(where, values) > 0

    def terms(self, taxonomy: str) -> list[Term]:
        """All terms of a taxonomy, by name."""
        rows = self._db.execute(
            "SELECT id, taxonomy, name, slug, description, parent FROM wp_terms"
            " WHERE taxonomy = ? ORDER BY name",
            (taxonomy,),
        )
        return [Term(*row) for row in rows]

    def term(self, taxonomy: str, number: int) -> Term | None:
        """The term with this number."""
        return next((term for term in self.terms(taxonomy) if term.id == number), None)

    def keep_term(self, term: Term) -> None:
        """Keep a term; a new one gets its number."""
        row = self._db.execute(
            "INSERT OR REPLACE INTO wp_terms VALUES (?, ?, ?, ?, ?, ?)",
            (term.id or None, term.taxonomy, term.name, term.slug, term.description, term.parent),
        )
        term.id = term.id or int(row.lastrowid or 0)

    def remove_term(self, number: int) -> None:
        """Remove a term."""
        self._db.execute("DELETE FROM wp_terms WHERE id = ?", (number,))

    def uses(self, term: Term) -> int:
        """How many published posts have a term."""
        return self.count(
            "status = 'publish' AND EXISTS (SELECT 1 FROM json_each(rest, '$.terms.' || ?) WHERE value = ?)",
            [term.taxonomy, term.id],
        )
