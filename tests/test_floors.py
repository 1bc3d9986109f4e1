"""The house has four floors: imports go down, never up, and never from one target to another."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "batchkit"

FLOORS = {
    1: "errors problems states settings snapshot chunks retry pacing estimate guards",
    2: (
        "fields mapping checks checking sources tables reading plan planning outcomes places secrets journal "
        " ownership runlog report reports targets"
    ),
    3: "job jobentries jobfile fitting engine driving run resending runfolders reporting retention",
    4: (
        "cli panel progress parameters sample sample_companies sample_recipients demo doctor sandbox testing "
        "__main__"
    ),
}
FLOOR_OF = {noun: floor for floor, nouns in FLOORS.items() for noun in nouns.split()}

# Doors by which a lower floor reaches up, lazily and on purpose; each has its reason.
DOORS = {
    ("plan", "run"): "Plan.start() is the one step of Job → Plan → Run → Report that users take upward",
}


def _modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def _noun(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def _imports(path: Path) -> set[str]:
    """Top nouns of batchkit that a module imports, at its top, inside functions, or for types."""
    package = path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom):
            continue
        base = list(package[: len(package) - node.level + 1]) if node.level else []
        parts = [*base, *(node.module.split(".") if node.module else [])]
        if parts[:1] == ["batchkit"]:
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
    return found


def test_every_module_has_a_floor() -> None:
    """A new noun gets a floor before it gets a user."""
    assert {_noun(path) for path in _modules()} == set(FLOOR_OF)


@pytest.mark.parametrize("path", _modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    """No module imports from a floor above its own."""
    noun = _noun(path)
    upward = {
        other
        for other in _imports(path)
        if FLOOR_OF.get(other, 1) > FLOOR_OF[noun] and (noun, other) not in DOORS
    }
    assert not upward, f"{path.name} on floor {FLOOR_OF[noun]} imports from above: {sorted(upward)}"


COMMON = ("base", "http")
"""The protocol, and the floor that targets behind HTTP share."""


def test_targets_know_nothing_of_each_other() -> None:
    """A module of a target imports from its own folder, and from what all targets share."""
    targets = PACKAGE / "targets"
    for path in targets.rglob("*.py"):
        family = path.relative_to(targets).parts[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 2 and family != path.name and node.module:
                other = node.module.split(".")[0]
                assert other in (*COMMON, family), f"{family}/{path.name} imports {node.module}"


def test_import_is_quick_and_light() -> None:
    """`import batchkit` brings in none of the heavy packages, which load when they are needed."""
    heavy = [
        "polars",
        "pandas",
        "sqlalchemy",
        "openpyxl",
        "xlsxwriter",
        "pydantic",
        "jinja2",
        "psycopg",
        "ipywidgets",
        "click",
        "tqdm",
    ]
    script = f"import batchkit, sys; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_is_sorted_and_every_name_opens() -> None:
    """`__all__` is in order, and each public name can be imported."""
    import batchkit

    assert batchkit.__all__ == sorted(batchkit.__all__)
    for name in batchkit.__all__:
        assert getattr(batchkit, name) is not None
