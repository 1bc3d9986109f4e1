"""Addresses of databases as people write them, and the same without their password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.errors import UsageError
from ...core.registry import plain_host

if TYPE_CHECKING:
    from sqlalchemy import URL

SECRET_OPTIONS = ("password", "sslpassword", "passfile")
_PORT = 5432  # PostgreSQL's own
PLACEHOLDER = re.compile(r"\{secret:[^{}]+\}")


@dataclass(frozen=True, slots=True)
class Address:
    """A parsed address.

    Attributes:
        dialect: `sqlite` or `postgresql`.
        shown: The address without any password; safe on screens, in plans and in logs.
        stored: As `shown`, with `{secret:NAME}` placeholders kept, so that a later process can log in.
        path: The SQLite file, absolute; None for a server.
        url: The server's address as SQLAlchemy reads it, placeholders unresolved; None for SQLite.
    """

    dialect: str
    shown: str
    stored: str
    path: Path | None = None
    url: URL | None = field(default=None, repr=False)

    @property
    def place(self) -> str:
        """Where the database is, in one spelling: the file behind any link, the server without a login."""
        if self.url is None:
            # Asked each time: a link may lead elsewhere by now.
            return os.path.normcase(os.path.realpath(self.path or ""))
        url = self.url
        said = {name: url.query[name] for name in ("host", "port", "options") if name in url.query}
        return f"{plain_host(url.host or '')}:{url.port or _PORT}/{url.database} {sorted(said.items())}"

    def login_url(self) -> URL:
        """The server's address with its secrets filled in. Never show or store it.

        Raises:
            SecretError: A placeholder names a secret that has no value.
        """
        if self.url is None:
            raise UsageError(f"{self.shown} is a file, not a server.")
        url = self.url
        if url.password and PLACEHOLDER.search(str(url.password)):
            from ...core.secrets import resolve

            url = url.set(password=resolve(str(url.password)))
        return url

    def redact(self, text: str) -> str:
        """`text` without the password, should a driver have repeated it."""
        password = str(self.url.password) if self.url is not None and self.url.password else ""
        return text.replace(password, "***") if password and not PLACEHOLDER.search(password) else text


def parse_address(text: str) -> Address:
    """Read an address such as `sqlite:///companies.sqlite` or `postgresql://user@host:5432/db?host=/socket`.

    Raises:
        UsageError: It is neither, or its parts can't be told apart. The message never repeats a password.
    """
    scheme = text.split(":", 1)[0].lower()
    if scheme == "sqlite":
        return _sqlite(text)
    if scheme.split("+", 1)[0] in {"postgres", "postgresql"}:
        return _postgres(text)
    advice = "Write sqlite:///file.sqlite or postgresql://user@host:5432/database."
    raise UsageError(f"{scheme}: is not a database that batchkit knows.", advice=advice)


def _sqlite(text: str) -> Address:
    rest = text.split(":", 1)[1]
    slashes = len(rest) - len(rest.lstrip("/"))
    rest = rest[min(slashes, 3) :] if slashes >= 2 else rest
    if not rest or rest == ":memory:":
        advice = "Name a file: sqlite:///companies.sqlite."
        raise UsageError("A database in memory is gone before anyone can look at it.", advice=advice)
    path = Path(rest).expanduser().absolute()
    shown = f"sqlite:///{path.as_posix()}"
    return Address("sqlite", shown, shown, path=path)


def _postgres(text: str) -> Address:
    from sqlalchemy import URL, make_url
    from sqlalchemy.exc import ArgumentError

    body = text.split("://", 1)[1] if "://" in text else ""
    try:
        url = make_url("postgresql+psycopg://" + body)
    except (ArgumentError, ValueError):
        url = None
    if url is None or not body:
        advice = "Write postgresql://user@host:5432/database; in a password, put %40 for @ and %3A for :."
        raise UsageError("The address of the PostgreSQL server can't be read.", advice=advice) from None
    open_options = {name: value for name, value in url.query.items() if name.lower() not in SECRET_OPTIONS}
    public = URL.create("postgresql", url.username, None, url.host, url.port, url.database, open_options)
    stored = shown = public.render_as_string(hide_password=False)
    if url.password and not PLACEHOLDER.fullmatch(str(url.password)) and "{secret:" in str(url.password):
        raise UsageError(
            "The password in the address is a placeholder and something else beside it.",
            advice="Write {secret:NAME} alone, and put the whole password behind that name.",
        )
    if url.password and PLACEHOLDER.fullmatch(str(url.password)):
        name = str(url.password)
        stored = shown.replace("@", f":{name}@", 1)
    return Address("postgresql", shown, stored, url=url)


def local_file(address: str) -> Path | None:
    """The file that an address means, so that nothing else is written over it; None for a server."""
    return parse_address(address).path if address.split(":", 1)[0].lower() == "sqlite" else None
