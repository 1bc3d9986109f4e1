"""Numbers are read exactly or refused with a reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.checking.numerals import NumberRule, Unreadable, read_number
from batchkit.core.columns import FieldType
from tests.support.checking import check, problem, refused, value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        (" 12 ", 12),
        ("-0", 0),
        ("+5", 5),
        ("\u22125", -5),
        ("1 234", 1234),
        ("1\u202f234\u00a0567", 1234567),
        ("12.0", 12),
        ("12,00", 12),
        ("9223372036854775807", 2**63 - 1),
        (None, None),
        ("  ", None),
    ],
)
def test_integer_reads(text: str | None, number: int | None) -> None:
    """Whole numbers are read with thousands spaces, signs and empty decimals; blanks stay blank."""
    assert value(text, type="integer") == number


@pytest.mark.parametrize(
    ("text", "rule", "words"),
    [
        ("1E5", "integer", "scientific notation"),
        ("12,5", "integer", "not a whole number"),
        ("1,234", "integer", "1234 or as 1.234"),
        ("200.000.000", "integer", "can be read as"),
        ("9223372036854775808", "range", "64 bits"),
        ("9" * 30, "range", "64 bits"),
        ("123456789012345.0", "integer", "through a float"),
        ("12 €", "integer", "Write 12 alone"),
        ("abc", "integer", "not a number"),
        ("\u0663", "integer", "not a number"),
        ("1_000", "integer", "not a number"),
    ],
)
def test_integer_refuses(text: str, rule: str, words: str) -> None:
    """What is not one whole number of 64 bits is an error that says why, never 0 and never silently null."""
    found = refused(text, type="integer")
    assert found.rule == rule
    assert words in f"{found.message} {found.advice}"


def test_integer_drops_leading_zero_with_warning() -> None:
    """007 becomes 7 in a target of whole numbers, and a warning says that a code would lose its zero."""
    found = problem("007", target=FieldType("integer"))
    assert (found.rule, found.level) == ("leading_zero", "warning")
    assert check(["007"], type="integer").values["f"].to_list() == [7]
    assert check(["0", "-0", "70"], type="integer").problems.is_empty()


def test_integer_bounds_of_target() -> None:
    """A number the target's own type can't hold is refused, with the bounds in the message."""
    target = FieldType("integer", minimum=-(2**31), maximum=2**31 - 1)
    assert value("2147483647", target=target) == 2**31 - 1
    assert "2147483647" in refused("2147483648", target=target).message


@pytest.mark.parametrize(
    ("text", "options", "number"),
    [
        ("12,5", {}, "12.5"),
        ("12.5", {}, "12.5"),
        ("0,125", {"scale": 3}, "0.125"),
        ("1234,567", {"scale": 3}, "1234.567"),
        ("0,611553068", {}, "0.611553068"),
        ("1.234,56", {}, "1234.56"),
        ("1,234.56", {}, "1234.56"),
        ("-1 234 567,8", {}, "-1234567.8"),
        (",5", {}, "0.5"),
        ("1,234", {"decimal": ","}, "1.234"),
        ("1.234", {"decimal": ","}, "1234"),
        ("200.000.000", {"decimal": ","}, "200000000"),
        ("1.234", {"decimal": "."}, "1.234"),
        ("12,500", {"decimal": ",", "scale": 2}, "12.5"),
        ("1.234", {"typed": True}, "1.234"),
        ("1e-07", {"typed": True}, "0.0000001"),
        ("0" * 50 + "1,5", {}, "1.5"),
        ("99999999999999999999,99", {"scale": 2}, "99999999999999999999.99"),
    ],
)
def test_decimal_reads(text: str, options: dict[str, Any], number: str) -> None:
    """Decimals are exact, by the field's decimal mark."""
    assert value(text, type="decimal", **options) == Decimal(number)


@pytest.mark.parametrize(
    ("text", "options", "rule", "words"),
    [
        ("1,234", {}, "decimal", 'decimal=","; decimal="."; or write no'),
        ("1.234", {}, "decimal", "1234 or as 1.234"),
        ("200.000.000", {}, "decimal", "can be read as"),
        ("12.5", {"decimal": ","}, "decimal", "Write 12,5"),
        ("12,5", {"decimal": "."}, "decimal", "Write 12.5"),
        ("1,234", {"decimal": "."}, "decimal", "Write 1.234"),
        ("1,2345", {"scale": 2}, "scale", "Too many decimals: 4, where 2 are kept"),
        ("12,50 €", {}, "decimal", "Write 12,50 alone"),
        ("3,36E+10", {}, "decimal", "shortened"),
        ("1 23", {}, "decimal", "not a number"),
        ("1.2.3,4", {}, "decimal", "don't form a number"),
        ("9" * 40, {}, "range", "digits before"),
        ("nan", {}, "decimal", "not a number"),
    ],
)
def test_decimal_refuses(text: str, options: dict[str, Any], rule: str, words: str) -> None:
    """What can be read two ways, has too many decimals or is no number is an error with advice."""
    found = refused(text, type="decimal", **options)
    assert found.rule == rule
    assert words in f"{found.message} {found.advice}"


def test_decimal_never_rounds_to_target() -> None:
    """The target's scale and precision hold even where the field asks for more: nothing is rounded."""
    target = FieldType("decimal", scale=2, precision=10)
    assert value("99999999,99", target=target) == Decimal("99999999.99")
    assert refused("1,2345", target=target, scale=6).rule == "scale"
    assert refused("999999999,99", target=target).rule == "range"


@pytest.mark.parametrize(
    ("text", "number"), [("1,5", 1.5), (".5", 0.5), ("1E5", 1e5), ("123456789012345.5", 123456789012345.5)]
)
def test_float_reads(text: str, number: float) -> None:
    """Floats take both marks and exponents."""
    assert value(text, type="float") == number


@pytest.mark.parametrize(
    "text", ["123456789012345", "73282932000074123", "1e400", "nan", "inf", "1,2,3", "NA"]
)
def test_float_refuses(text: str) -> None:
    """Long ids, infinities and words are refused."""
    assert refused(text, type="float").rule in {"float", "range"}


_NUMBERISH = st.text(alphabet="0123456789.,+-eE \u00a0\u202f€", max_size=14)


@given(st.lists(_NUMBERISH, min_size=1, max_size=20), st.sampled_from(["auto", ",", "."]), st.booleans())
def test_quick_path_agrees_with_reader(texts: list[str], mark: str, typed: bool) -> None:
    """A value comes out of the vectorised path exactly when the slow reader gives the same one."""
    checked = check(texts, type="decimal", scale=4, decimal=mark, typed=typed)
    for text, got in zip(texts, checked.values["f"].to_list(), strict=True):
        try:
            number = read_number(text.strip(), NumberRule(mark, typed))
        except Unreadable:
            assert got is None
            continue
        head, _, tail = number.partition(".")
        fits = len(tail.rstrip("0")) <= 4 and len(head.lstrip("-0")) <= 34
        assert got == (Decimal(number) if fits else None)


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=3, allow_nan=False))
def test_written_number_reads_back(number: Decimal) -> None:
    """A number written the French way, thousands parted, reads back as itself."""
    text = f"{number:,}".replace(",", "\u202f").replace(".", ",")
    assert value(text, type="decimal", decimal=",") == number


def test_many_thousands_spaces_are_fast_enough() -> None:
    """A column of parted thousands is read as a set, without a problem."""
    column = [f"{i:,}".replace(",", " ") + ",5" for i in range(1_000, 50_000)]
    checked = check(column, type="decimal", scale=1)
    assert checked.problems.is_empty()
    assert checked.values["f"].dtype == pl.Decimal(38, 1)
    assert checked.values["f"].null_count() == 0
