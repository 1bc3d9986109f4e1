"""What is told to the practice server itself: orders, and what arrived."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...core.errors import UsageError
from ..items import object_in, refused
from ..state import State
from ..whatsapp.inbox import Inbox
from .faults import Orders


class Control:
    """`/_sandbox`: neither faults nor the record know of it.

    Args:
        state: What is counted.
        orders: The faults in force.
        inbox: Who wrote to the WhatsApp number.
    """

    def __init__(self, state: State, orders: Orders, inbox: Inbox) -> None:
        self._state = state
        self._orders = orders
        self._inbox = inbox

    def routes(self) -> list[Route]:
        """Its endpoints."""
        return [
            Route("/_sandbox", self._orders_and_counts, methods=["GET", "PUT"]),
            Route("/_sandbox/requests", self._requests, methods=["GET"]),
        ]

    async def _orders_and_counts(self, request: Request) -> Response:
        if request.method == "PUT":
            body = await object_in(request) or {}
            try:
                if "faults" in body or "latency" in body:
                    self._orders.set(body.get("faults", []), body.get("latency", "0"))
            except UsageError as error:
                return refused(422, "order", str(error))
            for number in body.get("wrote", []):
                self._inbox.wrote(str(number))
        return JSONResponse(self._state.counts())

    async def _requests(self, _: Request) -> Response:
        return JSONResponse({"requests": self._state.record.requests()})
