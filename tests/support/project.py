"""The files of the project itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .needs import ROOT


def tracked() -> list[Path]:
    """The files git knows; outside a repository, those that would be."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        own = (path for path in ROOT.rglob("*") if path.is_file())
        return [path for path in own if not path.relative_to(ROOT).parts[0].startswith((".venv", ".cache"))]
    paths = [ROOT / name for name in done.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]
