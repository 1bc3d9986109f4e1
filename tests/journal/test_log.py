"""The log of a run: one JSON line for each event, and no secret in any of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core import secrets
from batchkit.journal.log import RunLog


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of one test is known to the next."""
    monkeypatch.setattr(secrets, "_known", set())
    monkeypatch.setattr(secrets, "_pattern", None)


def texts(value: object) -> list[str]:
    """Every text inside a value."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(
    "password", ['pé"ss1234', "pé\\ss1234", "pé\nss1234", "pé'ss\"1234", "a/b@c d", "päss"]
)
def test_no_password_reaches_the_log(tmp_path: Path, password: str) -> None:
    """With quotes, backslashes or line ends beside an accent: gone from texts, lists and errors alike."""
    secrets.register(password)
    path = tmp_path / "log.jsonl"
    RunLog(path).write(
        "failed", reason=f"login {password} refused", tried=[password], error=ValueError(password)
    )
    [line] = path.read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    assert not any(password in text for text in texts(entry))
    assert entry["reason"] == "login *** refused"
    assert entry["tried"] == ["***"]
    assert entry["error"] == "***"


@given(st.text(st.characters(codec="utf-8"), min_size=4, max_size=20), st.booleans())
def test_a_password_is_erased_from_json_too(password: str, ascii_only: bool) -> None:
    """What was dumped before it was blacked out holds it no more, however JSON spells its letters."""
    secrets.register(password)
    dumped = json.dumps(f"<{password}>", ensure_ascii=ascii_only)
    assert password not in json.loads(secrets.redact(dumped)).replace(secrets.MASK, "")
