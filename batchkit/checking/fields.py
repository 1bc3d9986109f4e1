"""A field of the target: where its value comes from, how it is converted, which checks it must pass.

`Resolved` is what became of the first of these for all fields, once there is a source.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, field, fields
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

from annotated_types import Ge, Le
from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from ..core.advice import field_option
from ..core.errors import MappingError
from ..core.model import STRICT, OneOf, Place, Takes, as_texts, told_at

TYPES = ("text", "integer", "decimal", "float", "date", "datetime", "boolean", "bytes", "json")
TRUE_WORDS = ("oui", "vrai", "yes", "true", "1", "x")
FALSE_WORDS = ("non", "faux", "no", "false", "0")
#: Checks that `Field.warn` may name: they leave the value as it is, so a warning is possible at all.
CHECKS = (
    "required", "min_length", "max_length", "pattern", "one_of", "minimum", "maximum",
    "email", "url", "phone", "siren", "siret", "unique", "check",
)  # fmt: skip

Texts = Annotated[tuple[str, ...], BeforeValidator(as_texts)]
Length = Annotated[int, Ge(0)]


def _as_bound(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false have no order")
    return (
        value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, Decimal) else value
    )


Bound = Annotated[
    int | float | str | date | Decimal, BeforeValidator(_as_bound), Takes("a number or a date", "2026-12-31")
]


def _place(given: Mapping[str, Any]) -> Place:
    field = f"Field {given['name']!r}" if "name" in given else "A field"
    return Place(f"{field}: ", f"{field} has no option", field, MappingError)


@told_at(_place)
@dataclass(frozen=True, config=STRICT)
class Field:
    """One field of the target.

    Its value comes from `column`, else from `constant` or `template`, else from the column that bears the
    field's name or a synonym of it.

    Raises:
        MappingError: An option is unknown, of the wrong kind, or contradicts another.
    """

    name: str
    """Name of the field at the target."""

    _: KW_ONLY

    column: str | None = None
    """Column of the source; case, accents, spaces and punctuation don't count."""

    synonyms: Texts = ()
    """Other names its column may bear."""

    constant: str | None = None
    """The same value for each row."""

    template: str | None = None
    """Text over source columns, such as `{nom} à {ville}`; `{{` is a brace. Blank columns give nothing, and a
    row whose columns are all blank has no value."""

    type: Annotated[str, OneOf(TYPES)] | None = None
    """Kind of its values. None lets the target decide, and is "text" where it doesn't."""

    scale: Annotated[int, Ge(0), Le(38)] | None = None
    """Decimals of a "decimal"; None takes the target's, else 10. Values are never rounded to it."""

    formats: Texts = ()
    """Date formats besides ISO: `dd/mm/yyyy`, `jj/mm/aaaa hh:mm` or `%d/%m/%Y`."""

    decimal: Literal["auto", ",", "."] = "auto"
    """Decimal mark. "auto" takes both, and refuses what could be read two ways (`1,234`)."""

    true_words: Texts = TRUE_WORDS
    """Words that are true in a "boolean"; case doesn't count."""

    false_words: Texts = FALSE_WORDS
    """Words that are false in a "boolean"; case doesn't count."""

    missing: Texts = ()
    """Words that mean "no value", such as `NA`."""

    blank: Literal["clear", "keep"] = "clear"
    """What an empty cell means for an update: "clear" the field or "keep" what is there."""

    strip: bool = True
    """Remove white space around the value, no-break spaces included."""

    required: bool = False
    """An empty cell is a problem."""

    min_length: Length | None = None
    """Characters at least."""

    max_length: Length | None = None
    """Characters at most."""

    pattern: str | None = None
    """Regular expression (of Rust's regex crate: no look-around) the whole value must match."""

    one_of: Texts = ()
    """The values allowed."""

    minimum: Bound | None = None
    """Lower bound, itself allowed: a number, or an ISO date for dates."""

    maximum: Bound | None = None
    """Upper bound, itself allowed: a number, or an ISO date for dates."""

    email: bool = False
    """The value must look like an e-mail address."""

    url: bool = False
    """The value must look like a web address."""

    phone: str | None = None
    """Region such as "FR" whose numbers may be written without +33; the value becomes E.164."""

    siren: bool = False
    """The value must be a SIREN, check digit included; spaces are removed."""

    siret: bool = False
    """The value must be a SIRET, check digit included; spaces are removed."""

    unique: bool = False
    """No other row may have the value."""

    check: Callable[[Any], str | bool | None] | None = None
    """Called once per distinct converted value; returns what is wrong with it, or None. True and False do
    too. In Python only."""

    repair: Annotated[tuple[Annotated[str, OneOf(("leading_zero",))], ...], BeforeValidator(as_texts)] = ()
    """Repairs the operator asks for. "leading_zero" gives back the zero a spreadsheet dropped, up to `width`;
    each is reported as a notice."""

    width: Length | None = None
    """Characters of a repaired value; 14 for `siret` and 9 for `siren` unless said."""

    warn: Annotated[tuple[Annotated[str, OneOf(CHECKS)], ...], BeforeValidator(as_texts)] = ()
    """Checks that only warn, such as `("max_length",)`."""

    lookup: Mapping[str, Any] | None = field(default=None, hash=False)
    """Where the target finds the id behind a name (`table`, `by`, `id`, `create`); carried only."""

    def __post_init__(self) -> None:
        """Make sure that the options fit together."""
        if not self.name.strip():
            raise MappingError("A field has no name.", advice="Name the field of the target.")
        origins = [name for name in ("column", "constant", "template") if getattr(self, name) is not None]
        if len(origins) > 1:
            self._refuse(f" has both {' and '.join(origins)}.", "Keep one of them.")
        if self.repair and self.repaired_width is None:
            self._refuse(
                ": repair needs to know how long a whole value is.",
                f"Say it, as for postal codes: {field_option(self.name, 'width', 5)}.",
            )
        if self.phone is not None and not re.fullmatch(r"[A-Z]{2}", self.phone):
            self._refuse(
                f": phone takes a region, not {self.phone!r}.",
                'Write two capital letters, such as "FR".',
            )

    def _refuse(self, message: str, advice: str) -> NoReturn:
        raise MappingError(f"Field {self.name!r}{message}", advice=advice, field=self.name)

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
                advice="Give the check again in Python after loading, or use pattern, one_of and the like.",
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
        if own := {"name", "check"} & options.keys():
            advice = "A file can't hold that." if "check" in own else "Its name stands before its options."
            raise MappingError(f"Field {name!r} has no option {min(own)!r}.", advice=advice, field=name)
        return cls(name, **options)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


#: A template cut in pieces: literal text, and the source column that follows it (None at the end).
Pieces = tuple[tuple[str, str | None], ...]


class Resolved(NamedTuple):
    """A mapping held against the columns of one source.

    Attributes:
        columns: Source column of each field that has one.
        templates: Pieces of each field that is put together from several columns.
        unused: Source columns that feed no field.
    """

    columns: Mapping[str, str]
    templates: Mapping[str, Pieces]
    unused: tuple[str, ...]
