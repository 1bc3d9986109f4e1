"""The base of the targets behind HTTP."""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit

import httpx

from ...core import secrets
from ...core.errors import UsageError
from ...core.registry import plain_host
from ..base import CallTarget, Failure, Fate
from .answer import Answer, Unreadable
from .client import BODY_LIMIT, HttpClient
from .failures import HttpError, as_target_error, json_of, judge, judge_body, judge_error, of_read, went_out
from .logins import login_headers, refuse_in_query, without_login
from .options import HttpOptions
from .requests import Value, aside

READ_LIMIT: Final = 64 * 1024 * 1024
"""Bytes an answer to a read may have: a list of a hundred items can be long."""

_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REPEATABLE: Final = _READS | {"PUT", "DELETE"}
_PORTS: Final = {"http": 80, "https": 443}
_FIRST_LOOKS: Final = 3
_UNANSWERED: Final = frozenset({"broken off", "timeout"})
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

Options = TypeVar("Options", bound=HttpOptions)


class HttpTarget(CallTarget, Generic[Options]):
    """A target that is spoken to over HTTP.

    Args:
        url: `<kind>+https://[user@]host[:port][/path]`. A password belongs there as `{secret:NAME}`.
        key: Fields that identify an item.
        mode: How the job writes.
        transport: Sends instead of the real one; for tests.
        **options: What the job says of it, as its `model` holds it.

    Raises:
        UsageError: The address isn't one of HTTP or holds a login itself, or an option is wrong.
    """

    model: type[Options]
    paced = True
    call_size = 1
    read_size = 2_000  # what is read of each may be a whole article

    def __init__(
        self,
        url: str,
        *,
        key: Sequence[str] = (),
        mode: str = "upsert",
        transport: httpx.AsyncBaseTransport | None = None,
        **options: Any,
    ) -> None:
        self._says = self.model.of(options)
        self._url, self._mode, self._options = url, mode, options
        self.keys = tuple(key)
        self._given_headers = dict(self._says.headers)
        self._transport = transport
        self._client: HttpClient | None = None
        self._lone: HttpClient | None = None
        self._fresh = False
        url = self._written_out(url)
        kind, plus, rest = url.partition("+")
        self._base = rest if plus and "://" not in kind else url
        try:
            parts = httpx.URL(self._base.replace("{", "%7B").replace("}", "%7D"))
        except httpx.InvalidURL:
            parts = httpx.URL("")
        if parts.scheme not in ("http", "https") or not parts.host:
            advice = "Write one such as http+https://api.example/v1."
            raise UsageError(f"{secrets.redact(url)} is not an address of HTTP.", advice=advice)
        refuse_in_query(self._base, "the address")

    def _written_out(self, url: str) -> str:
        """The address in full, where a target has a shorter way to write it."""
        return url

    # What the base class asks for

    def describe(self) -> dict[str, Any]:  # noqa: D102 - the base class says it
        return {"url": self.address, "key": list(self.keys), "mode": self._mode, **self._options}

    @property
    def address(self) -> str:
        """The address, with the names of secrets instead of their values."""
        return secrets.redact(self._url)

    @property
    def destination(self) -> str:
        """The address that requests go to, whoever logs in: host in small letters, no slash at its end."""
        parts = urlsplit(without_login(self._base))
        port = "" if parts.port in (None, _PORTS.get(parts.scheme)) else f":{parts.port}"
        host = plain_host(parts.hostname or "")
        return parts._replace(netloc=f"{host}{port}", path=parts.path.rstrip("/")).geturl()

    @abstractmethod
    def probe(self) -> str | None:
        """The address that tells whether the target is there and takes the login; None asks nothing."""

    def connect(self) -> None:
        """Look whether somebody answers and takes the login.

        Raises:
            TargetError: The login is refused, or the address leads elsewhere.
            TargetUnreachable: Nobody answers.
        """
        self.resolved_headers()
        url = self.probe()
        if url is not None:
            aside(self._look(url))

    def close(self) -> None:
        """There is nothing to release: a client lives from `begin` to `end`."""

    async def begin(self) -> None:
        """Open the run's client; again and again while the server is waited for."""
        # A new one at each look would leave the former, with its connections, to nobody.
        if self._client is None:
            self._client = self.open_client(read=None)

    async def ping(self) -> bool:
        """Ask what tells whether the target is there; False where nothing does.

        Raises:
            HttpError: It isn't, or refuses us.
        """
        url = self.probe()
        if url is None or self._client is None:
            return False
        failure = self.judged_probe(await self.exchange("GET", url))
        if failure is not None:
            raise HttpError(failure)
        return True

    async def end(self) -> None:
        """Close the run's client."""
        # Forgotten before the first wait: nobody begins a request on a client that is being closed.
        clients, self._client, self._lone = (self._client, self._lone), None, None
        for client in clients:
            if client is not None:
                await client.aclose()

    def classify(self, error: BaseException) -> Failure:  # noqa: D102 - the base class says it
        if isinstance(error, HttpError):
            return error.failure
        if isinstance(error, TimeoutError) and not str(error):
            error = TimeoutError("no answer in time")
        return judge_error(error)

    # Requests

    @property
    def base(self) -> str:
        """The address requests go to, without login, without a slash at its end."""
        return without_login(self._base).rstrip("/")

    def resolved_headers(self) -> dict[str, str]:
        """The headers of every request, with the values of secrets: for the client alone.

        Raises:
            SecretError: A secret has no value.
        """
        return login_headers(self._base, self._given_headers)

    def open_client(self, *, read: float | None, keeps: bool = True) -> HttpClient:
        """A client for the loop that runs now; it `keeps` connections, or each request has its own."""
        return HttpClient(
            self.base,
            self.resolved_headers(),
            connect=self._says.connect_timeout,
            read=read,
            keeps=keeps,
            transport=self._transport,
        )

    @asynccontextmanager
    async def planning_client(self, read: float | None = None) -> AsyncIterator[HttpClient]:
        """A client for what is asked while somebody waits for a plan; the run's own lives on the run's loop.

        Args:
            read: Seconds of silence from the server; as the job says where left out.
        """
        client = self.open_client(read=read or self._says.read_timeout)
        try:
            yield client
        finally:
            await client.aclose()

    async def exchange(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        client: HttpClient | None = None,
        limit: int = BODY_LIMIT,
    ) -> Answer:
        """Send one request, its body as JSON, and take in the answer, whatever its status.

        Args:
            method: GET, POST, ...
            url: The whole address.
            body: Value of the JSON body; None for no body.
            headers: More headers.
            repeatable: Whether it may be sent twice, which decides how carefully its connection is chosen; by
                default what HTTP says of the method.
            client: Sends it; by default the run's.
            limit: Bytes of the answer at most.

        Raises:
            HttpError: No answer came.
        """
        again = method in _REPEATABLE if repeatable is None else repeatable
        content = None if body is None else _ENCODER.encode(body).encode()
        if self._fresh and not again and client is None:
            headers = {**(headers or {}), "Connection": "close"}
            client = self._lone = self._lone or self.open_client(read=None, keeps=False)
        client = client or self._client
        assert client is not None  # noqa: S101  begin() was called
        try:
            return await client.request(method, url, content=content, headers=headers, limit=limit)
        except Exception as error:
            failure = judge_error(error)
            if went_out(error):
                # A server that hangs up between two requests leaves in doubt whether it took the second.
                # Where that matters, each request gets a connection of its own from now on.
                self._fresh = True
            raise HttpError(of_read(failure) if method in _READS else failure) from error

    def value_of(self, answer: Answer) -> Any:
        """The JSON of an answer that says success.

        Raises:
            HttpError: The answer is a failure, or can't be read.
        """
        return json_of(answer, judge(answer))

    async def read_json(self, url: str, *, client: HttpClient | None = None, none_on: frozenset[int]) -> Any:
        """The JSON at an address; None where the status is one of `none_on`.

        Raises:
            HttpError: There is none to be had.
        """
        answer = await self.exchange("GET", url, client=client, limit=READ_LIMIT)
        if answer.status in none_on and not answer.is_html:
            return None
        try:
            return self.value_of(answer)
        except HttpError as error:
            raise HttpError(of_read(error.failure)) from None

    def patiently(self, work: Coroutine[Any, Any, Value]) -> Value:
        """Run a coroutine to its end from code that isn't on a loop, or on somebody else's.

        Raises:
            TargetError: It failed with an `HttpError`; `TargetUnreachable` when nobody answered.
        """
        try:
            return aside(work)
        except HttpError as error:
            raise as_target_error(error.failure, self.address) from None

    def judged_probe(self, answer: Answer) -> Failure | None:
        """What the answer to the probe means; targets with a table of their own say it better."""
        return judge(answer)

    async def _look(self, url: str) -> None:
        async with self.planning_client(min(self._says.read_timeout, 30.0)) as client:
            for attempt in range(1, _FIRST_LOOKS + 1):
                try:
                    answer = await self.exchange("GET", url, client=client)
                    failure = self.judged_probe(answer)
                    if failure is None and answer.is_html and answer.is_login:
                        failure = judge_body(Unreadable("login"), answer)
                except HttpError as error:
                    failure = error.failure
                unanswered = failure is not None and (failure.connection or failure.rule in _UNANSWERED)
                if not unanswered or attempt == _FIRST_LOOKS:
                    break
                # A server that is starting, or a line that stumbled: not yet worth an operator's attention.
                await asyncio.sleep(0.2 * attempt)
        # A 404 there, or a server that is busy now, says nothing about what the run will ask of it.
        if failure is not None and (failure.fate is Fate.ABORT or unanswered):
            raise as_target_error(failure, self.address)
