"""Text, booleans, bytes and JSON."""

from __future__ import annotations

import pytest

from batchkit.checking.fields import Field
from batchkit.checking.mapping import Mapping
from batchkit.core.columns import FieldType
from tests.support.checking import batch, check, refused, value


@pytest.mark.parametrize(
    ("text", "meant"),
    [("Oui", True), ("VRAI", True), ("x", True), ("1", True), ("non", False), ("Faux", False), ("0", False)],
)
def test_boolean_words(text: str, meant: bool) -> None:
    """The usual words in French and English are read, whatever their case."""
    assert value(text, type="boolean") is meant


def test_boolean_refuses_and_takes_own_words() -> None:
    """Another word is an error that lists the words; the field may bring its own."""
    assert "Write one of oui" in refused("peut-être", type="boolean").advice
    assert value("Ouvert", type="boolean", true_words="ouvert", false_words="fermé") is True
    assert value("FERMÉ", type="boolean", true_words="ouvert", false_words="fermé") is False


@pytest.mark.parametrize(
    ("text", "kept"), [("\u00a0 é \u202f", "é"), ("00501", "00501"), ("1E5", "1E5"), ("NA", "NA")]
)
def test_text_survives(text: str, kept: str) -> None:
    """Text keeps zeros and words; only the white space around it goes."""
    assert value(text) == kept


def test_text_refuses_nul_and_keeps_space_when_told() -> None:
    """A NUL is an error that databases would give later; strip=False keeps what stands around."""
    assert refused("a\0b").rule == "nul"
    assert refused('"\\u0000"', type="json").rule == "nul"
    assert value(" a ", strip=False) == " a "
    assert value(" ", strip=False) == " "
    assert value(" 5 ", strip=False, target=FieldType("integer")) == 5


def test_missing_words_mean_no_value() -> None:
    """Words the operator names are blanks, and only those."""
    checked = check(["NA", "n/a", "NAN"], missing=("NA", "n/a"))
    assert checked.values["f"].to_list() == [None, None, "NAN"]
    assert checked.problems.is_empty()


def test_bytes_and_json() -> None:
    """Bytes are hexadecimal, JSON stays text; everything else is an error."""
    assert value("\\x0aff", type="bytes") == b"\n\xff"
    assert refused("0a0", type="bytes").rule == "bytes"
    assert value('{"a": [1]}', type="json") == '{"a": [1]}'
    for text in ("{a}", "NaN", "[" * 100_000):
        assert refused(text, type="json").rule == "json"


def test_template_and_constant() -> None:
    """Templates join columns, blank ones give nothing, and a row that is blank throughout has no value."""
    mapping = Mapping((Field("titre", template="{Nom} à {ville} {{x}}"), Field("pays", constant="FR")))
    checked = mapping.checker(["nom", "Ville"]).check(
        batch(nom=[" Boulangerie ", None, None], Ville=["Lyon", "Nice", " "])
    )
    assert checked.values["titre"].to_list() == ["Boulangerie à Lyon {x}", "à Nice {x}", None]
    assert checked.values["pays"].to_list() == ["FR"] * 3


def test_lookup_values_stay_names() -> None:
    """A looked-up field keeps the name, though the target holds an id."""
    assert value("Boulangerie", target=FieldType("integer"), lookup={"table": "categories"}) == "Boulangerie"


def test_empty_batch_keeps_types() -> None:
    """A batch without rows gives the same columns."""
    checker = Mapping((Field("a", type="decimal", scale=2, unique=True, siret=True),)).checker(["a"])
    checked = checker.check(batch(a=[]))
    assert checked.values.schema["a"] == checker.types["a"]
    assert checker.finish().is_empty()
