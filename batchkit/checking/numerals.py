"""Text that stands for a number: whole, decimal or floating.

A batch is first tried by one regular expression that is a strict subset of what `read_number` accepts; only
the cells that fail it are read one distinct value at a time. The two never disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from ..core.advice import option
from .cells import Cells, Verdict, patched

DEFAULT_SCALE = 10
_SPACES = " \u00a0\u202f\u2009"
_GROUPED_TEXT = rf"[+-]?[0-9]{{1,3}}(?:[{_SPACES}][0-9]{{3}})+(?:[.,][0-9]+)?"
_GROUPED = re.compile(_GROUPED_TEXT)
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?[eE][+-]?\d{1,3}", re.ASCII)
_INSIDE = re.compile(r"[+-]?\d[\d.,]*", re.ASCII)
_EXCEL_ID = (
    "A spreadsheet shortened a long number: format its column as text there, enter it again, export again."
)
_ZERO_DROPPED = Verdict(
    "leading_zero",
    "The target keeps whole numbers, so the leading zero is dropped.",
    "If it is a code and not a quantity, make the target's field a text.",
    "warning",
)


@dataclass(frozen=True, slots=True)
class NumberRule:
    """How the numbers of one field are written and what the target can hold.

    Attributes:
        mark: Decimal mark: "," or "." or "auto".
        typed: The source's numbers were numbers, so a dot is a decimal mark even under "auto".
        scale: Decimals kept.
        precision: Digits the target keeps in all.
        minimum, maximum: The target's own bounds of an integer.
    """

    mark: str = "auto"
    typed: bool = False
    scale: int = DEFAULT_SCALE
    precision: int | None = None
    minimum: int | None = None
    maximum: int | None = None


class Unreadable(Exception):
    """The text is not a number under the field's rule; `verdict` says why."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def verdict(self, rule: str) -> Verdict:
        """The refusal, under the name of the type that was wanted."""
        return Verdict(rule, self.message, self.advice)


def integers(cells: Cells, rule: NumberRule) -> pl.Series:
    """The cells as Int64; what is no whole number of 64 bits, or out of the target's bounds, is refused."""
    values = cells.text.cast(pl.Int64, strict=False)
    if _ungroup(cells, values):
        values = cells.text.cast(pl.Int64, strict=False)
    values = cells.read_rest(values, lambda text: _whole(text, rule))
    cells.flag(cells.text.str.contains(r"^[+-]?0[0-9]"), _ZERO_DROPPED)
    if rule.minimum is None and rule.maximum is None:
        return values
    low = -(2**63) if rule.minimum is None else max(rule.minimum, -(2**63))
    high = 2**63 - 1 if rule.maximum is None else min(rule.maximum, 2**63 - 1)
    outside = ~values.is_between(low, high)
    cells.judge(outside, lambda _: _out_of_range(f"The target takes whole numbers from {low} to {high}."))
    return values.zip_with(~outside, pl.Series([None], dtype=pl.Int64)) if outside.any() else values


def decimals(cells: Cells, rule: NumberRule) -> pl.Series:
    """The cells as Decimal(38, scale), exactly: more decimals than the scale are refused, never rounded."""
    room = min(rule.precision or 38, 38) - rule.scale
    whole = f"[0-9]{{1,{room}}}" if room > 0 else "0"
    dtype = pl.Decimal(38, rule.scale)
    values = _quickly(cells, _pattern(rule, whole, rule.scale), dtype)
    return cells.read_rest(values, lambda text: _exact(text, rule))


def floats(cells: Cells, rule: NumberRule) -> pl.Series:
    """The cells as Float64; whole numbers of 15 digits or more are refused, they would change."""
    values = _quickly(cells, _pattern(rule, "[0-9]{1,14}", 300), pl.Float64())
    return cells.read_rest(values, lambda text: _floating(text, rule))


def read_number(text: str, rule: NumberRule) -> str:
    """The number a text stands for, as `-1234.5`: no spaces, a dot, no exponent, not rounded.

    Thousands may be parted by spaces (no-break and narrow ones too), by dots where the mark is a comma, or by
    the mark that comes first where both occur. Under "auto" a text that can be read two ways is refused.

    Raises:
        Unreadable: It is not a number, or more than one.
    """
    plain = text.replace("\u2212", "-")
    plain = re.sub(rf"[{_SPACES}]", "", plain) if _GROUPED.fullmatch(plain) else plain
    if _SCIENTIFIC.fullmatch(plain):
        return _unfolded(plain, rule)
    if not re.fullmatch(r"[+-]?[\d.,]*\d", plain, re.ASCII):
        raise Unreadable("This is not a number.", _number_inside(text))
    mark = _mark_of(plain, rule)
    group = {",": ".", ".": ","}.get(mark, "")
    if group and group in plain:
        if not re.fullmatch(rf"[+-]?\d{{1,3}}(?:{re.escape(group)}\d{{3}})+(?:{re.escape(mark)}\d+)?", plain):
            both = f"Its dots and commas don't form a number (decimal mark: {rule.mark})."
            raise Unreadable(both, _number_inside(text))
        plain = plain.replace(group, "")
    if mark and plain.count(mark) > 1:
        raise Unreadable(f"The decimal mark {mark!r} stands twice.", _number_inside(text))
    plain = plain.replace(mark, ".") if mark else plain
    sign, digits = ("-", plain[1:]) if plain[0] == "-" else ("", plain.lstrip("+"))
    head, point, tail = digits.partition(".")
    return f"{sign}{head.lstrip('0') or '0'}{point}{tail}"


def _mark_of(plain: str, rule: NumberRule) -> str:
    dots, commas = plain.count("."), plain.count(",")
    if rule.mark != "auto":
        return _declared_mark(plain, rule.mark, dots, commas)
    if dots and commas:
        return "," if plain.rfind(",") > plain.rfind(".") else "."
    mark = "." if dots else "," if commas else ""
    if not mark or (mark == "." and rule.typed and dots == 1):
        return mark
    if dots + commas > 1 or re.fullmatch(r"[+-]?(?!0[.,])\d{1,3}[.,]\d{3}", plain, re.ASCII):
        readings = f"{plain.replace(mark, '')} or as {plain.replace(mark, '.')}"
        if plain.count(mark) > 1:
            readings = "one large number or as a code"
        raise Unreadable(
            f"{plain!r} can be read as {readings}.",
            "Say which mark the file has before decimals: "
            f"{option('decimal', ',')}; {option('decimal', '.')}; or write no {mark!r}.",
        )
    return mark


def _declared_mark(plain: str, mark: str, dots: int, commas: int) -> str:
    # 1,234 under "." may well be a decimal comma that slipped in: only 1,234.5 leaves no doubt.
    if mark == "." and commas and not dots:
        raise Unreadable(
            "The decimal mark of this field is a dot.", f"Write {plain.replace(',', '.')} or no comma."
        )
    if mark == "," and dots == 1 and not commas and not re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", plain):
        raise Unreadable("The decimal mark of this field is a comma.", f"Write {plain.replace('.', ',')}.")
    return mark


def _number_inside(text: str) -> str:
    found = _INSIDE.findall(re.sub(rf"(?<=\d)[{_SPACES}](?=\d{{3}})", "", text))
    if len(found) == 1 and found[0] != text:
        return f"Write {found[0].rstrip('.,')} alone, without unit, symbol or letters."
    return "Write digits, and a decimal mark if need be, such as 1234,56."


def _unfolded(plain: str, rule: NumberRule) -> str:
    if not rule.typed:
        raise Unreadable("The number is shortened (scientific notation).", _EXCEL_ID)
    return format(Decimal(plain.replace(",", ".")), "f")


def _whole(text: str, rule: NumberRule) -> int | Verdict:
    try:
        head, _, tail = read_number(text, rule).partition(".")
    except Unreadable as error:
        return error.verdict("integer")
    if tail.strip("0"):
        return Verdict(
            "integer", "This is not a whole number.", "Write it without decimals, or map a decimal."
        )
    if tail and len(head.lstrip("-")) >= 15:
        return Verdict("integer", "A number this long with decimals has been through a float.", _EXCEL_ID)
    if len(head) > 20 or not -(2**63) <= int(head) < 2**63:
        return _out_of_range("The number is too large for a whole number of 64 bits.")
    return int(head)


def _exact(text: str, rule: NumberRule) -> str | Verdict:
    try:
        number = read_number(text, rule)
    except Unreadable as error:
        return error.verdict("decimal")
    head, _, tail = number.partition(".")
    tail = tail.rstrip("0")
    if len(tail) > rule.scale:
        advice = f"Round it to {rule.scale} decimals in the file, or give the field a larger scale."
        return Verdict("scale", f"Too many decimals: {len(tail)}, where {rule.scale} are kept.", advice)
    if len(head.lstrip("-").lstrip("0")) > (room := max((rule.precision or 38) - rule.scale, 0)):
        long = f"The number has more than {room} digits before the decimal mark."
        return Verdict("range", long, "Check the number.")
    return f"{head}.{tail}" if tail else head


def _floating(text: str, rule: NumberRule) -> float | Verdict:
    try:
        if _SCIENTIFIC.fullmatch(text):
            value = float(text.replace(",", "."))
        else:
            number = read_number(text, rule)
            if not rule.typed and "." not in number and len(number.lstrip("-").lstrip("0")) >= 15:
                raise Unreadable(
                    "A whole number this long changes when it is kept as a float.",
                    "If it is an id, make the field a text; if it is an amount, a decimal.",
                )
            value = float(number)
    except Unreadable as error:
        return error.verdict("float")
    if value in (float("inf"), float("-inf")):
        return _out_of_range("The number is too large for a float.")
    return value


def _out_of_range(message: str) -> Verdict:
    return Verdict("range", message, "Check the number; if it is an id, make the target's field a text.")


def _quickly(cells: Cells, pattern: str, dtype: pl.DataType) -> pl.Series:
    values = _cast_where(cells.text, pattern, dtype)
    return _cast_where(cells.text, pattern, dtype) if _ungroup(cells, values) else values


def _cast_where(text: pl.Series, pattern: str, dtype: pl.DataType) -> pl.Series:
    quick = text.str.contains(pattern)
    kept = text if quick.all() else text.zip_with(quick, pl.Series([None], dtype=pl.String))
    return kept.str.replace(",", ".", literal=True).cast(dtype, strict=False)


def _ungroup(cells: Cells, values: pl.Series) -> bool:
    # Thousands parted by spaces fill whole columns of French exports: dealt with at once, not value by value.
    left = values.is_null() & cells.text.is_not_null()
    if not left.any():
        return False
    grouped = left & cells.text.str.contains(f"^(?:{_GROUPED_TEXT})$")
    at = grouped.arg_true()
    if len(at):
        cells.text = patched(cells.text, at, cells.text.gather(at).str.replace_all(f"[{_SPACES}]", ""))
    return len(at) > 0


def _pattern(rule: NumberRule, whole: str, scale: int) -> str:
    if not scale:
        return f"^[+-]?{whole}$"
    any_count = f"[0-9]{{1,{scale}}}" if scale < 100 else "[0-9]+"
    if rule.mark != "auto":
        return f"^[+-]?{whole}(?:[{rule.mark}]{any_count})?$"
    # Exactly three decimals may be thousands: only after 0 or four digits are they decimals for sure.
    clear = f"[0-9]{{1,{min(scale, 2)}}}"
    if scale > 3:
        clear += f"|[0-9]{{4,{scale if scale < 100 else ''}}}"
    shapes = [f"{whole}(?:[.,](?:{clear}))?"]
    if rule.typed:
        shapes.append(rf"{whole}\.{any_count}")
    if scale >= 3:
        shapes.append("0[.,][0-9]{3}")
    return f"^[+-]?(?:{'|'.join(shapes)})$"
