"""The wheel alone: built, installed away from the checkout into an empty environment, and used there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.needs import ROOT
from tests.support.project import tracked
from tools import pythons

NOTEBOOKS_AND_SAMPLES = ("notebooks", "data")


class Environment:
    """A virtual environment that holds what is installed into it and nothing else.

    Attributes:
        bin: Where its programs are.
        work: The folder in which they are started.
    """

    def __init__(self, folder: Path, python: str) -> None:
        venv = folder / "venv"
        self.bin = venv / ("Scripts" if os.name == "nt" else "bin")
        self.work = folder / "work"
        self.work.mkdir()
        # Nothing of the checkout, nor of the environment in which this test runs.
        alien = ("PYTHON", "VIRTUAL_ENV", "COVERAGE")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(alien)}
        own = {name: str(folder / "home") for name in ("BATCHKIT_HOME", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        self.variables = {**kept, **own, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        uv = shutil.which("uv")
        make = [uv, "venv", "--quiet", "--seed", "--python", python] if uv else [python, "-m", "venv"]
        self.call(*make, str(venv))

    def call(self, *words: str, cwd: Path | None = None, code: int = 0) -> str:
        """What a program prints, both its streams; it must end with `code`."""
        program = shutil.which(words[0], path=self.variables["PATH"]) or words[0]
        done = subprocess.run(
            [program, *words[1:]],
            cwd=cwd or self.work,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def pip_install(self, *what: str) -> None:
        """Install by the environment's own pip, at the versions that the tests ran with."""
        pins = str(ROOT / "constraints.txt")
        self.call("python", "-m", "pip", "install", "--quiet", "--no-compile", "-c", pins, *what)


def build_wheel(environment: Environment, folder: Path) -> Path:
    """The wheel of the files git knows, built from a copy of them."""
    copy = folder / "copy"
    for path in tracked():
        place = copy / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    out = folder / "out"
    environment.call("python", "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(out), str(copy))
    shutil.rmtree(copy)
    [wheel] = out.iterdir()
    return wheel


@pytest.mark.slow
@pytest.mark.parametrize("version", pythons.VERSIONS)
def test_wheel_runs_the_demo_and_with_what_it_advises_a_notebook(version: str, tmp_path: Path) -> None:
    """Wheel → demo; `lab` lays out notebooks and samples and names an extra; with that, a notebook runs."""
    python = pythons.find_python(version)
    if python is None:  # whatever else a machine promises, it need not have every Python
        pytest.skip(f"there is no Python {version} on this machine")
    environment = Environment(tmp_path, python)
    environment.pip_install(str(build_wheel(environment, tmp_path)))
    where = environment.call("python", "-c", "import batchkit, sys; print(batchkit.__file__, sys.path)")
    assert str(ROOT) not in where
    assert str(environment.bin.parent) in where

    said = environment.call("batchkit", "demo", "--rows", "1000")
    assert "on purpose" in said, said

    said = environment.call("batchkit", "lab", code=2)
    lab = environment.work / "batchkit-lab"
    shipped = {path.relative_to(lab): path.read_bytes() for path in lab.rglob("*") if path.is_file()}
    names = [path.relative_to(ROOT) for path in tracked()]
    kept = {name: (ROOT / name).read_bytes() for name in names if name.parts[0] in NOTEBOOKS_AND_SAMPLES}
    assert shipped == kept

    advised = re.search(r"pip install (\S+)", said)
    assert advised, said
    [extra] = shlex.split(advised[1])
    environment.pip_install(extra)
    words = ("-y", "{interactive: false}", "--no-progress-bar")
    environment.call("papermill", "table_import.ipynb", "out.ipynb", *words, cwd=lab / "notebooks")
    out = (lab / "notebooks" / "out.ipynb").read_text(encoding="utf-8")
    assert re.search("Finished in .* rejected", out)
