"""The house: imports go down or stay in their folder, and no ring of imports stands anywhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "batchkit"

FLOORS = (
    "core",
    "checking",
    "targets",
    "sources",
    "planning",
    "journal",
    "reports",
    "running",
    "files saving upkeep",
    "cli panel sandbox demo testing parameters __main__",
)
"""From below. What shares a line stands side by side."""
FLOOR_OF = {room: height for height, rooms in enumerate(FLOORS) for room in rooms.split()}


def _modules() -> dict[str, Path]:
    """Every module of the package but its own `__init__`, by dotted name below `batchkit`."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name:
            found[name] = path
    return found


MODULES = _modules()


def _imports(name: str) -> Iterator[str]:
    """Modules of batchkit that a module imports: at its top, inside functions, for types, or by name."""
    path = MODULES[name]
    package = path.relative_to(PACKAGE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("batchkit")):
            base = package[: len(package) - node.level + 1] if node.level else ()
            parts = [
                *base,
                *(node.module.removeprefix("batchkit").strip(".").split(".") if node.module else []),
            ]
            for alias in node.names:
                whole = ".".join(part for part in (*parts, alias.name) if part)
                yield whole if whole in MODULES else ".".join(part for part in parts if part)
        elif isinstance(node, ast.Import):
            yield from (
                a.name.removeprefix("batchkit.") for a in node.names if a.name.startswith("batchkit.")
            )


GRAPH = {name: {other for other in _imports(name) if other in MODULES and other != name} for name in MODULES}


def _room(name: str) -> str:
    return name.partition(".")[0]


def _rings(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of nodes that each reach each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_every_room_has_a_floor() -> None:
    """A new folder gets a floor before it gets a user, and nothing else stands at the top."""
    assert {_room(name) for name in MODULES} <= set(FLOOR_OF)


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down(name: str) -> None:
    """No module imports from a floor above its own; faces may lean on each other, but in no ring."""
    upward = {other for other in GRAPH[name] if FLOOR_OF[_room(other)] > FLOOR_OF[_room(name)]}
    assert not upward, f"{name} imports from above: {sorted(upward)}"


def test_no_ring_of_files() -> None:
    """No file imports, by way of whichever others, itself; lazy imports and those for types count too."""
    assert _rings(GRAPH) == []


def test_no_ring_of_folders() -> None:
    """Nor does any folder, and none within a folder."""
    folders = {name: ".".join(MODULES[name].relative_to(PACKAGE).parts[:-1]) or name for name in MODULES}
    graph: dict[str, set[str]] = {folder: set() for folder in folders.values()}
    for name, others in GRAPH.items():
        graph[folders[name]] |= {folders[other] for other in others} - {folders[name]}
    assert _rings(graph) == []


DOORS = {
    ("planning.plan", "running.run"),  # Plan.start: the story goes on upward
    ("planning.plan", "upkeep.retention"),  # and hands what it starts the house-keeping
    ("targets.base", "testing"),  # `memory:` is a target like any other, opened by its address
}


def test_only_one_door_leads_up() -> None:
    """`Plan.start` opens the run by name; nobody else reaches up by a name that imports can't show."""
    doors = set()
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                word = node.value.partition(":")[0]
                other = word.removeprefix("batchkit.")
                if word != other and other in MODULES and FLOOR_OF[_room(other)] > FLOOR_OF[_room(name)]:
                    doors.add((name, other))
    assert doors <= DOORS


COMMON = ("base", "exchange", "http")
"""The protocol with what passes through it, and the floor that targets behind HTTP share."""


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("targets.")])
def test_targets_know_nothing_of_each_other(name: str) -> None:
    """A module of a target imports from its own folder, and from what all targets share."""
    family = name.split(".")[1]
    others = {other.split(".")[1] for other in GRAPH[name] if other.startswith("targets.")}
    assert others <= {*COMMON, family}


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
