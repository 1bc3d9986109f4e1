"""The wire: faults done to requests and answers, below the API and unknown to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request

from ..state import Record
from .faults import Fault, Orders
from .shapes import Headers, page

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_HOUR: Final = "3600"
_WARNING: Final = (
    b"<br />\n<b>Warning</b>:  Undefined variable $x in <b>/srv/api.php</b> on line <b>7</b><br />\n"
)


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives an app a body that was read already, and what comes after it from where that came from."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


class Wire:
    """Stands before an app, puts every request on record, and does what was ordered.

    Args:
        app: The API.
        record: Where requests are put on record.
        orders: The faults and the latency.
        most_at_once: Requests that are taken at once; more are answered 429. None: any number.
    """

    def __init__(self, app: App, record: Record, orders: Orders, most_at_once: int | None = None) -> None:
        self._app = app
        self._record = record
        self._orders = orders
        self._most = most_at_once
        self._present = 0

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            body = await request.body()
        except ClientDisconnect:
            return  # who sent it is gone before all of it was here
        fault = self._orders.draw(scope["method"], scope["path"])
        if self._most is not None and self._present >= self._most:
            fault = Fault("429")
        kind = fault.kind if fault else None
        query = scope["query_string"].decode()
        path = f"{scope['path']}?{query}" if query else scope["path"]
        login = request.headers.get("authorization")
        # On record before anything is done about it: a request that is dropped has arrived all the same.
        number = self._record.arrived(scope["method"], path, login, kind, body)
        self._present += 1
        try:
            await asyncio.sleep(self._orders.wait())
            if fault is not None and not fault.is_after:
                await self._instead(fault, number, request, send)
            else:
                await self._answer(fault, number, request, body, send)
        finally:
            self._present -= 1

    async def _instead(self, fault: Fault, number: int, request: Request, send: Send) -> None:
        if fault.kind == "reset":
            _reset(request.receive)
            return
        if fault.kind == "hang":
            await _hang(fault, request.receive)
            return
        status, headers, body = page(fault, request.scope["path"])
        self._record.answered(number, status)
        await _say(send, status, headers, body)

    async def _answer(
        self, fault: Fault | None, number: int, request: Request, given: bytes, send: Send
    ) -> None:
        status, body = 0, b""
        headers: Headers = []

        # The app answers to its end before a byte goes out: a fault may need the whole answer, or none of it.
        async def keep(message: Message) -> None:
            nonlocal status, headers, body
            if message["type"] == "http.response.start":
                status, headers = message["status"], message["headers"]
            else:
                body += message.get("body", b"")

        await self._app(request.scope, _again(given, request.receive), keep)
        self._record.answered(number, status)
        if fault is None:
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await _spoil(fault, request.scope["path"], (status, headers, body), request.receive, send)


async def _spoil(
    fault: Fault, path: str, answer: tuple[int, Headers, bytes], receive: Receive, send: Send
) -> None:
    """Do to a finished answer what was ordered."""
    status, headers, body = answer
    match fault.kind:
        case "drop-after-write":
            _reset(receive)
        case "hang-after-write":
            await _hang(fault, receive)
        case "truncate":
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            await asyncio.sleep(0.05)  # until what was written has left: hanging up throws away the rest
            _hang_up(receive)
        case "warnings":
            await _say(send, status, _sizeless(headers), _WARNING + body)
        case "close":
            await _say(send, status, _sizeless(headers), body)
            _hang_up(receive)
        case _:
            await _say(send, *page(fault, path))


def _sizeless(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name != b"content-length"]


async def _say(send: Send, status: int, headers: Headers, body: bytes) -> None:
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
