"""Which of the kept runs to look at: those that did the same work, or undo a run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ..core.errors import RunError
from .journal import JournalReader
from .run_folder import JOURNAL, run_folders


def runs_with(**facts: str | None) -> list[Path]:
    """Folders of the runs of which at least one of these facts holds, newest first.

    Args:
        **facts: `work`, `rows`, `address`, `undoes`, as their journals say; those that are None don't count.
    """
    found = []
    for folder in run_folders():
        try:
            with closing(JournalReader(folder / JOURNAL)) as journal:
                if any(value and journal.meta(name) == value for name, value in facts.items()):
                    found.append(folder)
        except RunError:
            continue
    return found
