"""Who drives a run: seen by any number of onlookers, who never stand in each other's way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import filelock
import psutil
import pytest

from batchkit.core.errors import RunBusy
from batchkit.journal.owner import Ownership, owner_of
from tests.support.waiting import until


def test_onlookers_never_take_each_other_for_the_owner(tmp_path: Path) -> None:
    """Many that look at a free run at once all see that it is free."""
    (tmp_path / "run.lock").touch()
    seen: list[object] = []

    def look() -> None:
        seen.extend(owner_of(tmp_path) for _ in range(500))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [None] * 2_000


def test_an_owner_gets_its_run_while_others_look(tmp_path: Path) -> None:
    """Onlookers hold nothing that keeps somebody from taking a free run in hand."""
    (tmp_path / "run.lock").touch()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            owner_of(tmp_path)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(20):
            Ownership(tmp_path).release()
    finally:
        over.set()
        thread.join()


def test_owner_of_says_who_holds_it_and_leaves_it_to_them(tmp_path: Path) -> None:
    """The owner is named with its process, a second one is refused, and looking changes nothing of that."""
    assert owner_of(tmp_path) is None
    assert not list(tmp_path.iterdir()), "looking leaves nothing behind"
    ownership = Ownership(tmp_path)
    owner = owner_of(tmp_path)
    assert owner is not None
    assert owner.pid == os.getpid()
    with pytest.raises(RunBusy, match=str(os.getpid())):
        Ownership(tmp_path)
    ownership.release()
    assert owner_of(tmp_path) is None


def test_owner_of_sees_a_process_that_locks_as_earlier_versions_do(tmp_path: Path) -> None:
    """An exclusive lock on run.lock, without a note beside it, is an owner; a note without a lock is none."""
    (tmp_path / "owner.json").write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": 0}))
    assert owner_of(tmp_path) is None
    (tmp_path / "owner.json").unlink()
    with filelock.FileLock(tmp_path / "run.lock"):
        owner = owner_of(tmp_path)
    assert owner is not None
    assert owner.pid == 0


_HOLD = """
import sys
from pathlib import Path
from batchkit.journal.owner import Ownership
ownership = Ownership(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_is_suspended_tells_a_process_that_was_stopped_in_its_tracks(tmp_path: Path) -> None:
    """An owner that somebody put to sleep is told from one that is at work."""
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"held"
        owner = owner_of(tmp_path)
        assert owner is not None
        assert not owner.is_suspended()
        process = psutil.Process(child.pid)
        process.suspend()
        try:
            until(owner.is_suspended)
        finally:
            process.resume()
