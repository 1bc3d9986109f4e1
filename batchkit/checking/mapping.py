"""Which column of the source feeds which field of the target."""

from __future__ import annotations

import string
import unicodedata
from collections import abc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..core.errors import MappingError
from .fields import Field, Pieces, Resolved

if TYPE_CHECKING:
    from ..core.columns import FieldType
    from .checks import Checker

_LIGATURES = str.maketrans(
    {"œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l"}
)


@dataclass(frozen=True)
class Mapping:
    """The fields to fill, in order.

    Args:
        fields: The fields; their names must differ.

    Raises:
        MappingError: Two fields have the same name, or there is none.
    """

    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        if not self.fields:
            raise MappingError("The mapping has no field.", advice="Name at least one field of the target.")
        names = [one.name for one in self.fields]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            advice = "Keep one field of each name."
            raise MappingError(f"The mapping fills {', '.join(map(repr, twice))} twice.", advice=advice)

    def resolve(self, columns: Sequence[str]) -> Resolved:
        """Find each field's column.

        Args:
            columns: Names of the source's columns.

        Raises:
            MappingError: Columns are missing or fit twice. It lists all of them at once, what is there, and
                what is near; attributes `missing` (fields without a column) and `columns`.
        """
        finder = _Finder(columns)
        found: dict[str, str] = {}
        templates: dict[str, Pieces] = {}
        for one in self.fields:
            if one.template is not None:
                templates[one.name] = _resolve_template(one, one.template, finder)
            elif one.constant is None and (column := finder.find_for(one)) is not None:
                found[one.name] = column
        finder.raise_if_missing()
        used = set(found.values()) | {c for pieces in templates.values() for _, c in pieces if c}
        return Resolved(found, templates, tuple(c for c in columns if c not in used))

    def checker(
        self, columns: Sequence[str], types: abc.Mapping[str, FieldType] | None = None, *, typed: bool = False
    ) -> Checker:
        """What converts and checks the batches of one source by this mapping.

        Args:
            columns: Names of the source's columns.
            types: The target's fields; empty or None when it takes any.
            typed: The source's numbers were numbers (Excel cells, frames, SQL) and not text, so that a dot
                is a decimal mark wherever a field doesn't say its own.

        Raises:
            MappingError: A column isn't there, the target lacks a field, or an option can't be used.
            SettingsError: A check needs a library that isn't installed.
        """
        from .checks import Checker

        return Checker(self.fields, self.resolve(columns), types, typed=typed)

    def to_dict(self) -> dict[str, Any]:
        """Field names and their options as plain values, defaults left out; fit for JSON and TOML."""
        return {one.name: one.to_dict() for one in self.fields}

    @classmethod
    def from_dict(cls, data: abc.Mapping[str, Any]) -> Mapping:
        """The mapping that `to_dict` described. `nom = "Nom du client"` is short for its column.

        Raises:
            MappingError: An option is unknown (the near one is named) or of the wrong kind.
        """
        return cls(tuple(Field.from_dict(name, options) for name, options in data.items()))

    @classmethod
    def auto(cls, columns: Sequence[str], fields: Iterable[str | Field]) -> Mapping:
        """Propose a mapping: each field with the column that bears its name or a synonym.

        Nothing is guessed: a field without such a column is left out, and so is one that two columns fit.

        Args:
            columns: Names of the source's columns.
            fields: The target's fields, by name or with their synonyms and checks.

        Raises:
            MappingError: No field finds a column.
        """
        finder = _Finder(columns)
        proposed = []
        wanted = [Field(one) if isinstance(one, str) else one for one in fields]
        for one in wanted:
            if one.constant is not None or one.template is not None:
                proposed.append(one)
            elif (column := finder.find_for(one)) is not None:
                proposed.append(replace(one, column=column))
        if not proposed:
            finder.raise_if_missing()
        return cls(tuple(proposed))


def normalised(name: str) -> str:
    """A column's name without what people vary: case, accents, spaces, punctuation."""
    folded = name.translate(_LIGATURES)
    # Twice: what the first round takes apart, such as a capital of another alphabet, has case again.
    for _ in range(2):
        folded = unicodedata.normalize("NFKD", folded.casefold())
    kept = "".join(c for c in folded if c.isalnum() and not unicodedata.combining(c))
    return kept or name.strip()


class _Finder:
    """Finds columns by name and remembers what it could not find."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = list(columns)
        self._by_name: dict[str, list[str]] = {}
        for column in self.columns:
            self._by_name.setdefault(normalised(column), []).append(column)
        self._missing: list[tuple[str, tuple[str, ...]]] = []
        self._unclear: list[str] = []

    def find_for(self, one: Field) -> str | None:
        names = (one.column,) if one.column is not None else (one.name, *one.synonyms)
        return self.find(one.name, names)

    def find(self, field_name: str, wanted: tuple[str, ...]) -> str | None:
        for name in wanted:
            if name in self.columns:
                return name
        for name in wanted:
            fits = self._by_name.get(normalised(name), [])
            if len(fits) == 1:
                return fits[0]
            if fits:
                self._unclear.append(f"field {field_name!r} fits columns {' and '.join(map(repr, fits))}")
                return None
        self._missing.append((field_name, wanted))
        return None

    def raise_if_missing(self) -> None:
        if not self._missing and not self._unclear:
            return
        facts = []
        for name, names in self._missing:
            others = "" if names == (name,) else f" (looked for {', '.join(map(repr, names))})"
            facts.append(f"no column for field {name!r}{others}")
        near = [hint for _, names in self._missing for hint in self._near(names)]
        advice = [f"Did you mean {' or '.join(map(repr, dict.fromkeys(near)))}?"] if near else []
        if self._unclear:
            advice.append("Name the column exactly as it is written.")
        advice.append(f"The source has: {_listed(self.columns)}.")
        message = "; ".join(facts + self._unclear)
        raise MappingError(
            message[0].upper() + message[1:] + ".",
            advice=" ".join(advice),
            missing=tuple(name for name, _ in self._missing),
            columns=tuple(self.columns),
        )

    def _near(self, names: tuple[str, ...]) -> list[str]:
        hints: list[str] = []
        for name in names:
            plain = normalised(name)
            close = get_close_matches(plain, self._by_name, n=2, cutoff=0.6)
            longer = [other for other in self._by_name if len(plain) > 3 and plain in other][:2]
            hints += [column for other in close + longer for column in self._by_name[other]]
        return hints[:3]


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(map(repr, columns[:30]))
    return f"{shown} and {len(columns) - 30} more" if len(columns) > 30 else shown or "no column"


def _resolve_template(one: Field, template: str, finder: _Finder) -> Pieces:
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise MappingError(
            f"Field {one.name!r}: the template {template!r} can't be read ({error}).",
            advice="Write columns as {column}, and a brace that is meant as one twice: {{.",
        ) from None
    pieces: list[tuple[str, str | None]] = []
    for literal, name, spec, conversion in parts:
        if spec or conversion or name == "":
            message = f"Field {one.name!r}: the template {template!r} holds more than names of columns."
            raise MappingError(message, advice="Write columns as {column}, without ':' or '!'.")
        pieces.append((literal, finder.find(one.name, (name,)) if name is not None else None))
    return tuple(pieces)
