"""What a job says of the generation of text: model, bounds, prices. The table `[target]` of its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Final

from annotated_types import Ge, Lt
from pydantic import AfterValidator, BeforeValidator
from pydantic.dataclasses import dataclass

from ...core import secrets
from ...core.errors import UsageError
from ...core.model import LENIENT, Takes, as_texts
from ..http.options import Count, HttpOptions

KEY_SECRET: Final = "chat_api_key"  # noqa: S105 - the name of a secret is none
_OURS: Final = ("model", "messages", "stream", "n")


def _comma(value: Any) -> Any:
    """A number as it is typed, with a decimal comma if need be; a truth value is none."""
    return str(value).replace(",", ".") if isinstance(value, str | bool) else value


def _secret_name(text: str) -> str:
    return secrets.names(text)[0] if secrets.names(text) else text


Text = Annotated[str, AfterValidator(str.strip)]
Number = Annotated[float, BeforeValidator(_comma), Ge(0), Lt(1e9), Takes("a number from 0 up")]
Price = Annotated[Number, Takes("a number from 0 up (its currency stands in target.currency)")]


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class Generation(HttpOptions):
    """How text is generated."""

    model: Annotated[Text, Takes("", '"NAME"')] = ""
    """Name of the model at the server. There is no default: models differ in price and in words."""

    system: Annotated[Text, Takes("", '"You write product texts."')] = ""
    """What the model is told before each prompt; a field `system` of a row counts more."""

    max_tokens: Annotated[Count, Takes("", "300")] | None = None
    """Tokens of an answer at most; an answer that is cut off there is rejected."""

    temperature: Number | None = None
    """How freely the model chooses; the server's own default unless said."""

    stop: Annotated[tuple[str, ...], BeforeValidator(as_texts), Takes("", '["END"]')] = ()
    """Text, or texts, before which an answer ends."""

    result: Annotated[Text, Takes("", '"description"')] = "text"
    """Name of the column that holds the text in the run's results."""

    min_length: Annotated[Count, Takes("", "200")] | None = None
    """Characters a text must have; a shorter one is rejected, and kept."""

    max_length: Annotated[Count, Takes("", "600")] | None = None
    """Characters a text may have; a longer one is rejected, and kept."""

    price_in: Price | None = None
    """Price of a million tokens of prompts."""

    price_out: Price | None = None
    """Price of a million tokens of answers."""

    currency: Annotated[Text, Takes("", '"EUR"')] = ""
    """Of the prices, such as `EUR`."""

    key_secret: Annotated[Text, AfterValidator(_secret_name), Takes("", '"chat_api_key"')] = KEY_SECRET
    """Name of the secret that holds the key; empty for a server that takes none."""

    extra: Annotated[Mapping[str, Any], Takes("", "{top_p = 0.9}")] = field(default_factory=dict)
    """More entries of the request's body, as the server knows them."""

    def _check(self) -> None:
        if not self.model:
            advice = 'Name one that the server offers: [target] model = "...".'
            raise UsageError("The job doesn't say which model writes the text.", advice=advice)
        if self.min_length is not None and self.max_length is not None and self.min_length > self.max_length:
            raise UsageError("target.min_length is more than target.max_length.")
        for name in _OURS:
            if name in self.extra:
                raise UsageError(f"target.extra can't hold {name}: that is for the job to say.")
        if secrets.exposes_password(str(self.extra)):
            message = "target.extra holds a password, which would be stored with the plan."
            raise UsageError(message, advice="Logins belong into target.headers, as {secret:NAME}.")
