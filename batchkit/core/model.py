"""Models of what people may say: settings, jobs, fields, options of targets.

Each entry is said once, in its model: its kind and bounds, its default, and under it a text that says what it
is for. Pages, forms and error messages read them from there, through `entries`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from types import UnionType
from typing import Any, Final, Literal, TypeVar, Union, cast, get_args, get_origin

from pydantic import ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from . import secrets
from .errors import BatchkitError, UsageError
from .words import did_you_mean

Model = TypeVar("Model")

LENIENT: Final = ConfigDict(
    extra="forbid",
    allow_inf_nan=False,
    arbitrary_types_allowed=True,
    hide_input_in_errors=True,  # a value may be a password
    use_attribute_docstrings=True,
)
"""Configuration of models that are filled from texts too: nothing unknown, but `"10"` is a number and `"yes"`
is true. No value stands in pydantic's own messages."""

STRICT: Final = ConfigDict(**LENIENT, strict=True)
"""Configuration of models that are filled from values: nothing unknown, and nothing of another kind."""

_TABLES: Final = (dict, Mapping)
_LONGEST: Final = 60
KINDS: Final = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
"""Kinds of plain values in words."""
_WANTED: Final = {
    "bool": KINDS[bool], "int": KINDS[int], "float": KINDS[float], "string": KINDS[str],
    "dict": "a table", "mapping": "a table", "dataclass": "a table", "tuple": "a list", "list": "a list",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Takes:
    """What an entry takes, where its kind alone doesn't say it well; stands in its `Annotated`.

    Attributes:
        what: As an error says it: `a time of up to a day`; empty where its kind says it.
        example: A value as a job file has it, quotes included.
    """

    what: str
    example: str = ""


@dataclass(frozen=True)
class OneOf:
    """The few words that a text may be; stands in its `Annotated`."""

    choices: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """How pydantic asks a note what it checks."""
        return no_info_after_validator_function(self._checked, handler(source))

    def _checked(self, value: str) -> str:
        if value not in self.choices:
            raise PydanticCustomError("literal_error", "it is none of them")
        return value


@dataclass(frozen=True, slots=True)
class Entry:
    """What a model says of one of its entries.

    Attributes:
        name: Its name.
        help: What it is for.
        default: Its value where nobody says one; None also where it must be said.
        takes: What it takes, in words.
        example: A value as a job file has it; empty where any will do.
        choices: The values it takes, where they are a few words.
        notes: Whatever else stands in its `Annotated`.
    """

    name: str
    help: str
    default: Any
    takes: str
    example: str
    choices: tuple[str, ...]
    kinds: frozenset[Any]
    notes: tuple[Any, ...]

    def note(self, kind: type[Model]) -> Model | None:
        """The note of one kind, if there is one."""
        return next((each for each in self.notes if isinstance(each, kind)), None)


@functools.cache
def entries(model: Any) -> dict[str, Entry]:
    """The entries of a model, in its order; what one is for may be said by the model that it adds to."""
    found = {name: _entry(name, info) for name, info in _fields(model).items()}
    for name, entry in found.items():
        if not entry.help:
            bases = (each for each in model.__mro__[1:-1] if name in getattr(each, "__pydantic_fields__", {}))
            found[name] = replace(entry, help=next((entries(each)[name].help for each in bases), ""))
    return found


def _fields(model: Any) -> dict[str, FieldInfo]:
    found = getattr(model, "model_fields", None) or model.__pydantic_fields__
    return cast("dict[str, FieldInfo]", found)


def _entry(name: str, info: FieldInfo) -> Entry:
    kinds, notes = _unfolded(info.annotation)
    notes = (*reversed(info.metadata), *reversed(notes))  # the outermost first: it counts more
    said = [each for each in notes if isinstance(each, Takes)]
    words = [str(each) for kind in kinds if get_origin(kind) is Literal for each in get_args(kind)]
    choices = (*words, *(each for note in notes if isinstance(note, OneOf) for each in note.choices))
    return Entry(
        name,
        " ".join((info.description or "").split()),
        info.get_default(call_default_factory=True) if not info.is_required() else None,
        next((each.what for each in said if each.what), "") or _takes(kinds, notes, choices),
        next((each.example for each in said if each.example), ""),
        choices,
        frozenset(get_origin(kind) or kind for kind in kinds),
        notes,
    )


def _unfolded(annotation: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """The kinds inside an annotation, and the notes beside them."""
    if isinstance(annotation, FieldInfo):
        return (), tuple(annotation.metadata)
    if notes := getattr(annotation, "__metadata__", None):
        kinds, inner = _unfolded(annotation.__origin__)
        found = [_unfolded(each)[1] if isinstance(each, FieldInfo) else (each,) for each in notes]
        return kinds, (*(note for each in found for note in each), *inner)
    if get_origin(annotation) in {Union, UnionType}:
        parts = [_unfolded(each) for each in get_args(annotation) if each is not type(None)]
        return tuple(k for kinds, _ in parts for k in kinds), tuple(n for _, notes in parts for n in notes)
    if get_origin(annotation) is tuple:
        return (annotation,), _unfolded(get_args(annotation)[0])[1]
    return (annotation,), ()


def _takes(kinds: tuple[Any, ...], notes: tuple[Any, ...], choices: tuple[str, ...]) -> str:
    origins = [get_origin(kind) or kind for kind in kinds]
    if tuple in origins:
        return "a list of texts"
    if choices:
        words = [
            each if each.isalnum() else repr(each) for each in choices
        ]  # `,` would be read as punctuation
        return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    what = " or ".join(KINDS[kind] for kind in origins if kind in KINDS)
    if not what:
        return "a function" if Callable in origins else "a table"
    return what + _bounds(notes)


def _bounds(notes: tuple[Any, ...]) -> str:
    """The bounds of a number in words, as in `from 1 to 256`."""
    bound = {
        name: getattr(note, name)
        for note in notes
        for name in ("ge", "gt", "le", "lt")
        if hasattr(note, name)
    }
    if "ge" in bound:
        return f" from {bound['ge']:,}" + (f" to {bound['le']:,}" if "le" in bound else " up")
    low = f" above {bound['gt']:,}" if "gt" in bound else ""
    return low + (f" up to {bound['le']:,}" if "le" in bound else "")


# Errors


@dataclass(frozen=True, slots=True)
class Place:
    """How an error names what is wrong.

    Attributes:
        before: What stands before the name of an entry: `target.`, `Field 'siret': `.
        lacks: How one that isn't there is told: `target has no entry`.
        owner: What it is an entry of: `The job`.
        error: Class of the error.
        near: More names that may have been meant; those entries are read elsewhere.
    """

    before: str
    lacks: str
    owner: str
    error: type[BatchkitError] = UsageError
    near: tuple[str, ...] = ()


def read(model: type[Model], given: Mapping[str, Any], place: Place) -> Model:
    """A model from names and values.

    Raises:
        BatchkitError: An entry is unknown (the near one is named), missing, or of the wrong kind (what it
            takes is said, with an example); of the class that the place names.
    """
    try:
        return model(**given)
    except ValidationError as error:
        raise explained(error, model, given, place) from None


def explained(error: ValidationError, model: Any, given: Mapping[str, Any], place: Place) -> BatchkitError:
    """What pydantic found, in the words of an operator: which entry, what is wrong with it, what to write."""
    found = error.errors(include_url=False)
    unknown = [each for each in found if each["type"] in {"unexpected_keyword_argument", "extra_forbidden"}]
    first = (unknown or found)[0]
    loc = [str(part) for part in first["loc"]]
    inner = f"{place.before}{'.'.join(loc[:-1])}" if loc[:-1] else ""
    if unknown:
        names = [*_names(_inner(model, loc[:-1])), *(() if inner else place.near)]
        lacks = f"{inner} has no entry" if inner else place.lacks
        return place.error(f"{lacks} {loc[-1]!r}.", advice=did_you_mean(loc[-1], names), entry=loc[-1])
    if first["type"] in {"missing", "missing_argument"}:
        entry = _at(model, loc)
        what = f"{inner} doesn't say its {loc[-1]}" if inner else f"{place.owner} doesn't say its {loc[-1]!r}"
        advice = f"Write {loc[-1]} = {entry.example if entry and entry.example else '...'}"
        return place.error(f"{what}.", advice=f"{advice}.", entry=loc[-1])
    return _wrong(first, model, given, place)


def _wrong(first: Any, model: Any, given: Mapping[str, Any], place: Place) -> BatchkitError:
    path, value = _walked(first["loc"], given)
    entry = _at(model, path)
    where = f"{place.before}{'.'.join(path)}"
    raised = first.get("ctx", {}).get("error")
    if raised is not None:
        return place.error(f"{where} can't be {shown(value)}: {raised}.", entry=path[-1])
    if first["type"] == "literal_error":
        value = first["input"]  # of a list the one that is wrong
        choices = entry.choices if entry is not None else _choices(model, path)
        return place.error(
            f"{where} can't be {shown(value)}.", advice=did_you_mean(str(value), choices), entry=path[-1]
        )
    if entry is None:  # a value in a table of names, such as a header: it may be a login, and isn't shown
        return place.error(f"{where} takes {_expected(first['type'])}, not {_kind(value)}.", entry=path[-1])
    plain = isinstance(value, int | float) and not isinstance(value, bool) and entry.takes == "text"
    return wrong(where, entry.takes, value, f'"{value}"' if plain else entry.example, place.error)


def wrong(
    where: str, takes: str, value: Any, example: str = "", error: type[BatchkitError] = UsageError
) -> BatchkitError:
    """The error for an entry of the wrong kind.

    Args:
        where: The entry, such as `target.read.many`.
        takes: What it takes.
        value: What it was given.
        example: The entry as it would be right, as a job file has it.
        error: Class of the error.
    """
    name = where.rpartition(".")[2].rpartition(" ")[2]
    advice = f"Write {name} = {example}." if example else ""
    return error(f"{where} takes {takes}, not {shown(value)}.", advice=advice, entry=name)


def shown(value: Any) -> str:
    """A value as an error shows it: short, and without what is a secret or looks like one."""
    if secrets.exposes_password(str(value)):
        return "that, for it holds a password"
    text = secrets.redact(repr(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    return KINDS.get(type(value), "nothing" if value is None else "that")


def _walked(loc: tuple[Any, ...], given: Any) -> tuple[list[str], Any]:
    """The names on the way to a value, and the value; places in lists and kinds of a union don't count."""
    path: list[str] = []
    for part in loc:
        if not isinstance(given, Mapping) or part not in given:
            break
        path.append(str(part))
        given = given[part]
    return path or [str(loc[0])], given


def _at(model: Any, path: list[str]) -> Entry | None:
    """The entry at a place inside a model's tables; None where no model says."""
    inner = _inner(model, path[:-1])
    return entries(inner).get(path[-1]) if hasattr(inner, "__pydantic_fields__") else None


def _inner(model: Any, path: list[str]) -> Any:
    """What a table inside a model's tables is made into; None where that is no class."""
    for name in path:
        if get_origin(model) in _TABLES:
            model = get_args(model)[1]
        else:
            info = _fields(model).get(name) if hasattr(model, "__pydantic_fields__") else None
            kinds = _unfolded(info.annotation)[0] if info is not None else ()
            model = next((kind for kind in kinds if get_origin(kind) in _TABLES or is_dataclass(kind)), None)
    return model


def _names(model: Any) -> list[str]:
    return (
        [each.name for each in fields(model)]
        if is_dataclass(model)
        else list(getattr(model, "model_fields", ()))
    )


def _choices(model: Any, path: list[str]) -> tuple[str, ...]:
    """The choices of the values in a table."""
    notes = _unfolded(_inner(model, path))[1]
    return tuple(each for note in notes if isinstance(note, OneOf) for each in note.choices)


def _expected(kind: str) -> str:
    """What pydantic wanted, by the first word of its error's type."""
    return _WANTED.get(kind.partition("_")[0], "another kind of value")


def as_texts(value: Any) -> Any:
    """A list of texts, from a list or from one text alone."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


def told_at(place: Callable[[Mapping[str, Any]], Place]) -> Callable[[type[Model]], type[Model]]:
    """A dataclass of pydantic whose errors are told in an operator's words, and whose help lists its entries.

    Args:
        place: How an error names what is wrong, by the values that were given.
    """

    def decorate(model: type[Model]) -> type[Model]:
        check = cast("Any", model).__init__
        names = [each.name for each in fields(cast("Any", model)) if not each.kw_only]

        @functools.wraps(check)
        def init(self: Any, *values: Any, **given: Any) -> None:
            if len(values) > len(names):
                raise TypeError(
                    f"{model.__name__} takes {len(names)} values by their place, not {len(values)}."
                )
            given |= zip(names, values, strict=False)
            try:
                check(self, **given)
            except ValidationError as error:
                raise explained(error, model, given, place(given)) from None

        cast("Any", model).__init__ = init
        model.__doc__ = with_entries(model)
        return model

    return decorate


def with_entries(model: type[Any]) -> str:
    """The docstring of a model, with its entries."""
    said, raises, errors = inspect.cleandoc(model.__doc__ or "").partition("Raises:")
    lines = [f"    {name}: {entry.help}" for name, entry in entries(cast("Any", model)).items()]
    return "\n".join([said.rstrip(), "", "Attributes:", *lines, *(["", raises + errors] if raises else [])])
