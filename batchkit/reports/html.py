"""The report as one page that needs nothing else: no script, no other file, no network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jinja2
from markupsafe import Markup

from ..core import words
from ..core.guards import printable_text
from ..core.states import Outcome
from . import overview
from .picture import key, picture
from .top_errors import digest

if TYPE_CHECKING:
    from .data import ReportData

FAILURES: Final = 1_000
CONFLICTS: Final = 200
TOP: Final = 10
NOTICES: Final = 50
TEXT: Final = 600
"""Characters of one text on the page; the other formats hold the whole of it."""

_COMMAND: Final = re.compile(r"\bbatchkit [a-z]+ [\w./\\:-]*\w(?: --[a-z-]+(?: [\w./\\:-]*\w)?)?")


def write_html(data: ReportData, path: Path) -> None:
    """Write the page; it shows the first 1,000 failures and 200 conflicts."""
    path.write_text(page(data), encoding="utf-8")


def page(data: ReportData) -> str:
    """The page's text."""
    shown = digest(data, failures=FAILURES, conflicts=CONFLICTS, errors=TOP)
    failing, whole = overview.failing(data), overview.total(data)
    conflicts = data.outcomes.get(Outcome.CONFLICT, 0)
    return _environment().get_template("report.html.j2").render(
        data=data,
        headline=overview.headline(data),
        state=words.STATES[data.state],
        steps=overview.next_steps(data),
        cards=_cards(data, whole),
        changes=[(str(kind), words.number(number), words.as_sentence(words.CHANGES.get(kind, "")))
                 for kind, number in data.changes.items()],
        facts=overview.facts(data),
        picture=Markup(picture(data.samples)),  # noqa: S704 - it holds nothing but numbers
        key=key(data.samples),
        errors=[(error, words.number(error.count), words.format_share(error.count / failing),
                 round(100 * error.count / shown.errors[0].count, 1)) for error in shown.errors],
        failures=shown.failures,
        failures_total=failing - conflicts,
        conflicts=[row | {"fields": overview.differences(row["detail"])} for row in shown.conflicts],
        conflicts_total=conflicts,
        notices=data.notices[:NOTICES],
        settings=[(name, words.format_setting(value)) for name, value in data.settings.items()],
    )  # fmt: skip


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("batchkit.reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters["count"] = words.number
    environment.filters["commands"] = _with_commands
    return environment


def _finalize(value: Any) -> Any:
    # Markup is ours; everything else may come from a cell.
    if value is None:
        return ""
    if isinstance(value, Markup):
        return value
    text = printable_text(str(value))
    return text if len(text) <= TEXT else text[:TEXT] + " …"


def _with_commands(text: str) -> Markup:
    """A sentence in which commands look as they are typed."""
    escaped = str(Markup.escape(_finalize(text)))
    return Markup(_COMMAND.sub(r"<code>\g<0></code>", escaped))  # noqa: S704 - it was escaped


def _cards(data: ReportData, whole: int) -> list[tuple[str, str, str, str]]:
    meanings = words.outcome_meanings(data.changes, dry_run=data.dry_run)
    return [
        (
            outcome,
            words.number(number),
            words.format_share(number / whole if whole else 0),
            words.as_sentence(meanings[outcome]),
        )
        for outcome in Outcome
        if (number := data.outcomes.get(outcome, 0)) or outcome == Outcome.DONE
    ]
