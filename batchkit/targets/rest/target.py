"""A target described by its job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import polars as pl

from ...checking.conversions import dtype_of
from ...core import secrets
from ...core.columns import FieldType
from ...core.errors import UsageError
from ...core.states import Change, Outcome
from ..base import Failure, Fate, Item, Result
from ..exchange import reject
from ..http.answer import Answer, Unreadable, message_in
from ..http.client import HttpClient
from ..http.failures import HttpError, judge, judge_body
from ..http.many import Memory, Values, chunked, frame_of, read_parts
from ..http.requests import with_patience
from ..http.target import HttpTarget
from .description import Description, Read, Write, compiled
from .values import NoValue, fill_address, fill_body, from_json, text_of, to_json

Key = Mapping[str, Any]

SERVER_ID: Final = "@id"
MOST_IDS: Final = 20_000
"""Ids of the server that are kept between reading an item and writing it."""

_GONE: Final = frozenset({404, 410})
_NO_CONTENT: Final = frozenset({204, 205})
_FATES: Final = {"retry": Fate.RETRY, "unknown": Fate.UNKNOWN, "abort": Fate.ABORT, "reject": Fate.REJECT}


class RestTarget(HttpTarget[Description]):
    """An API that is described by the job; its address is `http+https://host/path`."""

    model = Description
    any_key = True

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        says = self._says
        if secrets.exposes_password(str(self._options)):
            message = "The description of the target holds a password, which would be stored with the plan."
            raise UsageError(message, advice="Write {secret:NAME} in its place.")
        if not says.writes:
            advice = 'Describe it: [target] update = {method = "PATCH", url = "/items/{id}"}.'
            raise UsageError("The job doesn't say how its target is written.", advice=advice)
        self.readable = says.read is not None and self._mode != "append"
        self.reversible = self.readable and (says.delete is not None or self._mode == "update")
        self.idempotent = all(each.repeatable for each in self._in_use())
        self._id = compiled(says.id)
        self._item = compiled(says.item)
        self._error = compiled(says.error)
        self._values = {name: compiled(path) for name, path in says.values.items()}
        self._ids: Memory[str] = Memory(MOST_IDS)
        self._headers_of: dict[int, dict[str, str]] = {}

    def _in_use(self) -> Iterator[Write]:
        says = self._says
        used = [says.update, says.delete] if self._mode == "update" else says.writes
        return (each for each in used if each is not None)

    # Facts

    @property
    def shape(self) -> Any:
        """Where a row that can't be read back is sent, and as what."""
        how = self._how(Change.CREATE if self._mode == "append" else Change.SEND)
        return how and [how.url.rstrip("/"), how.body]

    def fields(self) -> dict[str, FieldType]:
        """The fields that the description gives a type; with none, any field is taken, as text."""
        return dict(self._says.fields)

    def probe(self) -> str | None:  # noqa: D102 - the base class says it
        return None if self._says.check == "none" else self._place(self._says.check or "")

    def resolved_headers(self) -> dict[str, str]:
        """The headers of every request; those of each kind of write are resolved with them.

        Raises:
            SecretError: A secret has no value.
        """
        self._headers_of = {
            id(each): {name: secrets.resolve(text) for name, text in each.headers.items()}
            for each in self._says.writes
        }
        return super().resolved_headers()

    def _place(self, path: str) -> str:
        url = path if "://" in path else f"{self.base}{path}"
        return secrets.resolve(url) if "{secret:" in url else url

    # Reading

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:  # noqa: D102 - the base class says it
        async def work() -> pl.DataFrame:
            async with self.planning_client() as client:
                return await self._read(keys, fields, client, patient=True)

        return self.patiently(work())

    async def read_now(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """`read` with the run's own client; what fails is for the engine to judge."""
        return await self._read(keys, fields, None, patient=False)

    async def _read(
        self, keys: pl.DataFrame, fields: Sequence[str], client: HttpClient | None, *, patient: bool
    ) -> pl.DataFrame:
        how = self._says.read
        if how is None:
            raise NotImplementedError("this API isn't described for reading")
        ask = self._list if how.lists else self._single

        async def one(part: Sequence[Key]) -> list[tuple[Key, Values]]:
            once = partial(ask, how, part, client)
            pairs = await (with_patience(once) if patient else once())
            for key, item in pairs:
                self._remember(key, item)
            return [(key, [self._typed(name, item) for name in fields]) for key, item in pairs]

        parts = chunked(keys.rows(named=True), how.many if how.lists else 1)
        kinds = {name: self._says.fields.get(name) for name in fields}
        types = {
            name: dtype_of(kind.type, kind.scale) if kind else pl.String() for name, kind in kinds.items()
        }
        return frame_of(keys, types, await read_parts(parts, one, how.at_once))

    async def _single(
        self, how: Read, part: Sequence[Key], client: HttpClient | None
    ) -> list[tuple[Key, Any]]:
        (key,) = part
        url = self._place(fill_address(how.url, key))
        value = await self.read_json(url, client=client, none_on=_GONE)
        item = compiled(how.item).search(value) if value is not None else None
        return [] if item is None else [(key, item)]

    async def _list(self, how: Read, part: Sequence[Key], client: HttpClient | None) -> list[tuple[Key, Any]]:
        (name,) = part[0] if len(part[0]) == 1 else (None,)
        if name is None:
            raise UsageError("target.read.url with {keys} takes a key of one field.")
        wanted = {text_of(key[name]): key for key in part}
        # Most servers split such a list before they decode it: only what is inside the keys stays quoted.
        joined = how.separator.join(fill_address("{key}", {"key": each}) for each in wanted)
        url = self._place(how.url.replace("{keys}", joined))
        value = await self.read_json(url, client=client, none_on=frozenset())
        items = compiled(how.list).search(value)
        if not isinstance(items, list):
            reason = f"No list is found at {how.list!r} in what {self.base} answers to a read."
            raise HttpError(Failure(Fate.ABORT, "list", reason, "Correct target.read.list in the job."))
        path = compiled(how.key)
        found = []
        for item in items:
            text = text_of(path.search(item) if path else _at_top(item, name))
            if text in wanted:  # a server that doesn't know the filter answers with other items too
                found.append((wanted[text], item))
        return found

    def _typed(self, name: str, item: Any) -> tuple[Any, str | None]:
        """A field's value in an item; where it isn't of the field's type, its text."""
        value = self._search(name, item)
        try:
            return from_json(value, self._says.fields.get(name)), None
        except (ValueError, ArithmeticError):
            return None, text_of(value)

    def _search(self, name: str, item: Any) -> Any:
        path = self._values.get(name)
        return path.search(item) if path is not None else _at_top(item, name)

    def _remember(self, key: Mapping[str, Any], item: Any) -> None:
        if self._id is None or (found := self._id.search(item)) is None:
            return
        self._ids.keep(key, text_of(found))

    # Writing

    def repeatable(self, items: Sequence[Item]) -> bool:
        """Whether the description says so of each of these changes."""
        hows = [self._how(item.change) for item in items]
        return all(how is None or how.repeatable for how in hows)

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        """Send one item."""
        (item,) = items
        how = self._how(item.change)
        if how is None:
            reason = f"The job doesn't say how to {item.change} an item."
            return [reject(item.index, "described", reason, f"Describe target.{item.change} in the job.")]
        try:
            values = await self._filled(item, how)
            url = self._place(fill_address(how.url, values))
            body = self._body(item, how, values)
        except NoValue as problem:
            reason = f"The item has no {problem} for the request."
            return [reject(item.index, "blank", reason, "Fill it in, or correct the description in the job.")]
        if dry_run:
            return None
        headers = self._headers_of[id(how)]
        if how.idempotency:
            headers = {**headers, how.idempotency: f"{self.run}-{item.index}"}
        answer = await self.exchange(how.method, url, body, headers=headers, repeatable=how.repeatable)
        return self._outcome(item, answer)

    def _how(self, change: str) -> Write | None:
        says = self._says
        hows: dict[str, Write | None] = {"update": says.update, "delete": says.delete}
        hows["create"] = says.create or says.send
        return hows.get(change, says.send or says.create or says.update)

    async def _filled(self, item: Item, how: Write) -> dict[str, Any]:
        kinds = self._says.fields
        present = item.before if item.change == Change.DELETE else item.after
        values = {name: to_json(value, kinds.get(name)) for name, value in {**present, **item.key}.items()}
        if f"{{{SERVER_ID}}}" in how.url:
            # Planning read it, perhaps in a process that is gone, and only so many ids are kept.
            if self._ids.recall(item.key) is None and self._says.read is not None:
                await self.read_now(pl.DataFrame([item.key]), [])
            values[SERVER_ID] = self._ids.recall(item.key)
        return values

    def _body(self, item: Item, how: Write, values: dict[str, Any]) -> Any:
        if how.body is not None:
            return fill_body(how.body, values)
        match item.change:
            case Change.DELETE:
                return None
            case Change.UPDATE if how.method != "PUT":
                return {name: values[name] for name, new in item.after.items() if new != item.before[name]}
            case Change.CREATE:
                return {name: value for name, value in values.items() if value is not None}
        return {name: value for name, value in values.items() if name != SERVER_ID}

    def _outcome(self, item: Item, answer: Answer) -> list[Result] | None:
        """What an answer means for the item; None when it is done."""
        meaning = self._says.status.get(answer.status)
        gone = answer.status in _GONE and self.readable and not answer.is_html
        if meaning == "missing" or (meaning is None and gone and item.change == Change.DELETE):
            if item.change == Change.DELETE:
                return None
            return [reject(item.index, "missing", f"The target has no such item. {answer.words()}".strip())]
        if meaning is not None and meaning != "done":
            return self._as_described(item, answer, meaning)
        if meaning is None:
            failure = judge(answer)
            if failure is not None:
                raise HttpError(failure)
        if answer.status in _NO_CONTENT or (meaning == "done" and not answer.body):
            return None
        try:
            value = answer.json()
        except Unreadable as problem:
            if problem.kind == "empty" and self._says.empty == "done":
                return None
            raise HttpError(judge_body(problem, answer)) from None
        return self._held_against(item, value)

    def _as_described(self, item: Item, answer: Answer, meaning: str) -> list[Result]:
        words = answer.words() or f"The server answered {answer.status}."
        if meaning == "unchanged":
            return [Result(item.index, Outcome.UNCHANGED, str(answer.status), words)]
        raise HttpError(Failure(_FATES[meaning], str(answer.status), words))

    def _held_against(self, item: Item, value: Any) -> list[Result] | None:
        """What a successful answer says besides: an error in it, the server's id, the values it kept."""
        if self._error is not None and (error := self._error.search(value)):
            words = message_in(error) or "The server reports an error."
            return [reject(item.index, "error", words)]
        if item.change == Change.DELETE:
            return None
        kept = self._item.search(value) if self._item is not None else value
        if isinstance(kept, dict):
            self._remember(item.key, kept)
        if self._item is None:
            return None
        differing = {}
        for name, wanted in item.after.items():
            found = self._search(name, kept)
            present = found is not None or (isinstance(kept, dict) and name in kept)
            if present and wanted != item.before.get(name) and not self._same(name, found, wanted):
                differing[name] = {"sent": wanted, "kept": found}
        if not differing:
            return None
        reason = f"The server took the request but not the value of {', '.join(differing)}."
        advice = "See at the target what became of the item, and which values it takes there."
        return [reject(item.index, "not kept", reason, advice, differing)]

    def _same(self, name: str, found: Any, wanted: Any) -> bool:
        try:
            kept = from_json(found, self._says.fields.get(name))
            return bool(kept == wanted) or text_of(found) == text_of(wanted)
        except (ValueError, ArithmeticError):
            return False


def _at_top(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, dict) else None
