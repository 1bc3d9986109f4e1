"""The rules a field's values must pass, before and after they are converted."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import polars as pl

from ..core.columns import FieldType
from ..core.errors import MappingError
from ..core.words import did_you_mean, plural
from .cells import Cells, Verdict, patched
from .fields import Field
from .identifiers import addresses, numbers_of_firms, phone_reader, phones

_REMEMBERED = 100_000  # verdicts of a Python check kept between batches
_NUL = Verdict("nul", "The text holds a NUL character, which databases refuse.", "Remove the character.")


class Rules:
    """The rules of one field.

    Args:
        field: The field.
        kind: Its type.
        dtype: The polars type of its values.
        target: The field as the target declares it, if it does.

    Raises:
        MappingError: A pattern or a bound can't be used.
        SettingsError: A check needs a library that isn't installed.
    """

    def __init__(self, field: Field, kind: str, dtype: pl.DataType, target: FieldType | None) -> None:
        self.field = field
        self.kind = kind
        self._bounds = _bounds(field, kind, dtype)
        self._pattern = _pattern(field)
        looked_up = field.lookup is not None
        fits = target is not None and kind == "text" and not looked_up
        self._target_length = target.max_length if fits and target else None
        self._not_null = target is not None and not target.nullable and field.blank == "clear"
        self._known: dict[Any, Verdict | None] = {}
        if field.phone:
            phone_reader(field.phone)  # now, and not when the first row is read: its library may be missing

    def before(self, cells: Cells) -> None:
        """Rules about the text: NUL, repairs, identifiers, addresses."""
        field = self.field
        if self.kind in {"text", "json"}:
            cells.judge(cells.text.str.contains("\0", literal=True), lambda _: _NUL)
        if field.repair:
            self._give_back_zeros(cells)
        for kind in ("siren", "siret"):
            if getattr(field, kind):
                numbers_of_firms(cells, kind, field.name)
        for kind in ("email", "url"):
            if getattr(field, kind):
                addresses(cells, kind)
        if field.phone:
            phones(cells, field.phone)

    def after(self, cells: Cells, values: pl.Series, blank: pl.Series) -> None:
        """Rules about what was converted, and about what is blank."""
        # What is blank was noted before conversion: what couldn't be converted is null too, and isn't blank.
        self._check_blank(cells, blank)
        self._check_text(cells)
        for low, bound, shown in self._bounds:
            outside = values < bound if low else values > bound
            # mypy can't infer a default argument that binds the loop's values.
            cells.judge(outside & cells.text.is_not_null(), lambda _, b=(low, shown): _outside(*b))  # type: ignore[misc]
        if self.field.check is not None:
            self._check_in_python(cells, values)

    def _check_blank(self, cells: Cells, blank: pl.Series) -> None:
        if not blank.any():
            return
        advice = f"Fill in {cells.column!r}."
        if self.field.required:
            cells.flag(blank, Verdict("required", "A value is required here.", advice))
        if self._not_null and (not self.field.required or "required" in self.field.warn):
            cells.flag(blank, Verdict("required", "The target needs a value here.", advice), firm=True)

    def _check_text(self, cells: Cells) -> None:
        field = self.field
        if field.min_length is not None:
            short = cells.text.str.len_chars() < field.min_length
            cells.judge(short, lambda text: _length("min_length", text, field.min_length or 0, "at least"))
        if field.max_length is not None:
            long = cells.text.str.len_chars() > field.max_length
            cells.judge(long, lambda text: _length("max_length", text, field.max_length or 0, "at most"))
        if self._target_length is not None:
            room = self._target_length
            cells.judge(
                cells.text.str.len_chars() > room,
                lambda text: _length("max_length", text, room, "in the target at most"),
                firm=True,
            )
        if self._pattern is not None:
            shape = Verdict(
                "pattern", f"The value doesn't have the form {field.pattern}.", "Correct the value."
            )
            cells.judge(~cells.text.str.contains(self._pattern), lambda _: shape)
        if field.one_of:
            other = Verdict("one_of", "The value is not one of those allowed.")
            unknown = ~cells.text.is_in(list(field.one_of))
            cells.judge(unknown, lambda text: other._replace(advice=did_you_mean(text, field.one_of)))

    def _give_back_zeros(self, cells: Cells) -> None:
        width = self.field.repaired_width or 0
        if width < 2:
            return
        # A check digit proves more zeros right; without one, only a single zero can be told from a typo.
        lost = 4 if self.field.siret or self.field.siren else 1
        short = cells.text.str.contains(f"^[0-9]{{{max(width - lost, 1)},{width - 1}}}$")
        if not short.any():
            return
        at = short.arg_true()
        cells.judge(short, lambda text: _repaired(text.zfill(width)))
        cells.text = patched(cells.text, at, cells.text.gather(at).str.zfill(width))

    def _check_in_python(self, cells: Cells, values: pl.Series) -> None:
        texts, typed = cells.text.to_list(), values.to_list()
        pairs = {text: value for text, value in zip(texts, typed, strict=True) if text is not None}
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        for value in set(pairs.values()) - self._known.keys():
            self._known[value] = self._ask(value)
        wrong = {
            text: verdict for text, value in pairs.items() if (verdict := self._known[value]) is not None
        }
        if wrong:
            cells.judge(cells.text.is_in(list(wrong)), wrong.__getitem__)

    def _ask(self, value: Any) -> Verdict | None:
        check = self.field.check
        try:
            answer = check(value) if check else None
        except Exception as error:  # noqa: BLE001 - one odd value must not stop the others
            answer = f"The check failed: {error or type(error).__name__}."
        if answer is None or answer is True:
            return None
        wrong = "The value fails the check." if answer is False else str(answer)
        return Verdict("check", wrong, "Correct the value.")


def _pattern(field: Field) -> str | None:
    if field.pattern is None:
        return None
    whole = f"^(?:{field.pattern})$"
    try:
        pl.Series(["x"]).str.contains(whole)
    except pl.exceptions.ComputeError as error:
        raise MappingError(
            f"Field {field.name!r}: the pattern {field.pattern!r} can't be used: "
            f"{str(error).splitlines()[-1]}.",
            advice="Write it without look-around and back-references.",
        ) from None
    return whole


def _bounds(field: Field, kind: str, dtype: pl.DataType) -> list[tuple[bool, pl.Series, str]]:
    bounds = []
    for name, given in (("minimum", field.minimum), ("maximum", field.maximum)):
        if given is None:
            continue
        try:
            bound = pl.Series([_bound(given, kind, dtype, low=name == "minimum")], dtype=dtype)
        except (ValueError, TypeError, ArithmeticError, pl.exceptions.PolarsError):
            raise MappingError(
                f"Field {field.name!r}: {name}={given!r} is no bound for a field of type {kind!r}.",
                advice="Give a number for numbers, or a date such as 2026-12-31 for dates.",
            ) from None
        bounds.append((name == "minimum", bound, str(given)))
    return bounds


def _bound(given: Any, kind: str, dtype: pl.DataType, *, low: bool) -> Any:
    if kind == "date":
        return date.fromisoformat(str(given))
    if kind == "datetime":
        moment = datetime.fromisoformat(str(given))
        if moment.tzinfo is not None:
            raise ValueError("a moment in a file has no time zone")
        return moment
    number = Decimal(str(given))
    if kind == "integer":
        return math.ceil(number) if low else math.floor(number)
    if isinstance(dtype, pl.Decimal):
        # Rounded inwards: no value of this scale lies between the bound and the rounded one.
        return number.quantize(Decimal(1).scaleb(-dtype.scale), ROUND_CEILING if low else ROUND_FLOOR)
    if kind == "float":
        return float(number)
    raise ValueError(kind)


def _outside(low: bool, shown: str) -> Verdict:
    if low:
        return Verdict("minimum", f"The value is under {shown}.", f"Write {shown} or more.")
    return Verdict("maximum", f"The value is over {shown}.", f"Write {shown} or less.")


def _length(rule: str, text: str, length: int, word: str) -> Verdict:
    advice = "Shorten it" if rule == "max_length" else "Complete it"
    by = abs(len(text) - length)
    message = f"The value has {plural(len(text), 'character')}; {word} {length} are taken."
    return Verdict(rule, message, f"{advice} by {plural(by, 'character')}.")


def _repaired(text: str) -> Verdict:
    advice = "Nothing, if that is the value; else correct it in the file."
    return Verdict("leading_zero", f"The leading zero was given back: {text}.", advice, "notice")
