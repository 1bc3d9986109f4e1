"""The endpoints of the Cloud API: `/vNN.N/{number}/messages`, the number, and the account's templates."""

from __future__ import annotations

import base64
import secrets
import sqlite3
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..items import object_in
from ..rules import Rules
from ..state import State
from . import messages
from .errors import GraphError
from .templates import TEMPLATES

ACCOUNT: Final = "102290129340398"
"""Number of the business account; every other number is a phone number of it."""
_NODE: Final = "WhatsAppBusinessPhoneNumber"
_EXPIRED: Final = "expired"
"""The token that stands for one that has run out."""
WINDOW: Final = 24 * 3600
"""Seconds in which what a customer wrote may be answered without a template."""


class Inbox:
    """The last message of each customer, and the last one sent to each.

    Args:
        db: The file they are kept in.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        db.executescript(
            "CREATE TABLE IF NOT EXISTS whatsapp_inbox (number TEXT PRIMARY KEY, at REAL NOT NULL);"
            "CREATE TABLE IF NOT EXISTS whatsapp_sent (number TEXT PRIMARY KEY, at REAL NOT NULL);"
        )

    def wrote(self, number: str) -> None:
        """Note that this customer wrote just now."""
        self._note("whatsapp_inbox", digits(number))

    def sent(self, number: str) -> None:
        """Note that this customer was written to just now."""
        self._note("whatsapp_sent", number)

    def is_open(self, number: str) -> bool:
        """Whether this customer wrote within the window."""
        return time.time() - self._last("whatsapp_inbox", number) < WINDOW

    def since_sent(self, number: str) -> float:
        """Seconds since this customer was written to."""
        return time.time() - self._last("whatsapp_sent", number)

    def _note(self, table: str, number: str) -> None:
        self._db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (number, time.time()))

    def _last(self, table: str, number: str) -> float:
        row = self._db.execute(f"SELECT at FROM {table} WHERE number = ?", (number,)).fetchone()
        return 0.0 if row is None else float(row[0])


def digits(number: str) -> str:
    """A number as WhatsApp keeps it: digits alone."""
    return "".join(c for c in number if c.isdigit())


class WhatsApp:
    """The endpoints.

    Args:
        state: Where messages are kept, beside those of the other APIs.
        inbox: Who wrote, and who was written to.
        rules: Who may send, and to whom.
    """

    def __init__(self, state: State, inbox: Inbox, rules: Rules) -> None:
        self._state = state
        self._inbox = inbox
        self._rules = rules

    def routes(self) -> list[Route]:
        """Its endpoints."""
        # The version has a dot, which `/v1/...` of the chat API has not.
        top = "/v{major:int}.{minor:int}/{number}"
        return [
            Route(f"{top}/messages", self._send, methods=["POST"]),
            Route(f"{top}/message_templates", self._templates, methods=["GET"]),
            Route(f"{top}/phone_numbers", self._numbers, methods=["GET"]),
            Route(top, self._number, methods=["GET"]),
        ]

    def _let_in(self, request: Request) -> None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not token:
            raise GraphError(190, message="An access token is required to request this resource.")
        if token == _EXPIRED:
            message = (
                "Error validating access token: Session has expired on Thursday, 01-Jan-26 00:00:00 PST."
            )
            raise GraphError(190, message=message, subcode=463)
        if self._rules.token is not None and token != self._rules.token:
            raise GraphError(190, message="Invalid OAuth access token - Cannot parse access token")
        number = request.path_params["number"]
        if not number.isdigit():
            raise _unknown(number, request.method)

    async def _send(self, request: Request) -> Response:
        self._let_in(request)
        if request.path_params["number"] == ACCOUNT:
            raise _unknown(ACCOUNT, "POST")
        body = await object_in(request)
        if body is None:
            raise GraphError(100, message="(#100) The parameter messaging_product is required.")
        messages.check(body)
        to = digits(str(body["to"]))
        self._check_recipient(to, str(body.get("type", "text")))
        wamid = f"wamid.{base64.b64encode(f'{to}:'.encode() + secrets.token_bytes(18)).decode()}"
        sender = request.path_params["number"]
        self._state.add_message({**body, "to": to, "from": sender, "id": wamid})
        self._inbox.sent(to)
        return JSONResponse(
            {
                "messaging_product": "whatsapp",
                "contacts": [{"input": str(body["to"]), "wa_id": to}],
                "messages": [{"id": wamid, "message_status": "accepted"}],
            }
        )

    def _check_recipient(self, to: str, kind: str) -> None:
        if not 7 <= len(to) <= 15:
            raise GraphError(131009, "Recipient phone number is not valid.")
        # Real servers tell these two by webhook at times, after a 200; here they are told at once.
        if self._rules.whatsapp_undeliverable and to.endswith(self._rules.whatsapp_undeliverable):
            raise GraphError(131026)
        if kind != "template" and self._rules.whatsapp_window == "closed" and not self._inbox.is_open(to):
            raise GraphError(131047)
        if self._inbox.since_sent(to) < self._rules.whatsapp_pair_rate:
            raise GraphError(131056)

    async def _templates(self, request: Request) -> Response:
        self._let_in(request)
        number = request.path_params["number"]
        if number != ACCOUNT:
            message = f"(#100) Tried accessing nonexisting field (message_templates) on node type ({_NODE})"
            raise GraphError(100, message=message)
        asked = request.query_params
        found = [
            template
            for template in TEMPLATES
            if asked.get("name", "") in template["name"]
            and all(
                asked.get(key, template[key]) == template[key] for key in ("status", "language", "category")
            )
        ]
        start, size = int(asked.get("after", "0") or 0), min(int(asked.get("limit", "25")), 250)
        page = found[start : start + size]
        if fields := _fields(request):
            page = [{name: each[name] for name in (*fields, "id") if name in each} for each in page]
        paging: dict[str, Any] = {"cursors": {"before": str(start), "after": str(start + size)}}
        if start + size < len(found):
            paging["next"] = str(request.url.include_query_params(after=start + size))
        return JSONResponse({"data": page, **({"paging": paging} if page else {})})

    async def _numbers(self, request: Request) -> Response:
        self._let_in(request)
        if request.path_params["number"] != ACCOUNT:
            raise GraphError(100, message="(#100) Tried accessing nonexisting field (phone_numbers)")
        return JSONResponse({"data": [_number("106540352242922")]})

    async def _number(self, request: Request) -> Response:
        self._let_in(request)
        number = request.path_params["number"]
        fields = _fields(request)
        if number == ACCOUNT:
            whole: dict[str, Any] = {"name": "Atelier du Bois Clair", "currency": "EUR", "id": ACCOUNT}
            return JSONResponse({name: whole[name] for name in (*(fields or whole), "id") if name in whole})
        more: dict[str, Any] = {
            "status": "CONNECTED",
            "name_status": "APPROVED",
            "messaging_limit_tier": "TIER_10K",
            "whatsapp_business_account": {"id": ACCOUNT, "name": "Atelier du Bois Clair"},
            "health_status": {
                "can_send_message": "AVAILABLE",
                "entities": [
                    {"entity_type": "PHONE_NUMBER", "id": number, "can_send_message": "AVAILABLE"},
                    {"entity_type": "WABA", "id": ACCOUNT, "can_send_message": "AVAILABLE"},
                ],
            },
        }
        whole = {**_number(number), **(more if fields else {})}
        for name in fields:
            if name not in whole:
                message = f"(#100) Tried accessing nonexisting field ({name}) on node type ({_NODE})"
                raise GraphError(100, message=message)
        return JSONResponse({name: whole[name] for name in (*fields, "id")} if fields else whole)


def _fields(request: Request) -> list[str]:
    return [name for name in request.query_params.get("fields", "").split(",") if name]


def _number(number: str) -> dict[str, Any]:
    return {
        "verified_name": "Atelier du Bois Clair",
        "code_verification_status": "VERIFIED",
        "display_phone_number": "+33 4 00 00 00 00",
        "quality_rating": "GREEN",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
        "id": number,
    }


def _unknown(number: str, method: str) -> GraphError:
    message = (
        f"Unsupported {method.lower()} request. Object with ID '{number}' does not exist, cannot be loaded "
        "due to missing permissions, or does not support this operation"
    )
    return GraphError(100, message=message, subcode=33)
