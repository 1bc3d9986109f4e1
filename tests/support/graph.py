"""Meta's Graph API as tests put it in the network's place: a number, templates, and messages taken."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from batchkit.sources.tables import open_table
from batchkit.targets.whatsapp.target import WhatsAppTarget

PHONE, ACCOUNT = "1060001", "2090001"

REMINDER: Mapping[str, Any] = {
    "name": "rappel",
    "status": "APPROVED",
    "category": "UTILITY",
    "language": "fr",
    "components": [
        {"type": "HEADER", "format": "TEXT", "text": "Rappel pour {{1}}"},
        {"type": "BODY", "text": "Bonjour {{1}}, votre rendez-vous est le {{2}}."},
        {"type": "FOOTER", "text": "Répondez STOP pour ne plus recevoir de messages."},
        {
            "type": "BUTTONS",
            "buttons": [
                {"type": "QUICK_REPLY", "text": "STOP"},
                {"type": "URL", "text": "Voir", "url": "https://exemple.fr/rdv/{{1}}"},
            ],
        },
    ],
}
INVITATION: Mapping[str, Any] = {
    "name": "invitation",
    "status": "APPROVED",
    "category": "MARKETING",
    "language": "fr",
    "parameter_format": "NAMED",
    "components": [
        {"type": "HEADER", "format": "DOCUMENT"},
        {"type": "BODY", "text": "Bonjour {{prenom}}, rendez-vous à {{ville}}, {{prenom}} !"},
    ],
}
HELLO: Mapping[str, Any] = {
    "name": "bonjour",
    "status": "APPROVED",
    "category": "UTILITY",
    "language": "fr",
    "components": [{"type": "BODY", "text": "Bonjour {{1}} !"}],
}


class Graph:
    """The API; what arrives is on record.

    Args:
        templates: The account's templates.
        refuse: Called with each message's body; an answer of its own comes instead of the usual one.

    Attributes:
        messages: Bodies of the messages that were taken.
        asked: Method and path of each request.
        logins: `Authorization` of each request.
    """

    def __init__(
        self,
        *templates: Mapping[str, Any],
        refuse: Callable[[dict[str, Any]], httpx.Response | None] | None = None,
    ) -> None:
        self.templates = list(templates)
        self.refuse = refuse
        self.phone: httpx.Response | None = None
        self.discoverable = True
        self.messages: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.logins: list[str | None] = []

    def target(self, **options: Any) -> WhatsAppTarget:
        """The target that talks to it."""
        target = WhatsAppTarget(f"whatsapp:{PHONE}", transport=httpx.MockTransport(self._answer), **options)
        target.open_table = open_table
        return target

    def numbers(self) -> list[str]:
        """Who was messaged, in order."""
        return [message["to"] for message in self.messages]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(f"{request.method} {path}")
        self.logins.append(request.headers.get("authorization"))
        if path.endswith("/message_templates"):
            return self._list(request)
        if path.endswith("/messages"):
            return self._message(json.loads(request.content))
        if self.phone is not None:
            return self.phone
        entities = [{"entity_type": "WABA", "id": ACCOUNT, "can_send_message": "AVAILABLE"}]
        health = {"can_send_message": "AVAILABLE", "entities": entities if self.discoverable else []}
        return httpx.Response(
            200,
            json={
                "id": PHONE,
                "display_phone_number": "+33 1 00 00 00 00",
                "verified_name": "Clinique",
                "quality_rating": "GREEN",
                "health_status": health,
            },
        )

    def _list(self, request: httpx.Request) -> httpx.Response:
        # One a page, as an account with many would have it.
        place = int(request.url.params.get("after", "0"))
        paging = {"cursors": {"after": str(place + 1)}, "next": "https://other.example/?access_token=x"}
        page: dict[str, Any] = {"data": self.templates[place : place + 1]}
        if place + 1 < len(self.templates):
            page["paging"] = paging
        return httpx.Response(200, json=page)

    def _message(self, body: dict[str, Any]) -> httpx.Response:
        refused = self.refuse(body) if self.refuse else None
        if refused is not None:
            return refused
        self.messages.append(body)
        return taken(f"wamid.{len(self.messages)}", body["to"])


def taken(message: str, to: str, **more: Any) -> httpx.Response:
    """The answer to a message that was taken."""
    return httpx.Response(
        200,
        json={
            "messaging_product": "whatsapp",
            "contacts": [{"input": to, "wa_id": to.lstrip("+")}],
            "messages": [{"id": message, **more}],
        },
    )


def refused(code: int | str, status: int = 400, details: str = "", **more: Any) -> httpx.Response:
    """The API's own answer to a message that it doesn't take."""
    error: dict[str, Any] = {
        "message": f"(#{code}) Some title",
        "type": "OAuthException",
        "code": code,
        **more,
    }
    if details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details}
    return httpx.Response(status, json={"error": {**error, "fbtrace_id": "Abc"}})
