"""The outline of a plan: a job with its names resolved, its source open and its target connected."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.compare import Compare

if TYPE_CHECKING:
    from ..checking.mapping import Mapping
    from ..core.columns import FieldType
    from ..sources.base import Source
    from ..targets.base import Target
    from .job_entries import Entries


@dataclass(frozen=True, slots=True)
class Outline:
    """What is to be planned.

    Attributes:
        job: What the job says.
        text: The same as its file would say it; None when it can't be saved.
        source: Where the rows come from.
        target: A connected target.
        mapping: The fields to fill.
        types: The target's fields; empty when it takes any.
        key: Fields that identify an item; empty for `append`.
    """

    job: Entries
    text: str | None
    source: Source
    target: Target
    mapping: Mapping
    types: abc.Mapping[str, FieldType]
    key: tuple[str, ...]

    @property
    def compare(self) -> Compare:
        """When texts count as the same."""
        return Compare(self.job.ignore_case, self.job.ignore_space, self.job.normalize_unicode)
