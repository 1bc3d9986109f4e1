"""Where batchkit keeps its plans and runs: one folder, `BATCHKIT_HOME`, by default `~/.batchkit`."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The folder that holds plans and runs; made on first use and closed to other users.

    Raises:
        UsageError: The folder can't be made.
    """
    named = os.environ.get("BATCHKIT_HOME", "").strip()
    return _made(Path(named).expanduser() if named else Path.home() / ".batchkit")


def plans_folder() -> Path:
    """Where `job.plan()` writes a plan that was given no path."""
    return _made(home() / "plans")


def runs_folder() -> Path:
    """Where each run has its folder."""
    return _made(home() / "runs")


def _made(folder: Path) -> Path:
    try:
        # Plans and runs hold the operator's data: nobody else on the machine needs to read them.
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        from .errors import UsageError

        raise UsageError(
            f"The folder {folder} can't be made: {error.strerror or error}.",
            advice="Set BATCHKIT_HOME to a folder you may write to.",
            path=folder,
        ) from None
    return folder
