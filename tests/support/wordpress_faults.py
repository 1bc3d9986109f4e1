"""Accidents between a target and a real WordPress: what networks, firewalls and gateways do to requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from batchkit.targets.http.transport import Transport
from batchkit.targets.wordpress.target import WordPressTarget
from tests.support.wordpress_jobs import target
from tests.support.wordpress_site import WordPressSite

Before = Callable[[httpx.Request, int], httpx.Response | Exception | None]
After = Callable[[httpx.Request, int, httpx.Response], httpx.Response | Exception | None]

Instead = Callable[[], httpx.Response | None]


class Meddler(httpx.AsyncBaseTransport):
    """Sends to the real site, and meddles with the requests that write.

    Args:
        before: Asked before each write with its number from 1; what it gives is the answer, or is raised, and
            the request never arrives.
        after: The same once the site has answered; None lets its answer pass.
        instead: Asked before each request of whatever kind: what a gateway answers in the site's place.

    Attributes:
        writes: Requests that write, as `METHOD path`.
    """

    def __init__(
        self, before: Before | None = None, after: After | None = None, instead: Instead | None = None
    ) -> None:
        self._before = before
        self._instead = instead
        self._after = after
        self._inner: dict[int, Transport] = {}
        self.writes: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, if it is let through."""
        if self._instead is not None and (spoken := self._instead()) is not None:
            return _given(spoken, request)
        writes = request.method not in ("GET", "OPTIONS")
        number = len(self.writes) + 1
        if writes:
            self.writes.append(f"{request.method} {request.url.path}")
            if self._before is not None and (told := self._before(request, number)) is not None:
                return _given(told, request)
        loop = id(asyncio.get_running_loop())
        response = await self._inner.setdefault(loop, Transport(None)).handle_async_request(request)
        if writes and self._after is not None:
            body = await response.aread()
            await response.aclose()
            whole = httpx.Response(response.status_code, headers=response.headers, content=body)
            told = self._after(request, number, whole)
            return whole if told is None else _given(told, request)
        return response

    async def aclose(self) -> None:
        """Close what belongs to the loop that runs."""
        inner = self._inner.pop(id(asyncio.get_running_loop()), None)
        if inner is not None:
            await inner.aclose()


def meddled(
    site: WordPressSite,
    *,
    before: Before | None = None,
    after: After | None = None,
    instead: Instead | None = None,
    user: str = "admin",
    **options: Any,
) -> WordPressTarget:
    """A connected target whose requests somebody meddles with."""
    made = target(site, user, transport=Meddler(before, after, instead), **options)
    made.connect()
    return made


def _given(told: httpx.Response | Exception, request: httpx.Request) -> httpx.Response:
    if isinstance(told, Exception):
        raise told
    told.request = request
    return told
