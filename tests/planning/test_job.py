"""The job: in Python and as TOML, both ways, and never with a secret in it."""

from __future__ import annotations

import sqlite3
import tomllib
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.checking.fields import Field
from batchkit.core.columns import FieldType
from batchkit.core.errors import JobError, MappingError, SettingsError
from batchkit.planning.fit import describe_new_fields, fit, name_field
from batchkit.planning.job import Job

TEXT = FieldType(type="text")


def job(**options: Any) -> Job:
    """A small job with some options changed."""
    return Job(**{"source": "c.csv", "to": "memory:job", "table": "t", "key": ["siret"], **options})


def full_job(folder: Path) -> Job:
    """A job that uses every option a file can hold."""
    return Job(
        str(folder / "data" / "c.csv"),
        f"sqlite:///{folder}/c.sqlite",
        "companies",
        ["siret"],
        "update",
        name="companies",
        fields=[
            Field("siret", siret=True),
            Field("name", column="Nom", max_length=80),
            Field("categorie_id"),
        ],
        encoding="cp1252",
        delimiter=";",
        header_row=3,
        create=True,
        delete=True,
        delete_cap="5%",
        ignore_case=True,
        keep_duplicates="last",
        dates=("dd/mm/yyyy", "dd/mm/yyyy hh:mm"),
        decimal=",",
        blank="keep",
        lookups={"categorie_id": {"table": "categories", "by": "name", "create": True}},
        settings={"workers": 2, "delay": "200ms"},
    )


FRENCH = {
    "siret": TEXT,
    "ouvert": FieldType("date"),
    "vu": FieldType("datetime"),
    "ca": FieldType("decimal", scale=2),
    "part": FieldType("float"),
    "effectif": FieldType("integer"),
}


def test_dates_and_decimal_mark_for_all_fields() -> None:
    """What the job says of dates and numbers holds for each such field that doesn't say its own."""
    fields = [
        *FRENCH,
        Field("iso", type="date", formats=("yyyy-mm-dd",)),
        Field("dot", type="float", decimal="."),
    ]
    french = job(fields=fields, dates=("dd/mm/yyyy",), decimal=",")
    names = [*FRENCH, "iso", "dot"]
    types = {**FRENCH, "iso": FieldType("date"), "dot": FieldType("float")}
    found = {one.name: one for one in fit(french, names, types).mapping.fields}
    formats = {name: one.formats for name, one in found.items() if one.formats}
    assert formats == {"ouvert": ("dd/mm/yyyy",), "vu": ("dd/mm/yyyy",), "iso": ("yyyy-mm-dd",)}
    marks = {name: one.decimal for name, one in found.items() if one.decimal != "auto"}
    assert marks == {"ca": ",", "part": ",", "dot": "."}


def test_numbers_of_a_workbook_need_no_decimal_mark() -> None:
    """A number that was a number is never read by the mark of texts: 1.234 stays 1.234."""
    french = job(dates=("dd/mm/yyyy",), decimal=",")
    found = {one.name: one for one in fit(french, list(FRENCH), FRENCH, typed=True).mapping.fields}
    assert found["ca"].decimal == "auto"
    assert found["ouvert"].formats == ("dd/mm/yyyy",)


def test_a_french_file_needs_no_word_per_column(tmp_path: Path) -> None:
    """Days before months and commas in numbers, said once for the whole file."""
    (tmp_path / "c.csv").write_text(
        "siret;ouvert;ca\n1;31/12/2020;1.234,50\n2;2021-02-01;7\n", encoding="utf-8"
    )
    with sqlite3.connect(tmp_path / "c.sqlite") as base:
        base.execute("CREATE TABLE t (siret TEXT PRIMARY KEY, ouvert DATE, ca DECIMAL(12,2))")
    base.close()
    french = Job(
        str(tmp_path / "c.csv"),
        f"sqlite:///{tmp_path}/c.sqlite",
        "t",
        ["siret"],
        dates="dd/mm/yyyy",
        decimal=",",
    )
    rows = french.plan().changes().select("after:ouvert", "after:ca").collect().rows()
    assert rows == [(date(2020, 12, 31), Decimal("1234.50")), (date(2021, 2, 1), Decimal("7.00"))]


def test_a_decimal_mark_is_one_of_three() -> None:
    """Anything else is refused."""
    with pytest.raises(JobError, match="decimal can't be"):
        job(decimal=";")


def test_save_load_is_identity(tmp_path: Path) -> None:
    """A job that is saved and loaded again is the same job, with all its options."""
    path = full_job(tmp_path).save(tmp_path / "job.toml")
    again = Job.load(path)
    assert again.to_dict() == full_job(tmp_path).to_dict()
    assert again.to_toml(tmp_path) == path.read_text(encoding="utf-8")


def test_nothing_is_saved_twice(tmp_path: Path) -> None:
    """What the job says of all fields isn't repeated in each; a file that repeats it is the same job."""
    lookup = {"table": "categories", "by": "name"}
    lookups = {"category_id": lookup, "other_id": lookup}
    fields = [
        Field("name", blank="keep"),
        Field("category_id", blank="keep", lookup=lookup),
        Field("other_id", lookup={**lookup, "by": "code"}),
    ]
    one = job(fields=fields, blank="keep", lookups=lookups)
    text = one.save(tmp_path / "job.toml").read_text(encoding="utf-8")
    assert text.count("keep") == 1
    assert text.count('by = "name"') == 1
    assert text.count('by = "code"') == 1
    again = Job.load(tmp_path / "job.toml")
    assert again.all_lookups == one.all_lookups
    names = ["siret", "name", "category_id", "other_id"]
    types = dict.fromkeys(names, TEXT)
    assert fit(again, names, types) == fit(one, names, types)
    old = {**one.to_dict(), "fields": {each.name: each.to_dict() for each in fields}, "lookups": lookups}
    assert fit(Job.from_dict(old), names, types) == fit(one, names, types)


def test_save_writes_relative_paths(tmp_path: Path) -> None:
    """Files under the job's folder are named relative to it, so that the folder can move."""
    text = full_job(tmp_path).save(tmp_path / "job.toml").read_text(encoding="utf-8")
    assert 'source = "data/c.csv"' in text
    assert 'to = "sqlite:///c.sqlite"' in text
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "job.toml").rename(moved / "job.toml")
    assert Job.load(moved / "job.toml").to_dict()["source"] == (moved / "data/c.csv").as_posix()


def test_defaults_are_left_out(tmp_path: Path) -> None:
    """A plain job is a plain file."""
    text = job(source=str(tmp_path / "c.csv")).to_toml(tmp_path)
    assert tomllib.loads(text) == {"source": "c.csv", "to": "memory:job", "table": "t", "key": ["siret"]}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('source = "a"\nto = "memory:x"\nkee = ["a"]', "'key'"),
        ('source = "a"', "'to'"),
        ('source = "a"\nto = "memory:x"\nkey = ["a"]\nmode = "upset"', "'upsert'"),
        ('source = "a"\nto = "memory:x"\nkey = ["a"]\n[fields.nom]\ncolum = "Nom"', "'column'"),
        ('source = "a"\nto = "memory:x"', "needs a key"),
        ('source = "a"\nto = "memory:x"\nmode = "append"\ndelete = true', "only adds"),
        ('source = "a"\nto = "memory:x"\nkey = ["k"]\nlookups = {k = {table = "t", by = "n"}}', "lookup"),
        ('source = "a"\nto = "memory:x"\nkey = [1]', "key takes names"),
        ('source = "a" to = "b"', "isn't TOML"),
    ],
)
def test_load_refuses(tmp_path: Path, text: str, says: str) -> None:
    """A wrong entry is refused with what was meant or what to write."""
    (tmp_path / "job.toml").write_text(text)
    with pytest.raises((JobError, MappingError), match=says):
        Job.load(tmp_path / "job.toml")


def test_a_wrong_setting_is_told_when_planning(tmp_path: Path) -> None:
    """A misspelt setting of a job is found before there is a plan to start."""
    (tmp_path / "c.csv").write_text("siret\n1\n", encoding="utf-8")
    one = job(source=str(tmp_path / "c.csv"), to=f"sqlite:///{tmp_path}/c.sqlite", create=True)
    assert one.plan().to_send() == 1
    with pytest.raises(SettingsError, match="Did you mean 'workers'"):
        replace(one, settings={"worker": 3}).plan()


def test_load_missing_file(tmp_path: Path) -> None:
    """A job file that isn't there is a clear error."""
    with pytest.raises(JobError, match=r"job\.toml can't be read"):
        Job.load(tmp_path / "job.toml")


@pytest.mark.parametrize(
    "options",
    [
        {"to": "postgresql://bob:hush-hush@h/db"},
        {"settings": {"password": "hush-hush"}},
        {"lookups": {"c": {"table": "t", "by": "n", "url": "postgresql://bob:hush-hush@h/db"}}},
    ],
)
def test_save_refuses_passwords(tmp_path: Path, options: dict[str, Any]) -> None:
    """A password is refused with advice to name it, and stands neither in the error nor in a repr."""
    one = job(**options)
    with pytest.raises(JobError, match=r"\{secret:NAME\}") as caught:
        one.save(tmp_path / "job.toml")
    assert "hush-hush" not in str(caught.value)
    assert "hush-hush" not in repr(job(to="postgresql://bob:hush-hush@h/db"))
    assert not (tmp_path / "job.toml").exists()


def test_save_keeps_names_of_secrets(tmp_path: Path) -> None:
    """The name of a secret is no secret."""
    path = job(to="postgresql://bob:{secret:pg}@h/db").save(tmp_path / "job.toml")
    assert Job.load(path).to == "postgresql://bob:{secret:pg}@h/db"


def test_query_sources_are_saved(tmp_path: Path) -> None:
    """A SQL query is a source that a file can hold, with its address relative to it."""
    source = {"address": f"sqlite:///{tmp_path}/crm.sqlite", "query": "SELECT id, name FROM shops"}
    path = job(source=source).save(tmp_path / "job.toml")
    assert tomllib.loads(path.read_text(encoding="utf-8"))["source"] == {
        **source,
        "address": "sqlite:///crm.sqlite",
    }
    again = Job.load(path)
    assert again.to_dict()["source"] == {**source, "address": f"sqlite:///{tmp_path}/crm.sqlite"}
    with pytest.raises(JobError, match="'query'"):
        job(source={"address": "sqlite:///c.sqlite", "querry": "SELECT 1"})


def test_frames_cannot_be_saved(tmp_path: Path) -> None:
    """A job whose source is a frame says so instead of writing half a job."""
    with pytest.raises(JobError, match="DataFrame can't be saved"):
        job(source=pl.DataFrame({"siret": ["1"]})).save(tmp_path / "job.toml")


def test_fit_by_name() -> None:
    """Without fields or map, each column that bears a field's name feeds it; so does the key's."""
    types = {"siret": TEXT, "code_postal": TEXT, "made": FieldType(type="text", generated=True), "rest": TEXT}
    fitted = fit(job(key=["SIRET"]), ["SIRET", "Code Postal", "made", "Autre"], types)
    assert {one.name: one.column for one in fitted.mapping.fields} == {
        "siret": "SIRET",
        "code_postal": "Code Postal",
    }
    assert fitted.key == ("siret",)


def test_fit_by_map_where_names_differ() -> None:
    """A map says the columns whose names differ; the others feed the field of their name."""
    types = {"siret": TEXT, "code_postal": TEXT, "city": TEXT}
    fitted = fit(job(map={"CP": "code_postal"}), ["siret", "CP", "city"], types)
    columns = {one.name: one.column for one in fitted.mapping.fields}
    assert columns == {"siret": "siret", "city": "city", "code_postal": "CP"}


def test_fit_fields_are_exact() -> None:
    """With fields, those and the key are filled, and nothing else; a map gives them their columns."""
    types = {"siret": TEXT, "code_postal": TEXT, "city": TEXT}
    one = job(fields=[Field("code_postal", pattern=r"\d{5}")], map={"CP": "code_postal"})
    fitted = fit(one, ["siret", "CP", "city"], types)
    assert [(each.name, each.column, each.pattern) for each in fitted.mapping.fields] == [
        ("siret", None, None),
        ("code_postal", "CP", r"\d{5}"),
    ]


def test_fit_lookup_by_its_name() -> None:
    """A lookup field `categorie_id` is fed by the column `categorie`."""
    lookups = {"categorie_id": {"table": "categories", "by": "nom"}}
    types = {"siret": TEXT, "categorie_id": FieldType(type="integer")}
    fitted = fit(job(lookups=lookups), ["siret", "categorie"], types)
    assert fitted.mapping.fields[1].column == "categorie"
    assert fitted.mapping.fields[1].lookup == lookups["categorie_id"]


def test_fit_new_table_takes_all_columns() -> None:
    """A table that is yet to be made gets a field for each column, under a plain name."""
    fitted = fit(job(key=["N° de prix "]), ["N° de prix", "Désignation", "Désignation (2)", "2022"], {})
    assert [one.name for one in fitted.mapping.fields] == [
        "n_de_prix",
        "designation",
        "designation_2",
        "c_2022",
    ]
    assert fitted.key == ("n_de_prix",)


def test_fit_made_table_again() -> None:
    """The table that was made for a file is fed by all of the file's columns the next time as well."""
    columns = ["N° de prix", "Désignation", "Désignation (2)", "A very long name " * 6]
    first = fit(job(key=["N° de prix"]), columns, {})
    types = describe_new_fields(first)
    again = fit(job(key=["N° de prix"]), columns, types)
    assert [(one.name, one.column) for one in again.mapping.fields] == [
        (one.name, one.column) for one in first.mapping.fields
    ]


def test_fit_unknown_key() -> None:
    """A key that is nowhere is refused, and the near one is named."""
    with pytest.raises(MappingError, match="siret") as caught:
        fit(job(key=["sirte"]), ["siret"], {"siret": TEXT})
    assert "'siret'" in caught.value.advice


@given(st.text(max_size=100))
def test_field_name_is_plain(column: str) -> None:
    """Whatever a column is called, its field's name needs no quotes anywhere."""
    name = name_field(column)
    assert name.isascii()
    assert name.isidentifier()
    assert name == name.lower()
    assert len(name) <= 62
