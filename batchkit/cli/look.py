"""`batchkit look`: what was understood of a file, before anything is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from ..core import words
from ..core.words import number, plural
from . import options
from .console import Console, bold, dim, shell, shorten, style, value_text, width
from .family import DONE, USAGE
from .pages import every_problem, problems_page
from .problems import group_problems, title
from .wrapping import columns

if TYPE_CHECKING:
    from ..sources.look import Look

KINDS = {"csv": "text with delimiters", "xlsx": "Excel workbook", "xls": "old Excel workbook"}
KINDS |= {"xlsb": "binary Excel workbook", "ods": "OpenDocument workbook"}
MOST_COLUMNS = 60


@click.command(cls=options.Described, short_help="Show what was understood of a file.")
@click.argument("file", metavar="SOURCE")
@click.option("--query", metavar="SQL", help="Look at what this query gives; SOURCE is then the database.")
@options.reading
@click.option("--all-problems", is_flag=True, help="Show every problem instead of the first ten.")
@options.as_json
def look(file: str, all_problems: bool, console: Console, **given: Any) -> int:
    """Show what was understood of SOURCE, a CSV or Excel file or the https:// address of one.

    Encoding, delimiter, header row, sheets (hidden ones too), rows, columns with a value from the file, and
    every problem with the row number a spreadsheet shows. What was understood wrongly can be overruled by an
    option.
    """
    from ..sources.look import look as look_at

    read = {name: value for name, value in given.items() if value is not None and value is not False}
    found = look_at(file, **read)
    again = f"batchkit look {shell(file)} --all-problems"
    console.answer(
        found.to_dict() if console.json else None,
        lambda: look_page(found, again, None if all_problems else 10),
    )
    return DONE if found.header_row is not None else USAGE


def look_page(found: Look, again: str, most: int | None) -> Iterator[str]:
    """What was understood of a file.

    Args:
        found: That.
        again: The command that shows all problems.
        most: How many problems are shown; None for all.
    """
    kind = KINDS.get(found.kind, found.kind)
    yield f"{bold(found.name)}  {kind}" + (f", {words.format_bytes(found.bytes)}" if found.bytes else "")
    yield ""
    yield from columns([[dim(name), text] for name, text in _facts(found) if text])
    yield from _sheets(found)
    yield from _raw_rows(found) if found.header_row is None else _columns(found)
    groups = group_problems(found.problems)
    if most is None:
        yield from every_problem(title(groups), found.problems)
    else:
        yield from problems_page(title(groups), groups, most, again)


def _facts(found: Look) -> Iterator[tuple[str, str]]:
    yield "encoding", found.encoding or ""
    yield "delimiter", {"\t": "tab", None: ""}.get(found.delimiter, found.delimiter or "")
    yield "line ends", found.line_ends or ""
    yield "sheet", found.sheet or ""
    header = {None: style("can't be told", fg="red"), 0: "none"}
    yield "header", header.get(found.header_row, f"row {found.header_row}")
    skipped = [
        plural(n, what)
        for n, what in ((found.blank_rows, "blank row"), (found.repeated_headers, "repeated header"))
        if n
    ]
    yield "rows", number(found.rows) + (f"  ({' and '.join(skipped)} skipped)" if skipped else "")
    yield "columns", number(len(found.columns))


def _sheets(found: Look) -> Iterator[str]:
    if len(found.sheets) < 2 and all(sheet.visibility == "visible" for sheet in found.sheets):
        return
    yield ""
    yield bold("Sheets")
    rows = []
    for sheet in found.sheets:
        hidden = "" if sheet.visibility == "visible" else style(sheet.visibility, fg="yellow")
        notes = [hidden, f"{plural(sheet.hidden_rows, 'hidden row')}" if sheet.hidden_rows else ""]
        notes.append("read here" if sheet.name == found.sheet else "")
        size = f"{number(sheet.rows)} x {number(sheet.columns)}" if sheet.kind == "data" else sheet.kind
        rows.append([shorten(sheet.name, 40), size, ", ".join(note for note in notes if note)])
    yield from columns(rows, right=frozenset({1}))


def _columns(found: Look) -> Iterator[str]:
    yield ""
    yield bold("Columns") + dim("  with a value from the first rows")
    room = max(20, width() - 50)
    rows = []
    for place, name in enumerate(found.columns[:MOST_COLUMNS], start=1):
        value = next((row[name] for row in found.preview if row.get(name) not in (None, "")), None)
        rows.append([dim(str(place)), shorten(name, 40), dim(value_text(value, room))])
    yield from columns(rows, right=frozenset({0}))
    if len(found.columns) > MOST_COLUMNS:
        yield dim(f"  and {number(len(found.columns) - MOST_COLUMNS)} more; --json lists them all")


def _raw_rows(found: Look) -> Iterator[str]:
    """The first rows as they stand, for a person to choose the header from."""
    yield ""
    yield bold("First rows") + dim("  choose the header among them: --header-row N")
    for row in found.preview:
        cells = [value_text(value, 24) if value else "" for name, value in row.items() if name != "#row"]
        yield f"  {dim(str(row.get('#row', '')).rjust(4))}  {shorten(' | '.join(cells), width() - 8)}"
