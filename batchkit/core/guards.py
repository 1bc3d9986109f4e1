"""Keep cells that leave batchkit from being run as formulas, and take that back when they return.

Spreadsheet programs run a CSV cell that begins with `= @ TAB CR`, or with `+ -` when more than a number
follows. Such a cell gets a leading apostrophe. Honest numbers and phone numbers (`-5`, `+33612345678`) stay
as they are. `unguard(guard(text)) == text` for every text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

# Characters that programs drop or don't show in front of a formula: controls, spaces, zero-width, BOM.
_UNSEEN = "[\x00-\x20\x7f\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f\u2060\u3000\ufeff]"
# The full-width signs are taken for the plain ones by some versions of Excel.
_FORMULA = f"(?:{_UNSEEN}*[=+@＝＋＠－-]|[\t\r])"
_HONEST = "[+-][0-9 \u00a0\u202f.,()]*[%€$£]?"

_formula = re.compile(_FORMULA)
_honest = re.compile(_HONEST)


def needs_guard(text: str) -> bool:
    """Whether a spreadsheet might run `text`; apostrophes in front of it don't count."""
    bare = text.lstrip("'")
    return _formula.match(bare) is not None and _honest.fullmatch(bare) is None


def guard(text: str) -> str:
    """`text` with an apostrophe in front where a spreadsheet might run it."""
    return f"'{text}" if needs_guard(text) else text


def unguard(text: str) -> str:
    """What `guard` was given."""
    return text[1:] if text.startswith("'") and needs_guard(text[1:]) else text


def needs_guard_expr(column: pl.Expr) -> pl.Expr:
    """`needs_guard` for a String column; null where the cell is null."""
    bare = column.str.strip_chars_start("'")
    return bare.str.contains(f"^{_FORMULA}") & ~bare.str.contains(f"^{_HONEST}$")


def guard_expr(column: pl.Expr) -> pl.Expr:
    """`guard` for a String column; nulls stay."""
    import polars as pl

    return pl.when(needs_guard_expr(column)).then(pl.lit("'") + column).otherwise(column).name.keep()


def unguard_expr(column: pl.Expr) -> pl.Expr:
    """`unguard` for a String column; nulls stay."""
    import polars as pl

    guarded = column.str.starts_with("'") & needs_guard_expr(column)
    return pl.when(guarded).then(column.str.slice(1)).otherwise(column)


# What XML 1.0 can't hold and no spreadsheet program shows.
_UNPRINTABLE: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{fffe}\x{ffff}]"
_UNPRINTABLE_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def printable(column: pl.Expr) -> pl.Expr:
    """The texts without the control characters that no spreadsheet or page can hold."""
    return column.str.replace_all(_UNPRINTABLE, "")


def printable_text(text: str) -> str:
    """One text without the characters that no spreadsheet or page can hold."""
    return _UNPRINTABLE_TEXT.sub("", text)
