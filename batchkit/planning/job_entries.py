"""The entries of a job: read from what people write, and refused where they make no sense."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ..checking.fields import Field
from ..core.advice import option
from ..core.errors import JobError
from ..core.words import did_you_mean
from .opening import fact_of

if TYPE_CHECKING:
    from .job import Job

MODES: Final = ("upsert", "update", "insert", "append")
_CHOICES: Final = {
    "mode": MODES,
    "keep_duplicates": ("none", "first", "last"),
    "blank": ("clear", "keep"),
    "decimal": ("auto", ",", "."),
}


def names_in(option: str, value: Any, what: str = "names of fields", such: str = "siret") -> tuple[str, ...]:
    """Names, from a list of them or from one text with commas.

    Raises:
        JobError: It is something else.
    """
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(
        isinstance(each, str) and each.strip() for each in names
    ):
        raise JobError(f"{option} takes {what}, not {value!r}.", advice=f'Write {option} = ["{such}"].')
    return tuple(each.strip() for each in names)


def fields_in(value: Any) -> tuple[Field, ...]:
    """Fields, from a table of options by name, or from a list of fields and names."""
    if isinstance(value, Mapping):
        return tuple(Field.from_dict(name, options) for name, options in value.items())
    return tuple(Field(each) if isinstance(each, str) else each for each in value)


def table_in(option: str, value: Any) -> dict[str, Any]:
    """A table of names and values.

    Raises:
        JobError: It is something else.
    """
    if not isinstance(value, Mapping):
        raise JobError(f"{option} takes a table of names and values, not {value!r}.", option=option)
    return dict(value)


def text_in(option: str, value: Any) -> str:
    """A text that isn't blank.

    Raises:
        JobError: It is something else.
    """
    if not isinstance(value, str) or not value.strip():
        raise JobError(f"{option} takes an address.", advice="Write one such as sqlite:///companies.sqlite.")
    return value.strip()


def check_choices(job: Job) -> None:
    """Make sure that each entry with a few possible values has one of them.

    Raises:
        JobError: One hasn't; the near one is named.
    """
    for name, choices in _CHOICES.items():
        value = getattr(job, name)
        if value not in choices:
            raise JobError(
                f"{name} can't be {value!r}.", advice=did_you_mean(str(value), choices), option=name
            )


def check_sense(job: Job) -> None:
    """Make sure that the entries fit together.

    Raises:
        JobError: They contradict each other, or one is missing.
    """
    if not job.key and job.mode != "append":
        raise JobError(
            f"The mode {job.mode} needs a key: the fields that identify an item.",
            advice=f"Name it, as in {option('key', ['siret'])}; or use mode append to add every row.",
        )
    if job.delete and job.mode in {"append", "insert"}:
        raise JobError(
            f"The mode {job.mode} only adds items, so it can't delete any.", advice="Use upsert or update."
        )
    if fact_of(job.to, "tabled") and not job.table:
        raise JobError(
            "The job doesn't say its table.", advice=f"Name it, as in {option('table', 'companies')}."
        )
    looked_up = sorted(set(job.key) & set(job.all_lookups))
    if looked_up:
        raise JobError(
            f"The key {looked_up[0]!r} is a lookup.",
            advice="Make its column hold the id itself, or key by others.",
        )
