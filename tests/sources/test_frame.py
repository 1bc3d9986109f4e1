"""Frames are sources like files: the same text, row numbers as on the sheet they would be."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from batchkit.core.columns import ROW
from batchkit.core.errors import SourceError
from batchkit.sources.base import Source
from batchkit.sources.cell_text import as_text
from batchkit.sources.frame import FrameSource, as_texts, to_pandas

VALUES: dict[str, tuple[pl.DataType | type[pl.DataType], list[Any], list[str | None]]] = {
    "whole": (pl.Int64(), [1, -2, None], ["1", "-2", None]),
    "float": (pl.Float64(), [35001.0, 5e-10, float("nan")], ["35001", "5e-10", None]),
    "large": (pl.Float64(), [1.5, 1e22, -0.5], ["1.5", "1e+22", "-0.5"]),
    "day": (pl.Date(), [date(2021, 1, 31), None, date(1905, 1, 1)], ["2021-01-31", None, "1905-01-01"]),
    "moment": (
        pl.Datetime("us"),
        [datetime(2021, 1, 31, 10, 20, 30), None, datetime(2021, 1, 31)],
        ["2021-01-31 10:20:30", None, "2021-01-31 00:00:00"],
    ),
    "time": (pl.Time(), [time(10, 20, 30), None, None], ["10:20:30", None, None]),
    "flag": (pl.Boolean(), [True, False, None], ["true", "false", None]),
    "text": (pl.String(), ["007", "", "NA"], ["007", None, "NA"]),
    "price": (pl.Decimal(10, 2), [Decimal("12.50"), Decimal("3.00"), None], ["12.50", "3", None]),
    "list": (pl.List(pl.Int64()), [[1, 2], [], None], ["[1, 2]", "[]", None]),
    "nothing": (pl.Null(), [None, None, None], [None, None, None]),
}


def frame() -> pl.DataFrame:
    """One column of each type."""
    return pl.DataFrame([pl.Series(name, given, kind) for name, (kind, given, _) in VALUES.items()])


@pytest.mark.parametrize("lazy", [False, True])
def test_polars_frames_become_text(lazy: bool) -> None:
    """Each type has one text; the first row is row 2, under the header it would have."""
    source = FrameSource(frame().lazy() if lazy else frame())
    assert isinstance(source, Source)
    batch = pl.concat(source.batches(2))
    assert batch[ROW].to_list() == [2, 3, 4]
    assert batch.schema[ROW] == pl.UInt32
    for name, (_, _, texts) in VALUES.items():
        assert batch[name].to_list() == texts, name


def test_columns_and_single_values_become_the_same_text() -> None:
    """The vectorised conversion agrees with the one for a single value."""
    texts = as_texts(frame())
    for column in frame():
        assert texts[column.name].to_list() == [as_text(value) for value in column.to_list()], column.name


def test_fingerprint_follows_the_content() -> None:
    """The same rows give the same fingerprint, lazily too; another value another one."""
    first = FrameSource(frame()).fingerprint()
    assert FrameSource(frame().lazy()).fingerprint() == first
    assert FrameSource(frame().with_columns(whole=pl.lit(7))).fingerprint() != first


def test_pandas_frames_become_text() -> None:
    """Integers that pandas made floats, its NaT and NA, and odd labels."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({
        "cp": [35001.0, None], "siret": ["00501", "NA"],
        "date": pd.to_datetime(["2021-01-31 10:20:30", None]),
        "n": pd.array([1, None], dtype="Int64"), "cat": pd.Categorical(["x", None]), 2024: [True, False],
    })  # fmt: skip
    source = FrameSource(frame)
    assert source.columns == ["cp", "siret", "date", "n", "cat", "2024"]
    assert [row for batch in source.batches() for row in batch.rows()] == [
        (2, "35001", "00501", "2021-01-31 10:20:30", "1", "x", "true"),
        (3, None, "NA", None, None, None, "false"),
    ]


def test_pandas_labels_may_repeat() -> None:
    """Double labels are renamed and told, as in a file."""
    pd = pytest.importorskip("pandas")
    source = FrameSource(pd.DataFrame([[1, 2]], columns=["id", "id"]))
    assert source.columns == ["id", "id (2)"]
    assert [problem.rule for problem in source.problems] == ["duplicate_header"]
    assert next(source.batches()).row(0) == (2, "1", "2")


def test_row_numbers_of_a_frame_are_kept() -> None:
    """A frame that has a column #row brings its own numbers."""
    source = FrameSource(pl.DataFrame({ROW: [7, 9], "a": ["x", "y"]}))
    assert source.columns == ["a"]
    assert next(source.batches()).rows() == [(7, "x"), (9, "y")]


def test_what_is_no_frame_is_refused() -> None:
    """Lists and frames without columns."""
    with pytest.raises(SourceError, match="list is no polars or pandas frame"):
        FrameSource([1, 2])
    with pytest.raises(SourceError, match="no columns"):
        FrameSource(pl.DataFrame())


def test_frames_are_given_back_to_pandas() -> None:
    """Text stays text, whole numbers with gaps stay whole, dates are dates; no pyarrow is needed."""
    pytest.importorskip("pandas")
    moment = datetime(2021, 1, 31, 10, 20, tzinfo=UTC)
    given = pl.DataFrame(
        {"s": ["007", None], "i": [1, None], "j": [1, 2], "b": [True, None], "t": [moment, None]}
    )
    back = to_pandas(given)
    assert back["s"].tolist() == ["007", None]
    assert str(back["i"].dtype) == "Int64"
    assert str(back["j"].dtype) == "int64"
    assert str(back["b"].dtype) == "boolean"
    assert back["t"][0] == moment
