"""The table of fates of WhatsApp's Cloud API: what each error code means, and what to do about it.

The API tells its errors by a code; the HTTP status says little (most are 400, whether one recipient is meant
or the whole account). The codes and their meaning are Meta's, as of Graph API v23:
https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes

A message can't be taken back and has no idempotency key, so that `retry` is only for codes that say the
message was not taken: limits, and a service that is down. An error that leaves it open is `unknown`, and so
is a failure of the server's under a code that nobody knows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from ...core.advice import resume
from ...core.retry import retry_after
from ..base import Failure, Fate
from ..http.answer import Answer, Unreadable
from ..http.failures import judge

PAIR_RATE: Final = 131056
"""Too many messages to one recipient in a short time: that recipient waits, the others go on."""

OPTED_OUT: Final = 131050

_ACCOUNT: Final = "Look at the account in WhatsApp Manager, then resume the run."
_ALLOWED: Final = "See which permissions the token has: it needs whatsapp_business_messaging."
_CREDENTIAL: Final = "Make a new token, put it where the old one was (whatsapp_token), and resume the run."
_SLOWER: Final = "Nothing: the run slows down by itself. A lower rate spares the waiting."
_TEMPLATE: Final = "Look at the template in WhatsApp Manager, then plan again."
_FILE: Final = "Check the link: the file must be public, of a type WhatsApp takes, and not too large."
_NOBODY: Final = "Reach this recipient another way."
_LATER: Final = "Resume the run when the service is well again."
_REGISTER: Final = "Register the sender's number in WhatsApp Manager, then resume the run."
_VALUES: Final = "Compare the row's values with what the template asks for."


class Meaning(NamedTuple):
    """What a code means.

    Attributes:
        fate: What to do about it.
        reason: What happened, in words an operator reads.
        advice: What to do next.
        pause: Seconds that the whole run holds, where the API doesn't say for how long.
    """

    fate: Fate
    reason: str
    advice: str = ""
    pause: float | None = None


CODES: Final[Mapping[int, Meaning]] = {
    # The token and what it may do
    0: Meaning(Fate.ABORT, "WhatsApp doesn't accept the token", _CREDENTIAL),
    102: Meaning(Fate.ABORT, "WhatsApp doesn't accept the token", _CREDENTIAL),
    190: Meaning(Fate.ABORT, "The token has expired or was withdrawn", _CREDENTIAL),
    3: Meaning(Fate.ABORT, "The app may not send messages", _ALLOWED),
    10: Meaning(Fate.ABORT, "The token may not do that", _ALLOWED),
    200: Meaning(Fate.ABORT, "The token may not do that", _ALLOWED),  # and up to 299
    131005: Meaning(Fate.ABORT, "The token may not do that", _ALLOWED),
    # Limits that pass
    4: Meaning(Fate.RETRY, "The app asks too often", _SLOWER, 60.0),
    80007: Meaning(Fate.RETRY, "The account asks too often", _SLOWER, 60.0),
    130429: Meaning(Fate.RETRY, "The number sends faster than WhatsApp takes it", _SLOWER, 1.0),
    PAIR_RATE: Meaning(Fate.RETRY, "Too many messages to this recipient in a short time", _SLOWER),
    # Limits that don't
    131048: Meaning(
        Fate.ABORT,
        "WhatsApp restricts how much this number sends: too many recipients blocked or reported it",
        "Look at the number's quality in WhatsApp Manager; resume when the restriction is over.",
    ),
    # The account
    368: Meaning(Fate.ABORT, "The account is blocked for a violation of WhatsApp's policies", _ACCOUNT),
    131031: Meaning(Fate.ABORT, "The account is locked", _ACCOUNT),
    131042: Meaning(
        Fate.ABORT, "The account can't pay", "Put its payment method in order, then resume the run."
    ),
    131037: Meaning(Fate.ABORT, "The sender's display name is not approved yet", _ACCOUNT),
    131045: Meaning(Fate.ABORT, "The sender's number is not registered properly", _REGISTER),
    131057: Meaning(Fate.RETRY, "The account is under maintenance", _LATER, 60.0),
    33: Meaning(
        Fate.ABORT, "The sender's number has been deleted", "Correct the number's id in the address."
    ),
    # The recipient
    130472: Meaning(
        Fate.REJECT, "WhatsApp keeps this recipient out of marketing, for an experiment", _NOBODY
    ),
    130497: Meaning(Fate.REJECT, "The account may not message people in this country", _NOBODY),
    131021: Meaning(Fate.REJECT, "The recipient is the sender", "Take the row out."),
    131026: Meaning(
        Fate.REJECT,
        "The message can't be delivered: the number may have no WhatsApp, or not have accepted its terms",
        _NOBODY,
    ),
    131030: Meaning(
        Fate.REJECT,
        "The sender is a test number, and this recipient is not on its list",
        "Put the recipient on the test number's list, or send from a real number.",
    ),
    131047: Meaning(
        Fate.REJECT,
        "More than 24 hours have passed since the recipient last wrote",
        "Send an approved template instead.",
    ),
    131049: Meaning(
        Fate.REJECT,
        "WhatsApp holds it back: this recipient gets enough marketing messages as it is",
        "Try again in a day at the earliest; sooner makes it worse.",
    ),
    OPTED_OUT: Meaning(
        Fate.REJECT,
        "The recipient wants no more marketing messages from this sender",
        "Put the number on the opt-out list.",
    ),
    # The message
    100: Meaning(Fate.REJECT, "WhatsApp doesn't understand the message", _VALUES),
    131008: Meaning(Fate.REJECT, "The message lacks a value", _VALUES),
    131009: Meaning(Fate.REJECT, "A value of the message is not valid", _VALUES),
    131051: Meaning(Fate.REJECT, "WhatsApp doesn't take this type of message"),
    131052: Meaning(Fate.REJECT, "The file could not be fetched", _FILE),
    131053: Meaning(Fate.REJECT, "The file could not be taken", _FILE),
    135000: Meaning(Fate.REJECT, "WhatsApp refuses the message and doesn't say why", _VALUES),
    # The template
    132000: Meaning(Fate.ABORT, "The template has another number of variables", _TEMPLATE),
    132001: Meaning(
        Fate.ABORT, "There is no such template in this language, or it isn't approved", _TEMPLATE
    ),
    132005: Meaning(Fate.REJECT, "The template is too long with this row's values", "Shorten them."),
    132007: Meaning(Fate.REJECT, "The message violates WhatsApp's policy for templates", _VALUES),
    132012: Meaning(Fate.REJECT, "A variable of the template is not of its format", _VALUES),
    132015: Meaning(Fate.ABORT, "The template is paused for its quality", _TEMPLATE),
    132016: Meaning(Fate.ABORT, "The template is disabled for its quality", _TEMPLATE),
    132018: Meaning(Fate.REJECT, "The template's variables are not as they should be", _VALUES),
    132068: Meaning(Fate.ABORT, "The template's flow is blocked", _TEMPLATE),
    132069: Meaning(Fate.RETRY, "The template's flow is throttled", _SLOWER, 60.0),
    134101: Meaning(
        Fate.RETRY, "The template is too new and not ready yet", "Nothing: it is waited for.", 60.0
    ),
    134102: Meaning(Fate.ABORT, "The template can't be used", _TEMPLATE),
    # The sender's registration
    133000: Meaning(Fate.ABORT, "The sender's number is not registered properly", _REGISTER),
    133004: Meaning(Fate.RETRY, "The service is not there for now", _LATER),
    133005: Meaning(Fate.ABORT, "The PIN of the sender's number is wrong", _REGISTER),
    133006: Meaning(Fate.ABORT, "The sender's number must be verified again", _REGISTER),
    133008: Meaning(Fate.ABORT, "The PIN of the sender's number was guessed too often", _REGISTER),
    133009: Meaning(Fate.ABORT, "The PIN of the sender's number was entered too fast", _REGISTER),
    133010: Meaning(Fate.ABORT, "The sender's number is not registered", _REGISTER),
    133015: Meaning(Fate.ABORT, "The sender's number was deleted a moment ago", _REGISTER),
    133016: Meaning(Fate.ABORT, "The sender's number was registered too often", _REGISTER),
    # The service. "Temporarily unavailable" and "overloaded" say that it wasn't taken. The others are for
    # whatever else fails there: an "unknown error" may come when the message has gone out.
    1: Meaning(Fate.UNKNOWN, "WhatsApp failed and doesn't say how"),
    2: Meaning(Fate.RETRY, "The service is down or overloaded", _LATER),
    131000: Meaning(Fate.UNKNOWN, "WhatsApp failed while sending it and doesn't say how"),
    131016: Meaning(Fate.RETRY, "The service is overloaded", _LATER),
}
"""Code → what it means. Codes that aren't here go by the HTTP status."""

_MISSING_OBJECT: Final = 33
LOOK: Final = f"Ask the recipient, then settle it: {resume(settle='done')}, or {resume(settle='resend')}."
"""What to do about a message that may have gone out."""
_LONGEST: Final = 240


def error_of(answer: Answer) -> dict[str, Any] | None:
    """The error object of an answer; None where it holds none of the API's own."""
    try:
        value = answer.json()
    except Unreadable:
        return None
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) and "code" in error else None


def judge_answer(answer: Answer) -> Failure | None:
    """What an answer of the API means; None for one that says success.

    Args:
        answer: The answer.
    """
    error = error_of(answer)
    if error is None:
        return _by_status(answer)
    code, said = _number(error["code"]), _said(error)
    meaning = _meaning(code, error)
    if meaning is None:
        failure = _by_status(replace_status(answer))
        return replace(failure, rule=str(code)) if failure is not None and code >= 0 else failure
    fate = meaning.fate
    if fate is Fate.UNKNOWN and 400 <= answer.status < 500:
        fate = Fate.REJECT  # a status that says so: it was refused, for whatever reason
    limited = meaning.pause is not None
    return Failure(
        fate,
        str(code),
        f"{meaning.reason} ({code}){said}",
        LOOK if fate is Fate.UNKNOWN else meaning.advice,
        retry_after=_pause(answer, meaning) if fate is Fate.RETRY else None,
        pushback=limited and fate is Fate.RETRY,
        away=meaning.advice == _LATER,
    )


def _by_status(answer: Answer) -> Failure | None:
    failure = judge(answer)
    if failure is not None and failure.fate is Fate.UNKNOWN:
        return replace(failure, advice=LOOK)
    return failure


def replace_status(answer: Answer) -> Answer:
    """The answer, as a failure where its status says success: there is an error in it."""
    return replace(answer, status=400) if answer.status < 400 else answer


def _meaning(code: int, error: Mapping[str, Any]) -> Meaning | None:
    if code == 100 and _number(error.get("error_subcode")) == _MISSING_OBJECT:
        return Meaning(
            Fate.ABORT,
            "WhatsApp knows no such number, or the token may not see it",
            "Check the id in the address: it is the phone number id of WhatsApp Manager, not the number.",
        )
    if 200 <= code <= 299:
        code = 200
    return CODES.get(code)


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return -1


def _said(error: Mapping[str, Any]) -> str:
    """The API's own words: the details, which say most, else its message."""
    data = error.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    words = " ".join(str(details or error.get("error_user_msg") or error.get("message") or "").split())
    return f": {words[:_LONGEST]}" if words else ""


def _pause(answer: Answer, meaning: Meaning) -> float | None:
    """Seconds the whole run holds: as the API says, else as the table does."""
    asked = retry_after(answer.headers.get("retry-after"))
    return asked if asked is not None else _regain(answer) or meaning.pause


def _regain(answer: Answer) -> float | None:
    """Seconds until the account may ask again, by the API's own header, which counts minutes."""
    try:
        usage = json.loads(answer.headers.get("x-business-use-case-usage", ""))
        found = [use["estimated_time_to_regain_access"] for uses in usage.values() for use in uses]
        minutes = max(map(float, found), default=0.0)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return minutes * 60 or None
