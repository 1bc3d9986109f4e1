"""Thousands of messages through faults and kills: nobody is messaged twice, and nobody is forgotten."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.running.run import Run
from tests.support.sandboxes import Sandbox, sandbox, until

WORKERS = 10
FAULTS = ("429:5%:retry-after=0", "500:2%", "reset:1%", "drop-after-write:1%")
NUMBER = "106540352242922"
PLACE = f"/v23.0/{NUMBER}/messages"
MIB = 1024**2


@dataclass
class Memory:
    """What a run's processes took, sampled while they lived.

    Attributes:
        sessions: For each process, its samples in MiB, one in a tenth of a second.
    """

    sessions: dict[int, list[float]] = field(default_factory=dict)

    def watch(self, run: Run, over: threading.Event) -> threading.Thread:
        """Sample whatever process drives the run, until told to stop."""

        def work() -> None:
            while not over.wait(0.1):
                child = run._child
                if child is None:
                    continue
                try:
                    taken = psutil.Process(child.pid).memory_info().rss / MIB
                except psutil.Error:
                    continue
                self.sessions.setdefault(child.pid, []).append(taken)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    def growth(self) -> float:
        """MiB by which the longest session grew after its first half, when all that it needs is loaded."""
        longest = max(self.sessions.values(), key=len)
        middle = len(longest) // 2
        return max(longest[middle:]) - max(longest[:middle])

    @property
    def peak(self) -> float:
        """The most that any process took."""
        return max(max(samples) for samples in self.sessions.values())


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback is reached directly, and runs are kept with the test."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("whatsapp_token", "EAAG-practice")
    monkeypatch.setenv("BATCHKIT_HOME", str(tmp_path / "home"))


def messages(server: Sandbox, folder: Path, count: int) -> Job:
    """A job of so many reminders, to a number each."""
    lines = [f"06{n:08};Zoé {n};12/05/2025;09:{n % 60:02}\n" for n in range(10_001, 10_001 + count)]
    (folder / "people.csv").write_text("Tel;Prénom;Date;Heure\n" + "".join(lines), encoding="utf-8")
    return Job(
        folder / "people.csv",
        to=f"whatsapp+{server.url}/v23.0/{NUMBER}",
        map={"Tel": "to", "Prénom": "1", "Date": "2", "Heure": "3"},
        target={"template": "rappel_rendez_vous"},
    )


def killed_and_resumed(run: Run, server: Sandbox, count: int, kills: int) -> None:
    """Kill the run's process again and again on its way, and bring it to its end."""
    for kill in range(1, kills + 1):
        child = run._child
        assert child is not None
        until(lambda mark=count * kill // (kills + 1): messaged(server) >= mark, 120)
        child.kill()
        child.wait()
        assert run.state is RunState.INTERRUPTED
        run.resume(detach=True)
    assert run.wait(180) is RunState.FINISHED, run.snapshot().message


def messaged(server: Sandbox) -> int:
    """How many messages the server took so far."""
    return int(server.rows("SELECT count(*) FROM messages")[0][0])


def most_in(times: list[float], window: float) -> int:
    """The most requests that any window of so many seconds holds."""
    most = first = 0
    for last, at in enumerate(times):
        while at - times[first] >= window:
            first += 1
        most = max(most, last - first + 1)
    return most


def check(run: Run, server: Sandbox, count: int, kills: int) -> dict[str, int]:
    """Hold the run's word against the server's record; returns the outcomes that occur."""
    got = {f"+{to}": n for to, n in server.messages().items()}
    frame = run.outcomes()
    outcomes = dict(zip(frame["key"], frame["outcome"], strict=True))
    # Everybody has one outcome, and nobody got two messages.
    assert frame.height == len(outcomes) == count
    assert set(outcomes.values()) <= {"done", "unknown", "rejected"}
    assert max(got.values()) == 1
    assert not set(got) - set(outcomes)
    for number, outcome in outcomes.items():
        assert got.get(number, 0) in {"done": (1,), "unknown": (0, 1), "rejected": (0,)}[outcome], (
            number,
            outcome,
        )
    # Those in doubt are listed, with why: the 500s, and what got lost before or after it was taken (1% each).
    # The rejected are those whom the server doesn't know.
    unknown = run.outcomes("unknown")
    assert (unknown["reason"].str.len_chars() > 10).all()
    assert unknown.height <= count * 0.04 * 1.5 + kills * WORKERS
    assert set(run.outcomes("rejected")["rule"]) <= {"131026"}
    assert all(number.endswith("000") for number in run.outcomes("rejected")["key"])
    # A message's id is kept: the server's own.
    ids = {f"+{to}": each for to, each in server.rows(
        "SELECT json_extract(body, '$.to'), json_extract(body, '$.id') FROM messages"
    )}  # fmt: skip
    results = run.results()
    numbers = "+33" + results["Tel"].str.slice(1)
    kept = dict(zip(numbers, results["message_id"], strict=True))
    assert all(kept[number] == ids[number] for number, outcome in outcomes.items() if outcome == "done")
    return dict(Counter(outcomes.values()))


def pace(server: Sandbox) -> dict[float, int]:
    """The most requests that arrived in any window of a quarter, one and five seconds."""
    times = [at for (at,) in server.rows("SELECT at FROM requests WHERE method = 'POST' ORDER BY at")]
    return {window: most_in(times, window) for window in (0.25, 1.0, 5.0)}


def crash_round(folder: Path, count: int, rate: int, kills: int = 3) -> dict[str, object]:
    """Messages under faults and kills; asserts all that must hold, and returns the figures."""
    with sandbox(folder, *(f"{fault}:path={PLACE}" for fault in FAULTS)) as server:
        plan = messages(server, folder, count).plan()
        assert plan.counts == {"send": count}
        began, over, memory = time.monotonic(), threading.Event(), Memory()
        run = plan.start(
            detach=True, report=False, rate=rate, workers=WORKERS, delay=0, key_rest=0,
            chunk_size=200, backoff=0.02, retries=8,
        )  # fmt: skip
        thread = memory.watch(run, over)
        killed_and_resumed(run, server, count, kills)
        took = time.monotonic() - began
        over.set()
        thread.join()
        outcomes = check(run, server, count, kills)
        windows = pace(server)
        for window, most in windows.items():
            # What was on its way when a window began may arrive in it.
            assert most <= rate * window + WORKERS, (window, most)
        assert memory.growth() < 10, memory.sessions
        assert memory.peak < 300
        faults = dict(server.rows("SELECT coalesce(fault, 'none'), count(*) FROM requests GROUP BY 1"))
        assert all(faults.get(name) for name in ("429", "500", "reset", "drop-after-write"))
    return {
        "outcomes": outcomes, "most in a window": windows, "seconds": round(took, 1), "faults": faults,
        "growth MiB": round(memory.growth(), 1), "peak MiB": round(memory.peak, 1),
    }  # fmt: skip


def test_two_thousand_messages_through_faults_and_kills(tmp_path: Path) -> None:
    """2,000 messages, four kinds of faults, three kills: each recipient once or listed, the rate kept."""
    crash_round(tmp_path, 2_000, rate=250)


@pytest.mark.slow
def test_ten_thousand_messages_through_faults_and_kills(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same with 10,000, and memory that doesn't grow with them."""
    figures = crash_round(tmp_path, 10_000, rate=150)
    with capsys.disabled():
        sys.stdout.write(f"\n{json.dumps(figures)}\n")
