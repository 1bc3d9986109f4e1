"""The practice server keeps its word: its API, its faults, and the record of what arrived."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from batchkit.core.errors import UsageError
from batchkit.sandbox.server.faults import _OPTIONS, Fault, Orders
from tests.support.sandboxes import Sandbox, sandbox


@pytest.fixture
def client(server: Sandbox) -> Iterator[httpx.Client]:
    """A client of it that knows nothing of batchkit."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=5) as made:
        yield made


def test_items_are_made_read_changed_and_removed(client: httpx.Client) -> None:
    """The five verbs of a REST API, with their statuses."""
    assert client.post("/items", json={"id": "a", "name": "A"}).status_code == 201
    assert client.post("/items", json={"id": "a", "name": "B"}).status_code == 409
    assert client.put("/items/b", json={"name": "B"}).status_code == 201
    assert client.patch("/items/b", json={"size": 3}).json() == {"id": "b", "name": "B", "size": 3}
    assert client.get("/items", params={"ids": "b,zz,a"}).json() == {
        "items": [{"id": "b", "name": "B", "size": 3}, {"id": "a", "name": "A"}]
    }
    assert client.delete("/items/a").status_code == 204
    assert client.delete("/items/a").status_code == 404
    assert client.get("/items/a").json()["error"]["message"] == "There is no item a."
    assert [item["id"] for item in client.get("/items?page=1&per_page=10").json()["items"]] == ["b"]
    assert client.patch("/items/b", json={"name": ""}).status_code == 422
    assert client.post("/items", content=b"[1").status_code == 400


def test_an_idempotency_key_makes_twice_once(client: httpx.Client) -> None:
    """The second request with a key gets the first one's answer."""
    head = {"Idempotency-Key": "run-1"}
    first = client.post("/items", json={"name": "A"}, headers=head)
    again = client.post("/items", json={"name": "A"}, headers=head)
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert client.get("/_sandbox").json()["items"] == 1


def test_messages_are_appended_each_time(client: httpx.Client) -> None:
    """A message sent twice is there twice: that is what it is for."""
    for _ in range(2):
        assert client.post("/messages", json={"to": "+33612345678"}).status_code == 201
    assert client.post("/messages", json={}).status_code == 422
    assert len(client.get("/messages").json()["messages"]) == 2


def test_every_request_is_on_record(client: httpx.Client, server: Sandbox) -> None:
    """What arrived can be counted, with its fault and what was answered."""
    server.order("429:100%:retry-after=2:times=1")
    assert client.post("/messages", json={"to": "a"}).headers["retry-after"] == "2"
    client.post("/messages", json={"to": "a"})
    record = client.get("/_sandbox/requests").json()["requests"]
    assert [(each["method"], each["path"], each["fault"], each["status"]) for each in record] == [
        ("POST", "/messages", "429", 429),
        ("POST", "/messages", None, 201),
    ]


def test_the_record_keeps_bodies(client: httpx.Client) -> None:
    """A body is on record as it came, however it was answered, but not for ever on."""
    client.put("/_sandbox", json={"faults": ["500:times=1"]})
    client.post("/messages", json={"to": "é"})
    client.post("/messages", json={"to": "a", "text": "x" * 100_000})
    client.get("/items")
    first, second, third = client.get("/_sandbox/requests").json()["requests"]
    assert (first["body"], first["status"]) == ('{"to":"é"}', 500)
    assert len(second["body"]) == 20_000
    assert third["body"] is None


def test_the_rate_can_be_told_from_the_record(client: httpx.Client, server: Sandbox) -> None:
    """How many arrived within any window is counted, also across the bounds of seconds."""
    for _ in range(5):
        client.post("/messages", json={"to": "a"})
        time.sleep(0.05)
    client.get("/items")
    assert server.most_within(60, "/messages") == 5
    assert server.most_within(60) == 6
    assert 1 <= server.most_within(0.09, "/messages") <= 2


@pytest.mark.parametrize(
    ("path", "order", "words"),
    [
        ("/items", "429", '"code": 429'),
        ("/wp-json/", "429:retry-after=3", "<h1>429 Too Many Requests</h1>"),
        ("/wp-json/", "504", "<h1>504 Gateway Timeout</h1>"),
        ("/wp-json/", "500", '"code": "internal_server_error"'),
        ("/wp-json/wp/v2/posts", "403:code=rest_forbidden", '"code": "rest_forbidden"'),
        ("/v23.0/1/messages", "429", '"code": 130429'),
        ("/v23.0/1/messages", "429:code=80007", '"code": 80007'),
        ("/v19.0/1/messages", "400:code=131056", "pair rate limit hit"),
        ("/v23.0/1/messages", "401", '"code": 190'),
        ("/v1/models", "429:retry-after=1", '"code": "rate_limit_exceeded"'),
        ("/v1/models", "400", '"code": "context_length_exceeded"'),
    ],
)
def test_an_ordered_status_speaks_as_the_api_does(
    client: httpx.Client, server: Sandbox, path: str, order: str, words: str
) -> None:
    """Each API has its own words for a status, and the code can be named."""
    server.order(order)
    answer = client.get(path)
    assert answer.status_code == int(order[:3])
    assert words in answer.text
    if "retry-after" in order:
        assert answer.headers["retry-after"] == order[-1]
    if path.startswith("/v1/") and order[:3] == "429":
        assert answer.headers["x-ratelimit-remaining-requests"] == "0"


def test_maintenance(client: httpx.Client, server: Sandbox) -> None:
    """WordPress' own maintenance: 503, ten minutes, a page of HTML."""
    server.order("maintenance")
    answer = client.get("/wp-json/wp/v2/posts")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "600")
    assert "Briefly unavailable for scheduled maintenance" in answer.text


def test_what_spoils_a_body_leaves_the_headers(client: httpx.Client, server: Sandbox) -> None:
    """A warning before the JSON changes neither the status nor what the headers say."""
    server.order("warnings:path=/wp-json")
    answer = client.get("/wp-json/wp/v2/posts", params={"per_page": 1})
    assert answer.text.startswith("<br />")
    assert int(answer.headers["x-wp-total"]) > 20


@pytest.mark.parametrize(
    ("order", "written"), [("reset", 0), ("drop-after-write", 1), ("hang:seconds=0", 0), ("truncate", 1)]
)
def test_faults_of_the_wire(client: httpx.Client, server: Sandbox, order: str, written: int) -> None:
    """The client is left without an answer; whether it was carried out is the fault's own."""
    server.order(f"{order}:100%")
    with pytest.raises(httpx.TransportError):
        client.post("/messages", json={"to": "a"})
    assert sum(server.messages().values()) == written


@pytest.mark.parametrize(
    ("order", "status", "words"),
    [
        ("html", 200, "<!doctype html>"),
        ("login", 200, 'type="password"'),
        ("firewall", 403, "Just a moment"),
        ("503", 503, "ordered fault"),
        ("warnings", 201, "<b>Warning</b>"),
        ("504:after", 504, "ordered fault"),
        ("redirect:to=http://elsewhere.test:81", 307, ""),
    ],
)
def test_faults_that_answer(
    client: httpx.Client, server: Sandbox, order: str, status: int, words: str
) -> None:
    """Each answers as the real thing does."""
    server.order(order)
    answer = client.post("/messages", json={"to": "a"})
    assert answer.status_code == status
    assert words in answer.text
    assert sum(server.messages().values()) == (order in ("warnings", "504:after"))
    if status == 307:
        assert answer.headers["location"] == "http://elsewhere.test:81/messages"


def test_a_token_is_asked_for(tmp_path: Path) -> None:
    """With a token, whoever lacks it is answered 401 as JSON."""
    with sandbox(tmp_path, token="sesame") as server:
        assert httpx.get(f"{server.url}/items", trust_env=False).status_code == 401
        head = {"Authorization": "Bearer sesame"}
        assert httpx.get(f"{server.url}/items", headers=head, trust_env=False).status_code == 200


def test_shares_are_kept() -> None:
    """Each fault befalls its share of the requests it is meant for, and a request at most one."""
    orders = Orders(["429:5%", "reset:1%:method=POST", "500:2%:path=/items"], seed=3)
    drawn = Counter(
        fault.kind if fault else "" for fault in (orders.draw("POST", "/items/1") for _ in range(20_000))
    )
    assert 900 < drawn["429"] < 1100
    assert 150 < drawn["reset"] < 250
    assert 330 < drawn["500"] < 470
    assert all(
        fault is None or fault.kind == "429" for fault in (orders.draw("GET", "/x") for _ in range(2000))
    )


@pytest.mark.parametrize("order", ["rest:1%", "429:5", "reset:1%:colour=red", "42:1%", ""])
def test_an_order_that_cannot_be_read_is_refused(order: str) -> None:
    """A slip in an order is said, not taken for another one."""
    with pytest.raises(UsageError):
        Fault.of(order)


def test_a_wrong_order_stops_the_command(tmp_path: Path) -> None:
    """The command says what is wrong, without a traceback, and exits 2."""
    done = subprocess.run(
        [sys.executable, "-m", "batchkit", "sandbox", "--fault", "nonsense"],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert done.returncode == 2
    assert "There is no fault 'nonsense'" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_option_of_a_fault_is_explained() -> None:
    """Whatever an order may say stands in its description."""
    for option in _OPTIONS:
        assert f"`{option}`" in (Fault.__doc__ or ""), option
