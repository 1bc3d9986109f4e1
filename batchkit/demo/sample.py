"""Make a sample to try things on: French companies in a CSV, and a database that already holds most of them.

The file is as such files are: SIRET numbers and postal codes with leading zeros, accents and ligatures, `;`
between columns, decimal commas, dates as dd/mm/yyyy, and one row in 200 that can't be used as it stands.
The same seed gives the same bytes.

`python -m batchkit.demo.sample FOLDER [--rows N]` makes one; `--small` makes the files kept in `data/`.
"""

from __future__ import annotations

import argparse
import csv
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from itertools import islice
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from .companies import (
    CATEGORIES,
    Company,
    address,
    companies,
    draw_category,
    headcount,
    phone,
    siret,
    turnover,
)

if TYPE_CHECKING:
    from ..planning.job import Job

COLUMNS = tuple(column.name for column in fields(Company))
#: The columns before `categorie`: the file and the database write them alike.
_texts = attrgetter(*COLUMNS[: COLUMNS.index("categorie")])
#: What is wrong with the bad rows, in the order in which they come round.
BAD = ("siret", "date", "email", "number", "name", "duplicate")

_SCHEMA = """
CREATE TABLE categories (
    id INTEGER PRIMARY KEY,
    nom VARCHAR(60) NOT NULL UNIQUE
);
CREATE TABLE companies (
    siret CHAR(14) NOT NULL PRIMARY KEY CHECK (length(siret) = 14),
    siren CHAR(9) NOT NULL,
    nom VARCHAR(120) NOT NULL,
    forme_juridique VARCHAR(40),
    adresse VARCHAR(200),
    code_postal CHAR(5),
    ville VARCHAR(80),
    categorie_id INTEGER REFERENCES categories (id),
    effectif INTEGER,
    chiffre_affaires NUMERIC(14, 2),
    date_creation DATE,
    email VARCHAR(120),
    telephone VARCHAR(20)
);
"""
_INSERT = f"INSERT INTO companies VALUES ({', '.join('?' * len(COLUMNS))})"
_BATCH = 5_000
# What an older record may have had instead.
_OLDER: dict[str, Callable[[float], object]] = {
    "adresse": address,
    "categorie": draw_category,
    "chiffre_affaires": turnover,
    "effectif": headcount,
    "telephone": phone,
}
_AGEING = tuple(_OLDER)


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
    made = _Rows(rows, seed, bad_every)
    pairs = iter(made)
    with (
        closing(sqlite3.connect(path_database)) as database,
        path_csv.open("w", encoding=encoding, newline="") as file,
    ):
        database.executescript(_SCHEMA)
        database.executemany("INSERT INTO categories VALUES (?, ?)", CATEGORIES.items())
        writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
        writer.writerow(COLUMNS)
        while batch := list(islice(pairs, _BATCH)):
            writer.writerows(line for line, _ in batch)
            database.executemany(_INSERT, (_stored(held) for _, held in batch if held))
        others = islice(companies(seed + 1, first=rows), rows // 100)
        database.executemany(_INSERT, map(_stored, others))
        database.commit()
    return Sample(path_csv, path_database, rows, dict(made.tally), made.bad)


def make_small(folder: Path | str) -> None:
    """Write the small files kept with the project: `companies.csv` (200 rows) and `companies.xlsx` (50)."""
    folder = Path(folder)
    make_sample(folder, rows=200, bad_every=25).path_database.unlink()
    _write_workbook(folder / "companies.xlsx", list(islice(companies(seed=11), 50)))


class _Rows:
    """The rows of the file, each with what the database holds for it; counts them as they go by."""

    def __init__(self, rows: int, seed: int, bad_every: int) -> None:
        self._rows, self._seed, self._bad_every = rows, seed, bad_every
        self._random = Random(f"batchkit rows {seed}")
        self.tally: Counter[str] = Counter(create=0, update=0, unchanged=0, invalid=0, duplicate=0)
        self.bad: dict[str, list[int]] = {kind: [] for kind in BAD}

    def __iter__(self) -> Iterator[tuple[list[str], Company | None]]:
        earlier, change = "", ""
        for place, company in enumerate(islice(companies(self._seed), self._rows)):
            if place % self._bad_every == self._bad_every // 2:
                yield self._spoiled(company, place, earlier, change), None
                continue
            change, held = self._held(company)
            self.tally[change] += 1
            earlier = company.siret
            yield _line(company), held

    def _held(self, company: Company) -> tuple[str, Company | None]:
        chance = self._random.random()
        if chance < 0.7:
            return "unchanged", company
        return ("update", _aged(company, self._random)) if chance < 0.9 else ("create", None)

    def _spoiled(self, company: Company, place: int, earlier: str, change: str) -> list[str]:
        turn = place // self._bad_every
        kind = BAD[turn % len(BAD)]
        if kind == "duplicate":  # of the row before, which with it can't be used either
            self.tally[change] -= 1
            self.tally["duplicate"] += 2
            self.bad[kind] += [place + 1, place + 2]
            return _line(replace(company, siret=earlier, siren=earlier[:9]))
        self.tally["invalid"] += 1
        self.bad[kind].append(place + 2)
        if kind == "siret":  # a spreadsheet took it for a number
            whole = siret(place, leading_zero=True)
            return _line(replace(company, siret=whole[1:], siren=whole[:9]))
        wrong = {
            "date": ("date_creation", ("31/02/2019", "00/00/0000", "en 2011")),
            "email": ("email", ("contact@", "contact chez exemple.fr", "www.exemple.fr")),
            "number": ("chiffre_affaires", ("n.c.", "env. 50 000", "12,5 M€")),
            "name": ("nom", ("",)),
        }
        column, values = wrong[kind]
        line = _line(company)
        line[COLUMNS.index(column)] = values[turn // len(BAD) % len(values)]
        return line


def _aged(company: Company, random: Random) -> Company:
    """The company as an older record has it: one or two fields differ."""
    draw = random.random
    changes: dict[str, object] = {}
    # An empty cell may mean "clear it" or "keep it", by a setting; so only fields that have a value differ.
    known = [name for name in _AGEING if getattr(company, name) is not None]
    for name in random.sample(known, random.choice((1, 2))):
        now = getattr(company, name)
        older = _OLDER[name](draw())
        while older == now:
            older = _OLDER[name](draw())
        changes[name] = older
    return replace(company, **changes)  # type: ignore[arg-type]  # the fields' types follow their names


def _line(company: Company) -> list[str]:
    """The company as the file writes it."""
    return [
        *_texts(company),
        CATEGORIES[company.categorie],
        "" if company.effectif is None else str(company.effectif),
        _euros(company.chiffre_affaires),
        f"{company.date_creation:%d/%m/%Y}",
        company.email or "",
        company.telephone or "",
    ]


def _euros(cents: int) -> str:
    euros, rest = divmod(cents, 100)
    style = rest % 10
    if style > 2:
        return f"{euros},{rest:02}"
    # People group thousands by a space, and word processors by one that doesn't break.
    return f"{euros:,}".replace(",", "\N{NO-BREAK SPACE}" if style == 0 else " ") + f",{rest:02}"


def _stored(company: Company) -> tuple[object, ...]:
    """The company as the database holds it."""
    return (
        *_texts(company),
        company.categorie,
        company.effectif,
        company.chiffre_affaires / 100,
        company.date_creation.isoformat(),
        company.email,
        company.telephone,
    )


def _write_workbook(path: Path, made: list[Company]) -> None:
    """A workbook as people keep them: typed dates and amounts, SIRET as text, a hidden sheet of choices."""
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        book.set_properties({"created": datetime(2024, 1, 1)})
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "dd/mm/yyyy"})
        sheet = book.add_worksheet("Entreprises")
        sheet.freeze_panes(1, 0)
        sheet.write_row(0, 0, COLUMNS, bold)
        for number, company in enumerate(made, start=1):
            for column, text in enumerate(_line(company)):
                sheet.write_string(number, column, text)
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


def main(arguments: list[str] | None = None) -> None:
    """Make a sample from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m batchkit.demo.sample", description="Make a sample to try on."
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--encoding", choices=("utf-8-sig", "utf-8", "cp1252"), default="utf-8-sig")
    parser.add_argument("--small", action="store_true", help="the small files kept with the project, instead")
    asked = parser.parse_args(arguments)
    if asked.small:
        make_small(asked.folder)
        return
    made = make_sample(asked.folder, asked.rows, asked.seed, encoding=asked.encoding)
    sys.stdout.write(f"{made.path_csv}\n{made.path_database}\n{made.expected}\n")


if __name__ == "__main__":
    main()
