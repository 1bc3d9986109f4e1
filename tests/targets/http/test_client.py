"""The client of HTTP targets: what it sends, what it keeps, what it lets in."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from batchkit import __version__
from batchkit.targets.base import Failure, Fate, open_target
from batchkit.targets.http.answer import Answer
from batchkit.targets.http.client import HttpClient, environment_proxy
from batchkit.targets.http.failures import HttpError
from batchkit.targets.http.requests import with_patience
from tests.support.sandboxes import sandbox

Handler = Callable[[httpx.Request], httpx.Response]


def ask(handler: Handler, method: str = "GET", url: str = "https://api.test/a", **options: Any) -> Answer:
    """One request through a client whose server is `handler`."""

    async def work() -> Answer:
        client = HttpClient(
            "https://api.test", {"Authorization": "x"}, transport=httpx.MockTransport(handler)
        )
        try:
            return await client.request(method, url, **options)
        finally:
            await client.aclose()

    return asyncio.run(work())


def test_it_names_itself() -> None:
    """Whoever runs the server can see who asks."""
    answer = ask(lambda request: httpx.Response(200, json=dict(request.headers)))
    assert answer.json()["user-agent"] == f"batchkit/{__version__}"


def test_bodies_are_bounded() -> None:
    """An endless answer doesn't fill the memory; it counts as cut."""
    answer = ask(lambda _: httpx.Response(200, content=b"x" * 10_000), limit=1000)
    assert (len(answer.body), answer.whole) == (1000, False)


def test_compressed_bodies_are_read_and_broken_ones_survived() -> None:
    """Gzip is undone; a body that isn't what it says counts as cut, and its status is kept."""
    head = {"content-encoding": "gzip"}
    packed = gzip.compress(b'{"ok": 1}')
    assert ask(lambda _: httpx.Response(200, stream=httpx.ByteStream(packed), headers=head)).json() == {
        "ok": 1
    }
    broken = ask(lambda _: httpx.Response(503, stream=httpx.ByteStream(b"no"), headers=head))
    assert (broken.status, broken.whole) == (503, False)


@pytest.mark.parametrize(
    ("method", "status", "location", "asked"),
    [
        ("GET", 302, "/b", ["/a", "/b"]),
        ("POST", 307, "/b", ["/a", "/b"]),
        ("POST", 308, "https://api.test:443/b", ["/a", "/b"]),
        ("POST", 302, "/b", ["/a"]),  # would become a GET, and the item would be lost
        ("GET", 302, "https://evil.test/b", ["/a"]),
        ("GET", 302, "http://api.test/b", ["/a"]),  # without TLS the login could be read
        ("GET", 302, "https://api.test:8443/b", ["/a"]),
    ],
)
def test_redirects_are_followed_on_the_same_host_alone(
    method: str, status: int, location: str, asked: list[str]
) -> None:
    """The login goes nowhere but to the host it is meant for."""
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        assert request.url.host == "api.test"
        if request.url.path == "/a":
            return httpx.Response(status, headers={"location": location})
        return httpx.Response(200, json={"method": request.method})

    answer = ask(handler, method)
    assert seen == asked
    assert (answer.status == 200) == (len(asked) == 2)
    if len(asked) == 2:
        assert answer.json() == {"method": method}


def test_redirects_in_a_circle_end() -> None:
    """A server that sends us round and round is given up."""
    assert ask(lambda _: httpx.Response(302, headers={"location": "/a"})).status == 302


def test_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY is taken, NO_PROXY heeded, a scheme put before a bare host."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert environment_proxy("https://api.test") is None
    monkeypatch.setenv("HTTPS_PROXY", "proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "inside.test")
    assert environment_proxy("https://api.test") == "http://proxy.test:3128"
    assert environment_proxy("https://inside.test") is None
    assert environment_proxy("http://api.test") is None


def test_a_proxy_carries_the_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With HTTP_PROXY set, requests to another host go to the proxy, as a whole address."""
    with sandbox(tmp_path) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.delenv("no_proxy", raising=False)
        target = open_target("http+http://far.invalid", send={"url": "/messages"})
        target.connect()
        assert proxy.rows("SELECT count(*) FROM requests") == [(1,)]


def test_addresses_are_sent_as_they_are_written(tmp_path: Path) -> None:
    """A comma inside a key, quoted, is not the comma between two keys."""
    with sandbox(tmp_path) as server:

        async def work() -> None:
            client = HttpClient(server.url, {})
            await client.request("GET", f"{server.url}/items?ids=a%2Cb,c%2Fd&x=%2B1")
            await client.aclose()

        asyncio.run(work())
        assert server.rows("SELECT path FROM requests") == [("/items?ids=a%2Cb,c%2Fd&x=%2B1",)]


@pytest.mark.parametrize("url", ["http+ftp://x", "http+", "http+https://", "http+nonsense"])
def test_an_address_that_is_none(url: str) -> None:
    """What isn't an address of HTTP is said to be none."""
    with pytest.raises(Exception, match="not an address of HTTP"):
        open_target(url, send={"url": "/x"})


def test_a_password_in_the_address_stays_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """`user:{secret:NAME}@host` becomes a login header, and the address shown has the name alone."""
    monkeypatch.setenv("far_password", "p@ss/word")
    target: Any = open_target("http+https://me:{secret:far_password}@api.test/v1/", send={"url": "/x"})
    assert target.base == "https://api.test/v1"
    assert target.resolved_headers()["Authorization"] == httpx.BasicAuth("me", "p@ss/word")._auth_header
    assert target.address == "http+https://me:{secret:far_password}@api.test/v1/"
    assert "p@ss" not in str(target.describe())


def test_a_plan_waits_as_told_but_not_for_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short wait that a server asks for is kept; one of minutes is told to who waits for the plan."""
    waits: list[float] = []
    asked = [7.0, 600.0]

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async def work() -> str:
        raise HttpError(Failure(Fate.RETRY, "503", "later", retry_after=asked.pop(0)))

    monkeypatch.setattr("batchkit.targets.http.target.asyncio.sleep", sleep)
    with pytest.raises(HttpError, match="later"):
        asyncio.run(with_patience(work))
    assert waits == [7.0]
