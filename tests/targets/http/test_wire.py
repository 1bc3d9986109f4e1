"""HTTP as it really is: TLS, proxies, names that don't exist, servers that hang up, dawdle and send away."""

from __future__ import annotations

import base64
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.errors import TargetError, UsageError
from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from tests.support.rest_jobs import MESSAGES, counts
from tests.support.sandboxes import Sandbox, sandbox, until
from tests.support.wires import RESET, Authority, Heard, Proxy, Wire, reply

QUICK = {"backoff": 0.01, "report": False}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no authorities but those of the test."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def messages(url: str, count: int = 4, **target: object) -> Plan:
    """A plan of messages, each of which must arrive at most once; planning asks nothing."""
    rows = pl.DataFrame({"to": [f"+3360000{n:04}" for n in range(count)], "name": ["N"] * count})
    return Job(rows, to=f"http+{url}", key=["to"], target={**MESSAGES, "check": "none", **target}).plan()


def run_of(plan: Plan, **settings: object) -> Run:
    """A run of it, to its end."""
    run = plan.start(**{**QUICK, **settings})
    run.wait(30)
    return run


def arrived(wire: Wire) -> list[str]:
    """Recipients of the messages that came, in order."""
    return [body["to"] for body in wire.bodies()]


def taken(_: Heard) -> bytes:
    """The answer of a server that takes everything."""
    return reply(201, {"id": 1})


# TLS


def test_a_certificate_of_a_trusted_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE names the authority that is trusted; without it the same server is not."""
    authority = Authority(tmp_path)
    with Wire(taken, authority.server("127.0.0.1")) as server:
        plan = messages(server.url)
        run = run_of(plan)
        assert run.state is RunState.FAILED
        assert "certificate can't be trusted" in run.snapshot().message
        assert "SSL_CERT_FILE" in run.snapshot().message
        assert counts(run) == {"pending": 4}
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        run.resume()
        assert run.wait(20) is RunState.FINISHED, run.snapshot().message
        assert len(arrived(server)) == 4


@pytest.mark.parametrize(
    ("host", "days", "words"), [("far.example", 30, "mismatch"), ("127.0.0.1", -1, "expired")]
)
def test_a_certificate_that_is_not_this_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int, words: str
) -> None:
    """Another host's name, or a day too late: refused before a login or item goes out, also in planning."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with Wire(taken, authority.server(host, days=days)) as server:
        run = run_of(messages(server.url))
        assert run.state is RunState.FAILED
        assert words in run.snapshot().message
        with pytest.raises(TargetError, match="certificate"):
            messages(server.url, check="/")
        assert server.heard == []


@pytest.mark.parametrize("content", [None, "no certificate at all"])
def test_authorities_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    """A file named by SSL_CERT_FILE that isn't there, or is none, is named; nothing goes out without."""
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with Wire(taken) as server:
        with pytest.raises(UsageError, match=r"authorities\.pem can't be read.*SSL_CERT_FILE"):
            messages(server.url, check="/")
        assert server.heard == []


def test_plain_http_where_tls_is_spoken(tmp_path: Path) -> None:
    """A port that speaks no TLS is told as such, and nothing is sent in the clear."""
    with Wire(taken) as server:
        plan = messages(server.url.replace("http://", "https://"), connect_timeout=0.5)
        run = run_of(plan, connection_limit=2)
        assert run.state is RunState.FAILED
        assert counts(run) == {"pending": 4}
        assert server.bodies() == []


# Proxies


def test_a_proxy_with_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go through the proxy, its login to the proxy alone; no password is on record."""
    login = "Basic " + base64.b64encode(b"me:open-sesame").decode()
    with Wire(taken) as server, Proxy(login, {"far.invalid": server.port}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:open-sesame@127.0.0.1:{proxy.port}")
        run = run_of(messages("http://far.invalid"))
        assert counts(run) == {"done": 4}, run.snapshot().message
        assert len(arrived(server)) == len(set(arrived(server))) == 4
        assert all("proxy-authorization" not in each.headers for each in server.heard)
        assert {each.address for each in proxy.heard} == {"http://far.invalid/messages"}
        written = b"".join(each.read_bytes() for each in run.folder.rglob("*") if each.is_file())
        assert b"open-sesame" not in written


def test_a_proxy_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """407 ends the run: no item would pass; the proxy's password is in no message."""
    with Wire(taken) as server, Proxy("Basic nobody", {"far.invalid": server.port}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:open-sesame@127.0.0.1:{proxy.port}")
        run = run_of(messages("http://far.invalid"))
        assert run.state is RunState.FAILED
        assert "proxy wants a login" in run.snapshot().message
        assert "open-sesame" not in run.snapshot().message
        assert server.heard == []


def test_no_proxy_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that NO_PROXY names is reached directly."""
    with Wire(taken) as server, Proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert counts(run_of(messages(server.url))) == {"done": 4}
        assert proxy.heard == []


def test_tls_through_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For https the proxy is given a tunnel to dig and nothing to read; the certificate is the far host's."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with Wire(taken, authority.server("far.example")) as server, Proxy(
        None, {"far.example": server.port, "other.example": server.port}
    ) as proxy:  # fmt: skip
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        run = run_of(messages("https://far.example"))
        assert counts(run) == {"done": 4}, run.snapshot().message
        assert {each.method for each in proxy.heard} == {"CONNECT"}
        assert {each.address for each in proxy.heard} == {"far.example:443"}
        assert all(not each.body for each in proxy.heard)
        wrong = run_of(messages("https://other.example"))
        assert wrong.state is RunState.FAILED
        assert "certificate" in wrong.snapshot().message
        assert len(arrived(server)) == 4


def test_a_tunnel_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that wants a login before it digs is told apart from a server that isn't there."""
    with Proxy("Basic nobody") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        run = run_of(messages("https://far.example"))
        assert run.state is RunState.FAILED
        assert "proxy wants a login" in run.snapshot().message


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing went out: the items stay pending, none is unknown."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    run = run_of(messages("http://far.invalid"), connection_limit=3)
    assert run.state is RunState.FAILED
    assert counts(run) == {"pending": 4}
    assert "Nobody answered" in run.snapshot().message


def test_a_proxy_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SOCKS proxy is told as what can't be used, with the way out; nothing goes around it."""
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    with Wire(taken) as server:
        with pytest.raises(UsageError, match=r"socks5.*NO_PROXY"):
            messages(server.url, check="/")
        run = run_of(messages(server.url))
        assert run.state is RunState.FAILED
        assert "isn't one of HTTP" in run.snapshot().message
        assert counts(run) == {"pending": 4}
        assert server.heard == []


# Names and ways


def test_a_name_that_does_not_exist_any_more() -> None:
    """A host whose name is gone when the run starts: told, all pending, and nothing unknown."""
    run = run_of(messages("http://no-such-host.invalid"), connection_limit=3)
    assert run.state is RunState.FAILED
    assert "no-such-host.invalid" in run.snapshot().message
    assert counts(run) == {"pending": 4}


def _sent_away(status: int, where: str, _: Heard) -> bytes:
    return reply(status, b"", location=where)


def test_a_login_follows_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent to another host, another port or from https to http: login, body and key stay here."""
    monkeypatch.setenv("wire_token", "sesame-token")
    head: Any = {"headers": {"Authorization": "Bearer {secret:wire_token}", "X-Key": "{secret:wire_token}"}}
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with Wire(taken) as other:
        for status in (301, 302, 303, 307, 308):
            with Wire(partial(_sent_away, status, f"{other.url}/messages")) as server:
                run = run_of(messages(server.url, 1, **head))
                assert run.state is RunState.FAILED, (status, counts(run))
                assert "login was not sent there" in run.snapshot().message
                with pytest.raises(TargetError, match="login was not sent there"):
                    messages(server.url, check="/", **head)
                assert server.heard[0].headers["authorization"] == "Bearer sesame-token"
        plain = f"http://127.0.0.1:{other.port}/messages"
        with Wire(lambda _: reply(307, b"", location=plain), authority.server("127.0.0.1")) as safe:
            assert run_of(messages(safe.url, 1, **head)).state is RunState.FAILED
        assert other.heard == []


def test_a_way_to_a_login_page_ends_the_run() -> None:
    """A server that answers an expired session by sending us to log in is asked once, not for each item."""
    with Wire(lambda _: reply(302, b"", location="/wp-login.php?redirect_to=x")) as server:
        run = run_of(messages(server.url, 20), workers=1)
        assert run.state is RunState.FAILED
        assert "log in" in run.snapshot().message
        assert counts(run) == {"pending": 20}
        assert len(server.heard) == 1


# Logins that end on the way


def test_a_token_that_expires_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends at the first refusal; with a new token the rest is sent, and nobody twice."""
    valid = {"Bearer token-one": 10, "Bearer token-two": 1000}

    def answer(heard: Heard) -> bytes:
        login = heard.headers["authorization"]
        valid[login] -= 1
        return taken(heard) if valid[login] >= 0 else reply(401, {"message": "Token expired"})

    monkeypatch.setenv("wire_token", "token-one")
    with Wire(answer) as server:
        plan = messages(server.url, 30, headers={"Authorization": "Bearer {secret:wire_token}"})
        run = run_of(plan, workers=3, chunk_size=5)
        assert run.state is RunState.FAILED
        assert "Token expired" in run.snapshot().message
        assert counts(run) == {"done": 10, "pending": 20}
        monkeypatch.setenv("wire_token", "token-two")
        run.resume()
        assert run.wait(20) is RunState.FINISHED, run.snapshot().message
        assert counts(run) == {"done": 30}
        sent = [json.loads(h.body)["to"] for h in server.heard if h.headers["authorization"].endswith("two")]
        assert len(sent) == len(set(sent)) == 20


# Connections that are kept, or not


def test_idle_connections_that_the_server_closes(tmp_path: Path) -> None:
    """A server that closes idle connections after a second, asked each 1.2 s: none lost, none doubled."""
    with sandbox(tmp_path, keep_alive=1) as server:
        run = run_of(messages(server.url, 3), rate=1 / 1.2, workers=1)
        assert counts(run) == {"done": 3}
        assert max(server.messages().values()) == 1


def test_a_server_that_keeps_no_connection() -> None:
    """`Connection: close` on each answer is heeded: a connection each, nothing in doubt."""
    with Wire(lambda _: reply(201, {"id": 1}, connection="close")) as server:
        assert counts(run_of(messages(server.url, 20), workers=3)) == {"done": 20}
        assert server.connections == 20
        assert len(set(arrived(server))) == 20


def test_a_server_that_resets_what_it_kept() -> None:
    """It says nothing and resets at the second request: in doubt once a worker at most, never sent twice."""
    with Wire(lambda heard: RESET if heard.turn else taken(heard)) as server:
        run = run_of(messages(server.url, 30), workers=3)
        assert run.state is RunState.FINISHED
        assert counts(run).get("unknown", 0) <= 3
        assert len(arrived(server)) == len(set(arrived(server))) == 30


class Closing(Wire):
    """Closes each connection after one answer without having said so."""

    def _respond(self, connection: object, heard: Heard) -> bool:
        super()._respond(connection, heard)  # type: ignore[arg-type]
        return False


def test_a_server_that_hangs_up_early() -> None:
    """It closes in good order just after each answer, unannounced: none lost, none doubled."""
    with Closing(taken) as server:
        run = run_of(messages(server.url, 30), workers=3)
        assert run.state is RunState.FINISHED
        assert len(arrived(server)) == len(set(arrived(server)))
        in_doubt = counts(run).get("unknown", 0)
        assert in_doubt <= 3
        assert counts(run)["done"] == 30 - in_doubt


# Servers that dawdle


def test_a_server_silent_while_planning_is_not_waited_for_long() -> None:
    """Planning waits as long as `read_timeout` says, and then names the server that said nothing."""

    def silent(_: Heard) -> bytes:
        time.sleep(1)
        return RESET

    with Wire(silent) as server:
        started = time.monotonic()
        with pytest.raises(TargetError, match=str(server.port)):
            messages(server.url, check="/", read_timeout=0.2)
        assert time.monotonic() - started < 5


class Trickling(Wire):
    """Answers a byte at a time."""

    def _respond(self, connection: object, heard: Heard) -> bool:
        for byte in self.answer(heard):
            connection.sendall(bytes([byte]))  # type: ignore[attr-defined]
            time.sleep(0.05)
        return True


def test_an_answer_that_trickles_is_cut_off() -> None:
    """A byte now and then is no answer: the timeout is for the whole of it, and its fate is unknown."""
    with Trickling(taken) as server:
        started = time.monotonic()
        run = run_of(messages(server.url, 2), timeout=0.5, workers=2)
        assert time.monotonic() - started < 10
        assert counts(run) == {"unknown": 2}
        assert len(arrived(server)) == 2


def test_a_server_that_never_takes_the_connection() -> None:
    """Connections that stay in the queue of the system: no item is in doubt."""
    import socket

    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(("127.0.0.1", port))
            run = run_of(
                messages(f"http://127.0.0.1:{port}", 2, connect_timeout=0.3), connection_limit=2, timeout=5
            )
            assert run.state is RunState.FAILED
            assert counts(run) == {"pending": 2}
        finally:
            for each in waiting:
                each.close()


# Odd answers


@pytest.mark.parametrize(
    "said",
    [
        reply(201, {"id": 1}, content_security_policy="x" * 20_000),
        b"HTTP/1.0 201 Created\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + reply(201, {"id": 1}),
        b"HTTP/1.1 201\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 201 Cr\xe9\xe9\r\nX-Name: \xe9t\xe9\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["long header", "HTTP/1.0", "early hints", "chunked", "latin"],
)
def test_answers_as_some_servers_write_them(said: bytes) -> None:
    """What is odd and yet an answer is one."""
    with Wire(lambda _: said) as server:
        assert counts(run_of(messages(server.url))) == {"done": 4}


@pytest.mark.parametrize(
    "said", [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nX Y: a\r\n\r\n", b"\x16\x03\x01\x00\xa5\x01" * 50]
)
def test_answers_that_are_none(said: bytes) -> None:
    """A server that got the message and answered something else than HTTP leaves its fate unknown."""
    with Closing(lambda _: said) as server:
        run = run_of(messages(server.url))
        assert counts(run) == {"unknown": 4}
        assert "as HTTP" in run.outcomes("unknown")["reason"][0]
        assert len(arrived(server)) == 4


# Down in the middle


def test_down_in_the_middle_without_waiting(tmp_path: Path) -> None:
    """The run fails when nobody answers any more; resumed, it sends the rest, and nobody twice."""
    server = Sandbox(tmp_path, latency="5ms")
    try:
        run = messages(server.url, 200).start(workers=3, **QUICK)
        until(lambda: len(server.messages()) > 20)
        server.close()
        assert run.wait(20) is RunState.FAILED
        assert "Nobody answered" in run.snapshot().message
        before = counts(run)
        assert before["pending"] > 0
        server = Sandbox(tmp_path, port=server.port)
        run.resume()
        assert run.wait(20) is RunState.FINISHED
        assert max(server.messages().values()) == 1
        assert counts(run).get("pending", 0) == 0
        # What was under way; and, as it dies, a call whose connection the system still took for it.
        assert counts(run).get("unknown", 0) <= 2 * 3
    finally:
        server.close()
