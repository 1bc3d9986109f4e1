"""The sample is what it says: valid where it is good, wrong where it says so, the same each time."""

from __future__ import annotations

import csv
import sqlite3
from collections import Counter
from contextlib import closing
from itertools import islice
from pathlib import Path

import openpyxl
import pytest
from stdnum.fr import siren as siren_rules
from stdnum.fr import siret as siret_rules

from batchkit.demo.companies import CATEGORIES, companies, siret
from batchkit.demo.sample import BAD, COLUMNS, Sample, main, make_sample, make_small
from tests.support.needs import ROOT


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Made once: the tests only read it."""
    return make_sample(tmp_path_factory.mktemp("sample"), rows=3_000)


def test_numbers_are_valid_and_unique() -> None:
    """Each SIRET and SIREN passes its check digits, none comes twice, and one in ten begins with a zero."""
    made = [siret(number) for number in range(60_000)]
    lost = [siret(number, leading_zero=True) for number in range(600)]
    assert len(set(made)) == 60_000
    for identity in islice(made + lost, 0, None, 7):
        assert siret_rules.is_valid(identity)
        assert siren_rules.is_valid(identity[:9])
    assert 5_900 < sum(identity.startswith("0") for identity in made) < 6_100
    assert all(identity.startswith("0") for identity in lost)


def test_same_seed_same_bytes(sample: Sample, tmp_path: Path) -> None:
    """The seed decides every byte of the file; another seed gives another file."""
    again = make_sample(tmp_path / "again", rows=3_000)
    assert again.path_csv.read_bytes() == sample.path_csv.read_bytes()
    assert (again.expected, again.bad) == (sample.expected, sample.bad)
    other = make_sample(tmp_path / "other", rows=3_000, seed=8)
    assert other.path_csv.read_bytes() != sample.path_csv.read_bytes()


def test_making_again_replaces(tmp_path: Path) -> None:
    """A second sample in the same folder replaces the first, database included."""
    make_sample(tmp_path, rows=500)
    made = make_sample(tmp_path, rows=100, seed=3)
    assert len(_rows(made)) == 100
    assert set(_held(made)) - {siret(n) for n in range(102)} == set()


def test_encoding_can_be_windows(tmp_path: Path) -> None:
    """Every character the sample uses exists in cp1252, and the rows are the same ones."""
    made = make_sample(tmp_path / "a", rows=3_000, encoding="cp1252")
    utf8 = make_sample(tmp_path / "b", rows=3_000)
    text = made.path_csv.read_bytes().decode("cp1252")
    assert text == utf8.path_csv.read_bytes().decode("utf-8-sig")


def test_file_has_the_traps_of_real_ones(sample: Sample) -> None:
    """Leading zeros, accents, ligatures, apostrophes, quoted `;`, both kinds of space in amounts, gaps."""
    rows = _rows(sample)
    assert any(row["siret"].startswith("0") for row in rows)
    assert any(row["code_postal"].startswith("0") for row in rows)
    assert any("œ" in row["nom"].lower() for row in rows)
    assert any("'" in row["nom"] and "é" in row["nom"] for row in rows)
    assert any(";" in row["adresse"] for row in rows)
    assert any(" " in row["chiffre_affaires"] for row in rows)
    assert any("\N{NO-BREAK SPACE}" in row["chiffre_affaires"] for row in rows)
    assert any(not row["email"] for row in rows)
    assert any(not row["effectif"] for row in rows)
    assert {row["categorie"] for row in rows} == set(CATEGORIES.values())


def test_bad_rows_stand_where_it_says(sample: Sample) -> None:
    """Each kind of bad row occurs, at the row number a spreadsheet shows."""
    rows = dict(enumerate(_rows(sample), start=2))
    assert set(sample.bad) == set(BAD)
    assert all(sample.bad.values())
    assert sum(map(len, sample.bad.values())) == sample.expected["invalid"] + sample.expected["duplicate"]
    for number in sample.bad["siret"]:
        lost = rows[number]["siret"]
        assert len(lost) == 13
        assert siret_rules.is_valid("0" + lost)
    assert all(rows[number]["nom"] == "" for number in sample.bad["name"])
    assert all(
        rows[number]["date_creation"].count("/") != 2 or _no_day(rows[number])
        for number in sample.bad["date"]
    )
    twins = Counter(rows[number]["siret"] for number in sample.bad["duplicate"])
    assert set(twins.values()) == {2}


def test_expected_changes_are_right(sample: Sample) -> None:
    """Compared by hand, file and database differ by exactly the changes the sample promises."""
    held = _held(sample)
    bad = {number for numbers in sample.bad.values() for number in numbers}
    found: Counter[str] = Counter()
    for number, row in enumerate(_rows(sample), start=2):
        if number in bad:
            continue
        stored = held.get(row["siret"])
        kind = "create" if stored is None else "unchanged" if stored == _typed(row) else "update"
        found[kind] += 1
    assert found == {kind: sample.expected[kind] for kind in ("create", "update", "unchanged")}
    assert sum(sample.expected.values()) == sample.rows
    assert sample.expected["unchanged"] > 0.6 * sample.rows
    assert sample.expected["update"] > 0.15 * sample.rows


def test_database_holds_others_too(sample: Sample) -> None:
    """One company in a hundred of the database is not in the file at all."""
    assert len(set(_held(sample)) - {company.siret for company in islice(companies(7), 3_000)}) == 30


def test_small_files_are_what_it_makes(tmp_path: Path) -> None:
    """The files kept in `data/` are those that the command for them writes."""
    make_small(tmp_path)
    assert (tmp_path / "companies.csv").read_bytes() == (ROOT / "data/companies.csv").read_bytes()
    made, kept = (_cells(folder / "companies.xlsx") for folder in (tmp_path, ROOT / "data"))
    assert made == kept
    assert len(kept["Entreprises"]) == 51
    assert not (tmp_path / "companies.sqlite").exists()


def test_command_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m batchkit.demo.sample` writes both files and names them."""
    main([str(tmp_path / "new"), "--rows", "50", "--encoding", "cp1252"], standalone_mode=False)
    said = capsys.readouterr().out.splitlines()
    assert [Path(line).is_file() for line in said[:2]] == [True, True]


def _rows(sample: Sample) -> list[dict[str, str]]:
    with sample.path_csv.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def _held(sample: Sample) -> dict[str, tuple[object, ...]]:
    query = """
        SELECT siret, siren, companies.nom, forme_juridique, adresse, code_postal, ville, categories.nom,
               effectif, chiffre_affaires, date_creation, email, telephone
        FROM companies JOIN categories ON categories.id = categorie_id"""
    with closing(sqlite3.connect(sample.path_database)) as database:
        return {row[0]: row for row in database.execute(query)}


def _typed(row: dict[str, str]) -> tuple[object, ...]:
    typed: dict[str, object] = {name: text or None for name, text in row.items()}
    typed["effectif"] = int(row["effectif"]) if row["effectif"] else None
    digits = row["chiffre_affaires"].replace(" ", "").replace("\N{NO-BREAK SPACE}", "")
    typed["chiffre_affaires"] = float(digits.replace(",", "."))
    typed["date_creation"] = "-".join(reversed(row["date_creation"].split("/")))
    return tuple(typed[name] for name in COLUMNS)


def _no_day(row: dict[str, str]) -> bool:
    return row["date_creation"] in ("31/02/2019", "00/00/0000")


def _cells(path: Path) -> dict[str, list[tuple[object, ...]]]:
    book = openpyxl.load_workbook(path)
    try:
        return {sheet.title: list(sheet.values) for sheet in book.worksheets}
    finally:
        book.close()
