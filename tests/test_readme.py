"""What the README shows is run: its Python, its commands, its figures, its links."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sandboxes import sandbox

PRACTICE = "127.0.0.1:8000"
ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with the samples, as a fresh clone has them."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    return tmp_path


def test_python_runs_and_prints_what_it_says(workplace: Path) -> None:
    """The first screen's Python works as it stands and gives the counts it shows."""
    (code,) = _blocks("python")
    promised = re.search(r"# (\{.*\})", code)
    assert promised
    assert len(code.strip().splitlines()) <= 13
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=workplace, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert promised[1] in done.stdout
    assert (workplace / "report.xlsx").stat().st_size > 5_000
    assert "#error" in (workplace / "fix.csv").read_text(encoding="utf-8-sig")


@pytest.mark.skipif(sys.platform == "win32", reason="the tour is written for a POSIX shell")
def test_commands_of_the_tour_run(workplace: Path) -> None:
    """The tour, typed line by line beside a practice server, works to its end."""
    script = "set -e\n" + "\n".join(_blocks("bash"))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with sandbox(workplace) as server:
        there = f"127.0.0.1:{server.port}"
        for job in workplace.glob("data/*.toml"):
            job.write_text(job.read_text(encoding="utf-8").replace(PRACTICE, there), encoding="utf-8")
        done = subprocess.run(
            ["bash", "-c", script.replace(PRACTICE, there)],
            cwd=workplace,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(server.messages()) == 53
    assert "Traceback" not in done.stderr
    assert (workplace / "descriptions.csv").is_file()
    assert (workplace / "companies.toml").is_file()
    assert (workplace / "report.xlsx").is_file()
    assert (workplace / "fix.csv").is_file()


def test_every_verb_is_in_the_table() -> None:
    """A verb of the command line that the README doesn't name is a verb nobody finds."""
    from batchkit.cli import cli

    table = TEXT[TEXT.index("## The verbs") : TEXT.index("## What is guaranteed")]
    missing = [verb for verb in cli.commands if not re.search(rf"[`, ]{verb}\b", table)]
    assert not missing


def test_links_and_pictures_are_there() -> None:
    """Every relative link of README and ARCHITECTURE leads somewhere."""
    for page in ("README.md", "ARCHITECTURE.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+?)\)", text):
            if not link.startswith("http"):
                assert (ROOT / link).exists(), link
