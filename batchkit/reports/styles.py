"""How a report looks: the colours of outcomes, and the formats of a workbook."""

from __future__ import annotations

from typing import Any, Final

from ..core.guards import printable_text
from ..core.states import Outcome
from ..sources.workbook_writer import MOMENT, ROWS, Column, Kind, LongSheet, fitting

INK: Final = "#1f2a37"
QUIET: Final = "#667085"
TINTS: Final = {
    Outcome.DONE: ("#e7f4ea", "#1d6b34"),
    Outcome.UNCHANGED: ("#f1f3f5", "#55606d"),
    Outcome.REJECTED: ("#fbe9e7", "#a3261b"),
    Outcome.CONFLICT: ("#fdf1dc", "#8a5300"),
    Outcome.UNKNOWN: ("#efe9f9", "#5b3a9b"),
    Outcome.PENDING: ("#ffffff", "#667085"),
}
"""Outcome → (ground, ink)."""

_LINE: Final = {"bottom": 1, "bottom_color": "#c4ccd6"}
_TOP: Final = {"valign": "top", "font_color": INK}
_HEAD: Final = {"bold": True, "font_color": INK, "bg_color": "#e8edf3", "valign": "vcenter"} | _LINE
_INDENT: Final = {"align": "left", "indent": 1}  # a text keeps off the number before it


class Styles:
    """The formats of one workbook, by name."""

    def __init__(self, book: Any) -> None:
        self._book = book
        add = book.add_format
        self.plain = add(_TOP)
        self.words = add(_TOP | _INDENT)
        self.wrap = add(_TOP | _INDENT | {"text_wrap": True})
        self.title = add(_INDENT | {"bold": True, "font_size": 18, "font_color": INK})
        self.lead = add(_INDENT | {"font_size": 12, "font_color": INK})
        self.alarm = add(_INDENT | {"bold": True, "font_color": "#8a5300", "bg_color": "#fdf1dc"})
        self.section = add(_INDENT | _LINE | {"bold": True, "font_size": 12, "font_color": INK})
        self.head = add(_HEAD | _INDENT)
        self.head_number = add(_HEAD | {"align": "right"})
        self.quiet = add(_TOP | _INDENT | {"font_color": QUIET})
        self.whole = add(_TOP | {"num_format": "#,##0"})
        self.percent = add(_TOP | {"num_format": '[=0]0%;[<0.001]"<0.1%";0.0%'})
        self.moment = add(_TOP | {"num_format": MOMENT} | _INDENT)
        self.text = add(_TOP | {"num_format": "@"} | _INDENT)
        self.error = add(_TOP | {"bg_color": "#fbe9e7", "text_wrap": True} | _INDENT)
        self.advice = add(_TOP | {"bg_color": "#fdf1dc", "text_wrap": True} | _INDENT)
        self.heads: dict[Kind, Any] = {"text": self.head, "number": self.head_number, "moment": self.head}
        self.tints = {
            str(outcome): add(_INDENT | {"bg_color": ground, "font_color": ink, "valign": "top"})
            for outcome, (ground, ink) in TINTS.items()
        }

    def long_sheet(self, name: str, columns: tuple[Column, ...], limit: int = ROWS) -> LongSheet:
        """A table of outcomes in this workbook's style."""
        looks = {"text": self.words, "number": self.plain, "moment": self.moment}
        formats = {column.name: self.wrap if column.wrap else looks[column.kind] for column in columns}
        return LongSheet(
            self._book,
            name,
            columns,
            heads=self.heads,
            formats=formats,
            tints=self.tints,
            limit=limit,
            frozen=2,
        )


class Lines:
    """Writes a sheet line by line, the way constant memory asks for.

    Attributes:
        row: The row that comes next, counted from 0.
    """

    def __init__(self, sheet: Any) -> None:
        self._sheet, self.row = sheet, 0

    def line(self, *cells: tuple[Any, Any], height: float | None = None) -> None:
        """Write (value, format) pairs into the next row; texts never become formulas."""
        if height:
            self._sheet.set_row(self.row, height)
        for place, (value, style) in enumerate(cells):
            if isinstance(value, int | float) and not isinstance(value, bool):
                self._sheet.write_number(self.row, place, value, style)
            elif value == "":
                self._sheet.write_blank(self.row, place, None, style)
            elif value is not None:
                self._sheet.write_string(self.row, place, fitting(printable_text(str(value))), style)
        self.row += 1

    def gap(self) -> None:
        """Leave a row empty."""
        self.row += 1
