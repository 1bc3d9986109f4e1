"""From text to the types of the target: which converter a field needs, and the small ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NoReturn

import polars as pl

from ..core.columns import FieldType
from ..core.errors import MappingError
from .cells import Cells, Verdict
from .dates import date_formats, days, moments
from .fields import Field
from .numerals import DEFAULT_SCALE, NumberRule, decimals, floats, integers

Converter = Callable[[Cells], pl.Series]


def type_of(field: Field, target: FieldType | None) -> str:
    """The type a field's values get: its own, else the target's, else "text" (a looked-up name is text)."""
    if field.type is not None:
        return field.type
    return "text" if target is None or field.lookup is not None else target.type


def dtype_of(kind: str, scale: int | None = None) -> pl.DataType:
    """The polars type that holds a field type."""
    types: dict[str, pl.DataType] = {
        "integer": pl.Int64(),
        "decimal": pl.Decimal(38, DEFAULT_SCALE if scale is None else scale),
        "float": pl.Float64(),
        "date": pl.Date(),
        "datetime": pl.Datetime("us"),
        "boolean": pl.Boolean(),
        "bytes": pl.Binary(),
    }
    return types.get(kind, pl.String())


def scale_of(field: Field, target: FieldType | None) -> int:
    """Decimals kept: the field's, but no more than the target's, which would round."""
    known = [s for s in (field.scale, target.scale if target else None) if s is not None]
    return min(known) if known else DEFAULT_SCALE


def converter(field: Field, target: FieldType | None, *, typed: bool = False) -> Converter:
    """What converts the cells of a field.

    Args:
        field: The field.
        target: The field as the target declares it, if it does.
        typed: The source's numbers were numbers and not text.

    Raises:
        MappingError: A date format can't be used, or a word is both true and false.
    """
    kind = type_of(field, target)
    if kind in {"integer", "decimal", "float"}:
        rule = _number_rule(field, target, typed)
        number = {"integer": integers, "decimal": decimals, "float": floats}[kind]
        return lambda cells: number(cells, rule)
    if kind in {"date", "datetime"}:
        formats = date_formats(field.formats, timed=kind == "datetime")
        reader = days if kind == "date" else moments
        return lambda cells: reader(cells, formats, len(field.formats))
    if kind == "boolean":
        words = _words(field)
        return lambda cells: booleans(cells, words)
    return {"bytes": binaries, "json": jsons}.get(kind, texts)


def texts(cells: Cells) -> pl.Series:
    """The cells as they are."""
    return cells.text


def booleans(cells: Cells, words: dict[str, bool]) -> pl.Series:
    """The cells as true or false by the field's words; case doesn't count."""
    values = cells.text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    yes = ", ".join(word for word, meant in words.items() if meant)
    no = ", ".join(word for word, meant in words.items() if not meant)
    verdict = Verdict("boolean", "This is neither a yes nor a no.", f"Write one of {yes}; or {no}.")
    return cells.read_rest(values, lambda _: verdict)


def binaries(cells: Cells) -> pl.Series:
    """The cells as bytes, from hexadecimal; a leading backslash-x or 0x is allowed."""
    values = cells.text.str.replace(r"^(?:\\x|0x)", "").str.decode("hex", strict=False)
    verdict = Verdict("bytes", "These are not bytes in hexadecimal.", "Write two of 0-9 and a-f per byte.")
    return cells.read_rest(values, lambda _: verdict)


def jsons(cells: Cells) -> pl.Series:
    """The cells as the JSON text they are; anything else is refused."""
    judged = {text: _json_verdict(text) for text in cells.text.unique().drop_nulls()}
    wrong = {text: verdict for text, verdict in judged.items() if verdict is not None}
    if wrong:
        cells.judge(cells.text.is_in(list(wrong)), wrong.__getitem__)
    return cells.text


def _json_verdict(text: str) -> Verdict | None:
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Verdict("json", f"This is not JSON ({error}).", 'Write it as {"key": "value"}.')
    if "\\u0000" in text:
        return Verdict("nul", "The JSON holds a NUL character, which databases refuse.", "Remove \\u0000.")
    return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _number_rule(field: Field, target: FieldType | None, typed: bool) -> NumberRule:
    scale = scale_of(field, target)
    if target is None:
        return NumberRule(field.decimal, typed, scale)
    precision = None
    if target.precision is not None and target.type == "decimal":
        precision = target.precision - (target.scale or 0) + scale
    bounded = target.type == "integer"
    low, high = (target.minimum, target.maximum) if bounded else (None, None)
    return NumberRule(field.decimal, typed, scale, precision, low, high)


def _words(field: Field) -> dict[str, bool]:
    true = {word.lower(): True for word in field.true_words}
    false = {word.lower(): False for word in field.false_words}
    if true.keys() & false or not true or not false:
        advice = "Give true_words and false_words that have nothing in common."
        raise MappingError(f"Field {field.name!r}: a word must be either true or false.", advice=advice)
    return true | false
