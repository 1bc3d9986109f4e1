"""Fitting a job to what is there: which column of the source feeds which field of the target."""

from __future__ import annotations

import re
import unicodedata
from collections import abc
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Final

from ..checking.fields import Field
from ..checking.mapping import Mapping, normalised
from ..core.columns import FieldType
from ..core.errors import MappingError
from ..core.words import did_you_mean

if TYPE_CHECKING:
    from ..sources.base import Source
    from .job_entries import Entries

_LONGEST_NAME: Final = 60
"""Characters of a field that is named after a column; PostgreSQL cuts names at 63 bytes."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A job's mapping and key, held against a source and a target.

    Attributes:
        mapping: The fields to fill.
        key: The key's fields under their own names.
    """

    mapping: Mapping
    key: tuple[str, ...]


def fit(
    job: Entries,
    columns: Sequence[str],
    types: abc.Mapping[str, FieldType],
    *,
    typed: bool = False,
    any_key: bool = False,
    joins_key: Collection[str] = (),
) -> Fit:
    """Find the job's fields and key among the source's columns and the target's fields.

    Args:
        job: The job.
        columns: Columns of the source.
        types: Fields of the target; empty when it takes any, or is yet to be made.
        typed: The source's numbers were numbers and not text, so that no decimal mark need be told.
        any_key: The key may be a column that is no field of the target.
        joins_key: Fields that belong to the key when something feeds them.

    Raises:
        MappingError: A field or the key isn't there, or a lookup is of a field that nothing fills.
    """
    fields = _apply_map(job, list(job.own_fields) or _match_by_name(job, columns, types), types)
    keys = [_find_key_field(name, fields, columns, types, any_key=any_key) for name in job.key]
    if keys:
        keys += [one for one in fields if one.name in joins_key and one not in keys]
    known = {one.name for one in fields}
    added = [one for one in keys if one.name not in known]
    sole = keys[0].name if len(keys) == 1 else None
    whole = [
        _add_defaults(_add_checks(one, types, sole_key=one.name == sole), job, types, typed=typed)
        for one in (*added, *fields)
    ]
    _check_lookups(job, [one.name for one in whole])
    return Fit(Mapping(tuple(whole)), tuple(one.name for one in keys))


def is_typed(source: Source) -> bool:
    """Whether the source's numbers were numbers, so that a dot in their text is a decimal mark."""
    return source.describe().get("kind") != "csv"


def describe_new_fields(fitted: Fit, ids: abc.Mapping[str, FieldType] | None = None) -> dict[str, FieldType]:
    """The fields of a table that is yet to be made: as the mapping says, text where it doesn't.

    Args:
        fitted: The mapping and the key.
        ids: What the ids are of the fields that are given by name.
    """
    found = {}
    for one in fitted.mapping.fields:
        is_key = one.name in fitted.key
        same = ids.get(one.name) if ids and one.lookup is not None else None
        found[one.name] = FieldType(
            type=same.type if same else one.type or "text",
            scale=same.scale if same else one.scale,
            precision=same.precision if same else None,
            max_length=same.max_length if same else one.max_length,
            nullable=not is_key,
            key=is_key,
        )
    return found


def _check_lookups(job: Entries, names: Sequence[str]) -> None:
    for name in job.lookups:
        if name not in names:
            raise MappingError(
                f"The lookup of {name!r} is of no field that the job fills.",
                advice=f"{did_you_mean(name, names)} To fill {name}, map a column of the source to it.",
                lookup=name,
            )


def name_field(column: str) -> str:
    """The name of a new field for a column: `Code Postal` → `code_postal`, `N° de prix` → `n_de_prix`."""
    plain = unicodedata.normalize("NFKD", column.casefold().replace("œ", "oe").replace("æ", "ae"))
    words = re.findall(r"[a-z0-9]+", "".join(c for c in plain if not unicodedata.combining(c)))
    name = "_".join(words)[:_LONGEST_NAME].strip("_") or "column"
    return f"c_{name}" if name[0].isdigit() else name


def _apply_map(job: Entries, fields: list[Field], types: abc.Mapping[str, FieldType]) -> list[Field]:
    """The fields, with the columns that the job's map gives them; it may add some."""
    by_name = {one.name: one for one in fields}
    for column, named in job.map.items():
        name = _find_known_name(named, types)
        plain = replace(by_name.get(name, Field(name)), constant=None, template=None)
        by_name[name] = replace(plain, column=column)
    return list(by_name.values())


def _match_by_name(job: Entries, columns: Sequence[str], types: abc.Mapping[str, FieldType]) -> list[Field]:
    taken = {normalised(column) for column in job.map}
    free = [column for column in columns if normalised(column) not in taken]
    if not types:
        return _make_fields(free, job.lookups)
    filled = {_find_known_name(name, types) for name in job.map.values()}
    open_names = [name for name, kind in types.items() if not kind.generated and name not in filled]
    found = {
        one.name: one
        for one in _match_columns(
            free, [Field(name, synonyms=_list_synonyms(name, job)) for name in open_names]
        )
    }
    # A table that batchkit made for such a file has names that were cut, or numbered, on the way.
    used = {one.column for one in found.values()}
    found |= {
        one.name: one
        for one in _make_fields(free)
        if one.name in open_names and one.name not in found and one.column not in used
    }
    if not found and not job.map:
        Mapping.auto(free, open_names)  # raises, and says what is near
    return [found[name] for name in open_names if name in found]


def _match_columns(columns: Sequence[str], wanted: Sequence[Field]) -> Sequence[Field]:
    try:
        return Mapping.auto(columns, wanted).fields
    except MappingError:
        return ()


def _find_known_name(name: str, types: abc.Mapping[str, FieldType]) -> str:
    fitting = [known for known in types if normalised(known) == normalised(name)]
    return fitting[0] if name not in types and len(fitting) == 1 else name


def _list_synonyms(name: str, job: Entries) -> tuple[str, ...]:
    """A field that is given by a name, such as `categorie_id`, is fed by the column `categorie`."""
    return (name.removesuffix("_id"),) if name in job.lookups and name.endswith("_id") else ()


def _make_fields(columns: Sequence[str], lookups: Collection[str] = ()) -> list[Field]:
    fields: dict[str, Field] = {}
    for column in columns:
        name = name_field(column)
        if name not in lookups and f"{name}_id" in lookups:
            name += "_id"  # fed by a name, such as `categorie_id` by the column `categorie`
        numbered = (f"{name}_{n}" for n in count(2))
        free = next(each for each in chain([name], numbered) if each not in fields)
        fields[free] = Field(free, column=column)
    return list(fields.values())


def _add_defaults(one: Field, job: Entries, types: abc.Mapping[str, FieldType], *, typed: bool) -> Field:
    changes: dict[str, Any] = {}
    kind = one.type or (types[one.name].type if one.name in types else None)
    if kind in {"date", "datetime"} and job.dates and not one.formats:
        changes["formats"] = tuple(job.dates)
    if kind in {"decimal", "float"} and one.decimal == "auto" and not typed:
        changes["decimal"] = job.decimal
    if one.name in job.lookups and one.lookup is None:
        changes["lookup"] = dict(job.lookups[one.name])
    # Where a field can not be empty and has a default, an empty cell takes that or keeps what is there.
    known = types.get(one.name)
    filled = known is not None and known.has_default and not known.nullable
    if (job.blank == "keep" or filled) and one.blank == "clear":
        changes["blank"] = "keep"
    return replace(one, **changes) if changes else one


def _add_checks(one: Field, types: abc.Mapping[str, FieldType], *, sole_key: bool) -> Field:
    """The field with the target's own checks, where the job doesn't say otherwise."""
    checks = dict(types[one.name].checks) if one.name in types else {}
    if sole_key:
        checks.pop("unique", None)  # a key that stands twice is told as such, and the job says which counts
    plain = Field(one.name)
    added = {name: value for name, value in checks.items() if getattr(one, name) == getattr(plain, name)}
    if "warn" in checks:
        # Only the target's own checks are made milder by it: what the job asks for stays as strict as it is.
        mild = [name for name in checks["warn"] if name in added and name not in one.warn]
        added["warn"] = (*one.warn, *mild)
    return replace(one, **added) if added else one


def _find_key_field(
    name: str,
    fields: Sequence[Field],
    columns: Sequence[str],
    types: abc.Mapping[str, FieldType],
    *,
    any_key: bool,
) -> Field:
    """The key's field: called so, or fed by a column called so."""
    plain = normalised(name)
    fitting = [one for one in fields if one.name == name]
    fitting += [
        one for one in fields if plain in {normalised(each) for each in (one.name, one.column) if each}
    ]
    fitting += [Field(known) for known in types if normalised(known) == plain]
    if fitting:
        return fitting[0]
    if (types and not any_key) or not any(normalised(column) == plain for column in columns):
        raise MappingError(
            f"The key {name!r} is neither a field that is filled nor a field of the target.",
            advice=did_you_mean(name, [*(one.name for one in fields), *types]),
            key=name,
        )
    return Field(name)
