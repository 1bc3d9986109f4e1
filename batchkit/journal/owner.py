"""Who drives a run: one process at a time, by a lock that dies with it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from ..core.advice import watch
from ..core.errors import DiskFull, RunBusy
from ..core.files import FULL

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes
else:
    import fcntl

_LOCK = "run.lock"
_NOTE = "owner.json"


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that drives a run."""

    pid: int
    host: str
    since: float

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}" if self.pid else "another process"

    def is_suspended(self) -> bool:
        """Whether it was stopped in its tracks (Ctrl-Z, SIGSTOP); False where that can't be seen."""
        import psutil

        if not self.pid or self.host != socket.gethostname():
            return False
        try:
            return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)
        except psutil.Error:
            return False


def unmoved(folder: Path, owner: Owner, how: str) -> RunBusy:
    """The error that says who holds a run and doesn't answer, and what to do about it."""
    # Process 0 would be the whole group of whoever typed that.
    by_hand = owner.pid and sys.platform != "win32"
    waking = f" (`fg` in its terminal, or `kill -CONT {owner.pid}`)" if by_hand else ""
    ending = f" (`kill -9 {owner.pid}`)" if by_hand else ""
    return RunBusy(
        f"The run {folder.name} is held by {owner}, which {how}.",
        advice=f"Let that process go on{waking}, then do this again; or end it{ending} and resume the run:"
        " what was done is on record.",
        pid=owner.pid,
        host=owner.host,
    )


class Ownership:
    """The right to drive a run; let go by `release`, or by the end of the process however it ends.

    Args:
        folder: The run folder.

    Attributes:
        beat: The beat that the last owner noted last, if it died; else 0.

    Raises:
        RunBusy: Another process (or another thread of this one) drives the run.
        DiskFull: No room is left for its note.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = filelock.FileLock(folder / _LOCK, thread_local=False)
        try:
            # Tried for a while: somebody who only looks holds a shared lock for a moment.
            self._lock.acquire(timeout=0.5, poll_interval=0.01)
        except filelock.Timeout:
            owner = owner_of(folder)
            raise RunBusy(
                f"The run {folder.name} is driven by {owner or 'another process'}.",
                advice=f"Watch it: {watch(folder.name)}; or stop it first.",
                pid=owner.pid if owner else None,
                host=owner.host if owner else None,
            ) from None
        # A note that is still there is of an owner who died: who lets go in good order takes it along.
        self.beat: int = _read_note(folder).get("beat", 0)
        self._facts = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        try:
            self.note(self.beat)
        except OSError as error:
            self._lock.release()
            if error.errno not in FULL:
                raise
            raise DiskFull(
                f"No room is left at {folder}, where the run is kept.",
                advice="Free some disk, then resume the run: what was done is on record.",
                path=folder,
            ) from error

    def note(self, beat: int) -> None:
        """Leave word of who drives the run, and of the last beat that its journal has taken.

        Args:
            beat: A number that rises with each commit it is noted after. A journal that is found with a lower
                one has lost its end.
        """
        part = self._folder / f"{_NOTE}.part"
        part.write_text(json.dumps({**self._facts, "beat": beat}), encoding="utf-8")
        part.replace(self._folder / _NOTE)

    def release(self, *, noted: bool = False) -> None:
        """Let go. Safe to call twice.

        Args:
            noted: Leave the note, which tells how far the journal got: it has not come to an orderly end.
        """
        if self._lock.is_locked:
            # The note goes first: once the lock is free, it may be the next owner's.
            with contextlib.suppress(OSError):
                if not noted:
                    (self._folder / _NOTE).unlink(missing_ok=True)
            self._lock.release()


def owner_of(folder: Path) -> Owner | None:
    """The process that drives a run; None when nobody does.

    The lock decides, and the note beside it only says who. Looking doesn't take the lock: it is asked for
    shared, so that any number may look at once, and refused only while an owner holds it for itself alone.
    """
    try:
        descriptor = os.open(folder / _LOCK, os.O_RDONLY)
    except OSError:
        return None  # nobody ever drove it, or it isn't ours to read
    try:
        free = _is_free(descriptor)
    except OSError:
        return None  # a file system without locks
    finally:
        os.close(descriptor)  # and with it the shared lock
    if free:
        return None
    note = _read_note(folder)
    return Owner(note.get("pid", 0), note.get("host", "another place"), note.get("since", 0.0))


if sys.platform == "win32":

    class _Overlapped(ctypes.Structure):
        _fields_ = (
            ("Internal", ctypes.c_void_p),
            ("InternalHigh", ctypes.c_void_p),
            ("Offset", wintypes.DWORD),
            ("OffsetHigh", wintypes.DWORD),
            ("hEvent", wintypes.HANDLE),
        )

    _FAIL_IMMEDIATELY = 1
    _LOCK_VIOLATION = 33

    def _is_free(descriptor: int) -> bool:
        """Whether a shared lock on the first byte, which is what filelock locks, is granted."""
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.LockFileEx.argtypes = [
            wintypes.HANDLE,
            *[wintypes.DWORD] * 4,
            ctypes.POINTER(_Overlapped),
        ]
        kernel.UnlockFileEx.argtypes = [wintypes.HANDLE, *[wintypes.DWORD] * 3, ctypes.POINTER(_Overlapped)]
        handle = msvcrt.get_osfhandle(descriptor)
        if kernel.LockFileEx(handle, _FAIL_IMMEDIATELY, 0, 1, 0, ctypes.byref(_Overlapped())):
            # At once: closing the file lets go too, but only when the system finds the time.
            kernel.UnlockFileEx(handle, 0, 1, 0, ctypes.byref(_Overlapped()))
            return True
        error = ctypes.get_last_error()
        if error == _LOCK_VIOLATION:
            return False
        raise ctypes.WinError(error)

else:

    def _is_free(descriptor: int) -> bool:
        """Whether a shared lock of the kind that filelock takes is granted."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):  # some file systems say the one, some the other
            return False
        return True


def _read_note(folder: Path) -> dict[str, Any]:
    """What the note says; nothing where there is none."""
    with contextlib.suppress(OSError, ValueError):
        note = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
        return note if isinstance(note, dict) else {}
    return {}
