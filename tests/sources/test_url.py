"""A CSV or workbook at an address: looked at, planned and run like a file, and refused with the reason."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner

from batchkit import look
from batchkit.cli import cli
from batchkit.core.errors import DiskFull, JobError, SourceError, UsageError
from batchkit.panel.form import JobForm
from batchkit.planning.job import Job
from batchkit.sources.base import open_source
from batchkit.sources.url import UrlSource
from batchkit.targets.sql.target import SqlTarget
from tests.support.terminal import call
from tests.support.wires import RESET, Heard, Wire, reply

CSV = b"id;nom\n1;Caf\xc3\xa9\n2;Bar\n"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go in this test, so that it shows whether any are left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def shop() -> Iterator[Wire]:
    """A server with a CSV file, which has a version."""
    with Wire(
        lambda _: reply(body=CSV, content_type="text/csv", etag='"v7"', last_modified="Sat, 21 Nov 2026")
    ) as server:
        yield server


def rows(path: Path, query: str) -> list[Any]:
    """What a database holds."""
    with closing(sqlite3.connect(path)) as link:
        return link.execute(query).fetchall()


def job_of(source: Any, folder: Path, **options: Any) -> Job:
    """A job that brings shops into a database of the folder."""
    return Job(
        source,
        f"sqlite:///{folder}/crm.sqlite",
        "shops",
        ["id"],
        fields=["id", "nom"],
        create=True,
        **options,
    )


def refusal(address: str, **options: Any) -> str:
    """What is told when a source's columns are asked for."""
    with pytest.raises(SourceError) as told:
        _ = open_source(address, **options).columns
    return str(told.value)


def test_a_file_at_an_address_is_a_source(shop: Wire, temporary: Path) -> None:
    """Its rows, its numbers and its fingerprint are those of the file; nothing is asked for before."""
    source = open_source(f"{shop.url}/2026/soci%C3%A9t%C3%A9s.csv")
    assert shop.heard == []
    assert source.columns == ["id", "nom"]
    assert [row for batch in source.batches() for row in batch.rows()] == [(2, "1", "Café"), (3, "2", "Bar")]
    assert (source.name, source.fingerprint()) == ("sociétés.csv", hashlib.sha256(CSV).hexdigest())
    assert len(shop.heard) == 1
    assert len(list(temporary.iterdir())) == 1
    del source
    assert list(temporary.iterdir()) == [], "the file leaves with the source"


def test_the_plan_knows_which_version_it_read(shop: Wire, tmp_path: Path, temporary: Path) -> None:
    """Address, ETag, date and SHA-256 are facts of the plan; where the file lay meanwhile is not."""
    plan = job_of(f"{shop.url}/shops.csv", tmp_path).plan(tmp_path / "p.parquet")
    facts = plan.facts["source"]
    assert facts["address"] == f"{shop.url}/shops.csv"
    assert (facts["etag"], facts["last_modified"]) == ('"v7"', "Sat, 21 Nov 2026")
    assert (facts["name"], facts["sha256"]) == ("shops.csv", hashlib.sha256(CSV).hexdigest())
    assert "path" not in facts
    assert plan.counts == {"create": 2}
    assert list(temporary.iterdir()) == []


def test_a_file_that_changed_at_its_address_is_noticed(tmp_path: Path) -> None:
    """By the version that its server names, without the file; a server that is away says nothing."""
    version = {"etag": '"v7"'}

    def answer(heard: Heard) -> bytes:
        if not version:
            return reply(404, b"")
        body = b"" if heard.method == "HEAD" else CSV
        return reply(200, body, content_type="text/csv", **version)

    with Wire(answer) as server:
        plan = job_of(f"{server.url}/shops.csv", tmp_path).plan(tmp_path / "p.parquet")
        assert plan.check_source() is None
        version["etag"] = 'W/"v7"'
        assert plan.check_source() is None, "the same, compressed on its way"
        version["etag"] = '"v8"'
        assert "shops.csv has changed since the plan was made" in str(plan.check_source())
        version.clear()
        assert "is no longer there" in str(plan.check_source())
        assert [heard.method for heard in server.heard] == ["GET"] + ["HEAD"] * 4
    assert plan.check_source() is None


def test_a_rule_for_a_field_does_not_fetch_the_file_once_more(shop: Wire, tmp_path: Path) -> None:
    """The command asks for the columns before it plans; the file that it has then is the one it plans."""
    saved = tmp_path / "job.toml"
    options = ["--to", f"sqlite:///{tmp_path}/crm.sqlite", "--table", "shops", "--key", "id", "--create"]
    call("plan", f"{shop.url}/shops.csv", *options, "--field", "nom.required=true", "--save-job", saved)
    assert len(shop.heard) == 1
    assert Job.load(saved).source == f"{shop.url}/shops.csv"


def test_a_target_that_closes_badly_does_not_spoil_a_plan(
    shop: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What it was asked is answered by then: the plan is there, and the log has why it was not closed."""

    def close(_: SqlTarget) -> None:
        raise OSError("gone already")

    monkeypatch.setattr(SqlTarget, "close", close)
    plan = job_of(f"{shop.url}/shops.csv", tmp_path).plan(tmp_path / "p.parquet")
    assert plan.counts == {"create": 2}
    assert "gone already" in caplog.text


def test_workbooks_are_read_too(tmp_path: Path) -> None:
    """What it is tells its content; its name is what the server says, and stays in its folder."""
    book = openpyxl.Workbook()
    for cells in (["id", "nom"], ["007", "Bar"]):
        book["Sheet"].append(cells)
    book.save(tmp_path / "shops.xlsx")
    body = (tmp_path / "shops.xlsx").read_bytes()
    named = 'attachment; filename="../../shops 2026.xlsx"'
    with Wire(lambda _: reply(body=body, content_disposition=named)) as server:
        found = look(f"{server.url}/export?id=3")
        assert (found.kind, found.sheet, found.rows, found.bytes) == ("xlsx", "Sheet", 1, len(body))
        assert (found.name, found.path) == ("shops 2026.xlsx", f"{server.url}/export?id=3")
        assert found.preview[0]["id"] == "007"


def test_a_packed_answer_is_unpacked() -> None:
    """As servers pack texts on their way."""
    with Wire(lambda _: reply(body=gzip.compress(CSV), content_encoding="gzip")) as server:
        assert open_source(f"{server.url}/a.csv").columns == ["id", "nom"]


def test_command_line_takes_an_address(shop: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`look`, `plan` and `run` do, and a job file keeps the address as it is."""
    monkeypatch.chdir(tmp_path)
    address = f"{shop.url}/shops.csv"
    seen = CliRunner().invoke(cli, ["look", address])
    assert seen.exit_code == 0, seen.output
    assert "shops.csv" in seen.output.splitlines()[0]
    more = ["--to", "sqlite:///crm.sqlite", "--table", "shops", "--key", "id", "--create"]
    done = CliRunner().invoke(cli, ["plan", address, *more, "--save-job", "job.toml", "-o", "p.parquet"])
    assert done.exit_code == 0, done.output
    assert tomllib.loads((tmp_path / "job.toml").read_text())["source"] == address
    done = CliRunner().invoke(cli, ["run", "job.toml", "--yes"])
    assert done.exit_code == 0, done.output
    assert rows(tmp_path / "crm.sqlite", "SELECT id, nom FROM shops ORDER BY id") == [
        ("1", "Café"),
        ("2", "Bar"),
    ]


def test_job_file_says_how_an_address_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers with secrets by name, how the file is read; and it is saved as it was said."""
    monkeypatch.setenv("shop_token", "t0ken-4711")
    (tmp_path / "job.toml").write_text(
        """
        to = "sqlite:///crm.sqlite"
        table = "shops"
        key = ["id"]
        create = true
        header_row = 2
        fields = {id = {}, nom = {}}
        [source]
        address = "http://HOST/shops.csv"
        max_mb = 1
        headers = {Authorization = "Bearer {secret:shop_token}"}
        """
    )
    with Wire(lambda _: reply(body=b"a title\n" + CSV)) as server:
        text = (tmp_path / "job.toml").read_text().replace("http://HOST", server.url)
        (tmp_path / "job.toml").write_text(text)
        job = Job.load(tmp_path / "job.toml")
        plan = job.plan(tmp_path / "p.parquet")
        assert plan.counts == {"create": 2}
        assert server.heard[0].headers["authorization"] == "Bearer t0ken-4711"
    assert plan.facts["source"]["headers"] == {"Authorization": "Bearer {secret:shop_token}"}
    assert job.to_dict()["source"] == tomllib.loads(text)["source"]
    assert b"t0ken" not in (tmp_path / "p.parquet").read_bytes()


def test_panel_reads_an_address(shop: Wire) -> None:
    """The form takes it where a path would stand, and the job gets it."""
    form = JobForm()
    form.reading["source"] = f"{shop.url}/shops.csv"
    form.target |= {"to": "sqlite:///crm.sqlite", "table": "shops"}
    form.read()
    assert [choice.column for choice in form.choices] == ["id", "nom"]
    form.choices[0].field, form.choices[0].key = "id", True
    assert form.job().source == f"{shop.url}/shops.csv"


def test_login_goes_to_the_first_host_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect to another host is followed, as places that offer files use them, without the login."""
    monkeypatch.setenv("far_password", "p@ss word")
    with Wire(lambda _: reply(body=CSV)) as other:
        with Wire(lambda _: reply(302, b"", location=f"{other.url}/files/shops-2026.csv")) as first:
            source = open_source(
                first.url.replace("://", "://me:{secret:far_password}@") + "/latest", headers={"X-Shop": "7"}
            )
            assert source.columns == ["id", "nom"]
            assert source.name == "shops-2026.csv"
            assert first.heard[0].headers["authorization"] == "Basic bWU6cEBzcyB3b3Jk"
            assert first.heard[0].headers["x-shop"] == "7"
        assert not {"authorization", "x-shop"} & set(other.heard[0].headers)


def test_a_login_that_was_written_out_is_kept_in_the_process(shop: Wire, tmp_path: Path) -> None:
    """It is sent, and neither shown nor stored; a job with it can't be saved."""
    address = shop.url.replace("://", "://me:hunter22@") + "/a.csv?X-Amz-Signature=abcdef123456&page=1"
    job = job_of(address, tmp_path)
    plan = job.plan(tmp_path / "p.parquet")
    assert shop.heard[0].address == "/a.csv?X-Amz-Signature=abcdef123456&page=1"
    assert "authorization" in shop.heard[0].headers
    for text in (repr(job), str(plan.facts), repr(open_source(address))):
        assert "hunter22" not in text
        assert "abcdef123456" not in text
    with pytest.raises(JobError, match="holds a password"):
        job.save(tmp_path / "job.toml")
    with pytest.raises(UsageError, match="Authorization holds a login itself"):
        open_source(shop.url, headers={"Authorization": "Bearer abcdef123456"})


LOGIN_PAGE = b"<!DOCTYPE html><html><title>Connexion</title><input type='password'></html>"
PAGE = b"<!DOCTYPE html><html><title>Our files</title></html>"


@pytest.mark.parametrize(
    ("answer", "told", "advice"),
    [
        (reply(404, PAGE), "doesn't have it (404): Our files", "Check the address"),
        (reply(401, b""), "doesn't accept the login (401)", "{secret:NAME}"),
        (reply(403, b"<Error>AccessDenied</Error>"), "doesn't let us read it (403)", "{secret:NAME}"),
        (reply(200, LOGIN_PAGE, content_type="text/html"), "a page that asks for a login", "{secret:NAME}"),
        (reply(200, PAGE, content_type="text/html"), "with a page instead of data: Our files", "browser"),
        (reply(200, b""), "is empty", "Export it again"),
        (reply(200, b"%PDF-1.7 ..."), "is a PDF", "Export"),
        (reply(200, b"x" * 300_000), "larger than 0 MB", "max_mb"),
    ],
    ids=["404", "401", "403", "login", "page", "empty", "pdf", "large"],
)  # fmt: skip
def test_what_is_no_table_is_told(answer: bytes, told: str, advice: str, temporary: Path) -> None:
    """With the address or the name, what came instead, and what to do; and no file is left."""
    with Wire(lambda _: answer) as server:
        said = refusal(f"{server.url}/a.csv", max_mb=0.25)
        assert told in said
        assert advice in said
        assert len(server.heard) <= 2, "asking again would not help"
    assert list(temporary.iterdir()) == []


def test_csv_that_its_server_calls_a_page_is_read() -> None:
    """Many a script sends a table as text/html."""
    with Wire(lambda _: reply(body=CSV, content_type="text/html")) as server:
        assert open_source(f"{server.url}/export.php").columns == ["id", "nom"]


def test_a_dead_host_is_told() -> None:
    """Nobody listens there, or there is no such host."""
    with Wire(lambda _: b"") as server:
        url = server.url
    said = refusal(f"{url}/a.csv")
    assert "Nobody answered" in said
    assert "Check the address and the connection" in said


def test_a_server_that_is_busy_or_breaks_off_is_asked_again() -> None:
    """What may pass is tried again, from the start."""
    broken = reply(body=CSV).replace(b"Content-Length: 21", b"Content-Length: 9000\r\nConnection: close")
    answers = [reply(503, b"", retry_after="0"), broken, reply(body=CSV)]
    with Wire(lambda heard: answers[min(heard_before(server, heard), 2)]) as server:
        source = open_source(f"{server.url}/a.csv")
        assert source.fingerprint() == hashlib.sha256(CSV).hexdigest()
        assert len(server.heard) == 3


def heard_before(server: Wire, heard: Heard) -> int:
    """How many requests came before this one."""
    return server.heard.index(heard)


def test_a_server_that_sends_round_in_circles_is_left() -> None:
    """After a few addresses, whatever hosts they name."""
    with Wire(
        lambda heard: reply(302, b"", location=f"http://localhost:{server.port}{heard.address}x")
    ) as server:
        assert "from one address to the next" in refusal(f"{server.url}/a.csv")


def test_a_full_disk_is_told(shop: Wire, monkeypatch: pytest.MonkeyPatch, temporary: Path) -> None:
    """As such, and not as a connection that broke off."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no device that is always full")
    fetch = UrlSource.fetch
    monkeypatch.setattr(UrlSource, "fetch", lambda self, _: fetch(self, Path("/dev/full")))
    with pytest.raises(DiskFull, match=r"No room is left.*TMPDIR"):
        _ = open_source(f"{shop.url}/a.csv").columns
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "options", "told"),
    [
        ("https://host/a.csv", {"shet": "x"}, "shet can't be said of https://host/a.csv"),
        ("https://host/a.csv", {"heders": {}}, "Did you mean 'headers'"),
        ("https://host/a.csv", {"max_mb": 0}, "max_mb takes a number above zero"),
        ("https:///a.csv", {}, "no address of the web"),
        ("https://[::1/a.csv", {}, "no address of the web"),
        ("http://host:99999/a.csv", {}, "no address of the web"),
        ("s4://bucket/a.csv", {}, "No source knows the address s4:"),
        ("sqlite:///a.sqlite", {}, "needs 'query'"),
        ("a.csv", {"query": "SELECT 1"}, "query can't be said of a file"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_asked(
    address: str, options: dict[str, Any], told: str
) -> None:
    """Options that a kind of source doesn't take, and addresses that nobody knows."""
    with pytest.raises(UsageError) as error:
        open_source(address, **options)
    assert told in str(error.value)


def test_a_file_address_is_a_path(tmp_path: Path) -> None:
    """`file:` names a file of this machine; a colon in a name makes no address of it."""
    file = tmp_path / "draft:1 é.csv"
    file.write_bytes(CSV)
    for given in (file.as_uri(), str(file), file):
        assert open_source(given).columns == ["id", "nom"]
    assert job_of(file.as_uri(), tmp_path).source == str(file)


def test_ctrl_c_ends_the_wait_for_a_server(tmp_path: Path) -> None:
    """Within a moment, with the exit code of a stop and no traceback, however long the server is silent."""
    heard, over = threading.Event(), threading.Event()

    def silent(_: Heard) -> bytes:
        heard.set()
        over.wait(30)
        return RESET

    with Wire(silent) as server:
        try:
            command = [sys.executable, "-m", "batchkit", "look", f"{server.url}/a.csv"]
            looking = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
            assert heard.wait(60)
            looking.send_signal(signal.SIGINT)
            _, told = looking.communicate(timeout=20)
        finally:
            over.set()
    assert looking.returncode == 4
    assert told.strip() == "Interrupted."


def test_entries_that_name_a_file_are_moved_with_the_job(tmp_path: Path) -> None:
    """A table of entries may name a file too; its path is relative to the job's own folder."""
    (tmp_path / "a.csv").write_bytes(b"a title;\n" + CSV)
    job = job_of({"address": str(tmp_path / "a.csv"), "header_row": 2}, tmp_path)
    saved = job.save(tmp_path / "job.toml")
    assert tomllib.loads(saved.read_text())["source"] == {"address": "a.csv", "header_row": 2}
    assert Job.load(saved).open_source().columns == ["id", "nom"]
    assert Job.load(saved).own_files()[tmp_path / "a.csv"] == "the source"


def test_what_a_killed_process_left_behind_is_swept_away(shop: Wire, temporary: Path) -> None:
    """After a day, by the next one that fetches; and a source whose file is gone brings it again."""
    left, fresh = temporary / "batchkit-source-left", temporary / "batchkit-source-fresh"
    for folder in (left, fresh):
        folder.mkdir()
    os.utime(left, (0, 0))
    source = open_source(f"{shop.url}/a.csv")
    assert source.columns == ["id", "nom"]
    assert not left.exists()
    assert fresh.exists()
    for folder in temporary.iterdir():
        shutil.rmtree(folder)
    assert sum(batch.height for batch in source.batches()) == 2
