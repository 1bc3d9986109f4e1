"""The client of an HTTP target: one per run and loop, over a transport that is quick and tells the truth.

httpx is the interface; requests go to its transport without passing through `httpx.AsyncClient`, whose
merging of headers, cookies and addresses costs as much as the rest of a call. What of that is needed is done
here: the proxy is chosen once, redirects are followed on the same host alone, no cookie is kept.
"""

from __future__ import annotations

import os
import urllib.request
from collections.abc import AsyncIterable, Mapping
from functools import lru_cache
from typing import BinaryIO, Final, cast

import httpx

from ... import __version__
from ...core.errors import UsageError
from ...core.secrets import redact
from .answer import Answer

USER_AGENT: Final = f"batchkit/{__version__}"
BODY_LIMIT: Final = 1024 * 1024
REDIRECTS: Final = 5
BEGINNING: Final = 64 * 1024
"""Bytes of a body that goes to a file by which it is told what it is."""

_PORTS: Final = {"http": 80, "https": 443}


class NotKept(Exception):
    """The file that takes a body refused a part of it; the cause says why."""


class HttpClient:
    """Sends requests to one host.

    Args:
        base: Address of the host; only its origin counts.
        headers: Headers of every request, secrets resolved.
        connect: Seconds to connect.
        read: Seconds of silence from the server; None leaves it to the run's own timeout.
        keeps: Connections are kept for the next request; else each request has one of its own.
        transport: Sends instead of the real one (`httpx.MockTransport` in tests).

    Raises:
        UsageError: The environment names a proxy that isn't one of HTTP, or authorities that can't be read.
    """

    def __init__(
        self,
        base: str,
        headers: Mapping[str, str],
        *,
        connect: float = 10.0,
        read: float | None = None,
        keeps: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._origin = origin(base)
        self._headers = httpx.Headers({"User-Agent": USER_AGENT, "Accept": "application/json", **headers})
        self._json_headers = httpx.Headers({"Content-Type": "application/json", **self._headers})
        # The pool's time is that of connecting too, as aiohttp counts it.
        timeout = {"connect": connect, "read": read, "write": read, "pool": connect}
        self._extensions = {"timeout": timeout}
        self._transport = transport or _transport(base, keeps=keeps)

    async def request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        limit: int = BODY_LIMIT,
        into: BinaryIO | None = None,
    ) -> Answer:
        """Send a request and take in its answer.

        A redirect is followed on the same host alone, and only where the method stays (307, 308, or a GET);
        any other is the answer.

        Args:
            method: GET, POST, ...
            url: The whole address.
            content: The body, JSON unless `headers` say otherwise.
            headers: More headers.
            limit: Bytes of the answer's body at most.
            into: Takes the body of an answer that says success; the answer then has its beginning alone.

        Raises:
            NotKept: `into` refused a part of the body.
            httpx.TransportError, aiohttp.ClientError: As `http_failures.judge` knows them.
        """
        merged = self._headers if content is None else self._json_headers
        if headers:
            merged = httpx.Headers(merged)
            merged.update(headers)
        for _ in range(REDIRECTS):
            request = httpx.Request(
                method, _parsed(url), headers=merged, content=content, extensions=self._extensions
            )
            response = await self._transport.handle_async_request(request)
            try:
                if into is None or response.is_success:
                    body, whole = await _body(response, limit, into)
                else:  # only a file may be large: what says why there is none is read as any answer is
                    body, whole = await _body(response, min(limit, BODY_LIMIT), None)
            finally:
                # Until then no other request gets its connection, not even where the body broke off.
                await response.aclose()
            answer = Answer(response.status_code, response.headers, body, whole, url)
            if not 300 <= answer.status < 400 or "location" not in answer.headers:
                return answer
            further = str(httpx.URL(url).join(answer.headers["location"]))
            keeps = answer.status in (307, 308) or method in ("GET", "HEAD")
            if not keeps or origin(further) != self._origin:
                return answer
            url = further
        return answer

    async def aclose(self) -> None:
        """Close all connections."""
        await self._transport.aclose()


async def _body(response: httpx.Response, limit: int, into: BinaryIO | None) -> tuple[bytes, bool]:
    """The body up to the limit, or its beginning where it goes to a file; and whether all of it came.

    A status that came is never lost again: a body that breaks off is an answer, and no error.
    """
    if into is not None and int(response.headers.get("content-length") or 0) > limit:
        return b"", False  # before the first byte of what would be thrown away
    kept, size, room = bytearray(), 0, limit if into is None else BEGINNING
    try:
        async for part in _parts(response):
            kept += part[: room - len(kept)]
            size += len(part)
            if into is not None:
                try:
                    into.write(part)
                except OSError as error:
                    raise NotKept from error
            if size > limit:
                return bytes(kept), False
    except Exception as error:
        known = isinstance(error, httpx.TransportError | httpx.DecodingError | OSError)
        if not known and not is_of_aiohttp(error):
            raise
        return bytes(kept), False
    return bytes(kept), True


def _parts(response: httpx.Response) -> AsyncIterable[bytes]:
    # The stream itself where nothing is to be unpacked: it costs half as much.
    stream = response.stream
    plain = isinstance(stream, httpx.AsyncByteStream) and "content-encoding" not in response.headers
    return cast(AsyncIterable[bytes], stream) if plain else response.aiter_bytes()


def is_of_aiohttp(error: BaseException) -> bool:
    """Whether the transport's library raised it; by name, for it is loaded only when something is sent."""
    return type(error).__module__.startswith("aiohttp")


@lru_cache(256)
def _parsed(url: str) -> httpx.URL:
    # Many items go to one address, and parsing it is the dearest part of building a request.
    return httpx.URL(url)


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address."""
    parts = httpx.URL(url)
    return parts.scheme, parts.host, parts.port or _PORTS.get(parts.scheme)


def _transport(base: str, *, keeps: bool) -> httpx.AsyncBaseTransport:
    from .transport import Transport

    try:
        return Transport(environment_proxy(base), keeps=keeps)
    except OSError as error:
        place = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        raise UsageError(
            f"The authorities in {place} can't be read: {error.strerror or error}.",
            advice="Correct SSL_CERT_FILE or SSL_CERT_DIR in the environment, or take them out of it.",
        ) from None


def environment_proxy(url: str) -> str | None:
    """The proxy that the environment (HTTPS_PROXY, NO_PROXY, ...) or the system names for an address.

    Raises:
        UsageError: It isn't one of HTTP.
    """
    parts = httpx.URL(url)
    if urllib.request.proxy_bypass(parts.host):
        return None
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy is None or "://" not in proxy:
        return proxy and f"http://{proxy}"
    if not proxy.lower().startswith(("http://", "https://")):
        raise UsageError(
            f"The environment names the proxy {redact(proxy)}, which isn't one of HTTP.",
            advice=f"Name another in {parts.scheme.upper()}_PROXY, or add {parts.host} to NO_PROXY.",
        )
    return proxy
