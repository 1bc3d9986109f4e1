"""A REST API that fails in every way: nobody is written twice, nobody is forgotten, the pace is kept."""

from __future__ import annotations

import re
import time
from pathlib import Path

import polars as pl
import pytest

from batchkit.core.errors import TargetError, TargetUnreachable
from batchkit.core.states import RunState
from batchkit.targets.base import open_target
from tests.support.rest_jobs import MESSAGES, counts, items, job, messages, stored
from tests.support.sandboxes import Sandbox, sandbox, until


def test_nobody_twice_and_nobody_forgotten(tmp_path: Path) -> None:
    """2,000 messages under faults, never to be sent twice: each arrives at most once, the rest is listed."""
    faults = ("429:5%:retry-after=0", "500:2%", "reset:1%", "drop-after-write:1%")
    with sandbox(tmp_path, *(f"{order}:path=/messages" for order in faults)) as server:
        run = messages(server, 2000).start(workers=10, backoff=0.02, retries=6)
        assert run.wait(120) is RunState.FINISHED, run.snapshot().message
        arrived = server.messages()
        assert max(arrived.values()) == 1
        outcomes = {row["key"]: row["outcome"] for row in run.outcomes().iter_rows(named=True)}
        assert set(outcomes.values()) == {"done", "unknown"}
        assert all(arrived[to] == 1 for to, outcome in outcomes.items() if outcome == "done")
        unknown = [to for to, outcome in outcomes.items() if outcome == "unknown"]
        # 2% failed, 1% were dropped before and 1% after: only looking tells them apart.
        assert 30 <= len(unknown) <= 150
        assert 0 < sum(arrived[to] for to in unknown) < len(unknown)
        asked = dict(server.rows("SELECT fault, count(*) FROM requests WHERE method='POST' GROUP BY fault"))
        assert {"429", "500", "reset", "drop-after-write"} <= set(asked)


def test_a_server_that_fails_after_it_wrote(tmp_path: Path) -> None:
    """500 may come when the message was taken: nobody gets a second one, those in doubt are listed."""
    with sandbox(tmp_path, "500:20%:after:path=/messages") as server:
        run = messages(server, 200).start(workers=5, backoff=0.02, retries=6)
        assert run.wait(30) is RunState.FINISHED, run.snapshot().message
        arrived = server.messages()
        assert (len(arrived), max(arrived.values())) == (200, 1)
        unknown = run.outcomes("unknown")
        assert counts(run) == {"done": 200 - unknown.height, "unknown": unknown.height}
        assert 20 <= unknown.height <= 60
        assert set(unknown["rule"]) == {"500"}
        assert "Look at the target" in unknown["advice"][0]


@pytest.mark.parametrize("fault", ["502", "503:100%:retry-after=600", "429"])
def test_a_server_that_turns_everybody_away_is_waited_for(
    server: Sandbox, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a gateway speaks for a dead server nothing is given up; when it is back, the run goes on."""
    monkeypatch.setattr("batchkit.running.outage.FIRST_LOOK", 0.1)
    server.put([{**row, "name": "old"} for row in stored(items(40))])
    plan = job(server, items(40), mode="update").plan()
    run = plan.start(chunk_size=5, canary=5, backoff=0.02, wait_for_target=60)
    until(lambda: run.state is RunState.PAUSED, 30)
    server.order(fault)
    run.resume()
    until(lambda: re.match("the target (is away|asked to wait)", run.snapshot().limiter), 30)
    server.order()
    assert run.wait(60) is RunState.FINISHED, run.snapshot().message
    assert counts(run) == {"done": 40}
    assert list(server.items().values()) == stored(items(40))


def test_an_idempotency_key_leaves_nothing_in_doubt(tmp_path: Path) -> None:
    """Where the server knows a request again, all faults are tried away and nothing is unknown."""
    faults = ("429:3%:retry-after=0", "500:2%", "reset:2%", "drop-after-write:3%", "truncate:2%", "html:2%")
    with sandbox(tmp_path, *faults, "504:1%:after", "warnings:3%", "close:3%") as server:
        plan = job(server, items(400), mode="upsert").plan()
        run = plan.start(workers=8, backoff=0.02, retries=10)
        assert run.wait(60) is RunState.FINISHED, run.snapshot().message
        assert counts(run) == {"done": 400}, run.outcomes("rejected")
        assert list(server.items().values()) == stored(items(400))


def test_kill_and_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed three times on the way: nobody is written to twice, what was under way is unknown."""
    monkeypatch.setenv("BATCHKIT_HOME", str(tmp_path / "home"))
    with sandbox(tmp_path, latency="5ms") as server:
        plan = messages(server, 600)
        run = plan.start(detach=True, workers=6, report=False)
        for _ in range(3):
            child = run._child
            assert child is not None
            mark = len(server.messages())
            until(lambda mark=mark: len(server.messages()) > mark + 60, 30)
            child.kill()
            child.wait()
            assert run.state is RunState.INTERRUPTED
            run.resume(detach=True)
        assert run.wait(60) is RunState.FINISHED, run.snapshot().message
        arrived = server.messages()
        assert max(arrived.values()) == 1
        outcomes = {row["key"]: row["outcome"] for row in run.outcomes().iter_rows(named=True)}
        assert len(outcomes) == 600
        assert all(arrived[to] == 1 for to, outcome in outcomes.items() if outcome == "done")
        unknown = [to for to, outcome in outcomes.items() if outcome == "unknown"]
        assert len(unknown) <= 3 * 6
        assert set(outcomes) - set(unknown) <= set(arrived)


def test_a_wrong_password_ends_the_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is refused before planning is an error; one that expires on the way ends the run."""
    monkeypatch.setenv("practice_token", "sesame-open")
    with sandbox(tmp_path, token="sesame-open") as server:
        head = {"headers": {"Authorization": "Bearer {secret:practice_token}"}}
        plan = messages(server, 50, **head)
        monkeypatch.setenv("practice_token", "wrong-token")
        with pytest.raises(TargetError, match=r"doesn't accept the login.*Check the user"):
            messages(server, 50, **head)
        run = plan.start()
        assert run.wait(20) is RunState.FAILED
        assert "login" in run.snapshot().message
        assert server.messages() == {}
        assert "wrong-token" not in (run.folder / "log.jsonl").read_text()
        assert "sesame" not in (run.folder / "plan.parquet").read_bytes().decode("latin-1")


def test_a_login_page_ends_the_run(server: Sandbox) -> None:
    """A page that asks for a login, served as 200, is no success for anybody."""
    plan = messages(server, 20)
    server.order("login:100%:path=/messages")
    run = plan.start()
    assert run.wait(20) is RunState.FAILED
    assert "asks for a login" in run.snapshot().message
    assert counts(run) == {"pending": 20}


def test_credentials_never_follow_to_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A redirect to another host is not followed, and the other host never hears of the login."""
    monkeypatch.setenv("practice_token", "sesame-open")
    (tmp_path / "other").mkdir()
    with sandbox(tmp_path, token="sesame-open") as server, sandbox(tmp_path / "other") as other:
        plan = messages(server, 5, headers={"Authorization": "Bearer {secret:practice_token}"})
        server.order(f"redirect:100%:to={other.url}")
        run = plan.start()
        assert run.wait(20) is RunState.FAILED
        assert "login was not sent there" in run.snapshot().message
        assert other.rows("SELECT * FROM requests") == []
        # On the same host it is followed, with method and body.
        server.order(f"redirect:100%:times=1:to={server.url}")
        run.resume()
        assert run.wait(20) is RunState.FINISHED, run.snapshot().message
        assert sum(server.messages().values()) == 5


def test_a_host_that_is_not_there() -> None:
    """An unknown name and a closed port are said as such, before anything is planned."""
    for address in ("http+http://no-such-host.invalid", "http+http://127.0.0.1:9"):
        target = open_target(address, **MESSAGES)
        with pytest.raises(TargetUnreachable, match="Nobody answered"):
            target.connect()


def test_down_at_the_start_and_in_the_middle(tmp_path: Path) -> None:
    """A server that is down fails the run, or is waited for where asked; each item arrives once."""
    server = Sandbox(tmp_path, latency="5ms")
    plan = messages(server, 300)
    server.close()
    run = plan.start()
    assert run.wait(20) is RunState.FAILED
    assert "Nobody answered" in run.snapshot().message
    run.resume(wait_for_target="60s", workers=4)
    until(lambda: run.state is RunState.RUNNING)
    time.sleep(0.5)
    assert counts(run) == {"pending": 300}
    server = Sandbox(tmp_path, port=server.port, latency="5ms")
    try:
        until(lambda: len(server.messages()) > 50, 20)
        server.close()
        time.sleep(0.3)
        server = Sandbox(tmp_path, port=server.port)
        assert run.wait(40) is RunState.FINISHED, run.snapshot().message
        assert max(server.messages().values()) == 1
        # What each of four had in hand when the server went down, and what it took up while that lasted.
        assert counts(run).get("unknown", 0) <= 8
        assert counts(run)["done"] + counts(run).get("unknown", 0) == 300
    finally:
        server.close()


def test_a_server_that_hangs_up_between_requests(tmp_path: Path) -> None:
    """Keep-alive that isn't kept: sent on another connection, and doubt arises at most a few times."""
    with sandbox(tmp_path, "close:100%:path=/messages") as server:
        run = messages(server, 200).start(workers=4)
        assert run.wait(30) is RunState.FINISHED
        assert max(server.messages().values()) == 1
        assert counts(run).get("unknown", 0) <= 4  # at most once per worker, then each has its own connection
        assert counts(run)["done"] >= 196


def test_a_slow_server_is_cut_off_and_left_in_doubt(server: Sandbox) -> None:
    """No answer within the timeout: unknown where it may have been done, and never sent again by itself."""
    plan = messages(server, 4)
    server.order("hang-after-write:100%:times=1:path=/messages")
    run = plan.start(timeout=0.5, workers=2)
    assert run.wait(20) is RunState.FINISHED
    assert counts(run) == {"done": 3, "unknown": 1}
    assert sum(server.messages().values()) == 4
    assert "no answer within 0.5 s" in run.outcomes("unknown")["reason"][0].lower()


def test_a_slow_server_is_waited_for(server: Sandbox) -> None:
    """Slow is not down: with time enough every call comes through."""
    plan = messages(server, 6)
    server.order(latency="700ms")
    run = plan.start(workers=6)
    assert run.wait(20) is RunState.FINISHED
    assert counts(run) == {"done": 6}


def test_refusals_carry_the_servers_words(server: Sandbox) -> None:
    """A row the server refuses is rejected with its own message; the others are done."""
    server.put(stored(items(3)))
    plan = job(server, pl.concat([items(2, name="x"), items(1, 2, name="")]), target={"empty": "done"}).plan()
    assert plan.counts == {"update": 3}
    server.order("422:100%:times=1:method=PATCH:path=/items/k0000")
    run = plan.start()
    run.wait(20)
    assert counts(run)["rejected"] >= 1
    assert "ordered fault" in run.outcomes("rejected")["reason"][0]


def test_values_that_the_server_does_not_keep(server: Sandbox) -> None:
    """Where the answer shows the item, a value it didn't take is found out, whatever the status."""
    server.put(stored(items(1)))
    target = {"item": "@", "update": {"url": "/items/{id}", "body": {"stock": "{stock}"}}}
    plan = job(server, items(1, name="new", stock="7"), target=target).plan()
    run = plan.start()
    run.wait(20)
    assert run.outcomes("rejected")["rule"].to_list() == ["not kept"]
    assert "name" in run.outcomes("rejected")["reason"][0]


# Pacing


def test_the_rate_holds_in_every_window(server: Sandbox) -> None:
    """At 40 a second no window of one second holds more, by the server's own record of what arrived."""
    run = messages(server, 120).start(rate=40, workers=10)
    assert run.wait(20) is RunState.FINISHED
    times = [at for (at,) in server.rows("SELECT at FROM requests WHERE method = 'POST' ORDER BY at")]
    for i, start in enumerate(times):
        # On a busy machine one request arrives a tenth of a second later after it left than the next does.
        assert sum(1 for at in times[i:] if at < start + 1.0) <= 40 * 1.1 + 1


def test_push_back_narrows_the_run_and_says_so(tmp_path: Path) -> None:
    """A server that takes three at once is soon asked by few at once; a pinned number stays."""
    with sandbox(tmp_path, most_at_once=3, latency="20ms") as server:
        plan = messages(server, 250)
        run = plan.start(workers=16, backoff=0.05, retries=20)
        until(lambda: 0 < run.snapshot().workers <= 8, 10)
        assert "pushes back (429)" in run.snapshot().limiter
        assert run.wait(60) is RunState.FINISHED
        assert max(server.messages().values()) == 1
        adapted = server.rows("SELECT count(*) FROM requests WHERE fault = '429'")[0][0]
        pinned = plan.start(workers=16, backoff=0.05, retries=40, adaptive=False, again=True)
        assert pinned.wait(60) is RunState.FINISHED
        assert pinned.snapshot().workers == 16
        hammered = server.rows("SELECT count(*) FROM requests WHERE fault = '429'")[0][0] - adapted
        assert adapted < hammered


def test_setting_workers_live_pins_them(server: Sandbox) -> None:
    """Who names a number of workers while it runs means that number."""
    plan = messages(server, 400)
    server.order(latency="20ms")
    run = plan.start(workers=2)
    until(lambda: run.snapshot().outcomes["done"] > 3)
    run.set(workers=5)
    until(lambda: run.snapshot().workers == 5)
    assert run.snapshot().settings["adaptive"] is False
    run.stop()
    run.wait(20)
