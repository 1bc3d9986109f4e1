"""Models of options: what a wrong entry says, and what a model says of itself."""

from __future__ import annotations

from dataclasses import KW_ONLY, field, replace
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field
from pydantic.dataclasses import dataclass

from batchkit.core import secrets
from batchkit.core.errors import BatchkitError, JobError, UsageError
from batchkit.core.model import LENIENT, STRICT, Place, Takes, entries, read, told_at

PLACE = Place("target.", "target has no entry", "The target", near=("headers",))


@dataclass(frozen=True, config=LENIENT)
class Inner:
    """A table inside a table."""

    url: str
    """Where."""

    many: Annotated[int, Field(ge=1)] = 10
    """How many."""


@dataclass(frozen=True, config=LENIENT)
class Outer:
    """A table."""

    read: Inner | None = None
    """How it is read,
    in two lines."""

    mode: Literal["fast", "safe"] = "safe"
    """How."""

    size: Annotated[int, Field(ge=1, le=9), Takes("a size", "3")] | None = None
    """How large."""

    headers_of: dict[str, str] = field(default_factory=dict)
    """Headers."""


@told_at(lambda given: Place(f"Thing {given.get('name')!r}: ", "A thing has no entry", "The thing", JobError))
@dataclass(frozen=True, config=STRICT)
class Thing:
    """A thing that is made in Python."""

    name: str
    """Its name."""
    _: KW_ONLY
    flag: bool = False
    """Whether."""


@pytest.mark.parametrize(
    ("given", "message", "advice"),
    [
        ({"mod": "fast"}, "target has no entry 'mod'.", "Did you mean 'mode'?"),
        ({"header": {}}, "target has no entry 'header'.", "Did you mean 'headers'"),
        ({"mode": "fats"}, "target.mode can't be 'fats'.", "Did you mean 'fast'?"),
        ({"size": 10}, "target.size takes a size, not 10.", "Write size = 3."),
        ({"read": "/x"}, "target.read takes a table, not '/x'.", ""),
        ({"read": {"many": 2}}, "target.read doesn't say its url.", "Write url = "),
        ({"read": {"url": "/x", "man": 2}}, "target.read has no entry 'man'.", "Did you mean 'many'?"),
        ({"read": {"url": "/x", "many": 0}}, "target.read.many takes a whole number from 1 up, not 0.", ""),
        ({"read": {"url": 3}}, "target.read.url takes text, not 3.", ""),
        ({"headers_of": {"X-Shop": ["a"]}}, "target.headers_of.X-Shop takes text, not a list.", ""),
    ],
)
def test_a_wrong_entry_is_told(given: dict[str, Any], message: str, advice: str) -> None:
    """Which entry, what is wrong with it, and what to write, however deep it stands."""
    with pytest.raises(UsageError) as caught:
        read(Outer, given, PLACE)
    assert caught.value.message == message
    assert caught.value.advice.startswith(advice)
    assert caught.value.__cause__ is None, "pydantic's own words are nobody's business"


def test_no_secret_is_told() -> None:
    """What is known to be a secret stays one, also as a value of the wrong kind."""
    secrets.register("hush-hush")
    with pytest.raises(BatchkitError) as caught:
        read(Outer, {"read": "https://bob:hush-hush@h"}, PLACE)
    assert "hush-hush" not in f"{caught.value!r} {caught.value}"


@pytest.mark.parametrize(
    "given",
    [
        {"headers_of": {"Authorization": ["Bearer s3cret-s3cret"]}},
        {"headers_of": "Authorization: Bearer s3cret-s3cret"},
        {"read": "https://bob:s3cret-s3cret@host/items"},
        {"size": "postgresql://bob:s3cret-s3cret@host/db"},
    ],
)
def test_what_looks_like_a_login_is_not_told(given: dict[str, Any]) -> None:
    """A login that somebody put in the wrong place isn't repeated on the screen or in a log."""
    with pytest.raises(UsageError) as caught:
        read(Outer, given, PLACE)
    assert "s3cret" not in f"{caught.value!r} {caught.value} {caught.value.facts}"


def test_a_model_is_made_as_any_dataclass() -> None:
    """By place, by name, and from another."""
    assert Thing("a") == Thing(name="a")
    assert replace(Thing("a"), flag=True) == Thing("a", flag=True)
    with pytest.raises(JobError, match=r"Thing 'a': flag takes true or false, not 3\."):
        replace(Thing("a"), flag=3)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(JobError, match="Did you mean 'flag'"):
        Thing("a", flags=True)  # type: ignore[call-arg]  # what is refused
    with pytest.raises(TypeError):
        Thing("a", True)  # type: ignore[call-arg]  # what is refused


def test_a_model_describes_itself() -> None:
    """What pages and forms show of an entry: help in one line, default, kind, choices, bounds."""
    known = entries(Outer)
    assert known["read"].help == "How it is read, in two lines."
    assert known["mode"].choices == ("fast", "safe")
    assert known["mode"].takes == "fast or safe"
    assert (known["size"].takes, known["size"].example) == ("a size", "3")
    assert entries(Inner)["many"].default == 10
    assert "    flag: Whether." in str(Thing.__doc__)
