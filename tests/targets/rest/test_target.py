"""Any REST API by its description alone, against a real server: read, diff, update, undo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.errors import JobError, SecretError, UsageError
from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.targets.base import open_target
from tests.support.rest_jobs import ITEMS, counts, items, job, messages, stored
from tests.support.sandboxes import Sandbox

# The whole way


def test_plan_run_undo_is_identity(server: Sandbox) -> None:
    """By the description alone: read, diff, create, update; then undo brings back exactly what was there."""
    before = stored(items(30))
    server.put(before)
    wanted = pl.concat([items(10), items(10, 10, name="new"), items(15, 25, price="1.25")])
    plan = job(server, wanted).plan()
    assert plan.counts == {"unchanged": 10, "update": 15, "create": 10}
    run = plan.start(workers=5)
    assert run.wait(30) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"unchanged": 10, "done": 25}
    there = server.items()
    assert there["k0012"] == {**before[12], "name": "new"}
    assert there["k0039"] == {"id": "k0039", "name": "Société 39", "price": 1.25, "stock": 39}
    # Only what changes is sent, and only to whom it changes.
    writes = server.rows("SELECT method, count(*) FROM requests WHERE method != 'GET' GROUP BY method")
    assert dict(writes) == {"PATCH": 15, "POST": 10}
    undo = run.undo().start()
    assert undo.wait(30) is RunState.FINISHED, undo.snapshot().message
    assert list(server.items().values()) == before


def test_reading_one_by_one_with_a_server_id_and_paths(server: Sandbox) -> None:
    """An API without lists, values below the top, and an id of its own that the address needs."""
    server.put([{"id": "k1", "uid": "k1", "data": {"title": "old"}}])
    target = {
        "read": {"url": "/items/{sku}", "key": "id"},
        "values": {"title": "data.title"},
        "id": "uid",
        "update": {"url": "/items/{@id}", "body": {"data": {"title": "{title}"}}},
    }
    rows = pl.DataFrame({"sku": ["k1", "k2"], "title": ["new", "x"]})
    plan = Job(rows, to=f"http+{server.url}", key=["sku"], mode="update", target=target).plan()
    assert plan.counts == {"update": 1, "missing": 1}
    run = plan.start()
    assert run.wait(20) is RunState.FINISHED
    assert server.items()["k1"]["data"] == {"title": "new"}


def test_a_job_file_says_it_all(server: Sandbox, tmp_path: Path) -> None:
    """The description survives the way through TOML, and plans and runs the same."""
    items(5).write_csv(tmp_path / "items.csv")
    saved = Job(str(tmp_path / "items.csv"), to=f"http+{server.url}", key=["id"], target=ITEMS)
    loaded = Job.load(saved.save(tmp_path / "job.toml"))
    assert loaded.target == saved.target
    run = loaded.plan().start()
    assert run.wait(20) is RunState.FINISHED
    assert len(server.items()) == 5


def test_a_literal_password_is_kept_out_of_the_job_file(tmp_path: Path) -> None:
    """A header with a login in it is refused; the name of a secret is not."""
    options: dict[str, Any] = {"to": "http+https://api.test", "key": ["id"]}
    bad = Job("x.csv", **options, target={**ITEMS, "headers": {"Authorization": "Bearer abcdef"}})
    with pytest.raises(JobError, match="password"):
        bad.save(tmp_path / "job.toml")
    good = Job("x.csv", **options, target={**ITEMS, "headers": {"Authorization": "Bearer {secret:tok}"}})
    assert Job.load(good.save(tmp_path / "job.toml")).target == good.target


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"updte": {}}, "Did you mean 'update'"),
        ({"update": {"method": "GET", "url": "/x"}}, "can't be 'GET'"),
        ({"update": {"method": "PUT"}}, "doesn't say its url"),
        ({"update": {"url": "/x"}, "values": {"a": "b["}}, "JMESPath"),
        ({"update": {"url": "/x"}, "status": {"409": "fine"}}, "can't be 'fine'"),
        ({"update": {"url": "/x"}, "fields": {"a": "money"}}, "can't be 'money'"),
        ({"update": {"url": "/x"}, "read": {"url": "/items"}}, "doesn't name the key"),
        ({}, "how its target is written"),
    ],
)
def test_a_wrong_description_says_what_is_wrong(target: dict[str, Any], words: str) -> None:
    """A mistake in the description is found before anything is asked of the server."""
    with pytest.raises(UsageError, match=words.replace("'", ".").replace("(", ".")):
        open_target("http+https://api.test", **target)


def test_headers_of_a_write_may_name_secrets(server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server gets the value, no disk does; without one there is an error before anything is planned."""
    monkeypatch.setenv("practice_key", "s3same/open")
    send = {"url": "/messages", "headers": {"Authorization": "Key {secret:practice_key}"}}
    run = messages(server, 2, send=send).start()
    assert run.wait(20) is RunState.FINISHED
    logins = server.rows("SELECT login FROM requests WHERE method = 'POST'")
    assert logins == [("Key s3same/open",)] * 2
    assert b"s3same" not in (run.folder / "plan.parquet").read_bytes()
    monkeypatch.delenv("practice_key")
    with pytest.raises(SecretError, match="practice_key"):
        messages(server, 2, send=send)


def test_secrets_go_into_requests_and_nowhere_else(server: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret may be named in address and body; its value is on no disk; a literal one is refused."""
    monkeypatch.setenv("practice_key", "s3same/open")
    send = {
        "url": "/messages?api_key={secret:practice_key}",
        "body": {"to": "{to}", "k": "{secret:practice_key}"},
    }
    plan = messages(server, 1, send=send)
    run = plan.start()
    assert run.wait(20) is RunState.FINISHED
    assert server.rows("SELECT path FROM requests WHERE method = 'POST'") == [
        ("/messages?api_key=s3same%2Fopen",)
    ]
    assert server.rows("SELECT json_extract(body, '$.k') FROM messages") == [("s3same/open",)]
    stored_bytes = b"".join(path.read_bytes() for path in run.folder.iterdir() if path.is_file())
    assert b"s3same" not in stored_bytes
    for bad in (
        {"send": send, "headers": {"Authorization": "Bearer abcdef"}},
        {"send": {"url": "/messages?api_key=abcdef"}},
    ):
        with pytest.raises(UsageError, match="secret:NAME"):
            open_target(f"http+{server.url}", **bad)


def test_keys_with_marks_of_addresses_in_them(server: Sandbox) -> None:
    """A key may hold a slash, a percent sign, a plus or an accent: each item is found by its own key."""
    keys = ["a/b", "50%", "+33612345678", "é à", "a&b=c", "?x#y", "a%2Fb"]
    server.put([{"id": key, "name": "old", "price": 1, "stock": 1} for key in keys])
    rows = pl.DataFrame({"id": keys, "name": "new", "price": "1", "stock": "1"})
    plan = job(server, rows, target={"read": {"url": "/items/{id}"}}).plan()
    assert plan.counts == {"update": len(keys)}
    assert job(server, rows).plan().counts == {"update": len(keys)}
    run = plan.start()
    assert run.wait(20) is RunState.FINISHED
    assert {key: item["name"] for key, item in server.items().items()} == dict.fromkeys(keys, "new")


# Comparison before sending


def test_edits_since_the_plan_are_conflicts_with_both_values(server: Sandbox) -> None:
    """Each chunk is held against the target first: already wanted, edited meanwhile, gone, come."""
    server.put(stored(items(12)))
    plan = job(server, items(20, name="new")).plan()
    changed = stored(items(12))
    server.put(
        [
            {**changed[1], "name": "new"},
            {**changed[2], "name": "theirs"},
            {**changed[3], "stock": 99},
            {"id": "k0015", "name": "came", "price": 0, "stock": 0},
        ]
    )
    run = plan.start(chunk_size=7)
    assert run.wait(20) is RunState.FINISHED
    assert counts(run) == {"done": 17, "unchanged": 1, "conflict": 2}
    conflicts = {row["key"]: row for row in run.outcomes("conflict").iter_rows(named=True)}
    assert set(conflicts) == {"k0002", "k0015"}
    assert '"found": "theirs"' in conflicts["k0002"]["detail"]
    assert '"planned": "Société 2"' in conflicts["k0002"]["detail"]
    assert server.items()["k0002"]["name"] == "theirs"
    assert server.items()["k0003"]["stock"] == 99  # what doesn't change isn't touched
    run.resume(overwrite=True)
    assert run.wait(20) is RunState.FINISHED
    assert server.items()["k0002"]["name"] == "new"
    # What was written over somebody's edit is not brought back by an undo.
    undo = run.undo()
    assert undo.to_send() == 17


def test_one_read_serves_many_items(server: Sandbox) -> None:
    """Comparing costs one request for many items, not one each."""
    server.put(stored(items(200)))
    plan = job(server, items(200, name="new")).plan()
    before = server.rows("SELECT count(*) FROM requests WHERE method = 'GET'")[0][0]
    plan.start(chunk_size=100).wait(30)
    reads = server.rows("SELECT count(*) FROM requests WHERE method = 'GET'")[0][0] - before
    assert reads <= 2 * 2 + 2


def test_it_is_driven_from_the_command_line(server: Sandbox, tmp_path: Path) -> None:
    """A job file with a described target goes through `batchkit run`, exit code and all."""
    items(3).write_csv(tmp_path / "items.csv")
    path = Job(str(tmp_path / "items.csv"), to=f"http+{server.url}", key=["id"], target=ITEMS).save(
        tmp_path / "job.toml"
    )
    done = subprocess.run(
        [sys.executable, "-m", "batchkit", "run", str(path), "--yes", "--json"],
        capture_output=True, text=True, check=False, env={**os.environ},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.items()) == 3
