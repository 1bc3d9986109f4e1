"""The description of a REST API: how its items are read, created, updated and deleted."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

import jmespath
from jmespath.exceptions import JMESPathError

from ...errors import UsageError
from ..base import FieldType

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
MEANINGS: Final = ("done", "unchanged", "reject", "retry", "unknown", "abort", "missing")
TYPES: Final = ("text", "integer", "decimal", "float", "date", "datetime", "boolean", "json")
_IDEMPOTENT: Final = frozenset({"PUT", "DELETE"})


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
        _known(given, cls, "target")
        for name in ("create", "update", "delete", "send"):
            if name in given:
                given[name] = _write(given[name], name)
        if "read" in given:
            given["read"] = _read(given["read"])
        given["fields"] = {name: _field(name, kind) for name, kind in given.get("fields", {}).items()}
        given["status"] = {_status(key): _meaning(key, text) for key, text in given.get("status", {}).items()}
        if given.get("empty", "unknown") not in ("done", "unknown"):
            raise UsageError(f"target.empty can't be {given['empty']!r}.", advice="It takes done or unknown.")
        made = cls(**given)
        paths = {"id": made.id, "item": made.item, "error": made.error, **made.values}
        if made.read:
            paths |= {"read.list": made.read.list, "read.item": made.read.item, "read.key": made.read.key}
        for name, path in paths.items():
            compiled(path, name)
        return made

    @property
    def writes(self) -> list[Write]:
        """The writes that are described."""
        return [each for each in (self.create, self.update, self.delete, self.send) if each is not None]


def compiled(path: str, place: str = "") -> Any:
    """A JMESPath, ready to search with; None for an empty one."""
    if not path:
        return None
    try:
        return jmespath.compile(path)
    except JMESPathError as error:
        words = " ".join(str(error).split())
        raise UsageError(f"target.{place} is not a JMESPath: {path!r} ({words}).") from None


def _write(table: Any, name: str) -> Write:
    table = _table(table, name)
    _known(table, Write, f"target.{name}")
    default = {"update": "PATCH", "delete": "DELETE"}.get(name, "POST")
    method = str(table.get("method", default)).upper()
    if method not in METHODS[1:]:
        raise UsageError(
            f"target.{name}.method can't be {method!r}.", advice=f"It takes {', '.join(METHODS[1:])}."
        )
    if not table.get("url"):
        raise UsageError(f"target.{name} doesn't say its url.", advice='Write url = "/items/{id}".')
    if name in ("update", "delete"):
        table = {"idempotent": True, **table}
    return Write(**{**table, "method": method})


def _read(table: Any) -> Read:
    table = _table(table, "read")
    _known(table, Read, "target.read")
    made = Read(**table)
    if "{" not in made.url:
        raise UsageError(
            "target.read.url doesn't name the key.",
            advice='Write url = "/items/{id}" for one, or url = "/items?ids={keys}" for many at once.',
        )
    if made.many < 1 or made.at_once < 1:
        raise UsageError("target.read.many and target.read.at_once must be 1 or more.")
    return made


def _field(name: str, kind: Any) -> FieldType:
    options = {"type": kind} if isinstance(kind, str) else dict(_table(kind, f"fields.{name}"))
    _known(options, FieldType, f"target.fields.{name}")
    if options.get("type") not in TYPES:
        raise UsageError(
            f"target.fields.{name} can't be {options.get('type')!r}.", advice=f"It takes {', '.join(TYPES)}."
        )
    return FieldType(**options)


def _status(key: Any) -> int:
    if not str(key).isdigit() or not 100 <= int(key) < 600:
        raise UsageError(f"target.status knows no status {key!r}.", advice='Write "409" = "unchanged".')
    return int(key)


def _meaning(key: Any, text: Any) -> str:
    if text not in MEANINGS:
        raise UsageError(f"target.status.{key} can't be {text!r}.", advice=f"It takes {', '.join(MEANINGS)}.")
    return str(text)


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"target.{name} takes a table, not {value!r}.")
    return value


def _known(table: Mapping[str, Any], kind: type[Any], place: str) -> None:
    known = [each.name for each in fields(kind)]
    for name in table:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
            raise UsageError(f"{place} has no entry {name!r}.", advice=hint)
