"""What passes between the engine and a target: items, results, failures, and what is asked and found."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from ..core.states import Outcome
from ..core.storable import as_text

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from ..core.problem import Level

FIREWALL = "firewall"
"""Rule of a failure by which something before the target turned a request away, perhaps for its content."""


class Fate(StrEnum):
    """What the engine does about an error."""

    RETRY = "retry"  # the target did not do it and may next time
    REJECT = "reject"  # this item (or one of this call's items) will never pass
    ABORT = "abort"  # no item will pass: the run gives up
    UNKNOWN = "unknown"  # it went out, and nobody knows whether it was done


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as the target's own table judges it.

    Attributes:
        fate: What to do about it.
        rule: Short name for counting and for the failure signature (`constraint`, `timeout`, `401`, ...).
        reason: What happened, in words an operator reads.
        advice: What to do next.
        retry_after: Seconds the target asked us to wait; slows the whole run.
        connection: True when nobody answered (counts towards the connection breaker).
        pushback: The target says that it is asked too much: fewer calls at once from now on.
        rest: Seconds that this call waits, at least, before its next try, while others go on.
        doubt: It may have been done all the same, and is tried again because that does no harm.
        away: The target isn't there for now, for anybody: it said so, or what stands before it did.
    """

    fate: Fate
    rule: str
    reason: str
    advice: str = ""
    retry_after: float | None = None
    connection: bool = False
    pushback: bool = False
    rest: float | None = None
    doubt: bool = False
    away: bool = False

    def __post_init__(self) -> None:
        _put_right(self, _TEXTS, str, as_text)
        _put_right(self, ("fate",), Fate, Fate)
        _put_right(self, ("retry_after", "rest"), float, _seconds)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one item in a call.

    Attributes:
        item: Ordinal of the item in the plan.
        outcome: Its outcome. `unchanged` means the target already held the wanted values.
        rule: Short name of the cause when it wasn't done.
        reason: The target's own words, shortened.
        advice: What to do next.
        failure: Of a `pending` item, why it is to be sent again; acted on as if the call had failed so.
        detail: JSON-able facts (for a conflict: `{field: {"planned": .., "found": .., "wanted": ..}}`; for an
            item that is done what the target answered and the journal shall keep, such as a message's id).
    """

    item: int
    outcome: Outcome
    rule: str = ""
    reason: str = ""
    advice: str = ""
    detail: Mapping[str, Any] | None = None
    failure: Failure | None = None

    def __post_init__(self) -> None:
        _put_right(self, _TEXTS, str, as_text)
        if self.outcome in _OUTCOMES:
            _put_right(self, ("outcome",), Outcome, Outcome)
        detail: object = self.detail
        if detail is not None and not isinstance(detail, Mapping):
            object.__setattr__(self, "detail", {"answer": detail})


_TEXTS: Final = ("rule", "reason", "advice")
_OUTCOMES: Final = list(Outcome)


def _put_right(
    record: Failure | Result, names: tuple[str, ...], kind: type, convert: Callable[[Any], object]
) -> None:
    """Make values what they should be, where a target of somebody else's gave something else."""
    for name in names:
        value = getattr(record, name)
        if type(value) is not kind:
            object.__setattr__(record, name, convert(value))


def _seconds(value: object) -> float | None:
    """A wait in seconds; None for none, and for what is no number."""
    with contextlib.suppress(ValueError):
        seconds = float(str(value))
        return seconds if seconds >= 0 else None
    return None


def reject(
    item: int, rule: str, reason: str, advice: str = "", detail: Mapping[str, Any] | None = None
) -> Result:
    """The outcome of an item that will never pass as it is."""
    return Result(item, Outcome.REJECTED, rule, reason, advice, detail)


@dataclass(slots=True)
class Item:
    """One unit of work as a `CallTarget` sees it."""

    index: int
    row: int | None
    change: str
    key: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]


class Refusal(NamedTuple):
    """A checked value that the target can't take, or that somebody should look at.

    Attributes:
        field: The field.
        at: Index of the row in the frame.
        reason: Why, in words an operator reads.
        rule: One word that names the rule.
        advice: What to do next.
        level: `error` keeps the row from being sent, `warning` and `notice` don't.
    """

    field: str
    at: int
    reason: str
    rule: str = "type"
    advice: str = "Correct the value so that it fits the column's type."
    level: Level = "error"


class Finding(NamedTuple):
    """One thing that a target's own check-up looked at.

    Attributes:
        name: What.
        level: `ok`, `warning` (something won't work) or `error` (nothing will).
        found: What was found.
        advice: What to do when it isn't ok.
    """

    name: str
    level: Literal["ok", "warning", "error"]
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class ChunkContext:
    """What a `FrameTarget` needs to know about the chunk besides its rows.

    Attributes:
        run: Id of the run; with `first` and `last` the name of the chunk at the target.
        first, last: Ordinals of the chunk's first and last item.
        recovering: The chunk may have been applied before (after a crash or a lost answer): rows that already
            hold the wanted values are ours, so they are `done` and not `unchanged`.
        dry_run: Apply and roll back.
        overwrite: The operator said that conflicts are to be overwritten.
        timeout: Seconds one statement of the chunk may take; None for the target's own limit.
    """

    run: str
    first: int
    last: int
    recovering: bool = False
    dry_run: bool = False
    overwrite: bool = False
    timeout: float | None = None


class Rows(Protocol):
    """A file of rows, opened: what a target needs of a source."""

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        ...

    def batches(self, size: int) -> Iterator[pl.DataFrame]:
        """The rows in frames of `size`: `ROW` and a text per column."""
        ...


class OpenTable(Protocol):
    """Opens a CSV or Excel file, as `sources.tables.open_table` does."""

    def __call__(self, path: Path, *, header_row: int | None = None) -> Rows:
        """The file, opened."""
        ...
