"""Text that stands for a day or a moment, by declared formats; what is not declared is not guessed."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

import polars as pl

from ..core.advice import option
from ..core.errors import MappingError
from .cells import Cells, Verdict

ISO_DATE = "%Y-%m-%d"
_ISO_TIMES = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
)
# How each directive is written. chrono alone would take "+2021", "26" for %Y, and a 60th second.
_SHAPES = {
    "Y": "[1-9][0-9]{3}", "y": "[0-9]{2}", "m": "(?:1[0-2]|0?[1-9])", "d": "(?:3[01]|[12][0-9]|0?[1-9])",
    "H": "(?:2[0-3]|[01]?[0-9])", "M": "[0-5][0-9]", "S": "[0-5][0-9]",
    "b": "[A-Za-z]{3}", "B": "[A-Za-z]{3,9}",
    ".f": r"\.[0-9]{1,6}",
}  # fmt: skip
_LETTERS = {
    "yyyy": "%Y",
    "aaaa": "%Y",
    "yy": "%y",
    "aa": "%y",
    "dd": "%d",
    "jj": "%d",
    "hh": "%H",
    "ss": "%S",
}
_LOOSE = {"Y": "[0-9]{4}", "b": "[A-Za-z]+", "B": "[A-Za-z]+"}
_EXAMPLE = datetime(2026, 12, 31, 23, 59, 0, tzinfo=None)
_SERIAL_DAY = date(1899, 12, 30)  # day 0 of a spreadsheet whose first day is 1900-01-01


_TIME_LOST = Verdict(
    "date", "The target keeps a date, and the time of day would be lost.", "Remove the time of day."
)


@dataclass(frozen=True, slots=True)
class DateFormat:
    """A format as strptime knows it, with the exact shape a text must have.

    Attributes:
        strptime: Such as `%d/%m/%Y`.
        shape: Regular expression of the whole text.
        shown: The format in letters, such as dd/mm/yyyy.
        timed: Whether it holds a time of day.
        loose: The form alone: also matches days that don't exist.
    """

    strptime: str
    shape: str
    shown: str
    timed: bool
    loose: re.Pattern[str]

    def parse(self, text: pl.Series) -> pl.Series:
        """The texts of this shape as datetimes; all others null."""
        fits = text.str.contains(self.shape)
        kept = text if fits.all() else text.zip_with(fits, pl.Series([None], dtype=pl.String))
        if self.timed:
            return kept.str.to_datetime(self.strptime, strict=False, time_unit="us")
        return kept.str.to_date(self.strptime, strict=False).cast(pl.Datetime("us"))

    @property
    def example(self) -> str:
        """The last day of 2026 in this format."""
        return self.write(_EXAMPLE)

    def write(self, moment: datetime) -> str:
        """A moment in this format."""
        return moment.strftime(self.strptime.replace("%.f", ""))

    def parts(self, text: str) -> dict[str, str] | None:
        """Year, month and day of a text that has this form, possible or not; None for any other text."""
        found = self.loose.fullmatch(text)
        return found.groupdict() if found else None


def date_format(written: str) -> DateFormat:
    """Read a format such as `dd/mm/yyyy`, `jj/mm/aaaa hh:mm` or `%d/%m/%Y`.

    Raises:
        MappingError: It has no year, month or day, or a directive that isn't known.
    """
    strptime = written if "%" in written else _from_letters(written)
    directives = re.findall("%(.)", strptime.replace("%.f", ""))
    unknown = [d for d in directives if d not in _SHAPES]
    has_all = {"d", "m", "y"} <= {"m" if d in "bB" else d.lower() if d in "Yy" else d for d in directives}
    if unknown or not has_all or len(set(directives)) < len(directives):
        raise MappingError(
            f"The date format {written!r} can't be used.",
            advice="Write day, month and year once each, such as dd/mm/yyyy, or %d/%m/%Y with the directives "
            f"{', '.join('%' + d for d in _SHAPES if d != '.f')}.",
        )
    parts = re.split(r"(%\.f|%.)", strptime)
    shape = "".join(_SHAPES[p[1:]] if p.startswith("%") else re.escape(p) for p in parts)
    if re.search("%[A-Za-z]%[A-Za-z]", strptime):  # without marks between them, each part has its full width
        shape = shape.replace("0?", "0").replace("[01]?", "[01]")
    pieces = re.split("(%.)", strptime.replace("%.f", ""))
    loose = re.compile("".join(_loose(p) if p.startswith("%") else re.escape(p) for p in pieces))
    timed = any(d in "HMS" for d in directives)
    return DateFormat(strptime, f"^{shape}$", _in_letters(strptime), timed, loose)


def date_formats(written: Sequence[str], *, timed: bool) -> tuple[DateFormat, ...]:
    """The formats a field takes: those named, then ISO unless a named one starts with the year too."""
    named = tuple(date_format(one) for one in written)
    if any(one.strptime.startswith("%Y") and not one.strptime.startswith(ISO_DATE) for one in named):
        return named
    known = {one.strptime for one in named}
    iso = (*_ISO_TIMES, ISO_DATE) if timed else (ISO_DATE, *_ISO_TIMES)
    return (*named, *(date_format(one) for one in iso if one not in known))


def moments(cells: Cells, formats: Sequence[DateFormat], named: int, rule: str = "datetime") -> pl.Series:
    """The cells as datetimes.

    Args:
        cells: The texts.
        formats: Formats taken, in order.
        named: How many of them the operator named: a text that two of these read differently is refused.
        rule: Name of the rule in problems.
    """
    values = formats[0].parse(cells.text)
    for one in formats[1:named]:
        other = one.parse(cells.text)
        differs = values != other
        cells.judge(differs, partial(_ambiguous, rule, formats[0], one))
        values = values.zip_with(values.is_not_null(), other)
    for one in formats[max(named, 1) :]:
        if values.null_count() == cells.text.null_count():
            break
        values = values.zip_with(values.is_not_null(), one.parse(cells.text))
    values = values.zip_with(cells.text.is_not_null(), pl.Series([None], dtype=values.dtype))
    return cells.read_rest(values, lambda text: explain(text, formats, rule))


def days(cells: Cells, formats: Sequence[DateFormat], named: int) -> pl.Series:
    """The cells as dates; a time of day other than midnight is refused, it would be lost."""
    values = moments(cells, formats, named, "date")
    dates = values.cast(pl.Date)
    timed = dates.cast(pl.Datetime("us")) != values
    cells.judge(timed, lambda _: _TIME_LOST)
    return (
        dates.zip_with(cells.text.is_not_null(), pl.Series([None], dtype=pl.Date)) if timed.any() else dates
    )


def explain(text: str, formats: Sequence[DateFormat], rule: str = "date") -> Verdict:
    """Why a text is not a date in these formats, and how to write it."""
    wanted = formats[0]
    for one in formats:
        parts = one.parts(text)
        if parts is not None:
            return Verdict(rule, _impossible(parts), f"Correct the date; write it as {wanted.example}.")
    if re.fullmatch(r"[2-7][0-9]{4}([.,][0-9]+)?", text):
        day = _SERIAL_DAY + timedelta(days=int(text[:5]))
        advice = f"Give the column a date format in the spreadsheet ({text[:5]} is {day:%d/%m/%Y} there)."
        return Verdict(rule, "This is a spreadsheet's day number, not a date.", advice)
    if re.search(r"[0-9](Z|[+-][0-9]{2}:?[0-9]{2})$", text) and ":" in text:
        return Verdict(rule, "The time zone can't be kept.", f"Write it without a zone, as {wanted.example}.")
    if re.fullmatch(r"[0-9]{1,2}([/.-])[0-9]{1,2}\1[0-9]{2}", text):
        return Verdict(
            rule,
            "The year has two digits.",
            f"Write the year in full, as {wanted.example}, or say how the file has it: "
            f"{option('dates', ['dd/mm/yy'])}.",
        )
    return Verdict(rule, f"This is not a date written {wanted.shown}.", _rewritten(text, wanted))


def _rewritten(text: str, wanted: DateFormat) -> str:
    found = re.fullmatch(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([1-9][0-9]{3})", text)
    if not found:
        return f"Write the date as {wanted.example}."
    mark = found[2]
    readings = {
        f"dd{mark}mm{mark}yyyy": _written(found[4], found[3], found[1], wanted),
        f"mm{mark}dd{mark}yyyy": _written(found[4], found[1], found[3], wanted),
    }
    possible = {shown: written for shown, written in readings.items() if written}
    if not possible:
        return f"There is no such day; write the date as {wanted.example}."
    written = " or ".join(dict.fromkeys(possible.values()))
    how = "; or ".join(option("dates", [shown]) for shown in possible)
    return f"Write the date as {written}, or say how the file writes dates: {how}."


def _written(year: str, month: str, day: str, wanted: DateFormat) -> str:
    try:
        return wanted.write(datetime(int(year), int(month), int(day)))
    except ValueError:
        return ""


def _impossible(parts: dict[str, str]) -> str:
    if not parts.get("m", "").isdigit():
        return "There is no such date."
    month, day, year = int(parts["m"]), int(parts["d"]), int(parts.get("Y") or 2000 + int(parts["y"]))
    if month > 12 and day <= 12:
        return f"There is no month {month}; day and month may be swapped."
    if not 1 <= month <= 12:
        return f"There is no month {month}."
    if year < 1000:
        return f"The year {parts['Y']} can't be meant."
    last = monthrange(year, month)[1]
    if not 1 <= day <= last:
        return f"There is no day {day} in month {month} of {year}, which has {last}."
    return "There is no such time of day."


def _ambiguous(rule: str, first: DateFormat, second: DateFormat, _: str) -> Verdict:
    return Verdict(
        rule,
        f"The date reads differently as {first.shown} and as {second.shown}, and both formats are named.",
        f"Name one format only, or write the date as {_EXAMPLE:%Y-%m-%d}.",
    )


def _loose(directive: str) -> str:
    letter = directive[1]
    shape = _LOOSE.get(letter, "[0-9]{2}" if letter == "y" else "[0-9]{1,2}")
    return f"(?P<{letter}>{shape})"


def _from_letters(written: str) -> str:
    hours_seen = False
    directives = []
    for found in re.finditer(r"([A-Za-z])\1*|[^A-Za-z]+", written):
        piece = found[0].lower()
        # mm is the month, and the minutes once the hours have been named
        directive = ("%M" if hours_seen else "%m") if piece == "mm" else _LETTERS.get(piece, found[0])
        hours_seen = hours_seen or piece == "hh"
        directives.append(directive)
    return "".join(directives)


def _in_letters(strptime: str) -> str:
    words = ("yyyy", "yy", "mm", "dd", "hh", "mm", "ss", "mmm", "month")
    letters = dict(zip("YymdHMSbB", words, strict=True))
    return re.sub("%(.)", lambda found: letters[found[1]], strptime.replace("%.f", ""))
