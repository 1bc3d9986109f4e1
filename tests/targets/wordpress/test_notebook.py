"""What is handed out to try WordPress with, on the practice server: a notebook by papermill, a job file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from tests.support.needs import ROOT
from tests.support.sandboxes import Sandbox, sandbox
from tests.support.wordpress_jobs import counts, problems

NOTEBOOK = ROOT / "notebooks" / "wordpress_seo.ipynb"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A practice server, and its password as the secret."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("wp_password", "practice")
    with sandbox(tmp_path) as running:
        yield running


def address(server: Sandbox) -> str:
    """Where its WordPress is, for the notebook's user."""
    return "wordpress+" + server.url.replace("://", "://admin@")


def title(server: Sandbox, route: str) -> str:
    """The SEO title of a post or page."""
    url = f"{server.url}/wp-json/wp/v2/{route}?context=edit"
    answer = httpx.get(url, auth=("admin", "practice"), trust_env=False)
    return str(answer.json()["meta"]["_yoast_wpseo_title"])


def test_the_job_file_goes_through(server: Sandbox) -> None:
    """The sample's job: what is wrong in it is found, the rest is written, and an undo brings all back."""
    loaded = Job.load(ROOT / "data" / "wordpress_seo.toml")
    job = Job.from_dict({**loaded.to_dict(), "to": address(server)})
    before = title(server, "posts/7")
    plan: Plan = job.plan()
    assert plan.counts == {"update": 17, "missing": 1}
    warned = {(each.rule, each.row) for each in problems(plan) if each.level == "warning"}
    assert {("min_length", 8), ("max_length", 9), ("unique", 12), ("unique", 14)} <= warned
    run = plan.start(delay=0)
    assert run.wait(30) is RunState.FINISHED
    assert counts(run) == {"done": 17, "rejected": 1}
    assert title(server, "posts/7") == "Chêne, frêne ou noyer : bien choisir son bois"
    assert title(server, "pages/5") == "Contact et plan d’accès de l’atelier"
    undo = run.undo().start(delay=0)
    assert undo.wait(30) is RunState.FINISHED
    assert title(server, "posts/7") == before


def test_the_notebook_runs_by_its_parameters(server: Sandbox, tmp_path: Path) -> None:
    """By papermill, without a click: it blocks until the site holds the file's texts."""
    result = tmp_path / "out.ipynb"
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    own = {name: str(tmp_path / "jupyter" / name.lower()) for name in places}
    given = json.dumps(
        {
            "interactive": False,
            "target": address(server),
            "source": str(ROOT / "data" / "wordpress_seo.csv"),
            "delay": 0,
        }
    )
    done = subprocess.run(
        [sys.executable, "-m", "papermill", str(NOTEBOOK), str(result), "-y", given],
        cwd=tmp_path,
        env={**os.environ, **own, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "17 done, 1 rejected" in result.read_text(encoding="utf-8")
    assert title(server, "posts/7") == "Chêne, frêne ou noyer : bien choisir son bois"
