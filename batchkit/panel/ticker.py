"""The one thread that refreshes all open views."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Final

Look = Callable[[], bool]
"""Refreshes a view; says whether it wants to be called again."""


class Ticker:
    """Calls every view's look a few times a second, from one thread that ends with the last view.

    Widgets tolerate a thread that only sets their values; nothing here may print.

    Args:
        interval: Seconds between two rounds; 0.1 is as quick as eyes follow.
    """

    def __init__(self, interval: float = 0.1) -> None:
        self._interval = interval
        self._looks: list[Look] = []
        # Reentrant: a view that is garbage is collected wherever memory is asked for, under the lock too, and
        # takes its look back then.
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None

    def add(self, look: Look) -> None:
        """Call `look` from now on, until it answers False or is removed; adding it twice changes nothing."""
        with self._lock:
            if look not in self._looks:
                self._looks.append(look)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="batchkit-panel", daemon=True)
                self._thread.start()

    def remove(self, look: Look) -> None:
        """Don't call `look` any more; removing it twice changes nothing."""
        with self._lock, contextlib.suppress(ValueError):
            self._looks.remove(look)

    @property
    def idle(self) -> bool:
        """Whether no view is being refreshed and the thread has ended."""
        return self._thread is None

    def _work(self) -> None:
        # The looks are called without the lock: a slow one must not keep a click from adding its view.
        while looks := self._next_round():
            for look in looks:
                try:
                    go_on = look()
                except Exception:  # noqa: BLE001  a view that breaks must not freeze the others
                    go_on = False
                if not go_on:
                    self.remove(look)
            # Nobody waits for this thread, and it dies with its process: nothing has to cut this short.
            time.sleep(self._interval)

    def _next_round(self) -> list[Look]:
        with self._lock:
            if not self._looks:
                self._thread = None  # under the lock: an `add` right now starts a new thread
            return list(self._looks)


TICKER: Final = Ticker()
"""The ticker of this process's views."""
