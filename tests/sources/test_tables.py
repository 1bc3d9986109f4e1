"""Files as people make them: opened, looked at, written; each doubt is told."""

from __future__ import annotations

import csv
import hashlib
import os
import random
import tempfile
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
import xlsxwriter
from openpyxl.worksheet.worksheet import Worksheet

from batchkit.core.columns import ROW
from batchkit.core.errors import SourceError
from batchkit.sources.base import Source
from batchkit.sources.csv_writer import write_csv
from batchkit.sources.file import FileSource
from batchkit.sources.look import look
from batchkit.sources.tables import open_table

CSV = "siret;nom;ville\n00501234500012;Café;Lyon\n00501234500020;Bar;Nîmes\n"


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    """A text file, byte for byte."""
    path.write_bytes(text.encode(encoding))
    return path


def rows_of(path: Path, **options: Any) -> list[tuple[Any, ...]]:
    """All rows of a file with their numbers."""
    return [row for batch in open_table(path, **options).batches() for row in batch.rows()]


def finished(path: Path, **options: Any) -> FileSource:
    """A table read to its end."""
    table = open_table(path, **options)
    for _ in table.batches():
        pass
    return table


def told(table: FileSource, rule: str) -> list[tuple[str, int | None, str | None]]:
    """Level, row and column of the problems under a rule."""
    return [(each.level, each.row, each.column) for each in table.problems if each.rule == rule]


def sheet_of(book: openpyxl.Workbook) -> Worksheet:
    """The first sheet of a workbook."""
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    return sheet


def test_open_table_gives_a_source(tmp_path: Path) -> None:
    """Batches hold #row and text columns, in the size asked for; the fingerprint is the file's SHA-256."""
    file = write(tmp_path / "a.csv", CSV)
    table = open_table(file)
    assert isinstance(table, Source)
    assert table.name == "a.csv"
    assert table.columns == ["siret", "nom", "ville"]
    batches = list(table.batches(1))
    assert [batch.rows() for batch in batches] == [
        [(2, "00501234500012", "Café", "Lyon")],
        [(3, "00501234500020", "Bar", "Nîmes")],
    ]
    assert batches[0].schema == {ROW: pl.UInt32, "siret": pl.String, "nom": pl.String, "ville": pl.String}
    expected = hashlib.sha256(file.read_bytes()).hexdigest()
    assert table.fingerprint() == expected
    assert open_table(file).fingerprint() == expected
    assert table.problems == []


def test_batches_may_be_read_twice(tmp_path: Path) -> None:
    """A second reading gives the same rows and does not double the problems."""
    table = open_table(write(tmp_path / "a.csv", "a;b\n1;2\n3\n\n4;5\n"))
    first = [batch.rows() for batch in table.batches()]
    problems = list(table.problems)
    assert [batch.rows() for batch in table.batches()] == first
    assert table.problems == problems
    assert (table.rows, table.blank_rows) == (3, 1)


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"),
     ("utf-16-be", "utf-16-be"), ("cp1252", "cp1252")],
)  # fmt: skip
def test_encodings_are_found(tmp_path: Path, encoding: str, found: str) -> None:
    """By the mark, by being valid UTF-8, by the zeros of UTF-16, else western single bytes, which is told."""
    table = finished(write(tmp_path / "a.csv", CSV, encoding))
    assert table.encoding == found
    assert rows_of(tmp_path / "a.csv")[1] == (3, "00501234500020", "Bar", "Nîmes")
    assert told(table, "encoding") == ([("notice", None, None)] if encoding == "cp1252" else [])


def test_single_byte_text_of_other_tongues_is_not_taken_for_french(tmp_path: Path) -> None:
    """Where the accents make no western words, the encoding is guessed from the text."""
    lines = "".join(f"{n};Предприятие малого бизнеса и торговли;Москва\n" for n in range(30))
    table = finished(write(tmp_path / "a.csv", "id;name;city\n" + lines, "cp1251"))
    assert rows_of(tmp_path / "a.csv")[0][3] == "Москва"
    assert table.encoding != "cp1252"


def test_accents_may_begin_late(tmp_path: Path) -> None:
    """A first accent after a megabyte of plain text still decides the encoding."""
    text = "a;b\n" + "1;plain\n" * 200_000 + "2;été\n"
    assert rows_of(write(tmp_path / "a.csv", text, "cp1252"))[-1] == (200_002, "2", "été")


def test_encoding_can_be_overruled(tmp_path: Path) -> None:
    """What the operator says is believed if the bytes allow it, and doubted where they look otherwise."""
    table = finished(write(tmp_path / "a.csv", CSV), encoding="latin-1")
    assert rows_of(tmp_path / "a.csv", encoding="latin-1")[0][2] == "CafÃ©"
    assert told(table, "encoding") == [("warning", None, None)]


def test_wrong_encoding_names_byte_and_row(tmp_path: Path) -> None:
    """An overrule that the bytes contradict is refused with the place."""
    file = write(tmp_path / "a.csv", 'a;b\n1;"x\ny"\n2;é\n', "cp1252")
    with pytest.raises(SourceError, match=r"not utf-8: byte 14 \(row 3\)") as refused:
        open_table(file, encoding="utf-8")
    assert 'encoding="cp1252"' in refused.value.advice
    with pytest.raises(SourceError, match="no encoding 'klingon'"):
        open_table(file, encoding="klingon")


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [("a;b;c\n1,5;2,5;3,5\n4,5;5,5;6,5\n", ";"), ("a\tb\nx, y\tz, t\n1, 2\t3\n", "\t"), ("a|b\n1|2\n", "|"),
     ('a,b\n"1;2",3\n', ","), ("a;b\n", ";"), ("nom\nLyon, Rhône\nNîmes\n", ";"), ("nom\nLyon\n", ",")],
)  # fmt: skip
def test_delimiter_is_the_one_that_splits_evenly(tmp_path: Path, text: str, delimiter: str) -> None:
    """Signs are not counted: what counts is that the rows come out alike."""
    table = open_table(write(tmp_path / "a.csv", text))
    assert table.delimiter == delimiter
    assert open_table(tmp_path / "a.csv", delimiter="tab").delimiter == "\t"


def test_text_with_commas_under_a_lone_name_is_not_split_silently(tmp_path: Path) -> None:
    """A single column whose texts all hold one comma could be two columns under a title: that is asked."""
    file = write(tmp_path / "a.csv", "ville\nLyon, France\nNice, France\nLille, France\n")
    with pytest.raises(SourceError, match="row 1: ville; row 2: Lyon"):
        open_table(file)
    assert rows_of(file, header_row=1, delimiter=";")[0] == (2, "Lyon, France")


def test_rows_of_wrong_width_are_errors_and_still_delivered(tmp_path: Path) -> None:
    """Short rows are filled up, long ones cut; the problem shows the row as it stands."""
    file = write(tmp_path / "a.csv", "a;b;c\n1;2;3\n4;5\n6;7;8;9\n")
    table = finished(file)
    assert rows_of(file) == [(2, "1", "2", "3"), (3, "4", "5", None), (4, "6", "7", "8")]
    assert told(table, "width") == [("error", 3, None), ("error", 4, None)]
    assert [problem.value for problem in table.problems] == ["4;5", "6;7;8;9"]
    assert "4 cells where the header has 3" in table.problems[1].message


def test_a_last_delimiter_on_every_row_is_no_column(tmp_path: Path) -> None:
    """`a;b;` with `1;2;` below has two columns; data behind the last delimiter is an error."""
    late = "".join("1;2;\n" for _ in range(60_000))
    table = finished(write(tmp_path / "a.csv", f"a;b;\n{late}3;4;5\n"))
    assert table.columns == ["a", "b"]
    assert told(table, "width") == [("error", 60_002, None)]
    table = finished(write(tmp_path / "b.csv", "a;b\n1;2;\n3;4;\n"))
    assert (table.columns, table.rows, table.problems) == (["a", "b"], 2, [])


def test_blank_rows_are_counted_and_keep_row_numbers_right(tmp_path: Path) -> None:
    """Row numbers count blank rows; rows of empty cells are rows."""
    file = write(tmp_path / "a.csv", "\na;b\n\n1;2\n;\n\n3;4\n")
    assert rows_of(file) == [(4, "1", "2"), (5, None, None), (7, "3", "4")]
    table = finished(file)
    assert (table.header_row, table.blank_rows) == (2, 2)
    assert told(table, "blank_rows") == [("notice", 3, None)]


def test_names_of_columns_are_made_usable(tmp_path: Path) -> None:
    """White space is trimmed, blank names are numbered, double ones told apart; both are told."""
    table = open_table(write(tmp_path / "a.csv", 'id; N° de\u00a0prix ;"a\nb";;id\n1;2;3;4;5\n'))
    assert table.columns == ["id", "N° de prix", "a b", "column 4", "id (2)"]
    assert told(table, "blank_header") == [("warning", 1, "column 4")]
    assert told(table, "duplicate_header") == [("warning", 1, "id (2)")]


def test_header_row_can_be_chosen(tmp_path: Path) -> None:
    """A row number overrules the search; 0 means there is none; a blank row is refused."""
    file = write(tmp_path / "a.csv", "x;y\na;b\n\n1;2\n")
    assert rows_of(file, header_row=2) == [(4, "1", "2")]
    assert open_table(file, header_row=2).columns == ["a", "b"]
    assert rows_of(file, header_row=0)[0] == (1, "x", "y")
    assert open_table(file, header_row=0).columns == ["column 1", "column 2"]
    with pytest.raises(SourceError, match=r"Row 3 .* is blank"):
        open_table(file, header_row=3)
    with pytest.raises(SourceError, match="no row 9"):
        open_table(file, header_row=9)


def test_numbers_alone_are_no_header(tmp_path: Path) -> None:
    """A table whose first row is data like the others is not robbed of it."""
    with pytest.raises(SourceError, match="can't be told"):
        open_table(write(tmp_path / "a.csv", "1;2;3\n4;5;6\n"))
    assert open_table(write(tmp_path / "b.csv", "ville;2019;2020\nLyon;1;2\n")).columns[1] == "2019"


def test_wrapped_texts_are_unwrapped(tmp_path: Path) -> None:
    """`="0123"` is the text 0123, however it is quoted; it is told once per column."""
    file = write(tmp_path / "a.csv", 'siret;n\n="00501";1\n"=""00502""";2\n=A1;3\n')
    assert [row[1] for row in rows_of(file)] == ["00501", "00502", "=A1"]
    table = finished(file)
    assert told(table, "wrapped") == [("notice", 2, "siret")]
    assert told(table, "formula") == [("notice", 4, "siret")]


def test_words_that_look_like_nothing_stay(tmp_path: Path) -> None:
    """NA, 1E5 and zeros in front stay text; only the empty cell is null."""
    file = write(tmp_path / "a.csv", 'a;b;c;d;e\nNA;1E5;007;null;""\n')
    assert rows_of(file) == [(2, "NA", "1E5", "007", "null", None)]


def test_names_that_lie_are_told(tmp_path: Path) -> None:
    """A CSV named .xls and a workbook named .csv are read as what they are."""
    table = finished(write(tmp_path / "a.xls", CSV))
    assert (table.kind, told(table, "extension")) == ("csv", [("warning", None, None)])
    book = openpyxl.Workbook()
    sheet_of(book).append(["a", "b"])
    sheet_of(book).append(["x", 1])
    book.save(tmp_path / "book.xlsx")
    (tmp_path / "book.xlsx").rename(tmp_path / "b.csv")
    table = finished(tmp_path / "b.csv")
    assert (table.kind, told(table, "extension")) == ("xlsx", [("warning", None, None)])
    assert rows_of(tmp_path / "b.csv") == [(2, "x", "1")]


def test_what_is_no_table_is_refused_with_advice(tmp_path: Path) -> None:
    """Folders, missing and empty files, and other formats: one sentence each, and what to do."""
    (tmp_path / "empty.csv").touch()
    (tmp_path / "blank.csv").write_text("\n\n \n")
    (tmp_path / "page.xls").write_text("<html><table><tr><td>1</td></tr></table></html>")
    (tmp_path / "doc.pdf").write_bytes(b"%PDF-1.7 ...")
    (tmp_path / "cut.xlsx").write_bytes(b"PK\x03\x04 cut off")
    for name, words in {
        "": "is a folder", "none.csv": "There is no file", "empty.csv": "is empty",
        "blank.csv": "can't be told",
        "page.xls": "web page", "doc.pdf": "a PDF", "cut.xlsx": "damaged",
    }.items():  # fmt: skip
        with pytest.raises(SourceError, match=words) as refused:
            open_table(tmp_path / name)
        assert refused.value.advice


@pytest.mark.skipif(os.name == "nt", reason="rights are told otherwise on Windows")
def test_files_that_may_not_be_read() -> None:
    """A missing right is named."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        file = write(Path(name) / "a.csv", CSV)
        file.chmod(0)
        user = os.geteuid()
        try:
            if user == 0:
                os.seteuid(65534)  # root may read everything; nobody may not
            with pytest.raises(SourceError, match="may not be read"):
                open_table(file)
        finally:
            os.seteuid(user)


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """Rows of two states of a file are never taken for one table."""
    file = write(tmp_path / "a.csv", "a;b\n" + "1;2\n" * 10)
    batches = open_table(file).batches(2)
    next(batches)
    file.write_text("a;b\n9;9\n")
    with pytest.raises(SourceError, match="changed while it was read"):
        list(batches)


def test_describe_opens_it_again_the_same_way(tmp_path: Path) -> None:
    """The description holds every finding and option."""
    file = write(tmp_path / "a.csv", 'x;y\na;b\n1;"R&amp;D"\n', "cp1252")
    table = open_table(file, header_row=2, delimiter=";", decode_entities=True)
    facts = table.describe()
    again = open_table(**{name: fact for name, fact in facts.items() if name not in ("kind", "name")})
    assert again.describe() == table.describe()
    assert [batch.rows() for batch in again.batches()] == [[(3, "1", "R&D")]]


def test_look_is_plain_and_complete(tmp_path: Path) -> None:
    """Everything understood of a file, as JSON-able values with a preview."""
    seen = look(write(tmp_path / "a.csv", CSV + "1;2\n")).to_dict()
    assert (seen["kind"], seen["encoding"], seen["delimiter"], seen["line_ends"]) == (
        "csv",
        "utf-8",
        ";",
        "LF",
    )
    assert (seen["header_row"], seen["rows"], seen["columns"]) == (1, 3, ["siret", "nom", "ville"])
    assert seen["preview"][0] == {ROW: 2, "siret": "00501234500012", "nom": "Café", "ville": "Lyon"}
    assert [problem["row"] for problem in seen["problems"]] == [4]


def test_written_csv_is_safe_and_comes_back(tmp_path: Path) -> None:
    """A file of ours runs nothing in a spreadsheet, keeps the original rows' numbers, and reads back."""
    texts = ["=1+1", "+33612345678", "-5", "+20% de CA", "'=x", "@a", 'a;b\n"c"', None, "007"]
    frame = pl.DataFrame(
        {ROW: range(10, 19), "titre": texts, "#error": ["bad"] * 9}, schema_overrides={ROW: pl.UInt32}
    )
    write_csv([frame], frame.columns, tmp_path / "out.csv")
    data = (tmp_path / "out.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    for row in csv.reader(data.decode("utf-8-sig").splitlines()[1:5], delimiter=";"):
        assert not row[1].startswith(("=", "@"))
    assert b';"+33612345678";' in data
    assert b';"\'+20% de CA";' in data
    table = open_table(tmp_path / "out.csv")
    assert table.columns == ["titre"]
    back = pl.concat(table.batches())
    assert back.rows() == [(row, text) for row, text in zip(range(10, 19), texts, strict=True)]


def test_a_file_of_ours_without_a_row_number_is_refused(tmp_path: Path) -> None:
    """Rows of a fix-and-rerun file must keep saying which row they are."""
    with pytest.raises(SourceError, match="Row 3 has no row number"):
        list(open_table(write(tmp_path / "a.csv", "#row;a\n2;x\n;y\n")).batches())


def test_a_file_of_ours_with_a_row_twice_is_refused(tmp_path: Path) -> None:
    """Two rows that claim to be the same one would become one item."""
    with pytest.raises(SourceError, match="says 2 on more than one row"):
        list(open_table(write(tmp_path / "a.csv", "#row;a\n2;x\n3;y\n2;z\n")).batches())


def test_cells_become_the_text_people_see(tmp_path: Path) -> None:
    """Whole numbers without .0, dates as dates, booleans, long ids, codes shown with leading zeros."""
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = book.add_worksheet("Données")
    zeros, day = book.add_format({"num_format": "00000"}), book.add_format({"num_format": "dd/mm/yyyy"})
    for column, name in enumerate(["cp", "date", "oui", "siret", "prix", "texte", "total"]):
        sheet.write_string(0, column, name)
    sheet.write_number(1, 0, 501, zeros)
    sheet.write_number(1, 1, 44227, day)
    sheet.write_boolean(1, 2, True)
    sheet.write_number(1, 3, 12345678901234)
    sheet.write_number(1, 4, 0.1 + 0.2)
    sheet.write_string(1, 5, " NA ")
    sheet.write_formula(1, 6, "=1/0", None, "#DIV/0!")
    book.close()
    assert rows_of(tmp_path / "a.xlsx") == [
        (2, "00501", "2021-01-31", "true", "12345678901234", "0.3", " NA ", None)
    ]
    table = finished(tmp_path / "a.xlsx")
    assert told(table, "padded") == [("notice", None, "cp")]
    assert told(table, "cell_error") == [("error", 2, "total")]
    assert "Cell G2 holds the error #DIV/0!" in [problem.message for problem in table.problems]


def test_hidden_rows_blank_rows_and_uncalculated_formulas(tmp_path: Path) -> None:
    """Each is told; hidden rows are skipped only when asked; row numbers are the sheet's."""
    book = openpyxl.Workbook()
    sheet = sheet_of(book)
    sheet.append(["", "Titre du document"])
    for row in ([], ["", "id", "nom"], ["", 1, "a"], ["", 2, "b"], [], ["", 3, "=1+1"]):
        sheet.append(row)
    sheet.row_dimensions[5].hidden = True
    book.create_sheet("Secret").sheet_state = "veryHidden"
    book.save(tmp_path / "a.xlsx")
    table = finished(tmp_path / "a.xlsx")
    assert (table.header_row, table.rows, table.blank_rows) == (3, 3, 1)
    assert [row[0] for row in rows_of(tmp_path / "a.xlsx", hidden_rows="skip")] == [4, 7]
    assert told(table, "hidden_rows") == [("warning", 5, None)]
    assert told(table, "uncalculated") == [("warning", None, None)]
    assert any("Secret" in problem.message for problem in table.problems)


def test_sheets_are_chosen_by_name(tmp_path: Path) -> None:
    """A name that isn't there is answered with those that are; a hidden sheet is read when asked for."""
    book = openpyxl.Workbook()
    sheet_of(book).title = "Vide"
    for name in ("Clients", "Ancien"):
        sheet = book.create_sheet(name)
        sheet.append(["id", "nom"])
        sheet.append([1, name])
    book["Ancien"].sheet_state = "hidden"
    book.save(tmp_path / "a.xlsx")
    assert rows_of(tmp_path / "a.xlsx") == [(2, "1", "Clients")]
    assert rows_of(tmp_path / "a.xlsx", sheet="ancien") == [(2, "1", "Ancien")]
    assert told(finished(tmp_path / "a.xlsx", sheet="Ancien"), "sheet")[0][0] == "warning"
    with pytest.raises(SourceError, match=r"no data sheet 'X'.* There is: Vide, Clients, Ancien"):
        open_table(tmp_path / "a.xlsx", sheet="X")
    with pytest.raises(SourceError, match=r"'Vide' .* is empty.* Clients, Ancien \(hidden\)"):
        open_table(tmp_path / "a.xlsx", sheet="Vide")
    with pytest.raises(SourceError, match="no sheet"):
        open_table(write(tmp_path / "a.csv", CSV), sheet="Clients")


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Batches come while the file is being read: the first is there before the last block was touched."""
    file = tmp_path / "a.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("a;b\n")
        out.writelines(f"{n};{'x' * 90}\n" for n in range(300_000))
    read: list[int] = []
    table = open_table(file)
    frames = table._frames

    def watched(digest: Any) -> Any:
        for frame in frames(digest):
            read.append(frame.height)
            yield frame

    table._frames = watched  # type: ignore[method-assign]
    assert next(table.batches(10_000)).height == 10_000
    assert len(read) == 1
    assert read[0] < 150_000


@pytest.mark.parametrize("seed", range(40))
def test_damaged_workbooks_are_refused_in_words(tmp_path: Path, seed: int) -> None:
    """Cut off or with bytes turned over, a workbook is read or refused; no other error gets out."""
    book = xlsxwriter.Workbook(tmp_path / "a.xlsx")
    sheet = book.add_worksheet()
    for row in range(30):
        sheet.write_row(row, 0, ["nom", "ville"] if row == 0 else [f"n{row}", row])
    book.close()
    chance = random.Random(seed)
    data = bytearray((tmp_path / "a.xlsx").read_bytes())
    if seed % 4 == 0:
        del data[chance.randrange(4, len(data)) :]
    for _ in range(chance.choice([1, 5, 50])):
        data[chance.randrange(4, len(data))] = chance.randrange(256)
    (tmp_path / "a.xlsx").write_bytes(data)
    try:
        look(tmp_path / "a.xlsx")
    except SourceError as refused:
        advice = refused.advice
    else:
        return
    assert advice
