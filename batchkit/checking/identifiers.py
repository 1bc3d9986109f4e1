"""Values that a rule of the world decides on: SIREN, SIRET, phone numbers, e-mail and web addresses."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module
from types import ModuleType

import polars as pl

from ..core.advice import field_option
from ..core.errors import SettingsError
from ..core.install import install_command
from .cells import Cells, Verdict, patched

#: What a reader makes of a text: the text to keep, and what there is to say about it.
Reading = tuple[str | None, Verdict | None]

_EMAIL = (
    r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*\.)+(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9-]+)$"
)
_URL = (
    r"^https?://(?:[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*\.)+(?:[A-Za-z]{2,63}|xn--[A-Za-z0-9-]+)"
    r"(?::[0-9]{1,5})?(?:[/?#][^\s<>\x22]*)?$"
)
_PLAIN_HOST = re.compile(r"localhost|[0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:]+\]")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff]")  # comes along when copied from a screen
_SHORTENED = re.compile(r"\+?[0-9]+[.,]?[0-9]*[eE]\+?[0-9]+")
_OF_A_NUMBER = re.compile(r"(\+?[0-9]{7,15})\.0")  # a program that took the cell for a number wrote it so
_APOSTROPHES = ("'", "\u2019")  # keep a spreadsheet from taking a cell for a number; no part of it
_AS_TEXT = "format the column as text in the spreadsheet, enter the number again and export."
_IF_RIGHT = "Nothing, if that is the number; else correct it in the file."
_COPY_AGAIN = "Copy it again from its source."
_BLOCK = 10_000


def addresses(cells: Cells, kind: str) -> None:
    """Check e-mail ("email") or web ("url") addresses; ASCII ones at once, the others one by one."""
    pattern, explain = (_EMAIL, explain_email) if kind == "email" else (_URL, explain_url)
    # A label or a local part over 63 characters is looked at more closely.
    long = r"[^@.]{64}" if kind == "email" else r"^https?://[^/?#]*[^./?#]{64}"
    bad = cells.text.is_not_null() & (~cells.text.str.contains(pattern) | cells.text.str.contains(long))
    verdicts = {text: explain(text) for text in set(cells.text.filter(bad))}
    wrong = {text: verdict for text, verdict in verdicts.items() if verdict is not None}
    if wrong:
        cells.judge(bad & cells.text.is_in(list(wrong)), wrong.__getitem__)


def numbers_of_firms(cells: Cells, kind: str, field: str) -> None:
    """Check SIREN or SIRET numbers by python-stdnum, La Poste's own rule included; spaces are removed.

    Args:
        cells: The cells.
        kind: `siren` or `siret`.
        field: The field's name, for advice.
    """
    from stdnum.fr import siren, siret

    library, digits = (siret, 14) if kind == "siret" else (siren, 9)
    spaced = cells.text.str.contains(r"\s").arg_true()
    if len(spaced):
        cells.text = patched(cells.text, spaced, cells.text.gather(spaced).str.replace_all(r"\s", ""))
    _rewrite(cells, ~_passes_luhn(cells.text, digits), lambda text: _read_firm(library, kind, field, text))


def phones(cells: Cells, region: str) -> None:
    """Turn phone numbers into E.164 (+33612345678) by phonenumbers.

    Args:
        cells: The texts.
        region: Region of the numbers written without +, such as "FR".

    Raises:
        SettingsError: phonenumbers isn't installed.
    """
    _rewrite(cells, cells.text.is_not_null(), phone_reader(region))


@lru_cache(maxsize=8)
def phone_reader(region: str) -> Callable[[str], Reading]:
    """A function that reads one phone number of a region, remembering the last 65,536.

    Raises:
        SettingsError: phonenumbers isn't installed, or doesn't know the region.
    """
    try:
        library = import_module("phonenumbers")
    except ImportError:
        message = "This check needs phonenumberslite, which isn't installed."
        raise SettingsError(message, advice=f"Run: {install_command('phones')}") from None
    if region not in library.SUPPORTED_REGIONS:
        raise SettingsError(
            f"No phone region is called {region!r}.", advice='Write one such as "FR" or "BE".'
        )
    return lru_cache(maxsize=65_536)(partial(_read_phone, library, region))


def explain_email(text: str) -> Verdict | None:
    """What is wrong with an e-mail address; None when an international domain makes it right after all."""
    local, _, domain = text.rpartition("@")
    if "@" not in text:
        return Verdict("email", "This is not an e-mail address: it has no @.", "Write it as nom@exemple.fr.")
    if re.search(r"[;,\s]", text) and text.count("@") > 1:
        return Verdict("email", "These are several e-mail addresses.", "Keep one address per cell.")
    if re.search(r"\s", text):
        return Verdict("email", "The e-mail address holds a space.", "Remove the space.")
    if not local.isascii():
        return Verdict("email", "The part before the @ holds an accent.", "Write it without accents.")
    if re.match(_EMAIL, f"{local}@{_ascii_domain(domain)}") and len(local) <= 64 and len(text) <= 254:
        return None
    if "." not in domain or domain.endswith("."):
        return Verdict("email", f"The domain {domain!r} is not complete.", "Write it as nom@exemple.fr.")
    return Verdict("email", "This is not an e-mail address.", "Write the address alone, as nom@exemple.fr.")


def explain_url(text: str) -> Verdict | None:
    """What is wrong with a web address; None for an international domain, a bare host or an IP address."""
    found = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#\s]*?)(:[0-9]{1,5})?([/?#]\S*)?", text)
    if re.search(r"\s", text):
        return Verdict("url", "The web address holds a space.", "Remove it, or write it as %20.")
    if not found:
        shown = text[:60].lstrip("/")
        advice = f"Write https://{shown}" if "." in text and ":" not in text else "Write an https:// address."
        return Verdict("url", "The web address doesn't begin with https:// or http://.", advice)
    scheme, host, port, rest = found[1].lower(), found[2], found[3] or "", found[4] or ""
    if scheme not in {"http", "https"}:
        return Verdict("url", f"Addresses of {scheme}: are not taken.", "Write an https:// address.")
    if "@" in host:
        return Verdict(
            "url", "The web address holds a name or a password.", "Remove what stands before the @."
        )
    if _PLAIN_HOST.fullmatch(host) or re.match(_URL, f"{scheme}://{_ascii_domain(host)}{port}{rest}"):
        return None
    return Verdict("url", f"{host[:60]!r} is not the name of a site.", "Write it as https://www.exemple.fr.")


def _ascii_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _rewrite(cells: Cells, doubtful: pl.Series, reader: Callable[[str], Reading]) -> None:
    at = (doubtful & cells.text.is_not_null()).arg_true()
    if not len(at):
        return
    texts = cells.text.gather(at).to_list()
    read = {text: reader(text) for text in set(texts)}
    remarks = {text: remark for text, (_, remark) in read.items() if remark is not None}
    if remarks:
        cells.judge(cells.text.is_in(list(remarks)), remarks.__getitem__)
    kept = pl.Series([read[text][0] for text in texts], dtype=pl.String)
    # judge() dropped what it refused; a refusal softened to a warning leaves the text as it was
    kept = kept.zip_with(kept.is_not_null(), cells.text.gather(at))
    cells.text = patched(cells.text, at, kept)


def _passes_luhn(text: pl.Series, digits: int) -> pl.Series:
    # Most numbers are right: a table of the sums of four digits settles those, and stdnum judges the rest.
    number = text.str.extract(f"^([0-9]{{{digits}}})$").cast(pl.Int64)
    right = _luhn_sum(number) % 10 == 0
    if digits == 14:
        la_poste = text.str.starts_with("356000000")
        right = right & (_luhn_sum(number // 100_000) % 10 == 0) & ~la_poste
    return right.fill_null(False)


def _luhn_right(digits: str) -> bool:
    return int(_luhn_sum(pl.Series([int(digits)])).item()) % 10 == 0


def _luhn_sum(number: pl.Series) -> pl.Series:
    table = _luhn_table()
    total = pl.Series([0], dtype=pl.Int64).new_from_index(0, len(number))
    for power in (1, _BLOCK, _BLOCK**2, _BLOCK**3):
        total = total + table.gather((number // power % _BLOCK).cast(pl.UInt32))
    return total


@lru_cache(maxsize=1)
def _luhn_table() -> pl.Series:
    def weight(digit: int, place: int) -> int:
        return digit if place % 2 == 0 else digit * 2 - 9 * (digit > 4)

    sums = [sum(weight(n // 10**place % 10, place) for place in range(4)) for n in range(_BLOCK)]
    return pl.Series(sums, dtype=pl.Int64)


def _read_firm(library: ModuleType, kind: str, field: str, text: str) -> Reading:
    plain = re.sub(r"\s", "", _INVISIBLE.sub("", text))
    if plain.isascii() and plain.isdigit() and library.is_valid(plain):
        return plain, None
    return None, Verdict(kind, *_why_not_a_firm(library, kind.upper(), field, plain))


def _why_not_a_firm(library: ModuleType, name: str, field: str, plain: str) -> tuple[str, str]:
    digits = 14 if name == "SIRET" else 9
    if _SHORTENED.fullmatch(plain):
        lost = f"A spreadsheet shortened this {name} to {plain}, and its digits are lost."
        return lost, f"There, {_AS_TEXT}"
    if not (plain.isascii() and plain.isdigit()):
        return f"This is not a {name}: it holds more than digits.", f"Write its {digits} digits alone."
    if name == "SIRET" and len(plain) == 9:
        return "This is a SIREN (9 digits), not a SIRET (14).", "Add the 5 digits of the establishment (NIC)."
    if name == "SIREN" and len(plain) == 14:
        return "This is a SIRET (14 digits), not a SIREN (9).", f"Keep its first 9 digits: {plain[:9]}."
    if digits - 4 <= len(plain) < digits and library.is_valid(plain.zfill(digits)):
        repair = field_option(field, "repair", "leading_zero")
        return (
            f"This {name} has {len(plain)} digits, not {digits}: a spreadsheet dropped its leading zero.",
            f"Add the leading zero: {plain.zfill(digits)}; or have it given back: {repair}.",
        )
    if len(plain) != digits:
        return f"This {name} has {len(plain)} digits instead of {digits}.", _COPY_AGAIN
    if name == "SIRET" and _luhn_right(plain) and not _luhn_right(plain[:9]):
        return (
            "Its first 9 digits are no SIREN: their check digit is wrong.",
            "Copy it again from its source.",
        )
    return f"The check digit of this {name} is wrong.", "A digit is mistyped: copy it again from its source."


def _read_phone(library: ModuleType, region: str, text: str) -> Reading:
    given = _INVISIBLE.sub("", text)
    text = _without_marks(given)
    if _SHORTENED.fullmatch(text):
        return None, Verdict(
            "phone", "A spreadsheet shortened this number, and its digits are lost.", f"There, {_AS_TEXT}"
        )
    if not re.fullmatch(r"[0-9+(][0-9\s().\-\u2010-\u2014/+]*", text):
        return None, Verdict("phone", "This is not a phone number.", "Keep one number per cell, digits only.")
    try:
        number = library.parse(text, region)
    except library.NumberParseException:
        return None, Verdict("phone", "This is not a phone number.", _phone_example(library, region))
    if not library.is_valid_number(number):
        return None, Verdict(
            "phone", f"No such number exists in {region} or abroad.", _phone_example(library, region)
        )
    written = library.format_number(number, library.PhoneNumberFormat.E164)
    noticed = _dropped_zero(library, number, text, written)
    if noticed is None and text != given:
        noticed = Verdict(
            "phone", f"What a spreadsheet adds was left out; it was read as {written}.", _IF_RIGHT, "notice"
        )
    return written, noticed


def _without_marks(text: str) -> str:
    if text.startswith(_APOSTROPHES):
        text = text[1:].lstrip()
    whole = _OF_A_NUMBER.fullmatch(text)
    return whole[1] if whole else text


def _phone_example(library: ModuleType, region: str) -> str:
    example = library.format_number(
        library.example_number_for_type(region, library.PhoneNumberType.MOBILE),
        library.PhoneNumberFormat.INTERNATIONAL,
    )
    return f"Check the digits; write it as {example}. One of another country needs that region, or its +."


def _dropped_zero(library: ModuleType, number: object, text: str, written: str) -> Verdict | None:
    prefix = library.ndd_prefix_for_region(library.region_code_for_number(number) or "", True)
    digits = re.sub(r"\D", "", text)
    if prefix != "0" or digits.startswith("0") or text.startswith("+") or written[1:] == digits:
        return None
    return Verdict(
        "leading_zero", f"The leading zero is missing; it was read as {written}.", _IF_RIGHT, "notice"
    )
