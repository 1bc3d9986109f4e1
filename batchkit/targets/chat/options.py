"""What a job says of the generation of text: model, bounds, prices. The table `[target]` of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from ...core import secrets
from ...core.errors import UsageError
from ..http import options as read

KEY_SECRET: Final = "chat_api_key"  # noqa: S105 - the name of a secret is none
_COUNTS: Final = ("max_tokens", "min_length", "max_length")
_NUMBERS: Final = ("temperature", "price_in", "price_out")
_WORDS: Final = ("model", "system", "result", "currency", "key_secret")
_EXAMPLES: Final = {
    "max_tokens": "300", "min_length": "200", "max_length": "600",
    "model": '"NAME"', "system": '"You write product texts."', "result": '"description"',
    "currency": '"EUR"', "key_secret": '"chat_api_key"',
}  # fmt: skip
_OURS: Final = ("model", "messages", "stream", "n")


@dataclass(frozen=True, slots=True)
class Generation:
    """How text is generated.

    Attributes:
        model: Name of the model at the server. There is no default: models differ in price and in words.
        system: What the model is told before each prompt; a field `system` of a row counts more.
        max_tokens: Tokens of an answer at most; an answer that is cut off there is rejected.
        temperature: How freely the model chooses; the server's own default unless said.
        stop: Text, or texts, before which an answer ends.
        result: Name of the column that holds the text in the run's results.
        min_length, max_length: Characters a text must and may have; another is rejected, and kept.
        price_in, price_out: Price of a million tokens of prompts and of answers.
        currency: Of the prices, such as `EUR`.
        key_secret: Name of the secret that holds the key; empty for a server that takes none.
        extra: More entries of the request's body, as the server knows them.
    """

    model: str = ""
    system: str = ""
    max_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    result: str = "text"
    min_length: int | None = None
    max_length: int | None = None
    price_in: float | None = None
    price_out: float | None = None
    currency: str = ""
    key_secret: str = KEY_SECRET
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Generation:
        """The generation that a job's table describes.

        Raises:
            UsageError: An entry is unknown (the near one is named), missing or wrong.
        """
        given = dict(options)
        read.refuse_unknown(given, [each.name for each in fields(cls)], near=read.HTTP_OPTIONS)
        for name, value in given.items():
            given[name] = _checked(name, value)
        made = cls(**given)
        if not made.model:
            raise UsageError(
                "The job doesn't say which model writes the text.",
                advice='Name one that the server offers: [target] model = "...".',
            )
        if made.min_length is not None and made.max_length is not None and made.min_length > made.max_length:
            raise UsageError("target.min_length is more than target.max_length.")
        return made


def _checked(name: str, value: Any) -> Any:
    if name in _COUNTS:
        return read.count(name, value, _EXAMPLES.get(name, "10"))
    if name in _NUMBERS:
        return _number(name, value)
    if name in _WORDS:
        return _text(name, value)
    if name == "stop":
        return (value,) if isinstance(value, str) else read.texts(name, value, '["END"]')
    return _extra(value)


def _number(name: str, value: Any) -> float:
    try:
        number = float(str(value).replace(",", "."))
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < 1e9:
        advice = "The currency stands in target.currency." if name.startswith("price") else ""
        raise UsageError(f"target.{name} can't be {value!r}: it takes a number from 0 up.", advice=advice)
    return number


def _text(name: str, value: Any) -> str:
    value = read.text(name, value, _EXAMPLES.get(name, '"..."'))
    if name == "key_secret" and secrets.names(value):
        return secrets.names(value)[0]
    return str(value).strip()


def _extra(value: Any) -> Mapping[str, Any]:
    value = read.table("extra", value, "{top_p = 0.9}")
    for name in value:
        if name in _OURS:
            raise UsageError(f"target.extra can't hold {name}: that is for the job to say.")
    if secrets.exposes_password(str(value)):
        raise UsageError(
            "target.extra holds a password, which would be stored with the plan.",
            advice="Logins belong into target.headers, as {secret:NAME}.",
        )
    return dict(value)
