"""What a job may say of a target behind HTTP: the table `[target]` of its file, as a model.

A target's own options are a model that adds to this one: each entry with its kind, its default, and under it
what it is for. `of` reads a job's table; what is wrong in it is told by entry, with an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Annotated, Any, Final, Self

from annotated_types import Ge, Gt, Le
from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from ...core.model import LENIENT, Place, Takes, read
from ...core.settings import seconds
from .logins import refuse_in_headers

CONNECT_TIMEOUT: Final = 10.0
READ_TIMEOUT: Final = 60.0


def no_flag(value: Any) -> Any:
    """A truth value is no number, though Python takes it for one."""
    return str(value) if isinstance(value, bool) else value


def _time(value: Any) -> Any:
    try:
        return seconds(no_flag(value))
    except ValueError:
        return value


def _texts(value: Any) -> Any:
    """A list of texts; a single text is one with commas."""
    if isinstance(value, str):
        return tuple(part for each in value.split(",") if (part := each.strip()))
    return value


def _words(value: Any) -> Any:
    """A table of texts; a number in it is taken as it is written."""
    if not isinstance(value, Mapping):
        return {} if value is None else value
    numbers = {
        key for key, held in value.items() if isinstance(held, int | float) and not isinstance(held, bool)
    }
    return {str(key): str(held) if key in numbers else held for key, held in value.items()}


Count = Annotated[int, BeforeValidator(no_flag), Ge(1), Takes("", "10")]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Words = Annotated[dict[str, str], BeforeValidator(_words)]
Time = Annotated[float, BeforeValidator(_time), Gt(0), Le(86_400), Takes("a time of up to a day", '"30s"')]


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class HttpOptions:
    """What every target behind HTTP takes."""

    headers: Annotated[Words, Takes("a table", '{"X-Shop" = "7"}')] = field(default_factory=dict)
    """Headers of every request; they may refer to secrets."""

    connect_timeout: Time = CONNECT_TIMEOUT
    """Seconds to connect."""

    read_timeout: Time = READ_TIMEOUT
    """Seconds of silence from the server, for what is read while planning. Calls of a run go by the run's own
    timeout."""

    def __post_init__(self) -> None:
        """Make sure that no header holds a login itself, and that the entries fit together."""
        refuse_in_headers(self.headers)
        self._check()

    def _check(self) -> None:
        """Where a target's own entries must fit together, it says so here, by a UsageError."""

    @classmethod
    def of(cls, given: Mapping[str, Any], table: str = "target") -> Self:
        """The options that a job's table describes.

        Args:
            given: The entries of the table.
            table: Its name, for errors.

        Raises:
            UsageError: An entry is unknown (the near one is named), missing or wrong.
        """
        return read(cls, given, Place(f"{table}.", f"{table} has no entry", f"The {table}"))
