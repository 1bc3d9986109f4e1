"""What a job may say of a number that messages are sent from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, InstanceOf, StringConstraints
from pydantic.dataclasses import dataclass

from ...checking.identifiers import phone_reader
from ...core import secrets
from ...core.errors import UsageError
from ...core.model import LENIENT, Takes
from ..http.options import HttpOptions, Texts
from .template import Template

API: Final = "https://graph.facebook.com/v23.0"


def _id(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _numbers(value: Any) -> Any:
    """Numbers of telephones as texts, however a list of them was written."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return value
    return tuple(str(each) for each in value)


def _seen(value: Any) -> Any:
    """A template as a plan kept it.

    Raises:
        UsageError: It is none that a plan wrote.
    """
    if not value or isinstance(value, Template):
        return value or None
    try:
        return Template.of(value)
    except (AttributeError, TypeError, ValueError):
        raise UsageError(
            f"target.seen takes what a plan keeps of its template, not {str(value)[:60]!r}.",
            advice="Take that entry out of [target]: a plan writes it by itself.",
        ) from None


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class Sending(HttpOptions):
    """How messages are sent. An `Authorization` among the headers replaces the token."""

    template: Annotated[str, Takes("", '"rappel_rdv"')] | None = None
    """Name of the template; without one, text and media are sent."""

    language: Annotated[str, Takes("", '"fr"')] = "fr"
    """The template's language, such as `fr` or `en_US`."""

    account: Annotated[
        Annotated[str, StringConstraints(pattern=r"^[\w-]+$")] | None,
        BeforeValidator(_id),
        Takes("the id of an account", '"2090001"'),
    ] = None
    """Id of the WhatsApp Business account, where the number doesn't tell it."""

    variables: Annotated[Texts, Takes("", '["prenom", "date"]')] = ()
    """Names of the template's variables, where it can't be asked and they have names."""

    region: Annotated[str, Takes("", '"FR"')] = "FR"
    """Region of numbers without a country code."""

    opt_out: Annotated[
        str | tuple[str, ...] | None,
        BeforeValidator(_numbers),
        Takes("the path of a file, or a list of numbers", '"stop.csv"'),
    ] = None
    """Numbers never to be messaged: a file (CSV, Excel, a number per line), or a list."""

    api: Annotated[str, Takes("", f'"{API}"')] = API
    """Where the API is, with its version."""

    seen: Annotated[InstanceOf[Template] | None, BeforeValidator(_seen)] = None
    """The template as a plan saw it; a plan writes it by itself."""

    def _check(self) -> None:
        phone_reader(self.region)
        if secrets.exposes_password(self.api):
            raise UsageError("The address of the API holds a login, which would be stored with the plan.")

    def to_dict(self) -> dict[str, Any]:
        """What a plan keeps of it, without the template, as plain values."""
        said = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "seen"}
        if self.api == API:
            del said["api"]
        kept = {name: value for name, value in said.items() if value not in (None, (), {})}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}
