"""The practice server's WhatsApp: messages, templates and the errors that its documentation names."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.sandboxes import Sandbox, sandbox

NUMBER, ACCOUNT = "106540352242922", "102290129340398"
TO = "33612345678"


@contextlib.contextmanager
def graph(folder: Path, **options: Any) -> Iterator[tuple[httpx.Client, Sandbox]]:
    """A client with a token, and its server."""
    head = {"Authorization": "Bearer practice"}
    with (
        sandbox(folder, **options) as server,
        httpx.Client(base_url=f"{server.url}/v23.0", headers=head, trust_env=False, timeout=5) as client,
    ):
        yield client, server


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server as it comes."""
    with graph(tmp_path_factory.mktemp("whatsapp")) as (made, _):
        yield made


def message(kind: str, part: Any, to: str = TO) -> dict[str, Any]:
    """A message of some type."""
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": to,
        "type": kind,
        kind: part,
    }


def text(body: str = "Bonjour", to: str = TO) -> dict[str, Any]:
    """A text message."""
    return message("text", {"body": body}, to)


def template(name: str, *values: str, language: str = "fr", **parts: list[Any]) -> dict[str, Any]:
    """A message of a template, with texts for its body and parameters for other parts."""
    components = [{"type": kind, "parameters": parameters} for kind, parameters in parts.items()]
    if values:
        components.append(
            {"type": "body", "parameters": [{"type": "text", "text": value} for value in values]}
        )
    return message("template", {"name": name, "language": {"code": language}, "components": components})


def send(client: httpx.Client, body: Any) -> tuple[int, Any]:
    """Send a message: the status, and the error's code or the answer."""
    answer = client.post(f"/{NUMBER}/messages", json=body)
    read = answer.json()
    return answer.status_code, read["error"]["code"] if "error" in read else read


def test_a_message_is_taken_once_for_each_time_it_is_sent(tmp_path: Path) -> None:
    """The answer names the recipient and the message; the state has each of them, by recipient."""
    with graph(tmp_path) as (client, server):
        first = client.post(f"/{NUMBER}/messages", json=text(to="+33 6 12 34 56 78")).json()
        second = client.post(f"/{NUMBER}/messages", json=text()).json()
        assert first["contacts"] == [{"input": "+33 6 12 34 56 78", "wa_id": TO}]
        assert first["messages"][0]["id"].startswith("wamid.")
        assert first["messages"][0]["id"] != second["messages"][0]["id"]
        assert server.messages() == {TO: 2}
        ((stored,),) = server.rows("SELECT body FROM messages WHERE id = 1")
        assert json.loads(stored)["id"] == first["messages"][0]["id"]


@pytest.mark.parametrize(
    "body",
    [
        text(),
        template("rappel_rendez_vous", "Zoé", "3 mai", "10 h"),
        template("appointment_reminder", "Zoe", "3 May", "10 am", language="en"),
        template("hello_world", language="en_US"),
        template(
            "offre_ete",
            "Zoé",
            "20",
            "31 août",
            header=[{"type": "image", "image": {"link": "https://x.test/a.jpg"}}],
        ),
        message("image", {"link": "https://x.test/a.jpg", "caption": "Voici"}),
        message("document", {"link": "https://x.test/a.pdf", "filename": "devis.pdf"}),
        message("video", {"link": "https://x.test/a.mp4"}),
    ],
    ids=["text", "fr", "en", "plain", "header", "image", "document", "video"],
)
def test_what_can_be_sent(client: httpx.Client, body: Any) -> None:
    """Text, media by link, and templates with what they ask for."""
    status, answer = send(client, body)
    assert status == 200, answer


def test_named_parameters_and_buttons(client: httpx.Client) -> None:
    """Named variables go by their names, and the address of a button has a parameter of its own."""
    named = [
        {"type": "text", "parameter_name": "conseiller", "text": "Lise"},
        {"type": "text", "parameter_name": "prenom", "text": "Zoé"},
    ]
    assert send(client, template("bienvenue", body=named))[0] == 200
    assert send(client, template("bienvenue", body=[{**named[0], "parameter_name": "nom"}, named[1]])) == (
        400,
        132012,
    )
    shipped = template("commande_expediee", "Zoé", "chaises", header=[{"type": "text", "text": "n° 7"}])
    assert send(client, shipped) == (400, 132000)
    shipped["template"]["components"].append(
        {"type": "button", "sub_type": "url", "index": "0", "parameters": [{"type": "text", "text": "7"}]}
    )
    assert send(client, shipped)[0] == 200


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to": TO, "type": "text", "text": {"body": "x"}}, 400, 100),
        ({"messaging_product": "whatsapp", "type": "text", "text": {"body": "x"}}, 400, 100),
        ([], 400, 100),
        (message("dance", {}), 400, 100),
        (text(""), 400, 131008),
        (text("x" * 4097), 400, 100),
        (text(to="12"), 400, 131009),
        (text(to="33612345000"), 400, 131026),
        (message("image", {}), 400, 131008),
        (message("image", {"link": "ftp://x"}), 400, 131009),
        (template("rappel_rendez_vous", "Zoé"), 400, 132000),
        (template("rappel_rendez_vous", "Zoé", "3 mai", ""), 400, 131008),
        (template("rappel_rendez_vous", "Zoé", "3\nmai", "10 h"), 400, 100),
        (template("rappel_rendez_vous", "Zoé", "3 mai", "x" * 1024), 400, 132005),
        (template("rappel_rendez_vous", "Zoé", "3 mai", "10 h", language="de"), 404, 132001),
        (template("nothing_like_it"), 404, 132001),
        (template("offre_en_attente", "Zoé"), 404, 132001),
        (template("ancienne_offre", "Zoé"), 400, 132015),
        (template("offre_retiree", "Zoé"), 400, 132016),
        (template("offre_ete", "a", "b", "c", header=[{"type": "text", "text": "x"}]), 400, 132012),
    ],
)
def test_what_is_refused(client: httpx.Client, body: Any, status: int, code: int) -> None:
    """Each slip has the code and the status that the documentation gives it."""
    assert send(client, body) == (status, code)


def test_an_error_has_the_graph_apis_shape(client: httpx.Client) -> None:
    """Message with the code, type, details and a trace."""
    error = client.post(f"/{NUMBER}/messages", json=template("rappel_rendez_vous", "a")).json()["error"]
    assert error.pop("fbtrace_id")
    assert error == {
        "message": "(#132000) Number of parameters does not match the expected number of params",
        "type": "OAuthException",
        "code": 132000,
        "error_data": {
            "messaging_product": "whatsapp",
            "details": "body: number of localizable_params (1) does not match the "
            "expected number of params (3)",
        },
    }


@pytest.mark.parametrize("token", ["", "expired", "wrong"])
def test_tokens(tmp_path: Path, token: str) -> None:
    """No token, one that has run out and a wrong one are all error 190; nothing is sent."""
    head = {"Authorization": f"Bearer {token}"} if token else {}
    with sandbox(tmp_path, token="sesame") as server:
        answer = httpx.post(
            f"{server.url}/v23.0/{NUMBER}/messages", json=text(), headers=head, trust_env=False
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, 190)
        assert not server.messages()


def test_the_window_of_24_hours(tmp_path: Path) -> None:
    """Where nobody wrote, free text is refused and a template is not; who wrote may be answered."""
    with graph(tmp_path, whatsapp_window="closed") as (client, server):
        assert send(client, text()) == (400, 131047)
        assert send(client, template("fermeture_annuelle"))[0] == 200
        server.wrote(f"+{TO}")
        assert send(client, text())[0] == 200


def test_the_pair_rate(tmp_path: Path) -> None:
    """Two messages to one recipient need their time; others go on meanwhile."""
    with graph(tmp_path, whatsapp_pair_rate="0.3") as (client, server):
        assert send(client, text())[0] == 200
        assert send(client, text()) == (400, 131056)
        assert send(client, text(to="33612345679"))[0] == 200
        assert server.messages() == {TO: 1, "33612345679": 1}


def test_the_number_tells_of_itself(client: httpx.Client) -> None:
    """Its name and quality, and by its health the account whose templates it uses."""
    assert client.get(f"/{NUMBER}").json()["quality_rating"] == "GREEN"
    told = client.get(f"/{NUMBER}", params={"fields": "verified_name,health_status"}).json()
    assert set(told) == {"verified_name", "health_status", "id"}
    assert {"WABA": ACCOUNT}.items() <= {
        each["entity_type"]: each["id"] for each in told["health_status"]["entities"]
    }.items()
    assert client.get(f"/{NUMBER}", params={"fields": "colour"}).json()["error"]["code"] == 100
    assert client.get("/abc").json()["error"]["error_subcode"] == 33


def test_templates_are_listed_page_by_page(client: httpx.Client) -> None:
    """All are reached by `next`; they can be chosen by name and state, and cut to some fields."""
    names, url = [], f"/{ACCOUNT}/message_templates?limit=4&fields=name,status"
    while url:
        page = client.get(url).json()
        names += [each["name"] for each in page["data"]]
        assert all(set(each) == {"name", "status", "id"} for each in page["data"])
        url = page["paging"].get("next", "")
    assert len(names) == len(set(names)) == 10
    found = client.get(
        f"/{ACCOUNT}/message_templates", params={"name": "rappel", "status": "APPROVED"}
    ).json()
    assert [each["language"] for each in found["data"]] == ["fr"]
    assert client.get(f"/{NUMBER}/message_templates").json()["error"]["code"] == 100
