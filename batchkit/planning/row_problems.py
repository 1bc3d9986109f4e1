"""What is wrong with rows as planning sees them: a blank key, an item in the way, a value no plan holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from ..checking.checks import Checked, problem_schema
from ..core.columns import AFTER, BEFORE, KEY, LOST, PROBLEMS, ROW
from .diff import ISSUE, UNREADABLE
from .target_values import format_values

PROBLEM_LIST: Final = pl.List(
    pl.Struct({name: kind for name, kind in problem_schema().items() if name != "row"})
)
"""The column `problems` of a plan."""
ROUNDED: Final = "rounded"
"""Rule of the notice on a row whose present value the plan keeps only nearly: an undo can't restore it."""
NO_ROWS: Final = pl.DataFrame(schema=problem_schema())
"""No problems."""


def add_blank_keys(checked: Checked, key: Mapping[str, str]) -> pl.DataFrame:
    """The problems of checked rows, with those of the rows whose key is blank.

    Args:
        checked: The rows.
        key: Column of the source by field of the key.
    """
    blank = [_report_blank_key(checked, name, column) for name, column in key.items()]
    found = [frame for frame in blank if frame.height]
    return pl.concat([checked.problems, *found]) if found else checked.problems


def _report_blank_key(checked: Checked, name: str, column: str) -> pl.DataFrame:
    rows = checked.values.filter(pl.col(name).is_null())[ROW]
    # Where the key's cell was refused, the row has its problem already.
    rows = rows.filter(~rows.is_in(checked.invalid.implode()))
    return pl.DataFrame({"row": rows}).select(
        "row",
        column=pl.lit(column),
        value=pl.lit(None, pl.String),
        rule=pl.lit("key"),
        message=pl.lit("The key is blank, so the item can't be found"),
        advice=pl.lit("Fill it in."),
        level=pl.lit("error"),
    )


_SAYS: Final = {
    "exists": (
        "An item with this key is there already, with other values",
        "Use mode upsert or update to change it, or take the row out.",
    ),
    "missing": (
        "The target has no item with this key",
        "Correct the key, or use mode upsert to create it.",
    ),
    "key_not_unique": (
        "The target has several items with this key",
        "Choose a key that is unique there, or clean the target up first.",
    ),
}


def report_issues(planned: pl.DataFrame, column: str, absent: str) -> pl.DataFrame:
    """What is said of the rows in which the diff found something, but for values that can't be read.

    Args:
        planned: What `diff` gave.
        column: What the key's column is called.
        absent: The target's own advice on items it hasn't got; empty where the usual one will do.
    """
    found = planned.filter(pl.col(ISSUE).is_not_null() & (pl.col(ISSUE) != UNREADABLE))
    if found.is_empty():
        return NO_ROWS
    messages = {rule: message for rule, (message, _) in _SAYS.items()}
    advices = {rule: advice for rule, (_, advice) in _SAYS.items()}
    advices["missing"] = absent or advices["missing"]
    keys = [name for name in planned.columns if name.startswith(KEY)]
    rule = pl.col(ISSUE)
    return found.select(
        row=ROW,
        column=pl.lit(column),
        value=pl.concat_str(
            [format_values(pl.col(one), planned.schema[one]) for one in keys], separator=" / "
        ),
        rule=rule,
        message=rule.replace_strict(messages),
        advice=rule.replace_strict(advices),
        level=pl.lit("error"),
    )


def report_lost(planned: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Problems of the rows whose present values the plan can't carry, in the columns of `problem_schema()`.

    Args:
        planned: `#row`, `before:*`, `after:*` and `lost:*`; only rows that can't be compared or shall change.
        columns: Column of the source by field.
    """
    found = [problem_schema().to_frame()]
    for name in [each.removeprefix(LOST) for each in planned.columns if each.startswith(LOST)]:
        null = pl.col(BEFORE + name).is_null()
        changes = pl.col(BEFORE + name).ne_missing(pl.col(AFTER + name))
        rows = planned.filter(pl.col(LOST + name).is_not_null() & (null | changes))
        found.append(
            rows.select(
                row=ROW,
                column=pl.lit(columns[name]),
                value=LOST + name,
                rule=pl.when(null).then(pl.lit(UNREADABLE)).otherwise(pl.lit(ROUNDED)),
                message=pl.when(null)
                .then(pl.lit("The target holds a value here that can't be compared with the wanted one"))
                .otherwise(pl.lit("The target's number has more decimals than a plan keeps")),
                advice=pl.when(null)
                .then(pl.lit(f"Correct it at the target, or leave {name} out of the mapping."))
                .otherwise(pl.lit("Nothing to do; but an undo will not bring it back.")),
                level=pl.when(null).then(pl.lit("error")).otherwise(pl.lit("notice")),
            ).match_to_schema(problem_schema())
        )
    return pl.concat(found)


def group_by_row(problems: pl.DataFrame) -> pl.DataFrame:
    """The problems of each row as one list, as a plan holds them."""
    columns = [name for name in problem_schema() if name != "row"]
    listed = problems.select("row", pl.struct(columns).alias(PROBLEMS))
    return listed.group_by("row", maintain_order=True).agg(PROBLEMS)
