"""Secrets: names in jobs, values only here; and the eraser for everything that is written or shown.

A job says `{secret:NAME}` where a password belongs. The value is looked for, in this order, in

1. the environment: `NAME`, then `BATCHKIT_SECRET_NAME` (upper case);
2. a `.env` file in the working folder, then beside the job file;
3. the operating system's keyring, service `batchkit`, when `keyring` is installed and its backend encrypts.

Every value that was looked up is remembered, so that `redact` can erase it from logs, errors and reports.
"""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from .errors import SecretError
from .storable import storable, storable_all

MASK: Final = "***"
SERVICE: Final = "batchkit"
SHORTEST: Final = 4
"""Shorter values are not erased by value: erasing every `a` would leave no log to read."""

_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.-]*"
_WHOLE: Final = re.compile(rf"secret:({_NAME})")
_PART: Final = re.compile(rf"\{{secret:({_NAME})\}}")
# Up to the last `@` of the word: a password may hold some that its writer forgot to quote.
_URL_PASSWORD: Final = re.compile(r"(\b[A-Za-z][\w+.-]{0,30}://[^\s:/@]*):([^\s\"'<>]*)@")
# As a client reads an address: up to the first `@`; and a number before a slash is a port.
_LOGIN: Final = re.compile(r"(^[A-Za-z][\w+.-]{0,30}://[^\s:/@]*):(?!\d+/)([^\s@]*)@")
_PARAMETER: Final = re.compile(
    r"(?i)([?&;](?:password|passwd|pwd|sslpassword|secret|(?:access_|auth_)?token|api_?key|signature|sig)=)"
    r"([^&;\s\"'<>]+)"
)
_HEADER: Final = re.compile(
    r"(?i)\b(authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|token)\s+)[\w.~+/=-]+"
)

_lock = threading.Lock()
_folders: list[Path] = []
_concealed: dict[str, str] = {}
_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def names(text: str) -> list[str]:
    """The names of the secrets a text refers to, in order."""
    whole = _WHOLE.fullmatch(text.strip())
    return [whole[1]] if whole else _PART.findall(text)


def search_in(folder: Path) -> None:
    """Ask the `.env` of this folder too from now on; a job does so for the folder it was loaded from."""
    with _lock:
        if folder not in _folders:
            _folders.append(folder)


def resolve(text: str) -> str:
    """The text with each `{secret:NAME}` (or a whole `secret:NAME`) replaced by its value.

    Inside an address (`scheme://...`) the value is percent-quoted, so that a password may hold `@` or `/`.

    Args:
        text: An address, a header, anything that may refer to secrets.

    Raises:
        SecretError: A name has no value anywhere.
    """
    whole = _WHOLE.fullmatch(text.strip()) or _PART.fullmatch(text.strip())
    if whole:
        return lookup(whole[1])
    quoted = "://" in text

    def value_of(match: re.Match[str]) -> str:
        value = lookup(match[1])
        return quote(value, safe="") if quoted else value

    return _PART.sub(value_of, text)


def lookup(name: str) -> str:
    """The value behind a name; from then on `redact` knows it.

    Raises:
        SecretError: It has no value in the environment, in `.env`, or in the keyring.
    """
    value = _concealed.get(name) or _from_environment(name) or _from_dotenv(name) or _from_keyring(name)
    if not value:
        line = f"put the line `{name}=...` into a .env file in the working folder or beside the job"
        places = [f"Set the environment variable {_variable(name)}", line]
        # A keyring without a backend, or a locked one, would refuse to hold it, too.
        if any(_ask(backend, name) is not None for backend in _keyrings()):
            places.append(f"store it in the keyring with `keyring set {SERVICE} {name}`")
        raise SecretError(
            f"The secret {name!r} has no value.",
            advice=f"{', or '.join(places)}.",
            name=name,
        )
    register(value)
    return value


def conceal(address: str) -> str:
    """The address with a password written in it replaced by `{secret:NAME}`.

    The value stays in this process only: whoever stores the address stores no password, and whoever resolves
    it here gets it back. Another process needs it from the environment (see `concealed`).
    """

    def kept(match: re.Match[str]) -> bool:
        return not match[2] or _PART.fullmatch(match[2]) is not None

    def named(parameter: str, value: str) -> str:
        return keep(f"{parameter}_{_place(address)}", unquote(value))

    address = _LOGIN.sub(lambda m: m[0] if kept(m) else f"{m[1]}:{named('password', m[2])}@", address)
    return _PARAMETER.sub(lambda m: m[0] if kept(m) else m[1] + named(m[1].strip("?&;="), m[2]), address)


def keep(name: str, value: str) -> str:
    """Keep a value in this process under a name; gives what stands for it, `{secret:NAME}`."""
    name = re.sub(r"\W+", "_", name).strip("_").lower()
    _concealed[name] = value
    register(value)
    return f"{{secret:{name}}}"


def concealed() -> dict[str, str]:
    """Environment variables that give a child process the passwords concealed in this one."""
    return {_variable(name): value for name, value in _concealed.items()}


def is_concealed(name: str) -> bool:
    """Whether this name was made up by `conceal`, so that no other process knows its value."""
    return name in _concealed


def register(value: str) -> None:
    """Remember a secret value, so that `redact` erases it from now on."""
    global _pattern  # noqa: PLW0603  one eraser per process, because logs and errors are too
    if len(value) < SHORTEST:
        return
    with _lock:
        _known.update(_spellings(value))
        _pattern = re.compile("|".join(re.escape(each) for each in sorted(_known, key=len, reverse=True)))


def _spellings(value: str) -> set[str]:
    """The value as it appears in an address, in JSON (with or without escapes for letters), and in a repr."""
    written = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1])
    return {value, quote(value, safe=""), quote(value), quote_plus(value), *written}


def redact(text: str) -> str:
    """The text with known secret values, passwords in addresses and login headers replaced by `***`.

    It is storable as well: what passes here goes to journals, logs and screens.
    """
    text = storable(text)
    if _pattern is not None:
        text = _pattern.sub(MASK, text)
    if "://" in text:
        text = _URL_PASSWORD.sub(_masked, text)
    if "=" in text:
        text = _PARAMETER.sub(rf"\1{MASK}", text)
    return _HEADER.sub(rf"\1{MASK}", text)


def redact_all(value: Any) -> Any:
    """`redact` for every string inside lists, tuples and dicts; the names in a dict are made storable."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {storable_all(key): redact_all(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [redact_all(each) for each in value]
    return value


def exposes_password(text: str) -> bool:
    """Whether a text holds what looks like a password itself, rather than the name of one."""
    bare = _PART.sub("", text)
    passwords = [match[2] for match in _URL_PASSWORD.finditer(bare)]
    return any(passwords) or bool(_PARAMETER.search(bare)) or bool(_HEADER.search(bare))


def _masked(match: re.Match[str]) -> str:
    # The name of a secret is no secret, and an operator who reads it knows what to set.
    return match[0] if not match[2] or _PART.fullmatch(match[2]) else f"{match[1]}:{MASK}@"


def _place(address: str) -> str:
    return urlsplit(_LOGIN.sub(r"\1@", address)).netloc


def _variable(name: str) -> str:
    plain = re.sub(r"\W", "_", name)
    return f"BATCHKIT_SECRET_{plain.upper()}"


def _from_environment(name: str) -> str | None:
    return os.environ.get(name) or os.environ.get(_variable(name))


def _from_dotenv(name: str) -> str | None:
    for place in dict.fromkeys([Path.cwd(), *_folders]):
        path = place / ".env"
        if path.is_file():
            from dotenv import dotenv_values

            # No interpolation: a `$` in a password is a dollar sign.
            found = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
            value = found.get(name) or found.get(_variable(name))
            if value:
                return value
    return None


def _from_keyring(name: str) -> str | None:
    return next((answer for backend in _keyrings() if (answer := _ask(backend, name))), None)


def _keyrings() -> list[Any]:
    """The backends of the system's keyring that encrypt."""
    try:
        import keyring
        from keyring.backends import chainer
    except ImportError:
        return []
    backend = keyring.get_keyring()
    backends = backend.backends if isinstance(backend, chainer.ChainerBackend) else [backend]
    return [each for each in backends if _encrypts(each)]


def _ask(backend: Any, name: str) -> str | None:
    """What a backend holds under a name: nothing is an empty text, and None that it doesn't answer."""
    try:
        return backend.get_password(SERVICE, name) or ""
    except Exception:  # noqa: BLE001  a locked or broken keyring is as good as none: the advice names the others
        return None


def _encrypts(backend: Any) -> bool:
    kind = f"{type(backend).__module__}.{type(backend).__qualname__}".lower()
    return not any(word in kind for word in ("plaintext", "fail", "null"))
