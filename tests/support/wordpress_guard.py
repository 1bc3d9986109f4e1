"""Processes that can't outlive their owner: a guard waits for the owner's end, then clears all away.

Programs are started by `start`, each in a process group of its own that is written down in the guarded
folder (`*.group`). When the owner ends, even by kill -9, the guard kills these groups and removes the
folder. Only the standard library is used, because the guard runs this very file.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path


class Guard:
    """A watch over a folder, for as long as this process lives or until `close`."""

    def __init__(self, folder: Path) -> None:
        # The guard's standard input is a pipe that only this process holds: it closes whichever way we end.
        # In a session of its own, a signal to our process group doesn't reach it.
        self._process: subprocess.Popen[bytes] | None = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """Have all cleared away, and return when it is."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(timeout=60)


def start(folder: Path, name: str, command: Sequence[str | Path], env: dict[str, str] | None = None) -> None:
    """Start a program that the guard knows; its output goes to `name.log`."""
    # Written down before it starts: there is no moment in which it runs and nobody knows. In the background,
    # it has no parent that would have to wait for it.
    command = ["sh", "-c", 'echo $$ > "$0" && { "$@" & }', str(folder / f"{name}.group"), *command]
    with (folder / f"{name}.log").open("ab") as output:
        subprocess.run(
            command,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **(env or {})},
        )


def kill(folder: Path, name: str) -> None:
    """End a program and all it started, at once; nothing when it isn't running."""
    file = folder / f"{name}.group"
    if file.exists():
        _kill_group(file)
        file.unlink()


def _kill_group(file: Path) -> None:
    text = file.read_text(encoding="ascii").strip()
    if text:
        try:
            os.killpg(int(text), signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return


def _guard(folder: Path) -> None:
    sys.stdin.buffer.read()
    gone = folder.with_name(f"{folder.name}.gone")
    folder.rename(gone)  # a program about to start can't write itself down any more, and so doesn't
    for _ in range(50):
        for file in gone.glob("**/*.group"):
            _kill_group(file)
        shutil.rmtree(gone, ignore_errors=True)
        if not gone.exists():
            return
        time.sleep(0.1)


if __name__ == "__main__":
    _guard(Path(sys.argv[1]))
