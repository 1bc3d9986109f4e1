"""Which row holds the names of the columns, and what those names are.

The rule, on the first rows of a table: the names are mostly text, cover most of the columns in use, and only
sparse title rows stand above them. Where two rows could be meant (headers stacked over several rows, a table
without names), nothing is guessed: `Undecided` says which rows were in question.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from ..core.problem import Problem, warning

SEARCHED = 60  # rows among which the names are looked for
_COMPARED = 300  # rows that tell what the table looks like
_NUMBER = re.compile(r"[+-]?[\d\s.,'’]*\d\s?[%€$£]?(?:[eE][+-]?\d+)?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d{1,2}:\d{2}.*)?|\d{1,2}:\d{2}(?::\d{2})?")
_YEAR = re.compile(r"(?:19|20)\d\d(?:\.0)?")


@dataclass(frozen=True)
class Line:
    """One record as it was read: its row number and its cells, native values or text."""

    row: int
    cells: Sequence[object]


class Undecided(Exception):
    """No row is clearly the header; `lines` are those in question (none: no row looks like one)."""

    def __init__(self, lines: Sequence[Line]) -> None:
        super().__init__()
        self.lines = list(lines)


@dataclass
class _Kinds:
    line: Line
    width: int
    text: set[int] = field(default_factory=set)  # columns that hold words
    filled: set[int] = field(default_factory=set)  # columns that hold anything
    typed: set[int] = field(default_factory=set)  # columns whose cell is a number or date of its own, no text


def find_header(lines: Sequence[Line]) -> int:
    """The row number of the header.

    Args:
        lines: The first records of the table, blank ones included.

    Raises:
        Undecided: No row, or more than one, could be it.
    """
    rows = [kinds for kinds in map(_kinds, lines[:_COMPARED]) if kinds.filled]
    if not rows:
        raise Undecided([])
    width = usual_width([row.width for row in rows])
    table = [row for row in rows if row.width >= width] or rows
    used = set().union(*(row.filled for row in table))
    if _first_differs(rows, width):
        return rows[0].line.row
    position = next((i for i, row in enumerate(rows[:SEARCHED]) if _looks_like_names(row, width, used)), None)
    if position is None:
        raise Undecided([])
    doubtful = _rivals(rows, position, width)
    if doubtful:
        raise Undecided([row.line for row in doubtful])
    return rows[position].line.row


def usual_width(widths: Sequence[int]) -> int:
    """The commonest number of cells above 1 (the first seen among equals); 1 where there is no other."""
    counts = Counter(width for width in widths if width > 1)
    return counts.most_common(1)[0][0] if counts else 1


def _kinds(line: Line) -> _Kinds:
    kinds = _Kinds(line, len(line.cells))
    years = set()
    for column, cell in enumerate(line.cells):
        kind = _kind(cell)
        if kind:
            kinds.filled.add(column)
            if not isinstance(cell, str):
                kinds.typed.add(column)
        if kind == "text":
            kinds.text.add(column)
        elif kind == "year":
            years.add(column)
    if kinds.text:  # years beside words are names; a row of years alone is data
        kinds.text |= years
    return kinds


def _kind(cell: object) -> str:
    if cell is None or cell == "":
        return ""
    if isinstance(cell, (bool, date, datetime, time, timedelta)):
        return "value"
    text = str(cell).strip()
    if _YEAR.fullmatch(text):
        return "year"
    if not isinstance(cell, str) or _NUMBER.fullmatch(text) or _DATE.fullmatch(text) or text.startswith("="):
        return "value"
    return "text" if text else ""


def _first_differs(rows: list[_Kinds], width: int) -> bool:
    # Numbers can be names too: then nearly every column below differs in kind from its first cell.
    first, below = rows[0], rows[1:SEARCHED]
    if first.width != width or len(first.filled) < width or 0 not in first.text or first.typed or not below:
        return False
    above_words = [c for c in first.filled - first.text if all(c in row.text for row in below)]
    above_typed = [c for c in first.filled if all(c in row.typed for row in below)]
    return max(len(above_words), len(above_typed)) >= 0.8 * width


def _looks_like_names(row: _Kinds, width: int, used: set[int]) -> bool:
    if row.width not in (width, width - 1) or (row.width < width and width > 1 and len(row.text) < row.width):
        return False
    values = len(row.filled) - len(row.text)
    return len(row.text) >= 0.6 * len(used) and values <= 0.25 * len(row.filled)


def _rivals(rows: list[_Kinds], position: int, width: int) -> list[_Kinds]:
    chosen, above, below = rows[position], rows[:position], rows[position + 1 :]
    alike = [
        row
        for row in above
        if len(row.text) > 0.5 * len(chosen.text) or len(row.filled) > 0.8 * len(chosen.filled)
    ]
    if alike:
        return [*alike, chosen]
    # A lone word above a narrow table may be its only name: the "columns" would be commas in the text.
    lone = [row for row in above if row.width == 1]
    if lone and width <= 3 and below and not _told_apart(chosen, below):
        return [lone[-1], chosen]
    return _stacked(chosen, below)


def _told_apart(chosen: _Kinds, below: list[_Kinds]) -> bool:
    return any(
        sum(column in row.filled and column not in row.text for row in below) >= 0.8 * len(below)
        for column in chosen.text
    )


def _stacked(chosen: _Kinds, below: list[_Kinds]) -> list[_Kinds]:
    counts = Counter(column for row in below for column in row.filled)
    nameless = {column for column, n in counts.items() if n >= 0.5 * len(below)} - chosen.filled
    for row in below[:5]:
        # Names of the nameless columns, and blank where the chosen row has names: the other half of a header.
        if nameless & row.text and len(row.filled & chosen.filled) <= 0.5 * len(chosen.filled):
            return [chosen, row]
    return []


def column_names(cells: Sequence[str | None], row: int | None) -> tuple[list[str], list[Problem]]:
    """Names that are not blank and not double, and a problem for each that had to be made.

    Args:
        cells: The header's cells.
        row: The header's row number.
    """
    names: list[str] = []
    problems: list[Problem] = []
    seen: set[str] = set()
    for position, cell in enumerate(cells, start=1):
        plain = " ".join((cell or "").replace("\ufeff", "").split())
        name, n = plain or f"column {position}", 1
        while name in seen:
            n += 1
            name = f"{plain or f'column {position}'} ({n})"
        seen.add(name)
        names.append(name)
        if not plain:
            problems.append(_renamed("blank_header", row, name, f"Column {position} has no name"))
        elif name != plain:
            problems.append(_renamed("duplicate_header", row, name, f"The name {plain!r} is there already"))
    return names, problems


def _renamed(rule: str, row: int | None, name: str, fact: str) -> Problem:
    advice = "Give each column a name of its own in the file, or map it under this one."
    return warning(rule, f"{fact}; it is called {name!r} here", advice, row=row, column=name)
