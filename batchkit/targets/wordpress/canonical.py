"""Checked values as WordPress would hold them, and those that it can't take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import polars as pl

from ..base import Refusal
from .failures import PLUGIN, SAY_PLUGIN
from .keys import plain_address, plain_slug
from .places import Kind
from .site import PostType, Site
from .terms import Terms, UnknownTerms
from .writer import CREATE_TERMS, terms_in_words

_KEYS: Final = ("id", "type", "url")
_ADDRESS: Final = "Write the whole address of the post, such as https://example.org/a/b/."


class Refused(Exception):
    """A value can't be taken: reason, rule, advice."""

    def __init__(self, reason: str, rule: str, advice: str) -> None:
        super().__init__(reason)
        self.reason, self.rule, self.advice = reason, rule, advice


@dataclass(frozen=True)
class Canon:
    """How a site holds values.

    Attributes:
        site: The site.
        base: The address it is reached at; its own may be another.
        create_terms: Unknown terms will be made.
        new_terms: Takes in which those are, by taxonomy.
    """

    site: Site
    base: str
    create_terms: bool
    new_terms: dict[str, set[str]]

    @cached_property
    def _hosts(self) -> set[str]:
        return {(plain_address(each) or "").partition("/")[0] for each in (self.base, self.site.home)}

    def taxonomies(self, frame: pl.DataFrame) -> list[str]:
        """The columns that name terms."""
        return [name for name in frame.columns if name in self.site.taxonomies and frame[name].count()]

    def apply(self, frame: pl.DataFrame, book: Mapping[str, Terms]) -> tuple[pl.DataFrame, list[Refusal]]:
        """The values as the site holds them, and what it can't take."""
        refusals: list[Refusal] = []
        made: dict[str, pl.Series] = {}
        ways: dict[str, Callable[[Any], Any]] = {
            "type": self._type, "url": self._url, "slug": plain_slug, "id": _id,
        }  # fmt: skip
        ways |= {name: self._terms(name, book) for name in self.taxonomies(frame) if name in book}
        for name, way in ways.items():
            if name in frame.columns:
                values, refused = _through(frame[name], way)
                made[name] = values
                refusals += refused
        frame = frame.with_columns(**made)
        refusals += self._unregistered(frame)
        refusals += self._not_theirs(frame)
        return frame, refusals

    def _type(self, text: str) -> str:
        found = self.site.type_called(text)
        if found is None:
            here = text.strip().casefold()
            other = next(
                (base.rpartition("/")[2] for slug, base in self.site.all_types.items()
                 if here in (slug.casefold(), base.rpartition("/")[2].casefold())), None,
            )  # fmt: skip
            known = ", ".join(self.site.types)
            if other is None:
                raise Refused("The site has no such type.", "type", f"The job's types are {known}.")
            types = [each.base.rpartition("/")[2] for each in self.site.types.values()]
            raise Refused(
                f"The job doesn't write {other}; it writes {known}.", "type",
                f"Add it: [target] types = {[*types, other]!r}.",
            )  # fmt: skip
        return found.slug

    def _url(self, text: str) -> str:
        plain = plain_address(text)
        if plain is None:
            raise Refused("That is no address.", "url", _ADDRESS)
        host, _, rest = plain.partition("/")
        host, question, query = host.partition("?")
        if host not in self._hosts:
            raise Refused(
                f"That address is of another site ({host}).", "url", f"The site is {self.site.home}."
            )
        scheme, _, home = self.site.home.partition("://")
        return f"{scheme}://{home.partition('/')[0]}/{rest}{question}{query}"

    def _terms(self, name: str, book: Mapping[str, Terms]) -> Callable[[str], str]:
        terms = book[name]

        def way(text: str) -> str:
            try:
                return terms.text(terms.ids(text))
            except UnknownTerms as unknown:
                if self.create_terms and not unknown.several:
                    self.new_terms.setdefault(name, set()).update(unknown.names)
                    return terms.joined(text)
                raise Refused(terms_in_words(name, unknown), "terms", CREATE_TERMS) from None

        return way

    def _unregistered(self, frame: pl.DataFrame) -> Iterator[Refusal]:
        """Values that WordPress would ignore in silence: better said before anything is sent."""
        kinds = frame["type"] if "type" in frame.columns else None
        for name in frame.columns:
            closed = {slug for slug, each in self.site.types.items() if _is_closed(each, name)}
            if not closed:
                continue
            if kinds is None and len(closed) < len(self.site.types):
                continue  # some type takes it, and nobody knows yet which type a row is of
            bad = frame[name].is_not_null()
            if kinds is not None:
                bad &= kinds.is_in(list(closed))
            for at in bad.arg_true():
                slug = next(iter(closed)) if kinds is None else kinds[at]
                place = self.site.types[slug].places[name]
                if place.at:
                    reason = f"The site doesn't let {place.at} be written: it isn't registered for REST."
                    yield Refusal(name, at, reason, "unregistered", PLUGIN)
                else:
                    reason = "No SEO plugin is found at the site, so nobody knows where the text goes."
                    yield Refusal(name, at, reason, "seo", SAY_PLUGIN)

    def _not_theirs(self, frame: pl.DataFrame) -> Iterator[Refusal]:
        """Values of fields that the row's type hasn't got."""
        if "type" not in frame.columns:
            return
        kinds = frame["type"]
        for name in frame.columns:
            without = {} if name in _KEYS else {
                slug: each.name for slug, each in self.site.types.items() if name not in each.places
            }  # fmt: skip
            bad = frame[name].is_not_null() & kinds.is_in(list(without)) if without else pl.Series([False])
            for at in bad.arg_true():
                reason = f"{without[kinds[at]]} have no {name}."
                yield Refusal(name, at, reason, "field", "Leave that cell blank.")


def _is_closed(kind: PostType, name: str) -> bool:
    place = kind.places.get(name)
    return place is not None and place.kind is Kind.META and not place.registered


def _through(values: pl.Series, way: Callable[[Any], Any]) -> tuple[pl.Series, list[Refusal]]:
    """The values, each distinct one taken once, and refusals of those that can't be."""
    known: dict[Any, Any] = {}
    made: list[Any] = []
    refusals = []
    for at, value in enumerate(values):
        if value is not None and value not in known:
            try:
                known[value] = way(value)
            except Refused as refused:
                known[value] = refused
        result = None if value is None else known[value]
        if isinstance(result, Refused):
            refusals.append(Refusal(values.name, at, result.reason, result.rule, result.advice))
            result = None
        made.append(result)
    return pl.Series(values.name, made, values.dtype), refusals


def _id(value: Any) -> Any:
    if value <= 0:
        raise Refused("An id is a number from 1.", "id", "Correct it.")
    return value
