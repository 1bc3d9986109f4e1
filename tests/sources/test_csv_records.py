"""CSV text is split into records exactly as Python's csv module does it, however the blocks are cut."""

from __future__ import annotations

import csv
import io
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.errors import SourceError
from batchkit.sources.csv_records import Record, RecordReader, read_records

DELIMITERS = ";,\t|"
nasty = st.text(st.sampled_from('aé"\n\r;,\t| 😀\u2028\x0b\x00'), max_size=5)


def parsed(
    text: str, delimiter: str, width: int, cuts: list[int]
) -> tuple[list[tuple[object, ...]], list[int]]:
    """Rows with their numbers, and the rows complained about for their width."""
    data = text.encode()
    marks = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    blocks = [data[a:b] for a, b in pairwise(marks)]
    odd: list[int] = []

    def complain(row: int, record: Record) -> None:
        if len(record.cells) != width:
            odd.append(row)

    names = [f"c{n}" for n in range(width)]
    reader = RecordReader(Path("file.csv"), delimiter, names, 0, complain)
    rows = [row for frame in reader.frames(iter(blocks)) for row in frame.rows()]
    return rows, odd


def by_python(text: str, delimiter: str, width: int) -> tuple[list[tuple[object, ...]], list[int]]:
    """The same by Python's csv module."""
    rows: list[tuple[object, ...]] = []
    odd = []
    for number, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), start=1):
        if cells:
            rows.append((number, *(cell or None for cell in [*cells, *[""] * width][:width])))
        if cells and len(cells) != width:
            odd.append(number)
    return rows, odd


@given(
    st.lists(st.lists(nasty, min_size=1, max_size=4), max_size=6),
    st.sampled_from(DELIMITERS),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.integers(1, 4),
    st.lists(st.integers(0, 500), max_size=4),
)
def test_tables_that_were_written_properly_are_read_as_python_does(
    rows: list[list[str]], delimiter: str, end: str, quoting: int, width: int, cuts: list[int]
) -> None:
    """Quotes, line ends in cells, delimiters, blank cells, odd widths and any cut into blocks."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    assert parsed(out.getvalue(), delimiter, width, cuts) == by_python(out.getvalue(), delimiter, width)


@given(
    st.text(st.sampled_from('aé"\n\r;; \u2028'), max_size=30),
    st.integers(1, 4),
    st.lists(st.integers(0, 500), max_size=4),
)
def test_any_text_is_read_as_python_does_or_refused(text: str, width: int, cuts: list[int]) -> None:
    """Text without rules either gives Python's records or an error for an open quote."""
    try:
        rows = parsed(text, ";", width, cuts)
    except SourceError as refused:
        told = refused.message
    else:
        assert rows == by_python(text, ";", width)
        return
    assert "not closed" in told


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_regular_text_never_takes_the_slow_way(quoting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Properly written tables are parsed by polars, blank lines and quoted line ends included."""
    monkeypatch.setattr(RecordReader, "_parse_slowly", lambda *_: pytest.fail("the slow way was taken"))
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n", quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([["1", 'a "b"', ""], ["2", "line\nend", "c;d"], [], ["3", "", "é"]])
    assert parsed(out.getvalue(), ";", 3, [7, 20, 33]) == by_python(out.getvalue(), ";", 3)


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ('a;b\n1;"open\n2;x\n', 2),
        ('a;b\n1;"open\n2;"x"\n3;y\n', 2),
        ('a;b\n1;2\n3;4\n5;"end', 4),
    ],
)
def test_open_quotes_name_their_row(text: str, row: int) -> None:
    """A quote that is never closed, or closed rows below inside a cell, is an error with its row."""
    with pytest.raises(SourceError) as refused:
        parsed(text, ";", 2, [])
    assert refused.value.row == row  # type: ignore[attr-defined]
    assert refused.value.advice


def test_open_quote_in_a_large_file_is_found_without_reading_it_all() -> None:
    """The reader gives up once a record is longer than any honest one, and names the row."""
    blocks = iter([b'a;b\n1;"open\n', *([b"2;x\n" * 262_144] * 40)])
    reader = RecordReader(Path("file.csv"), ";", ["a", "b"], 0, lambda *_: None)
    with pytest.raises(SourceError, match="Row 2 opens a quote"):
        list(reader.frames(blocks))
    assert next(blocks, None) is not None


def test_text_behind_a_closing_quote_is_a_broken_record() -> None:
    """`"a"b` is read as Python does, and marked; a quote inside plain text is just a sign."""
    records, rest = read_records('"a"b;c\n5" pipe;d\n="01";e\n', ";", last=True)
    assert [(record.cells, record.broken) for record in records] == [
        (["ab", "c"], True),
        (['5" pipe', "d"], False),
        (['="01"', "e"], False),
    ]
    assert rest == ""
