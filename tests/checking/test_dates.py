"""Dates are read by declared formats; nothing is guessed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.checking.dates import date_format
from batchkit.core.errors import MappingError
from tests.support.checking import check, refused, value


@pytest.mark.parametrize(
    ("text", "formats", "day"),
    [
        ("2026-12-31", (), date(2026, 12, 31)),
        ("2026-1-5", (), date(2026, 1, 5)),
        ("2021-01-31 00:00:00", (), date(2021, 1, 31)),
        ("31/12/2026", ("dd/mm/yyyy",), date(2026, 12, 31)),
        ("31/12/2026", ("jj/mm/aaaa",), date(2026, 12, 31)),
        ("31/12/2026", ("%d/%m/%Y",), date(2026, 12, 31)),
        ("2026-12-31", ("dd/mm/yyyy",), date(2026, 12, 31)),
        ("01-01-13", ("dd-mm-yy",), date(2013, 1, 1)),
        ("31/12/2026", ("mm/dd/yyyy", "dd/mm/yyyy"), date(2026, 12, 31)),
        ("20261231", ("yyyymmdd",), date(2026, 12, 31)),
        ("29/02/2024", ("dd/mm/yyyy",), date(2024, 2, 29)),
    ],
)
def test_date_reads(text: str, formats: tuple[str, ...], day: date) -> None:
    """ISO dates, and those of the formats named, are read."""
    assert value(text, type="date", formats=formats) == day


@pytest.mark.parametrize(
    ("text", "formats", "words"),
    [
        (
            "31/12/2026",
            (),
            'say how the file writes dates: dates=["dd/mm/yyyy"].',
        ),
        ("01/02/2026", (), "2026-02-01 or 2026-01-02"),
        ("31/02/2026", ("dd/mm/yyyy",), "no day 31 in month 2 of 2026, which has 28"),
        ("29/02/2023", ("dd/mm/yyyy",), "which has 28"),
        ("12/31/2026", ("dd/mm/yyyy",), "day and month may be swapped"),
        ("31/12/26", ("dd/mm/yyyy",), "two digits"),
        ("0026-12-31", (), "year 0026"),
        ("44227", ("dd/mm/yyyy",), "44227 is 31/01/2021 there"),
        ("44227,5", (), "day number"),
        ("2021-01-31 10:00:00", (), "time of day would be lost"),
        ("2021-01-31T10:00:00+02:00", (), "time zone"),
        ("hier", ("dd/mm/yyyy",), "Write the date as 31/12/2026"),
        ("01/02/2026", ("dd/mm/yyyy", "mm/dd/yyyy"), "reads differently"),
        ("+2021-01-01", (), "yyyy-mm-dd"),
    ],
)
def test_date_refuses(text: str, formats: tuple[str, ...], words: str) -> None:
    """Impossible, ambiguous, short and shortened dates are errors that say how to write it."""
    found = refused(text, type="date", formats=formats)
    assert found.rule == "date"
    assert words in f"{found.message} {found.advice}"


@pytest.mark.parametrize(
    ("text", "options", "moment"),
    [
        ("2026-12-31 10:20:30", {}, datetime(2026, 12, 31, 10, 20, 30)),
        ("2026-12-31T10:20", {}, datetime(2026, 12, 31, 10, 20)),
        ("2026-12-31 10:20:30.125", {}, datetime(2026, 12, 31, 10, 20, 30, 125_000)),
        ("2026-12-31", {}, datetime(2026, 12, 31)),
        ("31/12/2026 10:20", {"formats": "dd/mm/yyyy hh:mm"}, datetime(2026, 12, 31, 10, 20)),
    ],
)
def test_datetime_reads(text: str, options: dict[str, Any], moment: datetime) -> None:
    """Moments are read to the microsecond; a bare day is its midnight."""
    assert value(text, type="datetime", **options) == moment


@pytest.mark.parametrize(
    "text", ["2026-12-31 25:00:00", "2026-12-31 10:20:60", "2026-12-31T10:20:30Z", "10:20"]
)
def test_datetime_refuses(text: str) -> None:
    """Times that don't exist, or that carry a zone, are errors."""
    assert refused(text, type="datetime").rule == "datetime"


@pytest.mark.parametrize("written", ["dd/mm", "%d/%m/%Q", "yyyy", "dd/dd/yyyy", ""])
def test_date_format_refuses(written: str) -> None:
    """A format without day, month and year is refused when the job is made, not row by row."""
    with pytest.raises(MappingError, match="date format"):
        date_format(written)


@given(st.dates(min_value=date(1000, 1, 1)), st.sampled_from(["dd/mm/yyyy", "yyyy-mm-dd", "mm.dd.yyyy"]))
def test_written_date_reads_back(day: date, written: str) -> None:
    """Any day from the year 1000 written in a format reads back as itself."""
    text = written.replace("yyyy", f"{day.year:04}").replace("mm", f"{day.month:02}")
    assert value(text.replace("dd", f"{day.day:02}"), type="date", formats=written) == day


@given(st.integers(0, 40), st.integers(0, 14), st.integers(1000, 9999))
def test_only_real_days_pass(day: int, month: int, year: int) -> None:
    """What looks like dd/mm/yyyy is a value exactly when the calendar has that day."""
    try:
        expected = date(year, month, day)
    except ValueError:
        expected = None
    checked = check([f"{day:02}/{month:02}/{year}"], type="date", formats=("dd/mm/yyyy",))
    assert checked.values["f"].to_list() == [expected]
    assert checked.problems.is_empty() == (expected is not None)
