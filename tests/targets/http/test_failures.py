"""The table of fates of HTTP: what an error or an answer means, case by case."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.targets.base import Failure, Fate
from batchkit.targets.http.answer import Answer, Unreadable
from batchkit.targets.http.failures import FIREWALL_PAUSE, judge, judge_body, judge_error, of_read, went_out

LOGIN = b"<html><head><title>Log In</title></head><form><input type='password'></form></html>"
PAGE = b"<!doctype html><html><head><title>Just a moment...</title></head><body>x</body></html>"


def answer(
    status: int, body: bytes | str = b"", url: str = "https://api.test/items/1", **headers: str
) -> Answer:
    """An answer with these headers (`_` stands for `-`)."""
    raw = body.encode() if isinstance(body, str) else body
    return Answer(status, httpx.Headers({k.replace("_", "-"): v for k, v in headers.items()}), raw, True, url)


def through_aiohttp(error: BaseException) -> BaseException:
    """An error as httpx-aiohttp gives it, under the name it has there."""
    from httpx_aiohttp.transport import map_aiohttp_exceptions

    try:
        with map_aiohttp_exceptions():
            raise error
    except Exception as mapped:  # noqa: BLE001
        return mapped


def _key() -> Any:
    return cast(
        Any, SimpleNamespace(host="api.test", port=443, ssl=True, is_ssl=True, real_url="https://api.test")
    )


BEFORE: list[tuple[str, Callable[[], BaseException]]] = [
    ("refused", lambda: aiohttp.ClientConnectorError(_key(), ConnectionRefusedError(111, "refused"))),
    ("dns", lambda: aiohttp.ClientConnectorDNSError(_key(), OSError(-2, "Name or service not known"))),
    ("connect timeout", lambda: aiohttp.ConnectionTimeoutError("Connection timeout to host")),
    ("handshake", lambda: aiohttp.ClientConnectorSSLError(_key(), ssl.SSLError("reset in handshake"))),
    ("plain refused", lambda: httpx.ConnectError("refused")),
    ("plain connect timeout", lambda: httpx.ConnectTimeout("late")),
    ("plain pool timeout", lambda: httpx.PoolTimeout("no connection free")),
]

AFTER: list[tuple[str, str, Callable[[], BaseException]]] = [
    ("read timeout", "timeout", lambda: aiohttp.SocketTimeoutError("Timeout on reading data from socket")),
    ("hung up", "broken off", aiohttp.ServerDisconnectedError),
    ("reset", "broken off", lambda: aiohttp.ClientOSError(104, "Connection reset by peer")),
    ("body", "broken off", lambda: aiohttp.ClientPayloadError("Response payload is not completed")),
    ("nonsense", "not http", lambda: aiohttp.ClientResponseError(_key(), (), message="Bad status line")),
    ("plain read timeout", "timeout", lambda: httpx.ReadTimeout("late")),
    ("plain write timeout", "timeout", lambda: httpx.WriteTimeout("late")),
    ("plain reset", "broken off", lambda: httpx.ReadError("reset")),
    ("plain protocol", "broken off", lambda: httpx.RemoteProtocolError("Server disconnected")),
    ("engine's own", "timeout", lambda: TimeoutError("no answer within 60 s")),
]


@pytest.mark.parametrize(("name", "make"), BEFORE, ids=[name for name, _ in BEFORE])
def test_what_never_left_is_tried_again(name: str, make: Callable[[], BaseException]) -> None:
    """Nobody answered before the request went out: tried again whatever it is, and counted as an outage."""
    error = through_aiohttp(make())
    assert not went_out(error)
    failure = judge_error(error)
    assert (failure.fate, failure.connection) == (Fate.RETRY, True), name


@pytest.mark.parametrize(("name", "rule", "make"), AFTER, ids=[name for name, *_ in AFTER])
def test_what_went_out_is_in_doubt(name: str, rule: str, make: Callable[[], BaseException]) -> None:
    """No answer after the request went out: unknown, unless nothing was asked for but to read."""
    error = through_aiohttp(make())
    assert went_out(error)
    failure = judge_error(error)
    assert (failure.fate, failure.rule, of_read(failure).fate) == (Fate.UNKNOWN, rule, Fate.RETRY), name
    assert not failure.connection


def test_a_certificate_that_nobody_signed_ends_the_run() -> None:
    """Trying again doesn't mend a certificate; the advice names what does."""
    error = aiohttp.ClientConnectorCertificateError(_key(), ssl.SSLCertVerificationError("self-signed"))
    failure = judge_error(through_aiohttp(error))
    assert (failure.fate, failure.rule) == (Fate.ABORT, "certificate")
    assert "SSL_CERT_FILE" in failure.advice


STATUSES: list[tuple[int, Fate, Fate]] = [
    # status, of a write, of a read
    (400, Fate.REJECT, Fate.REJECT),
    (401, Fate.ABORT, Fate.ABORT),
    (404, Fate.REJECT, Fate.REJECT),
    (408, Fate.RETRY, Fate.RETRY),
    (409, Fate.REJECT, Fate.REJECT),
    (410, Fate.REJECT, Fate.REJECT),
    (412, Fate.REJECT, Fate.REJECT),
    (422, Fate.REJECT, Fate.REJECT),
    (425, Fate.RETRY, Fate.RETRY),
    (429, Fate.RETRY, Fate.RETRY),
    (500, Fate.UNKNOWN, Fate.RETRY),
    (501, Fate.REJECT, Fate.REJECT),
    (502, Fate.UNKNOWN, Fate.RETRY),
    (503, Fate.RETRY, Fate.RETRY),
    (504, Fate.UNKNOWN, Fate.RETRY),
    (507, Fate.UNKNOWN, Fate.RETRY),
    (520, Fate.UNKNOWN, Fate.RETRY),
    (521, Fate.RETRY, Fate.RETRY),
    (522, Fate.RETRY, Fate.RETRY),
    (523, Fate.RETRY, Fate.RETRY),
    (524, Fate.UNKNOWN, Fate.RETRY),
    (599, Fate.UNKNOWN, Fate.RETRY),
]


@pytest.mark.parametrize(("status", "write", "read"), STATUSES)
def test_each_status_has_its_fate(status: int, write: Fate, read: Fate) -> None:
    """The status decides, with the server's own message kept; a server may fail after it wrote."""
    given_ = answer(status, '{"error": {"message": "Price must be a number"}}')
    failure = judge(given_)
    assert failure is not None
    assert (failure.fate, of_read(failure).fate) == (write, read)
    assert "Price must be a number" in failure.reason


@pytest.mark.parametrize("status", range(400, 600))
def test_a_gateway_that_speaks_for_a_dead_site_says_that_it_is_away(status: int) -> None:
    """What stands before a server, and one under maintenance, is told from a server that fails."""
    failure = judge(answer(status, "{}"))
    assert failure is not None
    assert failure.away == (status in {502, 503, 504, 520, 521, 522, 523, 524})


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", 2.0),
        (None, None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("600", 600.0),
        ("99999", 86_400.0),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_heard(status: int, header: str | None, seconds: float | None) -> None:
    """`Retry-After` in seconds, as a date or absent, up to a day; asked too much, fewer calls at once."""
    failure = judge(answer(status, "{}", **({"retry_after": header} if header else {})))
    assert failure is not None
    assert failure.retry_after == seconds
    assert failure.pushback


def test_a_firewall_is_not_a_permission() -> None:
    """403 as a page slows the whole run; 403 as JSON is about this item alone."""
    page = judge(answer(403, PAGE, content_type="text/html"))
    text = judge(answer(403, "error code: 1020"))
    item = judge(answer(403, '{"code": "rest_cannot_edit", "message": "Sorry"}'))
    for failure in (page, text):
        assert failure is not None
        assert (failure.fate, failure.rule, failure.retry_after, failure.pushback) == (
            Fate.RETRY, "firewall", FIREWALL_PAUSE, True,
        )  # fmt: skip
    assert item == Failure(Fate.REJECT, "403", "The login may not do that (403): Sorry")


@pytest.mark.parametrize(
    ("status", "location", "fate", "rule"),
    [
        (301, "https://elsewhere.test/items/1", Fate.ABORT, "redirect"),
        (307, "http://api.test/items/1", Fate.ABORT, "redirect"),  # no TLS there
        (302, "/wp-login.php?redirect_to=x", Fate.ABORT, "login page"),
        (303, "/thanks", Fate.UNKNOWN, "redirect"),
        (301, "/v2/items/1", Fate.ABORT, "redirect"),
    ],
)
def test_redirects(status: int, location: str, fate: Fate, rule: str) -> None:
    """A redirect that wasn't followed: elsewhere ends the run, a page instead of an answer is in doubt."""
    failure = judge(answer(status, location=location))
    assert failure is not None
    assert (failure.fate, failure.rule) == (fate, rule)


BODIES: list[tuple[bytes, bool, str | None]] = [
    (b'{"ok": true}', True, None),
    (b'\xef\xbb\xbf{"ok": true}', True, None),
    (b'<br />\n<b>Warning</b>: x in [internal] on line <b>3</b>\n{"ok": true}', True, None),
    (b'{"ok": tr', True, "truncated"),
    (b'{"ok": true}', False, "truncated"),
    (b"", True, "empty"),
    (b"", False, "truncated"),
    (LOGIN, True, "login"),
    (PAGE, True, "html"),
    (b"OK", True, "text"),
]


@pytest.mark.parametrize(("body", "whole", "kind"), BODIES)
def test_success_is_what_can_be_read(body: bytes, whole: bool, kind: str | None) -> None:
    """200 alone is no success: the body must be JSON, if need be behind a warning of PHP."""
    given_ = Answer(200, httpx.Headers(), body, whole, "https://api.test/")
    assert judge(given_) is None
    if kind is None:
        assert given_.json() == {"ok": True}
        return
    with pytest.raises(Unreadable) as caught:
        given_.json()
    assert caught.value.kind == kind
    failure = judge_body(caught.value, given_)
    wanted = (Fate.ABORT, Fate.ABORT) if kind == "login" else (Fate.UNKNOWN, Fate.RETRY)
    assert (failure.fate, of_read(failure).fate) == wanted


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"message": "no"}', "no"),
        ('{"error": "no"}', "no"),
        ('{"error": {"message": "no", "code": 3}}', "no"),
        ('{"errors": [{"detail": "no"}, {"detail": "never"}]}', "no; never"),
        ('{"price": ["must be a number"]}', "price: must be a number"),
        ("<html><title>502 Bad &amp; Gateway</title></html>", "502 Bad & Gateway"),
        ("plain words", "plain words"),
        ("x" * 5000, "x" * 300),
    ],
)
def test_the_server_speaks_for_itself(body: str, words: str) -> None:
    """The message comes from wherever servers put it, in one short line."""
    assert answer(422, body).words() == words


@pytest.mark.parametrize(
    "body",
    [
        rb'{"words": ["half \ud83d", "nul \u0000"], "k\ud83d": 1}',
        b'{"words": ["half \xed\xa0\xbd", "nul \\u0000"], "k\xed\xa0\xbd": 1}',
        b"Notice: x\n" + rb'{"words": ["half \ud83d", "nul \u0000"], "k\ud83d": 1}',
    ],
)
def test_what_an_answer_says_can_be_stored(body: bytes) -> None:
    """Half an emoji, however a server spells it, is a gap from the moment it comes in."""
    found = Answer(200, httpx.Headers(), body, True, "https://api.test/").json()
    assert str(found).encode()
    assert found["words"][1] == "nul \ufffd"
    assert all(name.encode() for name in found)


@given(st.binary(max_size=200), st.integers(200, 599), st.booleans())
def test_no_answer_is_too_strange(body: bytes, status: int, whole: bool) -> None:
    """Whatever comes, there is a judgement; and a success that can't be read is never called not done."""
    given_ = Answer(status, httpx.Headers(), body, whole, "https://api.test/")
    if judge(given_) is None:
        fate = Fate.UNKNOWN
        try:
            given_.json()
        except Unreadable as problem:
            fate = judge_body(problem, given_).fate
        assert fate in (Fate.UNKNOWN, Fate.ABORT)


def test_a_hole_in_the_table_ends_the_run() -> None:
    """An error that is none of HTTP is a bug: nothing is sent on a guess."""
    failure = judge_error(KeyError("x"))
    assert failure.fate is Fate.ABORT
    assert judge_error(asyncio.CancelledError()).fate is Fate.UNKNOWN
