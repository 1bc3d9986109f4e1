"""What a job may say of a target behind HTTP: wrong kinds are told by name, logins are never stored."""

from __future__ import annotations

import base64
import contextlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.errors import BatchkitError, UsageError
from batchkit.targets.base import open_target
from batchkit.targets.http.logins import names_login, split_login
from batchkit.targets.http.target import HttpTarget

REST = "http+https://api.test/v1"
UPDATE: Mapping[str, Any] = {"update": {"url": "/items/{id}"}}
CHAT: Mapping[str, Any] = {"model": "m"}

WRONG: list[tuple[str, Mapping[str, Any], str]] = [
    (REST, {"headers": "x"}, r"target\.headers takes a table, not 'x'.*Write headers = \{"),
    (REST, {"headers": {"X-Shop": ["a"]}}, r"target\.headers\.X-Shop takes text"),
    (REST, {"connect_timeout": "abc"}, r"target\.connect_timeout takes a time.*not 'abc'.*Write .* \"30s\""),
    (REST, {"read_timeout": -1}, r"target\.read_timeout takes a time"),
    (REST, {"read_timeout": float("nan")}, r"target\.read_timeout takes a time"),
    (REST, {"read_timeout": [1]}, r"target\.read_timeout takes a time"),
    (REST, {"conect_timeout": 3}, "Did you mean 'connect_timeout'"),
    (REST, {"fields": "x"}, r"target\.fields takes a table, not 'x'.*Write fields = \{price"),
    (REST, {"fields": {"price": {"type": "decimal", "scale": "x"}}}, r"fields\.price\.scale takes a whole"),
    (
        REST,
        {"fields": {"price": {"type": "decimal", "nullable": "x"}}},
        r"price\.nullable takes true or false",
    ),
    (REST, {"status": "x"}, r"target\.status takes a table, not 'x'.*\"409\""),
    (REST, {"values": "x"}, r"target\.values takes a table"),
    (REST, {"values": {"a": [1]}}, r"target\.values\.a takes text"),
    (REST, {"id": 3}, r"target\.id takes text, not 3"),
    (REST, {"check": True}, r"target\.check takes text, not True.*Write check = \"/me\""),
    (REST, {"read": "/x"}, r"target\.read takes a table, not '/x'.*Write read = \{url"),
    (REST, {"read": {"url": "/x?ids={keys}", "many": "lots"}}, r"target\.read\.many takes a whole number"),
    (REST, {"read": {"url": ["/x"]}}, r"target\.read\.url takes text"),
    (REST, {"create": "x"}, r"target\.create takes a table"),
    (REST, {"create": {"url": 3}}, r"target\.create\.url takes text"),
    (REST, {"create": {"url": "/x", "idempotent": "maybe"}}, r"create\.idempotent takes true or false"),
    (REST, {"create": {"url": "/x", "idempotency": True}}, r"create\.idempotency takes text"),
    (REST, {"create": {"url": "/x", "headers": "a"}}, r"target\.create\.headers takes a table"),
    ("whatsapp:1", {"template": 3}, r"target\.template takes text, not 3.*Write template = \"3\""),
    ("whatsapp:1", {"headers": "abc"}, r"target\.headers takes a table"),
    ("whatsapp:1", {"connect_timeout": "abc"}, r"target\.connect_timeout takes a time"),
    ("whatsapp:1", {"seen": 1}, r"target\.seen takes what a plan keeps.*Take that entry out"),
    ("whatsapp:1", {"variables": 3}, r"target\.variables takes a list of texts.*Write variables = \["),
    ("whatsapp:1", {"opt_out": 33612345678}, r"target\.opt_out takes the path of a file"),
    ("whatsapp:1", {"account": "a b"}, r"target\.account takes the id of an account"),
    ("whatsapp:1", {"region": 33}, r"target\.region takes text"),
    ("whatsapp:1", {"api": 3}, r"target\.api takes text"),
    ("whatsapp:1", {"langage": "fr"}, "Did you mean 'language'"),
    ("chat+https://api.test/v1", {**CHAT, "headers": "a"}, r"target\.headers takes a table"),
    (
        "chat+https://api.test/v1",
        {**CHAT, "extra": 1},
        r"target\.extra takes a table, not 1.*Write extra = \{",
    ),
    ("chat+https://api.test/v1", {**CHAT, "stop": 3}, r"target\.stop takes a list of texts"),
    ("chat+https://api.test/v1", {**CHAT, "max_tokens": "1 000"}, r"target\.max_tokens takes a whole number"),
]


@pytest.mark.parametrize(("url", "options", "words"), WRONG)
def test_a_wrong_kind_is_told_by_name(url: str, options: Mapping[str, Any], words: str) -> None:
    """A value of the wrong kind: the entry, what it takes, what it was given, and how to write it."""
    with pytest.raises(UsageError, match=words):
        open_target(url, **({**UPDATE, **options} if url == REST else options))


@given(
    st.sampled_from([name for name, *_ in WRONG]),
    st.sampled_from(sorted({name for _, options, _ in WRONG for name in options})),
    st.sampled_from([None, True, 0, -1, 3.5, float("inf"), "", "x", "1,2", [], ["a"], [[1]], {}, {"a": {}}]),
)
def test_nothing_that_a_job_says_crashes(url: str, name: str, value: Any) -> None:
    """Whatever stands in an entry, it is taken or told as an error of the job."""
    with contextlib.suppress(BatchkitError):
        open_target(url, **{**(UPDATE if url == REST else {}), name: value})


def test_lists_may_be_written_with_commas() -> None:
    """`--target variables=prenom,date` names two variables, not eleven letters."""
    target = open_target("whatsapp:1", template="t", variables="prenom, date")
    assert {"prenom", "date"} <= set(target.fields())
    assert target.describe()["variables"] == ["prenom", "date"]


def test_the_command_line_says_it_too(tmp_path: Path) -> None:
    """A wrong --target ends with the code of a wrong call and one sentence, no traceback."""
    (tmp_path / "r.csv").write_text("id;name\n1;a\n")
    words = ["plan", "r.csv", "--to", REST, "--key", "id", "--target", "headers=a"]
    ended = subprocess.run(
        [sys.executable, "-m", "batchkit", *words], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert ended.returncode == 2, ended.stderr
    assert "target.headers takes a table, not 'a'." in ended.stderr


# Logins


LITERAL: list[Mapping[str, Any]] = [
    {"headers": {"Ocp-Apim-Subscription-Key": "hunter22"}},
    {"headers": {"X-Auth-Key": "hunter22"}},
    {"headers": {"X-API-Key": "hunter22"}},
    {"headers": {"x-functions-key": "hunter22"}},
    {"headers": {"Proxy-Authorization": "Basic hunter22"}},
    {"headers": {"X-Whatever": "Bearer hunter22"}},
    {"create": {"url": "/i", "headers": {"X-API-Key": "hunter22"}}},
    {"create": {"url": "/i", "body": {"id": "{id}", "password": "hunter22"}}},
    {"create": {"url": "/i", "body": {"login": [{"clientSecret": "hunter22"}]}}},
    {"create": {"url": "/i", "body": {"api_key": 12345678}}},
    {"create": {"url": "/i?access_token=hunter22"}},
    {"read": {"url": "/i?key=hunter22&ids={keys}"}},
    {"read": {"url": "/i?ids={keys}&subscription-key=hunter22"}},
    {"check": "/me?token=hunter22"},
]


@pytest.mark.parametrize("options", LITERAL)
def test_a_login_itself_is_refused(options: Mapping[str, Any]) -> None:
    """A key in a header, a body or an address would be stored with each plan."""
    with pytest.raises(UsageError, match=r"would be stored with the plan.*\{secret:NAME\}") as caught:
        open_target(REST, **{**UPDATE, **options})
    assert "hunter22" not in str(caught.value)


def test_a_key_in_the_address_is_refused() -> None:
    """The target's own address is stored too."""
    with pytest.raises(UsageError, match="The parameter subscription-key in the address"):
        open_target(f"{REST}?subscription-key=hunter22", **UPDATE)


HARMLESS: list[Mapping[str, Any]] = [
    {"headers": {"X-API-Key": "{secret:k}", "Idempotency-Key": "a", "X-Token-Type": "x", "X-Monkey": "y"}},
    {"create": {"url": "/i", "body": {"key": "{id}", "token": "{token}", "secret": True, "password": ""}}},
    {"create": {"url": "/i", "body": {"key": "colour", "max_tokens": 300, "password": "{secret:pw}"}}},
    {"create": {"url": "/i", "headers": {"X-API-Key": "Key {secret:k}"}}},
    {"read": {"url": "/i?key=sku&keys={keys}"}},
    {"read": {"url": "/i?key={keys}"}},
    {"read": {"url": "/i?ids={keys}&api_key={secret:k}"}},
    {"read": {"url": "/i?ids={keys}&sort_key=price_2024"}},
]


@pytest.mark.parametrize("options", HARMLESS)
def test_what_is_no_login_is_taken(options: Mapping[str, Any]) -> None:
    """Names of secrets, fields to be filled in, and entries that are called `key` as many are."""
    open_target(REST, **{**UPDATE, **options})


@pytest.mark.parametrize(
    ("name", "tells"),
    [
        ("authorization", True), ("X-Amz-Security-Token", True), ("apiKey", True), ("D360-API-KEY", True),
        ("user_password", True), ("pwd", True), ("pass", True), ("key", False), ("primary_key", False),
        ("boarding_pass", False), ("token_type", False), ("X-Request-Id", False),
    ],
)  # fmt: skip
def test_names_of_logins(name: str, tells: bool) -> None:
    """However it is spelled; a name that only sounds like it is none."""
    assert names_login(name) is tells


@pytest.mark.parametrize(
    ("place", "login"),
    [
        ("h", ("", None)),
        ("demo@h", ("demo", None)),
        ("demo:pw@h:80", ("demo", "pw")),
        ("demo:@h", ("demo", "")),
        ("me%40x.org:{secret:pw}@h", ("me@x.org", "{secret:pw}")),
        ("{secret:u}:{secret:pw}@h", ("{secret:u}", "{secret:pw}")),
        ("{secret:u}@h", ("{secret:u}", None)),
        ("me@x.org:a%3Ab@h", ("me@x.org", "a:b")),
        ("u:a:b@h", ("u", "a:b")),
    ],
)
def test_a_login_is_split_outside_of_braces(place: str, login: tuple[str, str | None]) -> None:
    """User and password, each as its owner writes it; the colon in `{secret:NAME}` parts nothing."""
    assert split_login(place) == login


@pytest.mark.parametrize(
    "login", ["{secret:u}:{secret:pw}", "me%40x.org:{secret:pw}", "me@x.org:{secret:pw}"]
)
def test_the_login_of_the_address_is_sent_as_it_is_meant(login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user that is a secret, or percent-encoded, arrives as the server knows it."""
    monkeypatch.setenv("u", "me@x.org")
    monkeypatch.setenv("pw", "open %41 sesame")
    target = open_target(f"http+https://{login}@api.test/v1", **UPDATE)
    assert isinstance(target, HttpTarget)
    _, _, token = target.resolved_headers()["Authorization"].partition(" ")
    assert base64.b64decode(token).decode() == "me@x.org:open %41 sesame"
