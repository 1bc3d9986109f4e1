"""Text generation against the practice server: faults, kill -9, the way from a text to the next target."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from tests.support.rest_jobs import counts
from tests.support.rest_jobs import job as rest_job
from tests.support.sandboxes import Sandbox, sandbox, until

DATA = Path(__file__).resolve().parents[3] / "data"
QUICK: dict[str, Any] = {"rate": 400, "backoff": 0.02, "report": False}


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback is reached directly, whatever the machine's environment says; any key is taken there."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("chat_api_key", "practice-key")


def planned(server: Sandbox, count: int, **target: Any) -> Plan:
    """A plan of so many prompts, each of which tells its row."""
    rows = pl.DataFrame(
        {"id": [f"k{n:04}" for n in range(count)], "nom": [f"Société {n}" for n in range(count)]}
    )
    options = {"model": "practice-small", **target}
    fields = {"prompt": {"template": "Décris {nom} ({id})."}}
    return Job(rows, to=f"chat+{server.url}/v1", key=["id"], fields=fields, target=options).plan()


def asked(server: Sandbox) -> Counter[str]:
    """How often each row was asked for, by the server's own record."""
    bodies = server.rows("SELECT body FROM requests WHERE path LIKE '/v1/chat/completions%'")
    prompts = (json.loads(body)["messages"][-1]["content"] for (body,) in bodies)
    return Counter(prompt.rpartition("(")[2].rstrip(").") for prompt in prompts)


def test_texts_under_faults(tmp_path: Path) -> None:
    """Limits, failures, breaks before and after, bodies cut off: every row gets its text, none is unknown."""
    faults = ("429:5%:retry-after=0", "500:3%", "503:2%:retry-after=0", "reset:2%", "drop-after-write:2%")
    orders = [f"{order}:path=/v1/chat" for order in (*faults, "truncate:2%", "504:1%")]
    with sandbox(tmp_path, *orders) as server:
        run = planned(server, 150).start(workers=4, retries=8, **QUICK)
        assert run.wait(60) is RunState.FINISHED, run.snapshot().message
        assert counts(run) == {"done": 150}
        results = run.results()
        assert results.height == 150
        assert results["text"].null_count() == 0


def test_an_answer_on_record_is_never_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed three times: what the journal has is kept, only what was under way is asked for once more."""
    monkeypatch.setenv("BATCHKIT_HOME", str(tmp_path / "home"))
    with sandbox(tmp_path, latency="20ms") as server:
        run = planned(server, 240).start(detach=True, workers=4, **QUICK)
        kept: dict[str, int] = {}
        for _ in range(3):
            child = run._child
            assert child is not None
            mark = sum(asked(server).values())
            until(lambda mark=mark: sum(asked(server).values()) > mark + 40, 30)
            child.kill()
            child.wait()
            assert run.state is RunState.INTERRUPTED
            until(lambda: server.rows("SELECT count(*) FROM requests WHERE status IS NULL") == [(0,)])
            times = asked(server)
            kept |= {key: times[key] for key in run.outcomes("done")["key"] if key not in kept}
            run.resume(detach=True)
        assert run.wait(60) is RunState.FINISHED, run.snapshot().message
        assert counts(run) == {"done": 240}
        times = asked(server)
        assert len(kept) > 60
        assert {key: times[key] for key in kept} == kept
        assert len(times) == 240
        # Under way, or answered and not yet on the disk: four calls, and what comes within 50 ms.
        assert sum(times.values()) <= 240 + 3 * (4 + 16)
        assert run.results()["text"].null_count() == 0


def test_the_pace_holds_and_waits_for_a_limit(server: Sandbox) -> None:
    """At 20 a second no second holds more; a limit that names its end is waited for, by the whole run."""
    run = planned(server, 30).start(**{**QUICK, "rate": 20}, workers=4)
    assert run.wait(30) is RunState.FINISHED
    query = "SELECT at FROM requests WHERE method = 'POST' ORDER BY at"
    times = [at for (at,) in server.rows(query)]
    assert all(sum(1 for at in times[i:] if at < start + 1.0) <= 22 for i, start in enumerate(times))
    server.order("429:100%:times=1:retry-after=1:path=/v1/chat")
    run = planned(server, 5).start(**QUICK, workers=1)
    assert run.wait(30) is RunState.FINISHED
    times = [at for (at,) in server.rows(query)][30:]
    assert times[1] - times[0] >= 0.9


def test_from_a_text_to_the_next_target(server: Sandbox) -> None:
    """The results are the next job's source: what will be written is shown first, then written."""
    run = planned(server, 12, result="name").start(**QUICK)
    assert run.wait(30) is RunState.FINISHED, run.snapshot().message
    results = run.results()
    plan = rest_job(server, results.select("id", "name")).plan()
    assert plan.counts == {"create": 12}
    shown = plan.sample(1)[0]
    assert results["name"][0] in str(shown)
    second = plan.start(**QUICK)
    assert second.wait(30) is RunState.FINISHED
    written = {key: item["name"] for key, item in server.items().items()}
    assert written == dict(results.select("id", "name").iter_rows())
    again = rest_job(server, results.select("id", "name")).plan()
    assert again.counts == {"unchanged": 12}


def test_the_jobs_in_data(server: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two jobs that are kept for trying it out: texts are written, looked at, and become drafts."""
    monkeypatch.setenv("wp_password", "practice")
    job = Job.load(DATA / "descriptions.toml")
    plan = Job.from_dict({**job.to_dict(), "to": f"chat+{server.url}/v1"}).plan()
    assert plan.counts["send"] > 150
    (said,) = [each.message for each in plan.summary().notices if each.rule == "estimate"]
    assert "tokens" in said
    prompt = plan.changes("send").head(1).collect()["rendered"][0]
    assert "Crêperie N'Guessan" in prompt, "the first company of the sample"
    run = plan.start(**QUICK, canary=5)
    until(lambda: run.state is RunState.PAUSED)
    run.stop()
    run.wait(20)
    run.results().write_csv(tmp_path / "descriptions.csv")
    second = Job.load(DATA / "descriptions_to_wordpress.toml")
    site = server.url.replace("//", "//admin@")
    changed = {"to": f"wordpress+{site}", "source": str(tmp_path / "descriptions.csv")}
    drafts = Job.from_dict({**second.to_dict(), **changed}).plan()
    assert drafts.counts == {"create": 5}
    written = drafts.start(report=False)
    assert written.wait(30) is RunState.FINISHED, written.snapshot().message
    assert counts(written) == {"done": 5}, written.outcomes("rejected")
    assert Job.from_dict({**second.to_dict(), **changed}).plan().counts == {"unchanged": 5}
