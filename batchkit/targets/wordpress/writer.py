"""Writing posts: what is sent of an item, and what the answer says became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final

from ...core.states import Change, Outcome
from ..base import Failure, Item, Result
from ..exchange import reject
from .failures import PLUGIN
from .keys import place_of, plain_slug
from .places import ABSENT, Kind, Place, from_json, same, to_json
from .site import PostType
from .terms import Terms, UnknownTerms

_LOOK: Final = "Make a new plan to see what is at the site now."
Book = Mapping[str, Terms]


class Unsendable(Exception):
    """An item can't be sent.

    Attributes:
        result: What is put on record instead.
    """

    def __init__(self, item: Item, rule: str, reason: str, advice: str) -> None:
        super().__init__(reason)
        self.result = reject(item.index, rule, reason, advice)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent for an item.

    Attributes:
        item: The item.
        type: Type of its post.
        id: Id of its post; None for a new one.
        body: The JSON; None for none.
        fields: Fields that it carries.
    """

    item: Item
    type: PostType
    id: int | None
    body: dict[str, Any] | None
    fields: tuple[str, ...] = field(default=())

    @property
    def method(self) -> str:
        """HTTP method. WordPress takes POST for what others want PATCH for, and firewalls let it through."""
        return "DELETE" if self.item.change == Change.DELETE else "POST"

    @property
    def route(self) -> str:
        """Its route in the REST API."""
        return self.type.base if self.id is None else f"{self.type.base}/{self.id}"

    @property
    def query(self) -> dict[str, Any]:
        """Asks for no more of the post than what was sent."""
        names = [
            "id",
            *(["status"] if self.body is None else []),
            *(["slug", "link"] if self.id is None else []),
            *(["link"] if "url" in self.item.key else []),
        ]
        places = [self.type.places[name].asked for name in self.fields]
        return {"_fields": ",".join(dict.fromkeys([*names, *places]))}


def request_for(item: Item, kind: PostType, number: int | None, book: Book) -> Request:
    """What is to be sent for an item.

    Args:
        item: The item.
        kind: Type of its post.
        number: Id of its post; None for a create.
        book: Terms by taxonomy.

    Raises:
        Unsendable: It can't be sent as it is.
    """
    if item.change == Change.DELETE:
        return Request(item, kind, number, None)
    if item.change == Change.UPDATE:
        wanted = {name: value for name, value in item.after.items() if value != item.before.get(name)}
    else:
        slug = {"slug": item.key["slug"]} if "slug" in item.key else {}
        given = {**slug, **item.after}
        wanted = {name: value for name, value in given.items() if value is not None and name != "type"}
    body: dict[str, Any] = {}
    for name, value in wanted.items():
        place = kind.places.get(name)
        if place is None:
            raise Unsendable(item, "field", f"{kind.name} have no {name}.", "Leave that cell blank.")
        try:
            place.put(body, to_json(value, place, book.get(place.at)))
        except UnknownTerms as unknown:
            raise Unsendable(item, "terms", terms_in_words(name, unknown), CREATE_TERMS) from None
        except ValueError:
            raise Unsendable(item, "type", f"{name} isn't JSON.", "Correct the value.") from None
    return Request(item, kind, number, body, tuple(wanted))


CREATE_TERMS: Final = (
    "Correct the name, make the term at the site, or let it be made: [target] create_terms = true."
)


def terms_in_words(name: str, unknown: UnknownTerms) -> str:
    """Which names stand for no term, or for several."""
    parts = []
    if unknown.names:
        parts.append(f"{name} has no {', '.join(map(repr, unknown.names))}")
    if unknown.several:
        parts.append(
            f"{name} has several called {', '.join(map(repr, unknown.several))}; write Parent > Child"
        )
    return "; ".join(parts) + "."


def lacking(request: Request, post: Any) -> str:
    """What keeps an answer from being that to a request, in words; empty where it may be.

    A cache, a firewall or a plugin may answer a success that has nothing to do with what was sent.

    Args:
        request: What was sent.
        post: The JSON of the answer.
    """
    if not isinstance(post, Mapping):
        return "WordPress answered with something else than a post"
    number = post.get("id")
    if request.body is None and post.get("deleted") is True:
        return ""
    if request.id is None:
        if not isinstance(number, int) or isinstance(number, bool):
            return "WordPress answered a new post without its id"
    elif number != request.id:
        return f"WordPress answered with post {number!r} instead of {request.id}"
    if request.fields and request.type.shown:
        holders = {request.type.places[name].holder for name in request.fields}
        if not holders & post.keys():
            return f"WordPress answered without {_and(request.fields)}"
    return ""


class Reply:
    """A post as WordPress has it now, held against what was sent of it.

    Args:
        request: What was sent.
        post: The post; nothing is `lacking` in it.
        book: Terms by taxonomy.

    Attributes:
        kept, ignored, trimmed: Fields that are as wanted, that the post hasn't got, that lost white space.
        differing: Fields that hold something else, each with what was sent and what was kept.
        written: What the sent fields hold now, of those that don't hold what the plan saw; JSON-able.
    """

    def __init__(self, request: Request, post: Mapping[str, Any], book: Book) -> None:
        self._request, self._post = request, post
        self.kept: list[str] = []
        self.ignored: list[str] = []
        self.trimmed: list[str] = []
        self.differing: dict[str, Any] = {}
        self.written: dict[str, Any] = {}
        for name in request.fields:
            place = request.type.places[name]
            self._compare(name, place, place.found(post), book.get(place.at))

    def _compare(self, name: str, place: Place, found: Any, terms: Terms | None) -> None:
        item = self._request.item
        wanted = item.after[name] if name in item.after else item.key[name]
        try:
            value = from_json(found, place, terms)
            if found is not ABSENT and (self._request.id is None or value != item.before.get(name)):
                self.written[name] = _jsonable(value)
        except ValueError:
            value = found  # no plan can hold it, so no undo can tell whether it is still there
        if same(found, wanted, place, terms):
            self.kept.append(name)
        elif found is ABSENT:
            # A plugin's own property may leave out what it has nothing for; WordPress leaves out nothing.
            cleared = wanted is None and place.kind is Kind.PART and place.holder in self._post
            (self.kept if cleared else self.ignored).append(name)
        elif isinstance(found, str) and isinstance(wanted, str) and found.strip() == wanted.strip():
            self.trimmed.append(name)
        else:
            is_text = place.kind is not Kind.TERMS and isinstance(found, str)
            self.differing[name] = {"sent": wanted, "kept": found if is_text else value}

    def outcome(self) -> Result | None:
        """What became of the item; None where all is as it was wanted."""
        item, post = self._request.item, self._post
        if self._request.body is None:
            if post.get("deleted") is True or post.get("status") == "trash":
                return None
            reason = "WordPress took the request but the post is not in the trash."
            return reject(item.index, "not kept", reason, _LOOK)
        new = {"id": post.get("id"), "link": post.get("link")} if self._request.id is None else {}
        new |= self._moved()
        if not self.ignored and not self.differing:
            # What reads otherwise than it was wanted although it means the same: trimmed, or a default.
            wanted = {name: _jsonable(value) for name, value in item.after.items()}
            nearly = {
                name: value
                for name, value in self.written.items()
                if name in wanted and value != wanted[name] and (value is not None or wanted[name] != "")
            }
            extra = {"trimmed": self.trimmed, "written": nearly}
            detail = {**new, **{name: value for name, value in extra.items() if value}}
            return Result(item.index, Outcome.DONE, detail=detail) if detail else None
        lost = {name: {"sent": item.after.get(name), "kept": None} for name in self.ignored}
        detail = {**new, **self.differing, **lost, "written": self.written}
        words, advice = [], "See what the field takes at the site; make a new plan to see what is there now."
        if self.ignored:
            words.append(f"WordPress ignored {_and(self.ignored)}: not registered for the REST API")
            advice = PLUGIN
        if self.differing:
            words.append(f"WordPress took {_and(list(self.differing))} but keeps something else")
        if self.kept:
            words.append(f"{_and(self.kept)} {'was' if len(self.kept) == 1 else 'were'} written")
        return reject(item.index, "not kept", f"{'; '.join(words)}.", advice, detail)

    def refused_in_part(self, failure: Failure) -> Result:
        """What became of an item of which WordPress refused one meta key: the rest may have been written."""
        done, left = [*self.kept, *self.trimmed], [*self.ignored, *self.differing]
        parts = f"Written: {_and(done) if done else 'nothing'}. Not written: {_and(left)}."
        detail = {"written": self.written, "not written": left, **self._moved()}
        reason = f"{failure.reason} {parts}"
        return reject(self._request.item.index, failure.rule, reason, failure.advice, detail)

    def _moved(self) -> dict[str, Any]:
        """The key by which a post is found from now on, where it is another than the item's."""
        key, number = self._request.item.key, self._request.id
        slug, link = (str(self._post.get(name) or "") for name in ("slug", "link"))
        if number is None:
            if "slug" in key and slug and plain_slug(slug) != plain_slug(key["slug"]):
                return {"key": {"slug": plain_slug(slug)}}
        elif "url" in key and link and place_of(key["url"]) not in (place_of(link), f"?p={number}"):
            return {"key": {"url": link}}
        return {}


def _jsonable(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
