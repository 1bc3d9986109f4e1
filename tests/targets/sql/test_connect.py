"""SQL targets: addresses, what is said before anything is planned, and tables that are created."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.columns import FieldType
from batchkit.core.errors import JobError, TargetError, UsageError
from batchkit.planning.job import Job
from batchkit.targets.base import open_target
from batchkit.targets.sql.address import parse_address
from batchkit.targets.sql.target import SqlTarget
from tests.support.sql_databases import (
    Database,
    connected,
    open_companies,
    rows,
)
from tests.support.sql_frames import context, plan_frame


class TestConnect:
    """What is said before anything is planned."""

    def test_an_unknown_table_is_answered_with_near_names(self, companies: Database) -> None:
        """A slip of the pen is met with the name that was meant."""
        with pytest.raises(TargetError, match="Did you mean companies"):
            open_companies(companies, table="compagnies")

    def test_an_unknown_key_is_answered_with_near_names(self, companies: Database) -> None:
        """The same for the key's columns."""
        with pytest.raises(TargetError, match="Did you mean siret"):
            open_companies(companies, key=["siren"])

    def test_a_mode_needs_its_key(self, companies: Database) -> None:
        """Upsert without a key is refused before anything is opened."""
        with pytest.raises(UsageError, match="needs a key"):
            SqlTarget(companies.url, table="companies")
        with pytest.raises(UsageError, match="no mode"):
            SqlTarget(companies.url, table="companies", mode="replace")

    def test_describe_opens_the_same_target_again(self, companies: Database) -> None:
        """A run's process makes the target from its description."""
        target = open_companies(companies, busy_timeout=0.5)
        again = open_target(**target.describe())
        assert isinstance(again, SqlTarget)
        connected(again)
        assert again.address == target.address
        assert again.fields() == target.fields()

    def test_a_table_is_created_when_asked_at_the_first_chunk(self, database: Database) -> None:
        """Before, only the mapping's fields are known; a dry run creates nothing."""
        types = {
            "siret": FieldType("text", max_length=14),
            "ca": FieldType("decimal", precision=10, scale=2),
            "cree": FieldType("date"),
            "n": FieldType("integer"),
        }
        target = open_companies(database, create=True, create_types=types)
        assert target.fields() == types
        assert target.read(pl.DataFrame({"siret": ["1"]}), ["n"]).height == 0
        after = {"siret": "1", "ca": Decimal("1.20"), "cree": date(2020, 2, 29), "n": 2**40}
        changes: list[Any] = [("create", None, after), ("create", None, after | {"siret": "2"})]
        frame = plan_frame(changes, ["siret"], types)
        assert target.apply(frame, context(frame, dry_run=True)) == []
        with pytest.raises(Exception, match="companies"):
            rows(database, "*")
        assert target.apply(frame, context(frame)) == []
        assert target.fields()["siret"].key
        assert target.fields()["ca"].scale == 2
        found = target.read(pl.DataFrame({"siret": ["1"]}), ["ca", "cree", "n"])
        assert found.row(0, named=True) == after

    def test_every_row_can_be_listed(self, companies: Database) -> None:
        """Scanning brings all keys in frames of the size asked for."""
        companies.execute("INSERT INTO companies (siret, nom) VALUES ('1','a'), ('2','b'), ('3','c')")
        frames = list(open_companies(companies).scan_keys(["nom"], 2))
        assert [frame.height for frame in frames] == [2, 1]
        assert sorted(pl.concat(frames).rows()) == [("1", "a"), ("2", "b"), ("3", "c")]


class TestAddress:
    """Addresses as people write them."""

    @pytest.mark.parametrize(
        "text",
        [
            "postgres://me:p4ss@host:5433/db",
            "postgresql://me:p4ss@host:5433/db",
            "postgresql+psycopg://me:p4ss@host:5433/db",
        ],
    )
    def test_a_password_is_used_but_never_shown(self, text: str) -> None:
        """It is in the login and nowhere else."""
        target = SqlTarget(text, table="t", key=["k"])
        assert target.address == "postgresql://me@host:5433/db#t"
        assert "p4ss" not in f"{target!r} {target.describe()} {parse_address(text)}"
        assert parse_address(text).login_url().password == "p4ss"

    @pytest.mark.parametrize("password", ["pre{secret:x}", "{secret:x}post", "{secret:x}{secret:y}"])
    def test_a_placeholder_is_the_whole_password(self, password: str) -> None:
        """A part of a password can't be stored by its name, so it is refused with advice, in a job too."""
        address = f"postgresql://me:{password}@host/db"
        with pytest.raises(UsageError, match="something else beside it") as caught:
            parse_address(address)
        assert "pre" not in str(caught.value)
        with pytest.raises(JobError, match="something else beside it"):
            Job("x.csv", address, "t", ["id"])

    def test_a_secret_keeps_its_name_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The description keeps the placeholder, the login gets the value, whatever characters it has."""
        monkeypatch.setenv("DB_PASSWORD", "p@ss/w:rd")
        address = parse_address("postgresql://me:{secret:DB_PASSWORD}@host/db")
        assert address.stored == "postgresql://me:{secret:DB_PASSWORD}@host/db"
        assert address.login_url().password == "p@ss/w:rd"
        assert "p@ss" not in str(address)

    def test_a_broken_address_is_refused_without_its_password(self) -> None:
        """A password with an @ in it is explained, not repeated."""
        with pytest.raises(UsageError, match="%40") as caught:
            parse_address("postgresql://me:p:a@ss@host:x/db")
        assert "a@ss" not in str(caught.value)

    def test_files_relative_absolute_and_of_windows(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Three slashes start a relative path, four an absolute one; stored it is always absolute."""
        monkeypatch.chdir(tmp_path)
        assert parse_address("sqlite:///a b.sqlite").path == tmp_path / "a b.sqlite"
        assert parse_address(f"sqlite:///{tmp_path}/x.db").path == tmp_path / "x.db"
        assert parse_address("sqlite:///sub/x.db").stored == f"sqlite:///{tmp_path.as_posix()}/sub/x.db"
        windows = parse_address(r"sqlite:///C:\data\x.db").path
        assert windows is not None
        assert windows.name.endswith(r"C:\data\x.db")
        with pytest.raises(UsageError, match="memory"):
            parse_address("sqlite://")
