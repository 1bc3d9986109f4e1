"""How often each item of a run was sent, over all its sessions: exact also where its process was killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from io import FileIO
from pathlib import Path
from typing import Final

from .journal import JournalReader
from .writer import Journal

_FILE: Final = "attempts"
_NEXT: Final = bytes([*range(1, 256), 255])
"""What follows each count; the last stands for itself and more."""


class Attempts:
    """Counts what is sent, a byte an item, in a file beside the journal.

    An outcome comes after the sending, and dies with a process that is killed in between; an intent comes
    before, and says nothing of what followed. So each try is counted as it leaves. The count is written and
    not waited for: it outlives its process, and where a power cut takes some of it no outcome is lost.
    Nothing is ever decided by it.

    Args:
        journal: The run's journal.
        total: Items in the plan.

    Attributes:
        made: Tries of all sessions, counted per item.
    """

    def __init__(self, journal: Journal, total: int) -> None:
        self._path = _path(journal)
        self._counts = bytearray(total)
        try:
            known = self._path.read_bytes()[:total]
            self._counts[: len(known)] = known
        except OSError:
            # A run of an earlier version, or a copy without this file: what is on record is known of it.
            journal.set_meta(attempts_before=journal.attempts())
            self.made = journal.attempts()
        else:
            self.made = attempts_made(journal)
        self._file: FileIO | None = None

    def of(self, item: int) -> int:
        """How often an item was sent."""
        return self._counts[item]

    def count(self, items: Sequence[int]) -> None:
        """Count a try of these items, in order of the plan, which is about to be made."""
        first, last = items[0], items[-1]
        part = self._counts[first : last + 1]
        if len(part) == len(items):
            part = part.translate(_NEXT)
        else:
            for item in items:
                part[item - first] = _NEXT[part[item - first]]
        self._counts[first : last + 1] = part
        self.made += len(items)
        try:
            if self._file is None:
                self._path.touch()
                # Unbuffered: what is written belongs to the system at once, and outlives this process.
                self._file = FileIO(self._path, "r+")
            _write(self._file, part, first)
        except OSError:
            return  # a full disk is the journal's to tell

    def close(self) -> None:
        """Release the file. Safe to call twice."""
        if self._file is not None:
            self._file.close()


def attempts_made(journal: JournalReader) -> int:
    """Tries of all sessions of a run so far, counted per item."""
    try:
        counts = _path(journal).read_bytes()
    except OSError:
        return journal.attempts()
    return sum(counts) + int(journal.meta("attempts_before", 0))


def _path(journal: JournalReader) -> Path:
    return journal.path.with_name(_FILE)


if sys.platform == "win32":

    def _write(file: FileIO, counts: bytearray, at: int) -> None:
        file.seek(at)
        file.write(counts)

else:

    def _write(file: FileIO, counts: bytearray, at: int) -> None:
        os.pwrite(file.fileno(), counts, at)  # one call of the system, not two: each try costs it
