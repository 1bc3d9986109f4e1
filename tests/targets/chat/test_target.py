"""Text generation from plan to results: a prompt a row, what it costs, what is kept, what is asked again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from batchkit.core.errors import BatchkitError, TargetError, UsageError
from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.targets.base import open_target
from batchkit.targets.chat.target import ChatTarget
from tests.support.rest_jobs import counts

ROWS = pl.DataFrame({
    "siret": ["001", "002", "003"],
    "nom": ["Dupont", "Martin", "Le Goff"],
    "ville": ["Paris", "Lyon", "Brest"],
})  # fmt: skip
TEMPLATE = {"prompt": {"template": "Décris {nom} à {ville}."}}
Handler = Callable[[dict[str, Any]], httpx.Response | dict[str, Any] | str]


class Server:
    """A server of chat completions that answers as it is told.

    Args:
        write: The answer to a request's body: a text, a JSON body, or a whole response.
        models: What it lists; None lists none.
    """

    def __init__(self, write: Handler, models: list[str] | None = None) -> None:
        self.write = write
        self.models = models
        self.bodies: list[dict[str, Any]] = []
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        self.requests.append(request)
        if request.url.path.endswith("/models"):
            if self.models is None:
                return httpx.Response(404, json={"detail": "Not Found"})
            return httpx.Response(
                200, json={"object": "list", "data": [{"id": name} for name in self.models]}
            )
        assert request.url.path.endswith("/chat/completions")
        body = json.loads(request.content)
        self.bodies.append(body)
        said = self.write(body)
        if isinstance(said, str):
            said = text(said)
        return said if isinstance(said, httpx.Response) else httpx.Response(200, json=said)

    @property
    def prompts(self) -> Counter[str]:
        """How often each prompt was asked."""
        return Counter(body["messages"][-1]["content"] for body in self.bodies)


def text(content: str | None, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A completion as OpenAI gives it."""
    said = {"role": "assistant", "content": content, **message}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    choice = {"index": 0, "message": said, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion", "model": "small-1", "choices": [choice], "usage": usage}


def echo(body: dict[str, Any]) -> str:
    """A text that tells which prompt it belongs to."""
    return f"Texte pour : {body['messages'][-1]['content']}"


def target(server: Server, **options: Any) -> ChatTarget:
    """The target whose server this is; it takes no key."""
    given = {"model": "small", "key_secret": "", **options}
    return ChatTarget(
        "chat+https://api.test/v1", key=["siret"], transport=httpx.MockTransport(server), **given
    )


def job(rows: pl.DataFrame = ROWS, **options: Any) -> Job:
    """A job that describes companies."""
    return Job(rows, **{"to": "chat+https://api.test/v1", "key": ["siret"], "fields": TEMPLATE, **options})


def planned(server: Server, rows: pl.DataFrame = ROWS, **options: Any) -> Plan:
    """The plan of such a job."""
    return job(rows).plan(target=target(server, **options))


def finished(server: Server, plan: Plan, **options: Any) -> Run:
    """A run of it, done quickly."""
    run = plan.start(target=target(server, **options), rate=1000, backoff=0.01, report=False)
    run.wait(20)
    return run


def detail(run: Run, item: int = 0) -> dict[str, Any]:
    """What the journal keeps of an item."""
    found: dict[str, Any] = json.loads(run.outcomes()["detail"][item])
    return found


# Planning


def test_the_plan_shows_each_prompt() -> None:
    """The preview has the very words that will be sent; nothing is asked for that."""
    server = Server(echo)
    plan = planned(server)
    assert plan.counts == {"send": 3}
    shown = plan.changes().select("rendered").collect()["rendered"].to_list()
    assert shown == ["Décris Dupont à Paris.", "Décris Martin à Lyon.", "Décris Le Goff à Brest."]
    assert server.bodies == []


def test_the_plan_tells_tokens_cost_and_time() -> None:
    """Before the start it is told how many prompts, tokens, money and minutes, as an estimate."""
    plan = planned(Server(echo), max_tokens=200, price_in=0.5, price_out=1.5, currency="EUR")
    (said,) = [one for one in plan.summary().notices if one.rule == "estimate"]
    for part in ("3 prompts", "estimated", "600 tokens at most", "EUR", "5 a minute", "36 s"):
        assert part in said.message, said.message
    assert [one.level for one in planned(Server(echo)).summary().notices if one.rule == "max_tokens"] == [
        "warning"
    ]


def test_a_job_without_a_prompt_is_refused() -> None:
    """Whoever forgets the prompt is told how to write one."""
    with pytest.raises(BatchkitError, match="prompt"):
        job(fields={}).plan(target=target(Server(echo)))
    with pytest.raises(UsageError, match=r"what to ask.*fields\.prompt"):
        job(fields={"system": {"template": "{nom}"}}).plan(target=target(Server(echo)))


def test_a_column_of_prompts_will_do() -> None:
    """A source that has prompts already needs no template."""
    server = Server(echo)
    rows = pl.DataFrame({"siret": ["1", "2"], "prompt": ["Bonjour", None]})
    plan = job(rows, fields={}).plan(target=target(server))
    assert plan.counts == {"send": 1, "invalid": 1}
    finished(server, plan)
    assert server.prompts == {"Bonjour": 1}


@pytest.mark.parametrize("how", [{"key": ["prompt"]}, {"key": [], "mode": "append"}])
def test_prompts_without_a_key_of_their_own(how: dict[str, Any]) -> None:
    """A prompt may be its own key, and rows that nothing identifies may be asked for all the same."""
    server = Server(echo)
    plan = job(fields=TEMPLATE, **how).plan(target=target(server))
    run = finished(server, plan)
    assert counts(run) == {"done": 3}
    assert run.results()["text"][0] == "Texte pour : Décris Dupont à Paris."


def test_a_model_must_be_named() -> None:
    """There is no default model, for it decides on the price."""
    with pytest.raises(UsageError, match="which model"):
        open_target("chat+https://api.test/v1", key_secret="")


# Asking


def test_texts_become_a_column() -> None:
    """Each row's text stands beside its source columns, under the name that the job gives it."""
    server = Server(echo)
    run = finished(server, planned(server, result="description"), result="description")
    assert counts(run) == {"done": 3}
    results = run.results()
    assert results.columns == ["siret", "nom", "ville", "description", "tokens_in", "tokens_out"]
    assert results["description"][2] == "Texte pour : Décris Le Goff à Brest."
    assert results["siret"].to_list() == ["001", "002", "003"]
    assert results["tokens_out"].to_list() == ["7", "7", "7"]
    assert detail(run)["model"] == "small-1"


def test_what_is_sent() -> None:
    """The request has what the job says and nothing else, for some servers refuse what they don't know."""
    server = Server(echo)
    finished(server, planned(server))
    assert server.bodies[0] == {
        "model": "small", "messages": [{"role": "user", "content": "Décris Dupont à Paris."}]
    }  # fmt: skip
    options: dict[str, Any] = {
        "system": "Sois bref.", "max_tokens": 50, "temperature": 0.2, "stop": "FIN", "extra": {"top_p": 0.9}
    }  # fmt: skip
    finished(server, planned(server, **options), **options)
    assert server.bodies[-1] == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "Sois bref."},
            {"role": "user", "content": "Décris Le Goff à Brest."},
        ],
        "max_tokens": 50, "temperature": 0.2, "stop": ["FIN"], "top_p": 0.9,
    }  # fmt: skip


def test_a_row_may_have_its_own_system_text() -> None:
    """A field `system` counts more than the option."""
    server = Server(echo)
    fields = {**TEMPLATE, "system": {"template": "Parle comme à {ville}."}}
    plan = job(fields=fields).plan(target=target(server))
    finished(server, plan, system="Sois bref.")
    assert server.bodies[0]["messages"][0] == {"role": "system", "content": "Parle comme à Paris."}


def test_a_dry_run_asks_nothing() -> None:
    """Nothing is generated, and nothing paid."""
    server = Server(echo)
    run = planned(server).start(target=target(server), dry_run=True, rate=1000)
    run.wait(20)
    assert server.bodies == []


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("chat+https://api.test/v1/", "https://api.test/v1/chat/completions"),
        ("chat+https://api.test/v1/chat/completions", "https://api.test/v1/chat/completions"),
        ("chat+https://x.test/openai/deployments/d?api-version=2024-10-21",
         "https://x.test/openai/deployments/d/chat/completions?api-version=2024-10-21"),
        ("chat+http://localhost:11434/v1", "http://localhost:11434/v1/chat/completions"),
    ],
)  # fmt: skip
def test_addresses(url: str, asked: str) -> None:
    """The end of the address is put on where it belongs, also before a query."""
    server = Server(echo)
    made = ChatTarget(
        url,
        key=["siret"],
        transport=httpx.MockTransport(server),
        model="m",
        headers={"api-key": "{secret:k}"},
    )
    assert made._place("/chat/completions") == asked


def test_the_key_comes_from_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its usual name, another name, or a header of another kind; it stands in no description."""
    monkeypatch.setenv("chat_api_key", "sk-usual-1")
    monkeypatch.setenv("other_key", "sk-other-2")
    transport = httpx.MockTransport(Server(echo))

    def headers(**options: Any) -> dict[str, str]:
        made = ChatTarget("chat+https://api.test/v1", transport=transport, model="m", **options)
        assert "sk-" not in str(made.describe())
        return made.resolved_headers()

    assert headers() == {"Authorization": "Bearer sk-usual-1"}
    assert headers(key_secret="other_key") == {"Authorization": "Bearer sk-other-2"}
    assert headers(headers={"api-key": "{secret:other_key}"}) == {"api-key": "sk-other-2"}
    assert headers(key_secret="") == {}


def test_a_key_without_value_is_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs a server of their own reads that it may go without a key."""
    monkeypatch.delenv("chat_api_key", raising=False)
    made = ChatTarget("chat+http://127.0.0.1:9/v1", model="m")
    with pytest.raises(BatchkitError, match=r"chat_api_key.*no value.*key_secret = \"\""):
        made.connect()


# What comes back


@pytest.mark.parametrize(
    ("said", "rule", "kept"),
    [
        (text("Une phrase qui", "length"), "cut off", "Une phrase qui"),
        (text("", "stop"), "empty", ""),
        (text(None, "content_filter"), "content filter", ""),
        (text(None, refusal="I can't help with that."), "refused", ""),
        (text("Court."), "too short", "Court."),
        (text("long " * 50), "too long", ("long " * 50).strip()),
    ],
)
def test_a_text_that_will_not_do_is_rejected_and_kept(said: dict[str, Any], rule: str, kept: str) -> None:
    """Cut off, empty, refused, too short, too long: no result, and yet on record, for it is paid."""
    server = Server(lambda _: said)
    options: dict[str, Any] = {"min_length": 10, "max_length": 100}
    run = finished(server, planned(server, **options), **options)
    assert counts(run) == {"rejected": 3}
    row = run.outcomes("rejected").row(0, named=True)
    assert row["rule"] == rule
    assert row["advice"]
    assert detail(run) == {"text": kept, "tokens_in": 11, "tokens_out": 7, "model": "small-1"}
    assert run.results().height == 0
    assert server.prompts.most_common(1)[0][1] == 1


def test_what_passes_is_asked_again() -> None:
    """A limit, a failing server, a body that breaks off: asked again until the text is there."""
    troubles = iter([
        httpx.Response(429, json={"error": {"message": "slow", "code": "rate_limit_exceeded"}},
                       headers={"x-ratelimit-reset-requests": "50ms"}),
        httpx.Response(500, json={"error": {"message": "oops"}}),
        httpx.Response(200, content=b'{"choices": [{"mess', headers={"content-type": "application/json"}),
        httpx.Response(200, json={"error": {"code": 502, "message": "upstream"}}),
        httpx.Response(503, text="loading"),
    ])  # fmt: skip
    server = Server(lambda body: next(troubles, None) or echo(body))
    run = planned(server).start(target=target(server), rate=1000, backoff=0.01, retries=5, report=False)
    run.wait(20)
    assert counts(run) == {"done": 3}


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (401, {"code": "invalid_api_key", "message": "Incorrect key"}, "login"),
        (404, {"code": "model_not_found", "message": "The model does not exist"}, "doesn't have the model"),
        (429, {"code": "insufficient_quota", "message": "You exceeded your quota"}, "no credit"),
    ],
)
def test_what_no_prompt_would_pass_ends_the_run(status: int, error: dict[str, str], words: str) -> None:
    """One refusal is enough; the rows stay pending, and resuming after the cause is mended asks for them."""
    server = Server(lambda _: httpx.Response(status, json={"error": error}))
    run = finished(server, planned(server))
    assert run.state is RunState.FAILED
    assert words in run.snapshot().message
    assert counts(run) == {"pending": 3}
    assert len(server.bodies) == 1
    server.write = echo
    run.resume(target=target(server))
    run.wait(20)
    assert counts(run) == {"done": 3}


def test_one_prompt_too_long_harms_no_other() -> None:
    """A prompt that the model can't take is rejected with the server's words; the others are done."""

    def write(body: dict[str, Any]) -> Any:
        if "Lyon" not in body["messages"][-1]["content"]:
            return echo(body)
        error = {"message": "maximum context length is 5 tokens", "code": "context_length_exceeded"}
        return httpx.Response(400, json={"error": error})

    server = Server(write)
    run = finished(server, planned(server))
    assert counts(run) == {"done": 2, "rejected": 1}
    assert "maximum context length" in run.outcomes("rejected")["reason"][0]


def test_a_newer_model_gets_the_limit_under_its_newer_name() -> None:
    """A server that wants `max_completion_tokens` gets it, from its first complaint on."""

    def write(body: dict[str, Any]) -> Any:
        if "max_tokens" not in body:
            return echo(body)
        message = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        return httpx.Response(400, json={"error": {"message": message, "param": "max_tokens"}})

    server = Server(write)
    run = finished(server, planned(server, max_tokens=50), max_tokens=50)
    assert counts(run) == {"done": 3}
    assert len(server.bodies) == 4
    assert server.bodies[-1]["max_completion_tokens"] == 50


def test_json_that_is_no_completion_ends_the_run() -> None:
    """Another server's 200 is no text for anybody."""
    server = Server(lambda _: {"name": "some other server"})
    run = finished(server, planned(server))
    assert run.state is RunState.FAILED
    assert "no completion" in run.snapshot().message


# Pending rows


def test_some_now_and_the_rest_later() -> None:
    """A run that is stopped lists the rows without a text, and asks for just these when it is resumed."""
    server = Server(echo)
    rows = pl.DataFrame({"siret": [f"{n:03}" for n in range(30)], "nom": [f"N{n}" for n in range(30)]})
    fields = {"prompt": {"template": "Décris {nom}."}}
    plan = job(rows, fields=fields).plan(target=target(server))
    run = plan.start(target=target(server), rate=1000, canary=5, report=False)
    while run.state is not RunState.PAUSED:
        run.wait(0.05)
    run.stop()
    run.wait(20)
    pending = run.outcomes("pending")
    assert pending["key"].to_list() == [f"{n:03}" for n in range(5, 30)]
    assert run.results()["siret"].to_list() == [f"{n:03}" for n in range(5)]
    run.resume(target=target(server), canary="none")
    assert run.wait(20) is RunState.FINISHED
    assert run.outcomes("pending").is_empty()
    assert set(server.prompts.values()) == {1}
    assert run.results().height == 30


def test_five_a_minute_unless_said() -> None:
    """The first start keeps the pace that the smallest accounts have."""
    server = Server(echo)
    run = planned(server).start(target=target(server), report=False)
    try:
        settings = run.snapshot().settings
        assert settings["rate"] == pytest.approx(5 / 60)
        assert settings["workers"] == 1
    finally:
        run.stop()
        run.wait(20)


# Looking


def test_the_checkup_names_what_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Model known, unknown, not listed; key refused; nobody there: each is told."""

    def found(server: Server) -> tuple[str, str]:
        (one,) = target(server).checkup()
        return one.level, one.found + one.advice

    for listed in ("small", "small:latest", "models/small"):
        assert found(Server(echo, ["large", listed]))[0] == "ok"
    level, words = found(Server(echo, ["large", "huge"]))
    assert (level, "large, huge" in words) == ("warning", True)
    assert "lists no models" in found(Server(echo))[1]

    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json={"error": {"message": "bad key"}})

    monkeypatch.setenv("chat_api_key", "sk-wrong")
    made = ChatTarget("chat+https://api.test/v1", transport=httpx.MockTransport(refuse), model="m")
    (one,) = made.checkup()
    assert one.level == "error"
    assert "chat_api_key" in one.advice
    with pytest.raises(TargetError, match="bad key"):
        made.connect()
    (one,) = ChatTarget("chat+http://127.0.0.1:9/v1", model="m", key_secret="").checkup()
    assert one.level == "error"


# Jobs


def test_a_job_file_says_it_all(tmp_path: Path) -> None:
    """What a file says of the target survives saving and loading."""
    ROWS.write_csv(tmp_path / "rows.csv")
    target_says = {"model": "small", "max_tokens": 300, "key_secret": "", "result": "texte"}
    made = job(target=target_says)
    from dataclasses import replace

    saved = replace(made, source=str(tmp_path / "rows.csv")).save(tmp_path / "job.toml")
    loaded = Job.load(saved)
    assert dict(loaded.target) == target_says
    opened = loaded.open_target()
    assert isinstance(opened, ChatTarget)
    assert opened.describe()["result"] == "texte"
