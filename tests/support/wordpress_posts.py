"""What a test site is filled with: posts in bulk, by several authors, with terms and SEO titles, as SQL."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.wordpress_database import insert

#: Users by their ids, in the order in which they are made.
AUTHORS = {"admin": 1, "editor": 2, "author": 3, "subscriber": 4}
PAGES = 5

_COLUMNS = (
    "ID, post_author, post_date, post_date_gmt, post_content, post_title, post_excerpt, post_status, "
    "post_name, post_modified, post_modified_gmt, post_type, guid, to_ping, pinged, post_content_filtered"
)
_PARAGRAPH = "<!-- wp:paragraph -->\n<p>{}</p>\n<!-- /wp:paragraph -->"
_STAMP = "2024-01-15 08:00:00"


@dataclass(frozen=True)
class Post:
    """One post or page to be; `id` None takes the next free one."""

    title: str
    slug: str
    id: int | None = None
    type: str = "post"
    author: str = "admin"
    status: str = "publish"
    date: str = _STAMP
    content: str = ""
    excerpt: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)


def exported(file: Path) -> list[Post]:
    """The posts of a site's export, with their ids, dates, addresses and SEO titles."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return [
            Post(
                # Some titles were exported as a browser gets them, where the database holds a plain &.
                title=row["title"].replace("&#038;", "&"),
                slug=row["url"].rstrip("/").rpartition("/")[2],
                id=int(row["id"]),
                type=row["type"],
                author=_author(n),
                date=row["date_modified"].replace("T", " "),
                content=_content(n),
                meta={"_yoast_wpseo_title": row["seo_title"]},
            )
            for n, row in enumerate(csv.DictReader(lines))
        ]


def made_up(count: int) -> list[Post]:
    """Posts numbered from 1, with SEO titles and descriptions."""
    return [
        Post(
            title=f"Post number {n}",
            slug=f"post-number-{n}",
            author=_author(n),
            date=f"2024-{n // 28 % 12 + 1:02}-{n % 28 + 1:02} 10:00:00",
            content=_content(n),
            meta={
                "_yoast_wpseo_title": f"SEO title of post {n}",
                "_yoast_wpseo_metadesc": f"SEO description of post {n}",
            },
        )
        for n in range(1, count + 1)
    ]


def pages() -> list[Post]:
    """A few pages, to be there beside the posts."""
    return [Post(f"Page {n}", f"page-{n}", type="page", content=_content(n)) for n in range(1, PAGES + 1)]


def statements(posts: Sequence[Post], first_id: int, url: str) -> str:
    """SQL that inserts posts with their meta and terms.

    Args:
        posts: What to insert.
        first_id: The first of as many free ids; taken by posts that name none.
        url: The site's address.
    """
    ids = ids_of(posts, first_id)
    rows = (_row(post, number, url) for post, number in zip(posts, ids, strict=True))
    meta = (
        (number, key, value)
        for post, number in zip(posts, ids, strict=True)
        for key, value in post.meta.items()
    )
    return (
        "SET autocommit = 0;\n"
        + insert("wp_posts", _COLUMNS, rows)
        + insert("wp_postmeta", "post_id, meta_key, meta_value", meta)
        + insert("wp_term_relationships", "object_id, term_taxonomy_id", _terms(posts, ids))
        + "COMMIT;\n"
    )


#: Brings the numbers that WordPress keeps with its terms up to date.
COUNT_TERMS = (
    "UPDATE wp_term_taxonomy t SET count = (SELECT count(*) FROM wp_term_relationships r "
    "JOIN wp_posts p ON p.ID = r.object_id AND p.post_status = 'publish' "
    "WHERE r.term_taxonomy_id = t.term_taxonomy_id);\n"
)


def ids_of(posts: Sequence[Post], first_id: int) -> list[int]:
    """The id of each post; see `statements`."""
    free = iter(range(first_id, first_id + len(posts)))
    return [next(free) if post.id is None else post.id for post in posts]


def _row(post: Post, number: int, url: str) -> tuple[str | int, ...]:
    return (
        number, AUTHORS[post.author], post.date, post.date, post.content, post.title, post.excerpt,
        post.status, post.slug, post.date, post.date, post.type, f"{url}/?p={number}", "", "", "",
    )  # fmt: skip


def _terms(posts: Sequence[Post], ids: Sequence[int]) -> Iterator[tuple[int, int]]:
    # Terms are numbered as they were made: 1 is WordPress's own category, 2 to 5 ours, 6 to 10 the tags.
    for n, (post, number) in enumerate(zip(posts, ids, strict=True)):
        if post.type == "post":
            yield number, n % 5 + 1
            yield number, n % 5 + 6


def _author(n: int) -> str:
    return {3: "author", 7: "editor"}.get(n % 10, "admin")


def _content(n: int) -> str:
    sentences = (f"Paragraph {k} of text {n}, about widgets, gadgets & « prospects »." for k in range(1, 6))
    return "\n\n".join(_PARAGRAPH.format(sentence) for sentence in sentences)
