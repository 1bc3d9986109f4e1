"""The routes of posts and pages: list, read, create, change, trash."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from . import params, query
from .answers import Answer, Refused
from .meta import AIOSEO, Meta
from .params import Call, Reader
from .store import Post, Store
from .text import allowed, slug_of
from .users import USERS, allow, can_edit, can_read, forbidden, may
from .view import BASES, TAXONOMIES, View, narrowed

_WRITTEN: Final[dict[str, Reader]] = {
    "date": params.date,
    "date_gmt": params.date,
    "slug": params.text,
    "status": params.among("publish", "future", "draft", "pending", "private"),
    "password": params.text,
    "parent": params.integer,
    "title": params.content,
    "content": params.content,
    "author": params.integer,
    "excerpt": params.content,
    "featured_media": params.integer,
    "comment_status": params.among("open", "closed"),
    "ping_status": params.among("open", "closed"),
    "menu_order": params.integer,
    "meta": params.mapping,
    AIOSEO: params.mapping,
    "sticky": params.flag,
    "template": params.text,
    "categories": params.integers,
    "tags": params.integers,
    **params.CONTEXT,
}
_PLAIN: Final = (
    "password",
    "author",
    "comment_status",
    "ping_status",
    "menu_order",
    "sticky",
    "template",
    "parent",
)
"""What is stored as it comes."""
_NAMELESS: Final = ("draft", "pending", "auto-draft")
"""States in which a post needs no slug, and may share one."""


class Posts:
    """The routes of one type.

    Args:
        kind: `post` or `page`.
        store: Where they are kept.
        meta: The meta keys of the site.
    """

    def __init__(self, kind: str, store: Store, meta: Meta) -> None:
        self.kind = kind
        self._store = store
        self._meta = meta

    def list(self, call: Call) -> Answer:
        """A page of posts; in the context of editing without those that this user may not edit."""
        values = params.read(call.given, query.readers(call.user))
        edit = values.get("context") == "edit"
        if edit and not may(call.user, f"edit_{self.kind}s"):
            raise forbidden(call.user, "rest_forbidden_context", "edit posts in this post type")
        found, total = query.posts(self._store, self.kind, values)
        size, page = values.get("per_page", 10), values.get("page", 1)
        pages = -(-total // size)
        if page > pages and total:
            message = "The page number requested is larger than the number of pages available."
            raise Refused(400, "rest_post_invalid_page_number", message)
        # The total counts what is taken out below, as it does on real sites.
        shown = [post for post in found if (can_edit if edit else can_read)(call.user, post)]
        view = self._view(call, edit=edit)
        headers = {"X-WP-Total": str(total), "X-WP-TotalPages": str(pages)}
        return Answer(200, [narrowed(view.of(post), call.fields) for post in shown], headers)

    def get(self, call: Call, number: int) -> Answer:
        """One post."""
        values = params.read(call.given, params.CONTEXT)
        post = self._post(number)
        edit = values.get("context") == "edit"
        if edit and not can_edit(call.user, post):
            raise forbidden(call.user, "rest_forbidden_context", "edit this post")
        if not can_read(call.user, post):
            raise forbidden(call.user, "rest_forbidden", "do that")
        return self._shown(200, call, post, edit=edit)

    def create(self, call: Call) -> Answer:
        """A new post."""
        values = params.read(call.given, _WRITTEN)
        if call.given.get("id"):
            raise Refused(400, "rest_post_exists", "Cannot create existing post.")
        if call.user is None or not call.user.can(f"edit_{self.kind}s"):
            raise forbidden(call.user, "rest_cannot_create", "create posts as this user")
        if not any(values.get(name) for name in ("title", "content", "excerpt")):
            raise Refused(400, "empty_content", "Content, title, and excerpt are empty.")
        now = _now()
        post = Post(type=self.kind, author=call.user.id, date=now, modified=now)
        self._write(call, post, values)
        address = f"{call.site}/wp-json/wp/v2/{BASES[self.kind]}/{post.id}"
        return self._shown(201, call, post, edit=True, Location=address)

    def change(self, call: Call, number: int) -> Answer:
        """Other values for a post."""
        values = params.read(call.given, _WRITTEN)
        post = self._post(number)
        if not can_edit(call.user, post):
            raise forbidden(call.user, "rest_cannot_edit", "edit this post")
        post.modified = _now()
        self._write(call, post, values)
        return self._shown(200, call, post, edit=True)

    def remove(self, call: Call, number: int) -> Answer:
        """Into the trash, or away for good with `force`."""
        values = params.read(call.given, {"force": params.flag})
        post = self._post(number)
        if not can_edit(call.user, post):
            raise forbidden(call.user, "rest_cannot_delete", "delete this post")
        if values.get("force"):
            previous = self._view(call, edit=True).of(post)
            self._store.remove(number)
            return Answer(200, narrowed({"deleted": True, "previous": previous}, call.fields))
        if post.status == "trash":
            raise Refused(410, "rest_already_trashed", "The post has already been deleted.")
        post.was = [post.status, post.slug]
        post.status, post.slug = "trash", f"{post.slug or post.id}__trashed"
        post.modified = _now()
        self._store.keep(post)
        return self._shown(200, call, post, edit=True)

    def allow(self, call: Call, number: int | None) -> str:
        """The methods that this user may use: on a post, or on all of them; empty where there is none."""
        if number is None:
            return "GET, POST" if may(call.user, f"edit_{self.kind}s") else "GET"
        post = self._store.post(number)
        return allow(call.user, post) if post is not None and post.type == self.kind else ""

    def _post(self, number: int) -> Post:
        post = self._store.post(number)
        if post is None or post.type != self.kind:
            raise Refused(404, "rest_post_invalid_id", "Invalid post ID.")
        return post

    def _view(self, call: Call, *, edit: bool) -> View:
        return View(call.site, self._store, self._meta, call.user, edit=edit, fields=call.fields)

    def _shown(self, status: int, call: Call, post: Post, *, edit: bool, **headers: str) -> Answer:
        return Answer(status, narrowed(self._view(call, edit=edit).of(post), call.fields), headers)

    def _write(self, call: Call, post: Post, values: dict[str, Any]) -> None:
        self._check(call, post, values)
        for name in ("title", "content", "excerpt"):
            if values.get(name) is not None:
                text = (
                    values[name]
                    if may(call.user, "unfiltered_html")
                    else allowed(values[name], title=name == "title")
                )
                setattr(post, name, text.strip() if name == "title" else text)
        for name in _PLAIN:
            if values.get(name) is not None:
                setattr(post, name, values[name])
        if "date" in values or "date_gmt" in values:
            moment = values.get("date") or values.get("date_gmt")
            post.date = moment.isoformat() if moment else _now()
        self._set_state(post, values)
        self._set_slug(post, values)
        self._set_terms(post, values)
        self._store.keep(post)
        if self._meta.has_property:
            self._meta.write_property(post.meta, values.get(AIOSEO, {}))
        # Meta comes last: when a key is refused, all the rest has been written.
        try:
            self._meta.write(post.meta, values.get("meta", {}))
        finally:
            self._store.keep(post)

    def _check(self, call: Call, post: Post, values: dict[str, Any]) -> None:
        author = values.get("author", post.author)
        if author not in {user.id for user in USERS}:
            raise Refused(400, "rest_invalid_author", "Invalid author ID.")
        if call.user and author != call.user.id and not call.user.can(f"edit_others_{self.kind}s"):
            raise forbidden(call.user, "rest_cannot_edit_others", "update posts as this user")
        if self.kind == "post":
            values.pop("parent", None)
            values.pop("menu_order", None)
        elif values.get("parent") and self._store.post(values["parent"]) is None:
            raise Refused(400, "rest_post_invalid_id", "Invalid post parent ID.")

    def _set_state(self, post: Post, values: dict[str, Any]) -> None:
        if "status" in values:
            if post.status == "trash" and post.was:
                post.slug, post.was = post.was[1], []
            post.status = values["status"]
        if post.status in ("publish", "future"):
            post.status = "future" if post.date > _now() else "publish"

    def _set_slug(self, post: Post, values: dict[str, Any]) -> None:
        if values.get("slug") is not None:
            post.slug = slug_of(values["slug"])
        if post.status in _NAMELESS or post.status == "trash":
            return
        if not post.id:
            self._store.keep(post)
        wanted = post.slug or slug_of(post.title) or str(post.id)
        post.slug, n = wanted, 2
        while self._store.is_taken(post.slug, post):
            post.slug, n = f"{wanted}-{n}", n + 1

    def _set_terms(self, post: Post, values: dict[str, Any]) -> None:
        if self.kind != "post":
            return
        if not post.terms.get("category"):
            post.terms["category"] = [1]
        for taxonomy, name in TAXONOMIES.items():
            if name in values:
                known = {term.id for term in self._store.terms(taxonomy)}
                post.terms[taxonomy] = [number for number in dict.fromkeys(values[name]) if number in known]


def _now() -> str:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat()
