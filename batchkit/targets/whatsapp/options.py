"""What a job may say of a number that messages are sent from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ...core.errors import UsageError
from ..http.options import HTTP_OPTIONS, wrong
from .template import Template

OPTIONS: Final = (
    "template", "language", "account", "variables", "region", "opt_out", "api", *HTTP_OPTIONS,
)  # fmt: skip


def account_id(value: Any) -> str | None:
    """The id of an account.

    Raises:
        UsageError: It is none.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch(r"[\w-]+", str(value)):
        raise wrong("target.account", "the id of an account", value, '"2090001"')
    return str(value)


def opt_outs(value: Any) -> str | list[str] | None:
    """The path of an opt-out list, or its numbers.

    Raises:
        UsageError: It is neither.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping) or not isinstance(value, Iterable):
        raise wrong("target.opt_out", "the path of a file, or a list of numbers", value, '"stop.csv"')
    return [str(each) for each in value]


def seen_template(value: Any) -> Template:
    """The template as a plan saw it.

    Raises:
        UsageError: It is none that a plan wrote.
    """
    try:
        return Template.of(value)
    except (AttributeError, TypeError, ValueError):
        raise UsageError(
            f"target.seen takes what a plan keeps of its template, not {str(value)[:60]!r}.",
            advice="Take that entry out of [target]: a plan writes it by itself.",
        ) from None
