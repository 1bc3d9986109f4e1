"""The columns that frames of rows have on their way from a source to a target, and the type of a field.

A source's batches have `ROW` and a text column for each column of the file. A plan's rows have:

    item            UInt32   ordinal of the item in the plan, 0-based; what the journal knows it by
    row             UInt32   row number in the source; null for an item that no row stands for (a delete)
    change          String   one of `states.Change`
    key:<field>     typed    what identifies the item at the target
    before:<field>  typed    before-image: the value the plan saw at the target
    after:<field>   typed    wanted value; equal to `before:` where nothing is to change
    name:<field>    String   name of a lookup row that does not exist yet and shall be created; null otherwise
    raw:<column>    String   the row as it stands in the source
    problems        List     what is wrong or worth knowing about the row
    rendered        String   the text of what would be sent, for a target that renders
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ROW: Final = "#row"
"""First column of each batch of a source: the row number a spreadsheet program shows (UInt32, from 1)."""
ERROR: Final = "#error"
ADVICE: Final = "#advice"
REMARKS: Final = (ROW, ERROR, ADVICE)
"""Columns of a fix-and-rerun file that are batchkit's own, not the source's."""

ITEM: Final = "item"
FILE_ROW: Final = "row"
CHANGE: Final = "change"
KEY: Final = "key:"
BEFORE: Final = "before:"
AFTER: Final = "after:"
NAME: Final = "name:"
RAW: Final = "raw:"
PROBLEMS: Final = "problems"
RENDERED: Final = "rendered"

LOST: Final = "lost:"
"""Prefix in what a target reads: the text of a value that the field's type can't carry, or not exactly."""

FREE_SCALE: Final = 10
"""Decimals that are carried of a `decimal` whose scale nobody says."""


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field as the target declares it.

    Attributes:
        type: One of text, integer, decimal, float, date, datetime, boolean, bytes, json.
        scale: Decimals of a `decimal`.
        precision: Digits of a `decimal` in all.
        max_length: Characters a `text` may have.
        minimum, maximum: Bounds of an `integer`.
        nullable: Whether the target accepts no value.
        has_default: Whether the target fills it in when it is left out.
        generated: Whether the target computes it itself, so that it can't be written.
        key: Whether it is part of the target's own primary key.
        checks: Options of `Field` that hold where the job doesn't say them, such as `{"max_length": 60,
            "warn": ("max_length",)}`.
    """

    type: str
    scale: int | None = None
    precision: int | None = None
    max_length: int | None = None
    minimum: int | None = None
    maximum: int | None = None
    nullable: bool = True
    has_default: bool = False
    generated: bool = False
    key: bool = False
    checks: Mapping[str, Any] = field(default_factory=dict)
