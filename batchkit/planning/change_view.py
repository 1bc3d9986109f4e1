"""A plan as people look at it: its figures, and one change with what it was and will be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from ..core.columns import (
    AFTER,
    BEFORE,
    CHANGE,
    FILE_ROW,
    FREE_SCALE,
    ITEM,
    KEY,
    NAME,
    PROBLEMS,
    RAW,
    RENDERED,
)
from ..core.problem import Problem
from ..core.states import SENDABLE, Change


class FieldView(NamedTuple):
    """One field of a change, as a preview shows it."""

    name: str
    before: Any
    after: Any
    changed: bool


@dataclass(frozen=True, slots=True)
class ChangeView:
    """One change of a plan, ready to be shown.

    Attributes:
        item: Ordinal in the plan, 0-based.
        row: Row number a spreadsheet program shows; None where no row stands for the item (a delete).
        key: What identifies the item at the target, as one text.
        change: What would happen.
        fields: Each field with its present and its wanted value.
        problems: What is wrong or worth knowing about the row.
        raw: The row as it stands in the source, by column.
        rendered: The text that would be sent, as its reader gets it; None where the target sends none.
    """

    item: int
    row: int | None
    key: str
    change: Change
    fields: list[FieldView]
    problems: list[Problem]
    raw: dict[str, str | None] = field(default_factory=dict)
    rendered: str | None = None


@dataclass(frozen=True, slots=True)
class PlanSummary:
    """A plan in figures.

    Attributes:
        changes: Number of items by kind of change; only kinds that occur, in the order of `states.Change`.
        rows: Items in all, deletes included; see `source_rows`.
        problems: Problems in all, those about the whole file included.
        source: Name of the source.
        target: Address of the target, without any secret.
        table: Table or collection at the target; empty when it has none.
        key: Fields that identify an item.
        mode: How rows meet items (`upsert`, `update`, `insert`, `append`).
        fields: Fields that are written.
        columns: Columns of the source.
        unused: Columns of the source that feed no field.
        created_at: When the plan was made, ISO 8601 with offset.
        reversible: Whether a run of this plan can be undone.
        irreversible_because: Why it can't.
        undoes: Id of the run that this plan reverses; None for an ordinary plan.
        notices: What there is to say about the file as a whole.
    """

    changes: dict[str, int]
    rows: int
    problems: int
    source: str
    target: str
    table: str
    key: list[str]
    mode: str
    fields: list[str]
    columns: list[str]
    unused: list[str]
    created_at: str
    reversible: bool
    irreversible_because: str
    undoes: str | None
    notices: list[Problem]

    @property
    def source_rows(self) -> int:
        """Items that a row of the source stands for: all but deletes. An undo has no source, and so none."""
        return 0 if self.undoes is not None else self.rows - self.changes.get(Change.DELETE, 0)

    @property
    def to_send(self) -> int:
        """Items that would reach the target."""
        return sum(n for kind, n in self.changes.items() if kind in SENDABLE)

    def to_dict(self) -> dict[str, Any]:
        """The summary as plain JSON-able values."""
        return {**asdict(self), "source_rows": self.source_rows}


def view_of(row: Mapping[str, Any], key: Sequence[str], fields: Sequence[str]) -> ChangeView:
    """A row of a plan, ready to be shown.

    Args:
        row: By column.
        key: Fields of the key.
        fields: The other fields.
    """
    change = Change(row[CHANGE])
    keys = [row[KEY + name] for name in key]
    return ChangeView(
        item=row[ITEM],
        row=row[FILE_ROW],
        key=" / ".join("" if value is None else str(_plain(value)) for value in keys),
        change=change,
        fields=[_field_view(name, row, change) for name in fields],
        problems=[Problem(row=row[FILE_ROW], **each) for each in row[PROBLEMS] or ()],
        raw={name.removeprefix(RAW): value for name, value in row.items() if name.startswith(RAW)},
        rendered=row.get(RENDERED),
    )


def _field_view(name: str, row: Mapping[str, Any], change: Change) -> FieldView:
    before, after = row[BEFORE + name], row[AFTER + name]
    after = row.get(NAME + name) or after  # a lookup row that is yet to be made is known by its name
    return FieldView(name, _plain(before), _plain(after), changed=change in SENDABLE and before != after)


def _plain(value: Any) -> Any:
    """A value without the zeros that only stand there because nobody said how many decimals there are."""
    if not isinstance(value, Decimal) or value.as_tuple().exponent != -FREE_SCALE:
        return value
    text = format(value, "f").rstrip("0")
    return Decimal(text.removesuffix("."))
