"""SIREN, SIRET, phone numbers, e-mail and web addresses."""

from __future__ import annotations

import sys

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.fr import siren, siret

from batchkit.checking import identifiers
from batchkit.checking.fields import Field
from batchkit.checking.mapping import Mapping
from batchkit.core.errors import SettingsError
from tests.support.checking import check, problem, refused, value


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("73282932000074", "73282932000074"),
        ("732 829 320 00074", "73282932000074"),
        ("732\u00a0829\u00a0320\u00a000074", "73282932000074"),
        ("\u202a73282932000074\u202c", "73282932000074"),
        ("05750553900213", "05750553900213"),
        ("35600000000048", "35600000000048"),
        ("35600000049837", "35600000049837"),
    ],
)
def test_siret_reads(text: str, kept: str) -> None:
    """Right SIRETs lose their spaces and nothing else; La Poste's establishments follow their own rule."""
    assert value(text, siret=True) == kept


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("73282932000079", "check digit"),
        ("35600000049838", "check digit"),
        ("5750553900213", "Add the leading zero: 05750553900213"),
        ("732829320", "SIREN (9 digits)"),
        ("4,0483E+13", "its digits are lost"),
        ("7328293200007X", "more than digits"),
        ("7328293", "7 digits instead of 14"),
        ("\u0667\u0663282932000074", "more than digits"),
    ],
)
def test_siret_refuses(text: str, words: str) -> None:
    """A wrong SIRET says in which way, and a dropped zero is named but not put back."""
    found = refused(text, siret=True)
    assert found.rule == "siret"
    assert words in f"{found.message} {found.advice}"


def test_siren_refuses_siret_with_advice() -> None:
    """A SIRET in a SIREN column is told from a typo."""
    assert value("732 829 320", siren=True) == "732829320"
    assert "Keep its first 9 digits: 732829320" in refused("73282932000074", siren=True).advice


def test_leading_zero_repair_is_reported() -> None:
    """Zeros come back only when asked for, each with a notice that shows the value as it stood."""
    found = problem("5750553900213", siret=True, repair="leading_zero")
    assert (found.rule, found.level, found.value) == ("leading_zero", "notice", "5750553900213")
    assert check(["5750553900213"], siret=True, repair="leading_zero").values["f"].to_list() == [
        "05750553900213"
    ]
    postal = check(["1400", "01400", "140", "2A004"], repair="leading_zero", width=5)
    assert postal.values["f"].to_list() == ["01400", "01400", "140", "2A004"]
    assert postal.problems["row"].to_list() == [2]
    assert postal.invalid.is_empty()


@given(st.lists(st.from_regex(r"[0-9]{14}|[0-9]{9}|356000000[0-9]{5}|0{14}", fullmatch=True), max_size=20))
def test_quick_check_digits_agree_with_library(numbers: list[str]) -> None:
    """The vectorised check digit never accepts what python-stdnum refuses, and settles what it accepts."""
    text = pl.Series(numbers, dtype=pl.String)
    for digits, library in ((14, siret), (9, siren)):
        quick = identifiers._passes_luhn(text, digits).to_list()
        for number, passed in zip(numbers, quick, strict=True):
            right = library.is_valid(number)
            assert right if passed else (not right or number.startswith("356000000"))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0612345678", "+33612345678"),
        ("06 12 34 56 78", "+33612345678"),
        ("06.12.34.56.78", "+33612345678"),
        ("+33 (0)6 12 34 56 78", "+33612345678"),
        ("0033612345678", "+33612345678"),
        ("33612345678", "+33612345678"),
        ("+32 470 12 34 56", "+32470123456"),
        ("\u202a+33\u00a06\u00a012\u00a034\u00a056\u00a078\u202c", "+33612345678"),
    ],
)
def test_phone_becomes_e164(text: str, written: str) -> None:
    """A number in any usual shape becomes E.164."""
    assert value(text, phone="FR") == written


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("3.36123E+10", "its digits are lost"),
        ("3,36123E+10", "its digits are lost"),
        ("00250", "+33 6 12 34 56 78"),
        ("06 12 34 56 7", "No such number"),
        ("06 12 34 56 78 / 06 11 22 33 44", "not a phone number"),
        ("0612345678 ext 3", "one number per cell"),
        ("n/a", "not a phone number"),
    ],
)
def test_phone_refuses(text: str, words: str) -> None:
    """Shortened, short, double and extended numbers are errors: nobody is called on a guess."""
    found = refused(text, phone="FR")
    assert found.rule == "phone"
    assert words in f"{found.message} {found.advice}"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("33612345678.0", "+33612345678"),
        ("+33612345678.0", "+33612345678"),
        ("'0612345678", "+33612345678"),
        ("\u201906 12 34 56 78", "+33612345678"),
        ("'+33 6 12 34 56 78", "+33612345678"),
        ("0612345678.0", "+33612345678"),
    ],
)
def test_phone_without_what_a_spreadsheet_adds(text: str, written: str) -> None:
    """The `.0` of a number and the apostrophe before a text are left out, each with a notice."""
    found = problem(text, phone="FR")
    assert (found.rule, found.level, found.value) == ("phone", "notice", text)
    assert f"read as {written}" in found.message
    assert check([text], phone="FR").values["f"].to_list() == [written]


@pytest.mark.parametrize("text", ["061234567.0", "33612345678.5", "''0612345678", "0612345678'", "'"])
def test_phone_is_not_guessed(text: str) -> None:
    """A digit behind the point may be one of the number's: it is never dropped, nor taken for one."""
    assert refused(text, phone="FR").rule == "phone"


def test_phone_without_zero_is_noticed() -> None:
    """A French number without its zero is read, and a notice says so."""
    found = problem("612345678", phone="FR")
    assert (found.rule, found.level) == ("leading_zero", "notice")


@pytest.mark.parametrize(
    "text", ["a@b.fr", "jean.dupont+x@mairie-lyon.gouv.fr", "jean@société.fr", "a@xn--4ca.fr"]
)
def test_email_accepts(text: str) -> None:
    """Usual addresses pass, international domains too."""
    assert value(text, email=True) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jean", "no @"),
        ("jean dupont@b.fr", "space"),
        ("a@b", "not complete"),
        ("é@b.fr", "accent"),
        ("a@b.fr; c@d.fr", "several"),
        ("a..b@c.fr", "not an e-mail"),
        ("@b.fr", "not an e-mail"),
        ("a@-b.fr", "not an e-mail"),
        ("a@" + "b" * 64 + ".fr", "not an e-mail"),
    ],
)
def test_email_refuses(text: str, words: str) -> None:
    """What no mail reaches is an error that says what to change."""
    found = refused(text, email=True)
    assert words in f"{found.message} {found.advice}"


@pytest.mark.parametrize(
    "text",
    [
        "https://www.x.fr",
        "http://x.fr:8080/a?b=c#d",
        "https://société.fr/é",
        "http://localhost/",
        "http://1.2.3.4",
    ],
)
def test_url_accepts(text: str) -> None:
    """Web addresses pass, local and international ones too."""
    assert value(text, url=True) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("www.x.fr", "Write https://www.x.fr"),
        ("javascript:alert(1)", "https://"),
        ("ftp://x.fr", "ftp:"),
        ("https://x", "not the name of a site"),
        ("https://u:p@x.fr", "password"),
        ("https://x.fr/a b", "%20"),
    ],
)
def test_url_refuses(text: str, words: str) -> None:
    """Other schemes, passwords and incomplete hosts are errors."""
    found = refused(text, url=True)
    assert words in f"{found.message} {found.advice}"


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library a job fails before its first row, naming the extra to install."""
    identifiers.phone_reader.cache_clear()
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    with pytest.raises(SettingsError, match=r"\[phones\]"):
        Mapping((Field("f", phone="FR"),)).checker(["f"])


def test_unknown_region_is_refused() -> None:
    """A region that doesn't exist is an error of the settings."""
    with pytest.raises(SettingsError, match="XX"):
        Mapping((Field("f", phone="XX"),)).checker(["f"])


@given(st.lists(st.text(max_size=30), min_size=1, max_size=5))
def test_any_text_is_judged(texts: list[str]) -> None:
    """Whatever stands in the cells, each address or number is kept, blank, or a problem."""
    for options in ({"email": True}, {"url": True}, {"phone": "FR"}, {"siret": True}, {"siren": True}):
        checked = check(texts, **options)
        for row, (text, kept) in enumerate(zip(texts, checked.values["f"].to_list(), strict=True), start=2):
            assert kept is not None or not text.strip() or row in checked.invalid.to_list()
