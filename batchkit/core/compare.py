"""The one verdict: what an item holds now, beside what the plan saw there and what it wants.

Of each field the plan has two values, the before-image and the wanted one, and the target holds a third now.
A field is

    left alone   in an update that has the same value before and after: whatever it holds now stays
    as wanted    where it holds the wanted value
    as before    where it holds the before-image
    edited       where it holds neither: somebody else was there

Two nothings are one value. What a field's type can't carry (`lost:<field>`) equals nothing, not even itself:
nobody can say that it is unchanged. And some targets put a value of their own in the place of none, such as a
column's default: in such a field (`fills_in`) what was created without a value is as wanted, and when that
creation is taken back by a delete it is as before, whatever it holds.

    change  there  its fields                               standing   what follows
    create  no     -                                            untouched  it is sent
    create  yes    all as wanted                                done       nothing is left to do
    create  yes    one is not                                   edited     a conflict
    update  no     -                                            edited     a conflict: it is gone
    update  yes    all as wanted or left alone                  done       nothing is left to do
    update  yes    all as before or left alone                  untouched  it is sent
    update  yes    each as wanted, as before or left alone      partly     it is sent; part is another's doing
    update  yes    one is edited                                edited     a conflict
    delete  no     -                                            done       nothing is left to do
    delete  yes    all as before                                untouched  it is sent
    delete  yes    one is not                                   edited     a conflict

Of two lines that fit, the upper one counts. `judge_row` says it of a row, `judge_columns` of a frame. The
statements of `targets/sql` say it once more, because they must compare while they write: they write what is
untouched, and this decides on what they left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

import polars as pl

from .columns import AFTER, BEFORE, CHANGE, KEY, LOST
from .states import Change

THERE: Final = "#there"
"""Whether the target has the item (Boolean)."""
NOW: Final = "#now:"
"""Prefix of what its fields hold now, in the types of the plan."""
STANDING: Final = "#standing"


class Standing(StrEnum):
    """How an item stands; the table above."""

    DONE = "done"
    UNTOUCHED = "untouched"
    PARTLY = "partly"
    EDITED = "edited"


TO_SEND: Final = (Standing.UNTOUCHED, Standing.PARTLY)
"""What may be written without anything of somebody else's being lost."""


class _Field(NamedTuple):
    """What there is to say of one field: values of a row, or columns of a frame."""

    before: Any
    now: Any
    wanted: Any
    lost: Any
    fills_in: bool


class _Form(NamedTuple):
    """How the table is said of values, and of columns."""

    same: Callable[[Any, Any], Any]
    every: Callable[[Iterable[Any]], Any]


_VALUES: Final = _Form(lambda one, other: one == other, all)
_COLUMNS: Final = _Form(
    lambda one, other: one.eq_missing(other), lambda tests: pl.all_horizontal(pl.lit(value=True), *tests)
)


def fields_of(columns: Iterable[str]) -> list[str]:
    """The fields that a plan's rows hold besides the key."""
    return [name.removeprefix(AFTER) for name in columns if name.startswith(AFTER)]


def join_present(rows: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Put what the target holds beside the rows of a plan.

    Args:
        rows: Rows of a plan.
        found: What the target read: key fields and fields under their own names, and `lost:*` where there is
            any. Where several rows have one key, any of them counts.

    Returns:
        The rows in their order, with `#there`, and `#now:*` and `lost:*` of the fields that were read.
    """
    keys = [name for name in rows.columns if name.startswith(KEY)]
    fields = [name for name in fields_of(rows.columns) if name in found.columns]
    present = found.select(
        *(pl.col(name.removeprefix(KEY)).cast(rows.schema[name]).alias(name) for name in keys),
        *(pl.col(name).cast(rows.schema[AFTER + name]).alias(NOW + name) for name in fields),
        *(_select_lost(found, name) for name in fields),
        pl.lit(value=True).alias(THERE),
    ).unique(subset=keys, keep="any")
    joined = rows.join(present, on=keys, how="left", maintain_order="left")
    return joined.with_columns(pl.col(THERE).fill_null(value=False))


def _select_lost(found: pl.DataFrame, name: str) -> pl.Expr:
    """The text of a value that can't be carried; null where it can, also where it was rounded a little."""
    text = pl.col(LOST + name) if LOST + name in found.columns else pl.lit(None, pl.String)
    return pl.when(pl.col(name).is_null()).then(text).alias(LOST + name)


def judge_columns(columns: Sequence[str], fills_in: Collection[str] = ()) -> pl.Expr:
    """How each row of a frame stands (String).

    Args:
        columns: The frame's, as `join_present` gives them.
        fills_in: Fields in which the target puts a value of its own in the place of none.
    """
    names = set(columns)
    fields = [
        _make_field(lambda each: pl.col(each) if each in names else pl.lit(None), name, fills_in)
        for name in _find_present(columns)
    ]
    tests = _judge(pl.col(CHANGE), pl.col(THERE), fields, _COLUMNS)
    found = [pl.when(test).then(pl.lit(str(name))) for name, test in tests.items()]
    return pl.coalesce(*found, pl.lit(str(Standing.EDITED))).alias(STANDING)


def judge_row(row: Mapping[str, Any], fills_in: Collection[str] = ()) -> Standing:
    """How one row stands; the arguments are those of `find_edited`."""
    fields = [_make_field(row.get, name, fills_in) for name in _find_present(row)]
    tests = _judge(row[CHANGE], row[THERE], fields, _VALUES)
    return next((name for name, test in tests.items() if test), Standing.EDITED)


def find_edited(row: Mapping[str, Any], fills_in: Collection[str] = ()) -> list[str]:
    """The fields of a row that somebody else has written: why it is a conflict.

    Args:
        row: As `join_present` gives it, by column.
        fills_in: Fields in which the target puts a value of its own in the place of none.
    """
    states = {
        n: _judge_field(row[CHANGE], _make_field(row.get, n, fills_in), _VALUES) for n in _find_present(row)
    }
    return [name for name, state in states.items() if not state.fits]


def find_kept(row: Mapping[str, Any]) -> list[str]:
    """The fields of an update that somebody else has set to the wanted value already.

    They are not the run's doing: an undo must leave them as they are.
    """
    if row[CHANGE] != Change.UPDATE:
        return []
    return [name for name in _find_present(row) if row[BEFORE + name] != row[AFTER + name] == row[NOW + name]]


def read_now(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What an item holds now, by field; None where the target hasn't got it."""
    return {name: row[NOW + name] for name in _find_present(row)} if row[THERE] else None


def _find_present(columns: Iterable[str]) -> list[str]:
    return [name.removeprefix(NOW) for name in columns if name.startswith(NOW)]


def _make_field(value: Callable[[str], Any], name: str, fills_in: Collection[str]) -> _Field:
    before, now, wanted, lost = (value(side + name) for side in (BEFORE, NOW, AFTER, LOST))
    return _Field(before, now, wanted, lost, name in fills_in)


class _State(NamedTuple):
    """A field judged: `fits` where its present value is no reason for a conflict."""

    as_wanted: Any
    as_before: Any
    fits: Any


def _judge_field(change: Any, field: _Field, form: _Form) -> _State:
    same = form.same
    readable = same(field.lost, None)
    alone = (change == Change.UPDATE) & same(field.before, field.wanted)
    filled_in = (change == Change.CREATE) & same(field.wanted, None) & field.fills_in
    as_wanted = alone | filled_in | (readable & same(field.now, field.wanted))
    filled_in = (change == Change.DELETE) & same(field.before, None) & field.fills_in
    as_before = alone | filled_in | (readable & same(field.now, field.before))
    fits = ((change != Change.DELETE) & as_wanted) | ((change != Change.CREATE) & as_before)
    return _State(as_wanted, as_before, fits)


def _judge(change: Any, there: Any, fields: Sequence[_Field], form: _Form) -> dict[Standing, Any]:
    """The table: tests in the order in which they are to be asked; who passes none is edited."""
    states = [_judge_field(change, field, form) for field in fields]
    absent = form.same(there, False)
    as_wanted = form.every(state.as_wanted for state in states)
    as_before = form.every(state.as_before for state in states)
    fits = form.every(state.fits for state in states)
    return {
        Standing.DONE: ((change == Change.DELETE) & absent) | ((change != Change.DELETE) & there & as_wanted),
        Standing.UNTOUCHED: ((change == Change.CREATE) & absent)
        | ((change != Change.CREATE) & there & as_before),
        Standing.PARTLY: (change == Change.UPDATE) & there & fits,
    }


@dataclass(frozen=True, slots=True)
class Compare:
    """When two texts count as the same; the target's value then stays as it is.

    It is asked while a plan is made: what counts as the same has one value before and after there, and from
    then on values are compared as they are.

    Attributes:
        ignore_case: Upper and lower case don't count.
        ignore_space: White space at the ends doesn't count, and a run of it counts as one space.
        normalize_unicode: `é` typed as one character or as two is the same (NFC).
    """

    ignore_case: bool = False
    ignore_space: bool = False
    normalize_unicode: bool = False

    def plain(self, text: pl.Expr) -> pl.Expr:
        """The text as it is compared."""
        if self.normalize_unicode:
            text = text.str.normalize("NFC")
        if self.ignore_space:
            text = text.str.replace_all(r"\s+", " ").str.strip_chars()
        return text.str.to_lowercase() if self.ignore_case else text

    def differs(self, before: pl.Expr, wanted: pl.Expr, dtype: pl.DataType, *, is_json: bool) -> pl.Expr:
        """Whether a wanted value is another than the present one.

        Args:
            before: The present value.
            wanted: The wanted one.
            dtype: The type of both.
            is_json: They are JSON texts, compared by what they say and not by how they are written.
        """
        if is_json:
            return _sorted_json(before).ne_missing(_sorted_json(wanted))
        if dtype == pl.String and self != Compare():
            return self.plain(before).ne_missing(self.plain(wanted))
        return before.ne_missing(wanted)


def _sorted_json(text: pl.Expr) -> pl.Expr:
    return text.map_batches(_sort_texts, pl.String)


def _sort_texts(texts: pl.Series) -> pl.Series:
    distinct = texts.drop_nulls().unique()
    return texts.replace(distinct, pl.Series([_sort_json(text) for text in distinct], dtype=pl.String))


def _sort_json(text: str) -> str:
    try:
        return json.dumps(json.loads(text), sort_keys=True, ensure_ascii=False)
    except ValueError:
        return text
