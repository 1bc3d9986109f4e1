"""What each answer of the Cloud API means: who is messaged, who never again, and when a run ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from batchkit.core import secrets
from batchkit.core.errors import SecretError, TargetError, UsageError
from batchkit.core.states import Outcome, RunState
from batchkit.targets.base import Fate, open_target
from batchkit.targets.http.answer import Answer
from batchkit.targets.whatsapp.errors import CODES, judge_answer
from batchkit.targets.whatsapp.target import WhatsAppTarget
from tests.support.graph import HELLO, PHONE, Graph, refused, taken
from tests.support.whatsapp_jobs import ROWS, again, failure, outcomes, planned, send, started

FATES = {
    Fate.RETRY: {4, 80007, 130429, 131056, 131057, 132069, 133004, 134101, 2, 131016},
    Fate.ABORT: {
        0, 102, 190, 3, 10, 200, 131005, 131048, 368, 131031, 131042, 131037, 131045, 33,
        132000, 132001, 132015, 132016, 132068, 134102, 133000, 133005, 133006, 133008, 133009, 133010,
        133015, 133016,
    },
    Fate.REJECT: {
        130472, 130497, 131021, 131026, 131030, 131047, 131049, 131050, 100, 131008, 131009, 131051, 131052,
        131053, 135000, 132005, 132007, 132012, 132018,
    },
    Fate.UNKNOWN: {1, 131000},
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("token")


def test_every_code_has_its_fate() -> None:
    """The whole table, code by code: what is tried again, what ends the run, what is one recipient's."""
    assert {fate: {code for code, each in CODES.items() if each.fate is fate} for fate in Fate} == FATES


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_is_judged_whatever_the_status(code: int) -> None:
    """The code decides, not the status; the reason has the API's words, and there is always advice."""
    answer = _answer(refused(code, 500, "Some details."))
    judged = judge_answer(answer)
    assert judged is not None
    assert judged.fate is CODES[code].fate
    assert judged.rule == str(code)
    assert judged.reason.endswith(f"({code}): Some details.")
    assert judged.pushback == (CODES[code].pause is not None)


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, response.headers, response.content, True, "https://graph.example/x")


@pytest.mark.parametrize(
    ("response", "fate"),
    [
        (refused(270, 403), Fate.ABORT),  # 200-299 are permissions
        (refused(100, error_subcode=33), Fate.ABORT),  # no such number
        (refused(1, 400), Fate.REJECT),
        (refused(999999, 400), Fate.REJECT),
        (refused(999999, 401), Fate.ABORT),
        (refused(999999, 500), Fate.UNKNOWN),
        (refused(999999, 504), Fate.UNKNOWN),
        (refused(999999, 503), Fate.RETRY),
        (refused(999999, 522), Fate.RETRY),
        (refused("oops", 500), Fate.UNKNOWN),
        (refused(131000, 500), Fate.UNKNOWN),
        (refused(131000, 400), Fate.REJECT),
        (refused(131026, 200), Fate.REJECT),  # an error is one, whatever the status
        (httpx.Response(500, text="<html>Oops</html>"), Fate.UNKNOWN),
        (httpx.Response(500), Fate.UNKNOWN),
        (httpx.Response(502), Fate.UNKNOWN),
        (httpx.Response(530), Fate.UNKNOWN),
        (httpx.Response(504), Fate.UNKNOWN),
        (httpx.Response(503, headers={"Retry-After": "7"}), Fate.RETRY),
        (httpx.Response(429), Fate.RETRY),
        (httpx.Response(200, json={"messages": []}), Fate.UNKNOWN),
        (httpx.Response(200, json={"success": True}), Fate.UNKNOWN),
        (httpx.Response(200, text="<html>Welcome</html>"), Fate.UNKNOWN),
        (httpx.Response(200, text='{"messages": [{"id": "wam'), Fate.UNKNOWN),
    ],
)
def test_other_answers(response: httpx.Response, fate: Fate) -> None:
    """Where nobody knows whether it was sent it is unknown, so that nobody is messaged twice."""
    judged = failure(Graph(refuse=lambda _: response).target())
    assert judged.fate is fate
    assert fate is not Fate.UNKNOWN or "settle" in judged.advice


@pytest.mark.parametrize("code", [131099, 131000, "none"])
def test_a_server_that_fails_when_it_took_the_message(code: int | str) -> None:
    """500 under any code, the message taken: unknown, listed with the advice to ask, never sent again."""

    def takes_and_fails(body: dict[str, Any]) -> httpx.Response:
        graph.messages.append(body)
        return refused(code, 500, is_transient=True)

    graph = Graph(HELLO, refuse=takes_and_fails)
    run = started(graph, planned(graph, ROWS.head(1), {"Téléphone": "to", "Prénom": "1"}, template="bonjour"))
    assert list(outcomes(run).values()) == ["unknown"]
    assert "Ask the recipient" in run.outcomes("unknown")["advice"][0]
    assert len(graph.messages) == 1


def test_a_limit_slows_the_whole_run() -> None:
    """How long is the API's word where it has one: Retry-After, or the minutes of its own header."""
    usage = '{"2090001": [{"type": "whatsapp", "estimated_time_to_regain_access": 3}]}'
    answers = {
        1.0: refused(130429, 429),
        7.0: httpx.Response(429, json=refused(130429).json(), headers={"Retry-After": "7"}),
        180.0: httpx.Response(400, json=refused(80007).json(), headers={"X-Business-Use-Case-Usage": usage}),
        60.0: refused(80007),
    }
    for seconds, response in answers.items():
        judged = failure(Graph(refuse=lambda _, response=response: response).target())  # type: ignore[misc]
        assert (judged.retry_after, judged.pushback) == (seconds, True)


def test_the_pair_rate_rests_one_recipient_longer_each_time() -> None:
    """4 to the power of the tries, for this recipient alone, and from the start again once it passed."""
    answers = [refused(131056), refused(131056), refused(131056), None, refused(131056)]
    target = Graph(refuse=lambda _: answers.pop(0)).target()
    assert [failure(target).rest for _ in range(3)] == [1.0, 4.0, 16.0]
    assert send(target, text="x").outcome is Outcome.DONE
    judged = failure(target)
    assert (judged.rest, judged.retry_after, judged.pushback) == (1.0, None, False)


def test_a_timeout_is_unknown_and_never_sent_again() -> None:
    """A message that went out without an answer stays unknown; the run goes on with the others."""
    asked: list[str] = []

    def silent(body: dict[str, Any]) -> httpx.Response | None:
        asked.append(body["to"])
        if body["to"].endswith("0"):
            raise httpx.ReadTimeout("no answer")
        return None

    graph = Graph(refuse=silent)
    rows = pl.DataFrame({"to": [f"061234567{n}" for n in range(4)], "text": ["x"] * 4})
    run = started(graph, planned(graph, rows, {}))
    assert outcomes(run).pop("+33612345670") == "unknown"
    assert sorted(outcomes(run).values()) == ["done", "done", "done", "unknown"]
    assert asked.count("+33612345670") == 1


def test_an_expired_token_ends_the_run_which_can_be_resumed() -> None:
    """190 in the middle: the run fails, what was not sent stays pending, a new token takes it to its end."""
    graph = Graph()
    graph.refuse = lambda _: refused(190, 401, "Session has expired") if len(graph.messages) >= 5 else None
    rows = pl.DataFrame({"to": [f"06123456{n:02}" for n in range(20)], "text": ["x"] * 20})
    plan = planned(graph, rows, {})
    run = started(graph, plan, workers=1)
    assert run.state is RunState.FAILED
    assert "token has expired" in run.snapshot().message
    assert sorted(outcomes(run).values()) == ["done"] * 5 + ["pending"] * 15
    graph.refuse = None
    run.resume(target=again(graph, plan), rate="none")
    assert run.wait(20) is RunState.FINISHED
    assert len(graph.numbers()) == len(set(graph.numbers())) == 20


def test_a_refused_recipient_is_rejected_and_the_others_go_on() -> None:
    """131026 is one recipient's; its reason has no phone number in it."""
    graph = Graph()
    words = "Message to 33612345670 (+33612345670) undeliverable"
    graph.refuse = lambda body: refused(131026, details=words) if body["to"].endswith("0") else None
    rows = pl.DataFrame({"to": ["0612345670", "0612345671"], "text": ["a", "b"]})
    run = started(graph, planned(graph, rows, {}))
    assert outcomes(run) == {"+33612345670": "rejected", "+33612345671": "done"}
    (reason,) = run.outcomes("rejected")["reason"]
    assert "Message to the recipient (the recipient) undeliverable" in reason
    assert "33612345670" not in reason


def test_a_message_that_is_held_for_its_quality_is_told() -> None:
    """What WhatsApp says besides the id is kept beside it."""
    held = taken("wamid.X", "+33612345678", message_status="held_for_quality_assessment")
    detail = send(Graph(refuse=lambda _: held).target(), text="x").detail
    assert detail == {"id": "wamid.X", "status": "held_for_quality_assessment"}


def test_a_dry_run_sends_nothing() -> None:
    """Everything but the message: no recipient hears of it."""
    graph = Graph()
    rows = pl.DataFrame({"to": ["0612345670"], "text": ["a"]})
    run = started(graph, planned(graph, rows, {}), dry_run=True)
    assert run.state is RunState.FINISHED
    assert graph.messages == []


# The account


def test_the_token_is_a_secret_and_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes out with each request and stands nowhere else; without one there is advice."""
    graph = Graph()
    plan = planned(graph, pl.DataFrame({"to": ["0612345670"], "text": ["a"]}), {})
    run = started(graph, plan)
    assert set(graph.logins) == {"Bearer EAAG-sesame-open"}
    for path in (run.folder / "plan.parquet", run.folder / "journal.sqlite", run.folder / "log.jsonl"):
        assert b"sesame" not in path.read_bytes()
    monkeypatch.delenv("whatsapp_token")
    with pytest.raises(SecretError, match="whatsapp_token"):
        graph.target().connect()
    with pytest.raises(UsageError, match="holds a login itself"):
        graph.target(headers={"Authorization": "Bearer x"})


def test_another_login_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers of the job replace the token."""
    monkeypatch.setenv("other_token", "another-one")
    graph = Graph()
    graph.target(headers={"Authorization": "Bearer {secret:other_token}"}).connect()
    assert graph.logins == ["Bearer another-one"]


def test_connecting_tells_what_is_wrong() -> None:
    """An expired token and an unknown number are errors before anything is planned."""
    graph = Graph()
    graph.phone = refused(190, 401, "Session has expired")
    with pytest.raises(TargetError, match=r"token has expired.*Make a new token"):
        graph.target().connect()
    graph.phone = refused(100, error_subcode=33)
    with pytest.raises(TargetError, match=r"knows no such number.*phone number id"):
        graph.target().connect()


@pytest.mark.parametrize("url", ["whatsapp:", "whatsapp:+33 6", "whatsapp://x/y"])
def test_an_address_that_is_none(url: str) -> None:
    """The way an address is written is in the advice."""
    with pytest.raises(UsageError, match="whatsapp:PHONE_NUMBER_ID"):
        open_target(url)


def test_addresses() -> None:
    """The number's id alone, or the whole address of another server; a plan knows them as written."""
    target = open_target(f"whatsapp:{PHONE}", api="https://graph.example/v24.0/")
    assert isinstance(target, WhatsAppTarget)
    assert (target.address, target.base) == (f"whatsapp:{PHONE}", f"https://graph.example/v24.0/{PHONE}")
    again = open_target(**target.describe())
    assert isinstance(again, WhatsAppTarget)
    assert again.base == target.base
    whole = open_target(f"whatsapp+http://127.0.0.1:8000/v23.0/{PHONE}")
    assert isinstance(whole, WhatsAppTarget)
    assert whole.base == f"http://127.0.0.1:8000/v23.0/{PHONE}"


def test_the_check_up_looks_at_all_of_it(tmp_path: Path) -> None:
    """Number, sending, template, opt-out list, region, each with its state; and what is wrong as an error."""
    (tmp_path / "stop.txt").write_text("0612345678\nn/a\n", encoding="utf-8")
    good = Graph(HELLO).target(template="bonjour", opt_out=str(tmp_path / "stop.txt"))
    found = {each.name: (each.level, each.found) for each in good.checkup()}
    assert found["number"] == ("ok", "Clinique, +33 1 00 00 00 00, quality green")
    assert found["sending"] == ("ok", "available")
    assert found["template"] == ("ok", "bonjour (fr) is approved")
    assert found["opt-out list"] == ("warning", "1 number, 1 unreadable")
    assert found["region"][0] == "ok"
    graph = Graph()
    assert {each.name: each.level for each in graph.target(template="x").checkup()}["template"] == "error"
    graph.phone = refused(190, 401)
    assert {each.name: each.level for each in graph.target().checkup()}["number"] == "error"


def test_the_secret_is_erased_from_what_is_shown() -> None:
    """Even where the API repeats the token, it is not shown."""
    Graph().target().resolved_headers()
    assert "sesame" not in secrets.redact("token EAAG-sesame-open was refused")
