"""Secrets: found by name in three places, and erased from all that is shown."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core import secrets
from batchkit.core.errors import SecretError


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No secret of one test is known to the next, and no keyring of this machine is asked."""
    for name, empty in (("_known", set()), ("_pattern", None), ("_folders", []), ("_concealed", {})):
        monkeypatch.setattr(secrets, name, empty)
    monkeypatch.setitem(sys.modules, "keyring", None)
    monkeypatch.chdir(tmp_path)


def keyring_of(backend: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a keyring with this backend in the place of the machine's."""
    module, chainer = types.ModuleType("keyring"), types.ModuleType("keyring.backends.chainer")
    backends = types.ModuleType("keyring.backends")
    chainer.ChainerBackend = type("ChainerBackend", (), {})  # type: ignore[attr-defined]
    backends.chainer = chainer  # type: ignore[attr-defined]
    module.get_keyring = lambda: backend  # type: ignore[attr-defined]
    for name, each in (
        ("keyring", module),
        ("keyring.backends", backends),
        ("keyring.backends.chainer", chainer),
    ):
        monkeypatch.setitem(sys.modules, name, each)


class Backend:
    """A keyring that holds one password."""

    def get_password(self, service: str, name: str) -> str | None:
        """The password."""
        return "from-keyring" if (service, name) == ("batchkit", "shop") else None


class PlaintextKeyring(Backend):
    """One that would keep it readable for anybody."""


def test_resolve_environment_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment wins over `.env`, by the name itself or by BATCHKIT_SECRET_NAME."""
    (tmp_path / ".env").write_text("shop=from-file\nother=$HOME#1\n")
    monkeypatch.setenv("BATCHKIT_SECRET_SHOP", "from-environment")
    assert secrets.resolve("secret:shop") == "from-environment"
    monkeypatch.setenv("shop", "by-its-name")
    assert secrets.resolve("{secret:shop}") == "by-its-name"
    assert secrets.resolve("secret:other") == "$HOME#1"


def test_resolve_dotenv_beside_job(tmp_path: Path) -> None:
    """A `.env` beside the job file is asked once the job says where that is."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / ".env").write_text("shop='beside the job'\n")
    with pytest.raises(SecretError):
        secrets.lookup("shop")
    secrets.search_in(tmp_path / "jobs")
    assert secrets.lookup("shop") == "beside the job"


def test_resolve_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keyring is asked last, and only one that encrypts."""
    keyring_of(Backend(), monkeypatch)
    assert secrets.lookup("shop") == "from-keyring"
    keyring_of(PlaintextKeyring(), monkeypatch)
    with pytest.raises(SecretError):
        secrets.lookup("shop")


def test_resolve_quotes_inside_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password with `@` and `/` is quoted in an address, and taken as it is elsewhere."""
    monkeypatch.setenv("shop", "p@ss/w:rd")
    assert secrets.resolve("postgresql://u:{secret:shop}@h/db") == "postgresql://u:p%40ss%2Fw%3Ard@h/db"
    assert secrets.resolve("Basic {secret:shop}") == "Basic p@ss/w:rd"
    assert secrets.resolve("no secret here") == "no secret here"


class LockedKeyring(Backend):
    """A keyring that nobody has opened."""

    def get_password(self, *_: str) -> str | None:
        """Refuse."""
        raise RuntimeError("locked")


@pytest.mark.parametrize(
    ("backend", "named"), [(Backend, True), (LockedKeyring, False), (PlaintextKeyring, False)]
)
def test_only_a_keyring_that_works_is_advised(
    backend: type[Any], named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the keyring is locked, or has no backend that encrypts, the other places are named alone."""
    keyring_of(backend(), monkeypatch)
    with pytest.raises(SecretError) as caught:
        secrets.lookup("nowhere")
    assert ("keyring set batchkit nowhere" in caught.value.advice) is named
    assert "BATCHKIT_SECRET_NOWHERE" in caught.value.advice


def test_missing_secret_names_the_places() -> None:
    """A name without a value is an error that says where to put one."""
    with pytest.raises(SecretError, match="nowhere") as caught:
        secrets.resolve("{secret:nowhere}")
    assert "BATCHKIT_SECRET_NOWHERE" in caught.value.advice
    assert ".env" in caught.value.advice
    assert "keyring" not in caught.value.advice  # there is none here


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://bob:hush@h:5432/db", "postgresql://bob:***@h:5432/db"),
        ("redis://:hush@h", "redis://:***@h"),
        ("postgresql://bob:a@b/c@h/db failed", "postgresql://bob:***@h/db failed"),
        ("https://h/x?token=hush&page=2", "https://h/x?token=***&page=2"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("{'Authorization': 'Basic aHVzaA=='}", "{'Authorization': 'Basic ***'}"),
        ("postgresql://u:{secret:pg}@h/db", "postgresql://u:{secret:pg}@h/db"),
        ("https://h:8080/page and sqlite:///c.sqlite", "https://h:8080/page and sqlite:///c.sqlite"),
        ("mail bob@example.org at 10:30", "mail bob@example.org at 10:30"),
    ],
)
def test_redact_addresses(text: str, shown: str) -> None:
    """Passwords in addresses and headers are erased without being known; the rest stays."""
    assert secrets.redact(text) == shown


@given(value=st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=4, max_size=30))
def test_redact_known_values(value: str) -> None:
    """A registered value is erased as it is, as an address has it, as JSON has it and as a repr has it."""
    secrets.register(value)
    for written in (value, quote(value, safe=""), repr(value)):
        assert value not in secrets.redact(f"[{written}]").replace(secrets.MASK, "")


def test_redact_all_reaches_inside() -> None:
    """Nested values are erased too; numbers stay."""
    secrets.register("sesame-open")
    assert secrets.redact_all({"a": ["sesame-open", 3, ("x sesame-open",)]}) == {"a": ["***", 3, ["x ***"]]}


def test_short_values_are_left() -> None:
    """Registering a value such as `a` doesn't blot out every log line."""
    secrets.register("abc")
    assert secrets.redact("abc abacus") == "abc abacus"


def test_conceal_gives_the_password_a_name() -> None:
    """A written password leaves the address, yet this process can still log in, and so can its child."""
    address = secrets.conceal("postgresql://bob:p%40ss@db.example.org:5432/shop")
    assert "p%40ss" not in address
    assert "p@ss" not in address
    assert secrets.resolve(address) == "postgresql://bob:p%40ss@db.example.org:5432/shop"
    assert list(secrets.concealed().values()) == ["p@ss"]
    assert secrets.redact("got p@ss") == "got ***"
    assert secrets.conceal(address) == address
    assert secrets.conceal("sqlite:///c.sqlite") == "sqlite:///c.sqlite"


def test_exposes_password() -> None:
    """A password itself is told from the name of one."""
    assert secrets.exposes_password("postgresql://u:p@h/db")
    assert secrets.exposes_password("https://h/?api_key=1234")
    assert not secrets.exposes_password("postgresql://u:{secret:p}@h/db")
    assert not secrets.exposes_password("postgresql://u@h/db")
