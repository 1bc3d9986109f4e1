"""Errors of the Cloud API: codes, HTTP statuses and words as its documentation gives them.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from __future__ import annotations

import secrets
from typing import Any, Final, NamedTuple

from starlette.responses import JSONResponse, Response


class Known(NamedTuple):
    """An error: the HTTP status it comes with, and its title and details."""

    status: int
    title: str
    details: str = ""


CODES: Final = {
    4: Known(400, "Application request limit reached"),
    10: Known(403, "Application does not have permission for this action"),
    100: Known(400, "Invalid parameter"),
    190: Known(401, "Error validating access token: Session has expired."),
    368: Known(403, "Temporarily blocked for policies violations"),
    80007: Known(429, "Rate limit issues", "The account has reached its rate limit."),
    130429: Known(429, "Rate limit hit", "Message throughput has been reached. Try again later."),
    130497: Known(403, "Business account is restricted from messaging users in this country."),
    131000: Known(500, "Something went wrong", "Message failed to send because of an unknown error."),
    131008: Known(400, "Required parameter is missing"),
    131009: Known(400, "Parameter value is not valid"),
    131016: Known(503, "Service unavailable", "A service is temporarily unavailable."),
    131026: Known(400, "Message undeliverable", "Unable to deliver the message to this number."),
    131030: Known(400, "Recipient phone number not in allowed list"),
    131031: Known(403, "Business Account locked"),
    131042: Known(400, "Business eligibility payment issue"),
    131047: Known(
        400,
        "Re-engagement message",
        "Message failed to send because more than 24 hours have passed since the customer last replied.",
    ),
    131048: Known(400, "Spam rate limit hit"),
    131050: Known(400, "User has stopped marketing messages from this business"),
    131053: Known(400, "Media upload error"),
    131056: Known(
        400,
        "(Business Account, Consumer Account) pair rate limit hit",
        "Too many messages from this number to the same number in a short time.",
    ),
    132000: Known(400, "Number of parameters does not match the expected number of params"),
    132001: Known(404, "Template name does not exist in the translation"),
    132005: Known(400, "Translated text too long"),
    132007: Known(400, "Content policy violated"),
    132012: Known(400, "Parameter format does not match format in the created template"),
    132015: Known(400, "Template is paused", "The template is paused because of low quality."),
    132016: Known(400, "Template is disabled", "The template was paused too often and is disabled."),
    133010: Known(400, "Account not registered"),
}

_ORDERED: Final = {
    400: 131009, 401: 190, 403: 10, 404: 132001, 429: 130429, 500: 131000, 503: 131016,
}  # fmt: skip


class GraphError(Exception):
    """What a request is refused with.

    Args:
        code: One of `CODES`.
        details: What is wrong with this request; the code's own words where left out.
        message: The message whole, where it isn't made of code and title.
        subcode: Further code of the Graph API.
    """

    def __init__(
        self, code: int, details: str = "", *, message: str | None = None, subcode: int | None = None
    ) -> None:
        super().__init__(details or message)
        self.status = CODES[code].status
        self.body = error_body(code, details, message=message, subcode=subcode)

    def answer(self) -> Response:
        """The answer it makes."""
        return JSONResponse(self.body, self.status)


def error_body(
    code: int, details: str = "", *, message: str | None = None, subcode: int | None = None
) -> dict[str, Any]:
    """The body of an answer with this error."""
    known = CODES.get(code, Known(400, "Unknown error"))
    plain = code == 190  # errors of the login name no code in their message
    error: dict[str, Any] = {
        "message": message or (known.title if plain else f"(#{code}) {known.title}"),
        "type": "OAuthException",
        "code": code,
    }
    if subcode is not None:
        error["error_subcode"] = subcode
    if details or known.details:
        error["error_data"] = {"messaging_product": "whatsapp", "details": details or known.details}
    return {"error": {**error, "fbtrace_id": f"A{secrets.token_urlsafe(16)}"}}


def ordered(status: int, code: str | None) -> dict[str, Any]:
    """The body of a status that was ordered, with the code that usually comes with it or the one named."""
    return error_body(int(code) if code else _ORDERED.get(status, 131000))
