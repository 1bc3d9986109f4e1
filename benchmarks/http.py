"""HTTP: a durable run against a local server, beside loops written by hand over several clients.

    python -m benchmarks.http [items] [rounds]

Each peer sends the same POST for each item, with so many at once, and reads the answer; none but ours keeps
a record. Ours comes twice: as a send that may be repeated, whose intents are on disk chunk by chunk, and as
one that may not, each of whose calls waits until its own intent is on disk; that one is slower by what the
disk takes for a commit, and has no goal. The server has a process of its own. Both share the cores: the
ratios count, not the rates. Peers take turns, and the median of the rounds is shown. With latency a run lasts
about five seconds, so that what a run costs once (its folder, its last commit) weighs no more than it does in
an evening's run.

    same transport      a bare loop over batchkit's own transport, as httpx.AsyncClient gives it
    httpx-aiohttp       a bare loop over httpx-aiohttp as it comes
    httpx               a bare loop over plain httpx
    aiohttp             a bare loop over bare aiohttp
    thread_map          tqdm.contrib.concurrent.thread_map over one httpx.Client
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median

import aiohttp
import httpx
from httpx_aiohttp import HttpxAiohttpClient
from tqdm.contrib.concurrent import thread_map

from batchkit.core.states import RunState
from batchkit.planning.plan import Plan
from batchkit.targets.http.transport import Transport
from tests.support.plans import plan_of

Peer = Callable[[str, int, int], None]

OURS, PER_CALL, SAME = "batchkit", "batchkit, intent per call", "same transport"
GOALS: dict[str, dict[float, float]] = {
    SAME: {0.0: 0.9, 0.02: 0.98}, "httpx": {0.0: 3.0}, "thread_map": {0.0: 3.0},
}  # fmt: skip
"""By peer and latency: the least that our rate may be of the peer's."""
WORKERS = (1, 5, 10, 50)
SECONDS = 5.0
HEADERS = {"User-Agent": "benchmark", "Accept": "application/json", "Content-Type": "application/json"}


@contextlib.contextmanager
def server(latency: float) -> Iterator[str]:
    """The bare server in a process of its own; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.bare_server", str(latency)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _body(n: int) -> bytes:
    return b'{"id":"%d","name":"new %d"}' % (n, n)


async def _together(items: int, workers: int, send: Callable[[int], Awaitable[None]]) -> None:
    numbers = iter(range(items))

    async def worker() -> None:
        for n in numbers:
            await send(n)

    await asyncio.gather(*(worker() for _ in range(workers)))


async def _over_httpx(client: httpx.AsyncClient, url: str, items: int, workers: int) -> None:
    async def send(n: int) -> None:
        answer = await client.post(f"{url}/items", content=_body(n))
        assert answer.json()["ok"]

    async with client:
        await _together(items, workers, send)


def plain_httpx(url: str, items: int, workers: int) -> None:
    """A bare loop over httpx."""
    limits = httpx.Limits(max_connections=workers)
    asyncio.run(_over_httpx(httpx.AsyncClient(headers=HEADERS, limits=limits), url, items, workers))


def same_transport(url: str, items: int, workers: int) -> None:
    """A bare loop over httpx with the transport that batchkit uses."""

    async def main() -> None:
        await _over_httpx(httpx.AsyncClient(headers=HEADERS, transport=Transport()), url, items, workers)

    asyncio.run(main())


def httpx_aiohttp(url: str, items: int, workers: int) -> None:
    """A bare loop over httpx-aiohttp."""
    limits = httpx.Limits(max_connections=workers)

    async def main() -> None:
        await _over_httpx(HttpxAiohttpClient(headers=HEADERS, limits=limits), url, items, workers)

    asyncio.run(main())


def bare_aiohttp(url: str, items: int, workers: int) -> None:
    """A bare loop over aiohttp."""

    async def main() -> None:
        connector = aiohttp.TCPConnector(limit=workers)
        async with aiohttp.ClientSession(connector=connector, headers=HEADERS) as session:

            async def send(n: int) -> None:
                async with session.post(f"{url}/items", data=_body(n)) as answer:
                    assert (await answer.json())["ok"]

            await _together(items, workers, send)

    asyncio.run(main())


def threads(url: str, items: int, workers: int) -> None:
    """Tqdm's thread_map over one client."""
    with httpx.Client(headers=HEADERS, limits=httpx.Limits(max_connections=workers)) as client:

        def send(n: int) -> None:
            assert client.post(f"{url}/items", content=_body(n)).json()["ok"]

        thread_map(send, range(items), max_workers=workers, file=io.StringIO())


def ours(folder: Path, *, idempotent: bool) -> Peer:
    """A whole durable run: plan from disk, intents, outcomes, final state."""
    plans: dict[tuple[str, int], Plan] = {}

    def prepare(url: str, items: int) -> Plan:
        send = {"method": "POST", "url": "/items", "idempotent": idempotent}
        target = {"url": f"http+{url}", "key": ["id"], "send": send}
        return plan_of(
            folder / f"{items}-{len(plans)}-{idempotent}.parquet", items, changes=["send"], target=target
        )

    def run(url: str, items: int, workers: int) -> None:
        if (url, items) not in plans:
            plans[url, items] = prepare(url, items)
        plan = plans[url, items]
        made = plan.start(workers=workers, report=False)
        if made.wait() is not RunState.FINISHED:
            raise SystemExit(made.snapshot().message)

    return run


def _measure(work: Peer, url: str, items: int, workers: int) -> tuple[float, float]:
    """Items per second, and seconds of CPU per 1,000 items."""
    start, cpu = time.perf_counter(), time.process_time()
    work(url, items, workers)
    return items / (time.perf_counter() - start), (time.process_time() - cpu) / items * 1e3


def main() -> None:
    """Measure and print."""
    os.environ["NO_PROXY"] = "127.0.0.1"
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with tempfile.TemporaryDirectory() as name:
        os.environ["BATCHKIT_HOME"] = str(Path(name) / "home")
        peers: dict[str, Peer] = {
            OURS: ours(Path(name), idempotent=True),
            PER_CALL: ours(Path(name), idempotent=False),
            SAME: same_transport,
            "httpx-aiohttp": httpx_aiohttp,
            "httpx": plain_httpx,
            "aiohttp": bare_aiohttp,
            "thread_map": threads,
        }
        for latency in (0.0, 0.02):
            with server(latency) as url:
                for workers in WORKERS:
                    _compare(peers, url, latency, workers, items, rounds)
    print(
        f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB"
    )


def _compare(peers: dict[str, Peer], url: str, latency: float, workers: int, items: int, rounds: int) -> None:
    few = min(items, int(SECONDS * workers / latency)) if latency else items
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, work in peers.items():
            quick = latency or name not in ("httpx", "thread_map")
            found[name].append(_measure(work, url, few if quick else max(few // 4, 500), workers))
    rates = {name: median(rate for rate, _ in pairs) for name, pairs in found.items()}
    print(f"{latency * 1000:.0f} ms, {workers} at once, {few:,} items, median of {rounds}")
    for name, pairs in found.items():
        cpu = median(seconds for _, seconds in pairs)
        said = _said(name, latency, rates)
        print(f"  {name:<25} {rates[name]:>8,.0f} items/s  {cpu:>6.2f} s CPU per 1,000{said}", flush=True)


def _said(name: str, latency: float, rates: dict[str, float]) -> str:
    if name == OURS:
        return ""
    if name == PER_CALL:
        return f"   is {rates[name] / rates[SAME]:5.2f} of {SAME}"
    goal = GOALS.get(name, {}).get(latency)
    return f"   batchkit is {rates[OURS] / rates[name]:5.2f} of it" + (f" (goal {goal:g})" if goal else "")


if __name__ == "__main__":
    main()
