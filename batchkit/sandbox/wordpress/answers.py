"""Answers of the site, and the refusals in WordPress' own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

_ORDERED: Final = {
    400: ("rest_invalid_param", "Invalid parameter(s): title"),
    401: ("incorrect_password", "The provided password is an invalid application password."),
    403: ("rest_cannot_edit", "Sorry, you are not allowed to edit this post."),
    404: ("rest_post_invalid_id", "Invalid post ID."),
    410: ("rest_already_trashed", "The post has already been deleted."),
    500: (
        "internal_server_error",
        "<p>There has been a critical error on this website.</p>",
    ),
}


class Answer(NamedTuple):
    """What a route answers.

    Attributes:
        status: The status.
        body: The body, to be written as JSON.
        headers: Headers besides the usual ones.
    """

    status: int
    body: Any
    headers: Mapping[str, str] = {}


class Refused(Exception):
    """A refusal, as `WP_Error` makes one.

    Args:
        status: The HTTP status.
        code: WordPress' word for it.
        message: What is said.
        data: More for `data`, beside the status.
        **more: More beside `data`.
    """

    def __init__(
        self, status: int, code: str, message: str, data: Mapping[str, Any] | None = None, **more: Any
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "data": {**(data or {}), "status": status}, **more}

    def answer(self, headers: Mapping[str, str] | None = None) -> Answer:
        """The answer it makes."""
        return Answer(self.status, self.body, headers or {})


def no_route() -> Refused:
    """There is nothing at this address, or not with this method."""
    return Refused(404, "rest_no_route", "No route was found matching the URL and request method.")


def ordered(status: int, code: str | None) -> dict[str, Any] | None:
    """The body of a status that was ordered; None where the web server speaks instead of WordPress."""
    if status not in _ORDERED:
        if status >= 500 or status == 429:
            return None
        usual = ("rest_error", "ordered fault")
    else:
        usual = _ORDERED[status]
    return {"code": code or usual[0], "message": usual[1], "data": {"status": status}}
