"""`batchkit lab`: notebooks and samples in a folder of the operator's, and JupyterLab on it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from batchkit.cli import cli, lab
from batchkit.demo.lay_out import lay_out
from tests.support.needs import ROOT
from tests.support.terminal import COMMAND, environment, wait_until

NOTEBOOK = "notebooks/table_import.ipynb"


def test_folder_gets_what_is_missing_and_nothing_is_overwritten(tmp_path: Path) -> None:
    """Laid out twice: what the operator changed or added stays, what they removed is there again."""
    folder = tmp_path / "new" / "lab"
    laid = lay_out(folder)
    assert (laid.kept, laid.changed) == ([], [])
    assert {NOTEBOOK, "data/companies.csv", "data/wordpress/README.md"} <= set(laid.new)
    assert (folder / NOTEBOOK).read_bytes() == (ROOT / NOTEBOOK).read_bytes()

    (folder / NOTEBOOK).write_text("mine", encoding="utf-8")
    (folder / "data" / "mine.csv").write_text("a;b", encoding="utf-8")
    (folder / "data" / "companies.csv").unlink()
    again = lay_out(folder)
    assert (again.new, again.changed) == (["data/companies.csv"], [NOTEBOOK])
    assert (folder / NOTEBOOK).read_text(encoding="utf-8") == "mine"
    assert (folder / "data" / "mine.csv").is_file()


def test_what_runs_leave_beside_notebooks_is_not_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clone that was worked in holds reports and Jupyter's own copies; a new folder gets none of them."""
    lay_out(tmp_path / "clone")
    for left in ("reports/report.xlsx", ".ipynb_checkpoints/a-checkpoint.ipynb"):
        path = tmp_path / "clone" / "notebooks" / left
        path.parent.mkdir()
        path.touch()
    monkeypatch.setattr("batchkit.demo.lay_out.clone_folder", lambda: tmp_path / "clone")
    laid = lay_out(tmp_path / "new")
    assert NOTEBOOK in laid.new
    assert not [name for name in laid.new if "report" in name or "checkpoint" in name]


def test_without_jupyterlab_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files are laid out all the same; exit code 2, and the command that installs what is missing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "find_spec", lambda _: None)
    done = CliRunner().invoke(cli, ["lab"])
    assert done.exit_code == 2
    assert "JupyterLab isn't installed" in done.stderr
    assert "pip install" in done.stderr
    assert "[lab]" in done.stderr
    assert (tmp_path / "batchkit-lab" / NOTEBOOK).is_file()


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """A file's name in the folder's place is a wrong call, and the file stays."""
    path = tmp_path / "rows.csv"
    path.write_text("a", encoding="utf-8")
    done = CliRunner().invoke(cli, ["lab", str(path)])
    assert done.exit_code == 2
    assert "is a file" in done.stderr
    assert path.read_text(encoding="utf-8") == "a"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a signal")
def test_jupyterlab_shows_notebooks_and_data(tmp_path: Path) -> None:
    """Its root holds both, a folder with notebooks is taken as it stands, and options reach JupyterLab."""
    lay_out(tmp_path)
    words = ("lab", "--no-browser", "--port=0", "--ip=127.0.0.1", "--IdentityProvider.token=t")
    places = {name: str(tmp_path / "jupyter") for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    with subprocess.Popen(
        [*COMMAND, *words],
        cwd=tmp_path,
        env={**environment(), **places, "JUPYTER_RUNTIME_DIR": str(tmp_path / "jupyter" / "runtime")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stderr
        try:
            said = iter(server.stderr)
            address = next(line for line in said if "http://127.0.0.1:" in line).split()[-1]
            wait_until(lambda: _listed(address.partition("/lab")[0]))  # it speaks before it listens
            names = _listed(address.partition("/lab")[0])
        finally:
            server.send_signal(signal.SIGTERM)
            server.stderr.read()
    assert {"notebooks", "data"} <= names
    assert not (tmp_path / "batchkit-lab").exists()


def _listed(address: str) -> set[str]:
    """What the file browser shows at first; nothing while the server doesn't answer yet."""
    try:
        with urllib.request.urlopen(f"{address}/api/contents?token=t", timeout=30) as answer:  # noqa: S310 - ours
            return {entry["name"] for entry in json.load(answer)["content"]}
    except urllib.error.URLError:
        return set()
