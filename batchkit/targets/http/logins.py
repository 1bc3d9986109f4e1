"""Logins: taken from an address, and kept out of what is stored with plans."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

from ...core import secrets
from ...core.errors import UsageError

_LOGIN_NAME: Final = re.compile(
    r"(authorization|cookie|token|secret|passw(or)?d|passphrase|credentials?|^pwd|^pass"
    r"|(api|auth|access|account|admin|app|application|client|consumer|developer|functions|license|master|partner"
    r"|private|secret|service|shared|subscription|user)key)$"
)
"""Names of headers, parameters and entries that hold a login, without their `-` and `_`."""

_LOGIN_VALUE: Final = re.compile(r"(?i)(basic|bearer|token)\s+\S{8,}")
_LIKE_A_KEY: Final = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w~+/=.-]{8,}")
_IN_QUERY: Final = re.compile(r"([?&;])([^=&;?#]+)=([^&;#]*)")
_PLACE: Final = re.compile(r"\{[^{}]+\}")
_ADVICE: Final = "Write {secret:NAME} in its place, and set NAME in the environment, .env or keyring."


def split_login(place: str) -> tuple[str, str | None]:
    """The user and the password in an address, percent-encoding undone; `{secret:NAME}` stays as it is.

    Args:
        place: What the address has between `://` and the next slash, such as `me%40x.org:{secret:pw}@host`.

    Returns:
        User and password; the user is empty where there is no login, the password None where there is none.
    """
    login = place.rpartition("@")[0]
    # A colon inside braces parts `secret` from its name.
    bare = _PLACE.sub(lambda match: "_" * len(match[0]), login)
    user, colon, _ = bare.partition(":")
    at = len(user)
    return unquote(login[:at]), unquote(login[at + 1 :]) if colon else None


def without_login(url: str) -> str:
    """The address without user and password."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"


def login_headers(url: str, headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of every request, with the values of secrets and the login that the address has.

    Raises:
        SecretError: A secret has no value.
    """
    resolved = {name: secrets.resolve(text) for name, text in headers.items()}
    user, password = split_login(url.partition("://")[2].partition("/")[0])
    if (user or password) and "authorization" not in {name.lower() for name in resolved}:
        resolved["Authorization"] = basic(secrets.resolve(user), secrets.resolve(password or ""))
    return resolved


def basic(user: str, password: str) -> str:
    """What logs somebody in, for a header; a secret from now on."""
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    secrets.register(token)
    return f"Basic {token}"


def names_login(name: str) -> bool:
    """Whether a header, a parameter or an entry of a body with that name holds a login."""
    return bool(_LOGIN_NAME.search(re.sub(r"[^a-z]", "", name.lower())))


def refuse_in_headers(headers: Mapping[str, str]) -> None:
    """Make sure that no header holds a login itself.

    Raises:
        UsageError: One does.
    """
    for name, text in headers.items():
        if (names_login(name) or _LOGIN_VALUE.match(text)) and text and not secrets.names(text):
            raise _stored(f"The header {name}")


def refuse_in_body(body: Any, place: str) -> None:
    """Make sure that no entry of a body, however deep, holds a login itself.

    Args:
        body: The template: tables, lists and texts; a text with `{name}` in it is filled in, and no login.
        place: Where it stands, such as `target.create.body`.

    Raises:
        UsageError: One does.
    """
    if isinstance(body, Mapping):
        for name, held in body.items():
            literal = isinstance(held, str | int) and not isinstance(held, bool) and str(held)
            if literal and names_login(str(name)) and not _PLACE.search(literal):
                raise _stored(f"{place}.{name}")
            refuse_in_body(held, f"{place}.{name}")
    elif isinstance(body, list | tuple):
        for held in body:
            refuse_in_body(held, place)


def refuse_in_query(url: str, place: str) -> None:
    """Make sure that no parameter of an address holds a login itself.

    Raises:
        UsageError: One does.
    """
    for name, text in parse_qsl(url.partition("?")[2].partition("#")[0]):
        if _is_login(name, text):
            raise _stored(f"The parameter {name} in {place}")


def conceal_in_query(url: str) -> str:
    """The address with each login in its parameters replaced by `{secret:NAME}`; see `secrets.conceal`."""

    def named(match: re.Match[str]) -> str:
        name, text = unquote_plus(match[2]), unquote_plus(match[3])
        return (
            f"{match[1]}{match[2]}={secrets.keep(f'{name}_{urlsplit(url).hostname}', text)}"
            if _is_login(name, text)
            else match[0]
        )

    return _IN_QUERY.sub(named, url)


def _is_login(name: str, text: str) -> bool:
    # `key` names a field as often as it holds a key, and only a key looks like one.
    lower = name.lower()
    is_key = lower == "key" and _LIKE_A_KEY.fullmatch(text) is not None
    telling = names_login(name) or is_key or lower == "sig" or lower.endswith("signature")
    return bool(text) and telling and not _PLACE.search(text)


def _stored(what: str) -> UsageError:
    return UsageError(f"{what} holds a login itself, which would be stored with the plan.", advice=_ADVICE)
