"""Sending items to WordPress: one by one or many in a call, and what became of each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from ...core.states import Change, Outcome
from ..base import Failure, Fate, Item, Result
from ..exchange import reject
from ..http.answer import Answer
from ..http.failures import HttpError, of_read
from ..http.many import chunked
from ..http.target import READ_LIMIT
from .batch import NOT_ALLOWED, envelope, opened
from .failures import CACHE, MADE, judged, value_of
from .reader import Get, Reader
from .site import BATCH, PostType, Site
from .terms import Terms
from .writer import Reply, Request, Unsendable, lacking, request_for

_TOO_LARGE: Final = frozenset({"500", "502", "504", "524", "internal_server_error", "empty", "truncated"})
"""What a server answers, or doesn't, when a request takes longer or more memory than it allows itself."""


@dataclass(kw_only=True)
class Sender:
    """Sends items to a site.

    Attributes:
        site: The site.
        reader: Reads posts and terms, and knows which post a key stands for.
        exchange: Sends a request, as `HttpTarget.exchange` does.
        get: Reads a route.
        repeatable: Whether sending items twice has the effect of sending them once.
        batch: Requests that a call of batch/v1 may carry; 0 sends one by one.
        narrow: Told how many items a call should carry at most, where the site can't bear more.
        creates: Posts may be created.
        create_terms: Terms that rows name and the site lacks are made.
        advice: What to do about a post that the site doesn't show.
    """

    site: Site
    reader: Reader
    exchange: Callable[..., Awaitable[Answer]]
    get: Get
    repeatable: Callable[[Sequence[Item]], bool]
    batch: int
    narrow: Callable[[int], None]
    creates: bool
    create_terms: bool
    advice: str

    def __post_init__(self) -> None:
        """Begin without anything learned of what the site bears."""
        self._alone: set[str] = set()
        self._making = asyncio.Lock()
        # By their first item, calls that failed in a way that their size may cause.
        self._failed: set[int] = set()
        self._too_large: dict[int, bool] = {}

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        """Send some items: one by one, or through batch/v1."""
        first = items[0].index
        if self._too_large.pop(first, False) and len(items) > 1:
            # A site that is away for everybody fails in the same way: it raises here.
            await self.get("", _fields="name")
            self.narrow(len(items) // 2)
            reason = "The site didn't get through so many posts in one call, so it is halved"
            raise HttpError(Failure(Fate.REJECT, "too large", reason))
        try:
            results, requests = await self._requests(items)
            return results if dry_run else results + await self._sent(requests)
        except asyncio.CancelledError:
            self._too_large[first] = self.repeatable(items)  # it took longer than a call may
            raise
        except HttpError as error:
            if error.failure.rule in _TOO_LARGE and self.repeatable(items):
                self._too_large[first] = first in self._failed
                self._failed.add(first)
            raise

    async def _sent(self, requests: Sequence[Request]) -> list[Result]:
        """What became of requests; a failure is raised where nothing else was sent before it."""
        results: list[Result] = []
        end: Failure | None = None
        for at, part in enumerate(self._parts(requests)):
            if end is not None:  # a part that went out said that none will pass: the rest stays here
                results += [_failed(one.item, end) for one in part]
                continue
            try:
                if len(part) == 1:
                    results += filter(None, [await self._send_one(part[0])])
                else:
                    results += await self._send_batch(part)
            except HttpError as error:
                if at == 0 and (len(part) == len(requests) or error.failure.fate is not Fate.UNKNOWN):
                    raise
                results += [_failed(one.item, error.failure) for one in part]
            end = _end(results)
        return results

    def _parts(self, requests: Sequence[Request]) -> list[Sequence[Request]]:
        """The requests as they go out together."""
        batched = [one for one in requests if one.type.slug not in self._alone] if self.batch else []
        single = [one for one in requests if one not in batched]
        return [*chunked(batched, max(self.batch, 1)), *chunked(single, 1)]

    async def _requests(self, items: Sequence[Item]) -> tuple[list[Result], list[Request]]:
        results: list[Result] = []
        requests = []
        await self._find_unknown(items)
        for item in items:
            try:
                requests.append(await self._request(item))
            except Unsendable as problem:
                results.append(problem.result)
        return results, requests

    async def _find_unknown(self, items: Sequence[Item]) -> None:
        """Learn the ids of posts that this process has not read, as after a crash."""
        unknown = [
            item.key
            for item in items
            if item.change != Change.CREATE
            and self.reader.memory.recall(item.key) is None
            and not self._identified(item.key)
        ]
        if unknown:
            await self.reader.read(pl.DataFrame(unknown), [], self.get)

    def _identified(self, key: Mapping[str, Any]) -> tuple[str, int] | None:
        """Type and id where the key itself says both."""
        return (key["type"], key["id"]) if key.get("id") is not None and key.get("type") else None

    async def _request(self, item: Item) -> Request:
        number: int | None = None
        if item.change in (Change.CREATE, Change.SEND):
            kind = self._type(item.key.get("type") or item.after.get("type"))
            if not self.creates:
                reason = "WordPress gives new posts their ids itself."
                raise Unsendable(item, "create", reason, "Key the rows by slug to create posts.")
        else:
            known = self.reader.memory.recall(item.key) or self._identified(item.key)
            if known is None:
                raise Unsendable(item, "missing", "The site doesn't show the post.", self.advice)
            kind, number = self._type(known[0]), known[1]
        await self._learn_terms(item, kind)
        return request_for(item, kind, number, self.reader.book)

    def _type(self, slug: str | None) -> PostType:
        types = self.site.types
        return types[slug] if slug is not None and slug in types else next(iter(types.values()))

    async def _learn_terms(self, item: Item, kind: PostType) -> None:
        """Read the terms of what a row names; make those that the site lacks, where that is wanted."""
        for name, value in item.after.items():
            if not value or name not in self.site.taxonomies or name not in kind.places:
                continue
            if self.create_terms:
                # One row at a time: two that name the same new term would each make it.
                async with self._making:
                    terms = await self.reader.terms(name, self.get)
                    for missing in terms.missing(value):
                        await self._make_term(terms, missing)
            await self.reader.terms(name, self.get)  # read again where somebody else made one just now

    async def _make_term(self, terms: Terms, name: str) -> None:
        url = self.site.url(self.site.taxonomies[terms.base])
        try:
            answer = await self.exchange("POST", url, {"name": name}, repeatable=True)
            made = judged(answer)
            if made is None:
                terms.add([value_of(answer)])
            elif made.rule == "term_exists":
                terms.known = False
            else:
                raise HttpError(made)
        except HttpError as error:
            # Of the item itself nothing was sent yet, and a term is made once only.
            raise HttpError(of_read(error.failure)) from None

    async def _send_one(self, request: Request) -> Result | None:
        repeatable = self.repeatable([request.item])
        url = self.site.url(request.route, **request.query)
        answer = await self.exchange(
            request.method, url, request.body, repeatable=repeatable, limit=READ_LIMIT
        )
        return await self._outcome(request, answer)

    async def _send_batch(self, requests: Sequence[Request]) -> list[Result]:
        repeatable = self.repeatable([one.item for one in requests])
        body = envelope(requests)
        answer = await self.exchange(
            "POST", self.site.url(BATCH), body, repeatable=repeatable, limit=READ_LIMIT
        )
        answers = opened(answer, len(requests))
        return await self._gathered(
            [(one, self._outcome(one, inner)) for one, inner in zip(requests, answers, strict=True)]
        )

    async def _gathered(self, sent: Sequence[tuple[Request, Any]]) -> list[Result]:
        """The outcomes of several items; where all failed alike, the failure itself."""
        results: list[Result] = []
        failures: list[Failure] = []
        for request, outcome in sent:
            try:
                result = await outcome
            except HttpError as error:
                failures.append(error.failure)
                result = _failed(request.item, error.failure)
            if result is not None:
                results.append(result)
        uniform = len(failures) == len(sent) and len({one.rule for one in failures}) == 1
        if uniform and failures[0].fate is not Fate.REJECT:
            raise HttpError(failures[0])
        return results

    async def _outcome(self, request: Request, answer: Answer) -> Result | None:
        """What an answer means for an item.

        Raises:
            HttpError: It is a failure.
        """
        failure = judged(answer)
        if failure is None:
            return self._reply(request, value_of(answer)).outcome()
        if failure.rule == "rest_already_trashed" and request.item.change == Change.DELETE:
            return None
        if failure.rule == NOT_ALLOWED:
            self._alone.add(request.type.slug)
            return Result(request.item.index, Outcome.PENDING)
        if failure.rule == "rest_cannot_update" and request.id is not None:
            post = await self.get(request.route, context="edit", **request.query)
            return self._reply(request, post).refused_in_part(failure)
        raise HttpError(failure)

    def _reply(self, request: Request, post: Any) -> Reply:
        if reason := lacking(request, post):
            # An answer of success that isn't one to what was sent: nobody knows what was done.
            advice = MADE if request.id is None else CACHE
            raise HttpError(Failure(Fate.UNKNOWN, "another answer", reason, advice))
        return Reply(request, post, self.reader.book)


def _failed(item: Item, failure: Failure) -> Result:
    """The outcome of one item among others; what isn't refused for good is for the engine to decide."""
    if failure.fate is not Fate.REJECT:
        return Result(item.index, Outcome.PENDING, failure=failure)
    return reject(item.index, failure.rule, failure.reason, failure.advice)


def _end(results: Sequence[Result]) -> Failure | None:
    """What says that no further item will pass."""
    failures = (each.failure for each in results)
    return next((each for each in failures if each is not None and each.fate is Fate.ABORT), None)
