"""A job as its file holds it: plain values, paths relative to the file, and never a password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..core import secrets
from ..core.errors import JobError

_FILE_ADDRESS: Final = re.compile(r"(?P<scheme>sqlite(?:\+\w+)?:///)(?P<path>[^?]+)(?P<rest>.*)", re.DOTALL)

_PASSWORD: Final = re.compile(r"[\w+.-]+://[^/@:]*:([^/]*)@")
_PLACEHOLDER: Final = re.compile(r"\{secret:[^{}]+\}")


def move_address(address: str, base: Path, folder: Path | None) -> str:
    """The address with the path of its file, if it has one, whole or relative to `folder`."""
    match = _FILE_ADDRESS.fullmatch(address)
    if match is None or match["path"] == ":memory:":
        return address
    path = (base / Path(match["path"]).expanduser()).absolute()
    return f"{match['scheme']}{make_relative(path, folder)}{match['rest']}"


def make_relative(path: Path, folder: Path | None) -> str:
    """The path relative to a folder it lies under; else whole."""
    if folder is not None and path.is_relative_to(folder):
        return path.relative_to(folder).as_posix()
    return path.as_posix()


def to_toml_value(value: Any) -> Any:
    """A value as TOML knows it: no null, no tuple, no path."""
    if isinstance(value, Mapping):
        return {str(name): to_toml_value(each) for name, each in value.items() if each is not None}
    if isinstance(value, (list, tuple)):
        return [to_toml_value(each) for each in value]
    return value.as_posix() if isinstance(value, Path) else value


def refuse_passwords(plain: Any, place: str = "") -> None:
    """Make sure that no text inside `plain` looks like a password itself.

    Raises:
        JobError: One does; says where, and how to name it instead.
    """
    if isinstance(plain, Mapping):
        for name, value in plain.items():
            refuse_passwords(value, f"{place}.{name}".strip("."))
    elif isinstance(plain, list):
        for value in plain:
            refuse_passwords(value, place)
    elif isinstance(plain, str) and _holds_password(plain, place):
        raise JobError(
            f"The job's {place!r} holds a password, which no job file may.",
            advice="Write {secret:NAME} in its place, and set NAME in the environment, .env or the keyring.",
            place=place,
        )


def refuse_mixed_password(address: str) -> None:
    """Make sure that a placeholder in an address is the whole password: a part of one can't be stored.

    Raises:
        JobError: Something else stands beside it.
    """
    match = _PASSWORD.match(address)
    if match and "{secret:" in match[1] and not _PLACEHOLDER.fullmatch(match[1]):
        raise JobError(
            "The password in the address is a placeholder and something else beside it.",
            advice="Write {secret:NAME} alone, and put the whole password behind that name.",
        )


_TELLING: Final = re.compile(
    r"(?i)(^|[_.-])(password|passwd|pwd|secret|token|api[_-]?key|authorization|cookie)$"
)


def _holds_password(text: str, place: str) -> bool:
    # A password that was written into an address was given a name, which no other process knows.
    if secrets.exposes_password(text) or any(map(secrets.is_concealed, secrets.names(text))):
        return True
    telling = place.startswith(("settings", "source", "target")) and _TELLING.search(place) is not None
    return bool(text) and telling and not secrets.names(text)
