"""Columns find their fields, and a mapping that can't be used says why."""

from __future__ import annotations

import json
import tomllib
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchkit.checking.fields import CHECKS, TYPES, Field
from batchkit.checking.mapping import Mapping, normalised
from batchkit.core.columns import FieldType
from batchkit.core.errors import MappingError

COLUMNS = ["N° SIRET", "Raison sociale", "Code Postal", "Œuvre", "Téléphone "]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("n_siret", "N° SIRET"),
        ("RAISON_SOCIALE", "Raison sociale"),
        ("codepostal", "Code Postal"),
        ("oeuvre", "Œuvre"),
        ("telephone", "Téléphone "),
    ],
)
def test_resolve_finds_by_normalised_name(name: str, column: str) -> None:
    """Case, accents, spaces and punctuation don't count."""
    assert Mapping((Field(name),)).resolve(COLUMNS).columns == {name: column}


def test_resolve_prefers_exact_name_and_follows_synonyms() -> None:
    """An exact name wins over a like one; synonyms are tried in their order."""
    assert Mapping((Field("nom"),)).resolve(["Nom", "nom"]).columns == {"nom": "nom"}
    found = Mapping((Field("siret", synonyms=("numéro", "n siret")),)).resolve(COLUMNS)
    assert found.columns == {"siret": "N° SIRET"}
    assert "Code Postal" in found.unused


def test_constant_and_template_win_over_a_like_column() -> None:
    """A field named like a column is still filled as the mapping says."""
    found = Mapping((Field("nom", template="{Nom} {{x}}"), Field("pays", constant="FR"))).resolve(
        ["Nom", "Pays"]
    )
    assert found.columns == {}
    assert found.templates["nom"][0] == ("", "Nom")


def test_missing_columns_are_listed_at_once_with_near_names() -> None:
    """One error names every missing column, the near ones, and what the source has."""
    mapping = Mapping((Field("siret"), Field("adresse"), Field("cp", column="Code postale")))
    with pytest.raises(MappingError) as caught:
        mapping.resolve(COLUMNS)
    said = str(caught.value)
    assert "'siret'" in said
    assert "'adresse'" in said
    assert "'Code postale'" in said
    assert "Did you mean 'N° SIRET' or 'Code Postal'?" in said
    assert "The source has: 'N° SIRET', 'Raison sociale'" in said
    assert caught.value.facts["missing"] == ("siret", "adresse", "cp")


def test_column_that_fits_twice_is_refused() -> None:
    """Two columns that differ only by case are not chosen between."""
    with pytest.raises(MappingError, match="'NOM' and 'Nom'"):
        Mapping((Field("nom"),)).resolve(["NOM", "Nom"])


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{nom} à {vile}", "Did you mean 'ville'"),
        ("{nom", "can't be read"),
        ("{nom!r}", "more than names"),
        ("{nom:>10}", "more than names"),
        ("{}", "more than names"),
        ("{nom.__class__}", "nom.__class__"),
    ],
)
def test_bad_template_is_refused(template: str, words: str) -> None:
    """A template holds names of columns and nothing else."""
    with pytest.raises(MappingError) as caught:
        Mapping((Field("titre", template=template),)).resolve(["nom", "ville"])
    assert words in str(caught.value)


def test_auto_proposes_what_is_certain() -> None:
    """Fields that a column fits are proposed with it; the others are left out, not guessed."""
    proposed = Mapping.auto(
        COLUMNS,
        ["code_postal", "adresse", Field("siret", synonyms=("n° siret",)), Field("pays", constant="FR")],
    )
    assert [(f.name, f.column) for f in proposed.fields] == [
        ("code_postal", "Code Postal"),
        ("siret", "N° SIRET"),
        ("pays", None),
    ]
    with pytest.raises(MappingError, match="The source has"):
        Mapping.auto(COLUMNS, ["adresse"])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Mapping(()), "no field"),
        (lambda: Mapping((Field("a"), Field("a"))), "'a' twice"),
        (lambda: Field("a", type="integr"), "Did you mean 'integer'?"),
        (lambda: Field("a", column="x", constant="y"), "both column and constant"),
        (lambda: Field("a", warn=("max_lenght",)), "Did you mean 'max_length'"),
        (lambda: Field("a", repair=("leading_zero",)), "width=5"),
        (lambda: Field("a", phone="France"), 'such as "FR"'),
        (lambda: Field("a", scale=-1), "whole number"),
        (lambda: Field("a", required="yes"), "true or false"),  # type: ignore[arg-type]
        (lambda: Field("a", synonyms=3), "list of texts"),  # type: ignore[arg-type]
        (lambda: Field("a", decimal=";"), "decimal can't be ';'"),  # type: ignore[arg-type]
        (lambda: Field(" "), "no name"),
        (lambda: Mapping.from_dict({"a": {"colum": "x"}}), "Did you mean 'column'?"),
        (lambda: Mapping.from_dict({"a": 3}), 'a = "Column"'),
        (lambda: Field("a", check=str).to_dict(), "a file can't hold"),
    ],
)
def test_unusable_mapping_is_refused(make: Any, words: str) -> None:
    """A wrong option is refused when the mapping is made, naming the near word."""
    with pytest.raises(MappingError) as caught:
        make()
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("field", "types", "words"),
    [
        (Field("a", pattern="(?=x)"), None, "pattern"),
        (Field("a", minimum=3), None, "no bound for a field of type 'text'"),
        (Field("a", type="date", minimum=3), None, "2026-12-31"),
        (Field("a", type="integer", minimum=10**30), None, "no bound"),
        (Field("a", type="datetime", minimum="2026-01-01T00:00Z"), None, "no bound"),
        (Field("a", type="boolean", true_words=("non",)), None, "either true or false"),
        (Field("a", constant="abc", type="integer"), None, "the constant 'abc' can't be used"),
        (Field("a"), {"aa": FieldType("text")}, "Did you mean 'aa'?"),
        (Field("a"), {"a": FieldType("text", generated=True)}, "computes 'a' itself"),
    ],
)
def test_unusable_check_is_refused(field: Field, types: dict[str, FieldType] | None, words: str) -> None:
    """What can't be checked is refused before the first row."""
    with pytest.raises(MappingError) as caught:
        Mapping((field,)).checker(["a"], types)
    assert words in str(caught.value)


def test_round_trip_by_toml() -> None:
    """A mapping written as TOML by hand reads as the one made in Python."""
    text = """
    nom = "Raison sociale"
    [siret]
    synonyms = ["n° siret"]
    siret = true
    warn = ["siret"]
    [creation]
    type = "date"
    formats = ["dd/mm/yyyy"]
    minimum = 1900-01-01
    """
    mapping = Mapping(
        (
            Field("nom", column="Raison sociale"),
            Field("siret", synonyms=("n° siret",), siret=True, warn=("siret",)),
            Field("creation", type="date", formats=("dd/mm/yyyy",), minimum=date(1900, 1, 1)),
        )
    )
    assert Mapping.from_dict(tomllib.loads(text)) == mapping
    assert mapping.to_dict()["creation"] == {
        "type": "date",
        "formats": ["dd/mm/yyyy"],
        "minimum": "1900-01-01",
    }


_WORDS = st.lists(st.text(min_size=1, max_size=5), max_size=3, unique=True).map(tuple)
_FIELDS = st.builds(
    Field,
    st.text(min_size=1, max_size=5).filter(str.strip),
    column=st.none() | st.text(min_size=1, max_size=5),
    synonyms=_WORDS,
    type=st.none() | st.sampled_from(TYPES),
    scale=st.none() | st.integers(0, 10),
    decimal=st.sampled_from(["auto", ",", "."]),
    missing=_WORDS,
    blank=st.sampled_from(["clear", "keep"]),
    strip=st.booleans(),
    required=st.booleans(),
    max_length=st.none() | st.integers(0, 99),
    one_of=_WORDS,
    minimum=st.none() | st.integers() | st.dates() | st.decimals(allow_nan=False).map(Decimal),
    phone=st.none() | st.sampled_from(["FR", "BE"]),
    warn=st.lists(st.sampled_from(CHECKS), max_size=2, unique=True).map(tuple),
    lookup=st.none() | st.just({"table": "categories", "by": "nom", "id": "id", "create": True}),
)


@given(st.lists(_FIELDS, min_size=1, max_size=4, unique_by=lambda field: field.name))
def test_to_dict_round_trips(fields: list[Field]) -> None:
    """Any mapping survives JSON, and defaults are not written."""
    mapping = Mapping(tuple(fields))
    written = json.loads(json.dumps(mapping.to_dict()))
    assert Mapping.from_dict(written) == mapping
    assert all(value is not None for options in written.values() for value in options.values())


@given(st.text(max_size=20))
@example("𝚨")
def test_normalised_is_stable(name: str) -> None:
    """A normalised name is its own normalised name."""
    assert normalised(normalised(name)) == normalised(name)
