"""The one text that stands for a value of a typed place: an Excel cell, a frame, a database."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal

_PLAIN_INTEGER = 1e21  # above it a float has no more digits worth writing out


def as_text(value: object) -> str | None:
    """The canonical text of a value; None where there is none.

    Whole numbers lose their ".0", floats have the shortest text that reads back as the same number, dates are
    `2021-01-31`, datetimes `2021-01-31 10:20:30`, times `10:20:30`, durations `255:10:10`, booleans
    `true`/`false`. An empty text, NaN and pandas' NaT are no value.
    """
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, (date, time, timedelta)):
        return _moment(value)
    return _other(value)


def _float(value: float) -> str | None:
    if math.isnan(value):
        return None
    if value.is_integer() and abs(value) < _PLAIN_INTEGER:
        return str(int(value))
    return repr(float(value))


def _decimal(value: Decimal) -> str | None:
    if not value.is_finite():
        return None
    return str(int(value)) if value == value.to_integral_value() else format(value, "f")


def _moment(value: date | time | timedelta) -> str | None:
    if value != value:  # noqa: PLR0124 - pandas' NaT is the moment that differs from itself
        return None
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, timedelta):
        return duration_text(value)
    return value.isoformat()


def duration_text(value: timedelta) -> str:
    """A duration as hours, minutes and seconds: `255:10:10`, with a fraction only where there is one."""
    sign, micros = ("-", -value) if value < timedelta(0) else ("", value)
    seconds, fraction = divmod(micros // timedelta(microseconds=1), 1_000_000)
    text = f"{sign}{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def _other(value: object) -> str | None:
    if isinstance(value, bytes):
        return value.hex() or None
    if isinstance(value, (list, tuple, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if type(value).__module__ == "numpy":
        return as_text(value.item())  # type: ignore[attr-defined]  # a numpy scalar knows its Python value
    text = str(value)
    return None if text in ("", "<NA>", "NaT") else text
