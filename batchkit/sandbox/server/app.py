"""All the APIs as one app, behind the wire that knows of faults and keeps the record; and its own orders."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ...core.errors import UsageError
from ..chat import Chat
from ..items import Api, object_in, refused
from ..rules import Rules
from ..state import State
from ..whatsapp.api import Inbox, WhatsApp
from ..whatsapp.errors import GraphError
from ..wordpress.site import WordPress
from .faults import Orders
from .wire import Wire


def app(state: State, orders: Orders, rules: Rules, most_at_once: int | None = None) -> Wire:
    """The practice server's app.

    Args:
        state: What it keeps.
        orders: The faults in force.
        rules: What it is set to.
        most_at_once: Requests taken at once; more are answered 429.
    """
    inbox = Inbox(state.db)
    routes = [
        # The REST API comes first: it is the one whose speed is measured.
        *Api(state, rules.token).routes(),
        *WordPress(state, rules).routes(),
        *WhatsApp(state, inbox, rules).routes(),
        *Chat(rules).routes(),
        *Control(state, orders, inbox).routes(),
    ]
    refusals = {GraphError: lambda _, error: error.answer()}
    return Wire(Starlette(routes=routes, exception_handlers=refusals), state.record, orders, most_at_once)


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
