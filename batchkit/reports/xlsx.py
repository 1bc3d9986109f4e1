"""The report as a workbook: Summary, Outcomes, Failures, Top errors with a chart, Settings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ..core import words
from ..core.states import Outcome
from ..sources.workbook_writer import ROWS, Column, workbook
from . import overview
from .styles import TINTS, Lines, Styles
from .table import local_moments, with_values
from .top_errors import SLICE, TopError, TopErrors, is_failing

if TYPE_CHECKING:
    from .data import ReportData

OUTCOMES: Final = (
    Column("Row", "row", "number", 9),
    Column("Key", "key", width=24),
    Column("Change", "change", width=11),
    Column("Outcome", "outcome", width=12),
    Column("From → to", "values", width=80),
    Column("Attempts", "attempts", "number", 10),
    Column("When", "at", "moment", 19),
    Column("Rule", "rule", width=14),
    Column("Reason", "reason", width=60),
    Column("Advice", "advice", width=50),
    Column("Detail", "detail", width=40),
)
FAILURES: Final = (
    Column("Row", "row", "number", 9),
    Column("Key", "key", width=24),
    Column("Outcome", "outcome", width=12),
    Column("Reason", "reason", width=60, wrap=True),
    Column("Advice", "advice", width=50, wrap=True),
    Column("Detail", "detail", width=50, wrap=True),
    Column("Rule", "rule", width=14),
    Column("Change", "change", width=11),
    Column("Attempts", "attempts", "number", 10),
    Column("When", "at", "moment", 19),
)
TOP: Final = 20
NOTICES: Final = 200


def write_xlsx(data: ReportData, path: Path, *, limit: int = ROWS) -> None:
    """Write the workbook in one pass over the outcomes.

    Args:
        data: The run.
        path: Where to.
        limit: Rows a sheet can hold; longer tables go on on a next sheet.
    """
    with workbook(path) as book:
        styles = Styles(book)
        book.set_properties({"title": f"batchkit run {data.run}", "comments": overview.headline(data)})
        summary = book.add_worksheet("Summary")
        outcomes = styles.long_sheet("Outcomes", OUTCOMES, limit)
        failures = styles.long_sheet("Failures", FAILURES, limit)
        alike = TopErrors()
        for frame in data.frames(SLICE):
            ready = with_values(frame).with_columns(local_moments(frame["at"]).alias("at"))
            outcomes.add(_overwritten_in_words(ready))
            failed = ready.filter(is_failing())
            if not failed.is_empty():
                alike.add(failed)
                failures.add(_in_words(failed))
        outcomes.finish()
        failures.finish()
        _write_summary(summary, styles, data)
        _write_top_errors(book, styles, alike.top(TOP), overview.failing(data))
        _write_settings(book, styles, data)


def _in_words(failed: pl.DataFrame) -> pl.DataFrame:
    details = [overview.detail_words(detail) for detail in failed["detail"].to_list()]
    return failed.with_columns(pl.Series("detail", details, dtype=pl.String))


def _overwritten_in_words(frame: pl.DataFrame) -> pl.DataFrame:
    over = frame["detail"].str.contains('"overwritten"', literal=True).fill_null(value=False)
    return _in_words(frame) if over.any() else frame


def _write_summary(sheet: Any, styles: Styles, data: ReportData) -> None:
    sheet.hide_gridlines(2)
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 2, 11)
    sheet.set_column(3, 3, 80)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    lines = Lines(sheet)
    lines.line(("Report of a dry run" if data.dry_run else "Report of a run", styles.title), height=28)
    lines.line((overview.headline(data), styles.lead), height=20)
    lines.line((words.STATES[data.state], styles.quiet))
    if data.message:
        lines.line((data.message, styles.alarm), *[("", styles.alarm)] * 3)
    lines.gap()
    _section(lines, styles, "What to do next")
    for number, step in enumerate(overview.next_steps(data) or ["Nothing is left to do."], 1):
        lines.line((f"{number}. {step}", styles.words))
    lines.gap()
    outcomes = {outcome: data.outcomes.get(outcome, 0) for outcome in Outcome}
    _write_counts(
        lines,
        styles,
        outcomes,
        title="Outcome",
        meaning=words.outcome_meanings(data.changes, dry_run=data.dry_run),
    )
    _write_counts(lines, styles, data.changes, title="Planned change", meaning=words.CHANGES)
    _section(lines, styles, "The run")
    for label, value in overview.facts(data):
        lines.line((label, styles.quiet), (value, styles.words))
    lines.gap()
    if data.notices:
        _write_notices(lines, styles, data)


def _section(lines: Lines, styles: Styles, title: str) -> None:
    lines.line((title, styles.section), *[("", styles.section)] * 3, height=20)


def _write_counts(
    lines: Lines,
    styles: Styles,
    counts: Mapping[Any, int],
    *,
    title: str,
    meaning: Mapping[Any, str],
) -> None:
    whole = sum(counts.values())
    lines.line((title, styles.head), ("Items", styles.head_number), ("Share", styles.head_number),
               ("Meaning", styles.head), height=20)  # fmt: skip
    for kind, number in counts.items():
        part = number / whole if whole else 0.0
        style = styles.tints.get(str(kind), styles.words) if title == "Outcome" else styles.words
        lines.line((str(kind), style), (number, styles.whole), (part, styles.percent),
                   (words.as_sentence(meaning.get(kind, "")), styles.quiet))  # fmt: skip
    lines.gap()


def _write_notices(lines: Lines, styles: Styles, data: ReportData) -> None:
    _section(lines, styles, "Noticed in the source")
    for notice in data.notices[:NOTICES]:
        lines.line((str(notice), styles.words))
    if len(data.notices) > NOTICES:
        lines.line((f"... and {words.number(len(data.notices) - NOTICES)} more.", styles.quiet))


def _write_top_errors(book: Any, styles: Styles, errors: list[TopError], failing: int) -> None:
    sheet = book.add_worksheet("Top errors")
    sheet.hide_gridlines(2)
    for place, width in enumerate((9, 9, 18, 70, 11, 70, 60)):
        sheet.set_column(place, place, width)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    lines = Lines(sheet)
    if not errors:
        lines.line(("Nothing failed.", styles.lead))
        return
    titles = (
        "Items",
        "Share",
        "Rule",
        "Failure (values masked)",
        "First row",
        "As it was said there",
        "Advice",
    )
    lines.line(*((title, styles.head_number if title in {"Items", "Share", "First row"} else styles.head)
                 for title in titles), height=20)  # fmt: skip
    for error in errors:
        share = error.count / failing if failing else 0.0
        lines.line((error.count, styles.whole), (share, styles.percent), (error.rule, styles.words),
                   (error.signature or error.rule, styles.wrap), (error.row, styles.plain),
                   (error.example, styles.wrap), (error.advice, styles.wrap))  # fmt: skip
    _insert_chart(book, sheet, len(errors))


def _insert_chart(book: Any, sheet: Any, errors: int) -> None:
    ink, ground = TINTS[Outcome.REJECTED][1], "#d8dee6"
    chart = book.add_chart({"type": "bar"})
    shown = min(errors, 10)
    chart.add_series({
        "name": "Items",
        "categories": ["Top errors", 1, 3, shown, 3],
        "values": ["Top errors", 1, 0, shown, 0],
        "fill": {"color": ink, "transparency": 25},
        "gap": 60,
        "data_labels": {"value": True},
    })  # fmt: skip
    chart.set_title(
        {"name": "Most frequent failures", "name_font": {"size": 12, "bold": True}, "overlay": False}
    )
    chart.set_legend({"none": True})
    chart.set_y_axis({"reverse": True, "num_font": {"size": 9}, "line": {"color": ground}})
    chart.set_x_axis({"visible": False, "major_gridlines": {"visible": False}, "min": 0})
    chart.set_chartarea({"border": {"color": ground}})
    chart.set_size({"width": 900, "height": 110 + 34 * shown})
    sheet.insert_chart(
        errors + 2, 0, chart, {"description": "The most frequent failures, as in the table above"}
    )


def _write_settings(book: Any, styles: Styles, data: ReportData) -> None:
    sheet = book.add_worksheet("Settings")
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 80)
    sheet.freeze_panes(1, 0)
    sheet.fit_to_pages(1, 0)
    lines = Lines(sheet)
    lines.line(("Setting", styles.head), ("Value", styles.head), height=20)
    for name, value in data.settings.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        lines.line((name, styles.words), (value if number else words.format_setting(value), styles.wrap))
