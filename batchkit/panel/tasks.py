"""Work that a click asks for: at once, or behind the screen one after the other; errors become sentences."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..core.errors import BatchkitError


class Tasks:
    """What a view is doing besides showing.

    Attributes:
        notice: What the last click could not do; empty when it could.
    """

    def __init__(self) -> None:
        self.notice = ""
        # Clicks add to it, and each task's thread takes its own off: steps that no thread comes between.
        self._waiting: list[str] = []
        # One task after the other: an undo that is clicked during a report begins when that is done.
        self._turn = threading.Lock()

    @property
    def busy(self) -> str:
        """What is being done in the background, in words; empty when nothing is."""
        return next(iter(self._waiting), "")

    def now(self, act: Callable[[], Any]) -> None:
        """Do something quick; an error becomes the notice."""
        self.notice = ""
        self._try(act)

    def later(self, words: str, act: Callable[[], Any]) -> None:
        """Do something slow in a thread of its own, after what is asked for already.

        Args:
            words: What it is, for the screen; asked for twice, it is done once.
            act: What to do; an error becomes the notice.
        """
        if words in self._waiting:
            return
        self._waiting.append(words)

        def work() -> None:
            with self._turn:
                self._try(act)
                self._waiting.remove(words)

        threading.Thread(target=work, name="batchkit-panel-task", daemon=True).start()

    def _try(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001  an operator gets a sentence, never a traceback
            self.notice = say(error)


def say(error: BaseException) -> str:
    """An error as a text that each view words its own way: batchkit's words, or its kind and text."""
    return error.stored() if isinstance(error, BatchkitError) else f"{type(error).__name__}: {error}"
