"""A WordPress site as a target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import polars as pl

from ...core.columns import FieldType
from ...core.errors import UsageError
from ...core.problem import Problem
from ...core.retry import Backoff
from ...core.states import Change
from ..base import Failure, Fate, Finding, Item, Refusal, Result
from ..http.answer import Answer
from ..http.client import HttpClient
from ..http.failures import HttpError, of_read
from ..http.many import Memory
from ..http.requests import Value, with_patience
from ..http.target import READ_LIMIT, HttpTarget
from .canonical import Canon
from .checkup import edits_all, findings, site_notices
from .failures import judged, value_of
from .options import Options, with_secret
from .reader import MOST_IDS, Get, Post, Reader
from .sender import Sender
from .site import Site, discover
from .terms import Terms

CALLS_A_CHUNK: Final = 5
"""As many as the preset has workers."""
_KEYS: Final = ("id", "slug", "url")
_FIRST_LOOKS: Final = Backoff(base=0.1, cap=1.0, retries=2)


class WordPressTarget(HttpTarget[Options]):
    """A WordPress site.

    Its address is `wordpress+https://user@host[/path]`; without a password, that is the secret `wp_password`.
    Its key is `id`, `slug` or `url`, and `type` where rows say theirs. Posts are created by slug alone, for
    WordPress gives ids itself.
    """

    model = Options
    readable = True
    reversible = True
    default_key = ("id",)
    joins_key = ("type",)
    usual: ClassVar = {"chunk_size": 20, "workers": 5, "delay": 0.2, "retries": 2}

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._base = with_secret(self._base)
        if self.keys and (set(self.keys) - {*_KEYS, "type"} or len({*self.keys} & {*_KEYS}) != 1):
            advice = "Take id, slug or url; and type besides."
            raise UsageError(f"WordPress has no key {', '.join(self.keys)}.", advice=advice)
        self.creatable = not self.keys or "slug" in self.keys
        self.idempotent = self._mode == "update" or not self.creatable
        self.readable = self._mode != "append"
        self.call_size = self._says.call_size or (1 if self._says.batch == "no" else 25)
        self._memory: Memory[Post] = Memory(MOST_IDS)
        self._new_terms: dict[str, set[str]] = {}
        self._sender: Sender | None = None

    # Facts

    @property
    def _connected(self) -> Sender:
        if self._sender is None:
            raise UsageError("The site isn't connected yet.", advice="Call connect() first.")
        return self._sender

    @property
    def site(self) -> Site:
        """What is known of the site since `connect`."""
        return self._connected.site

    @property
    def result_columns(self) -> Mapping[str, str]:
        """Of posts that were created, their ids and addresses."""
        return {"post_id": "id", "post_link": "link"} if self._creates else {}

    @property
    def preset(self) -> Mapping[str, Any]:
        """Chunks that keep five calls of batch/v1 under way; one by one, what WordPress's preset says."""
        return {"chunk_size": CALLS_A_CHUNK * self.call_size} if self.call_size > 1 else {}

    @property
    def _creates(self) -> bool:
        return self.creatable and self._mode != "update"

    @property
    def missing_advice(self) -> str:  # type: ignore[override]  # it depends on the login
        """The reasons why a post doesn't come back; the site doesn't tell which it is."""
        return _missing_advice(self._sender.site if self._sender else None)

    def fields(self) -> dict[str, FieldType]:
        """The fields of all types of the job; `id`, `url` and `type` are keys alone."""
        own = {"id": "integer", "url": "text"}
        found = {
            name: FieldType(kind, nullable=False, key=True, generated=name not in self.keys)
            for name, kind in own.items()
        }
        found["type"] = FieldType("text", nullable=False, has_default=True, key=True)
        for each in self.site.types.values():
            for name, place in each.places.items():
                found.setdefault(name, place.type)
        if "slug" in self.keys:
            found["slug"] = replace(found["slug"], key=True, has_default=False)
        return found

    def probe(self) -> str | None:
        """The site's name, once it is known where that is: a site under maintenance tells nobody."""
        return self.site.url("", _fields="name") if self._sender else None

    def judged_probe(self, answer: Answer) -> Failure | None:  # noqa: D102 - the base class says it
        return judged(answer)

    def connect(self) -> None:
        """Find the REST API, check the login, learn what the site has.

        Raises:
            TargetError: There is no WordPress, or it doesn't take the login.
            TargetUnreachable: Nobody answers.
        """
        if "authorization" not in {name.lower() for name in self.resolved_headers()}:
            advice = "Write wordpress+https://USER@HOST; the password is the secret wp_password."
            raise UsageError(f"{self.address} names no user.", advice=advice)
        self._planning(self._discover)

    async def _discover(self, client: HttpClient) -> None:
        async def ask(method: str, url: str) -> Answer:
            async def once() -> Answer:
                answer = await self.exchange(method, url, client=client, limit=READ_LIMIT)
                failure = judged(answer)
                if failure is not None and failure.fate in (Fate.RETRY, Fate.UNKNOWN):
                    raise HttpError(failure)
                return answer

            got: Answer = await with_patience(once, _FIRST_LOOKS)
            return got

        self._take(await discover(ask, self.base, types=self._says.types, seo=self._says.seo))

    def _take(self, site: Site) -> None:
        limit = site.batch if self._says.batch != "no" else 0
        if self._says.batch == "yes" and not limit:
            raise HttpError(
                Failure(Fate.ABORT, "batch", "The site doesn't offer batch/v1", "Leave out batch, or say no.")
            )
        self._new_terms.clear()
        self.call_size = min(self._says.call_size or limit, limit) or 1
        self._sender = Sender(
            site=site,
            reader=Reader(site, {}, self._memory),
            exchange=self.exchange,
            get=self._getter(None, patient=False),
            repeatable=self.repeatable,
            batch=limit,
            narrow=self._narrow,
            creates=self._creates,
            create_terms=self._says.create_terms,
            advice=_missing_advice(site),
        )

    def _narrow(self, size: int) -> None:
        self.call_size = max(1, min(self.call_size or 1, size))

    async def begin(self) -> None:
        """Open the run's client."""
        await super().begin()
        if self._sender is None and self._client is not None:
            await self._discover(self._client)

    # Planning

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:  # noqa: D102 - the base class says it
        async def work(client: HttpClient) -> pl.DataFrame:
            return await self._connected.reader.read(keys, fields, self._getter(client, patient=True))

        return self._planning(work)

    async def read_now(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """`read` with the run's own client; what fails is for the engine to judge."""
        return await self._connected.reader.read(keys, fields, self._getter(None, patient=False), again=True)

    def canonical(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Refusal]]:
        """Types by their names, slugs and addresses in one spelling, terms as the site calls them."""
        canon = Canon(self.site, self.base, create_terms=self._says.create_terms, new_terms=self._new_terms)
        for name in canon.taxonomies(frame):

            async def learn(client: HttpClient, name: str = name) -> Terms:
                return await self._connected.reader.terms(name, self._getter(client, patient=True))

            self._planning(learn)
        return canon.apply(frame, self._connected.reader.book)

    def notices(self) -> list[Problem]:
        """What the whole plan should know of the site."""
        closed = self._connected.reader.closed
        return site_notices(self.site, closed, creates=self._creates, new_terms=self._new_terms)

    def checkup(self) -> Iterator[Finding]:
        """What works and what doesn't, with this login at this site."""
        yield from findings(self._sender.site if self._sender else None, self._says)

    def _planning(self, work: Callable[[HttpClient], Awaitable[Value]]) -> Value:
        async def with_client() -> Value:
            async with self.planning_client() as client:
                return await work(client)

        return self.patiently(with_client())

    def _getter(self, client: HttpClient | None, *, patient: bool) -> Get:
        async def get(route: str, **query: Any) -> Any:
            url = self.site.url(route, **query)

            async def once() -> Any:
                answer = await self.exchange("GET", url, client=client, limit=READ_LIMIT)
                try:
                    return value_of(answer)
                except HttpError as error:
                    raise HttpError(of_read(error.failure)) from None

            return await with_patience(once) if patient else await once()

        return get

    # Writing

    def repeatable(self, items: Sequence[Item]) -> bool:
        """Whether sending these items twice has the effect of sending them once: only a create hasn't."""
        return all(item.change in (Change.UPDATE, Change.DELETE) for item in items)

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        """Send some items: one by one, or through batch/v1."""
        return await self._connected.send(items, dry_run=dry_run)


def _missing_advice(site: Site | None) -> str:
    name = f"the login {site.user.words}" if site and site.user else "this login"
    types = " or ".join(each.name for each in site.types.values()) if site else "the types"
    gone = f"it is not there (deleted, in the trash, none of {types})"
    if site and site.user and edits_all(site.user, site):
        return (
            f"Either {gone}, or {name} may not edit it, which is unlikely, for it may edit all {types}: "
            "correct the key, or drop the row."
        )
    return (
        f"Either {gone}, or {name} may not edit it, so that the site leaves it out: look at it there, "
        "or use an editor's login."
    )
