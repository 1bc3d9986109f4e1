"""The table of fates of HTTP: what an error or an answer means, and whether it may be sent again."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import httpx

from ...core import secrets
from ...core.errors import TargetError, TargetUnreachable
from ...core.retry import retry_after
from ..base import FIREWALL, Failure, Fate
from .answer import Answer, Unreadable
from .client import is_of_aiohttp

FIREWALL_PAUSE: Final = 10.0
"""Seconds the whole run holds when a firewall turns us away without saying for how long."""

LONGEST_PATIENCE: Final = 30.0
"""Seconds a server may ask for while somebody waits for a plan."""

_LATER: Final = "Go on when the server is well again; where it never was, check its address."
_LOGIN: Final = "Check the user and the secret that the job names."

_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
)
"""httpx errors that mean the request never left."""

_STATUSES: Final[Mapping[int, tuple[Fate, str]]] = {
    400: (Fate.REJECT, "The server can't read the request"),
    401: (Fate.ABORT, "The server doesn't accept the login"),
    402: (Fate.ABORT, "The server wants to be paid first"),
    403: (Fate.REJECT, "The login may not do that"),
    404: (Fate.REJECT, "The server doesn't have it"),
    405: (Fate.REJECT, "The server doesn't allow that method there"),
    407: (Fate.ABORT, "The proxy wants a login"),
    408: (Fate.RETRY, "The server got the request too slowly"),
    409: (Fate.REJECT, "The server sees a conflict"),
    410: (Fate.REJECT, "The server has it no more"),
    412: (Fate.REJECT, "It was changed at the server meanwhile"),
    413: (Fate.REJECT, "The request is too large for the server"),
    422: (Fate.REJECT, "The server refuses these values"),
    425: (Fate.RETRY, "The server wants the request again later"),
    429: (Fate.RETRY, "The server was asked too often"),
    500: (Fate.UNKNOWN, "The server failed"),
    501: (Fate.REJECT, "The server can't do that"),
    502: (Fate.UNKNOWN, "A gateway got no good answer from the server behind it"),
    503: (Fate.RETRY, "The server is overloaded or under maintenance"),
    504: (Fate.UNKNOWN, "A gateway got no answer in time from the server behind it"),
    505: (Fate.REJECT, "The server doesn't speak this HTTP"),
    520: (Fate.UNKNOWN, "A gateway got no good answer from the server behind it"),
    521: (Fate.RETRY, "The server behind the gateway is down"),
    522: (Fate.RETRY, "The gateway can't connect to the server behind it"),
    523: (Fate.RETRY, "The gateway can't reach the server behind it"),
    524: (Fate.UNKNOWN, "A gateway got no answer in time from the server behind it"),
}
"""What isn't here is: 4xx rejected, 5xx unknown, for a server that fails may fail after it wrote.

Retried is only what says that nothing was done. The rest the engine tries again where that does no harm.
"""

_UNREADABLE: Final[Mapping[str, str]] = {
    "empty": "an empty body",
    "html": "a page instead of data",
    "truncated": "a body that breaks off",
    "text": "something that isn't JSON",
}

_PUSHBACK: Final = frozenset({429, 503})
_AWAY: Final = frozenset({502, 503, 504, 520, 521, 522, 523, 524})
"""What a gateway says in the place of a server that is down, and a server that is under maintenance."""


class HttpError(Exception):
    """A request that came to nothing, with what that means."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def of_read(failure: Failure) -> Failure:
    """The same failure of a request that changes nothing: as nothing was done, it may be sent again."""
    return replace(failure, fate=Fate.RETRY) if failure.fate is Fate.UNKNOWN else failure


def judge_body(problem: Unreadable, answer: Answer) -> Failure:
    """What it means that the body of a successful answer can't be read."""
    if problem.kind == "login":
        return Failure(
            Fate.ABORT, "login page", "The server answered with a page that asks for a login.", _LOGIN
        )
    words = answer.words() if problem.kind in ("html", "text") else ""
    reason = f"The server answered {answer.status} with {_UNREADABLE[problem.kind]}{_said(words)}"
    return Failure(Fate.UNKNOWN, problem.kind, reason)


def json_of(answer: Answer, failure: Failure | None) -> Any:
    """The JSON of an answer.

    Args:
        answer: The answer.
        failure: What a table made of it; None for success.

    Raises:
        HttpError: It is a failure, or can't be read.
    """
    if failure is not None:
        raise HttpError(failure)
    try:
        return answer.json()
    except Unreadable as problem:
        raise HttpError(judge_body(problem, answer)) from None


def as_target_error(failure: Failure, address: str) -> TargetError:
    """A failure as the error that ends planning; a run may wait for what is only away for a while."""
    away = failure.connection or (failure.fate in (Fate.RETRY, Fate.UNKNOWN) and failure.rule != FIREWALL)
    kind = TargetUnreachable if away else TargetError
    reason = secrets.redact(failure.reason).rstrip(".")
    wait = failure.retry_after or 0.0
    later = f"The server asks to come back in {wait / 60:.0f} minutes." if wait > LONGEST_PATIENCE else ""
    return kind(f"{address}: {reason}.", advice=failure.advice or later, rule=failure.rule)


def went_out(error: BaseException) -> bool:
    """Whether the server may have got the request before this error; True when in doubt."""
    cause = _cause(error)
    kinds = _kinds(cause)
    if kinds:
        # By name, for aiohttp is loaded only when something is sent. Its connector's errors and the timeout
        # of its connecting come before the first byte; all its other errors may come after.
        before = {"ClientConnectorError", "ConnectionTimeoutError", "ClientHttpProxyError", "InvalidURL"}
        return not kinds & (before | {"ClientConnectorCertificateError"})
    return not isinstance(error, _NOT_SENT)


def _cause(error: BaseException) -> BaseException:
    """The transport's own error: httpx-aiohttp calls a broken connection a connect timeout."""
    inner = error.__cause__
    return inner if inner is not None and is_of_aiohttp(inner) else error


def judge_error(error: BaseException) -> Failure:
    """What an error of the client means: `unknown` where the request may have been carried out."""
    cause = _cause(error)
    words = _error_words(cause)
    if _is_certificate(cause):
        reason = f"The server's certificate can't be trusted: {words}"
        advice = "Have it renewed, or name the authority that signed it in SSL_CERT_FILE."
        return Failure(Fate.ABORT, "certificate", reason, advice)
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL) or "InvalidURL" in _kinds(cause):
        return Failure(Fate.ABORT, "address", f"The address can't be used: {words}", "Correct it in the job.")
    if getattr(cause, "status", None) == 407:
        return Failure(Fate.ABORT, "407", "The proxy wants a login", "Write it into the proxy's address.")
    if not went_out(error):
        late = isinstance(cause, TimeoutError | httpx.ConnectTimeout | httpx.PoolTimeout)
        rule = "connect timeout" if late else "connection"
        return Failure(Fate.RETRY, rule, f"Nobody answered: {words}", _LATER, connection=True)
    if isinstance(cause, TimeoutError | httpx.TimeoutException | asyncio.CancelledError):
        return Failure(Fate.UNKNOWN, "timeout", f"No answer in time: {words}".rstrip(": "))
    if {"ClientResponseError", "HttpProcessingError"} & (_kinds(error) | _kinds(cause)):
        # aiohttp gives such errors a status 400, which no server said.
        said = " ".join(str(getattr(cause, "message", words)).split())[:300]
        return Failure(Fate.UNKNOWN, "not http", f"The server's answer can't be read as HTTP: {said}")
    if isinstance(error, httpx.TransportError | OSError) or cause is not error or is_of_aiohttp(cause):
        return Failure(Fate.UNKNOWN, "broken off", f"The connection broke off before an answer: {words}")
    return Failure(Fate.ABORT, "internal", f"{type(error).__name__}: {error}")


def judge(answer: Answer) -> Failure | None:
    """What a server's answer means; None where its status says success, and its body has the last word."""
    status = answer.status
    if 200 <= status < 300:
        return None
    if status < 400:
        return _judge_redirect(answer)
    words = answer.words()
    if status == 403 and not _speaks_json(answer):
        return Failure(
            Fate.RETRY,
            "firewall",
            f"A firewall turned the request away (403){_said(words)}",
            "Go slower: fewer workers, a lower rate; or ask the host to let this machine through.",
            retry_after=retry_after(answer.headers.get("retry-after")) or FIREWALL_PAUSE,
            pushback=True,
        )
    refused = (Fate.REJECT, "The server refuses it")
    fate, reason = _STATUSES.get(status, refused if status < 500 else _STATUSES[500])
    return Failure(
        fate,
        str(status),
        f"{reason} ({status}){_said(words)}",
        _LOGIN if status == 401 else "",
        retry_after=retry_after(answer.headers.get("retry-after")) if fate is not Fate.REJECT else None,
        pushback=status in _PUSHBACK,
        away=status in _AWAY,
    )


def _judge_redirect(answer: Answer) -> Failure:
    """A redirect that was not followed: to another host, or of a request that isn't to be repeated there."""
    location = urljoin(answer.url, answer.headers.get("location", ""))
    there, here = urlsplit(location), urlsplit(answer.url)
    place = f"{there.scheme}://{there.netloc.rpartition('@')[2]}{there.path}"
    if any(word in there.path.lower() for word in ("login", "signin", "sign-in", "/auth")):
        return Failure(Fate.ABORT, "login page", f"The server sends us to log in at {place}", _LOGIN)
    if (there.hostname, there.scheme, there.port) != (here.hostname, here.scheme, here.port):
        reason = f"The server sends us to {place}; the login was not sent there"
        advice = "If that is where it lives now, write that address into the job."
        return Failure(Fate.ABORT, "redirect", reason, advice)
    if answer.status in (302, 303):
        return Failure(Fate.UNKNOWN, "redirect", f"The server sends us to {place} instead of an answer")
    return Failure(
        Fate.ABORT, "redirect", f"The address has moved to {place}", "Write that address into the job."
    )


def _speaks_json(answer: Answer) -> bool:
    try:
        answer.json()
    except Unreadable as problem:
        return problem.kind == "empty"
    return True


def _kinds(error: BaseException) -> set[str]:
    """Names of the classes of aiohttp that an error is of."""
    return {kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("aiohttp")}


def _is_certificate(error: BaseException) -> bool:
    inner = (error, error.__cause__, getattr(error, "os_error", None))
    return "ClientConnectorCertificateError" in _kinds(error) or any(
        isinstance(each, ssl.SSLCertVerificationError) for each in inner
    )


def _error_words(error: BaseException) -> str:
    # aiohttp names its way with certificates even where none are asked for.
    words = str(error).replace(" ssl:default", "")
    return " ".join(words.split())[:300] or type(error).__name__


def _said(words: str) -> str:
    return f": {words}" if words else ""
