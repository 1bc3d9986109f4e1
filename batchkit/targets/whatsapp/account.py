"""What the account says of itself: the number, whether it may send, and the template."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

from jmespath import search

from ...core.errors import BatchkitError, TargetError
from ...core.retry import Backoff
from ..base import Fate, Finding
from ..http.client import HttpClient
from ..http.failures import HttpError, json_of
from ..http.requests import with_patience
from ..http.target import HttpTarget
from .errors import judge_answer
from .template import Template

_PHONE: Final = "id,display_phone_number,verified_name,quality_rating,health_status"
_TEMPLATE: Final = "name,status,category,language,components,parameter_format"
_ACCOUNT: Final = "health_status.entities[?entity_type=='WABA' && id] | [0].id"
_PAGES: Final = 50
_PATIENCE: Final = Backoff(base=0.2, cap=2.0, retries=3)
_READ_LIMIT: Final = 16 * 1024 * 1024
_MANAGER: Final = "See the templates in WhatsApp Manager."


class Account:
    """The account behind a number.

    Args:
        target: Asks.
        account: Its id, where the job says it.

    Attributes:
        phone: What the number says of itself; empty until asked.
        template: The template, once found.
        why: Why the template could not be looked at.
    """

    def __init__(self, target: HttpTarget[Any], account: str | None) -> None:
        self._target = target
        self._id = account
        self.phone: dict[str, Any] = {}
        self.template: Template | None = None
        self.why = ""

    async def look(self, template: str | None, language: str) -> None:
        """Ask for the number, and for the template where there is one.

        Raises:
            HttpError: The token or the number is not accepted, or nobody answers.
            TargetError: The template can't be sent.
        """
        async with self._target.planning_client(read=30.0) as client:
            self.phone = await self._number(client)
            if template is not None:
                self.template = await self._find(client, template, language)

    async def _number(self, client: HttpClient) -> dict[str, Any]:
        base = self._target.base
        try:
            found = await self._get(client, f"{base}?fields={_PHONE}")
        except HttpError as error:
            if error.failure.rule != "100" or error.failure.fate is Fate.ABORT:
                raise
            found = await self._get(client, base)  # a version that doesn't know one of the fields
        return found if isinstance(found, dict) else {}

    async def _find(self, client: HttpClient, name: str, language: str) -> Template | None:
        account = self._id or search(_ACCOUNT, self.phone)
        if account is None:
            self.why = "the number doesn't say which account it belongs to"
            return None
        try:
            found = await self._templates(client, account, name)
        except HttpError as error:
            failure = error.failure
            if failure.rule in ("0", "190", "401") or failure.connection:
                raise
            missing = failure.rule == "100"
            self.why = f"account {account} isn't there for this token" if missing else failure.reason
            return None
        return _fitting(found, name, language)

    async def _templates(self, client: HttpClient, account: str, name: str) -> list[Template]:
        api = self._target.base.rpartition("/")[0]
        place = f"{api}/{quote(str(account), safe='')}/message_templates"
        url = first = f"{place}?name={quote(name)}&limit=100&fields={_TEMPLATE}"
        found: list[Template] = []
        for _ in range(_PAGES):
            page = await self._get(client, url)
            found += [Template.of(each) for each in page.get("data") or () if isinstance(each, dict)]
            after = search("paging.cursors.after", page) if search("paging.next", page) else None
            # Its own link to the next page may lead to another host, and holds the token.
            url = f"{first}&after={quote(str(after))}"
            if not after:
                break
        return [each for each in found if each.name == name]

    async def _get(self, client: HttpClient, url: str) -> Any:
        async def once() -> Any:
            answer = await self._target.exchange("GET", url, client=client, limit=_READ_LIMIT)
            return json_of(answer, judge_answer(answer))

        return await with_patience(once, _PATIENCE)

    def findings(self, problem: BatchkitError | None) -> Iterator[Finding]:
        """What a doctor says of it.

        Args:
            problem: Why `look` failed, if it did.
        """
        if not self.phone:
            if problem is not None:
                yield Finding("number", "error", problem.message, problem.advice)
            return
        quality = str(self.phone.get("quality_rating") or "unknown").lower()
        name = self.phone.get("verified_name") or "without a name"
        shown = f"{name}, {self.phone.get('display_phone_number') or 'number not shown'}, quality {quality}"
        bad = quality in ("red", "yellow", "low", "medium")
        advice = "Too many recipients block or report it: send less, and only to who asked for it."
        yield Finding("number", "warning" if bad else "ok", shown, advice if bad else "")
        yield from self._health()
        if problem is not None:
            yield Finding("template", "error", problem.message, problem.advice)
        elif self.template is not None:
            yield Finding("template", "ok", f"{self.template.name} ({self.template.language}) is approved")
        elif self.why:
            yield Finding("template", "warning", f"not looked at: {self.why}", "Name its account.")

    def _health(self) -> Iterator[Finding]:
        state = search("health_status.can_send_message", self.phone)
        if state is not None:
            good = state == "AVAILABLE"
            advice = "" if good else "See why in WhatsApp Manager."
            level = "ok" if good else "error" if state == "BLOCKED" else "warning"
            yield Finding("sending", level, str(state).lower(), advice)  # type: ignore[arg-type]


def _fitting(found: Sequence[Template], name: str, language: str) -> Template:
    """The template in this language, approved.

    Raises:
        TargetError: There is none.
    """
    if not found:
        raise TargetError(
            f"The account has no template {name!r}.", advice=f"Correct its name. {_MANAGER}", rule="132001"
        )
    fitting = [each for each in found if each.language == language]
    if not fitting:
        languages = ", ".join(sorted(each.language for each in found))
        message = f"The template {name!r} isn't there in the language {language!r}."
        advice = f"It is there in: {languages}. Write one of them as target.language."
        raise TargetError(message, advice=advice, rule="132001")
    template = fitting[0]
    if not template.sendable:
        state = template.status.lower().replace("_", " ")
        rule = {"PAUSED": "132015", "DISABLED": "132016"}.get(template.status, "132001")
        advice = f"WhatsApp would refuse each message. {_MANAGER}"
        raise TargetError(f"The template {name!r} can't be sent: it is {state}.", advice=advice, rule=rule)
    return template
