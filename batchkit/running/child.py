"""The process of its own that drives a detached run: how it is started, and why it died."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Final

from ..core import secrets

_LOG: Final = "detached.log"
_NOTE: Final = "detached.json"
_CLOCK_STEP: Final = 2.0  # seconds: the birth of a process is told by a clock that is put right at times


def spawn(folder: Path) -> subprocess.Popen[bytes]:
    """Start a process that drives the run in a folder, and outlives this one.

    Args:
        folder: The run folder; what the process says goes to a log in it, and which it is beside that.
    """
    options: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
        options = {"creationflags": flags}
    import psutil

    with (folder / _LOG).open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "batchkit.running.detached", str(folder)],
            # A password that somebody wrote into the address lives in this process only: hand it on.
            env={**os.environ, **secrets.concealed()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **options,
        )
    # Before it is reaped, since its number may be another's then.
    began = psutil.Process(child.pid).create_time()
    note = {"pid": child.pid, "began": began, "host": socket.gethostname()}
    (folder / _NOTE).write_text(json.dumps(note), encoding="utf-8")
    # Reaped when it ends, so that it doesn't linger as a zombie of a long notebook session.
    threading.Thread(target=child.wait, daemon=True).start()
    return child


def lives(folder: Path) -> bool | None:
    """Whether the process that was started for a run is there; None where that can't be told from here."""
    import psutil

    try:
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        if note["host"] != socket.gethostname():
            return None
        process = psutil.Process(note["pid"])
        # By its birth too: the number of a process that is gone may be another's by now.
        same = bool(abs(process.create_time() - note["began"]) < _CLOCK_STEP)
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
    except (OSError, ValueError, LookupError):
        return None  # none was started, or by an earlier version


def why_it_died(folder: Path) -> str:
    """Why the process died at its start, by the end of what it wrote."""
    try:
        lines = (folder / _LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it wrote nothing")
    return secrets.redact(f"The process that was to drive the run ended at its start: {last}")
