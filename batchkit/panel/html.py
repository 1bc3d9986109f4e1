"""What is on the screen as HTML; every value from outside is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from ..core.advice import Say, as_python, worded
from ..core.words import CHANGES, number
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


def stylesheet() -> str:
    """The panel's own style, to be put into a page once per view."""
    return f"<style>{files(__package__).joinpath('style.css').read_text('utf-8')}</style>"


def value_html(value: Any) -> str:
    """A value as text: nothing is named, spaces at the edges are made visible, long texts are cut."""
    if value is None:
        return '<span class="bk-none">empty</span>'
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if not text:
        return '<span class="bk-none">empty text</span>'
    shown = text if len(text) <= LONGEST_CELL else f"{text[: LONGEST_CELL - 1]}…"
    inner = _visible_edges(shown)
    if len(text) <= LONGEST_LINE:
        return inner
    title = f' title="{escape(text[:LONGEST_TITLE])}"' if shown is not text else ""
    return f'<span class="bk-long"{title}>{inner}</span>'


def _visible_edges(text: str) -> str:
    core = text.strip(" \t\r\n\u00a0\u202f")
    if core == text:
        return escape(text)
    start = text.index(core) if core else len(text)
    before, after = text[:start], text[start + len(core) :]
    dots = [f'<span class="bk-space">{"·" * len(edge)}</span>' if edge else "" for edge in (before, after)]
    return f"{dots[0]}{escape(core)}{dots[1]}"


def cell_html(field: FieldView, change: str) -> str:
    """A field's cell: what it is, or what it was and becomes."""
    if not field.changed:
        return f"<td>{value_html(field.after if field.before is None else field.before)}</td>"
    if change in ("create", "send"):
        return f'<td class="bk-changed"><ins>{value_html(field.after)}</ins></td>'
    if change == "delete":
        return f'<td class="bk-changed"><del>{value_html(field.before)}</del></td>'
    old, new = _from_difference(field.before, field.after)
    # Nothing can't be struck through.
    before = value_html(None) if old is None else f"<del>{value_html(old)}</del>"
    arrow = '<span class="bk-arrow" aria-label="becomes"> → </span>'
    return f'<td class="bk-changed">{before}{arrow}<ins>{value_html(new)}</ins></td>'


def _from_difference(before: Any, after: Any) -> tuple[Any, Any]:
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
    names, hidden = _columns(rows)
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    width = len(names) + 3
    body = "".join(_change_rows(row, names, width, say) for row in rows)
    note = ""
    if hidden:
        note = f'<p class="bk-note">{hidden} fields without a change on this page are left out.</p>'
    return (
        '<div class="bk-scroll"><table class="bk-table"><thead><tr>'
        f'<th class="bk-number">Row</th><th>Change</th><th>{escape(" / ".join(key)) or "Key"}</th>{head}'
        f"</tr></thead><tbody>{body}</tbody></table></div>{note}"
    )


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


def _change_rows(row: ChangeView, names: Sequence[str], width: int, say: Say) -> str:
    fields = {field.name: field for field in row.fields}
    cells = "".join(cell_html(fields[name], row.change) if name in fields else "<td></td>" for name in names)
    at = "" if row.row is None else number(row.row)
    first = (
        f'<tr><td class="bk-number">{at}</td><td>{chip_html(row.change)}</td>'
        f'<td class="bk-key">{value_html(row.key or None)}</td>{cells}</tr>'
    )
    below = _letter(row, width) + "".join(
        f'<tr class="bk-problem bk-{escape(problem.level)}"><td></td><td colspan="{width - 1}">'
        f"<div>{_problem_words(problem, say)}</div></td></tr>"
        for problem in row.problems
    )
    return first + below


def _letter(row: ChangeView, width: int) -> str:
    """A text as its reader gets it, below the fields it was made of."""
    if row.rendered is None:
        return ""
    return (
        f'<tr class="bk-letter"><td></td><td colspan="{width - 1}">'
        f"<div>{escape(row.rendered)}</div></td></tr>"
    )


def _problem_words(problem: Problem, say: Say) -> str:
    column = f"<b>{escape(problem.column)}</b>: " if problem.column else ""
    value = f" ({value_html(problem.value)})" if problem.value is not None else ""
    return (
        f"{column}{escape(problem.message.rstrip('.'))}{value}. {escape(worded(problem.advice, say))}".strip()
    )


def chip_html(kind: str) -> str:
    """A kind of change as a small label."""
    meaning = escape(CHANGES.get(kind, ""))
    return f'<span class="bk-chip bk-{escape(kind)}" title="{meaning}">{escape(kind)}</span>'


def problems_html(problems: Iterable[Problem], say: Say = as_python) -> str:
    """Problems as a table: where, what, and what to do."""
    body = "".join(
        f'<tr><td class="bk-number">{"file" if each.row is None else number(each.row)}</td>'
        f"<td>{escape(each.column or '')}</td><td>{'' if each.value is None else value_html(each.value)}</td>"
        f"<td>{escape(each.message)}</td><td>{escape(worded(each.advice, say))}</td></tr>"
        for each in problems
    )
    head = "<th>Column</th><th>Value</th><th>What is wrong</th><th>What to do</th>"
    return (
        '<div class="bk-scroll"><table class="bk-table bk-wrap"><thead><tr>'
        f'<th class="bk-number">Row</th>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    )


def links_html(files: Mapping[str, Path]) -> str:
    """Links to files to download, by their words; relative to the working folder where they lie below it."""
    items = "".join(
        f'<li><a href="{escape(quote(_relative(path)))}" download="{escape(path.name)}" target="_blank">'
        f"{escape(words)}</a> ({escape(_relative(path))})</li>"
        for words, path in files.items()
    )
    return f"<ul>{items}</ul>"


def _relative(path: Path) -> str:
    whole, here = path.absolute(), Path.cwd()
    return (whole.relative_to(here) if whole.is_relative_to(here) else whole).as_posix()


def confirm_html(summary: PlanSummary) -> str:
    """The question before anything is written."""
    where = escape(summary.table or summary.target)
    last = "" if summary.reversible else " This can't be undone."
    return f'<span class="bk-confirm">Write to {where}: {changes_in_words(summary.changes)}?{last}</span>'


def message_html(words: str, tone: str) -> str:
    """A message to the operator; nothing for no words."""
    return f'<div class="bk-message bk-tone-{tone}">{escape(words)}</div>' if words else ""


def look_html(found: Look, say: Say = as_python) -> str:
    """What was understood of a file: how it is written, its first rows, and its problems."""
    facts = [found.encoding, f"delimiter {found.delimiter!r}" if found.delimiter else "", found.kind]
    facts += [f"sheet {found.sheet!r}"] if found.sheet else []
    facts += [f"header on row {found.header_row}"] if found.header_row else []
    line = f"{number(found.rows)} rows, {len(found.columns)} columns: {', '.join(filter(None, facts))}"
    hidden = [sheet.name for sheet in found.sheets if sheet.name != found.sheet]
    if hidden:
        line += f"; other sheets: {', '.join(hidden)}"
    head = "".join(f"<th>{escape(column)}</th>" for column in found.columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{value_html(row.get(column))}</td>' for column in found.columns)}</tr>"
        for row in found.preview[:5]
    )
    table = f'<table class="bk-table"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    problems = problems_html(found.problems[:10], say) if found.problems else ""
    return f'<p>{escape(line)}</p><div class="bk-scroll">{table}</div>{problems}'


def head_html(screen: Screen) -> str:
    """Badge and title."""
    badge = f'<span class="bk-badge bk-tone-{screen.tone}">{escape(screen.state.capitalize())}</span>'
    return f'<div class="bk-head">{badge}<span class="bk-title">{escape(screen.title)}</span></div>'


def line_html(screen: Screen) -> str:
    """The line of figures below the bar, and what slows the run."""
    limiter = f'<div class="bk-note">{escape(screen.limiter)}</div>' if screen.limiter else ""
    return f'<div class="bk-line">{escape(screen.line)}</div>{limiter}'


def figures_html(screen: Screen) -> str:
    """Outcomes as tiles, the smaller figures, the message and the most frequent errors."""
    tiles = "".join(
        f'<div class="bk-tile bk-tone-{tone if count else "none"}" title="{escape(screen.meanings[kind])}">'
        f"<b>{number(count)}</b><span>{escape(kind)}</span></div>"
        for kind, count, tone in screen.outcomes
    )
    facts = "".join(
        f'<div class="bk-fact"><span>{escape(name)}</span><b>{escape(text)}</b></div>'
        for name, text in screen.facts
    )
    errors = "".join(f"<li><b>{number(count)}</b> × {escape(reason)}</li>" for reason, count in screen.errors)
    parts = (
        message_html(screen.message, screen.message_tone),
        f'<div class="bk-tiles">{tiles}</div>' if tiles else "",
        f'<div class="bk-facts">{facts}</div>' if facts else "",
        f'<div class="bk-errors">Most frequent errors<ul>{errors}</ul></div>' if errors else "",
    )
    return "".join(parts)
