"""The wire: faults done to requests and answers, below the API and unknown to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from .faults import Fault, Orders
from .state import State

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_HOUR: Final = "3600"
_PAGE: Final = b"<!doctype html><html><head><title>Just a moment...</title></head><body>Hello</body></html>"
_LOGIN: Final = (
    b"<!doctype html><html><head><title>Log In</title></head><body>"
    b'<form><input name="user"><input type="password" name="password"></form></body></html>'
)
_WARNING: Final = (
    b"<br />\n<b>Warning</b>:  Undefined variable $x in <b>/srv/api.php</b> on line <b>7</b><br />\n"
)


class Wire:
    """Stands before an app, puts every request on record, and does what was ordered.

    Args:
        app: The API.
        state: Where requests are put on record.
        orders: The faults and the latency.
        most_at_once: Requests that are taken at once; more are answered 429. None: any number.
    """

    def __init__(self, app: App, state: State, orders: Orders, most_at_once: int | None = None) -> None:
        self._app = app
        self._state = state
        self._orders = orders
        self._most = most_at_once
        self._present = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in scope["headers"]}
        fault = self._orders.draw(scope["method"], scope["path"])
        if self._most is not None and self._present >= self._most:
            fault = Fault("429")
        kind = fault.kind if fault else None
        query = scope["query_string"].decode()
        path = f"{scope['path']}?{query}" if query else scope["path"]
        number = self._state.arrived(scope["method"], path, headers.get("authorization"), kind)
        self._present += 1
        try:
            await asyncio.sleep(self._orders.wait())
            if fault is not None and not fault.is_after:
                await self._instead(fault, number, scope, receive, send)
            else:
                await self._answer(fault, number, scope, receive, send)
        finally:
            self._present -= 1

    async def _instead(
        self, fault: Fault, number: int, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        if fault.kind == "reset":
            _reset(receive)
            return
        if fault.kind == "hang":
            await _hang(fault, receive)
            return
        while (await receive()).get("more_body"):
            pass
        status, headers, body = _page(fault, scope["path"])
        self._state.answered(number, status)
        await _say(send, status, headers, body)

    async def _answer(
        self, fault: Fault | None, number: int, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> None:
        status, headers, body = 0, [], b""

        async def keep(message: Message) -> None:
            nonlocal status, headers, body
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
            else:
                body += message.get("body", b"")

        await self._app(scope, receive, keep)
        self._state.answered(number, status)
        if fault is None:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await self._spoil(fault, (status, body), receive, send)

    async def _spoil(self, fault: Fault, answer: tuple[int, bytes], receive: Receive, send: Send) -> None:
        """Do to a finished answer what was ordered."""
        status, body = answer
        kind = [(b"content-type", b"application/json")]
        match fault.kind:
            case "drop-after-write":
                _reset(receive)
            case "hang-after-write":
                await _hang(fault, receive)
            case "truncate":
                length = [(b"content-length", str(len(body)).encode())]
                await send({"type": "http.response.start", "status": status, "headers": kind + length})
                await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
                await asyncio.sleep(0.05)
                _hang_up(receive)
            case "warnings":
                await _say(send, status, kind, _WARNING + body)
            case "close":
                await _say(send, status, kind, body)
                _hang_up(receive)
            case _:
                await _say(send, *_page(fault, ""))


def _page(fault: Fault, path: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    html = [(b"content-type", b"text/html; charset=utf-8")]
    match fault.kind:
        case "html":
            return 200, html, _PAGE
        case "login":
            return 200, html, _LOGIN
        case "firewall":
            return 403, html, _PAGE
        case "redirect":
            to = fault.options.get("to", "")
            return 307, [(b"location", f"{to}{path}".encode())], b""
    status = int(fault.kind)
    headers = [(b"content-type", b"application/json")]
    if "retry-after" in fault.options:
        headers.append((b"retry-after", fault.options["retry-after"].encode()))
    return status, headers, json.dumps({"error": {"code": status, "message": "ordered fault"}}).encode()


async def _say(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def _hang(fault: Fault, receive: Receive) -> None:
    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(until_gone(), float(fault.options.get("seconds", _HOUR)))
    _hang_up(receive)


def _transport(receive: Receive) -> Any:
    # ASGI has no word for breaking a connection; uvicorn's `receive` belongs to what holds the transport.
    return receive.__self__.transport  # type: ignore[attr-defined]


def _hang_up(receive: Receive) -> None:
    _transport(receive).close()


def _reset(receive: Receive) -> None:
    transport = _transport(receive)
    plain = transport.get_extra_info("socket")
    if plain is not None:
        # No lingering: the client sees a reset instead of an end in good order.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
