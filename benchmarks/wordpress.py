"""WordPress: SEO titles and descriptions of many posts into a real site, beside loops written by hand.

    python -m benchmarks.wordpress [items] [rounds]

The site is brought up for it (`make wordpress` sets up what that needs) and shares this machine's cores: the
ratios count, not the rates. Contenders take turns, each writing new texts into the same posts; after each,
the database itself is read and must hold exactly these. Shown is the median of the rounds; ratios are taken
within a round. What the servers spent on a post, in CPU time, is shown beside: it is the same on a busy
machine. All but the original way have five calls under way at once, and no delay.

    bare loop           POST after POST over the transport that batchkit uses, five at once
    bare loop, batch    25 posts in a call of batch/v1, five calls at once
    batchkit            a durable run from a plan on disk: compares, sends, checks, keeps a journal
    batchkit, batch     the same through batch/v1
    original way        five threads send five posts, then all wait 0.2 s; one round
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import polars as pl
import psutil

from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.targets.http.transport import Transport
from tests.support.wordpress_machine import WordPressMissing
from tests.support.wordpress_site import WordPressSite

WORKERS = 5
BATCH = 25
PAUSE = 0.2
TITLE, DESCRIPTION = "_yoast_wpseo_title", "_yoast_wpseo_metadesc"
HEADERS = {"User-Agent": "benchmark", "Accept": "application/json"}
GOALS = {("batchkit", "bare loop"): 0.9, ("batchkit, batch", "batchkit"): 1.0}


@dataclass(frozen=True)
class Texts:
    """What one contender writes: two texts for each post."""

    ids: Sequence[int]
    mark: str

    def of(self, post: int) -> dict[str, str]:
        """Its meta."""
        title = f"{self.mark} : le titre de l’article {post} pour les moteurs"
        return {
            TITLE: title,
            DESCRIPTION: f"{title}, et ce qu’on y lit en deux phrases d’une longueur juste.",
        }

    def frame(self) -> pl.DataFrame:
        """The same as a spreadsheet has it."""
        rows = [(str(post), *self.of(post).values()) for post in self.ids]
        return pl.DataFrame(rows, schema=["id", "seo_title", "seo_description"], orient="row")


class Bench:
    """The contenders, at one site."""

    def __init__(self, site: WordPressSite, folder: Path) -> None:
        self.site = site
        self.folder = folder
        self.plans: dict[str, list[float]] = {"batchkit": [], "batchkit, batch": []}
        user, password = site.login("editor")
        os.environ["BATCHKIT_SECRET_WP_PASSWORD"] = password
        self._address = site.url.replace("http://", f"wordpress+http://{user}@")

    def contenders(self) -> dict[str, Callable[[Texts], Callable[[], None]]]:
        """By name: what prepares, and returns what is measured."""
        return {
            "bare loop": lambda texts: lambda: self.bare(texts),
            "bare loop, batch": lambda texts: lambda: self.bare_batch(texts),
            "batchkit": lambda texts: self.ours("batchkit", texts, batch="no"),
            "batchkit, batch": lambda texts: self.ours("batchkit, batch", texts, batch="yes"),
            "original way": lambda texts: lambda: self.original(texts),
        }

    def bare(self, texts: Texts) -> None:
        """Post after post."""

        async def send(client: httpx.AsyncClient, post: int) -> None:
            body = {"meta": texts.of(post)}
            answer = await client.post(f"/posts/{post}", json=body, params={"_fields": "id,meta"})
            assert answer.json()["meta"][TITLE] == body["meta"][TITLE]

        asyncio.run(self._five_at_once(texts.ids, send))

    def bare_batch(self, texts: Texts) -> None:
        """Twenty-five posts in a call."""
        calls = [texts.ids[at : at + BATCH] for at in range(0, len(texts.ids), BATCH)]

        async def send(client: httpx.AsyncClient, posts: Sequence[int]) -> None:
            requests = [
                {
                    "method": "POST",
                    "path": f"/wp/v2/posts/{post}?_fields=id,meta",
                    "body": {"meta": texts.of(post)},
                }
                for post in posts
            ]
            url = f"{self.site.url}/wp-json/batch/v1"
            answers = (await client.post(url, json={"requests": requests})).json()["responses"]
            for post, answer in zip(posts, answers, strict=True):
                assert answer["body"]["meta"][TITLE] == texts.of(post)[TITLE]

        asyncio.run(self._five_at_once(calls, send))

    async def _five_at_once(
        self, things: Sequence[Any], send: Callable[[httpx.AsyncClient, Any], Any]
    ) -> None:
        waiting = iter(things)
        client = httpx.AsyncClient(
            base_url=f"{self.site.url}/wp-json/wp/v2",
            headers=HEADERS,
            auth=self.site.login("editor"),
            transport=Transport(),
            timeout=60,
        )

        async def worker() -> None:
            for thing in waiting:
                await send(client, thing)

        async with client:
            await asyncio.gather(*(worker() for _ in range(WORKERS)))

    def ours(self, name: str, texts: Texts, *, batch: str) -> Callable[[], None]:
        """A plan; and its run, from the start to the last commit."""
        plan = self._plan(texts, batch, self.plans[name])

        def run() -> None:
            made = plan.start(workers=WORKERS, delay=0, report=False)
            if made.wait() is not RunState.FINISHED or made.snapshot().outcomes["done"] != len(texts.ids):
                raise SystemExit(f"{made.snapshot()}")

        return run

    def _plan(self, texts: Texts, batch: str, seconds: list[float]) -> Plan:
        start = time.perf_counter()
        target = {"batch": batch, "seo": "yoast", "types": ["posts"]}
        plan = Job(texts.frame(), to=self._address, key=["id"], mode="update", target=target).plan()
        seconds.append(time.perf_counter() - start)
        return plan

    def original(self, texts: Texts) -> None:
        """Five threads, and a fixed pause after each five."""
        with (
            httpx.Client(headers=HEADERS, auth=self.site.login("editor"), timeout=60) as client,
            ThreadPoolExecutor(WORKERS) as pool,
        ):

            def send(post: int) -> None:
                url = f"{self.site.url}/wp-json/wp/v2/posts/{post}"
                client.post(url, json={"meta": texts.of(post)}).raise_for_status()

            for at in range(0, len(texts.ids), WORKERS):
                list(pool.map(send, texts.ids[at : at + WORKERS]))
                time.sleep(PAUSE)

    def servers_cpu(self) -> float:
        """Seconds of CPU that PHP and MariaDB have spent since they started."""
        groups = {int(file.read_text()) for file in self.site.folder.glob("**/*.group")}
        spent = 0.0
        for process in psutil.process_iter():
            try:
                if os.getpgid(process.pid) in groups:
                    times = process.cpu_times()
                    spent += times.user + times.system
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue
        return spent

    def check(self, texts: Texts) -> None:
        """Read the database and compare, byte for byte."""
        keys = f"'{TITLE}', '{DESCRIPTION}'"
        rows = self.site.sql(
            f"SELECT post_id, meta_key, meta_value FROM wp_postmeta WHERE meta_key IN ({keys})"
        )
        found = {(int(post or 0), key): value for post, key, value in rows}
        for post in texts.ids:
            for key, text in texts.of(post).items():
                assert found[post, key] == text, (post, key, found[post, key])


def main() -> None:
    """Measure and print."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    os.environ["NO_PROXY"] = "127.0.0.1"
    with tempfile.TemporaryDirectory() as name:
        os.environ["BATCHKIT_HOME"] = str(Path(name) / "home")
        start = time.perf_counter()
        try:
            site = WordPressSite(posts=0)
        except WordPressMissing as error:
            print(f"Skipped: {error}")
            return
        with site:
            print(f"WordPress {site.version} with 4 workers, up in {time.perf_counter() - start:.2f} s")
            _compare(Bench(site, Path(name)), items, rounds)


def _compare(bench: Bench, items: int, rounds: int) -> None:
    old = {TITLE: "Old title {}", DESCRIPTION: "Old description {}"}
    ids = bench.site.new_posts(items, meta=old)
    bench.bare(Texts(ids[:20], "warm-up"))
    contenders = bench.contenders()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name, prepare in contenders.items():
            if turn and name == "original way":
                continue
            texts = Texts(ids, f"{name} {turn}")
            work = prepare(texts)
            start, spent = time.perf_counter(), bench.servers_cpu()
            work()
            seconds[name].append(time.perf_counter() - start)
            cpu[name].append(bench.servers_cpu() - spent)
            bench.check(texts)
    _show(seconds, cpu, items)
    for name, plans in bench.plans.items():
        print(f"  {name}: planned in {median(plans):.2f} s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory of this process: {peak:,.0f} MiB")


def _show(seconds: dict[str, list[float]], cpu: dict[str, list[float]], items: int) -> None:
    print(f"{items} SEO updates, each verified in the database")
    for name, runs in seconds.items():
        middle, spent = median(runs), median(cpu[name]) / items * 1000
        rounds = f"{len(runs)} runs, {min(runs):.2f}-{max(runs):.2f} s"
        print(f"  {name:<17} {middle:>6.2f} s {items / middle:>6.1f} posts/s {spent:>5.1f} ms CPU   {rounds}")
    pairs = [
        ("batchkit", "bare loop"),
        ("batchkit, batch", "bare loop, batch"),
        ("batchkit, batch", "batchkit"),
        ("batchkit", "original way"),
        ("batchkit, batch", "original way"),
    ]
    for mine, peer in pairs:
        ratio = median(theirs / ours for ours, theirs in zip(seconds[mine], seconds[peer], strict=False))
        goal = f"   goal {GOALS[mine, peer]}" if (mine, peer) in GOALS else ""
        print(f"  {mine} is {ratio:.2f} times as fast as {peer}{goal}")


if __name__ == "__main__":
    main()
