"""A server of chat completions as a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final

import polars as pl
from jmespath import search

from ...core.columns import FieldType
from ...core.errors import SecretError, UsageError
from ...core.problem import Problem, notice, warning
from ...core.states import Outcome
from ..base import Failure, Fate, Finding, Item, Result
from ..exchange import reject
from ..http.answer import Answer, Unreadable
from ..http.failures import HttpError, judge_body
from ..http.target import HttpTarget
from .answer import Complaint, Completion, complains
from .estimate import Estimate, pace
from .failures import REWORD, judge_chat
from .options import Generation

PROMPT: Final = "prompt"
SYSTEM: Final = "system"
_ENDPOINT: Final = "/chat/completions"
_LOGINS: Final = frozenset({"authorization", "api-key", "x-api-key"})
_ASKED: Final = ("model", "system", "max_tokens", "temperature", "stop", "extra")
_SHOWN_MODELS: Final = 10
_UNLISTED: Final = frozenset({404, 405, 501})


class ChatTarget(HttpTarget[Generation]):
    """A server that writes texts.

    Nothing changes there: an answer that got lost is asked for again, and costs again. Answers that came are
    in the journal, whole, also those that were rejected for their length. Its address is
    `chat+https://host/v1`, up to where `/chat/completions` begins; a query stays behind it.
    """

    model = Generation
    idempotent = True
    any_key = True
    usual: ClassVar = {"chunk_size": 10, "workers": 1, "rate": 5 / 60, "timeout": 120.0}

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        says = self._says
        self._wants_key = bool(says.key_secret) and not _LOGINS & {name.lower() for name in says.headers}
        if self._wants_key:
            self._given_headers["Authorization"] = f"Bearer {{secret:{says.key_secret}}}"
        self._limit_name = "max_tokens"
        self._estimate = Estimate()

    # Facts

    @property
    def result_columns(self) -> Mapping[str, str]:
        """The text under the name that the job gives it, and its tokens."""
        return {self._says.result: "text", "tokens_in": "tokens_in", "tokens_out": "tokens_out"}

    def fields(self) -> dict[str, FieldType]:
        """A prompt, and what the model is complaint before it."""
        return {
            PROMPT: FieldType("text", nullable=False, checks={"required": True}),
            SYSTEM: FieldType("text"),
        }

    @property
    def shape(self) -> Any:
        """What decides the text that is asked for."""
        return {name: getattr(self._says, name) for name in _ASKED}

    def probe(self) -> str:  # noqa: D102 - the base class says it
        return self._place("/models")

    def _place(self, path: str) -> str:
        base, mark, query = self.base.partition("?")
        return f"{base.rstrip('/').removesuffix(_ENDPOINT)}{path}{mark}{query}"

    def connect(self) -> None:
        """Look whether somebody answers and takes the key.

        Raises:
            TargetError: The key is refused, or the address leads elsewhere.
            TargetUnreachable: Nobody answers.
            SecretError: The key has no value.
        """
        try:
            super().connect()
        except SecretError as error:
            if self._wants_key:
                error.advice = f'{error.advice} For a server that takes no key: [target] key_secret = "".'
            raise

    def judged_probe(self, answer: Answer) -> Failure | None:  # noqa: D102 - the base class says it
        # Not every server lists its models, and one that doesn't says nothing about the key by that.
        return None if answer.status in _UNLISTED else judge_chat(answer, (), self._says.key_secret)

    # Planning

    def rendered(self, frame: pl.DataFrame) -> pl.Series:
        """The prompts, as they would be sent; they are counted on the way.

        Raises:
            UsageError: The job has no prompt.
        """
        if PROMPT not in frame.columns:
            advice = 'Write the prompt: [fields.prompt] template = "Describe {name} in two sentences."'
            raise UsageError("The job doesn't say what to ask for each row.", advice=advice)
        prompts = frame[PROMPT]
        self._estimate.add(prompts, frame[SYSTEM] if SYSTEM in frame.columns else None, self._says.system)
        return prompts

    def notices(self) -> list[Problem]:
        """What the prompts that were planned will cost, in tokens, money and time."""
        estimate, self._estimate = self._estimate, Estimate()
        if not estimate.prompts:
            return []
        rate = self.usual.get("rate")
        words = estimate.words(self._says)
        if rate:
            usual = f"{rate * 60:g} a minute, unless the run is set to another rate"
            words = f"{words}. It takes {pace(estimate.prompts, rate)} at {usual}"
        found = [notice("estimate", words)]
        if self._says.max_tokens is None:
            message = "No answer has a limit, so what the run costs has none either"
            found.append(warning("max_tokens", message, "Set target.max_tokens."))
        return found

    # Sending

    async def send(self, items: Sequence[Item], *, dry_run: bool = False) -> Sequence[Result] | None:
        """Have one text written; a dry run asks for none."""
        (item,) = items
        if dry_run:
            return None
        answer = await self.exchange("POST", self._place(_ENDPOINT), self._body(item), repeatable=True)
        value = self._value(answer)
        if value is None:
            return [Result(item.index, Outcome.PENDING)]
        completion = Completion.of(value)
        if completion is None:
            reason = f"What {self.base} answers is no completion."
            raise HttpError(Failure(Fate.ABORT, "address", reason, "Correct the address of the target."))
        return [self._result(item, completion)]

    def _body(self, item: Item) -> dict[str, Any]:
        says = self._says
        values = {**item.key, **item.after}  # a prompt may be its own key
        system = values.get(SYSTEM) or says.system
        messages = [{"role": "system", "content": system}] if system else []
        body: dict[str, Any] = {
            "model": says.model,
            "messages": [*messages, {"role": "user", "content": values[PROMPT]}],
        }
        if says.max_tokens is not None:
            body[self._limit_name] = says.max_tokens
        if says.temperature is not None:
            body["temperature"] = says.temperature
        if says.stop:
            body["stop"] = list(says.stop)
        return {**body, **says.extra}

    def _value(self, answer: Answer) -> Any:
        """The JSON of an answer that says success; None where the same is to be asked in other words."""
        try:
            value = answer.json() if answer.status == 200 else None
        except Unreadable as problem:
            raise HttpError(judge_body(problem, answer)) from None
        if complains(value):  # a gateway's own status is all that it says of the server's behind it
            answer = replace(answer, status=Complaint.of(answer).status or 500)
        failure = judge_chat(answer, self._common(), self._says.key_secret)
        if failure is None:
            return self.value_of(answer)
        if self._renamed(answer):
            return None
        raise HttpError(failure)

    def _common(self) -> set[str]:
        """The entries that are the same in every request, so that a refusal of one is a refusal of all."""
        says = self._says
        return {self._limit_name, "max_tokens", "temperature", "stop", *says.extra}

    def _renamed(self, answer: Answer) -> bool:
        """Whether the server wants the limit under its newer name; it gets it from now on."""
        complaint = Complaint.of(answer)
        newer = "max_completion_tokens"
        if answer.status != 400 or self._limit_name == newer or newer not in complaint.message:
            return False
        self._limit_name = newer
        return True

    def _result(self, item: Item, got: Completion) -> Result:
        """The item's outcome; the text is kept whatever it is, for it is paid."""
        rule, reason, advice = self._fault(got)
        if rule and not got.text and got.tokens_out is None:
            return reject(item.index, rule, reason, advice)
        outcome = Outcome.REJECTED if rule else Outcome.DONE
        return Result(item.index, outcome, rule, reason, advice, got.facts())

    def _fault(self, got: Completion) -> tuple[str, str, str]:
        """What is wrong with a text: rule, reason, advice; empty where nothing is."""
        says, length = self._says, len(got.text)
        if got.finish == "content_filter":
            return "content filter", "The server's filter withheld the answer.", REWORD
        if got.refusal:
            return "refused", f"The model refuses: {got.refusal}", REWORD
        if got.finish == "length":
            return "cut off", f"The text was cut off after {length:,} characters.", _RAISE
        if not got.text:
            return "empty", "The model answered without a text.", REWORD
        if says.min_length is not None and length < says.min_length:
            reason = f"The text is too short: {length:,} characters, at least {says.min_length:,} are wanted."
            return "too short", reason, _LENGTH
        if says.max_length is not None and length > says.max_length:
            reason = f"The text is too long: {length:,} characters, at most {says.max_length:,} are wanted."
            return "too long", reason, _LENGTH
        return "", "", ""

    # Looking

    def checkup(self) -> Iterator[Finding]:
        """Whether the server answers, takes the key, and has the model."""
        yield self.patiently(self._look_at_models())

    async def _look_at_models(self) -> Finding:
        says = self._says
        try:
            async with self.planning_client() as client:
                answer = await self.exchange("GET", self.probe(), client=client)
        except HttpError as error:
            return Finding("server", "error", error.failure.reason, error.failure.advice)
        if answer.status in _UNLISTED:
            return Finding("model", "ok", f"The server lists no models, so {says.model} can't be looked up.")
        failure = self.judged_probe(answer)
        if failure is not None:
            return Finding("server", "error", failure.reason, failure.advice)
        names = _models(answer)
        if not names or any(_same_model(name, says.model) for name in names):
            return Finding("model", "ok", f"The server answers and takes the key; the model is {says.model}.")
        shown = ", ".join(names[:_SHOWN_MODELS])
        more = f" and {len(names) - _SHOWN_MODELS} more" if len(names) > _SHOWN_MODELS else ""
        # A server may know a model by more names than it lists.
        return Finding(
            "model", "warning", f"The server doesn't list the model {says.model}.", f"It has: {shown}{more}."
        )


_RAISE: Final = "Raise target.max_tokens; what came is on record with the item."
_LENGTH: Final = "Ask for that length in the prompt, or take the text that is on record with the item."


def _same_model(listed: str, named: str) -> bool:
    """Whether a server that lists this takes that name: Ollama adds a tag, Google a folder."""
    return listed in (named, f"{named}:latest") or listed.endswith(f"/{named}")


def _models(answer: Answer) -> list[str]:
    """The names a server lists; some list without `data`, some by name."""
    try:
        value = answer.json()
    except Unreadable:
        return []
    return [str(name) for name in search("(data || models || @)[].[id || name][]", value) or ()]
