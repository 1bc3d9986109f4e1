"""Lines that fit the terminal: sentences wrap between words, places lose their start, commands stay whole.

Where there is no terminal, nothing is wrapped or cut: programs and `grep` want a line for a line.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Sequence

import click

from .console import is_terminal, mark

NARROWEST = 40
_HELD = "\ue000"  # a blank at which no line ends; of Unicode's private use, so that no text holds it
_COPIED = re.compile(r"\bbatchkit |^[/~]|^\w:\\")
_OPTION = re.compile(r"(--[a-z][\w-]*) (?=\S)")


def room(*, err: bool = False) -> int | None:
    """Columns of the terminal that stdout (or stderr) is; None when it is none."""
    if not is_terminal(sys.stderr if err else sys.stdout):
        return None
    return max(NARROWEST, shutil.get_terminal_size((100, 24)).columns)


def wrapped(
    text: str, indent: int = 0, hanging: int | None = None, *, columns: int | None = None
) -> list[str]:
    """A sentence in lines that fit; an option with its value, or a path, stays whole however long it is.

    Args:
        text: Plain text in one line, without colours.
        indent: Blanks before the first line.
        hanging: Blanks before the others; None for as many.
        columns: How wide a line may be; None for the terminal that stdout is.
    """
    columns = columns or room()
    first, others = " " * indent, " " * (indent if hanging is None else hanging)
    if columns is None or len(first) + len(text) <= columns:
        return [first + text]
    lines = textwrap.wrap(
        _OPTION.sub(rf"\1{_HELD}", text),
        columns,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )
    return [line.replace(_HELD, " ") for line in lines]


def columns(
    rows: Sequence[Sequence[str]],
    indent: int = 2,
    right: frozenset[int] = frozenset(),
    *,
    fold: bool = False,
) -> list[str]:
    """Lines of a small table, aligned by what is seen and not by colour codes.

    Args:
        rows: Cells, all rows of the same length.
        indent: Blanks before each line.
        right: Columns that are aligned to the right.
        fold: The last column holds sentences, which are wrapped; a command or a path in it stays whole.
    """
    if not rows:
        return []
    widths = [max(len(click.unstyle(row[i])) for row in rows) for i in range(len(rows[0]))]
    lead = indent + sum(widths[:-1]) + 2 * len(widths[:-1])
    lines = []
    for row in rows:
        first, *others = _folded(row[-1], lead) if fold else [row[-1]]
        cells = []
        for i, cell in enumerate([*row[:-1], first]):
            blanks = " " * (widths[i] - len(click.unstyle(cell)))
            cells.append(blanks + cell if i in right else cell + blanks)
        lines.append((" " * indent + "  ".join(cells)).rstrip())
        lines += [" " * lead + other for other in others]
    return lines


def _folded(cell: str, lead: int) -> list[str]:
    """A cell that is coloured as a whole, or not at all, in lines that fit behind `lead` columns."""
    text, terminal = click.unstyle(cell), room()
    if terminal is None or lead + len(text) <= terminal or _COPIED.search(text) or text not in cell:
        return [cell]
    return [cell.replace(text, line) for line in wrapped(text, columns=max(20, terminal - lead))]


def with_command(words: str, command: str, indent: int = 0) -> list[str]:
    """Words and the command they lead to, in one line or, where they don't fit, in two."""
    columns, lead = room(), " " * indent
    line = f"{lead}{words} {command}"
    return [line] if columns is None or len(line) <= columns else [f"{lead}{words}", f"{lead}  {command}"]


def wrap_words(text: str) -> str:
    """What is said on stderr, wrapped line by line; a line with a command in it stays whole, to be copied."""
    columns = room(err=True)
    lines = [[line] if "batchkit " in line else wrapped(line, columns=columns) for line in text.splitlines()]
    return "\n".join(part for parts in lines for part in parts)


def ending(text: str, taken: int) -> str:
    """The end of a path or address, which tells most, as far as it fits behind `taken` columns."""
    columns = room()
    if columns is None or taken + len(text) <= columns:
        return text
    dots = mark("…", "...")
    return dots + text[-max(10, columns - taken - len(dots)) :]
