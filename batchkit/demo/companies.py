"""Invented companies, as a French file has them; each with valid SIREN and SIRET, none twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import count
from random import Random
from typing import Final, NamedTuple

from .recipients import MOST, SHAPES, phone

CATEGORIES: Final = {
    10: "Artisanat d'art",
    20: "Boulangerie-pâtisserie",
    30: "Bâtiment et travaux publics",
    40: "Hébergement",
    50: "Œnologie",
    60: "Restauration",
}
_FORMS: Final = ("SARL", "SAS", "EURL", "Entreprise individuelle", "Société coopérative")
_KINDS: Final = ("Boulangerie", "Garage", "Ébénisterie", "L'Atelier de", "Au Cœur de", "Crêperie", "Hôtel")
_NAMES: Final = (
    "Lefèvre",
    "D'Hérouville",
    "N'Guessan",
    "Müller",
    "Garçon",
    "Noël",
    "Bœuf",
    "O'Brien",
    "Weiß",
)
_ENDINGS: Final = ("", "", "", " & Fils", " et Cie", " – Services", " « Express »")
_STREETS: Final = (
    "rue de l'Église",
    "place de la Mairie",
    "Grand'Rue",
    "rue du 8 Mai 1945",
    "allée des Chênes",
)
_TAILS: Final = (*[""] * 24, " ; bâtiment B")
"""Some addresses hold the character that makes a CSV quote them."""
_TOWNS: Final = (
    ("01000", "Bourg-en-Bresse"),
    ("06000", "Nice"),
    ("29900", "Concarneau"),
    ("67000", "Strasbourg"),
    ("75011", "Paris"),
    ("94240", "L'Haÿ-les-Roses"),
)
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")


class Company(NamedTuple):
    """One company; `categorie` is the id of its category, `chiffre_affaires` is in cents."""

    siret: str
    siren: str
    nom: str
    forme_juridique: str
    adresse: str
    code_postal: str
    ville: str
    categorie: int
    effectif: int | None
    chiffre_affaires: int
    date_creation: date
    email: str | None
    telephone: str | None


def companies(seed: int, first: int = 0) -> Iterator[Company]:
    """Companies without end, from number `first` on."""
    random = Random(f"batchkit {seed}")
    one_of, chance = random.choice, random.random
    for number in count(first):
        identity = siret(number)
        code, town = one_of(_TOWNS)
        yield Company(
            siret=identity,
            siren=identity[:9],
            nom=f"{one_of(_KINDS)} {one_of(_NAMES)}{one_of(_ENDINGS)}",
            forme_juridique=one_of(_FORMS),
            adresse=f"{random.randint(1, 200)} {one_of(_STREETS)}{one_of(_TAILS)}",
            code_postal=code,
            ville=town,
            categorie=one_of(tuple(CATEGORIES)),
            effectif=int(1 / (1.001 - chance())) if chance() < 0.95 else None,
            chiffre_affaires=500_000 + int(chance() ** 4 * 900_000_000),
            date_creation=date.fromordinal(711_858 + random.randrange(27_000)),  # from 1950 to 2023
            email=f"contact@c{identity[:9]}.example.org" if chance() < 0.95 else None,
            telephone=phone(random.randrange(MOST), one_of(SHAPES[:3])) if chance() < 0.95 else None,
        )


def siret(number: int, *, leading_zero: bool = False) -> str:
    """The SIRET of the company of this number: 14 digits, both check digits right, no two alike.

    One in ten begins with a zero, as do all with `leading_zero`, which may be another's.
    """
    # A factor without 2 and 5 in it reaches each of the numbers before it comes to the first again.
    siren = f"{(number + 1) * 23_456_789 % 10 ** (7 if leading_zero else 8):08}"
    siren += _check_digit(siren)
    establishment = f"{siren}{number % 90 + 1:04}"
    return establishment + _check_digit(establishment)


def _check_digit(digits: str) -> str:
    """The digit that makes a number pass Luhn's check."""
    return str(-sum(map(int, digits[-1::-2].translate(_DOUBLED) + digits[-2::-2])) % 10)
