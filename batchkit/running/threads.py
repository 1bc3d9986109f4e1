"""The threads of a session: for what blocks, so that its loop goes on."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """Threads that go on while their process ends, and never keep it from ending.

    The standard pool refuses work as soon as the main thread is over. That is too early: a server that shuts
    down may take its time, and a run in it would fail instead of hearing its stop. It also makes the process
    wait for calls under way, which a resume sorts out as well.

    Args:
        most: So many at once; each is made when it is first needed.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._most = most
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._made: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._over = False
        # Two from the start: once its process ends, Python (from 3.12 on) makes no new ones, and what blocks
        # must find some. One alone could be held by a chunk that takes long.
        for _ in range(min(most, 2)):
            self._make()
            self._idle.release()

    def _make(self) -> None:
        thread = threading.Thread(target=self._work, name=f"batchkit-worker-{len(self._made)}", daemon=True)
        thread.start()
        self._made.append(thread)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have something done in a thread."""
        future: Future[T] = Future()
        with self._lock:  # so that nothing is put behind the words that end the threads
            if self._over:
                raise RuntimeError("the session is over")
            self._jobs.put((future, partial(fn, *args, **kwargs)))
            if not self._idle.acquire(blocking=False) and len(self._made) < self._most:
                with contextlib.suppress(RuntimeError):  # its process ends: those there are take it in turn
                    self._make()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let what was submitted come to its end, and take nothing more."""
        del cancel_futures  # a session waits for its calls before it comes here
        with self._lock:
            self._over = True
            for _ in self._made:
                self._jobs.put(None)
        if wait:
            for thread in self._made:
                thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 - it is the waiter's
                    future.set_exception(error)
            del future, job, work  # an idle thread holds nothing of its last call
            self._idle.release()
