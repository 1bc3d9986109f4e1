"""Notebooks are kept without outputs: this says which are not, and `--strip` makes them so."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    """Check (or, with `--strip`, clean) the notebooks of the project.

    Returns:
        1 when a notebook holds results of a run and was left as it is; else 0.
    """
    dirty = [path for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if remains(path)]
    if "--strip" in arguments:
        for path in dirty:
            strip(path)
        return 0
    for path in dirty:
        print(f"{path.relative_to(ROOT)}: {'; '.join(remains(path))}", file=sys.stderr)
    if dirty:
        print("Strip them: python tools/notebooks.py --strip", file=sys.stderr)
    return int(bool(dirty))


def remains(path: Path) -> list[str]:
    """What of a run is left in a notebook, as one sentence each; empty when it is stripped."""
    notebook = _read(path)
    found = []
    for number, cell in enumerate(notebook["cells"], start=1):
        if cell.get("outputs"):
            found.append(f"cell {number} has outputs")
        if cell.get("execution_count") is not None:
            found.append(f"cell {number} has an execution count")
        if set(cell.get("metadata", {})) - {"tags"}:
            found.append(f"cell {number} has metadata beside its tags")
    if "widgets" in notebook["metadata"] or "papermill" in notebook["metadata"]:
        found.append("the notebook holds the state of widgets or of papermill")
    return found


def strip(path: Path) -> None:
    """Take all that a run left out of a notebook, in place."""
    notebook = _read(path)
    for cell in notebook["cells"]:
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key == "tags"}
        if cell["cell_type"] == "code":
            cell["outputs"] = []
            cell["execution_count"] = None
    for state in ("widgets", "papermill"):
        notebook["metadata"].pop(state, None)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
