"""What is on the screen as HTML: `templates/panel.html.j2`, which escapes every value, with what it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2

from ..core.advice import Say, as_python, worded
from ..core.words import CHANGES, number, plural
from .screen import changes_in_words

if TYPE_CHECKING:
    from ..core.problem import Problem
    from ..planning.change_view import ChangeView, FieldView, PlanSummary
    from ..sources.look import Look
    from .screen import Screen

LONGEST_LINE: Final = 40
LONGEST_CELL: Final = 160
LEAD: Final = 20  # characters shown before the first difference of two long texts
LONGEST_TITLE: Final = 1_000
WIDE: Final = 8
"""With more fields than this, those that nothing changes on the page are left out."""


@cache
def _macros() -> Any:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("batchkit.panel"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.globals |= {
        "LONGEST_LINE": LONGEST_LINE,
        "LONGEST_CELL": LONGEST_CELL,
        "LONGEST_TITLE": LONGEST_TITLE,
        "CHANGES": CHANGES,
        "number": number,
        "worded": worded,
        "split_edges": _split_edges,
        "find_difference": _find_difference,
    }
    return environment.get_template("panel.html.j2").module


def _draw(macro: str, *values: Any) -> str:
    return str(getattr(_macros(), macro)(*values))


def stylesheet() -> str:
    """The panel's own style, to be put into a page once per view."""
    return f"<style>{files(__package__).joinpath('style.css').read_text('utf-8')}</style>"


def value_html(value: Any) -> str:
    """A value as text: nothing is named, spaces at the edges are made visible, long texts are cut."""
    return _draw("value", value)


def _split_edges(text: str) -> tuple[str, str, str]:
    """The white space before a text, the text, and that behind it."""
    core = text.strip(" \t\r\n\u00a0\u202f")
    start = text.index(core) if core else len(text)
    return text[:start], core, text[start + len(core) :]


def cell_html(field: FieldView, change: str) -> str:
    """A field's cell: what it is, or what it was and becomes."""
    return _draw("cell", field, change)


def _find_difference(before: Any, after: Any) -> tuple[Any, Any]:
    """Two long texts without what they begin with in common, so that their difference is on the screen."""
    if not (isinstance(before, str) and isinstance(after, str)):
        return before, after
    pairs = zip(before, after, strict=False)
    start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) - LEAD
    return (before, after) if start < LONGEST_LINE else (f"…{before[start:]}", f"…{after[start:]}")


def changes_html(rows: Sequence[ChangeView], key: Sequence[str], say: Say = as_python) -> str:
    """A page of changes as a table; what is wrong with a row stands below it."""
    if not rows:
        return '<p class="bk-note">No rows.</p>'
    return _draw("changes", rows, " / ".join(key) or "Key", *_columns(rows), say)


def _columns(rows: Sequence[ChangeView]) -> tuple[list[str], int]:
    names = list(dict.fromkeys(field.name for row in rows for field in row.fields))
    if len(names) <= WIDE:
        return names, 0
    wanted = {field.name for row in rows for field in row.fields if field.changed}
    wanted |= {problem.column for row in rows for problem in row.problems if problem.column}
    # What changes comes first: nobody should have to scroll sideways to find it.
    shown = [name for name in names if name in wanted]
    shown += [name for name in names if name not in wanted][: max(0, WIDE - len(shown))]
    return shown, len(names) - len(shown)


def problems_html(problems: Iterable[Problem], say: Say = as_python) -> str:
    """Problems as a table: where, what, and what to do."""
    return _draw("problems", problems, say)


def links_html(files: Mapping[str, Path]) -> str:
    """Links to files to download, by their words; relative to the working folder where they lie below it."""
    return _draw("links", [(words, path.name, _relative(path)) for words, path in files.items()])


def _relative(path: Path) -> str:
    whole, here = path.absolute(), Path.cwd()
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()


def confirm_html(summary: PlanSummary) -> str:
    """The question before anything is written."""
    last = "" if summary.reversible else " This can't be undone."
    changes = changes_in_words(summary.changes)
    return _draw("confirm", f"Write to {summary.table or summary.target}: {changes}?{last}")


def message_html(words: str, tone: str) -> str:
    """A message to the operator; nothing for no words."""
    return _draw("message", words, tone)


def look_html(found: Look, say: Say = as_python) -> str:
    """What was understood of a file: how it is written, its first rows, and its problems."""
    facts = [found.encoding, f"delimiter {found.delimiter!r}" if found.delimiter else "", found.kind]
    facts += [f"sheet {found.sheet!r}"] if found.sheet else []
    facts += [f"header on row {found.header_row}"] if found.header_row else []
    size = f"{plural(found.rows, 'row')}, {plural(len(found.columns), 'column')}"
    line = f"{size}: {', '.join(filter(None, facts))}"
    hidden = [sheet.name for sheet in found.sheets if sheet.name != found.sheet]
    if hidden:
        line += f"; other sheets: {', '.join(hidden)}"
    return _draw("look", line, found, say)


def head_html(screen: Screen) -> str:
    """Badge and title."""
    return _draw("head", screen)


def line_html(screen: Screen) -> str:
    """The line of figures below the bar, and what slows the run."""
    return _draw("line", screen)


def figures_html(screen: Screen) -> str:
    """Outcomes as tiles, the smaller figures, the message and the most frequent errors."""
    return _draw("figures", screen)
