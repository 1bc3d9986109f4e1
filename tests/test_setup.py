"""The set-up holds together: pyproject, constraints, conda's environment, make, and what is tracked."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from rattler import BuildString, MatchSpec, PackageRecord

from tests.support.needs import ROOT
from tests.support.project import tracked
from tools import notebooks, pythons, setup_env

PYTHONS = ("3.11.0", "3.11.9", "3.12.4", "3.13.1")
SYSTEMS = (("linux", "posix", "x86_64"), ("darwin", "posix", "arm64"), ("win32", "nt", "AMD64"))
MACHINES = list(product(PYTHONS, SYSTEMS))

#: Listed though the package never imports them, and why.
NOT_IMPORTED = {
    "ipykernel": "runs the notebooks",
    "jupyterlab": "shows the notebooks",
    "papermill": "runs the notebooks with parameters",
}

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def requirements(*extras: str) -> list[Requirement]:
    """What pyproject asks for directly: the core and these extras, without references to itself."""
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    found = [Requirement(line) for line in lines]
    return [requirement for requirement in found if requirement.name != PROJECT["name"]]


def pins() -> list[Requirement]:
    """The lines of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def machine(python: str, system: tuple[str, str, str]) -> dict[str, str]:
    """The markers of one kind of machine."""
    platform, os_name, processor = system
    return {
        "python_version": python.rpartition(".")[0],
        "python_full_version": python,
        "sys_platform": platform,
        "os_name": os_name,
        "platform_machine": processor,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }


@pytest.mark.parametrize(("python", "system"), MACHINES, ids=[f"{p}-{s[0]}" for p, s in MACHINES])
def test_every_dependency_has_one_pin_in_its_range(python: str, system: tuple[str, str, str]) -> None:
    """On each Python and system, each direct dependency has exactly one pin, inside its range."""
    here = machine(python, system)
    pinned: dict[str, list[str]] = {}
    for pin in pins():
        if pin.marker is None or pin.marker.evaluate(here):
            pinned.setdefault(canonicalize_name(pin.name), []).append(str(pin.specifier).removeprefix("=="))
    for requirement in requirements(*PROJECT["optional-dependencies"]):
        if requirement.marker is None or requirement.marker.evaluate(here):
            versions = pinned.get(canonicalize_name(requirement.name), [])
            assert len(versions) == 1, f"{requirement.name}: {versions}"
            assert requirement.specifier.contains(versions[0], prereleases=True), requirement


def test_pins_are_exact_and_in_order() -> None:
    """Every line of the constraints pins one version, and the lines are sorted."""
    assert [str(pin) for pin in pins() if not re.fullmatch(r"==[\w.!+]+", str(pin.specifier))] == []
    names = [canonicalize_name(pin.name) for pin in pins()]
    assert names == sorted(names)


def test_ranges_end_somewhere() -> None:
    """Each dependency says from which version on, and before which it was never tried."""
    for requirement in requirements(*PROJECT["optional-dependencies"]):
        assert {part.operator for part in requirement.specifier} == {">=", "<"}, requirement


def test_all_is_every_extra_but_dev() -> None:
    """The extra `all` asks for each extra there is, so that nothing is missing after it."""
    extras = PROJECT["optional-dependencies"]
    (everything,) = (Requirement(line) for line in extras["all"])
    assert everything.extras == set(extras) - {"all", "dev"}


def test_listed_is_what_is_imported() -> None:
    """The package imports what is listed, and nothing is listed that it doesn't use."""
    runtime = [name for name in PROJECT["optional-dependencies"] if name not in ("all", "dev")]
    listed = {canonicalize_name(requirement.name) for requirement in requirements(*runtime)}
    homes = packages_distributions()
    imported = {
        canonicalize_name(home) for module in _modules_imported() for home in homes.get(module, [module])
    }
    assert imported - listed == set(), "imported, but not listed"
    assert listed - imported - set(NOT_IMPORTED) == set(), "listed, but not imported"


def test_conda_environment_installs_the_same() -> None:
    """The Python from conda is one that pyproject allows; pip then installs all, with the same pins."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert environment["name"] == "batchkit"
    *conda, through_pip = environment["dependencies"]
    specs = {spec.name.normalized: spec for spec in map(MatchSpec, conda) if spec.name}
    assert set(specs) == {"python", "pip"}
    allowed = SpecifierSet(PROJECT["requires-python"])
    for version in ("3.9.18", "3.10.13", *PYTHONS):
        record = PackageRecord("python", version, BuildString("0_cpython"), 0, "linux-64")
        assert specs["python"].matches(record) == allowed.contains(version), version
    assert through_pip["pip"] == ["-c constraints.txt", "-e .[all]"]


def test_classifiers_name_the_pythons_tried() -> None:
    """The Pythons that pyproject names are those the pins are held to."""
    named = {line.split()[-1] for line in PROJECT["classifiers"] if "Python :: 3." in line}
    assert named == {python.rpartition(".")[0] for python in PYTHONS}


def test_no_file_names_a_registry() -> None:
    """Where packages come from is the machine's matter: no tracked file names a registry or an index."""
    # Written in two parts, so that this file passes too.
    names = (
        "pypi" + ".org",
        "python" + "hosted",
        "anaconda" + ".org",
        "--index" + "-url",
        "--extra" + "-index",
    )
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        assert [name for name in names if name in text] == [], path


#: What would bring in the other package: its name with extras, or after a word that installs.
OTHER = re.compile(
    r"(?<![\w./-])batchkit\[[a-z, ]+\]"
    r"|\b(?:install|add|pipx|uvx|uv tool|upgrade)\b[^\n`]*?(?<![\w./'-])['\"]?batchkit(?![\w./-])"
)


def test_no_text_installs_the_package_of_another() -> None:
    """`batchkit` on the public index isn't ours: no file that anybody reads would install it."""
    name = "batchkit"  # in two parts below, so that this file passes too
    for bad in (f"pip install {name}", f"pip install -U '{name}'", f"needs {name}[lab]", f"uvx {name} demo"):
        assert OTHER.search(bad), bad
    for good in (
        'pip install -e ".[lab]"',
        f"pip install '{name}-ops[lab]'",
        f"import {name}",
        f"{name} run",
    ):
        assert not OTHER.search(good), good
    for path in tracked():
        text = path.read_bytes().decode("utf-8", errors="replace")
        assert [found[0] for found in OTHER.finditer(text)] == [], path


def test_advice_on_installing_has_one_source() -> None:
    """The way and the name depend on how this copy was installed, which one function knows."""
    texts = {path: path.read_text(encoding="utf-8") for path in (ROOT / "batchkit").rglob("*.py")}
    assert [path.name for path, text in texts.items() if "pip install" in text] == []


def test_notebooks_are_stripped_and_thin() -> None:
    """Every tracked notebook is without outputs, has one `parameters` cell, and defines nothing."""
    for path in tracked():
        if path.suffix != ".ipynb":
            continue
        assert notebooks.remains(path) == [], path
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
        assert len(tagged) == 1, path
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        assert not re.search(r"^\s*(async def|def|class) ", code, re.MULTILINE), path


def test_stripping_takes_all_that_a_run_left(tmp_path: Path) -> None:
    """A notebook that was run is told apart, and after stripping holds its sources and tags alone."""
    run = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"widgets": {"state": {}}, "kernelspec": {"name": "python3"}},
        "cells": [
            {
                "cell_type": "code",
                "id": "a",
                "source": "1 + 1  # à",
                "execution_count": 3,
                "outputs": [{"output_type": "execute_result", "data": {"text/plain": "2"}}],
                "metadata": {"tags": ["parameters"], "papermill": {"duration": 1}},
            }
        ],
    }
    path = tmp_path / "run.ipynb"
    path.write_text(json.dumps(run), encoding="utf-8")
    assert len(notebooks.remains(path)) == 4
    notebooks.strip(path)
    assert notebooks.remains(path) == []
    left = json.loads(path.read_text(encoding="utf-8"))
    assert left["cells"][0]["source"] == "1 + 1  # à"
    assert left["cells"][0]["metadata"] == {"tags": ["parameters"]}
    assert left["metadata"] == {"kernelspec": {"name": "python3"}}


def test_documents_name_targets_that_exist() -> None:
    """Every `make something` in a document is a target of the Makefile, and the promised five are there."""
    rules = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert {"demo", "test", "lab", "bench", "lint"} <= set(rules)
    for path in tracked():
        if path.suffix == ".md":
            named = re.findall(r"(?:`|^\s*)make ([a-z-]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert set(named) <= set(rules), path


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A project of its own for `setup_env`, whose commands are noted instead of run."""
    monkeypatch.setattr(setup_env, "ROOT", tmp_path)
    monkeypatch.setattr(setup_env, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(setup_env, "STAMP", tmp_path / ".venv" / ".batchkit-stamp")
    monkeypatch.setattr(setup_env, "_python", lambda: Path(sys.executable))
    (tmp_path / ".venv").mkdir()
    for name in setup_env.INPUTS:
        (tmp_path / name).write_text("first", encoding="utf-8")
    noted: list[list[str]] = []

    def note(command: list[object], *, quiet: bool = False) -> bool:
        noted.append([str(part) for part in command])
        return True

    monkeypatch.setattr(setup_env, "_run", note)
    return noted


def test_set_up_is_done_once(calls: list[list[str]], tmp_path: Path) -> None:
    """The second call does nothing; a changed file installs again, into the `.venv` that is there."""
    kept = tmp_path / ".venv" / "kept"
    kept.touch()
    assert setup_env.main() == 0
    first = len(calls)
    assert first > 0
    assert setup_env.main() == 0
    assert len(calls) == first
    (tmp_path / "constraints.txt").write_text("second", encoding="utf-8")
    assert setup_env.main() == 0
    assert len(calls) > first
    assert kept.exists()
    assert not any("venv" in call for call in calls)


def test_moved_folder_is_made_anew(calls: list[list[str]], tmp_path: Path) -> None:
    """A `.venv` that was copied from elsewhere would start programs of there, so it is replaced."""
    (tmp_path / ".venv" / ".batchkit-stamp").write_text("digest\n/somewhere/else\n", encoding="utf-8")
    (tmp_path / ".venv" / "old").touch()
    assert setup_env._make_venv()
    assert not (tmp_path / ".venv" / "old").exists()
    assert any("venv" in call for call in calls)


def test_failed_install_is_tried_again(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a network the set-up says what to do, and the next call starts over."""
    monkeypatch.setattr(setup_env, "_install", lambda: False)
    assert setup_env.main() == 1
    assert "Without a network" in capsys.readouterr().err
    assert not setup_env.STAMP.exists()


def test_old_python_is_told(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Python that is too old is named, with what to do, before anything is made."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    assert setup_env.main() == 1
    assert "Python 3.11 or newer" in capsys.readouterr().err
    assert calls == []


@pytest.mark.skipif(os.name == "nt", reason="programs are written as shell scripts")
def test_python_is_found_where_the_one_on_the_path_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pyenv puts on the path refuses versions that aren't chosen: the one it stands for is taken."""
    refusing, serving = tmp_path / "python3.77", tmp_path / "versions" / "3.77.1" / "bin" / "python"
    serving.parent.mkdir(parents=True)
    for program, code in ((refusing, 127), (serving, 0)):
        program.write_text(f"#!/bin/sh\nexit {code}\n", encoding="utf-8")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert pythons.find_python("3.77") == str(serving)
    assert pythons.find_python("3.78") is None
    assert pythons.find_python(pythons.OWN) == sys.executable


@pytest.mark.skipif(os.name == "nt", reason="the script is for POSIX machines")
def test_ci_can_be_started() -> None:
    """The script of the CI is executable and bash reads it."""
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


def _modules_imported() -> set[str]:
    found: set[str] = set()
    for path in (ROOT / "batchkit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and (name := _imported_by_name(node)):
                found.add(name.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"__future__", "batchkit"}


def _imported_by_name(call: ast.Call) -> str:
    """The module that `import_module("a.b")`, or its helper `_library`, imports; else nothing."""
    function = ast.unparse(call.func).rpartition(".")[2]
    if function in ("import_module", "_library") and isinstance(call.args[0], ast.Constant):
        return str(call.args[0].value)
    return ""
