"""Posts as the API shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .meta import AIOSEO, Meta
from .schema import field_names
from .store import Post, Store
from .text import excerpt_of, paragraphs, slug_of, texturized
from .users import User, allow

BASES: Final = {"post": "posts", "page": "pages"}
"""Types and the addresses of theirs."""
TAXONOMIES: Final = {"category": "categories", "post_tag": "tags"}
"""Taxonomies and the addresses of theirs, which also name the fields of a post."""

_ONLY_EDIT: Final = {"password", "permalink_template", "generated_slug"}


@dataclass(frozen=True, slots=True)
class View:
    """How posts are shown in one request.

    Attributes:
        site: Address of the site, without a slash at its end.
        store: Where parents are found.
        meta: The meta keys that are shown.
        user: Who looks.
        edit: Whether in the context of editing, which shows raw text too.
        fields: The fields that are asked for, with dots; empty for all.
    """

    site: str
    store: Store
    meta: Meta
    user: User | None = None
    edit: bool = False
    fields: tuple[str, ...] = ()

    def of(self, post: Post) -> dict[str, Any]:
        """A post with the fields that are asked for, whole, and its number in any case; see `narrowed`."""
        asked = {name.partition(".")[0] for name in self.fields}
        return {
            name: _PARTS[name](self, post) if name in _PARTS else getattr(post, name)
            for name in (*field_names(post.type, self.meta), "_links")
            if (self.edit or name not in _ONLY_EDIT) and (not asked or name in asked or name == "id")
        }

    def link(self, post: Post) -> str:
        """Address of a post on the site."""
        if post.status not in ("publish", "private") or not post.slug:
            return f"{self.site}/?{'page_id' if post.type == 'page' else 'p'}={post.id}"
        path, above = post.slug, self.store.post(post.parent) if post.parent else None
        while above is not None:
            path, above = f"{above.slug}/{path}", self.store.post(above.parent) if above.parent else None
        return f"{self.site}/{path}/"

    def text(self, raw: str, rendered: str, **more: Any) -> dict[str, Any]:
        """A text field: rendered, and raw for who edits."""
        return {**({"raw": raw} if self.edit else {}), "rendered": rendered, **more}


def narrowed(whole: dict[str, Any], fields: Iterable[str]) -> Any:
    """The parts of an answer that `_fields` names, or all of it; `[]` for none, as PHP has it."""
    fields = tuple(fields)
    if not fields:
        return whole
    kept: dict[str, Any] = {}
    for name, value in whole.items():
        inner = [field[len(name) + 1 :] for field in fields if field.startswith(f"{name}.")]
        if name in fields or (inner and not isinstance(value, dict)):
            kept[name] = value
        elif inner:
            kept[name] = narrowed(value, inner)
    return kept or []


def _guid(view: View, post: Post) -> dict[str, Any]:
    address = f"{view.site}/?{'page_id' if post.type == 'page' else 'p'}={post.id}"
    return view.text(address, address)


def _content(view: View, post: Post) -> dict[str, Any]:
    blocks = {"block_version": int("<!-- wp:" in post.content)} if view.edit else {}
    return view.text(post.content, paragraphs(post.content), protected=False, **blocks)


def _excerpt(view: View, post: Post) -> dict[str, Any]:
    rendered = f"<p>{texturized(post.excerpt)}</p>\n" if post.excerpt else excerpt_of(post.content)
    return view.text(post.excerpt, rendered, protected=False)


def _links(view: View, post: Post) -> dict[str, Any]:
    base = f"{view.site}/wp-json/wp/v2/{BASES[post.type]}"
    hints = {"allow": allow(view.user, post).split(", ")}
    return {"self": [{"href": f"{base}/{post.id}", "targetHints": hints}], "collection": [{"href": base}]}


_PARTS: Final[Mapping[str, Callable[[View, Post], Any]]] = {
    "date_gmt": lambda _, post: post.date,
    "guid": _guid,
    "modified_gmt": lambda _, post: post.modified,
    "link": lambda view, post: view.link(post),
    "title": lambda view, post: view.text(post.title, texturized(post.title).strip()),
    "content": _content,
    "excerpt": _excerpt,
    "meta": lambda view, post: view.meta.shown(post.meta),
    "categories": lambda _, post: post.terms.get("category", []),
    "tags": lambda _, post: post.terms.get("post_tag", []),
    "permalink_template": lambda view, post: (
        f"{view.site}/%{'pagename' if post.type == 'page' else 'postname'}%/"
    ),
    "generated_slug": lambda _, post: slug_of(post.title) or str(post.id),
    "class_list": lambda _, post: [
        f"post-{post.id}",
        post.type,
        f"type-{post.type}",
        f"status-{post.status}",
    ],
    AIOSEO: lambda view, post: view.meta.property_of(post.meta),
    "_links": _links,
}
"""What isn't shown as it is stored."""
