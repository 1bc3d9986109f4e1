"""WhatsApp as a target."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import httpx
import polars as pl

from ...core import secrets
from ...core.columns import FieldType
from ...core.errors import BatchkitError, SecretError, TargetError, UsageError
from ...core.problem import warning
from ...core.states import Outcome
from ...core.words import plural
from ..base import Failure, Fate, Finding, Item, Refusal, Result
from ..exchange import reject
from ..http.answer import Answer, Unreadable
from ..http.failures import HttpError, judge_body
from ..http.target import HttpTarget
from .account import Account
from .errors import LOOK, PAIR_RATE, error_of, judge_answer, replace_status
from .forms import Form, FreeForm, TemplateForm
from .options import Sending
from .optout import OptOuts
from .template import Template

if TYPE_CHECKING:
    from ...core.problem import Problem

TOKEN: Final = "whatsapp_token"  # noqa: S105  the name of the secret, not its value
TO: Final = "to"
_E164: Final = r"^\+[1-9][0-9]{6,14}$"
_MOST_PAIRS: Final = 10_000
_VERSION: Final = re.compile(r"/v\d+(\.\d+)?/")
_HERE: Final = ("127.0.0.1", "localhost", "::1")


class WhatsAppTarget(HttpTarget[Sending]):
    """The number that messages are sent from, in every mode alike.

    Its address is `whatsapp:PHONE_NUMBER_ID`, or `whatsapp+https://host/v23.0/PHONE_NUMBER_ID`.
    """

    model = Sending
    any_key = True
    files = ("opt_out",)
    default_key = (TO,)
    usual: ClassVar = {
        "chunk_size": 50, "workers": 3, "rate": 0.8, "delay": 2.0, "backoff": 0.5, "retries": 3,
        "key_rest": 6.0,
    }  # fmt: skip

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self._account = Account(self, self._says.account)
        self._opted_out = OptOuts()
        self._form: Form = self._formed(self._says.seen)
        self._checked: tuple[str, ...] | None = None
        self._pairs: OrderedDict[str, int] = OrderedDict()
        self._messages = f"{self.base}/messages"

    def _written_out(self, url: str) -> str:
        scheme, colon, number = url.partition(":")
        if "+" in scheme:
            return url
        if not colon or not re.fullmatch(r"[\w-]+", number):
            advice = "Write whatsapp:PHONE_NUMBER_ID, the id that WhatsApp Manager shows for the number."
            raise UsageError(f"{secrets.redact(url)} is not an address of WhatsApp.", advice=advice)
        return f"whatsapp+{self._says.api.rstrip('/')}/{number}"

    def _formed(self, template: Template | None) -> Form:
        if self._says.template is None:
            return FreeForm()
        return TemplateForm(self._says.template, self._says.language, template, self._says.variables)

    # Facts

    @property
    def result_columns(self) -> Mapping[str, str]:
        """The id by which WhatsApp knows the message."""
        return {"message_id": "id"}

    def describe(self) -> dict[str, Any]:  # noqa: D102 - the base class says it
        kept: dict[str, Any] = {"url": self.address, "key": list(self.keys), "mode": self._mode}
        if isinstance(self._form, TemplateForm) and self._form.template is not None:
            kept["seen"] = self._form.template.to_dict()
        return {**kept, **self._says.to_dict()}

    @property
    def destination(self) -> str:
        """The number that messages are sent from, by whichever version of the API."""
        return _VERSION.sub("/", super().destination)

    @property
    def shape(self) -> Any:
        """The template in its language; a message without one is in its row."""
        return [self._says.template, self._says.language] if self._says.template else None

    def fields(self) -> dict[str, FieldType]:
        """The recipient, and what the template takes; text and media where there is none."""
        checks = {"phone": self._says.region, "required": True, "unique": True}
        return {TO: FieldType("text", nullable=False, checks=checks), **self._form.fields()}

    def probe(self) -> str | None:  # noqa: D102 - the base class says it
        return self.base

    def resolved_headers(self) -> dict[str, str]:
        """The headers of every request; with the token, unless the job says another login.

        Raises:
            SecretError: The token has no value.
        """
        headers = super().resolved_headers()
        if "authorization" in {name.lower() for name in headers}:
            return headers
        try:
            token = secrets.lookup(TOKEN)
        except SecretError:
            if httpx.URL(self.base).host not in _HERE:
                raise
            token = "practice"  # noqa: S105  which a practice server on this machine takes as any other
        return {**headers, "Authorization": f"Bearer {token}"}

    # Before anything is sent

    def connect(self) -> None:
        """Look whether the token, the number, the template and the opt-out list are all right.

        Raises:
            TargetError: One isn't; no message would pass.
            TargetUnreachable: Nobody answers.
            UsageError: The opt-out list can't be read.
        """
        # Read at each connect, so before each start: who opted out after planning gets nothing.
        self._opted_out = OptOuts.of(self._says.opt_out, self._says.region, self.open_table)
        self.patiently(self._account.look(self._says.template, self._says.language))
        found = self._account.template
        if found is None:
            return
        if self._says.seen is not None and not self._says.seen.same_text(found):
            message = f"The template {found.name!r} has changed since the plan was made."
            advice = "Make the plan again, and look at its messages."
            raise TargetError(message, advice=advice, rule="template")
        self._form = self._formed(found)

    def canonical(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Refusal]]:
        """The values as they would be sent, and those that must not or can't be.

        Raises:
            MappingError: The job doesn't fill what the template takes.
        """
        columns = tuple(frame.columns)
        if columns != self._checked:
            self._form.check(columns)
            self._checked = columns
        refused = [*self._recipients(frame), *self._form.refusals(frame)]
        for name in {each.field for each in refused}:
            at = [each.at for each in refused if each.field == name]
            frame = frame.with_columns(frame[name].scatter(at, None))
        return frame, refused

    def _recipients(self, frame: pl.DataFrame) -> Iterator[Refusal]:
        if TO not in frame.columns:
            return
        numbers = frame[TO]
        for at in (~numbers.str.contains(_E164)).fill_null(value=False).arg_true():
            yield Refusal(TO, at, "This is no number with its country code.", "phone", "Write it as +33...")
        if self._opted_out.numbers:
            for at in numbers.is_in(list(self._opted_out.numbers)).fill_null(value=False).arg_true():
                reason = f"This number wants no messages: it is on the opt-out list ({self._opted_out.name})."
                yield Refusal(TO, at, reason, "opt_out", "Nothing: it is not messaged.")

    def rendered(self, frame: pl.DataFrame) -> pl.Series | None:
        """The messages as their recipients read them; None where the template can't be asked."""
        if isinstance(self._form, TemplateForm) and self._form.template is None:
            return None
        reachable = frame[TO].is_not_null() if TO in frame.columns else [True] * frame.height
        texts = [
            self._form.rendered(values) if reached else None
            for values, reached in zip(frame.iter_rows(named=True), reachable, strict=True)
        ]
        return pl.Series(texts, dtype=pl.String)

    def notices(self) -> list[Problem]:
        """What to know about the messages as a whole."""
        found = []
        if self._says.template is None:
            message = "Text and media reach only people who wrote to the number in the last 24 hours"
            found.append(warning("window", message, "To reach others, send an approved template."))
        elif isinstance(self._form, TemplateForm) and self._form.template is None:
            unseen = f"The template {self._says.template!r} could not be looked at, so it is neither checked"
            advice = "Name its account: [target] account = the id of the WhatsApp Business account."
            found.append(warning("template", f"{unseen} nor shown: {self._account.why}", advice))
        if self._opted_out.unread:
            unread = plural(len(self._opted_out.unread), "entry", "entries")
            message = (
                f"{unread} of the opt-out list are no phone numbers, and keep nobody from being messaged"
            )
            advice = "Correct them in the list and make the plan again."
            found.append(warning("opt_out", f"{message}: {self._opted_out.unread_shown}", advice))
        return found

    def checkup(self) -> Iterator[Finding]:
        """Token, number, template, opt-out list and region, one by one."""
        try:
            self.connect()
            problem = None
        except BatchkitError as error:
            problem = error
        yield from self._account.findings(problem)
        if self._says.opt_out is not None and not isinstance(problem, UsageError):
            bad = f", {len(self._opted_out.unread):,} unreadable" if self._opted_out.unread else ""
            level = "warning" if bad else "ok"
            found = plural(len(self._opted_out.numbers), "number") + bad
            yield Finding("opt-out list", level, found, "Correct the list's entries.")  # type: ignore[arg-type]
        yield Finding(
            "region", "ok", f"numbers without a country code are read as those of {self._says.region}"
        )

    # Sending

    def limited_by(self, item: Item) -> Hashable:
        """The recipient, whatever the key is."""
        return item.key[TO] if TO in item.key else item.after.get(TO)

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        """Send one message."""
        (item,) = items
        values = {**item.after, **item.key}
        number = values.get(TO)
        # Looked up once more: the list was read anew when the run started, and the plan may be days old.
        if number is None or number in self._opted_out:
            return [_not_sent(item, number)]
        body = {
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            TO: number,
            **self._form.content(values),
        }
        if self.run:
            body["biz_opaque_callback_data"] = f"{self.run}-{item.index}"
        if dry_run:
            return None
        answer = await self.exchange("POST", self._messages, body, repeatable=False)
        try:
            detail = _taken(answer)
        except HttpError as error:
            raise HttpError(self._about(error.failure, number)) from None
        self._pairs.pop(number, None)
        return [Result(item.index, Outcome.DONE, detail=detail)]

    def _about(self, failure: Failure, number: str) -> Failure:
        """The failure without the recipient's number; with the rest that this recipient needs."""
        plain = number.removeprefix("+")
        failure = replace(
            failure, reason=failure.reason.replace(number, "the recipient").replace(plain, "the recipient")
        )
        if failure.rule != str(PAIR_RATE):
            return failure
        tries = self._pairs.pop(number, 0)
        self._pairs[number] = tries + 1
        if len(self._pairs) > _MOST_PAIRS:
            self._pairs.popitem(last=False)
        return replace(failure, rest=4.0**tries)


def _taken(answer: Answer) -> dict[str, Any]:
    """What WhatsApp says of a message that it took.

    Raises:
        HttpError: It didn't take it, or nobody knows.
    """
    if error_of(answer) is not None and answer.status < 300:
        answer = replace_status(answer)
    failure = judge_answer(answer)
    if failure is not None:
        raise HttpError(failure)
    try:
        value = answer.json()
        message = value["messages"][0]
        detail = {"id": str(message["id"])}
    except Unreadable as problem:
        raise HttpError(replace(judge_body(problem, answer), advice=LOOK)) from None
    except (LookupError, TypeError):
        reason = f"WhatsApp answered {answer.status} without the message's id"
        raise HttpError(Failure(Fate.UNKNOWN, "no id", reason, LOOK)) from None
    if (status := message.get("message_status")) not in (None, "accepted"):
        detail["status"] = str(status)
    return detail


def _not_sent(item: Item, number: str | None) -> Result:
    if number is None:
        return reject(item.index, "blank", "The item has no recipient.", "Map a column to `to`.")
    reason = "The number is on the opt-out list by now."
    return reject(item.index, "opt_out", reason, "Nothing: it is not messaged.")
