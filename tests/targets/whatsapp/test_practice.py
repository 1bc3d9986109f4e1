"""The target beside the practice server's idea of the API; the sample and the notebook that go with it."""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.errors import TargetError
from batchkit.core.states import RunState
from batchkit.demo.recipients import BAD, MOST, main, make_recipients
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.targets.base import open_target
from tests.support.needs import ROOT
from tests.support.sandboxes import Sandbox, sandbox

NUMBER = "106540352242922"
SHIPPED = (
    "Commande A7\nBonjour Zoé, votre commande de chaises est en route.\nAtelier du Bois Clair\n"
    "[Suivre → https://example.com/suivi/a7]"
)
FEEDS = {"Téléphone": "to", "Prénom": "1", "Rendez-vous": "2", "Heure": "3"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback is reached directly; on it no token is needed."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.delenv("whatsapp_token", raising=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A practice server without faults."""
    with sandbox(tmp_path_factory.mktemp("practice")) as running:
        yield running


def planned(server: Sandbox, rows: Any, feeds: dict[str, str] | None = None, **target: Any) -> Plan:
    """A plan for the server."""
    return Job(rows, to=f"whatsapp+{server.url}/v23.0/{NUMBER}", map=feeds or {}, target=target).plan()


def started(plan: Plan, **settings: Any) -> Run:
    """A run of the plan at its end."""
    run = plan.start(**{"rate": None, "delay": 0, "report": False, "backoff": 0.01, **settings})
    run.wait(30)
    return run


@pytest.mark.parametrize(
    ("values", "target", "text"),
    [
        ({"1": "Zoé", "2": "12 mai", "3": "9 h"}, {"template": "rappel_rendez_vous"},
         "Bonjour Zoé, nous vous attendons le 12 mai à 9 h."),
        ({"header_1": "A7", "1": "Zoé", "2": "chaises", "button_1": "a7"}, {"template": "commande_expediee"},
         SHIPPED),
        ({"header_image": "https://e.fr/i.png", "1": "Léa", "2": "5", "3": "août"}, {"template": "offre_ete"},
         "[image: https://e.fr/i.png]\nBonjour Léa, -5 % sur les tables jusqu’au août.\n[Stop]"),
        ({"prenom": "Zoé", "conseiller": "Max"}, {"template": "bienvenue"},
         "Bienvenue Zoé ! Votre conseiller est Max."),
        ({}, {"template": "hello_world", "language": "en_US"}, "Welcome and congratulations!"),
        ({"text": "Bonjour"}, {}, "Bonjour"),
        ({"document": "https://e.fr/d.pdf", "caption": "Le devis", "filename": "devis.pdf"}, {},
         "[document: https://e.fr/d.pdf]\nLe devis"),
    ],
    ids=["body", "all parts", "image", "named", "nothing to fill", "text", "document"],
)  # fmt: skip
def test_each_kind_of_message_is_taken(
    server: Sandbox, values: dict[str, str], target: dict[str, Any], text: str
) -> None:
    """What is planned by the template's own variables is shown, sent, and taken by the API."""
    plan = planned(
        server, pl.DataFrame({"to": ["06 12 34 56 78"], **{k: [v] for k, v in values.items()}}), **target
    )
    assert plan.changes().collect()["rendered"].to_list() == [text]
    run = started(plan)
    assert run.snapshot().outcomes["done"] == 1, run.outcomes()["reason"].to_list()
    assert run.results()["message_id"][0].startswith("wamid.")


def test_templates_that_can_not_be_sent(server: Sandbox) -> None:
    """Paused, disabled, waiting, unknown: each is refused before anything is planned."""
    rows = pl.DataFrame({"to": ["0612345678"], "1": ["Zoé"]})
    for name, words in {
        "ancienne_offre": "is paused", "offre_retiree": "is disabled", "offre_en_attente": "is pending",
        "bonsoir": "has no template",
    }.items():  # fmt: skip
        with pytest.raises(TargetError, match=words):
            planned(server, rows, template=name)


def test_the_token_runs_out_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that isn't taken any more fails the run before a message; with a new one it goes to its end."""
    rows = pl.DataFrame({"to": [f"061234567{n}" for n in range(5)], "text": ["x"] * 5})
    with sandbox(tmp_path, token="sesame-open") as server:
        monkeypatch.setenv("whatsapp_token", "sesame-open")
        plan = planned(server, rows)
        monkeypatch.setenv("whatsapp_token", "sesame-shut")
        run = started(plan)
        assert run.state is RunState.FAILED
        assert "token has expired" in run.snapshot().message
        assert server.messages() == {}
        monkeypatch.setenv("whatsapp_token", "sesame-open")
        run.resume()
        assert run.wait(20) is RunState.FINISHED
        assert len(server.messages()) == 5


def test_a_recipient_of_two_messages_waits_and_the_others_go_on(tmp_path: Path) -> None:
    """Where the server wants a rest between two to one number, that number alone is kept waiting."""
    with sandbox(tmp_path, whatsapp_pair_rate="0.8") as server:
        rows = pl.DataFrame(
            {
                "order": [f"A{n}" for n in range(12)],
                "to": ["0612345678", "0612345678", *(f"06112233{n:02}" for n in range(10))],
                "text": ["x"] * 12,
            }
        )
        job = Job(
            rows,
            to=f"whatsapp+{server.url}/v23.0/{NUMBER}",
            key=["order"],
            fields={"to": {"phone": "FR", "warn": ["unique"]}, "text": {}},
        )
        plan = job.plan()
        assert plan.counts == {"send": 12}
        run = started(plan, key_rest=0, workers=2, retries=5)
        assert run.snapshot().outcomes["done"] == 12
        at = dict(server.rows("SELECT json_extract(body, '$.to'), max(at) FROM messages GROUP BY 1"))
        assert max(at, key=lambda to: at[to]) == "33612345678"
        first = server.rows("SELECT min(at) FROM messages")[0][0]
        assert max(value for to, value in at.items() if to != "33612345678") - first < 0.8


def test_the_check_up_of_a_number(server: Sandbox) -> None:
    """Number, sending and template are looked at, from the address alone."""
    target = open_target(f"whatsapp+{server.url}/v23.0/{NUMBER}", template="rappel_rendez_vous")
    found = {each.name: (each.level, each.found) for each in target.checkup()}
    assert found["number"][1].startswith("Atelier du Bois Clair")
    assert found["sending"] == ("ok", "available")
    assert found["template"] == ("ok", "rappel_rendez_vous (fr) is approved")


# The sample


def test_the_sample_is_what_it_says(tmp_path: Path) -> None:
    """The same seed gives the files kept in `data/`; each bad row is bad in the way it says."""
    made = make_recipients(tmp_path)
    names = ("recipients.xlsx", "recipients.csv", "opt_out.csv")
    assert filecmp.cmpfiles(tmp_path, ROOT / "data", names, shallow=False) == (list(names), [], [])
    assert list(made.bad) == list(BAD)
    assert all(made.bad.values())
    assert made.sendable == made.rows - 7
    other = make_recipients(tmp_path / "other", seed=8)
    assert other.path_csv.read_bytes() != made.path_csv.read_bytes()
    main([str(tmp_path / "more"), "--rows", "500"], standalone_mode=False)
    assert len((tmp_path / "more" / "recipients.csv").read_text("utf-8-sig").splitlines()) > 500
    with pytest.raises(ValueError, match="numbers for fiction"):
        make_recipients(tmp_path, MOST + 1)


def test_the_sample_is_planned_as_it_says(server: Sandbox, tmp_path: Path) -> None:
    """Every number of the sample is read, however it is written; bad rows are kept back."""
    made = make_recipients(tmp_path, 3_000)
    for path in (made.path, made.path_csv):
        opted_out = str(made.path_opt_out)
        plan = planned(server, path, FEEDS, template="rappel_rendez_vous", opt_out=opted_out)
        kept_back = plan.changes().filter(pl.col("change") != "send").collect()["row"].to_list()
        assert sorted(kept_back) == sorted({row for rows in made.bad.values() for row in rows})
        assert plan.counts["send"] == made.sendable


# The notebook and the job file


def test_the_notebook_runs_without_a_click(server: Sandbox, tmp_path: Path) -> None:
    """Papermill sends the sample to the practice server: messages shown first, all of them sent, a report."""
    (tmp_path / "data").mkdir()
    for name in ("recipients.xlsx", "opt_out.csv"):
        shutil.copy(ROOT / "data" / name, tmp_path / "data")
    before = len(server.messages())
    given = {
        "interactive": False, "target": f"whatsapp+{server.url}/v23.0/{NUMBER}", "rate": 100.0, "delay": 0.0,
    }  # fmt: skip
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    own = {name: str(tmp_path / "jupyter" / name.lower()) for name in places}
    notebook, result = ROOT / "notebooks" / "whatsapp_send.ipynb", tmp_path / "out.ipynb"
    done = subprocess.run(
        [sys.executable, "-m", "papermill", str(notebook), str(result), "-y", json.dumps(given)],
        cwd=tmp_path,
        env={**os.environ, **own, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = result.read_text(encoding="utf-8")
    assert "Bonjour Chloé, nous vous attendons le 16/03/2025 à 14:00." in text
    assert re.search(r"Finished in .* 53 done, 7 rejected", text)
    assert len(server.messages()) - before == 53
    assert sorted(path.suffix for path in (tmp_path / "reports").iterdir()) == [".html", ".xlsx", ".xlsx"]


def test_the_notebook_is_thin_and_bare() -> None:
    """No function, no class, no output."""
    cells = json.loads((ROOT / "notebooks" / "whatsapp_send.ipynb").read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert not re.search(r"^\s*(def|class|lambda) ", source, re.MULTILINE)
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


def test_the_job_file_plans_the_sample(server: Sandbox, tmp_path: Path) -> None:
    """The job kept with the project, pointed at a practice server, plans what the sample says."""
    for name in ("recipients.xlsx", "opt_out.csv"):
        shutil.copy(ROOT / "data" / name, tmp_path)
    text = (ROOT / "data" / "whatsapp_send.toml").read_text(encoding="utf-8")
    assert "http://127.0.0.1:8000/" in text
    path = tmp_path / "job.toml"
    path.write_text(text.replace("http://127.0.0.1:8000", server.url), encoding="utf-8")
    assert Job.load(path).plan().counts == {"send": 53, "invalid": 5, "duplicate": 2}
