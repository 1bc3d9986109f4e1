"""The practice server's chat completions: text made of the prompt, counted, refused in the usual words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.sandboxes import sandbox

PROMPT = "Écris une description de l’atelier Duval, menuiserie à Toulon."


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client with the key that is asked for."""
    with (
        sandbox(tmp_path_factory.mktemp("chat"), token="sesame-open") as server,
        httpx.Client(
            base_url=f"{server.url}/v1",
            headers={"Authorization": "Bearer sesame-open"},
            trust_env=False,
            timeout=5,
        ) as made,
    ):
        yield made


def ask(client: httpx.Client, prompt: str = PROMPT, **options: Any) -> httpx.Response:
    """Ask for a text."""
    body = {"model": "practice", "messages": [{"role": "user", "content": prompt}], **options}
    return client.post("/chat/completions", json=body)


def test_the_same_prompt_makes_the_same_text(client: httpx.Client) -> None:
    """The text speaks of what is asked, each time alike, and of something else for another prompt."""
    first, second = (ask(client).json()["choices"][0]["message"]["content"] for _ in range(2))
    other = ask(client, PROMPT.replace("Duval", "Martin")).json()["choices"][0]["message"]["content"]
    assert first == second
    assert "Duval" in first
    assert "Martin" in other


def test_tokens_are_counted(client: httpx.Client) -> None:
    """What was asked and what was written are counted, and the sum of both; a longer prompt costs more."""
    short, long = (ask(client, prompt).json()["usage"] for prompt in (PROMPT, PROMPT * 3))
    for usage in (short, long):
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert long["prompt_tokens"] > short["prompt_tokens"]


def test_a_text_ends_where_it_must(client: httpx.Client) -> None:
    """A text that has no room is cut off and says so; one that has stops by itself."""
    cut = ask(client, max_tokens=5).json()
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] <= 5
    assert ask(client, max_completion_tokens=200).json()["choices"][0]["finish_reason"] == "stop"


def test_several_choices(client: httpx.Client) -> None:
    """Each is numbered, and all are paid for."""
    answer = ask(client, n=3).json()
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["completion_tokens"] > ask(client).json()["usage"]["completion_tokens"]


def test_models(client: httpx.Client) -> None:
    """They are listed, and no other is known."""
    listed = [model["id"] for model in client.get("/models").json()["data"]]
    assert "practice" in listed
    for model in listed:
        assert ask(client, model=model).status_code == 200


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"model": "nothing-like-it"}, 404, "model_not_found"),
        ({"model": "practice-small", "prompt": "mot " * 5000}, 400, "context_length_exceeded"),
        ({"model": "practice-small", "max_tokens": 5000}, 400, "context_length_exceeded"),
        ({"messages": []}, 400, "missing_required_parameter"),
        ({"max_tokens": 0}, 400, "integer_below_min_value"),
    ],
)
def test_what_is_refused(client: httpx.Client, options: dict[str, Any], status: int, code: str) -> None:
    """Each slip has its status and its code."""
    answer = ask(client, **options)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(("key", "code"), [("wrong-key-1234", "invalid_api_key"), ("", None)])
def test_keys(client: httpx.Client, key: str, code: str | None) -> None:
    """A wrong key and none are told apart, and a wrong one isn't repeated whole."""
    head = {"Authorization": f"Bearer {key}"} if key else {"Authorization": ""}
    answer = client.get("/models", headers=head)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    assert not key or key not in answer.text


def test_a_server_that_asks_for_no_key(tmp_path: Path) -> None:
    """Without a token of its own the server takes everybody, as one does on one's own machine."""
    with sandbox(tmp_path) as server:
        assert httpx.get(f"{server.url}/v1/models", trust_env=False).status_code == 200
