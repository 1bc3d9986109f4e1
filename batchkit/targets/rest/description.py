"""The description of a REST API: how its items are read, created, updated and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Annotated, Any, Final, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from ...core.columns import FieldType
from ...core.errors import UsageError
from ...core.model import LENIENT, OneOf, Takes
from ...core.words import did_you_mean
from ..http.logins import refuse_in_body, refuse_in_headers, refuse_in_query
from ..http.options import Count, HttpOptions, Words

METHODS: Final = ("POST", "PUT", "PATCH", "DELETE")
MEANINGS: Final = ("done", "unchanged", "reject", "retry", "unknown", "abort", "missing")
TYPES: Final = ("text", "integer", "decimal", "float", "date", "datetime", "boolean", "json")
_IDEMPOTENT: Final = frozenset({"PUT", "DELETE"})
_WRITES: Final = ("create", "update", "delete", "send")


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


def _types(value: Any) -> Any:
    """Types of fields, of which most are said by their name alone.

    Raises:
        UsageError: There is no such type.
    """
    if not isinstance(value, Mapping):
        return value
    facts = {str(name): {"type": kind} if isinstance(kind, str) else kind for name, kind in value.items()}
    for name, each in facts.items():
        if isinstance(each, Mapping) and each.get("type") not in TYPES:
            advice = did_you_mean(str(each.get("type")), TYPES)
            raise UsageError(f"target.fields.{name} can't be {each.get('type')!r}.", advice=advice)
    return facts


def _statuses(value: Any) -> Any:
    """Meanings by status.

    Raises:
        UsageError: A key is no status.
    """
    for key in value if isinstance(value, Mapping) else ():
        if not str(key).isdigit() or not 100 <= int(key) < 600:
            raise UsageError(f"target.status knows no status {key!r}.", advice='Write "409" = "unchanged".')
    return value


Method = Annotated[str, BeforeValidator(_upper), OneOf(METHODS)]
Path = Annotated[str, Takes("", '"data"')]


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class Write:
    """How one kind of change is sent."""

    url: Annotated[str, Takes("", '"/items/{id}"')]
    """Below the target's address, or a whole one; `{field}` stands for a value, `{@id}` for the id that the
    server gave the item."""

    method: Annotated[Method, Takes("", '"POST"')] = "POST"
    """POST, PUT, PATCH or DELETE; an update is a PATCH unless said, and a delete a DELETE."""

    body: Annotated[Any, Takes("any value")] = None
    """The JSON body: a text that is `{field}` alone stands for the value as it is, others are filled in.
    Without one the fields that change are sent (all of them for a POST or PUT)."""

    headers: Annotated[Words, Takes("a table", '{"X-Shop" = "7"}')] = field(default_factory=dict)
    """Headers of these requests."""

    idempotency: Annotated[str, Takes("", '"Idempotency-Key"')] = ""
    """Header that carries a key by which the server knows a request again."""

    idempotent: bool | None = None
    """Whether sending it twice has the effect of sending it once. By default: an update sets values and a
    delete removes, so twice is as good as once; a create or send is by PUT, or with an idempotency header."""

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent twice."""
        if self.idempotent is not None:
            return self.idempotent
        return bool(self.idempotency) or self.method in _IDEMPOTENT


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class Update(Write):
    """How an item is changed."""

    method: Annotated[Method, Takes("", '"PATCH"')] = "PATCH"
    idempotent: bool | None = True


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class Delete(Write):
    """How an item is removed."""

    method: Annotated[Method, Takes("", '"DELETE"')] = "DELETE"
    idempotent: bool | None = True


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class Read:
    """How the present values are read."""

    url: Annotated[str, Takes("", '"/items?ids={keys}"')] = ""
    """With `{field}` of the key: one item a request. With `{keys}`: the keys of many, joined."""

    many: Count = 100
    """Keys that one request takes, where the address has `{keys}`."""

    separator: Annotated[str, Takes("", '","')] = ","
    """Between the keys."""

    list: Annotated[str, Takes("", '"items"')] = "@"
    """JMESPath of the list of items in the answer."""

    item: Path = "@"
    """JMESPath of the item in the answer, where one is read."""

    key: Annotated[str, Takes("", '"id"')] = ""
    """JMESPath of the key in an item; its field's name unless said."""

    at_once: Count = 4
    """Requests at once while planning."""

    @property
    def lists(self) -> bool:
        """Whether one request reads many items."""
        return "{keys}" in self.url


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class Description(HttpOptions):
    """What the target has to be told about an API; the table `[target]` of a job."""

    read: Annotated[Read, Takes("a table", '{url = "/items?ids={keys}"}')] | None = None
    """How items are read; without it the target can't be read, and nothing is compared or undone."""

    create: Annotated[Write, Takes("a table", '{url = "/items"}')] | None = None
    """How an item is created."""

    update: Annotated[Update, Takes("a table", '{url = "/items/{id}"}')] | None = None
    """How an item is changed."""

    delete: Annotated[Delete, Takes("a table", '{url = "/items/{id}"}')] | None = None
    """How an item is deleted."""

    send: Annotated[Write, Takes("a table", '{url = "/messages"}')] | None = None
    """How an item is sent where nothing can be read."""

    fields: Annotated[
        Mapping[str, FieldType], BeforeValidator(_types), Takes("a table", '{price = "decimal"}')
    ] = field(default_factory=dict)
    """Types of fields, by name; all are text where nothing is said."""

    values: Annotated[Words, Takes("a table", '{price = "prices.net"}')] = field(default_factory=dict)
    """JMESPath of a field's value in an item, where it isn't at the top under its own name."""

    id: Annotated[str, Takes("", '"id"')] = ""
    """JMESPath of the id that the server gives an item, for `{@id}`."""

    item: Path = ""
    """JMESPath of the item in the answer to a write. Where said, its values are held against those sent."""

    error: Annotated[str, Takes("", '"error.message"')] = ""
    """JMESPath of a message in an answer that says 2xx and means failure."""

    status: Annotated[
        Mapping[int, Annotated[str, OneOf(MEANINGS)]],
        BeforeValidator(_statuses),
        Takes("a table", '{"409" = "unchanged"}'),
    ] = field(default_factory=dict)
    """What a status means, where HTTP's own meaning isn't it: done, unchanged, reject, retry, unknown, abort,
    missing."""

    empty: Annotated[Literal["done", "unknown"], Takes("done or unknown", '"done"')] = "unknown"
    """What an empty body with a status of success means: `done` or `unknown`. 204 is always done."""

    check: Annotated[str, Takes("", '"/me"')] = ""
    """Address that tells whether the login is good; the target's own by default, `none` asks nothing."""

    doc: str = ""
    """For people."""

    def _check(self) -> None:
        refuse_in_query(self.check, "target.check")
        paths = {"id": self.id, "item": self.item, "error": self.error, **self.values}
        if self.read is not None:
            refuse_in_query(self.read.url, "target.read.url")
            paths |= {f"read.{name}": getattr(self.read, name) for name in ("list", "item", "key")}
            if "{" not in self.read.url:
                advice = 'Write url = "/items/{id}" for one, or url = "/items?ids={keys}" for many.'
                raise UsageError("target.read.url doesn't name the key.", advice=advice)
        for name, each in self._named_writes():
            refuse_in_query(each.url, f"target.{name}.url")
            refuse_in_headers(each.headers)
            refuse_in_body(each.body, f"target.{name}.body")
        for name, path in paths.items():
            compiled(path, name)

    @property
    def writes(self) -> list[Write]:
        """The writes that are described."""
        return [each for _, each in self._named_writes()]

    def _named_writes(self) -> Iterator[tuple[str, Write]]:
        for name in _WRITES:
            if (each := getattr(self, name)) is not None:
                yield name, each


def compiled(path: str, place: str = "") -> Any:
    """A JMESPath, ready to search with; None for an empty one."""
    if not path:
        return None
    try:
        return jmespath.compile(path)
    except JMESPathError as error:
        words = " ".join(str(error).split())
        raise UsageError(f"target.{place} is not a JMESPath: {path!r} ({words}).") from None
