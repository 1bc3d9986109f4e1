"""The one verdict before / now / wanted: its table, said of values and of frames."""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from batchkit.core import compare
from batchkit.core.columns import KEY, LOST
from batchkit.core.compare import (
    NOW,
    STANDING,
    THERE,
    Compare,
    Standing,
    find_edited,
    find_kept,
    join_present,
    judge_columns,
    judge_row,
)
from tests.support.verdicts import Case, every_case, plan_rows

FIELDS = ("f", "g")
CASES = every_case(FIELDS, (None, "a", "b"))
States = list[set[str]]

PHRASES: dict[str, Callable[[States], bool]] = {
    "-": lambda _: True,
    "all as wanted": lambda states: all("wanted" in state for state in states),
    "all as wanted or left alone": lambda states: all(state & {"wanted", "alone"} for state in states),
    "all as before": lambda states: all("before" in state for state in states),
    "all as before or left alone": lambda states: all(state & {"before", "alone"} for state in states),
    "each as wanted, as before or left alone": all,
    "one is not": lambda _: True,
    "one is edited": lambda states: not all(states),
}


def written_table() -> list[list[str]]:
    """The lines of the table in the module's docstring: change, there, fields, standing."""
    changes = ("create ", "update ", "delete ")
    lines = (line.strip() for line in (compare.__doc__ or "").splitlines())
    return [re.split(r"\s{2,}", line)[:4] for line in lines if line.startswith(changes)]


def looked_up(case: Case) -> str:
    """What the table in the docstring says of a case."""
    there = "no" if case.now is None else "yes"
    states: States = []
    for name in FIELDS if case.now is not None else ():
        before, now, wanted = case.before[name], (case.now or {})[name], case.wanted[name]
        facts = {"wanted": now == wanted, "before": now == before}
        facts["alone"] = case.change == "update" and before == wanted
        states.append({word for word, is_so in facts.items() if is_so})
    lines = (line for line in written_table() if line[:2] == [case.change, there])
    return next(standing for _, _, fields, standing in lines if PHRASES[fields](states))


def test_the_table_is_what_holds() -> None:
    """Over all mixes of nothing and two values in two fields, a row stands as the written table says."""
    assert len(CASES) > 900
    for case in CASES:
        assert judge_row(case.row(FIELDS)) == looked_up(case), case


def test_frames_and_values_agree() -> None:
    """Columns give the same as values, row by row, whatever the target fills in by itself."""
    rows = [case.row(FIELDS) for case in CASES]
    schema = {name: pl.Boolean if name == THERE else pl.String for name in rows[0]}
    frame = pl.DataFrame(rows, schema=schema)
    for fills_in in ((), ("f",), FIELDS):
        told = frame.select(judge_columns(frame.columns, fills_in))[STANDING].to_list()
        assert told == [str(judge_row(row, fills_in)) for row in rows]


def test_a_conflict_names_its_fields() -> None:
    """An item that is there is edited exactly where a field of it is, and kept fields are those of a part."""
    for case in CASES:
        row = case.row(FIELDS)
        stands = judge_row(row)
        if case.now is not None:
            assert (stands is Standing.EDITED) == bool(find_edited(row)), case
        if stands is Standing.PARTLY:
            assert find_kept(row), case
        if stands is Standing.UNTOUCHED:
            assert not find_kept(row), case


def test_what_a_target_fills_in_is_no_edit() -> None:
    """A default in the place of no value makes no conflict of a creation, nor of its undo; an edit does."""
    created = Case("create", {"f": None}, {"f": "default"}, {"f": None}).row(("f",))
    undone = Case("delete", {"f": None}, {"f": "default"}, {"f": None}).row(("f",))
    assert [judge_row(row) for row in (created, undone)] == [Standing.EDITED, Standing.EDITED]
    assert [judge_row(row, ("f",)) for row in (created, undone)] == [Standing.DONE, Standing.UNTOUCHED]
    edited = Case("update", {"f": None}, {"f": "default"}, {"f": "new"}).row(("f",))
    assert judge_row(edited, ("f",)) is Standing.EDITED


def test_what_cannot_be_read_is_never_taken_for_nothing() -> None:
    """A present value that the field's type can't carry is read as null, and is not the null of the plan."""
    rows = plan_rows([Case("update", {"f": None}, {"f": None}, {"f": "a"})], ("f",))
    found = pl.DataFrame({"id": ["0"], "f": pl.Series([None], dtype=pl.String), LOST + "f": ["0000-00-00"]})
    seen = join_present(rows, found)
    assert seen.select(judge_columns(seen.columns)).item() == "edited"
    assert find_edited(seen.row(0, named=True)) == ["f"]
    rounded = join_present(rows, found.with_columns(f=pl.lit("a")))
    assert rounded.select(judge_columns(rounded.columns)).item() == "done"


def test_rows_keep_their_order_beside_what_was_found() -> None:
    """Found rows come in any order, some twice, some not at all; the plan's stay as they are."""
    rows = plan_rows(CASES[:4], ("f",))
    found = pl.DataFrame({"id": ["2", "0", "2"], "f": ["two", "nought", "two"]})
    seen = join_present(rows, found)
    assert seen[KEY + "id"].to_list() == ["0", "1", "2", "3"]
    assert seen[THERE].to_list() == [True, False, True, False]
    assert seen[NOW + "f"].to_list() == ["nought", None, "two", None]


def test_texts_that_count_as_the_same() -> None:
    """Every character counts, but for case, space and the way an accent is typed where the job says so."""
    frame = pl.DataFrame({"before": ["Zoé  B", None, "a"], "wanted": ["zoe\u0301 b ", "", "a"]})
    loose = Compare(ignore_case=True, ignore_space=True, normalize_unicode=True)
    for rule, changed in ((Compare(), [True, True, False]), (loose, [False, True, False])):
        differs = rule.differs(pl.col("before"), pl.col("wanted"), pl.String(), is_json=False)
        assert frame.select(differs).to_series().to_list() == changed
    texts = pl.DataFrame(
        {"before": ['{"a": 1, "b": 2}', "not json"], "wanted": ['{"b":2,"a":1}', "not  json"]}
    )
    differs = Compare().differs(pl.col("before"), pl.col("wanted"), pl.String(), is_json=True)
    assert texts.select(differs).to_series().to_list() == [False, True]
