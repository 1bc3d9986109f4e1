"""Make a sample to try messages on: people with an appointment, in a workbook, and a list of who wants none.

The numbers are those that France keeps for fiction (01 99 00 ..., 02 61 91 ..., and so on), so that nobody is
called by them. They are written in all the ways people write them, and some rows can't be sent as they stand.
The same seed gives the same bytes.

`python -m batchkit.demo.recipients FOLDER [--rows N]` makes one; without `--rows` it is the one in `data/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Final

import click

from .files import new_workbook, write_csv

COLUMNS: Final = ("Téléphone", "Prénom", "Rendez-vous", "Heure", "Lieu")
MOST: Final = 50_000
"""Numbers there are for fiction."""
#: What is wrong with the bad rows, in the order in which they come round.
BAD: Final = ("shortened", "too short", "blank", "line break", "duplicate", "opted out")

_FIRST_NAMES: Final = ("Zoé", "Noël", "Anaïs", "Jérôme", "Léa", "François", "Maëlle", "Loïc", "Chloé", "Théo")
_PLACES: Final = ("Orléans", "Nîmes", "Saint-Étienne", "Besançon", "Évry", "Le Mans")
_START: Final = date(2025, 3, 3)
_BLOCKS: Final = ("19900", "26191", "35301", "46571", "53649")
SHAPES: Final = (
    "0{0} {1} {2} {3} {4}",
    "0{0}{1}{2}{3}{4}",
    "+33 {0} {1} {2} {3} {4}",
    "+33 (0){0} {1} {2} {3} {4}",
    "0033 {0} {1} {2} {3} {4}",
    "0{0}.{1}.{2}.{3}.{4}",
    "0{0}-{1}-{2}-{3}-{4}",
    "33{0}{1}{2}{3}{4}",
)
"""How people write a number, by its first digit and its pairs."""


@dataclass(frozen=True)
class Recipients:
    """A sample on disk, and what must come of it.

    Attributes:
        path: The workbook, `recipients.xlsx`.
        path_csv: The same as `recipients.csv`, with `;` and a byte order mark.
        path_opt_out: Who wants no messages, `opt_out.csv`.
        rows: Rows without the header.
        sendable: Rows that can be sent as they stand.
        bad: Row numbers, as a spreadsheet shows them, by what is wrong (one of `BAD`). Of a number that
            stands twice both rows are there.
    """

    path: Path
    path_csv: Path
    path_opt_out: Path
    rows: int
    sendable: int
    bad: dict[str, list[int]]


def make_recipients(folder: Path | str, rows: int = 60, seed: int = 7, *, bad_every: int = 10) -> Recipients:
    """Write `recipients.xlsx`, `recipients.csv` and `opt_out.csv` into a folder.

    Args:
        folder: Where to write; made when missing.
        rows: Rows of the file; at most `MOST`.
        seed: The same seed gives the same bytes.
        bad_every: One row in so many is bad; 0 for none.

    Returns:
        Where the files are and what to expect of them.

    Raises:
        ValueError: There are not so many numbers.
    """
    if rows > MOST:
        raise ValueError(f"there are {MOST} numbers for fiction, not {rows}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    bad: dict[str, list[int]] = {kind: [] for kind in BAD}
    lines = list(_lines(rows, seed, bad_every, bad))
    write_csv(folder / "recipients.csv", COLUMNS, lines)
    with new_workbook(folder / "recipients.xlsx", "Rendez-vous", COLUMNS, lines):
        pass  # texts are all there is
    left = [("2024-11-05", lines[row - 2][0]) for row in bad["opted out"]]
    write_csv(folder / "opt_out.csv", ("Depuis", "Numéro"), left, encoding="utf-8")
    spoiled = {row for kind in BAD for row in bad[kind]}
    return Recipients(
        path=folder / "recipients.xlsx",
        path_csv=folder / "recipients.csv",
        path_opt_out=folder / "opt_out.csv",
        rows=rows,
        sendable=rows - len(spoiled),
        bad=bad,
    )


def _lines(rows: int, seed: int, bad_every: int, bad: dict[str, list[int]]) -> Iterator[list[str]]:
    random = Random(f"batchkit recipients {seed}")
    before = 0
    for place, number in enumerate(random.sample(range(MOST), rows)):
        day = _START + timedelta(days=random.randrange(60))
        line = [
            phone(number, random.choice(SHAPES)),
            random.choice(_FIRST_NAMES),
            f"{day:%d/%m/%Y}",
            f"{random.randrange(8, 19):02}:{random.choice(('00', '15', '30', '45'))}",
            random.choice(_PLACES),
        ]
        if bad_every and place % bad_every == bad_every - 1:
            turn = BAD[place // bad_every % len(BAD)]
            _spoil(line, turn, before)
            bad[turn] += [place + 1, place + 2] if turn == "duplicate" else [place + 2]
        before = number
        yield line


def phone(number: int, shape: str) -> str:
    """One of the `MOST` numbers for fiction, written in one of the `SHAPES`."""
    block, rest = divmod(number, 10_000)
    digits = f"{_BLOCKS[block]}{rest:04}"
    return shape.format(digits[0], *(digits[at : at + 2] for at in (1, 3, 5, 7)))


def _spoil(line: list[str], kind: str, before: int) -> None:
    match kind:
        case "shortened":
            line[0] = "3.3199001E+10"
        case "too short":
            line[0] = "01 99 00 1"
        case "blank":
            line[0] = ""
        case "line break":
            line[1] = f"{line[1]}\net famille"
        case "duplicate":  # of the row above, written otherwise
            line[0] = phone(before, "+33 {0}{1} {2}{3}{4}")


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--rows", default=60)
@click.option("--seed", default=7)
def main(folder: Path, rows: int, seed: int) -> None:
    """Make recipients of messages to try on."""
    made = make_recipients(folder, rows, seed)
    click.echo(f"{made.path}\n{made.path_csv}\n{made.path_opt_out}\n{made.sendable} can be sent")


if __name__ == "__main__":
    main()
