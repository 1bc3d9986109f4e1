"""A field of the target: where its value comes from, how it is converted, which checks it must pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, fields
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from ..core.errors import MappingError
from ..core.words import did_you_mean

TYPES = ("text", "integer", "decimal", "float", "date", "datetime", "boolean", "bytes", "json")
TRUE_WORDS = ("oui", "vrai", "yes", "true", "1", "x")
FALSE_WORDS = ("non", "faux", "no", "false", "0")
#: Checks that `Field.warn` may name: they leave the value as it is, so a warning is possible at all.
CHECKS = (
    "required", "min_length", "max_length", "pattern", "one_of", "minimum", "maximum",
    "email", "url", "phone", "siren", "siret", "unique", "check",
)  # fmt: skip

_TUPLES = ("synonyms", "formats", "true_words", "false_words", "missing", "one_of", "repair", "warn")
_FLAGS = ("strip", "required", "email", "url", "siren", "siret", "unique")
_WORDS = ("name", "column", "constant", "template", "type", "pattern", "phone")
_COUNTS = ("scale", "min_length", "max_length", "width")
_CHOICES = {
    "type": TYPES,
    "decimal": ("auto", ",", "."),
    "blank": ("clear", "keep"),
    "repair": ("leading_zero",),
    "warn": CHECKS,
}


@dataclass(frozen=True)
class Field:
    """One field of the target.

    Its value comes from `column`, else from `constant` or `template`, else from the column that bears the
    field's name or a synonym of it.

    Attributes:
        name: Name of the field at the target.
        column: Column of the source; case, accents, spaces and punctuation don't count.
        synonyms: Other names its column may bear.
        constant: The same value for each row.
        template: Text over source columns, such as `{nom} à {ville}`; `{{` is a brace. Blank columns give
            nothing, and a row whose columns are all blank has no value.
        type: One of `TYPES`; None lets the target decide, and is "text" where it doesn't.
        scale: Decimals of a "decimal"; None takes the target's, else 10. Values are never rounded to it.
        formats: Date formats besides ISO: `dd/mm/yyyy`, `jj/mm/aaaa hh:mm` or `%d/%m/%Y`.
        decimal: Decimal mark. "auto" takes both, and refuses what could be read two ways (`1,234`).
        true_words, false_words: Words of a "boolean"; case doesn't count.
        missing: Words that mean "no value", such as `NA`.
        blank: What an empty cell means for an update: "clear" the field or "keep" what is there.
        strip: Remove white space around the value, no-break spaces included.
        required: An empty cell is a problem.
        min_length, max_length: Characters.
        pattern: Regular expression (of Rust's regex crate: no look-around) the whole value must match.
        one_of: The values allowed.
        minimum, maximum: Bounds, both allowed: a number, or an ISO date for dates.
        email, url: The value must look like one.
        phone: Region such as "FR" whose numbers may be written without +33; the value becomes E.164.
        siren, siret: The value must be one, check digit included; spaces are removed.
        unique: No other row may have the value.
        check: Called once per distinct converted value; returns what is wrong with it, or None. True and
            False do too.
        repair: Repairs the operator asks for. "leading_zero" gives back the zero a spreadsheet dropped, up to
            `width`; each is reported as a notice.
        width: Characters of a repaired value; 14 for `siret` and 9 for `siren` unless said.
        warn: Checks that only warn, such as `("max_length",)`.
        lookup: Where the target finds the id behind a name (`table`, `by`, `id`, `create`); carried only.

    Raises:
        MappingError: An option is unknown, of the wrong kind, or contradicts another.
    """

    name: str
    _: KW_ONLY
    column: str | None = None
    synonyms: tuple[str, ...] = ()
    constant: str | None = None
    template: str | None = None
    type: str | None = None
    scale: int | None = None
    formats: tuple[str, ...] = ()
    decimal: Literal["auto", ",", "."] = "auto"
    true_words: tuple[str, ...] = TRUE_WORDS
    false_words: tuple[str, ...] = FALSE_WORDS
    missing: tuple[str, ...] = ()
    blank: Literal["clear", "keep"] = "clear"
    strip: bool = True
    required: bool = False
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    one_of: tuple[str, ...] = ()
    minimum: int | float | str | date | Decimal | None = None
    maximum: int | float | str | date | Decimal | None = None
    email: bool = False
    url: bool = False
    phone: str | None = None
    siren: bool = False
    siret: bool = False
    unique: bool = False
    check: Callable[[Any], str | bool | None] | None = None
    repair: tuple[str, ...] = ()
    width: int | None = None
    warn: tuple[str, ...] = ()
    lookup: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        for name in _TUPLES:
            object.__setattr__(self, name, _as_tuple(self.name, name, getattr(self, name)))
        for name in ("minimum", "maximum"):
            object.__setattr__(self, name, _as_bound(self.name, name, getattr(self, name)))
        _check_kinds(self)
        _check_choices(self)
        _check_sense(self)

    @property
    def repaired_width(self) -> int | None:
        """Characters a value has once its leading zeros are back; None when nothing says."""
        return self.width or (14 if self.siret else 9 if self.siren else None)

    def to_dict(self) -> dict[str, Any]:
        """The options that differ from their defaults, without the name; fit for JSON and TOML.

        Raises:
            MappingError: The field has a Python `check`, which a file can't hold.
        """
        if self.check is not None:
            raise MappingError(
                f"Field {self.name!r} has a check written in Python, which a file can't hold.",
                advice="Give the check again in Python after loading, or use pattern=, one_of= and the like.",
            )
        changed = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "name"}
        defaults = {f.name: f.default for f in fields(self)}
        return {name: _plain(value) for name, value in changed.items() if value != defaults[name]}

    @classmethod
    def from_dict(cls, name: str, options: Mapping[str, Any] | str) -> Field:
        """The field that `to_dict` described; a bare text is the name of its column.

        Raises:
            MappingError: An option is unknown or of the wrong kind.
        """
        if isinstance(options, str):
            return cls(name, column=options)
        if not isinstance(options, Mapping):
            raise MappingError(
                f"Field {name!r} is described by {options!r}.",
                advice=f'Write its column, as in {name} = "Column", or a table of options.',
            )
        known = [f.name for f in fields(cls) if f.name not in {"name", "check"}]
        for option in options:
            if option not in known:
                raise MappingError(
                    f"Field {name!r} has no option {option!r}.",
                    advice=did_you_mean(option, known),
                    field=name,
                )
        return cls(name, **options)


def _as_tuple(field_name: str, option: str, value: Any) -> tuple[str, ...]:
    items = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, (list, tuple)) else None
    if items is None or not all(isinstance(item, str) for item in items):
        raise MappingError(f"Field {field_name!r}: {option} takes a list of texts, not {value!r}.")
    return items


def _as_bound(field_name: str, option: str, value: Any) -> int | float | str | None:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bool) or not (value is None or isinstance(value, (int, float, str))):
        raise MappingError(f"Field {field_name!r}: {option} takes a number or a date, not {value!r}.")
    return value


def _check_kinds(field: Field) -> None:
    for names, kind, word in ((_FLAGS, bool, "true or false"), (_WORDS, str, "a text")):
        for name in names:
            value = getattr(field, name)
            if value is not None and not isinstance(value, kind):
                raise MappingError(f"Field {field.name!r}: {name} takes {word}, not {value!r}.")
    for name in _COUNTS:
        value = getattr(field, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise MappingError(f"Field {field.name!r}: {name} takes a whole number from 0, not {value!r}.")


def _check_choices(field: Field) -> None:
    for name, choices in _CHOICES.items():
        given = getattr(field, name)
        for value in given if isinstance(given, tuple) else (given,):
            if value is not None and value not in choices:
                raise MappingError(
                    f"Field {field.name!r}: {name} can't be {value!r}.",
                    advice=did_you_mean(str(value), choices),
                    field=field.name,
                )


def _check_sense(field: Field) -> None:
    if not field.name.strip():
        raise MappingError("A field has no name.", advice="Name the field of the target.")
    origins = [name for name in ("column", "constant", "template") if getattr(field, name) is not None]
    if len(origins) > 1:
        raise MappingError(
            f"Field {field.name!r} has both {' and '.join(origins)}.",
            advice="Keep one of them.",
            field=field.name,
        )
    if field.repair and field.repaired_width is None:
        raise MappingError(
            f"Field {field.name!r}: repair needs to know how long a whole value is.",
            advice=f"Say it, as in --field {field.name}.width=5 (width=5) for postal codes.",
        )
    if field.phone is not None and not re.fullmatch(r"[A-Z]{2}", field.phone):
        raise MappingError(
            f"Field {field.name!r}: phone takes a region, not {field.phone!r}.",
            advice='Write two capital letters, such as phone="FR".',
        )
    if field.scale is not None and field.scale > 38:
        raise MappingError(f"Field {field.name!r}: a decimal has at most 38 decimals, not {field.scale}.")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
