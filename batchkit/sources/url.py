"""A CSV or Excel file at an address of the web."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import unquote, urlsplit

from annotated_types import Gt
from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from ..core import secrets
from ..core.errors import SourceError, UsageError
from ..core.model import LENIENT, Takes
from ..targets.http.answer import Answer
from ..targets.http.download import download, look
from ..targets.http.failures import HttpError
from ..targets.http.logins import conceal_in_query
from ..targets.http.options import READ_TIMEOUT, HttpOptions, Time, no_flag
from .fetched import Fetched, FetchedSource

_LOGIN: Final = (
    "Name a login that may read it: https://USER:{secret:NAME}@host/..., or "
    'source = {address = ..., headers = {Authorization = "Bearer {secret:NAME}"}} in a job file.'
)
_NETWORK: Final = "Check the address and the connection, then try again."
_GONE: Final = "Check the address; what it named may have moved."
_ADVICE: Final[Mapping[str, str]] = {
    "401": _LOGIN,
    "403": _LOGIN,
    "login page": _LOGIN,
    "404": _GONE,
    "410": _GONE,
    "connection": _NETWORK,
    "connect timeout": _NETWORK,
    "timeout": _NETWORK,
    "html": "Open it in a browser: the file itself may be behind a link on that page.",
}
"""What to do, by the rule of the failure."""

_A_LOOK: Final = 5.0  # seconds for a question that nothing hangs on

_OTHERWISE: Final = "Try again later, or download the file and name that."


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class UrlOptions(HttpOptions):
    """How a file at an address is fetched."""

    read_timeout: Time = READ_TIMEOUT
    """Seconds of silence from the server."""

    max_mb: Annotated[float, BeforeValidator(no_flag), Gt(0), Takes("a number above zero")] = 1024.0
    """Megabytes that the file may have."""


class UrlSource(FetchedSource):
    """A CSV or Excel file at an address.

    Args:
        address: `https://host/companies.csv`. A login belongs there as `https://USER:{secret:NAME}@host/...`;
            a password, a token or a signature that stands there itself is kept in this process alone.
        **given: What `UrlOptions` holds, and how the file is read; see `tables.open_table`.

    Raises:
        UsageError: The address isn't one of the web, or an entry is wrong.
    """

    model = UrlOptions

    def __init__(self, address: str, **given: Any) -> None:
        super().__init__(conceal_in_query(secrets.conceal(address.strip())), **given)
        if not _is_of_the_web(self.address):
            advice = "Write one such as https://host/companies.csv."
            raise UsageError(f"{secrets.redact(address)} is no address of the web.", advice=advice)

    def fetch(self, path: Path) -> Fetched:  # noqa: D102 - the base class says it
        try:
            answer = download(
                secrets.resolve(self.address),
                path,
                headers=self.says.headers,
                limit=int(self.says.max_mb * 1024 * 1024),
                connect=self.says.connect_timeout,
                read=self.says.read_timeout,
            )
        except HttpError as error:
            raise self._refusal(error) from None
        return Fetched(_name(answer, self.address), _version(answer))

    def version(self) -> dict[str, Any]:  # noqa: D102 - the base class says it
        try:
            answer = look(
                secrets.resolve(self.address),
                headers=self.says.headers,
                connect=min(self.says.connect_timeout, _A_LOOK),
                read=min(self.says.read_timeout, _A_LOOK),
            )
        except HttpError as error:
            raise self._refusal(error) from None
        return _version(answer)

    def _refusal(self, error: HttpError) -> SourceError:
        failure = error.failure
        advice = failure.advice if failure.rule in ("size", "certificate", "redirect") else ""
        message = f"{self.address}: {secrets.redact(failure.reason).rstrip('.')}."
        advice = _ADVICE.get(failure.rule) or advice or _OTHERWISE
        return SourceError(message, advice=advice, address=self.address, rule=failure.rule)


def _version(answer: Answer) -> dict[str, Any]:
    known = {"etag": answer.headers.get("etag"), "last_modified": answer.headers.get("last-modified")}
    return {name: said for name, said in known.items() if said}


def _is_of_the_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that isn't closed
        return False


def _name(answer: Answer, address: str) -> str:
    """What the file is called: as its server says, else by where it came from in the end."""
    said = answer.headers.get("content-disposition", "")
    if match := re.search(r"(?i)filename\*\s*=\s*(?:utf-8|iso-8859-1)''([^;]+)", said):
        return unquote(match[1].strip())
    if match := re.search(r'(?i)filename\s*=\s*(?:"([^"]+)"|([^;\s]+))', said):
        return match[1] or match[2]
    parts = [unquote(urlsplit(url).path).rpartition("/")[2] for url in (answer.url, address)]
    named = [part for part in parts if Path(part).suffix]
    return next(iter([*named, *filter(None, parts), urlsplit(address).hostname or "table"]))
