"""How often each item of a run was sent, over all its sessions: exact also where its process was killed."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
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
    before, and says nothing of what followed. So each try is counted as it leaves, in a mapped file: that
    outlives its process as what is written does, without a call of the system for each try. Where a power
    cut takes some of it no outcome is lost. Nothing is ever decided by it.

    Args:
        journal: The run's journal.
        total: Items in the plan.

    Attributes:
        made: Tries of all sessions, counted per item.
    """

    def __init__(self, journal: Journal, total: int) -> None:
        self._path = _path(journal)
        self._counts: bytearray | mmap.mmap = bytearray(total)
        try:
            known = self._path.read_bytes()[:total]
            self._counts[: len(known)] = known
        except OSError:
            # A run of an earlier version, or a copy without this file: what is on record is known of it.
            journal.set_meta(attempts_before=journal.attempts())
            self.made = journal.attempts()
        else:
            self.made = attempts_made(journal)
        self._opened = False

    def of(self, item: int) -> int:
        """How often an item was sent."""
        return self._counts[item]

    def count(self, item: int) -> None:
        """Count a try of an item, which is about to be made."""
        if not self._opened:
            self._open()
        counts = self._counts
        counts[item] = _NEXT[counts[item]]
        self.made += 1

    def count_chunk(self, items: Sequence[int]) -> None:
        """Count a try of many items at once, in order of the plan, which is about to be made."""
        first, last = items[0], items[-1]
        if last - first + 1 != len(items):
            for item in items:
                self.count(item)
            return
        if not self._opened:
            self._open()
        self._counts[first : last + 1] = self._counts[first : last + 1].translate(_NEXT)
        self.made += len(items)

    def close(self) -> None:
        """Release the file. Safe to call twice."""
        if isinstance(self._counts, mmap.mmap):
            mapped, self._counts = self._counts, bytearray(self._counts)
            mapped.close()

    def _open(self) -> None:
        """Count in the file from now on.

        That begins with the first try, when an intent is on disk and with it, in an earlier commit or the
        same, what the journal alone knew of the attempts so far.
        """
        self._opened = True
        try:
            self._path.touch()
            with self._path.open("r+b") as file:
                # Every byte is written before it is mapped: a page that found no room on a full disk later
                # would end the process. The journal's own index beside it is mapped in the same way, so
                # this asks no more of a file system than that does.
                file.write(self._counts)
                file.flush()
                self._counts = mmap.mmap(file.fileno(), len(self._counts))
        except OSError:
            return  # it is counted in memory, for the outcomes; a full disk is the journal's to tell


def attempts_made(journal: JournalReader) -> int:
    """Tries of all sessions of a run so far, counted per item."""
    try:
        counts = _path(journal).read_bytes()
    except OSError:
        return journal.attempts()
    return sum(counts) + int(journal.meta("attempts_before", 0))


def _path(journal: JournalReader) -> Path:
    return journal.path.with_name(_FILE)
