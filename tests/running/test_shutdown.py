"""A process that ends while a run goes on in it: the run stops, or is interrupted, but it doesn't fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from batchkit.core.states import RunState
from batchkit.running.run import Run

_SERVER = """
import asyncio, sys, threading, time
from pathlib import Path
from batchkit.testing import CallRecorder, MemoryTarget
from tests.support.plans import plan_of
from tests.support.waiting import until

async def aside(_):
    await asyncio.to_thread(time.sleep, 0.01)

shape, stops = sys.argv[2:]
if shape == "frames":
    target = MemoryTarget("memory:test", key=["id"])
    target.on_apply = lambda _: time.sleep(0.01)
else:
    target = CallRecorder("memory:test", behave=aside)
run = plan_of(Path(sys.argv[1]), 5_000).start(target=target, workers=2, chunk_size=5, report=False)
until(lambda: run.snapshot().outcomes["done"])
print(run.folder, flush=True)

def shut_down():
    threading.main_thread().join()
    done = run.snapshot().outcomes["done"]
    # More than is looked for: what was done in the last moment isn't on record when the process ends.
    until(lambda: run.snapshot().outcomes["done"] > done + 150)
    if stops == "stops":
        run.stop()
        run.wait(20)

threading.Thread(target=shut_down).start()
"""


@pytest.mark.parametrize("shape", ["frames", "calls"])
@pytest.mark.parametrize(("stops", "state"), [("stops", RunState.STOPPED), ("dies", RunState.INTERRUPTED)])
def test_a_run_goes_on_while_its_server_shuts_down(
    tmp_path: Path, shape: str, stops: str, state: RunState
) -> None:
    """After the main thread has ended rows are sent as before, a stop is heard, no row is rejected."""
    done = subprocess.run(
        [sys.executable, "-c", _SERVER, str(tmp_path / "p.parquet"), shape, stops],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    run = Run.open(Path(done.stdout.strip()))
    assert run.state is state, run.snapshot().message
    outcomes = run.snapshot().outcomes
    assert outcomes["done"] > 50
    assert outcomes["done"] + outcomes["pending"] == 5_000
