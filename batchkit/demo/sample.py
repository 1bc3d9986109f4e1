"""Make a sample to try things on: French companies in a CSV, and a database that already holds most of them.

The file is as such files are: SIRET numbers and postal codes with leading zeros, accents and ligatures, `;`
between columns, decimal commas, dates as dd/mm/yyyy, and one row in 200 that can't be used as it stands.
The same seed gives the same bytes.

`python -m batchkit.demo.sample FOLDER [--rows N]` makes one; `--small` makes the files kept in `data/`.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Final

import click

from .companies import CATEGORIES, Company, companies, siret
from .files import new_workbook, write_csv

if TYPE_CHECKING:
    from ..planning.job import Job

COLUMNS: Final = Company._fields
BAD: Final = ("siret", "date", "email", "number", "name", "duplicate")
"""What is wrong with the bad rows, in the order in which they come round."""

_WRONG: Final = {
    "date": ("date_creation", ("31/02/2019", "00/00/0000", "en 2011")),
    "email": ("email", ("contact@", "contact chez exemple.fr", "www.exemple.fr")),
    "number": ("chiffre_affaires", ("n.c.", "env. 50 000", "12,5 M€")),
    "name": ("nom", ("",)),
}
_SCHEMA: Final = """
CREATE TABLE categories (id INTEGER PRIMARY KEY, nom VARCHAR(60) NOT NULL UNIQUE);
CREATE TABLE companies (
    siret CHAR(14) NOT NULL PRIMARY KEY CHECK (length(siret) = 14), siren CHAR(9) NOT NULL,
    nom VARCHAR(120) NOT NULL, forme_juridique VARCHAR(40), adresse VARCHAR(200), code_postal CHAR(5),
    ville VARCHAR(80), categorie_id INTEGER REFERENCES categories (id), effectif INTEGER,
    chiffre_affaires NUMERIC(14, 2), date_creation DATE, email VARCHAR(120), telephone VARCHAR(20)
);
"""
_INSERT: Final = f"INSERT INTO companies VALUES ({', '.join('?' * len(COLUMNS))})"


@dataclass(frozen=True)
class Sample:
    """A sample on disk, and what must come of it.

    Attributes:
        path_csv: The file, `companies.csv`.
        path_database: The SQLite database, `companies.sqlite`: `companies` with `categorie_id`, and
            `categories` (`id`, `nom`), by which the file's `categorie` is found.
        rows: Rows of the file, without its header.
        expected: Changes by kind when the key is `siret` and SIRET, e-mail and a `nom` are checked for.
            `duplicate` counts both rows that share a SIRET.
        bad: Row numbers, as a spreadsheet shows them, by what is wrong (one of `BAD`).
    """

    path_csv: Path
    path_database: Path
    rows: int
    expected: dict[str, int]
    bad: dict[str, list[int]] = field(repr=False)
    table: str = "companies"
    key: str = "siret"

    @property
    def database_url(self) -> str:
        """The database as SQLAlchemy names it."""
        return f"sqlite:///{self.path_database.resolve().as_posix()}"


def make_sample(
    folder: Path | str,
    rows: int = 10_000,
    seed: int = 7,
    *,
    encoding: str = "utf-8-sig",
    bad_every: int = 200,
) -> Sample:
    """Write `companies.csv` and `companies.sqlite` into a folder; files of these names there are replaced.

    Of the good rows 70% stand in the database as they are, 20% differ there in one or two fields, 10% are
    missing. The database also holds 1% that the file doesn't.

    Args:
        folder: Where to write; made when missing.
        rows: Rows of the file.
        seed: The same seed gives the same bytes.
        encoding: Of the file: UTF-8 with BOM, or `cp1252`.
        bad_every: One row in so many is bad; at least 10.

    Returns:
        Where the files are and what to expect of them.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path_csv, path_database = folder / "companies.csv", folder / "companies.sqlite"
    for leftover in ("", "-wal", "-shm", "-journal"):
        path_database.with_name(path_database.name + leftover).unlink(missing_ok=True)
    expected = Counter(create=0, update=0, unchanged=0, invalid=0, duplicate=0)
    bad: dict[str, list[int]] = {kind: [] for kind in BAD}
    with closing(sqlite3.connect(path_database)) as database:
        database.executescript(_SCHEMA)
        database.executemany("INSERT INTO categories VALUES (?, ?)", CATEGORIES.items())

        def lines() -> Iterator[list[str]]:
            for row, (kind, line, held) in enumerate(_rows(rows, seed, bad_every), start=2):
                if kind in bad:
                    bad[kind].append(row)
                expected[kind if kind in expected else "invalid"] += 1
                if held:
                    database.execute(_INSERT, _stored(held))
                yield line

        write_csv(path_csv, COLUMNS, lines(), encoding=encoding)
        database.executemany(_INSERT, map(_stored, islice(companies(seed + 1, first=rows), rows // 100)))
        database.commit()
    return Sample(path_csv, path_database, rows, dict(expected), bad)


def make_small(folder: Path | str) -> None:
    """Write the small files kept with the project: `companies.csv` (200 rows) and `companies.xlsx` (50)."""
    folder = Path(folder)
    make_sample(folder, rows=200, bad_every=25).path_database.unlink()
    made = list(islice(companies(seed=11), 50))
    with new_workbook(folder / "companies.xlsx", "Entreprises", COLUMNS, map(_line, made)) as (book, sheet):
        # As people keep them: typed amounts and dates, SIRET as text, a hidden sheet of choices.
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        for number, company in enumerate(made, start=1):
            if company.effectif is not None:
                sheet.write_number(number, COLUMNS.index("effectif"), company.effectif)
            sheet.write_number(number, COLUMNS.index("chiffre_affaires"), company.chiffre_affaires / 100)
            sheet.write_datetime(number, COLUMNS.index("date_creation"), company.date_creation, day)
        choices = book.add_worksheet("Listes")
        choices.write_column(0, 0, ["categorie", *CATEGORIES.values()])
        choices.hide()


def sample_job(sample: Sample) -> Job:
    """The job that brings the sample's database in line with its file."""
    from ..checking.fields import Field
    from ..planning.job import Job

    return Job(
        source=str(sample.path_csv),
        to=sample.database_url,
        table=sample.table,
        key=[sample.key],
        name="companies",
        fields=[
            Field("siret", siret=True),
            Field("siren", siren=True),
            Field("nom", required=True, max_length=120),
            Field("forme_juridique"),
            Field("adresse"),
            Field("code_postal", pattern=r"\d{5}"),
            Field("ville"),
            Field(
                "categorie_id", column="categorie", lookup={"table": "categories", "by": "nom", "id": "id"}
            ),
            Field("effectif", minimum=0),
            Field("chiffre_affaires", decimal=","),
            Field("date_creation", formats=("dd/mm/yyyy",)),
            Field("email", email=True),
            Field("telephone"),
        ],
    )


def _rows(rows: int, seed: int, bad_every: int) -> Iterator[tuple[str, list[str], Company | None]]:
    """What would change by each row or is wrong with it, the row, and what the database holds for it."""
    random = Random(f"batchkit rows {seed}")
    twin: Company | None = None
    for place, company in enumerate(islice(companies(seed), rows)):
        turn, rest = divmod(place, bad_every)
        kind = BAD[turn % len(BAD)]
        if rest == bad_every // 2:
            yield kind, _spoiled(company, kind, turn, twin), None
        elif kind == "duplicate" and rest == bad_every // 2 - 1 and place + 1 < rows:
            twin = company
            yield kind, _line(company), None
        else:
            chance = random.random()
            kind = "unchanged" if chance < 0.7 else "update" if chance < 0.9 else "create"
            held = {"unchanged": company, "update": _older(company, random.random())}.get(kind)
            yield kind, _line(company), held


def _spoiled(company: Company, kind: str, turn: int, twin: Company | None) -> list[str]:
    """The line of a company with one thing wrong in it; a duplicate has the SIRET of its twin above."""
    if kind == "duplicate" and twin:
        return _line(company._replace(siret=twin.siret, siren=twin.siren))
    if kind == "siret":  # a spreadsheet took it for a number
        whole = siret(turn, leading_zero=True)
        return _line(company._replace(siret=whole[1:], siren=whole[:9]))
    column, values = _WRONG[kind]
    line = _line(company)
    line[COLUMNS.index(column)] = values[turn // len(BAD) % len(values)]
    return line


def _older(company: Company, chance: float) -> Company:
    """The company as an older record has it: it moved, or grew, or both."""
    if chance < 0.6:
        company = company._replace(chiffre_affaires=company.chiffre_affaires * 9 // 10)
    if chance > 0.4:
        company = company._replace(adresse=f"1 bis {company.adresse.partition(' ')[2]}")
    return company


def _line(company: Company) -> list[str]:
    """The company as the file writes it."""
    texts = {name: "" if value is None else str(value) for name, value in company._asdict().items()}
    euros, cents = divmod(company.chiffre_affaires, 100)
    # People group thousands by a space, word processors by one that doesn't break, programs by nothing.
    between = {0: "\N{NO-BREAK SPACE}", 1: " "}.get(cents % 5, "")
    texts["categorie"] = CATEGORIES[company.categorie]
    texts["chiffre_affaires"] = f"{euros:,}".replace(",", between) + f",{cents:02}"
    texts["date_creation"] = f"{company.date_creation:%d/%m/%Y}"
    return list(texts.values())


def _stored(company: Company) -> tuple[object, ...]:
    """The company as the database holds it."""
    created = company.date_creation.isoformat()
    values = company._asdict() | {
        "chiffre_affaires": company.chiffre_affaires / 100,
        "date_creation": created,
    }
    return tuple(values.values())


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--rows", default=10_000)
@click.option("--seed", default=7)
@click.option("--encoding", type=click.Choice(["utf-8-sig", "utf-8", "cp1252"]), default="utf-8-sig")
@click.option("--small", is_flag=True, help="The small files kept with the project, instead.")
def main(folder: Path, rows: int, seed: int, encoding: str, small: bool) -> None:
    """Make a sample to try on."""
    if small:
        make_small(folder)
        return
    made = make_sample(folder, rows, seed, encoding=encoding)
    click.echo(f"{made.path_csv}\n{made.path_database}\n{made.expected}")


if __name__ == "__main__":
    main()
