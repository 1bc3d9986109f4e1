"""The transport of HTTP targets: httpx's interface over aiohttp, addresses sent as they were written."""

from __future__ import annotations

from typing import Any, Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import AiohttpResponseStream
from multidict import CIMultiDict
from yarl import URL

from ...core import secrets
from .logins import basic

MOST_CONNECTIONS: Final = 256
"""Connections in all. Each worker has one call under way, so the number of workers is the real limit."""

KEEP_ALIVE: Final = 4.0
"""Seconds an idle connection is kept; many servers close theirs after five."""

LONGEST_HEADER: Final = 64 * 1024
"""Bytes of a header: some sites send policies and links beyond aiohttp's 8 KiB, on every answer."""


class Transport(AiohttpTransport):
    """httpx-aiohttp's transport, with three things mended.

    Its own would rewrite addresses (`%2C` inside a key became a comma between two), call a connection that
    broke off a connect timeout, and keep cookies. Errors come as aiohttp's own, which tell more.

    Args:
        proxy: Address of a proxy; None for none.
        keeps: Connections are kept for the next request; else each request has one of its own.
    """

    def __init__(self, proxy: str | None = None, *, keeps: bool = True) -> None:
        self._keeps = keeps
        # SSL_CERT_FILE and SSL_CERT_DIR name other authorities; without an authority nothing is trusted.
        super().__init__(proxy=httpx.Proxy(proxy) if proxy else None, client=self._session)
        self._proxy: dict[str, Any] = {}
        self._proxy_login: dict[str, str] = {}
        if self.proxy is not None:
            self._proxy["proxy"] = str(self.proxy.url)
            if self.proxy.auth:
                secrets.register(self.proxy.auth[1])
                self._proxy_login["Proxy-Authorization"] = basic(*self.proxy.auth)
        self._timeouts: dict[tuple[Any, ...], aiohttp.ClientTimeout] = {}

    def _session(self) -> aiohttp.ClientSession:
        keep: dict[str, Any] = {"keepalive_timeout": KEEP_ALIVE} if self._keeps else {"force_close": True}
        connector = aiohttp.TCPConnector(limit=MOST_CONNECTIONS, ssl=self.ssl_context, **keep)
        # A cookie that one item's answer sets must not change what the next item's request means.
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            aiohttp.ClientError: As aiohttp knows it.
        """
        session = self.client
        if not isinstance(session, aiohttp.ClientSession):
            # Not before the first request: a session belongs to the loop that it is made on.
            session = self.client = self._session()
        pairs = request.headers.raw
        headers = CIMultiDict((name.decode("ascii"), value.decode("latin-1")) for name, value in pairs)
        proxy = self._proxy
        if self._proxy_login:
            # The tunnel's request is for the proxy alone, and so is this header of a request in the clear.
            if request.url.scheme == "https":
                proxy = {**proxy, "proxy_headers": self._proxy_login}
            else:
                headers.update(self._proxy_login)
        response = await session.request(
            request.method,
            URL(str(request.url), encoded=True),
            headers=headers,
            data=request.content or None,
            allow_redirects=False,
            auto_decompress=False,
            timeout=self._timeout(request.extensions.get("timeout", {})),
            **proxy,
        )
        stream = AiohttpResponseStream(response)
        return httpx.Response(response.status, headers=response.raw_headers, stream=stream, request=request)

    def _timeout(self, wanted: dict[str, float | None]) -> aiohttp.ClientTimeout:
        key = (wanted.get("pool"), wanted.get("connect"), wanted.get("read"))
        if key not in self._timeouts:
            self._timeouts[key] = aiohttp.ClientTimeout(connect=key[0], sock_connect=key[1], sock_read=key[2])
        return self._timeouts[key]
