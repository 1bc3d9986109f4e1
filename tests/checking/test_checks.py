"""Rows are checked as a whole: each has typed values, blanks, or problems that say what to do."""

from __future__ import annotations

import csv
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.checking.checks import Checked, problem_schema, problems_to_list
from batchkit.checking.fields import TYPES, Field
from batchkit.checking.mapping import Mapping
from batchkit.core.columns import ROW, FieldType
from tests.support.checking import batch, check, problem, value


@pytest.mark.parametrize(
    ("text", "options", "rule", "words"),
    [
        (None, {"required": True}, "required", "Fill in 'C'"),
        ("  ", {"required": True}, "required", "Fill in 'C'"),
        ("NA", {"required": True, "missing": ("NA",)}, "required", "Fill in 'C'"),
        ("ab", {"min_length": 3}, "min_length", "2 characters; at least 3"),
        ("éèàù", {"max_length": 3}, "max_length", "Shorten it by 1 character."),
        ("75O01", {"pattern": r"\d{5}"}, "pattern", r"form \d{5}"),
        ("75001x", {"pattern": r"\d{5}"}, "pattern", "form"),
        ("Lion", {"one_of": ("Lyon", "Paris")}, "one_of", "Did you mean 'Lyon'?"),
        ("Nice", {"one_of": ("Lyon", "Paris")}, "one_of", "There is: Lyon, Paris."),
        ("5", {"type": "integer", "minimum": 5.5}, "minimum", "Write 5.5 or more"),
        ("6,01", {"type": "decimal", "scale": 2, "maximum": 6}, "maximum", "6 or less"),
        ("1999-12-31", {"type": "date", "minimum": "2000-01-01"}, "minimum", "2000-01-01"),
        (
            "5",
            {"type": "integer", "check": lambda v: "must be even" if v % 2 else None},
            "check",
            "must be even",
        ),
        ("x", {"check": lambda v: v != "x"}, "check", "fails the check"),
        ("x", {"check": int}, "check", "The check failed"),
    ],
)
def test_rule(text: str | None, options: dict[str, Any], rule: str, words: str) -> None:
    """Each rule finds its row and says what to do about it."""
    found = problem(text, **options)
    assert (found.row, found.column, found.value, found.rule, found.level) == (2, "C", text, rule, "error")
    assert words in f"{found.message} {found.advice}"
    assert found.advice


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("abc", {"min_length": 3, "max_length": 3}),
        ("75001", {"pattern": r"\d{5}"}),
        ("Lyon", {"one_of": ("Lyon",), "required": True}),
        ("6", {"type": "integer", "minimum": 5.5, "maximum": 6}),
        ("6,00", {"type": "decimal", "scale": 2, "maximum": 6, "minimum": "5.995"}),
        (None, {"min_length": 3, "pattern": "x", "one_of": "x", "unique": True}),
    ],
)
def test_rule_passes(text: str | None, options: dict[str, Any]) -> None:
    """What is right, or blank and not required, has no problem."""
    assert problems_to_list(check([text], **options).problems) == []


def test_rules_of_target() -> None:
    """The target's own length and its need for a value are checked, and said to be the target's."""
    target = FieldType("text", max_length=3, nullable=False)
    assert "in the target" in problem("abcd", target=target, warn=("max_length",)).message
    assert problem("abcd", target=target, warn=("max_length",)).level == "error"
    assert "The target needs a value" in problem(None, target=target).message
    assert value(None, target=target, blank="keep") is None


def test_warn_softens_a_check() -> None:
    """A check that only warns leaves value and row valid."""
    checked = check(["abcd", "73282932000079"], max_length=3, warn=("max_length",))
    assert checked.values["f"].to_list() == ["abcd", "73282932000079"]
    assert checked.problems["level"].to_list() == ["warning"] * 2
    assert checked.invalid.is_empty()
    assert checked.valid().height == 2
    assert check(["73282932000079"], siret=True, warn=("siret",)).values["f"].to_list() == ["73282932000079"]


def test_python_check_runs_once_per_distinct_value() -> None:
    """A check in Python is asked once per distinct value, over all batches."""
    asked: list[Any] = []
    checker = Mapping((Field("a", type="integer", check=asked.append),)).checker(["a"])
    for first in (2, 5):
        checker.check(batch(first, a=["1", "2", " 1"]))
    assert sorted(asked) == [1, 2]


def test_unique_spans_batches_and_names_all_rows() -> None:
    """Each of the rows that share a value is named once the whole file has been seen."""
    checker = Mapping((Field("a", unique=True), Field("n", type="decimal", unique=True))).checker(["a", "n"])
    checker.check(batch(2, a=["x", "y", None], n=["1,50", "2", "3"]))
    checker.check(batch(5, a=["z", " x ", None], n=["1,5", "4", "abc"]))
    found = problems_to_list(checker.finish())
    assert [(p.row, p.column, p.value) for p in found if p.column == "a"] == [(2, "a", "x"), (6, "a", "x")]
    assert [p.row for p in found if p.column == "n"] == [2, 5]
    assert all("rows 2, " in p.message and p.advice and p.level == "error" for p in found)


def test_checked_frames() -> None:
    """Problems have the declared columns, are sorted by row, and hold long values shortened."""
    checked = check(["1", "x" * 500, "2", "y"], type="integer")
    assert checked.problems.schema == problem_schema()
    assert checked.problems["row"].to_list() == [3, 5]
    assert checked.problems["value"].str.len_chars().to_list() == [200, 1]
    assert checked.valid()["#row"].to_list() == [2, 4]
    assert checked.values.schema == {"#row": pl.UInt32(), "f": pl.Int64()}


_OPTIONS: list[dict[str, Any]] = [
    *({"type": name} for name in TYPES),
    {"type": "decimal", "decimal": ",", "scale": 2},
    {"type": "date", "formats": ("dd/mm/yyyy", "mm/dd/yyyy")},
    {"siret": True, "repair": "leading_zero"},
    {"phone": "FR"},
    {"email": True},
    {"url": True},
    {"required": True, "min_length": 2, "max_length": 5, "pattern": r"\w+"},
    {"repair": "leading_zero", "width": 5, "one_of": ("01400",)},
]
_TEXTS = st.one_of(
    st.none(),
    st.text(max_size=12),
    st.text(alphabet="0123456789 .,-+/:eE\u00a0", max_size=16),
    st.sampled_from(["oui", "31/12/2026", "2026-02-30", "1400", "12,5", "0612345678", "a@b.fr", "\0"]),
)


@given(st.lists(_TEXTS, min_size=1, max_size=12), st.sampled_from(_OPTIONS))
def test_any_text_is_a_value_a_blank_or_a_problem(texts: list[str | None], options: dict[str, Any]) -> None:
    """No text raises; each row has its typed value, or is blank, or has an error with message and advice."""
    checked = check(texts, **options)
    invalid = set(checked.invalid.to_list())
    for row, (text, got) in enumerate(zip(texts, checked.values["f"].to_list(), strict=True), start=2):
        blank = text is None or not text.strip()
        assert row in invalid or (got is None) == blank
    for found in problems_to_list(checked.problems):
        assert found.message
        assert found.advice
        assert (found.value or "") == (texts[(found.row or 0) - 2] or "")[:200]


@given(st.lists(_TEXTS, min_size=1, max_size=20), st.integers(1, 5), st.sampled_from(_OPTIONS))
def test_batches_don_t_matter(texts: list[str | None], size: int, options: dict[str, Any]) -> None:
    """Cutting the file in other batches changes nothing."""
    checker = Mapping((Field("f", column="C", unique=True, **options),)).checker(["C"])
    parts = [checker.check(batch(2 + at, C=texts[at : at + size])) for at in range(0, len(texts), size)]
    whole = check(texts, unique=True, **options)
    assert pl.concat([part.values for part in parts]).equals(whole.values)
    problems = pl.concat([*(part.problems for part in parts), checker.finish()])
    assert problems.sort(problems.columns).equals(whole.problems.sort(problems.columns))


def _from_csv(path: Path, encoding: str, delimiter: str) -> pl.DataFrame:
    with path.open(encoding=encoding, newline="") as file:
        header, *records = csv.reader(file, delimiter=delimiter)
    columns = {name: [record[i] or None for record in records] for i, name in enumerate(header)}
    return batch(2, **columns)


def _checked(frame: pl.DataFrame, *fields: Field) -> Checked:
    return Mapping(fields).checker(frame.columns[1:]).check(frame)


def test_hospitals(shared_data: Path) -> None:
    """Of 3,995 hospitals, 47 have no SIRET (45 a SIREN, 2 nothing) and one has a wrong check digit."""
    frame = _from_csv(shared_data / "fr/sae_ID_2022r.csv", "cp1252", ";")
    checked = _checked(
        frame, Field("sir", siret=True, required=True), Field("fi", min_length=9, max_length=9)
    )
    counts = checked.problems.group_by("rule", "message").len().sort("len", descending=True).rows()
    assert counts == [
        ("siret", "This is a SIREN (9 digits), not a SIRET (14).", 45),
        ("required", "A value is required here.", 2),
        ("siret", "The check digit of this SIRET is wrong.", 1),
    ]
    assert checked.values["fi"].str.starts_with("0").sum() == 258


def test_polluting_sites(shared_data: Path) -> None:
    """10,167 SIRETs keep their zeros as text; all pass the check digit, but 6 begin with what is no SIREN."""
    frame = _from_csv(shared_data / "fr/irep_etablissements.csv", "utf-8", ",")
    checked = _checked(frame, Field("Numero_SIRET", siret=True, required=True, warn=("siret",)))
    assert checked.invalid.is_empty()
    assert checked.problems["message"].unique().to_list() == [
        "Its first 9 digits are no SIREN: their check digit is wrong."
    ]
    assert checked.problems.height == 6
    assert checked.values["Numero_SIRET"].equals(frame["Numero_SIRET"])
    assert checked.values["Numero_SIRET"].str.starts_with("0").sum() == 175


def test_phones_of_schools(shared_data: Path) -> None:
    """980 phones in two shapes become E.164, 16 are blank."""
    frame = _from_csv(shared_data / "fr/annuaire_education_35.csv", "utf-8-sig", ";")
    checked = _checked(frame, Field("Telephone", phone="FR"), Field("SIREN_SIRET", siret=True))
    assert checked.values["Telephone"].null_count() == 16
    assert checked.values["Telephone"].drop_nulls().str.contains(r"^\+33[0-9]{9}$").all()
    assert checked.problems.is_empty()


def test_phones_as_people_type_them(shared_data: Path) -> None:
    """Finnish numbers in many shapes are read; the shortened one and the short one are refused."""
    frame = _from_csv(shared_data / "phone/testNumbersDB.csv", "ascii", ",")
    checked = _checked(frame, Field("phone", column="some csv header", phone="FI"))
    errors = {p.value: p for p in problems_to_list(checked.problems) if p.level == "error"}
    assert set(errors) == {"3.58504E+11", "00250"}
    assert "shortened" in errors["3.58504E+11"].message
    assert checked.values["phone"].drop_nulls().str.starts_with("+").all()


def test_hotels(shared_data: Path) -> None:
    """638 rows with decimal commas and declared dd-mm-yy dates are read exactly."""
    frame = _from_csv(shared_data / "nasty/table-with-accents.csv", "cp1252", ";")
    fields = (
        Field("annee", type="integer"),
        Field("taux", column="Occupancy rate", type="decimal", scale=9),
        Field("date", type="date", formats=("dd-mm-yy",)),
    )
    checked = _checked(frame, *fields)
    assert checked.values.height == 638
    assert checked.values["taux"][0] == Decimal("0.611553068")
    assert checked.values["date"].dt.year().unique().to_list() == sorted(
        checked.values["annee"].unique().to_list()
    )
    assert checked.problems.is_empty()


def test_towns_lose_no_zero_silently(shared_data: Path) -> None:
    """4-digit postal codes stay as they are unless repair is asked for, and then each is reported."""
    frame = _from_csv(shared_data / "fr/foxreviews_villes_france.csv", "ascii", ",")
    codes = batch(2, code=frame["Villes"].str.extract(r"\((\d+)\)$").to_list())
    short = codes.filter(pl.col("code").str.len_chars() == 4).height
    plain = _checked(codes, Field("code", pattern=r"\d{5}"))
    repaired = _checked(codes, Field("code", pattern=r"\d{5}", repair=("leading_zero",), width=5))
    assert short > 0
    assert plain.problems.height == short
    assert repaired.problems.select("rule", "level").unique().rows() == [("leading_zero", "notice")]
    assert repaired.problems.height == short
    assert repaired.values["code"].str.len_chars().unique().to_list() == [5]


def test_every_row_bad_stays_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column mapped to the wrong type is explained once per distinct value."""
    from batchkit.checking import numerals

    calls = 0
    read: Callable[..., str] = numerals.read_number

    def counted(*args: Any) -> str:
        nonlocal calls
        calls += 1
        return read(*args)

    monkeypatch.setattr(numerals, "read_number", counted)
    checked = check(["Lyon", "Paris"] * 10_000, type="integer")
    assert checked.problems.height == 20_000
    assert calls == 2


def test_notices_count_the_white_space_that_is_left_out() -> None:
    """Trimming is said once for the file, with figures, and not at all where it is switched off."""
    batch = pl.DataFrame(
        {ROW: [2, 3, 4], "nom": ["Léa ", "Max", "\u00a0Zoé"]}, schema_overrides={ROW: pl.UInt32}
    )
    checker = Mapping((Field("nom"),)).checker(["nom"])
    checker.check(batch)
    (notice,) = checker.notices()
    assert "2 cells" in notice.message
    assert notice.level == "notice"
    kept = Mapping((Field("nom", strip=False),)).checker(["nom"])
    assert kept.check(batch).values["nom"].to_list() == ["Léa ", "Max", "\u00a0Zoé"]
    assert kept.notices() == []
