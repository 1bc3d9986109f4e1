"""Lines that fit the terminal: sentences wrap between words, places lose their start, commands stay whole.

Where there is no terminal, nothing is wrapped or cut: programs and `grep` want a line for a line.
"""

from __future__ import annotations

import shutil
import sys
import textwrap

from .console import mark

NARROWEST = 40


def room(*, err: bool = False) -> int | None:
    """Columns of the terminal that stdout (or stderr) is; None when it is none."""
    try:
        if not (sys.stderr if err else sys.stdout).isatty():
            return None
    except (AttributeError, ValueError):  # none, or closed
        return None
    return max(NARROWEST, shutil.get_terminal_size((100, 24)).columns)


def wrapped(
    text: str, indent: int = 0, hanging: int | None = None, *, columns: int | None = None
) -> list[str]:
    """A sentence in lines that fit; a word that is longer than the terminal, such as a path, stays whole.

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
    return textwrap.wrap(
        text,
        columns,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def with_command(words: str, command: str, indent: int = 0) -> list[str]:
    """Words and the command they lead to, in one line or, where they don't fit, in two."""
    columns, lead = room(), " " * indent
    line = f"{lead}{words} {command}"
    return [line] if columns is None or len(line) <= columns else [f"{lead}{words}", f"{lead}  {command}"]


def told(text: str) -> str:
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
