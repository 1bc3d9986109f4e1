"""All the APIs as one app, behind the wire that knows of faults and keeps the record."""

from __future__ import annotations

from starlette.applications import Starlette

from ..chat import Chat
from ..items import Api
from ..rules import Rules
from ..state import State
from ..whatsapp.api import WhatsApp
from ..whatsapp.inbox import Inbox
from ..wordpress.routes import WordPress
from .control import Control
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
    return Wire(Starlette(routes=routes), state.record, orders, most_at_once)
