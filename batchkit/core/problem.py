"""A problem with one row, as every part of batchkit words it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Final, Literal

from .advice import Wording, marked

Level = Literal["error", "warning", "notice"]

SHOWN: Final = 200
"""Characters of a value that a problem shows."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, where, and what to do about it.

    Attributes:
        row: Row number a spreadsheet program shows; None when the whole file is meant.
        column: Column of the source (or field of the target) it is about; None for the whole row.
        value: The value as it stands in the file, shortened to 200 characters; None when there is none.
        rule: One word that names the rule (`required`, `siret`, `width`, `duplicate`, ...).
        message: What is wrong.
        advice: What to do next.
        level: `error` keeps the row from being sent, `warning` and `notice` don't.
    """

    row: int | None
    column: str | None
    value: str | None
    rule: str
    message: str
    advice: str = ""
    level: Level = "error"

    def __post_init__(self) -> None:
        """Word what can be done as the face that is speaking does."""
        if "⟦" in self.advice:
            object.__setattr__(self, "advice", Wording(self.advice))

    def to_dict(self) -> dict[str, Any]:
        """The problem as plain JSON-able values."""
        return asdict(self)

    def stored(self) -> dict[str, Any]:
        """The same for a file, from which every face words the advice anew."""
        return self.to_dict() | {"advice": marked(self.advice)}

    def __str__(self) -> str:
        where = [f"row {self.row}"] if self.row is not None else []
        if self.column:
            where.append(f"column {self.column!r}")
        place = ", ".join(where)
        value = f" (value {self.value!r})" if self.value is not None else ""
        return f"{place + ': ' if place else ''}{self.message}{value}. {self.advice}".strip()


def _problem(
    level: Level,
    rule: str,
    message: str,
    advice: str = "",
    *,
    row: int | None = None,
    column: str | None = None,
    value: str | None = None,
) -> Problem:
    return Problem(row, column, None if value is None else shown(value), rule, message, advice, level)


notice = partial(_problem, "notice")
"""A problem of level "notice": worth knowing, nothing is kept back for it."""

warning = partial(_problem, "warning")
"""A problem of level "warning": look at it, nothing is kept back for it."""

error = partial(_problem, "error")
"""A problem of level "error": its row is not sent."""


def shown(value: str) -> str:
    """A value as a problem shows it: at most 200 characters."""
    return value if len(value) <= SHOWN else value[: SHOWN - 1] + "…"
