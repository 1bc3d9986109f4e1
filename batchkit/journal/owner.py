"""Who drives a run: one process at a time, by a lock that dies with it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import filelock

from ..core.errors import RunBusy


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that drives a run."""

    pid: int
    host: str
    since: float

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}" if self.pid else "another process"


class Ownership:
    """The right to drive a run; let go by `release`, or by the end of the process however it ends.

    Args:
        folder: The run folder.

    Raises:
        RunBusy: Another process (or another thread of this one) drives the run.
    """

    def __init__(self, folder: Path) -> None:
        self._note = folder / "owner.json"
        self._lock = filelock.FileLock(folder / "run.lock", thread_local=False)
        try:
            self._lock.acquire(timeout=0.5, poll_interval=0.01)
        except filelock.Timeout:
            owner = owner_of(folder)
            raise RunBusy(
                f"The run {folder.name} is driven by {owner or 'another process'}.",
                advice="Watch it with `batchkit watch`, or stop it first.",
                pid=owner.pid if owner else None,
                host=owner.host if owner else None,
            ) from None
        facts = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        part = self._note.with_suffix(".part")
        part.write_text(json.dumps(facts), encoding="utf-8")
        part.replace(self._note)

    def release(self) -> None:
        """Let go. Safe to call twice."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)
            self._lock.release()


def owner_of(folder: Path) -> Owner | None:
    """The process that drives a run; None when nobody does.

    The lock decides: it is tried for a moment, and whoever takes a run in hand tries for longer than that.
    The note beside it only says who. A folder that can't be written to has no owner here.
    """
    lock = filelock.FileLock(folder / "run.lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return _noted(folder) or Owner(0, "another place", 0.0)
    except OSError:
        return None
    lock.release()
    return None


def _noted(folder: Path) -> Owner | None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        facts = json.loads((folder / "owner.json").read_text(encoding="utf-8"))
        return Owner(facts["pid"], facts["host"], facts["since"])
    return None
