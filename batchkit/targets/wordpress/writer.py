"""Writing posts: what is sent of an item, and what the answer says became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ...states import Change, Outcome
from ..base import Failure, Item, Result
from .failures import PLUGIN
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

    def __init__(self, result: Result) -> None:
        super().__init__(result.reason)
        self.result = result


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
            raise Unsendable(
                _rejected(item, "field", f"{kind.name} have no {name}.", "Leave that cell blank.")
            )
        try:
            place.put(body, to_json(value, place, book.get(place.at)))
        except UnknownTerms as unknown:
            raise Unsendable(_rejected(item, "terms", terms_in_words(name, unknown), CREATE_TERMS)) from None
        except ValueError:
            raise Unsendable(_rejected(item, "type", f"{name} isn't JSON.", "Correct the value.")) from None
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
        return _rejected(
            item, "not kept", "WordPress took the request but the post is not in the trash.", _LOOK
        )
    kept, ignored, trimmed, differing = _held_against(request, post, book)
    new = {"id": post.get("id"), "link": post.get("link")} if request.id is None else {}
    if not ignored and not differing:
        detail = {**new, **({"trimmed": trimmed} if trimmed else {})}
        return Result(item.index, Outcome.DONE, detail=detail) if detail else None
    detail = {**new, **differing, **{name: {"sent": item.after.get(name), "kept": None} for name in ignored}}
    words, advice = [], "See what the field takes at the site; make a new plan to see what is there now."
    if ignored:
        words.append(f"WordPress ignored {_and(ignored)}: not registered for the REST API")
        advice = PLUGIN
    if differing:
        words.append(f"WordPress took {_and(list(differing))} but keeps something else")
    if kept:
        words.append(f"{_and(kept)} {'was' if len(kept) == 1 else 'were'} written")
    return Result(item.index, Outcome.REJECTED, "not kept", f"{'; '.join(words)}.", advice, detail)


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
    lacking = [*ignored, *differing]
    said = f"Written: {_and(written) if written else 'nothing'}. Not written: {_and(lacking)}."
    detail = {"written": written, "not written": lacking}
    reason = f"{failure.reason} {said}"
    return Result(request.item.index, Outcome.REJECTED, failure.rule, reason, failure.advice, detail)


def _held_against(
    request: Request, post: Mapping[str, Any], book: Book
) -> tuple[list[str], list[str], list[str], dict[str, Any]]:
    """Fields that are as wanted, that the post hasn't got, that lost white space, and that differ."""
    kept, ignored, trimmed = [], [], []
    differing: dict[str, Any] = {}
    for name in request.fields:
        place = request.type.places[name]
        wanted = request.item.after[name] if name in request.item.after else request.item.key[name]
        found = place.found(post)
        terms = book.get(place.at)
        if same(found, wanted, place, terms) and (found is not ABSENT or place.registered):
            kept.append(name)
        elif found is ABSENT:
            ignored.append(name)
        elif _only_trimmed(found, wanted):
            trimmed.append(name)
        else:
            differing[name] = {"sent": wanted, "kept": _shown(found, place, terms)}
    return kept, ignored, trimmed, differing


def _only_trimmed(found: Any, wanted: Any) -> bool:
    return isinstance(found, str) and isinstance(wanted, str) and found.strip() == wanted.strip()


def _shown(found: Any, place: Place, terms: Terms | None) -> Any:
    try:
        value = from_json(found, place, terms)
    except ValueError:
        return found
    return found if place.kind is not Kind.TERMS and isinstance(found, str) else value


def _rejected(item: Item, rule: str, reason: str, advice: str) -> Result:
    return Result(item.index, Outcome.REJECTED, rule, reason, advice)


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
