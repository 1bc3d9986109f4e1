"""The companies of the sample: made up one by one, each with valid SIREN and SIRET."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

CATEGORIES = {
    10: "Agriculture",
    15: "Artisanat d'art",
    20: "Boulangerie-pâtisserie",
    25: "Bâtiment et travaux publics",
    30: "Commerce de détail",
    35: "Conseil",
    40: "Hébergement",
    45: "Informatique",
    50: "Œnologie",
    55: "Restauration",
    60: "Santé",
    65: "Transport",
}

_CATEGORY_IDS = tuple(CATEGORIES)
_FORMS = ("SARL", "SAS", "SASU", "EURL", "SA", "SCI", "SNC", "Entreprise individuelle", "Société coopérative")
_KINDS = (
    "Boulangerie", "Garage", "Pharmacie", "Menuiserie", "Établissements", "Atelier", "Maison", "Société",
    "Cave", "Fromagerie", "Les Délices de", "L'Atelier de", "Au Cœur de", "Crêperie", "Hôtel", "Pépinières",
    "Ébénisterie", "Électricité", "Maçonnerie", "Librairie", "Traiteur", "Œuvres de", "Ambulances",
    "Cabinet", "Domaine",
)  # fmt: skip
_SURNAMES = (
    "Lefèvre", "Bérenger", "D'Hérouville", "N'Guessan", "Saint-Exupéry", "Le Goff", "Müller", "Muñoz",
    "Garçon", "L'Hostis", "Noël", "Aÿmard", "Œuvrard", "Çelik", "Dupont-Aubé", "Rémond", "Château",
    "Lacoeuilhe", "Vasseur", "Îlbert", "Guérin", "Fauré", "Crépin", "Prévôt", "Thébault", "Kerhoas",
    "de La Tour", "O'Brien", "Weiß", "Raïssi", "Benoît", "Maître", "Hélary", "Jäger", "Gonçalves", "Bœuf",
    "Salaün", "Picquenôt", "Mézière", "Rouxel",
)  # fmt: skip
_ENDINGS = (*[""] * 5, " & Fils", " et Cie", " Frères", " et associés", " – Services", " « Express »")
_STREETS = (
    "rue de l'Église", "avenue du Maréchal-Foch", "place de la Mairie", "chemin des Prés",
    "boulevard Voltaire", "impasse du Four", "rue d'Alésia", "quai de la Fosse", "allée des Chênes",
    "route de Saint-Malo", "rue Hœchlin", "cours Mirabeau", "rue Jean-Jaurès", "Grand'Rue",
    "rue du 8 Mai 1945", "passage de l'Évêché",
)  # fmt: skip
_TOWNS = (
    ("01000", "Bourg-en-Bresse"), ("02100", "Saint-Quentin"), ("03000", "Moulins"), ("05000", "Gap"),
    ("06000", "Nice"), ("07200", "Aubenas"), ("08000", "Charleville-Mézières"), ("09000", "Foix"),
    ("11100", "Narbonne"), ("12100", "Millau"), ("13001", "Marseille"), ("14600", "Honfleur"),
    ("16400", "Vœuil-et-Giget"), ("20000", "Ajaccio"), ("21200", "Beaune"), ("29900", "Concarneau"),
    ("33000", "Bordeaux"), ("35000", "Rennes"), ("44000", "Nantes"), ("46100", "Figeac"),
    ("50120", "Cherbourg-en-Cotentin"), ("56000", "Vannes"), ("59000", "Lille"), ("60300", "Senlis"),
    ("62100", "Calais"), ("64500", "Saint-Jean-de-Luz"), ("66000", "Perpignan"), ("67000", "Strasbourg"),
    ("69001", "Lyon"), ("75011", "Paris"), ("76600", "Le Havre"), ("78000", "Versailles"),
    ("80000", "Amiens"), ("94240", "L'Haÿ-les-Roses"), ("95880", "Enghien-les-Bains"),
    ("97400", "Saint-Denis"),
)  # fmt: skip

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_WITH_ZERO = 10_000_000  # SIRENs below this, before the check digit, begin with 0
_LOST_ZERO = 5_000_000  # from this place on among them: those kept for `leading_zero`


def _fold(text: str) -> str:
    plain = text.lower().replace("œ", "oe").replace("ß", "ss")
    decomposed = unicodedata.normalize("NFD", plain)
    return "".join(letter for letter in decomposed if letter.isascii() and letter.isalnum())


def _luhn(number: int, first_doubled: bool) -> int:
    digits = [int(digit) for digit in f"{number:04}"]
    return sum(_DOUBLED[d] if (place % 2 == 0) == first_doubled else d for place, d in enumerate(digits))


# Luhn sums of all groups of four digits: a million companies ask for them three million times.
_SUM_ODD = [_luhn(number, first_doubled=True) for number in range(10_000)]
_SUM_EVEN = [_luhn(number, first_doubled=False) for number in range(10_000)]
_NAMES = [(f"{kind} {name}", f"{_fold(name)}-{_fold(kind)}.fr") for kind in _KINDS for name in _SURNAMES]


@dataclass(slots=True)
class Company:
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


def siret(number: int, *, leading_zero: bool = False) -> str:
    """The SIRET of the company of this number: 14 digits, both check digits right, no two alike.

    One in ten begins with a zero, as do all with `leading_zero`.
    """
    if leading_zero:
        base = _LOST_ZERO + number
    elif number % 10 == 0:
        base = (number // 10 * 7_654_321 + 552_081) % _LOST_ZERO
    else:
        base = _WITH_ZERO + number * 23_456_789 % (9 * _WITH_ZERO)
    high, low = divmod(base, 10_000)
    check = -(_SUM_EVEN[high] + _SUM_EVEN[low]) % 10
    nic = number * 37 % 90 + 1
    check_nic = -(_SUM_ODD[high] + _SUM_ODD[low] + _DOUBLED[check] + _SUM_EVEN[nic]) % 10
    return f"{base:08}{check}{nic:04}{check_nic}"


def companies(seed: int, first: int = 0) -> Iterator[Company]:
    """Companies without end, from number `first` on."""
    draw = Random(f"batchkit {seed}").random
    number = first
    while True:
        identity = siret(number)
        nom, site = _NAMES[int(draw() * len(_NAMES))]
        code, town = _TOWNS[int(draw() * len(_TOWNS))]
        yield Company(
            identity,
            identity[:9],
            nom + _ENDINGS[int(draw() * len(_ENDINGS))],
            _FORMS[int(draw() * len(_FORMS))],
            address(draw()),
            code,
            town,
            draw_category(draw()),
            headcount(draw()),
            turnover(draw()),
            date.fromordinal(711_858 + int(draw() * 27_000)),  # from 1950 to 2023
            f"contact@{site}" if draw() > 0.05 else None,
            phone(draw()),
        )
        number += 1


def address(chance: float) -> str:
    """A street and number; one in 25 has the `;` that makes a CSV quote it."""
    place = int(chance * 400 * len(_STREETS))
    street = _STREETS[place % len(_STREETS)]
    tail = " ; bâtiment B" if place % 25 == 0 else ""
    return f"{place // len(_STREETS) + 1}{' bis' if place % 9 == 0 else ''} {street}{tail}"


def headcount(chance: float) -> int | None:
    """How many work there; many small, few large, one in 20 not known."""
    return None if chance > 0.95 else int(1 / (1.001 - chance / 0.95))


def turnover(chance: float) -> int:
    """Cents; from thousands of euros to millions."""
    return 500_000 + int(chance**4 * 900_000_000)


def draw_category(chance: float) -> int:
    """The id of a category."""
    return _CATEGORY_IDS[int(chance * len(_CATEGORY_IDS))]


def phone(chance: float) -> str | None:
    """A French number, written in one of the ways people write them; one in 20 has none."""
    if chance > 0.95:
        return None
    digits = f"{1 + int(chance * 5 / 0.95)}{int(chance * 1e15) % 100_000_000:08}"
    style = digits[-1]
    pairs = " ".join(digits[place : place + 2] for place in (1, 3, 5, 7))
    if style == "0":
        return f"+33 {digits[0]} {pairs}"
    return f"0{digits}" if style in "12" else f"0{digits[0]} {pairs}"
