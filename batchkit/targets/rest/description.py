"""The description of a REST API: how its items are read, created, updated and deleted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

from ...core.columns import FieldType
from ...core.errors import UsageError
from ..http.logins import refuse_in_body, refuse_in_headers, refuse_in_query
from ..http.options import HTTP_OPTIONS, count, flag, refuse_unknown, table, text, words_by_name, wrong

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
MEANINGS: Final = ("done", "unchanged", "reject", "retry", "unknown", "abort", "missing")
TYPES: Final = ("text", "integer", "decimal", "float", "date", "datetime", "boolean", "json")
_IDEMPOTENT: Final = frozenset({"PUT", "DELETE"})
_WRITES: Final = ("create", "update", "delete", "send")
_EXAMPLES: Final = {
    "id": '"id"',
    "item": '"data"',
    "error": '"error.message"',
    "empty": '"done"',
    "check": '"/me"',
}


@dataclass(frozen=True, slots=True)
class Write:
    """How one kind of change is sent.

    Attributes:
        method: POST, PUT, PATCH or DELETE.
        url: Below the target's address, or a whole one; `{field}` stands for a value, `{@id}` for the id that
            the server gave the item.
        body: The JSON body: a text that is `{field}` alone stands for the value as it is, others are filled
            in. None sends the fields that change (all of them for a POST or PUT).
        headers: Headers of these requests.
        idempotency: Header that carries a key by which the server knows a request again.
        idempotent: Whether sending it twice has the effect of sending it once. By default: an update sets
            values and a delete removes, so twice is as good as once; a create or send is by PUT, or with an
            idempotency header.
    """

    method: str = "POST"
    url: str = ""
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotency: str = ""
    idempotent: bool | None = None

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent twice."""
        if self.idempotent is not None:
            return self.idempotent
        return bool(self.idempotency) or self.method in _IDEMPOTENT


@dataclass(frozen=True, slots=True)
class Read:
    """How the present values are read.

    Attributes:
        url: With `{field}` of the key: one item a request. With `{keys}`: the keys of many, joined.
        many: Keys that one request takes, where the address has `{keys}`.
        separator: Between the keys.
        list: JMESPath of the list of items in the answer.
        item: JMESPath of the item in the answer, where one is read.
        key: JMESPath of the key in an item; its field's name unless said.
        at_once: Requests at once while planning.
    """

    url: str = ""
    many: int = 100
    separator: str = ","
    list: str = "@"
    item: str = "@"
    key: str = ""
    at_once: int = 4

    @property
    def lists(self) -> bool:
        """Whether one request reads many items."""
        return "{keys}" in self.url


@dataclass(frozen=True, slots=True)
class Description:
    """What the target has to be told about an API; the table `[target]` of a job.

    Attributes:
        read: How items are read; without it the target can't be read, and nothing is compared or undone.
        create, update, delete: How a change is sent.
        send: How an item is sent where nothing can be read.
        fields: Types of fields, by name; all are text where nothing is said.
        values: JMESPath of a field's value in an item, where it isn't at the top under its own name.
        id: JMESPath of the id that the server gives an item, for `{@id}`.
        item: JMESPath of the item in the answer to a write. Where said, the values in it are held against
            those sent.
        error: JMESPath of a message in an answer that says 2xx and means failure.
        status: What a status means, where HTTP's own meaning isn't it: done, unchanged, reject, retry,
            unknown, abort, missing.
        empty: What an empty body with a status of success means: `done` or `unknown`. 204 is always done.
        check: Address that tells whether the login is good; the target's own by default, `none` asks nothing.
        doc: For people.
    """

    read: Read | None = None
    create: Write | None = None
    update: Write | None = None
    delete: Write | None = None
    send: Write | None = None
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    item: str = ""
    error: str = ""
    status: Mapping[int, str] = field(default_factory=dict)
    empty: str = "unknown"
    check: str = ""
    doc: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Description:
        """The description that a job's table holds.

        Raises:
            UsageError: An entry is unknown (the near one is named) or wrong.
        """
        given = dict(options)
        refuse_unknown(given, _names(cls), near=HTTP_OPTIONS)
        for name in _WRITES:
            if name in given:
                given[name] = _write(given[name], name)
        if "read" in given:
            given["read"] = _read(given["read"])
        kinds = table("fields", given.get("fields", {}), '{price = "decimal"}')
        given["fields"] = {name: _field(name, kind) for name, kind in kinds.items()}
        meanings = table("status", given.get("status", {}), '{"409" = "unchanged"}')
        given["status"] = {_status(key): _meaning(key, word) for key, word in meanings.items()}
        given["values"] = words_by_name("values", given.get("values", {}), '{price = "prices.net"}')
        for name in ("id", "item", "error", "empty", "check", "doc"):
            if name in given:
                given[name] = text(name, given[name], _EXAMPLES.get(name, '"..."'))
        if given.get("empty", "unknown") not in ("done", "unknown"):
            raise UsageError(f"target.empty can't be {given['empty']!r}.", advice="It takes done or unknown.")
        made = cls(**given)
        made._refuse_logins()
        paths = {"id": made.id, "item": made.item, "error": made.error, **made.values}
        if made.read:
            paths |= {"read.list": made.read.list, "read.item": made.read.item, "read.key": made.read.key}
        for name, path in paths.items():
            compiled(path, name)
        return made

    @property
    def writes(self) -> list[Write]:
        """The writes that are described."""
        return [each for _, each in self._named_writes()]

    def _named_writes(self) -> Iterator[tuple[str, Write]]:
        for name in _WRITES:
            if (each := getattr(self, name)) is not None:
                yield name, each

    def _refuse_logins(self) -> None:
        refuse_in_query(self.check, "target.check")
        if self.read is not None:
            refuse_in_query(self.read.url, "target.read.url")
        for name, each in self._named_writes():
            refuse_in_query(each.url, f"target.{name}.url")
            refuse_in_headers(each.headers)
            refuse_in_body(each.body, f"target.{name}.body")


def compiled(path: str, place: str = "") -> Any:
    """A JMESPath, ready to search with; None for an empty one."""
    if not path:
        return None
    try:
        return jmespath.compile(path)
    except JMESPathError as error:
        words = " ".join(str(error).split())
        raise UsageError(f"target.{place} is not a JMESPath: {path!r} ({words}).") from None


def _write(value: Any, name: str) -> Write:
    place = f"target.{name}"
    given = table(name, value, '{url = "/items/{id}"}')
    refuse_unknown(given, _names(Write), place)
    method = text("method", given.get("method", _METHOD_OF.get(name, "POST")), '"POST"', place).upper()
    if method not in METHODS[1:]:
        raise UsageError(f"{place}.method can't be {method!r}.", advice=f"It takes {', '.join(METHODS[1:])}.")
    if not text("url", given.get("url", ""), '"/items/{id}"', place):
        raise UsageError(f"{place} doesn't say its url.", advice='Write url = "/items/{id}".')
    if "headers" in given:
        given["headers"] = words_by_name("headers", given["headers"], '{"X-Shop" = "7"}', place)
    if "idempotency" in given:
        given["idempotency"] = text("idempotency", given["idempotency"], '"Idempotency-Key"', place)
    if given.get("idempotent") is not None:
        given["idempotent"] = flag("idempotent", given["idempotent"], place)
    elif name in ("update", "delete"):
        given["idempotent"] = True
    return Write(**{**given, "method": method})


def _read(value: Any) -> Read:
    place = "target.read"
    given = table("read", value, '{url = "/items?ids={keys}"}')
    refuse_unknown(given, _names(Read), place)
    for name, held in given.items():
        whole = name in ("many", "at_once")
        given[name] = count(name, held, place=place) if whole else text(name, held, _READS[name], place)
    made = Read(**given)
    if "{" not in made.url:
        raise UsageError(
            "target.read.url doesn't name the key.",
            advice='Write url = "/items/{id}" for one, or url = "/items?ids={keys}" for many at once.',
        )
    return made


_METHOD_OF: Final = {"update": "PATCH", "delete": "DELETE"}
_READS: Final = {
    "url": '"/items?ids={keys}"', "separator": '","', "list": '"items"', "item": '"data"', "key": '"id"',
}  # fmt: skip


def _field(name: str, kind: Any) -> FieldType:
    place = f"target.fields.{name}"
    given = {"type": kind} if isinstance(kind, str) else table(f"fields.{name}", kind, '"decimal"')
    refuse_unknown(given, _names(FieldType), place)
    if given.get("type") not in TYPES:
        raise UsageError(f"{place} can't be {given.get('type')!r}.", advice=f"It takes {', '.join(TYPES)}.")
    return FieldType(**{each: _fact(each, held, place) for each, held in given.items()})


def _fact(name: str, value: Any, place: str) -> Any:
    if name == "type":
        return value
    if name == "checks":
        return table(name, value, "{min_length = 30}", place)
    if name in ("nullable", "has_default", "generated", "key"):
        return flag(name, value, place)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(f"{place}.{name}", "a whole number", value, "2")
    return value


def _status(key: Any) -> int:
    if not str(key).isdigit() or not 100 <= int(key) < 600:
        raise UsageError(f"target.status knows no status {key!r}.", advice='Write "409" = "unchanged".')
    return int(key)


def _meaning(key: Any, word: Any) -> str:
    if word not in MEANINGS:
        raise UsageError(f"target.status.{key} can't be {word!r}.", advice=f"It takes {', '.join(MEANINGS)}.")
    return str(word)


def _names(kind: type[Any]) -> list[str]:
    return [each.name for each in fields(kind)]
