"""How this copy of batchkit was installed, and so what adds a part to it or mends it."""

from __future__ import annotations

import os
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

NAME: Final = "batchkit-ops"
"""The name to install by: `batchkit`, as import and command are called, is somebody else's package."""

_FOLDER: Final = Path(__file__).resolve().parents[2]


def install_command(extra: str = "") -> str:
    """The command that installs this copy again, with an extra: a clone as a clone, a wheel by its name.

    Args:
        extra: What it shall bring along, such as `lab`; nothing more when empty.
    """
    own, extras = _distribution(), f"[{extra}]" if extra else ""
    # An environment that uv made holds no pip.
    by = "uv pip" if own and (own.read_text("INSTALLER") or "").strip() == "uv" else "pip"
    if clone := clone_folder():
        place = "." if clone == Path.cwd() else clone
        return f'{by} install -e "{place}{extras}"'
    quote = '"' if os.name == "nt" else "'"
    return f"{by} install {quote}{NAME}{extras}{quote}"


def clone_folder() -> Path | None:
    """The folder of the project when this copy runs from there; None when it was installed from a wheel."""
    return _FOLDER if (_FOLDER / "pyproject.toml").is_file() else None


def installed_version() -> str | None:
    """The version, or None for a copy that was never installed."""
    own = _distribution()
    return own.version if own else None


def required_packages() -> list[str]:
    """What this copy says it can't do without, as requirements; empty when it was never installed."""
    own = _distribution()
    return [line for line in (own.requires or [] if own else []) if "extra ==" not in line]


def _distribution() -> Distribution | None:
    try:
        return distribution(NAME)
    except PackageNotFoundError:
        return None
