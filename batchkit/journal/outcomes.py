"""What became of each item: the plan's rows beside the journal's, in slices of bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ..core.advice import Say, about_run, worded
from ..core.columns import AFTER, BEFORE, CHANGE, FILE_ROW, ITEM, KEY, PROBLEMS, RAW, RENDERED, ROW
from ..core.states import PLANNED_OUTCOME, SENDABLE, Change, Outcome
from ..core.words import EMPTY
from .journal import OUTCOMES, JournalReader

if TYPE_CHECKING:
    from ..planning.plan import Plan

VALUES: Final = "values"
"""Column of what an item was to change, in words."""
LONGEST: Final = 300
"""Characters of a value that are shown there; a whole article would hide the others."""

_JOURNAL_SCHEMA: Final = {
    ITEM: pl.UInt32, "code": pl.UInt8, "attempts": pl.UInt32, "at": pl.Float64, "rule": pl.String,
    "reason": pl.String, "advice": pl.String, "detail": pl.String,
}  # fmt: skip
SCHEMA: Final = pl.Schema([
    (ITEM, pl.UInt32()), (FILE_ROW, pl.UInt32()), ("key", pl.String()), (CHANGE, pl.String()),
    ("outcome", pl.String()), ("attempts", pl.UInt32()), ("at", pl.Datetime("us", "UTC")),
    ("rule", pl.String()), ("reason", pl.String()), ("advice", pl.String()), ("detail", pl.String()),
])  # fmt: skip
"""Columns of the outcomes, in order, and their types."""


def outcome_frames(
    plan: Plan,
    journal: JournalReader,
    *,
    size: int = 50_000,
    raw: bool = False,
    values: bool = False,
    say: Say | None = None,
) -> Iterator[pl.DataFrame]:
    """A row per item of the plan, in plan order.

    Args:
        plan: The plan that was run.
        journal: The run's journal.
        size: Items per frame.
        raw: Bring the source's columns as well, as `raw:<column>`.
        values: Bring what each item was to change in words, as `values`.
        say: How the advice words what can be done; None for the face that is speaking.

    Yields:
        Frames with `item, row, key, change, outcome, attempts, at, rule, reason, advice, detail`. `at` is a
        moment (UTC), `detail` JSON text; both are null where nothing was sent.
    """
    chunks = pl.DataFrame(
        journal.chunks(),
        schema={
            "first": pl.UInt32,
            "last": pl.UInt32,
            "items": pl.UInt32,
            "tries": pl.UInt32,
            "when": pl.Float64,
        },
        orient="row",
    )
    for start in range(0, len(plan), size):
        rows = plan.changes().slice(start, size)
        extra = [pl.col(f"^{RAW}.*$")] if raw else []
        if values:
            extra.append(_values_in_words(plan, set(rows.collect_schema())))
        frame = rows.select(ITEM, FILE_ROW, CHANGE, PROBLEMS, pl.col(f"^{KEY}.*$"), *extra).collect()
        own = pl.DataFrame(journal.outcomes(start, start + size - 1), schema=_JOURNAL_SCHEMA, orient="row")
        yield _in_words(_joined(frame, own, chunks, plan.key), journal.path.parent.name, say)


def _in_words(frame: pl.DataFrame, run: str, say: Say | None) -> pl.DataFrame:
    """The frame with what the advice says can be done in words, each advice once and not each row."""
    advice = frame["advice"].unique()
    acting = advice.filter(advice.str.contains("⟦", literal=True))
    said = {text: worded(about_run(text, run), say) for text in acting}
    return frame.with_columns(pl.col("advice").replace(said)) if said else frame


def result_frames(plan: Plan, journal: JournalReader, *, size: int = 50_000) -> Iterator[pl.DataFrame]:
    """What the target answered for the items that are done, beside their rows, in plan order.

    Args:
        plan: The plan that was run.
        journal: The run's journal.
        size: Items per frame.

    Yields:
        Frames, the first of them empty, of `#row`, the source's columns as texts, and a column of text for
        each of the target's results. A column of the source that bears a result's name gives way to it.
    """
    results: dict[str, str] = plan.facts.get("results", {})
    columns = [name for name in plan.columns if name not in results]
    yield pl.DataFrame(schema={ROW: pl.UInt32, **dict.fromkeys([*columns, *results], pl.String)})
    for frame in outcome_frames(plan, journal, size=size, raw=True):
        done = frame.filter(pl.col("outcome") == str(Outcome.DONE))
        details = [json.loads(detail or "{}") for detail in done["detail"]]
        texts = [
            pl.Series(name, [_text(detail.get(entry)) for detail in details], pl.String)
            for name, entry in results.items()
        ]
        row = pl.col(FILE_ROW).alias(ROW)
        yield done.select(row, *(pl.col(RAW + name).alias(name) for name in columns)).with_columns(texts)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _joined(frame: pl.DataFrame, own: pl.DataFrame, chunks: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    names = {code: str(outcome) for code, outcome in OUTCOMES.items()}
    planned = {str(change): str(outcome) for change, outcome in PLANNED_OUTCOME.items()}
    joined = frame.join(own, on=ITEM, how="left", maintain_order="left").join_asof(
        chunks, left_on=ITEM, right_on="first", strategy="backward"
    )
    in_chunk = (
        pl.col("code").is_null() & (pl.col(ITEM) <= pl.col("last")) & ~pl.col(CHANGE).is_in(list(planned))
    ).fill_null(False)
    errors = pl.col(PROBLEMS).list.filter(pl.element().struct["level"] == "error")
    return joined.with_columns(
        key=_key_text(key),
        outcome=pl.coalesce(
            pl.col("code").replace_strict(names, default=None, return_dtype=pl.String),
            pl.when(in_chunk).then(pl.lit(str(Outcome.DONE))),
            pl.col(CHANGE).replace_strict(planned, default=None, return_dtype=pl.String),
            pl.lit(str(Outcome.PENDING)),
        ),
        attempts=pl.coalesce("attempts", pl.when(in_chunk).then(pl.col("tries")), pl.lit(0, pl.UInt32)),
        at=(pl.coalesce("at", pl.when(in_chunk).then(pl.col("when"))) * 1_000_000)
        .cast(pl.Int64)
        .cast(pl.Datetime("us", "UTC")),
        rule=pl.coalesce("rule", errors.list.eval(pl.element().struct["rule"]).list.first()),
        reason=pl.coalesce("reason", _joined_words(errors, _sentence())),
        advice=pl.coalesce("advice", _joined_words(errors, pl.element().struct["advice"])),
    ).select(*SCHEMA, pl.col(f"^({VALUES}|{RAW}.*)$"))


def _values_in_words(plan: Plan, columns: set[str]) -> pl.Expr:
    """`name: old → new`, a line for each field that was to change; for a message the text itself."""
    change, lines = pl.col(CHANGE), []
    sent = change.is_in([str(kind) for kind in SENDABLE])
    for name in plan.fields:
        old, new = _shown(BEFORE + name), _shown(AFTER + name)
        update = pl.format(f"{_braces(name)}: {{}} → {{}}", old, new)
        delete, create = pl.format(f"{_braces(name)}: {{}}", old), pl.format(f"{_braces(name)}: {{}}", new)
        changed = pl.col(BEFORE + name).ne_missing(pl.col(AFTER + name))
        line = pl.when(change == Change.UPDATE).then(update).when(change == Change.DELETE).then(delete)
        lines.append(pl.when(sent & changed).then(line.otherwise(create)))
    text = pl.concat_str(lines, separator="\n", ignore_nulls=True) if lines else pl.lit("")
    if RENDERED in columns:
        text = pl.coalesce(RENDERED, text)
    return pl.when(text != "").then(text).alias(VALUES)


def _shown(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String, strict=False).fill_null(EMPTY)
    return pl.when(text.str.len_chars() > LONGEST).then(text.str.head(LONGEST - 1) + "…").otherwise(text)


def _braces(name: str) -> str:
    return name.replace("{", "(").replace("}", ")")


def _key_text(key: list[str]) -> pl.Expr:
    if not key:
        return pl.lit("")
    return pl.concat_str([pl.col(KEY + name).cast(pl.String).fill_null("") for name in key], separator=" / ")


def _sentence() -> pl.Expr:
    """A problem as one sentence: column, what is wrong, the value as it stands in the file."""
    problem = pl.element().struct
    said = problem["message"].str.strip_suffix(".")
    parts = [problem["column"] + ": ", said, " (value " + problem["value"] + ")", pl.lit(".")]
    return pl.concat_str(parts, ignore_nulls=True)  # a part that is null is left out


def _joined_words(errors: pl.Expr, word: pl.Expr) -> pl.Expr:
    words = errors.list.eval(word).list.unique(maintain_order=True).list.join(" ").str.strip_chars()
    return pl.when(words != "").then(words)
