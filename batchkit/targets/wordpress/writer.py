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
from .places import ABSENT, Kind, Place
from .site import PostType
from .terms import Terms, UnknownTerms
from .values import from_json, same, to_json

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
        told = {**slug, **item.after}
        wanted = {name: value for name, value in told.items() if value is not None and name != "type"}
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


def outcome_of(request: Request, post: Mapping[str, Any], book: Book) -> Result | None:
    """What became of an item, by the post in the answer; None where all is as it was wanted.

    Args:
        request: What was sent.
        post: The post as WordPress has it now.
        book: Terms by taxonomy.
    """
    item = request.item
    if request.body is None:
        if post.get("deleted") is True or post.get("status") == "trash":
            return None
        return reject(
            item.index, "not kept", "WordPress took the request but the post is not in the trash.", _LOOK
        )
    kept, ignored, trimmed, differing = _held_against(request, post, book)
    new = {"id": post.get("id"), "link": post.get("link")} if request.id is None else {}
    new |= _moved(request, post)
    if not ignored and not differing:
        detail = {**new, **({"trimmed": trimmed} if trimmed else {})}
        if nearly := _nearly(request, post, book):
            detail["written"] = nearly
        return Result(item.index, Outcome.DONE, detail=detail) if detail else None
    detail = {
        **new,
        **differing,
        **{name: {"sent": item.after.get(name), "kept": None} for name in ignored},
        "written": _written(request, post, book),
    }
    words, advice = [], "See what the field takes at the site; make a new plan to see what is there now."
    if ignored:
        words.append(f"WordPress ignored {_and(ignored)}: not registered for the REST API")
        advice = PLUGIN
    if differing:
        words.append(f"WordPress took {_and(list(differing))} but keeps something else")
    if kept:
        words.append(f"{_and(kept)} {'was' if len(kept) == 1 else 'were'} written")
    return reject(item.index, "not kept", f"{'; '.join(words)}.", advice, detail)


def refused_in_part(request: Request, failure: Failure, post: Mapping[str, Any], book: Book) -> Result:
    """What became of an item of which WordPress refused one meta key: the rest may have been written.

    Args:
        request: What was sent.
        failure: The refusal.
        post: The post as it is now.
        book: Terms by taxonomy.
    """
    kept, ignored, trimmed, differing = _held_against(request, post, book)
    written = [*kept, *trimmed]
    left = [*ignored, *differing]
    said = f"Written: {_and(written) if written else 'nothing'}. Not written: {_and(left)}."
    detail = {
        "written": _written(request, post, book),
        "not written": left,
        **_moved(request, post),
    }
    reason = f"{failure.reason} {said}"
    return reject(request.item.index, failure.rule, reason, failure.advice, detail)


def _held_against(
    request: Request, post: Mapping[str, Any], book: Book
) -> tuple[list[str], list[str], list[str], dict[str, Any]]:
    """Fields that are as wanted, that the post hasn't got, that lost white space, and that differ."""
    kept: list[str] = []
    ignored: list[str] = []
    trimmed: list[str] = []
    differing: dict[str, Any] = {}
    for name in request.fields:
        place = request.type.places[name]
        wanted = request.item.after[name] if name in request.item.after else request.item.key[name]
        found = place.found(post)
        terms = book.get(place.at)
        if same(found, wanted, place, terms):
            kept.append(name)
        elif found is ABSENT:
            # A plugin's own property may leave out what it has nothing for; WordPress leaves out nothing.
            cleared = wanted is None and place.kind is Kind.PART and place.holder in post
            (kept if cleared else ignored).append(name)
        elif _only_trimmed(found, wanted):
            trimmed.append(name)
        else:
            differing[name] = {"sent": wanted, "kept": _shown(found, place, terms)}
    return kept, ignored, trimmed, differing


def _written(request: Request, post: Mapping[str, Any], book: Book) -> dict[str, Any]:
    """What the sent fields hold now, of those that don't hold what the plan saw; JSON-able."""
    item, now = request.item, {}
    for name in request.fields:
        place = request.type.places[name]
        found = place.found(post)
        if found is ABSENT:
            continue
        try:
            value = from_json(found, place, book.get(place.at))
        except ValueError:
            continue  # no plan can hold it, so no undo can tell whether it is still there
        if request.id is None or value != item.before.get(name):
            now[name] = _jsonable(value)
    return now


def _nearly(request: Request, post: Mapping[str, Any], book: Book) -> dict[str, Any]:
    """What reads otherwise than it was wanted although it means the same: trimmed, or a default."""
    wanted = {name: _jsonable(value) for name, value in request.item.after.items()}
    return {
        name: value
        for name, value in _written(request, post, book).items()
        if name in wanted and value != wanted[name] and (value is not None or wanted[name] != "")
    }


def _moved(request: Request, post: Mapping[str, Any]) -> dict[str, Any]:
    """The key by which a post is found from now on, where it is another than the item's."""
    key, link = request.item.key, post.get("link")
    if request.id is None:
        slug = post.get("slug")
        if "slug" in key and isinstance(slug, str) and slug and plain_slug(slug) != plain_slug(key["slug"]):
            return {"key": {"slug": plain_slug(slug)}}
    elif (
        "url" in key
        and isinstance(link, str)
        and link
        and place_of(key["url"]) not in (place_of(link), f"?p={request.id}")
    ):
        return {"key": {"url": link}}
    return {}


def _jsonable(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _only_trimmed(found: Any, wanted: Any) -> bool:
    return isinstance(found, str) and isinstance(wanted, str) and found.strip() == wanted.strip()


def _shown(found: Any, place: Place, terms: Terms | None) -> Any:
    try:
        value = from_json(found, place, terms)
    except ValueError:
        return found
    return found if place.kind is not Kind.TERMS and isinstance(found, str) else value


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
