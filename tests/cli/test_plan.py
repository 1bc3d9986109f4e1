"""`batchkit plan`: what would change, and what is said when it can't be."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.support.terminal import Shop, call, make_shop, told


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """20 rows: 4 new, 8 of another name, 8 as they should be; and one without a name."""
    return make_shop(tmp_path, extra=[("99999", "")])


@pytest.mark.parametrize(
    ("size", "least"), [("4", "least 0.2 s"), ("5", "least 0.2 s"), ("11", "least 0.1 s"), ("12", "")]
)
def test_the_pace_is_no_slower_than_what_is_foretold(shop: Shop, size: str, least: str) -> None:
    """12 rows are to be written, 0.1 s between chunks: there is no delay after the last of them."""
    page = call(
        "run", *shop.options, "--dry-run", "--yes", "--chunk-size", size, "--delay", "0.1", code=1
    ).stdout
    (pace,) = [line for line in page.splitlines() if line.startswith("Pace:")]
    assert (least in pace) if least else ("least" not in pace)


def test_plan_says_what_would_change(shop: Shop, tmp_path: Path) -> None:
    """Numbers by kind, an example before and after, the problem with its row, and the next command."""
    path = tmp_path / "shops.plan"
    page = call("plan", *shop.options, "-o", path).stdout
    for kind, n in (("create", 4), ("update", 8), ("unchanged", 8), ("invalid", 1)):
        assert any(line.split()[:2] == [kind, str(n)] for line in page.splitlines()), (kind, page)
    assert "old → Épicerie 2" in page
    assert "row 22, name" in page
    assert f"batchkit apply {path}" in page
    assert path.is_file()
    assert shop.held()["00002"] == "old", "planning writes nothing"


def test_a_plan_replaces_plans_only(shop: Shop, tmp_path: Path) -> None:
    """`-o` refuses the source, the target and what is no plan; an older plan and an empty file give way."""
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    before = {path: path.read_bytes() for path in (shop.csv, shop.database, notes)}
    for path, why in ((shop.csv, "the source"), (shop.database, "the target"), (notes, "no plan")):
        assert why in call("plan", *shop.options, "-o", path, code=2).stderr
    assert before == {path: path.read_bytes() for path in before}
    plan = tmp_path / "new.plan"
    plan.touch()
    call("plan", *shop.options, "-o", plan)
    call("plan", *shop.options, "-o", plan)


def test_a_job_replaces_nothing(shop: Shop, tmp_path: Path) -> None:
    """`--save-job` refuses the source, the target, the plan, what is no job, and another job."""
    job, plan = tmp_path / "job.toml", tmp_path / "new.plan"
    job.write_text("[tool.black]\nline-length = 100\n")
    before = {path: path.read_bytes() for path in (shop.csv, shop.database, job)}
    for path, why in ((shop.csv, "the source"), (shop.database, "the target"), (job, "no job")):
        assert why in call("plan", *shop.options, "--save-job", path, code=2).stderr
    assert (
        "the plan of this call" in call("plan", *shop.options, "--save-job", plan, "-o", plan, code=2).stderr
    )
    assert before == {path: path.read_bytes() for path in before}
    job.unlink()
    call("plan", *shop.options, "--save-job", job)
    commented = "# ours\n" + job.read_text()
    job.write_text(commented)
    call("plan", *shop.options, "--save-job", job)
    refused = call("plan", job, "--save-job", job, "--mode", "update", "-o", plan, code=2).stderr
    assert "holds another job" in refused
    assert "Name another file" in refused
    assert job.read_text() == commented, "the same job is left as it is laid out, another one is refused"
    assert not plan.exists(), "refused before anything is done"
    assert "the job file" in call("plan", job, "-o", job, code=2).stderr


def test_a_job_is_saved_once_it_was_planned(shop: Shop, tmp_path: Path) -> None:
    """A call that fails leaves no job file behind."""
    job = tmp_path / "job.toml"
    call("plan", *shop.options[:-1], "idd", "--save-job", job, code=2)
    assert not job.exists()
    call("plan", *shop.options, "--save-job", job)
    assert job.is_file()


def test_a_job_file_in_another_encoding_is_told_from_wrong_toml(shop: Shop, tmp_path: Path) -> None:
    """A job that an editor saved as Latin-1 is met with the line and what to save it as."""
    job = tmp_path / "job.toml"
    call("plan", *shop.options, "--save-job", job)
    job.write_bytes(job.read_bytes() + "name = 'Épiceries'\n".encode("latin-1"))
    refused = call("plan", job, code=2).stderr
    assert f"line {job.read_bytes().count(10)}" in refused
    assert "Save it as UTF-8" in refused
    assert "codec" not in refused


def test_values_that_look_like_punctuation_are_quoted(shop: Shop, tmp_path: Path) -> None:
    """What there is to choose from can be told from the commas between."""
    refused = call("plan", *shop.options, "--field", "name.decimal=;", code=2).stderr
    assert "There is: 'auto', ',', '.'." in refused


def test_programs_get_a_thousand_problems_and_a_count(tmp_path: Path) -> None:
    """A file of bad rows doesn't flood who reads the answer; `--all-problems` gives the rest."""
    shop = make_shop(tmp_path, extra=[(f"9{n:04}", "") for n in range(1_200)])
    first = json.loads(call("plan", *shop.options, "--json").stdout)
    assert (len(first["problems"]), first["problems_left_out"]) == (1_000, 200)
    every = json.loads(call("show", first["plan"], "--json", "--all-problems").stdout)
    assert len(every["problems"]) == 1_200
    assert set(every) == {"plan", "changes", "problems"}


def test_plan_answers_programs(shop: Shop, tmp_path: Path) -> None:
    """`--json` prints the plan's path, the changes and every problem, and nothing else."""
    path = tmp_path / "shops.plan"
    answer: dict[str, Any] = json.loads(call("plan", *shop.options, "-o", path, "--json").stdout)
    assert set(answer) == {"plan", "changes", "problems"}
    assert answer["plan"] == str(path)
    assert answer["changes"] == {"create": 4, "update": 8, "unchanged": 8, "invalid": 1}
    [problem] = answer["problems"]
    assert (problem["row"], problem["column"], problem["level"]) == (22, "name", "error")
    assert problem["message"]
    assert problem["advice"]


def test_plan_shows_a_few_problems_of_each_kind_and_where_the_rest_is(tmp_path: Path) -> None:
    """A thousand problems don't scroll the numbers away, and none is lost."""
    shop = make_shop(tmp_path, extra=[(f"9{n:04}", "") for n in range(30)])
    page = call("plan", *shop.options, "-o", tmp_path / "p").stdout
    assert page.count("The target needs a value") == 3
    assert "… and 27 more like this" in page
    again = next(line for line in page.splitlines() if "27 not shown" in line).partition("batchkit ")[2]
    assert call(*again.split()).stdout.count("The target needs a value") == 30


def test_a_key_that_is_none_is_one_line(shop: Shop) -> None:
    """Where most rows share their key, that is said once, with how many values the key has."""
    lines = ["id;name;type", *(f"{n:05};x;{'AB'[n % 2]}" for n in range(52))]
    shop.csv.write_text("\n".join(lines), encoding="utf-8")
    words = ["plan", str(shop.csv), "--to", shop.url, "--table", "shops", "--create"]
    page = call(*words[:-2], "types", "--create", "--key", "type").stdout
    assert page.count("type has 2 different values in 52 rows") == 1
    assert "The same key stands" not in page
    assert "--keep-duplicates first" in page
    assert "52 problems" in page
    assert "51 not shown" in page


def test_notices_are_no_problems(tmp_path: Path) -> None:
    """What is only worth knowing is counted on its own, behind what keeps rows from being sent."""
    shop = make_shop(tmp_path, extra=[("99999", ""), ("1234", "Short")])
    page = call("plan", *shop.options, "--field", "id.width=5", "--field", "id.repair=leading_zero").stdout
    assert "1 problem, 1 notice" in page
    assert page.index("The target needs a value") < page.index("leading zero")


def test_what_is_said_of_a_file_is_in_options_and_entries(tmp_path: Path) -> None:
    """A program reads the same advice as a person: an option, or an entry of a job file; no Python."""
    path = tmp_path / "old.csv"
    path.write_bytes("id;nom\n1;Épicerie\n2;Crèmerie\n".encode("cp1252"))
    [problem] = [one for one in told("look", path)["problems"] if one["rule"] == "encoding"]
    assert "--encoding mac_roman" in problem["advice"]
    assert 'encoding = "mac_roman"' in problem["advice"]
    assert problem["advice"] in " ".join(call("look", path).stdout.split())


def test_plan_by_a_job_file(shop: Shop, tmp_path: Path) -> None:
    """`--save-job` keeps the options; the job file then stands for all of them, and options win over it."""
    job = tmp_path / "shops.toml"
    first = json.loads(call("plan", *shop.options, "--save-job", job, "--json").stdout)
    again = json.loads(call("plan", job, "--json").stdout)
    assert again["changes"] == first["changes"]
    other = json.loads(call("plan", job, "--mode", "update", "--json").stdout)
    assert other["changes"].get("create", 0) == 0
    assert other["changes"]["missing"] == 4


def test_plan_maps_columns_to_fields(shop: Shop, tmp_path: Path) -> None:
    """`--map COL=FIELD` feeds a field from a column of another name; `--key` may be the column."""
    text = shop.csv.read_text(encoding="utf-8-sig").replace("id;name", "Numéro;Nom du magasin", 1)
    shop.csv.write_text(text, encoding="utf-8")
    words = ["plan", str(shop.csv), "--to", shop.url, "--table", "shops", "--json"]
    maps = ["--map", "Nom du magasin=name", "--map", "Numéro=id"]
    for key in ("id", "Numéro"):
        answer = json.loads(call(*words, *maps, "--key", key).stdout)
        assert answer["changes"] == {"create": 4, "update": 8, "unchanged": 8, "invalid": 1}


def test_a_lookup_creates_what_is_missing_when_told(tmp_path: Path) -> None:
    """A name nobody knows is refused with the option that creates it; with it the name and the row go in."""
    path, database, job = tmp_path / "goods.csv", tmp_path / "goods.sqlite", tmp_path / "job.toml"
    path.write_text("id;categorie\n1;Bois\n2;Pierre\n", encoding="utf-8")
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE categories (id INTEGER PRIMARY KEY, nom TEXT UNIQUE)")
        connection.execute("INSERT INTO categories (nom) VALUES ('Bois')")
        connection.execute("CREATE TABLE goods (id TEXT PRIMARY KEY, categorie_id INTEGER)")
    words = (path, "--to", f"sqlite:///{database.as_posix()}", "--table", "goods", "--key", "id")
    lookup = ("--lookup", "categorie_id=categories.nom")
    refused = told("plan", *words, *lookup)
    assert refused["changes"] == {"create": 1, "invalid": 1}
    [problem] = refused["problems"]
    assert "--create-missing" in problem["advice"]
    assert "create = true" in problem["advice"]
    assert "--lookup" in call("plan", *words, "--create-missing", code=2).stderr
    made = told("plan", *words, *lookup, "--create-missing", "--save-job", job)
    assert made["changes"] == told("plan", job)["changes"] == {"create": 2}
    only = ("--create-missing", "--only", "categorie")
    assert told("plan", *words, *lookup, *only)["changes"] == {"create": 2}
    assert told("apply", made["plan"], "--yes")["outcomes"]["done"] == 2
    query = "SELECT nom FROM goods JOIN categories ON categorie_id = categories.id ORDER BY goods.id"
    assert connection.execute(query).fetchall() == [("Bois",), ("Pierre",)]
    connection.close()


@pytest.fixture
def wide(tmp_path: Path) -> tuple[str | Path, ...]:
    """The call that plans a row whose name (`Nom`, mapped) and town (by its name) differ at the target."""
    path, database = tmp_path / "wide.csv", tmp_path / "wide.sqlite"
    path.write_text("id;Nom;ville\n1;new;Lyon\n", encoding="utf-8")
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE shops (id TEXT PRIMARY KEY, name TEXT, ville TEXT)")
        connection.execute("INSERT INTO shops VALUES ('1', 'old', 'Paris')")
    connection.close()
    words = ("--to", f"sqlite:///{database.as_posix()}", "--table", "shops", "--key", "id")
    return (path, *words, "--map", "Nom=name")


def written(*words: str | Path) -> dict[str, str]:
    """The fields that the plan of this call would write to its one row."""
    shown = told("show", told("plan", *words)["plan"], "--changes", "update")
    return {name: values["after"] for row in shown for name, values in row["fields"].items()}


def test_map_leaves_the_other_columns_in_and_only_leaves_them_out(
    wide: tuple[str | Path, ...], tmp_path: Path
) -> None:
    """`--map` alone still writes what has the same name; `--only` doesn't, by column or field, saved too."""
    assert written(*wide) == {"name": "new", "ville": "Lyon"}
    for only in ("Nom", "name", "NAME"):
        assert written(*wide, "--only", only) == {"name": "new"}
    assert written(*wide, "--only", "name,ville") == {"name": "new", "ville": "Lyon"}
    job = tmp_path / "job.toml"
    assert written(*wide, "--only", "ville", "--save-job", job) == {"ville": "Lyon"}
    assert written(job) == {"ville": "Lyon"}


def test_only_names_what_is_there(wide: tuple[str | Path, ...]) -> None:
    """A column nobody knows, and a rule for a field that is left out, are wrong calls that say so."""
    refused = call("plan", *wide, "--only", "vile", code=2).stderr
    assert "--only 'vile'" in refused
    assert "Did you mean 'ville'?" in refused
    refused = call("plan", *wide, "--only", "ville", "--field", "name.required=true", code=2).stderr
    assert "--only ville,name" in refused


def test_only_goes_with_a_key_named_by_its_column(wide: tuple[str | Path, ...]) -> None:
    """The key is written whatever its column is called, and is found under that name."""
    path = Path(wide[0])
    path.write_text(path.read_text().replace("id;", "Numéro;"), encoding="utf-8")
    words = [*wide[:-3], "Numéro", "--map", "Nom=name", "--map", "Numéro=id"]
    assert written(*words, "--only", "ville") == {"ville": "Lyon"}


def test_plan_with_a_rule_for_a_field(shop: Shop) -> None:
    """`--field` adds a check to one field and leaves the others as they are."""
    answer = json.loads(call("plan", *shop.options, "--field", "name.pattern=Épicerie 1.*", "--json").stdout)
    assert answer["changes"]["invalid"] == 20 - 11 + 1


def test_plan_from_a_query(shop: Shop) -> None:
    """`--query` reads the rows from a database: names are fixed in place."""
    query = "SELECT id, upper(name) AS name FROM shops WHERE name = 'old'"
    words = ["--to", shop.url, "--table", "shops", "--key", "id", "--query", query, "--json"]
    assert json.loads(call("plan", shop.url, *words).stdout)["changes"] == {"update": 8}


def test_advice_speaks_of_options(shop: Shop) -> None:
    """What Python calls `keep_duplicates=` and `sheet=` is an option here."""
    shop.csv.write_text("id;name\n1;a\n1;b\n", encoding="utf-8")
    page = call("plan", *shop.options).stdout
    assert "--keep-duplicates first" in page
    kept = call("plan", *shop.options, "--keep-duplicates", "first", "--json").stdout
    assert json.loads(kept)["changes"] == {"create": 1, "unchanged": 1}


@pytest.mark.parametrize(
    ("cap", "deletes"),
    [("100", 5), ("5", 5), ("4", None), ("0.5", 5), ("50%", 5), ("0,5", 5), ("5%", None), ("0.1", None)],
)
def test_each_form_of_a_delete_cap_works(shop: Shop, cap: str, deletes: int | None) -> None:
    """A number of rows, a share and a percentage; past the cap the way to raise it is an option."""
    lines = shop.csv.read_text(encoding="utf-8-sig").splitlines()
    held = [f"{n:05}" for n in (1, 2, 3, 4, 6)]
    shop.csv.write_text("\n".join(line for line in lines if line[:5] not in held), encoding="utf-8")
    words = ["plan", *shop.options, "--delete", "--delete-cap", cap]
    if deletes:
        assert json.loads(call(*words, "--json").stdout)["changes"]["delete"] == deletes
    else:
        assert "--delete-cap 5" in call(*words, code=2).stderr


def test_the_heading_counts_deletes_apart(shop: Shop) -> None:
    """The rows of the file are those of the file; what is to be deleted stands beside them."""
    lines = shop.csv.read_text(encoding="utf-8-sig").splitlines()
    shop.csv.write_text("\n".join(line for line in lines if line[:5] != "00001"), encoding="utf-8")
    page = call("plan", *shop.options, "--delete").stdout
    assert page.splitlines()[1].startswith("20 rows in the source and 1 row to delete, key id, ")
    assert call("plan", *shop.options).stdout.splitlines()[1].startswith("20 rows, key id, ")


@pytest.mark.parametrize("cap", ["many", "-1", "1.5", "101%", "%"])
def test_a_delete_cap_that_is_none_is_refused(shop: Shop, cap: str) -> None:
    """What is neither a number nor a share is named, with both forms."""
    told = call("plan", *shop.options, "--delete", "--delete-cap", cap, code=2).stderr
    assert cap in told
    assert "(100)" in told
    assert "(5%)" in told


def test_a_job_that_deletes_takes_a_cap(shop: Shop, tmp_path: Path) -> None:
    """`--delete-cap` beside a job file that says delete is enough."""
    job = tmp_path / "job.toml"
    call("plan", *shop.options, "--delete", "--delete-cap", "5%", "--save-job", job)
    other = tmp_path / "other.toml"
    call("plan", job, "--delete-cap", "100", "--save-job", other)
    assert "delete_cap = 100\n" in other.read_text()


def test_french_dates_and_numbers_need_two_words(tmp_path: Path) -> None:
    """Without `--dates` and `--decimal` the advice names them; with them every column is read."""
    path, job = tmp_path / "ventes.csv", tmp_path / "job.toml"
    path.write_text("id;jour;montant;paye\n1;31/12/2026;1.234;02/01/2026\n2;01/02/2026;12,5;03/01/2026\n")
    with sqlite3.connect(tmp_path / "v.sqlite") as connection:
        connection.execute(
            "CREATE TABLE ventes (id TEXT PRIMARY KEY, jour DATE, paye DATE, montant NUMERIC(9,3))"
        )
    connection.close()
    words = ("plan", path, "--to", f"sqlite:///{tmp_path}/v.sqlite", "--table", "ventes", "--key", "id")
    page = call(*words).stdout
    assert '--dates dd/mm/yyyy, or dates = ["dd/mm/yyyy"] in a job file' in page
    assert '--decimal , or decimal = "," in a job file' in page
    told("plan", *words[1:], "--dates", "dd/mm/yyyy,dd-mm-yy", "--decimal", ",", "--save-job", job)
    assert told("plan", job)["changes"] == {"create": 2}
    assert 'dates = [\n    "dd/mm/yyyy",\n    "dd-mm-yy",\n]' in job.read_text()
    shown = told("show", told("plan", job)["plan"], "--changes", "create")
    assert shown[0]["fields"]["montant"]["after"] == "1234.000"
    assert shown[0]["fields"]["jour"]["after"] == "2026-12-31"


def test_a_rule_leaves_the_numbers_of_a_workbook_alone(tmp_path: Path) -> None:
    """Cells that are numbers stay what they are, with `--decimal ,` and a `--field` for another column."""
    import xlsxwriter

    path, database = tmp_path / "sales.xlsx", tmp_path / "sales.sqlite"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for n, row in enumerate([("id", "amount"), ("1", 12.5)]):
            sheet.write_row(n, 0, row)
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE sales (id TEXT PRIMARY KEY, amount NUMERIC(9,2))")
    connection.close()
    words = ("plan", path, "--to", f"sqlite:///{database.as_posix()}", "--table", "sales", "--key", "id")
    assert told(*words, "--decimal", ",", "--field", "id.required=true")["changes"] == {"create": 1}


def test_hidden_rows_and_merged_cells_have_options(tmp_path: Path) -> None:
    """What `look` says of a workbook can be chosen by the option it names, for `plan` too."""
    import xlsxwriter

    path = tmp_path / "shops.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for n, row in enumerate([("id", "name"), ("1", ""), ("2", ""), ("3", "Hidden")]):
            sheet.write_row(n, 0, row)
        sheet.merge_range("B2:B3", "Both")
        sheet.set_row(3, None, None, {"hidden": True})
    page = call("look", path).stdout
    assert "--hidden-rows skip, or hidden_rows = " in page
    assert "--fill-merged, or fill_merged = true" in page
    chosen = ("--hidden-rows", "skip", "--fill-merged", "--json")
    assert json.loads(call("look", path, *chosen).stdout)["rows"] == 2
    words: list[str | Path] = ["plan", path, "--to", f"sqlite:///{tmp_path}/new.sqlite", "--table", "shops"]
    words += ["--key", "id"]
    assert json.loads(call(*words, "--create", "--json").stdout)["changes"] == {"create": 3}
    plan = json.loads(call(*words, "--create", *chosen).stdout)
    assert plan["changes"] == {"create": 2}
    shown = json.loads(call("show", plan["plan"], "--changes", "create", "--json").stdout)
    assert [one["fields"]["name"]["after"] for one in shown] == ["Both", "Both"]


def test_plan_creates_the_table_when_asked(shop: Shop, tmp_path: Path) -> None:
    """A database that isn't there is refused, unless `--create` says that it shall be made."""
    new = f"sqlite:///{(tmp_path / 'new.sqlite').as_posix()}"
    words = ["plan", str(shop.csv), "--to", new, "--table", "shops", "--key", "id", "--json"]
    refused = json.loads(call(*words, code=2).stdout)
    assert "--create" in refused["error"]["advice"]
    made = json.loads(call(*words, "--create").stdout)
    assert made["changes"] == {"create": 21}


WRONG = {
    "no file": (["nope.csv"], 2, ["no file", "nope.csv"]),
    "no such table": (["--table", "shopz"], 2, ["no table 'shopz'", "shops"]),
    "no such key": (["--key", "ident"], 2, ["'ident'", "id"]),
    "no such column": (["--map", "nom=name"], 2, ["'nom'", "'name'"]),
    "half a mapping": (["--map", "name"], 2, ["COL=FIELD"]),
    "half a rule": (["--field", "name"], 2, ["FIELD.RULE=VALUE"]),
    "unknown rule": (["--field", "name.requird=true"], 2, ["requird", "required"]),
    "unknown mode": (["--mode", "merge"], 2, ["merge", "upsert"]),
    "unknown option": (["--bogus"], 2, ["--bogus"]),
    "no such lookup table": (["--lookup", "name=places.nom"], 2, ["'places'"]),
    "no such lookup column": (["--lookup", "name=shops.nom"], 2, ["'nom'", "id, name"]),
    "unknown target": (["--to", "mysql://host/db"], 2, ["mysql", "sqlite"]),
    "a path for an address": (["--to", "base été.sqlite"], 2, ['"sqlite:///base été.sqlite"']),
    "no database": (["--to", "sqlite:///none.sqlite"], 2, ["none.sqlite"]),
    "nobody there": (["--to", "postgresql://me@127.0.0.1:1/db"], 2, ["127.0.0.1"]),
    "cap without delete": (["--delete-cap", "5"], 2, ["--delete"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_a_sentence(what: str, shop: Shop) -> None:
    """Each mistake gets a sentence that names it, no traceback, and the exit code of its kind."""
    words, code, named = WRONG[what]
    options = list(shop.options)
    if not words[0].startswith("-"):
        options[0] = words[0]
        words = []
    elif words[0] in options:
        place = options.index(words[0])
        options[place : place + 2] = words
        words = []
    told = call("plan", *options, *words, code=code).stderr
    for word in named:
        assert word in told, told
    assert "Traceback" not in told
    assert "resume" not in told, "there is no run yet"
    assert len(told.splitlines()) <= 3, told


def test_a_near_name_is_said_once(shop: Shop) -> None:
    """A field of the target that the file fills as well isn't two candidates."""
    told = call("plan", *shop.options[:-1], "idd", code=2).stderr
    assert "Did you mean 'id'?" in told


def test_missing_options_are_named_at_once(shop: Shop) -> None:
    """Whoever forgets three options is told of all three, with an example."""
    told = call("plan", shop.csv, code=2).stderr
    assert "--to, --table and --key" in told
    assert "batchkit plan" in told


def test_errors_are_json_too(shop: Shop) -> None:
    """A program gets the error on stdout as JSON, with the same exit code."""
    for words in (
        ["plan", "nope.csv", *shop.options[1:]],
        ["plan", shop.csv],
        ["plan", *shop.options, "--bogus"],
    ):
        error = json.loads(call(*words, "--json", code=2).stdout)["error"]
        assert set(error) == {"message", "advice"}
        assert error["message"]
