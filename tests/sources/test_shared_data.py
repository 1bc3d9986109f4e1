"""The real inputs, read as their manifest says or refused clearly. Each claim is a line of the manifest."""

# ruff: noqa: ARG005 - claims are all called alike, whichever of frame and table they look at
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.columns import ROW
from batchkit.core.errors import SourceError
from batchkit.sources.file import FileSource
from batchkit.sources.look import Look, look
from batchkit.sources.tables import open_table
from tests.support.needs import shared_folder


def _facts() -> dict[str, dict[str, Any]]:
    folder = shared_folder()
    if folder is None:
        return {}
    entries = json.loads((folder / "facts.json").read_text("utf-8"))
    return {entry["file"]: entry["facts"] for entry in entries}


FACTS = _facts()
CSV_FILES = sorted(name for name, facts in FACTS.items() if facts.get("header_row"))
WORKBOOKS = sorted(name for name, facts in FACTS.items() if facts.get("sheets"))
ENCODINGS = {"ascii": "utf-8", "UTF-8 with BOM": "utf-8-sig", "UTF-16 with BOM": "utf-16"}
STATES = {"Visible": "visible", "Hidden": "hidden", "VeryHidden": "very hidden"}


def read(path: Path, **options: Any) -> tuple[pl.DataFrame, FileSource]:
    """All rows of a file, and the table they came from."""
    table = open_table(path, **options)
    batches = list(table.batches())
    empty = pl.DataFrame(schema={ROW: pl.UInt32, **dict.fromkeys(table.columns, pl.String)})
    return pl.concat(batches) if batches else empty, table


def rules(table: FileSource | Look) -> list[tuple[str, int | None]]:
    """What is told, and of which row."""
    return [(problem.rule, problem.row) for problem in table.problems]


@pytest.mark.parametrize("name", CSV_FILES or ["none"])
def test_csv_files_are_read_as_two_other_parsers_measured_them(shared_data: Path, name: str) -> None:
    """Rows, columns, header row, delimiter, encoding and wrong widths are those of the manifest."""
    facts = FACTS[name]
    frame, table = read(shared_data / name)
    assert table.header_row == facts["header_row"]
    assert len(table.columns) == facts["columns"]
    assert frame.height + table.repeated_headers == facts["data_rows"]
    assert table.rows == frame.height
    assert table.blank_rows == facts["blank_rows"]
    assert table.delimiter == facts["delimiter"].replace("TAB", "\t")
    assert table.encoding == ENCODINGS.get(facts["encoding"], facts["encoding"])
    widths = [problem for problem in table.problems if problem.rule == "width" and problem.level == "error"]
    assert len(widths) == facts["rows_wrong_width"]
    assert set(frame.schema.dtypes()[1:]) == {pl.String}


@pytest.mark.parametrize("name", [name for name in CSV_FILES if FACTS[name].get("keys")] or ["none"])
def test_keys_stay_text(shared_data: Path, name: str) -> None:
    """Blanks, distinct values, leading zeros and lengths of the key columns are those of the manifest."""
    frame, table = read(shared_data / name)
    for column, facts in FACTS[name]["keys"].items():
        values = frame[column].drop_nulls()
        assert frame.height - len(values) == facts["blank"]
        # The manifest counts "blank" and a repeated header among the distinct values.
        beside = bool(facts["blank"]) + bool(table.repeated_headers)
        assert values.n_unique() + beside == facts["distinct"]
        zeros = values.filter(values.str.contains("^0[0-9]"))
        assert len(zeros) == facts["leading_zero_values"]
        assert zeros.head(2).to_list() == facts["first_leading_zero"][:2]
        assert table.repeated_headers or values.str.len_chars().max() == facts["max_len"]


@pytest.mark.parametrize("name", WORKBOOKS or ["none"])
def test_sheets_are_all_told_of(shared_data: Path, name: str) -> None:
    """Each sheet with its visibility, size, hidden rows, merged ranges and error cells."""
    told = {sheet.name: sheet for sheet in look(shared_data / name).sheets}
    assert list(told) == [facts["name"] for facts in FACTS[name]["sheets"]]
    for facts in FACTS[name]["sheets"]:
        sheet = told[facts["name"]]
        assert sheet.visibility == STATES[facts["state"]]
        assert (sheet.rows, sheet.columns) == (facts["rows"], facts["cols"])
        assert sheet.hidden_rows == facts.get("hidden_rows", 0)
        assert len(sheet.error_cells) == facts.get("error_cells", 0)
        if "merged_ranges" in facts:
            assert sheet.merged == facts["merged_ranges"]


Claim = Callable[[pl.DataFrame, FileSource], bool]

CLAIMS: list[tuple[str, dict[str, Any], str, Claim]] = [
    ("fr/irep_etablissements.csv", {}, "a SIRET is 14 characters on every row",
     lambda f, t: f["Numero_SIRET"].str.len_chars().unique().to_list() == [14]),
    ("fr/foxreviews_villes_france.csv", {}, "no zero is invented",
     lambda f, t: f["Villes"][0] == "L Abergement Clemenciat (1400)"),
    ("fr/annuaire_education_35.csv", {}, "the first header has no mark and is not unique",
     lambda f, t: t.columns[0] == "Identifiant_de_l_etablissement" and f[t.columns[0]].n_unique() == 993),
    ("fr/annuaire_education_35.csv", {}, "the department is 035",
     lambda f, t: f["Code_departement"].unique().to_list() == ["035"]),
    ("fr/sirene_l2_monthly_sample.csv", {}, "SIREN, NIC and CODPOS keep their zeros",
     lambda f, t: f.select("SIREN", "NIC", "CODPOS").row(0) == ("015850944", "00024", "01700")),
    ("fr/sae_ID_2022r.csv", {}, "the encoding that was guessed is told",
     lambda f, t: ("encoding", None) in rules(t) and "Hôpital" not in t.columns),
    ("fr/sae_ID_2022r.csv", {}, "37 keys hold a letter",
     lambda f, t: f["fi"].str.contains("[A-Z]").sum() == 37),
    ("fr/bitd_etablissements.csv", {}, "463 phantom rows are dropped, counted and explained",
     lambda f, t: t.blank_rows == 463 and t.line_ends == "CR CR LF" and ("blank_rows", 2) in rules(t)),
    ("fr/bitd_etablissements.csv", {}, "rows keep the number a spreadsheet shows",
     lambda f, t: f[ROW].head(3).to_list() == [3, 5, 7]),
    ("fr/csvdetective_a_test_file.csv", {}, "404 rows, the two repeated headers skipped and told",
     lambda f, t: f.height == 404 and rules(t) == [("repeated_header", 2), ("repeated_header", 3)]),
    ("fr/departements_france.xlsx", {}, "101 rows, the first code 01",
     lambda f, t: (f.height, len(t.columns), f["code"][0]) == (101, 2, "01")),
    ("dpgf/25S012 - DPGF -Lot4.xlsx", {}, "the lot is read, not its cover sheets",
     lambda f, t: (t.sheet, t.header_row, t.columns) == (
         "LOT 04", 11, ["N°", "DESIGNATION DES OUVRAGES", "Unité", "Qté", "PU HT", "Prix Total HT"])),
    ("dpgf/25S012 - DPGF -Lot4.xlsx", {}, "72 designations, 42 units, rows 81 and 82 priced",
     lambda f, t: f["DESIGNATION DES OUVRAGES"].count() == 72 and f["Unité"].count() == 42 and
     f.filter(pl.col("PU HT").is_not_null()).select(ROW, "Qté", "PU HT").rows()
     == [(81, "344", "47.25"), (82, "16", "184.95")]),
    ("dpgf/DPGF TYPE.xlsx", {}, "header row 9, from column B on, 22 units, no quantity",
     lambda f, t: (t.header_row, t.columns[0], f["Unité"].count(), f["Quantité"].count())
     == (9, "Code", 22, 0)),
    ("dpgf/OCEANIA_DCE_DPGF_Lot 16 CVC GTC.xlsx", {}, "CVC alone, header row 5, 398 units, one inclus",
     lambda f, t: (t.sheet, t.header_row, f["Unité"].count()) == ("CVC", 5, 398) and "inclus" in f["Unité"]),
    ("dpgf/OCEANIA_DCE_DPGF_Lot 16 CVC GTC.xlsx", {}, "hidden sheets are named",
     lambda f, t: any("Prix 1 appartement, Dim Menuiserie Ext" in p.message for p in t.problems)),
    ("dpgf/BPU.xlsx", {}, "496 rows by 13, 496 keys, units that look like fractions stay text",
     lambda f, t: (f.height, len(t.columns), f["N° de prix"].n_unique()) == (496, 13, 496)
     and f["N° de prix"][0] == "3.1.103" and {"1/2 j", "1 j"} <= set(f["Unité"])),
    ("dpgf/BOQ.xlsx", {}, "339 descriptions, 337 quantities, 92 hidden rows counted",
     lambda f, t: (f["Description"].count(), f["Qty"].count()) == (339, 337)
     and any("92 rows are hidden" in p.message for p in t.problems)),
    ("dpgf/BOQ.xlsx", {"hidden_rows": "skip"}, "hidden rows are left out when that is asked for",
     lambda f, t: f.height == 339 - 92),
    ("dpgf/Insulation Medical.xlsx", {}, "the visible sheet, item 1.1 = 135",
     lambda f, t: (t.sheet, t.header_row) == ("Sheet2", 2)
     and f.filter(pl.col("S. No.") == "1.1").select("Unit", "QTY").row(0) == ("SQM.", "135")),
    ("dpgf/destri_export.csv", {}, "values stand under the headers they have in the file",
     lambda f, t: f["PRIX_VENTE_HT"].str.contains("^[0-9]+$").all() is True and "476.95" in f["ARTICLE"]),
    ("wp/meta-data-1min30.csv", {}, "476 posts, 76 pages, 2 titles with a no-break space",
     lambda f, t: sorted(f["type"].value_counts().rows()) == [("page", 76), ("post", 476)]
     and f[t.columns[2]].str.contains("\u00a0").sum() == 2),
    ("wp/export.csv", {}, "the blank column stays without value, the title that begins with + stays itself",
     lambda f, t: f["seo_description"].null_count() == 4341
     and f.filter(pl.col("id") == "1274")["title"][0] == "+20% de CA grâce au Marketing Relationnel"
     and any(p.rule == "formula" for p in t.problems)),
    ("wp/import-test_tab.csv", {}, "id 11825 behind tabs, whatever the commas",
     lambda f, t: f["id"].to_list() == ["11825"]),
    ("wp/screamingfrog_internal_all_title_row.csv", {}, "the title line is no header",
     lambda f, t: t.columns[0] == "Address" and f[ROW][0] == 3),
    ("wp/foxreviews_categorie.csv", {"decode_entities": True}, "& is shown, the apostrophe kept",
     lambda f, t: not f["Term Name"].str.contains("&amp;").any()
     and bool(f["Term Name"].str.contains("’").any())),
    ("wp/foxreviews_categorie.csv", {}, "entities stay unless decoding is asked for",
     lambda f, t: bool(f["Term Name"].str.contains("&amp;").any())),
    ("phone/contacts_two_sheets.xlsx", {}, "1,059 rows, 74 postal codes with a zero",
     lambda f, t: f.height == 1059 and f["ZIP"].str.starts_with("0").sum() == 74),
    ("phone/contacts_two_sheets.xlsx", {"sheet": "Sheet2"}, "941 rows, 90 postal codes with a zero",
     lambda f, t: f.height == 941 and f["ZIP"].str.starts_with("0").sum() == 90),
    ("phone/testNumbersDB.csv", {}, "a number that Excel destroyed is not expanded",
     lambda f, t: "3.58504E+11" in f["some csv header"] and "00250" in f["some csv header"]),
    ("phone/whatsapp_data.xlsx", {}, "12 rows of one number, the nameless column named",
     lambda f, t: (f.height, f["Contact"].n_unique(), t.columns[1]) == (12, 1, "column 2")),
    ("nasty/csvkit_null_byte.csv", {}, "the NUL is an error of row 2",
     lambda f, t: ("nul", 2) in rules(t)),
    ("nasty/csvkit_test_utf16_little.csv", {}, "a cell is ʤ", lambda f, t: "ʤ" in f.row(1)),
    ("nasty/csvkit_mac_newlines.csv", {}, "a return inside quotes belongs to the cell",
     lambda f, t: any("Once upon\ra time" in str(cell) for row in f.rows() for cell in row)),
    ("nasty/csvkit_test_locale.csv", {}, "nothing is converted",
     lambda f, t: {"1,7", "200.000.000"} <= set(f.row(0))),
    ("nasty/csvkit_test_no_leading_zeroes.csv", {}, "01 and 00.11 stay",
     lambda f, t: {"01", "00.11"} <= set(f.row(0))),
    ("nasty/csvkit_bad.csv", {}, "wrong widths by row",
     lambda f, t: rules(t) == [("width", 2), ("width", 3)]),
    ("nasty/csvkit_blanks.csv", {}, "NA, none and null are words",
     lambda f, t: f.row(0)[1:] == (None, "NA", "N/A", "NONE", "NULL", ".")),
    ("nasty/table-with-accents.csv", {}, "the header's accent, the decimal comma as text",
     lambda f, t: "Année" in t.columns and any("0,611553068" in row for row in f.rows())),
    ("nasty/issue-1232.csv", {}, "the code keeps its zero", lambda f, t: f["comune"][0] == "030151360"),
    ("nasty/leading-zeros.csv", {}, "widths differ",
     lambda f, t: f["value"].to_list() == ["01", "002", "00003"]),
    ("nasty/duplicate-headers.csv", {}, "double headers are renamed and told",
     lambda f, t: t.columns == ["id", "name", "id (2)", "age", "id (3)"] and f["id (3)"][0] == "001101"
     and len(t.problems) == 2),
    ("nasty/defective-rows.csv", {}, "both rows are of wrong width",
     lambda f, t: rules(t) == [("width", 2), ("width", 3)] and "Potatoes" in str(t.problems[1].value)),
    ("nasty/largecellsize.csv", {}, "line ends inside cells stay CR LF",
     lambda f, t: f.filter(pl.any_horizontal(pl.all().cast(pl.String).str.contains("\r\n"))).height == 19),
    ("nasty/dde-in-csv.csv", {"header_row": 0}, "one record, flagged, kept as text",
     lambda f, t: f.height == 1 and rules(t) == [("formula", 1)] and f.row(0)[1].startswith("=cmd|")),
    ("nasty/spectrum_comma_in_quotes.csv", {}, "a comma in quotes",
     lambda f, t: (f.height, f.width) == (1, 6)),
    ("nasty/spectrum_json.csv", {}, "JSON in a cell", lambda f, t: json.loads(f.row(0)[2]) is not None),
    ("nasty/sineemore_quotes-with-newline.csv", {"header_row": 0}, "two records without header",
     lambda f, t: (f.height, t.columns) == (2, ["column 1", "column 2", "column 3"])),
    ("nasty/qsv_boston311-100-bad.tsv", {}, "the row with a field too many",
     lambda f, t: [rule for rule in rules(t) if rule[0] == "width"] == [("width", 41)]),
    ("nasty/calamine_date_1904.xlsx", {"header_row": 0}, "days are counted from 1904",
     lambda f, t: f["column 1"].head(2).to_list() == ["2021-01-01", "2021-01-02"]),
    ("nasty/calamine_errors.xlsx", {"header_row": 0}, "error cells are told by address, and are no text",
     lambda f, t: f.height == 7 and f["column 1"].null_count() == 7
     and any(p.message == "Cell A1 holds the error #DIV/0!" for p in t.problems)
     and len([p for p in t.problems if p.level == "error"]) == 7),
    ("nasty/calamine_merged_range.xlsx", {}, "a merged value is taken once",
     lambda f, t: f.row(0) == (3, "A3", "B3", "C3", None, "E3", "F3", "G3", "H3")),
    ("nasty/calamine_merged_range.xlsx", {"fill_merged": True}, "and repeated when that is asked for",
     lambda f, t: f.row(-1) == (4, "A4", "B4", "C4", "C4", "E4", "F4", "G4", "H4")),
    ("nasty/calamine_issues.xlsb", {"header_row": 0}, "types of an xlsb",
     lambda f, t: f["column 1"].to_list() == ["1", "1.5", "ab", "false", "test", "2016-10-20"]),
    ("nasty/calamine_has_x000D_.xlsx", {"header_row": 0}, "an encoded return is a return",
     lambda f, t: f.row(0) == (1, "ABC\r\nDEF")),
    ("nasty/calamine_date.ods", {"header_row": 0}, "dates, datetimes and times of an ods",
     lambda f, t: f["column 1"].to_list()
     == ["2021-01-01", "2021-01-01 10:10:10", "10:10:10", "10:10:10.123456"]),
    ("nasty/fastexcel_changing-header-location.xlsx", {}, "header row 2 under a title",
     lambda f, t: (t.header_row, t.columns, f.height) == (2, ["Month", "Year"], 2)),
    ("nasty/fastexcel_changing-header-location.xlsx", {"sheet": "Sheet3"}, "2 rows under 11 blank ones",
     lambda f, t: (t.header_row, f.height) == (12, 2)),
    ("nasty/fastexcel_duplicated-columns.xlsx", {}, "double headers are told",
     lambda f, t: t.columns == ["col", "col (2)", "col (3)"] and len(t.problems) == 2),
    ("nasty/fastexcel_null-bytes-in-columns-names.xls", {"header_row": 6}, "8,760 rows, no NUL in a header",
     lambda f, t: f.height == 8760 and "region JČ (grid 0011)" in t.columns
     and not any("\0" in name for name in t.columns) and any(p.rule == "nul" for p in t.problems)),
    ("nasty/fric_cast-int-to-string-1251.xlsx", {}, "001 and 002",
     lambda f, t: f["A"].to_list() == ["001", "002"] and f["D"].to_list() == ["a", "1"]),
    ("nasty/fric_issue-312.xlsx", {}, "5 rows, 1 of them blank",
     lambda f, t: (f.height, t.blank_rows, f[ROW].to_list()) == (4, 1, [2, 3, 4, 6])),
    ("nasty/fric_preserve-formatting.xlsx", {}, "nothing is rounded to its format",
     lambda f, t: f.height == 1 and f["0.00"][0] == "1000.5577" and f["mm/dd/yy"][0] == "2040-05-20"),
    ("nasty/csvkit_test_skip_lines.xls", {}, "header row 4, 5 rows",
     lambda f, t: (t.header_row, f.height, f[ROW][0]) == (4, 5, 5)),
    ("nasty/pandas_test_types.xlsx", {}, "5 rows by 6, the small float is exact",
     lambda f, t: (f.height, len(t.columns)) == (5, 6) and f["FloatCol"][4] == "5e-10"
     and f["BoolCol"][0] == "true" and f["DateCol"][0] == "2013-10-30"),
    ("nasty/pandas_blank_with_header.xlsx", {}, "a header and no rows",
     lambda f, t: (f.height, t.columns) == (0, ["col_1", "col_2"])),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "options", "claim"),
    [pytest.param(name, options, claim, id=f"{name}: {text}") for name, options, text, claim in CLAIMS],
)
def test_manifest_claims(shared_data: Path, name: str, options: dict[str, Any], claim: Claim) -> None:
    """What the manifest says a correct loader must report."""
    frame, table = read(shared_data / name, **options)
    assert claim(frame, table), [str(problem) for problem in table.problems]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nasty/sineemore_bad-missing-quote.csv", ["Row 2", "not closed"]),
        ("nasty/begrotingsanalyse-2011.csv", ["header row", "row 4", "row 7", "header_row="]),
        ("nasty/dde-in-csv.csv", ["header row", "header_row="]),
        ("nasty/calamine_pass_protected.xlsx", ["password protected"]),
        ("nasty/calamine_too_small.xls", ["not an Excel file"]),
        ("nasty/fastexcel_null-bytes-in-columns-names.xls", ["row 5", "row 6", "Day", "region JČ"]),
        ("nasty/calamine_any_sheets.xlsx", ["header row", "Visible"]),
    ],
)
def test_what_cannot_be_told_is_refused_with_advice(shared_data: Path, name: str, words: list[str]) -> None:
    """An error names the file or row and what to do; nothing is guessed."""
    with pytest.raises(SourceError) as refused:
        open_table(shared_data / name)
    for word in words:
        assert word in str(refused.value)
    assert refused.value.advice
    assert "\0" not in str(refused.value)


def test_look_shows_rows_to_choose_a_header_from(shared_data: Path) -> None:
    """Where the header can't be told, look gives the first rows with their numbers and asks."""
    seen = look(shared_data / "nasty/begrotingsanalyse-2011.csv")
    assert seen.header_row is None
    assert seen.problems[0].rule == "header"
    assert [row[ROW] for row in seen.preview[:4]] == [1, 2, 3, 4]
    assert seen.preview[3]["column 3"] == "provincie"
    json.dumps(seen.to_dict())


def test_only_visible_data_is_read_by_default(shared_data: Path) -> None:
    """Hidden, very hidden and chart sheets are named but not read."""
    seen = look(shared_data / "nasty/calamine_any_sheets.xlsx", header_row=0)
    assert seen.sheet == "Visible"
    assert [(sheet.name, sheet.visibility, sheet.kind) for sheet in seen.sheets] == [
        ("Visible", "visible", "data"),
        ("Hidden", "hidden", "data"),
        ("VeryHidden", "very hidden", "data"),
        ("Chart", "visible", "chart"),
    ]
    told = " ".join(problem.message for problem in seen.problems)
    assert "Hidden, VeryHidden" in told
    assert "Chart" in told
