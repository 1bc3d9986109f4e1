"""The outline of a plan: a job with its names resolved, its source open and its target connected."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.compare import Compare
from ..core.problem import Problem
from .deletes import DeleteCap

if TYPE_CHECKING:
    from ..checking.mapping import Mapping
    from ..core.columns import FieldType
    from ..sources.base import Source
    from ..targets.base import Target


@dataclass(frozen=True, slots=True)
class Outline:
    """What is to be planned; a `Job` with its names resolved.

    Attributes:
        source: Where the rows come from.
        target: A connected target.
        mapping: The fields to fill.
        types: The target's fields; empty when it takes any.
        table: Name of the table; None when the target has none.
        key: Fields that identify an item; empty for `append`.
        mode: `upsert`, `update`, `insert` or `append`.
        compare: When texts count as the same.
        keep_duplicates: `none`, `first` or `last`.
        delete_cap: Delete what the source lacks, up to this cap; None deletes nothing.
        skips_hidden: Rows that a sheet hides are left out, so that nobody knows which items they are.
        settings: Settings a run starts from.
        notices: What is already known about the file as a whole.
        job: The job as its file would say it; None when it can't be saved.
        folder: The job's folder, whose `.env` may hold secrets; None when it has none.
    """

    source: Source
    target: Target
    mapping: Mapping
    types: abc.Mapping[str, FieldType]
    table: str | None
    key: tuple[str, ...]
    mode: str
    compare: Compare = field(default_factory=Compare)
    keep_duplicates: str = "none"
    delete_cap: DeleteCap | None = None
    skips_hidden: bool = False
    settings: abc.Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[Problem, ...] = ()
    job: str | None = None
    folder: Path | None = None
