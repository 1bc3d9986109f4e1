"""The entries of a job: what people may write, read into one form, and refused where it makes no sense."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from pathlib import Path
from typing import Annotated, Any, Final

from annotated_types import Ge
from pydantic import BeforeValidator, PlainValidator, TypeAdapter
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from ..checking.fields import Field
from ..core import secrets
from ..core.advice import option
from ..core.errors import JobError
from ..core.model import STRICT, Entry, OneOf, Place, Takes, entries, told_at
from .job_file import refuse_mixed_password
from .job_source import read_source
from .opening import fact_of

MODES: Final = ("upsert", "update", "insert", "append")
READING: Final = (
    "sheet", "header_row", "encoding", "delimiter", "hidden_rows", "fill_merged", "decode_entities",
)  # fmt: skip
"""Options that say how the source's file is read."""

_PLACE: Final = Place("", "A job has no entry", "The job", JobError)
_OUTSIDE: Final = "folder"
"""What is no entry of a job's file, but where it lies."""


def _read_names(value: Any) -> Any:
    """Names, from a list of them or from one text with commas."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(one, str) and one.strip() for one in names):
        raise PydanticCustomError("names", "not names")
    return tuple(each.strip() for each in names)


def _read_fields(value: Any) -> tuple[Field, ...]:
    """Fields, from a table of options by name, or from a list of fields and names."""
    if isinstance(value, Mapping):
        return tuple(Field.from_dict(name, options) for name, options in value.items())
    if not isinstance(value, (list, tuple)) or not all(isinstance(one, str | Field) for one in value):
        raise PydanticCustomError("fields", "not fields")
    return tuple(Field(each) if isinstance(each, str) else each for each in value)


def _read_address(value: Any) -> str:
    """An address; a password that somebody wrote into it stays in this process, under a name."""
    if not isinstance(value, str) or not value.strip():
        raise JobError("to takes an address.", advice="Write one such as sqlite:///companies.sqlite.")
    refuse_mixed_password(value.strip())
    return secrets.conceal(value.strip())


def _read_cap(value: Any) -> Any:
    """A count from a whole number; a share from `10%`, which stays as it is, or a number up to 1."""
    if isinstance(value, str):
        text, percent = value.strip().replace(",", "."), value.strip().endswith("%")
        number = TypeAdapter(float).validate_python(text.removesuffix("%"))
        if percent and 0 <= number <= 100:
            return value.strip()
        # Below 1 it can only be meant as a share; a count is a whole number.
        count = int(number) if number.is_integer() and not percent else None
        value = number if 0 < number < 1 else count
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value <= (1 if isinstance(value, float) else math.inf):
        raise PydanticCustomError("cap", "not a cap")
    return value


Names = Annotated[Sequence[str], PlainValidator(_read_names), Takes("names of fields", '["siret"]')]
Table = Annotated[Mapping[str, Any], Takes("a table of names and values")]


@told_at(lambda _: _PLACE)
@dataclass(frozen=True, config=STRICT)
class Entries:
    """What a job says, each entry in one form."""

    source: Annotated[Any, PlainValidator(read_source), Takes("a path or an address", '"companies.csv"')]
    """Path of a CSV or Excel file, or its address (`https://host/companies.csv`); the query of a database as
    `{"address": .., "query": ..}`; a pandas or polars frame; or any `Source`."""

    to: Annotated[str, PlainValidator(_read_address), Takes("an address", '"sqlite:///companies.sqlite"')]
    """Address of the target, such as sqlite:///companies.sqlite or postgresql://me@host/db. For a password
    write `{secret:NAME}`."""

    table: str | None = None
    """Table at the target."""

    key: Names = ()
    """What identifies an item: one or more fields, or columns of the file. Some targets have a key of their
    own, taken where none is named. `append` takes none, and ignores any."""

    mode: Annotated[str, OneOf(MODES)] = "upsert"
    """upsert writes new and changed rows, update only rows that exist, insert only new ones, append adds
    every row."""

    _: KW_ONLY

    name: str = ""
    """What people call the job."""

    fields: Annotated[
        Sequence[Field | str] | Mapping[str, Any],
        PlainValidator(_read_fields),
        Takes("a list of fields, or a table"),
    ] = ()
    """The fields to fill: `Field`s with their conversions and checks, names, or options by name."""

    map: Annotated[Mapping[str, str], Takes("a table of names and values", '{"Nom" = "name"}')] = field(
        default_factory=dict
    )
    """Field by column, where their names differ. Without `fields`, each further column that bears the name
    of a field feeds it."""

    sheet: str | None = None
    """Sheet of a workbook. Default: the first visible one that holds a table."""

    header_row: Annotated[int, Ge(0)] | None = None
    """Row that holds the column names, as a spreadsheet numbers it; 0: none. Default: found."""

    encoding: str | None = None
    """Encoding of a text file, such as utf-8 or cp1252. Default: detected."""

    delimiter: str | None = None
    """Character between columns of a text file, or "tab". Default: detected."""

    hidden_rows: Annotated[str, OneOf(("keep", "skip"))] = "keep"
    """Whether rows that are hidden in a workbook are read."""

    fill_merged: bool = False
    """Repeat the value of merged cells in each of them, instead of the first alone."""

    decode_entities: bool = False
    """Turn `&amp;` and its like in texts into the characters they stand for."""

    create: bool = False
    """Create the table from the mapping when it doesn't exist."""

    delete: bool = False
    """Plan to delete what the target has and the source lacks."""

    delete_cap: Annotated[
        int | float | str,
        BeforeValidator(_read_cap),
        Takes("a number of items (100) or a share (5%)", '"10%"'),
    ] = 0.1
    """With delete, the most that may be deleted: a number of items, or a share of the target's. Default:
    10%."""

    ignore_case: bool = False
    """Texts that differ only in upper and lower case count as equal."""

    ignore_space: bool = False
    """Texts that differ only in white space count as equal."""

    normalize_unicode: bool = False
    """Texts that differ only in how accents are encoded count as equal."""

    keep_duplicates: Annotated[str, OneOf(("none", "first", "last"))] = "none"
    """Which of several rows with one key counts: none (all of them are reported), first or last (the others
    are `unchanged`)."""

    dates: Annotated[
        Sequence[str], PlainValidator(_read_names), Takes("formats of dates", '["dd/mm/yyyy"]')
    ] = ()
    """How the file writes dates, besides 2026-12-31, such as dd/mm/yyyy. For fields without a rule of their
    own."""

    decimal: Annotated[str, OneOf(("auto", ",", "."))] = "auto"
    """The decimal mark of a text file's numbers, for fields without a rule of their own. auto: either, and
    what could be read two ways is refused. Numbers of a workbook or a frame are numbers already."""

    blank: Annotated[str, OneOf(("clear", "keep"))] = "clear"
    """What an empty cell means for an update, where a field doesn't say: clear the field or keep what is
    there. A field that can't be empty and has a default is kept, or filled in by it in a new item."""

    lookups: Annotated[Mapping[str, Mapping[str, Any]], Takes("a table of names and values")] = field(
        default_factory=dict
    )
    """For fields given by name, where the id is: `{field: {table, by, id, create}}`."""

    target: Table = field(default_factory=dict)
    """What that kind of target takes besides, such as types of posts or the name of a template."""

    settings: Table = field(default_factory=dict)
    """Settings that its runs start from."""

    folder: Annotated[Path, Takes("a path")] | None = field(default=None, compare=False, repr=False)
    """What relative paths are relative to; None is the working folder. Not part of the file."""

    def __post_init__(self) -> None:
        """Take the target's own key where none is named, and make sure that the entries fit together."""
        if not self.key and self.mode != "append":
            object.__setattr__(self, "key", tuple(fact_of(self.to, "default_key")))
        _check_sense(self)

    @property
    def own_fields(self) -> tuple[Field, ...]:
        """The job's fields, each as a `Field`."""
        return self.fields  # type: ignore[return-value]  # made so by _read_fields

    @property
    def all_lookups(self) -> dict[str, Mapping[str, Any]]:
        """The lookups by field, wherever the job says them."""
        own = {one.name: one.lookup for one in self.own_fields if one.lookup is not None}
        return {**self.lookups, **own}


ENTRIES: Final[Mapping[str, Entry]] = {
    name: entry for name, entry in entries(Entries).items() if name != _OUTSIDE
}
"""What a job's file may say, by name."""


def known_entries(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The entries of a file, none of which may be said in Python alone.

    Raises:
        JobError: One may.
    """
    if _OUTSIDE in data:
        raise JobError(f"A job has no entry {_OUTSIDE!r}.", advice="Paths start from the folder of its file.")
    return data


def _check_sense(job: Entries) -> None:
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
