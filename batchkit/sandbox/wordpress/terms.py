"""The routes of categories and tags."""

from __future__ import annotations

import html
from typing import Any, Final

from . import params
from .answers import Answer, Refused
from .params import Call, Reader
from .store import Store, Term
from .text import allowed, slug_of
from .users import forbidden, may
from .view import TAXONOMIES, narrowed

_LISTED: Final[dict[str, Reader]] = {
    **params.PAGED,
    "exclude": params.integers,
    "include": params.integers,
    "order": params.among("asc", "desc"),
    "orderby": params.among(
        "id", "include", "name", "slug", "include_slugs", "term_group", "description", "count"
    ),
    "hide_empty": params.flag,
    "parent": params.integer,
    "slug": params.texts,
}
_WRITTEN: Final[dict[str, Reader]] = {
    "description": params.text,
    "name": params.text,
    "slug": params.text,
    "parent": params.integer,
}


class TermRoutes:
    """The routes of one taxonomy.

    Args:
        taxonomy: `category` or `post_tag`.
        store: Where its terms are kept.
    """

    def __init__(self, taxonomy: str, store: Store) -> None:
        self._taxonomy = taxonomy
        self._store = store

    def list(self, call: Call) -> Answer:
        """A page of terms, by name."""
        wanted = params.read(call.given, _LISTED)
        found = [term for term in self._store.terms(self._taxonomy) if self._fits(term, wanted)]
        if wanted.get("order") == "desc":
            found.reverse()
        size = wanted.get("per_page", 10)
        start = (wanted.get("page", 1) - 1) * size
        headers = {"X-WP-Total": str(len(found)), "X-WP-TotalPages": str(-(-len(found) // size))}
        return Answer(200, [self._shown(call, term) for term in found[start : start + size]], headers)

    def get(self, call: Call, number: int) -> Answer:
        """One term."""
        return Answer(200, self._shown(call, self._term(number)))

    def create(self, call: Call) -> Answer:
        """A new term."""
        values = params.read(call.given, _WRITTEN)
        if "name" not in call.given:
            message = "Missing parameter(s): name"
            raise Refused(400, "rest_missing_callback_param", message, {"params": ["name"]})
        # Tags may be made by whoever writes posts, categories by editors alone.
        if not may(call.user, "edit_posts" if self._taxonomy == "post_tag" else "manage_categories"):
            raise forbidden(call.user, "rest_cannot_create", "create terms in this taxonomy")
        term = Term(0, self._taxonomy, "", "")
        self._write(term, values)
        address = f"{call.site}/wp-json/wp/v2/{TAXONOMIES[self._taxonomy]}/{term.id}"
        return Answer(201, self._shown(call, term), {"Location": address})

    def change(self, call: Call, number: int) -> Answer:
        """Other values for a term."""
        values = params.read(call.given, _WRITTEN)
        term = self._term(number)
        if not may(call.user, "manage_categories"):
            raise forbidden(call.user, "rest_cannot_update", "edit this term")
        self._write(term, values)
        return Answer(200, self._shown(call, term))

    def remove(self, call: Call, number: int) -> Answer:
        """Away for good; terms know no trash."""
        values = params.read(call.given, {"force": params.flag})
        term = self._term(number)
        if not may(call.user, "manage_categories"):
            raise forbidden(call.user, "rest_cannot_delete", "delete this term")
        if not values.get("force"):
            message = "Terms do not support trashing. Set 'force=true' to delete."
            raise Refused(501, "rest_trash_not_supported", message)
        previous = self._shown(call, term)
        self._store.remove_term(number)
        return Answer(200, {"deleted": True, "previous": previous})

    def allow(self, call: Call, number: int | None) -> str:
        """The methods that this user may use: on a term, or on all of them; empty where there is none."""
        may_write = may(call.user, "manage_categories")
        if number is None:
            return (
                "GET, POST"
                if may_write or (self._taxonomy == "post_tag" and may(call.user, "edit_posts"))
                else "GET"
            )
        if self._store.term(self._taxonomy, number) is None:
            return ""
        return "GET, POST, PUT, PATCH, DELETE" if may_write else "GET"

    def _fits(self, term: Term, wanted: dict[str, Any]) -> bool:
        words = (wanted.get("search") or "").casefold()
        return (
            (not wanted.get("include") or term.id in wanted["include"])
            and term.id not in wanted.get("exclude", [])
            and (not wanted.get("slug") or term.slug in wanted["slug"])
            and ("parent" not in wanted or term.parent == wanted["parent"])
            and (
                words in html.unescape(term.name).casefold() or (bool(words) and slug_of(words) in term.slug)
            )
            and (not wanted.get("hide_empty") or self._store.uses(term) > 0)
        )

    def _term(self, number: int) -> Term:
        term = self._store.term(self._taxonomy, number)
        if term is None:
            raise Refused(404, "rest_term_invalid", "Term does not exist.")
        return term

    def _write(self, term: Term, values: dict[str, Any]) -> None:
        if values.get("name") is not None:
            term.name = allowed(values["name"].strip(), title=True)
        for name in ("description", "parent"):
            if values.get(name) is not None:
                setattr(term, name, values[name])
        others = [each for each in self._store.terms(self._taxonomy) if each.id != term.id]
        twin = next((each for each in others if (each.name, each.parent) == (term.name, term.parent)), None)
        if twin is not None:
            message = "A term with the name provided already exists with this parent."
            raise Refused(400, "term_exists", message, {"term_id": twin.id})
        term.slug, n = slug_of(values.get("slug") or term.slug or term.name), 2
        wanted = term.slug
        while term.slug in {each.slug for each in others}:
            term.slug, n = f"{wanted}-{n}", n + 1
        self._store.keep_term(term)

    def _shown(self, call: Call, term: Term) -> Any:
        base = TAXONOMIES[self._taxonomy]
        kind = "category" if self._taxonomy == "category" else "tag"
        whole = {
            "id": term.id,
            "count": self._store.uses(term),
            "description": term.description,
            "link": f"{call.site}/{kind}/{term.slug}/",
            "name": term.name,
            "slug": term.slug,
            "taxonomy": term.taxonomy,
            **({"parent": term.parent} if self._taxonomy == "category" else {}),
            "meta": [],
            "_links": {"self": [{"href": f"{call.site}/wp-json/wp/v2/{base}/{term.id}"}]},
        }
        return narrowed(whole, call.fields)
