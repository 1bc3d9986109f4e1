"""The Pythons of this machine that the project is made for: by name on the path, or pyenv's.

`python tools/pythons.py` prints a line for each, version and program, but for the one that runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

VERSIONS: Final = ("3.11", "3.12", "3.13")
OWN: Final = f"{sys.version_info.major}.{sys.version_info.minor}"


def find_python(version: str) -> str | None:
    """A program of this version, such as "3.12", that can make virtual environments; None: there is none."""
    if version == OWN:
        return sys.executable
    return next((program for program in _candidates(version) if _serves(program, version)), None)


def _candidates(version: str) -> Iterator[str]:
    for folder in os.get_exec_path():
        program = Path(folder, f"python{version}")
        if program.is_file():
            yield str(program)
    # The program that pyenv puts on the path refuses versions that aren't chosen for the folder.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from (str(program) for program in sorted(pyenv.glob(f"versions/{version}.*/bin/python")))


def _serves(program: str, version: str) -> bool:
    # Some systems leave out ensurepip, without which `venv` ends half-way.
    check = f"import ensurepip, sqlite3, sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != {version!r})"
    try:
        return subprocess.run([program, "-c", check], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def main() -> None:
    """Print what `find_python` finds beside the running one."""
    for version in VERSIONS:
        if version != OWN and (program := find_python(version)):
            print(version, program)


if __name__ == "__main__":
    main()
