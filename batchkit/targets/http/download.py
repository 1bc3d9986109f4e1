"""A file at an address: brought to the disk whole, or with the reason why not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import httpx

from ...core.retry import Backoff
from ..base import Failure, Fate
from .answer import Answer, Unreadable
from .client import REDIRECTS, HttpClient, NotKept, origin
from .failures import HttpError, judge, judge_body, judge_error
from .logins import login_headers, without_login
from .requests import aside, with_patience

_TRIES: Final = Backoff(base=0.3, cap=3.0, retries=3)
_ANY_FILE: Final = {"Accept": "*/*"}
_MB: Final = 1024 * 1024


def download(
    url: str,
    path: Path,
    *,
    headers: Mapping[str, str],
    limit: int,
    connect: float,
    read: float,
) -> Answer:
    """Bring the file at an address to the disk; tried again where that makes sense.

    Redirects are followed to other hosts too, as most places that offer files use them; the login and the
    headers go to the first host alone.

    Args:
        url: The address, secrets resolved; user and password in it are the login.
        path: Where to.
        headers: Headers of the request; they may refer to secrets.
        limit: Bytes that the file may have.
        connect: Seconds to connect.
        read: Seconds of silence from the server.

    Returns:
        The answer, with the beginning of the body and the address that it came from.

    Raises:
        HttpError: There is no such file, the server doesn't give it, or it is something else than a file.
        OSError: The disk refused it.
    """
    own = login_headers(url, headers)
    plain = without_login(url)

    async def once() -> Answer:
        # Opened anew for each try: what a try that broke off has left must not stand before the rest.
        with path.open("wb") as file:
            try:
                answer = await _follow("GET", plain, file, own, limit, connect, read)
            except NotKept as error:
                raise error.__cause__ or error from None
            _check(answer, limit, file.tell())
            return answer

    answer: Answer = aside(with_patience(once, _TRIES))
    return answer


def look(url: str, *, headers: Mapping[str, str], connect: float, read: float) -> Answer:
    """What a server says of the file at an address, without the file; asked once, as `download` would.

    Raises:
        HttpError: It says nothing of it.
    """
    own = login_headers(url, headers)
    answer: Answer = aside(_follow("HEAD", without_login(url), None, own, 0, connect, read))
    if (failure := judge(answer)) is not None:
        raise HttpError(failure)
    return answer


async def _follow(
    method: str,
    url: str,
    file: BinaryIO | None,
    own: Mapping[str, str],
    limit: int,
    connect: float,
    read: float,
) -> Answer:
    try:
        first = origin(url)
        for _ in range(REDIRECTS):
            # A host of its own for each hop: its proxy, and no login but at the first.
            client = HttpClient(
                url, own if origin(url) == first else {}, connect=connect, read=read, keeps=False
            )
            try:
                answer = await client.request(method, url, headers=_ANY_FILE, limit=limit, into=file)
            finally:
                await client.aclose()
            if not 300 <= answer.status < 400 or "location" not in answer.headers:
                return answer
            further = str(httpx.URL(answer.url).join(answer.headers["location"]))
            if url.startswith("https:") and not further.startswith("https:"):
                return answer  # judged as the redirect that it is: nothing is asked for in the clear
            url = further
    except NotKept:
        raise
    except Exception as error:
        raise HttpError(judge_error(error)) from error
    raise HttpError(Failure(Fate.ABORT, "redirect", "The server sends us from one address to the next."))


def _check(answer: Answer, limit: int, size: int) -> None:
    """Make sure that what came is a file, and all of it.

    Raises:
        HttpError: It isn't.
    """
    failure = judge(answer)
    if failure is not None:
        if answer.status == 403:
            # Taken for a firewall's, it would be worth waiting for in a run of thousands of calls; not here.
            said = f": {words}" if (words := answer.words()) else ""
            reason = f"The server doesn't let us read it (403){said}"
            failure = Failure(Fate.REJECT, "403", reason)
        raise HttpError(failure)
    declared = int(answer.headers.get("content-length") or 0)
    if max(size, declared) > limit:
        reason = f"The file is larger than {limit / _MB:,.0f} MB"
        raise HttpError(Failure(Fate.REJECT, "size", reason, "Give it more room, as in max_mb = 4096."))
    if not answer.whole:
        reason = f"The connection broke off after {size:,} bytes"
        raise HttpError(Failure(Fate.RETRY, "broken off", reason, "Try again."))
    start = answer.body.removeprefix(b"\xef\xbb\xbf").lstrip()[:200].lower()
    # By its bytes: many a script that gives a CSV file calls it a page.
    if start.startswith((b"<!doctype html", b"<html")) or (start[:1] == b"<" and answer.is_html):
        page = judge_body(Unreadable("login" if answer.is_login else "html"), answer)
        raise HttpError(replace(page, fate=Fate.ABORT))
