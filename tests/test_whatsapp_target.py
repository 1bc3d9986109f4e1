"""Messages through the Cloud API: who gets which, as they read it, and what each answer means."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit import secrets
from batchkit.errors import BatchkitError, MappingError, SecretError, TargetError, UsageError
from batchkit.job import Job
from batchkit.plan import Plan
from batchkit.run import Run
from batchkit.states import Outcome, RunState
from batchkit.targets.base import Fate, Item, Result, open_target
from batchkit.targets.http.answer import Answer
from batchkit.targets.whatsapp.errors import CODES, judge_answer
from batchkit.targets.whatsapp.optout import OptOuts
from batchkit.targets.whatsapp.target import WhatsAppTarget
from batchkit.targets.whatsapp.template import Template
from tests.graph import ACCOUNT, HELLO, INVITATION, PHONE, REMINDER, Graph, refused, taken

ROWS = pl.DataFrame(
    {
        "Téléphone": ["06 12 34 56 78", "+33 (0)6 11 22 33 44", "3.36123E+10", "0033 7 60 00 00 01"],
        "Prénom": ["Zoé", "Léa", "Max", "Ana"],
        "Pour": ["Zoé", "Léa", "Max", "Ana"],
        "Date": ["12 mai à 9 h", "13 mai", "14 mai", "15 mai"],
        "Lien": ["a1", "b2", "c3", "d4"],
    }
)
FEEDS = {"Téléphone": "to", "Prénom": "1", "Pour": "header_1", "Date": "2", "Lien": "button_2"}


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is a secret of the environment."""
    monkeypatch.setenv("whatsapp_token", "EAAG-sesame-open")


def planned(
    graph: Graph, rows: Any, feeds: dict[str, str], *, key: Sequence[str] = (), **target: Any
) -> Plan:
    """A plan for the graph."""
    to = graph.target(key=key or ["to"], **target)
    to.connect()
    return Job(rows, to=f"whatsapp:{PHONE}", map=feeds, key=key, target=target).plan(target=to)


def changes(plan: Plan) -> list[str]:
    """What would become of each row."""
    return plan.changes().collect()["change"].to_list()


def problems(plan: Plan) -> dict[int | None, str]:
    """The rule that each row broke."""
    return {each.row: each.rule for each in plan.problems()}


def again(graph: Graph, plan: Plan) -> WhatsAppTarget:
    """The target as the plan keeps it."""
    return graph.target(**{name: value for name, value in plan.facts["target"].items() if name != "url"})


def started(graph: Graph, plan: Plan, **settings: Any) -> Run:
    """A run of the plan against the graph, at its end."""
    quick = {"rate": None, "delay": 0, "backoff": 0.01, "key_rest": 0, "report": False}
    run = plan.start(target=again(graph, plan), **{**quick, **settings})
    run.wait(20)
    return run


def outcomes(run: Run) -> dict[str, str]:
    """Outcome by key."""
    return {row["key"]: row["outcome"] for row in run.outcomes().iter_rows(named=True)}


def send(target: WhatsAppTarget, to: str = "+33612345678", **values: Any) -> Result:
    """What becomes of one message."""

    async def work() -> Sequence[Result] | None:
        await target.begin()
        try:
            return await target.send([Item(0, 2, "send", {"to": to}, {}, values)])
        finally:
            await target.end()

    (result,) = asyncio.run(work()) or ()
    return result


def failure(target: WhatsAppTarget, **values: Any) -> Any:
    """How a message's failure is judged."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  whatever it is, the target's table judges it
        send(target, **{"text": "x", **values})
    return target.classify(caught.value)


# Who gets which message


def test_the_plan_shows_each_message_as_it_will_be_read() -> None:
    """Variables of header, body and button stand filled in; a row that can't be sent has no message."""
    plan = planned(Graph(REMINDER), ROWS, FEEDS, template="rappel")
    frame = plan.changes().collect()
    assert frame["rendered"][0] == (
        "Rappel pour Zoé\nBonjour Zoé, votre rendez-vous est le 12 mai à 9 h.\n"
        "Répondez STOP pour ne plus recevoir de messages.\n[STOP]\n[Voir → https://exemple.fr/rdv/a1]"
    )
    assert frame["change"].to_list() == ["send", "send", "invalid", "send"]
    assert frame["rendered"].is_null().to_list() == [False, False, True, False]


def test_numbers_become_e164_and_a_ruined_one_is_refused() -> None:
    """Spaces, (0) and 00 are read by the region; a number that Excel shortened is refused with advice."""
    plan = planned(Graph(REMINDER), ROWS, FEEDS, template="rappel")
    keys = plan.changes().collect()["key:to"].to_list()
    assert keys == ["+33612345678", "+33611223344", None, "+33760000001"]
    (bad,) = [each for each in plan.problems() if each.row == 4]
    assert "spreadsheet shortened" in bad.message
    assert "format the column as text" in bad.advice


def test_numbers_of_another_region() -> None:
    """The region says what a number without a country code is."""
    rows = pl.DataFrame({"to": ["0470 12 34 56"], "text": ["x"]})
    frame = planned(Graph(), rows, {}, region="BE").changes().collect()
    assert frame["key:to"].to_list() == ["+32470123456"]
    with pytest.raises(BatchkitError, match="No phone region"):
        Graph().target(region="XX")


def test_a_number_twice_in_the_file_is_stopped() -> None:
    """Two spellings of one number are one recipient: neither is messaged."""
    rows = pl.DataFrame({"to": ["06 12 34 56 78", "+33612345678", "0611223344"], "text": ["a", "b", "c"]})
    plan = planned(Graph(), rows, {})
    assert changes(plan) == ["duplicate", "duplicate", "send"]


def test_one_row_of_a_number_may_count() -> None:
    """Who says that the last row counts messages that number once, with that row's text."""
    graph = Graph()
    rows = pl.DataFrame({"to": ["06 12 34 56 78", "+33612345678"], "text": ["a", "b"]})
    target = graph.target(key=["to"])
    target.connect()
    plan = Job(rows, to=f"whatsapp:{PHONE}", keep_duplicates="last").plan(target=target)
    started(graph, plan)
    assert [message["text"]["body"] for message in graph.messages] == ["b"]


def test_a_number_twice_is_stopped_whatever_the_key() -> None:
    """With an order number as key, a recipient of two orders is still not messaged twice unseen."""
    rows = pl.DataFrame(
        {
            "order": ["A1", "A2", "A3"],
            "to": ["0612345678", "+33612345678", "0611223344"],
            "text": ["a", "b", "c"],
        }
    )
    plan = planned(Graph(), rows, {}, key=["order"])
    assert changes(plan) == ["invalid", "invalid", "send"]
    assert problems(plan) == {2: "unique", 3: "unique", None: "window"}


def test_who_opted_out_is_never_messaged(tmp_path: Path) -> None:
    """The list's numbers are read as the file's are; such a row is refused, and says why."""
    (tmp_path / "stop.csv").write_text("nom;téléphone\nLéa;06.11.22.33.44\nX;n/a\n", encoding="utf-8")
    plan = planned(Graph(REMINDER), ROWS, FEEDS, template="rappel", opt_out=str(tmp_path / "stop.csv"))
    assert changes(plan) == ["send", "invalid", "invalid", "send"]
    assert problems(plan)[3] == "opt_out"
    (notice,) = [each for each in plan.problems() if each.row is None and each.rule == "opt_out"]
    assert "1 entry" in notice.message
    assert "row 3" in notice.message


def test_who_opts_out_between_plan_and_run_is_not_messaged(tmp_path: Path) -> None:
    """The list is read again when the run starts."""
    graph, stop = Graph(), tmp_path / "stop.txt"
    stop.write_text("# nobody yet\n0699999999\n", encoding="utf-8")
    rows = pl.DataFrame({"to": ["0612345678", "0611223344"], "text": ["a", "b"]})
    plan = planned(graph, rows, {}, opt_out=str(stop))
    stop.write_text("0612345678\n", encoding="utf-8")
    run = started(graph, plan)
    assert graph.numbers() == ["+33611223344"]
    assert outcomes(run) == {"+33612345678": "rejected", "+33611223344": "done"}


@pytest.mark.parametrize("kind", ["csv", "xlsx", "txt", "list", "bare.csv"])
def test_an_opt_out_list_in_any_form(tmp_path: Path, kind: str) -> None:
    """A table, a workbook, lines, values, a column without a header: the numbers are found."""
    wanted = ["06 12 34 56 78", "+33 (0)6 11 22 33 44"]
    path = tmp_path / f"stop.{kind}"
    match kind:
        case "list":
            found = OptOuts.of(wanted, "FR")
        case "xlsx":
            pl.DataFrame({"id": ["1", "2"], "mobile": wanted}).write_excel(path)
            found = OptOuts.of(str(path), "FR")
        case "csv":
            pl.DataFrame({"id": ["1", "2"], "mobile": wanted}).write_csv(path, separator=";")
            found = OptOuts.of(str(path), "FR")
        case _:
            path.write_text("\n".join(wanted) + "\n", encoding="utf-8")
            found = OptOuts.of(str(path), "FR")
    assert found.numbers == {"+33612345678", "+33611223344"}


def test_a_job_file_has_its_opt_out_list_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list's path is relative to the job's file, wherever the job is run from or saved to."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "stop.txt").write_text("0612345678\n", encoding="utf-8")
    (tmp_path / "jobs" / "job.toml").write_text(
        f'source = "people.csv"\nto = "whatsapp:{PHONE}"\n[target]\nopt_out = "stop.txt"\n', encoding="utf-8"
    )
    monkeypatch.chdir(tmp_path)
    job = Job.load(tmp_path / "jobs" / "job.toml")
    whole = (tmp_path / "jobs" / "stop.txt").as_posix()
    assert job.open_target().describe()["opt_out"] == whole
    assert Job.load(job.save(tmp_path / "jobs" / "again.toml")).target == {"opt_out": "stop.txt"}
    assert Job.load(job.save(tmp_path / "again.toml")).target == {"opt_out": "jobs/stop.txt"}


def test_an_opt_out_list_that_is_not_there_stops_everything(tmp_path: Path) -> None:
    """Without its list nobody is messaged; neither with one that holds no number."""
    with pytest.raises(UsageError, match="isn't there"):
        Graph().target(opt_out=str(tmp_path / "stop.csv")).connect()
    (tmp_path / "stop.csv").write_text("a;b\nx;y\n", encoding="utf-8")
    with pytest.raises(UsageError, match="holds no phone number"):
        Graph().target(opt_out=str(tmp_path / "stop.csv")).connect()


def test_numbers_as_people_type_them(shared_data: Path) -> None:
    """A file of numbers typed by people: what can be read is, what a spreadsheet ruined is refused."""
    path = shared_data / "phone" / "testNumbersDB.csv"
    graph = Graph()
    target = graph.target(key=["to"], region="FI")
    target.connect()
    fields = {"to": {"column": "some csv header"}, "text": {"constant": "Hei"}}
    plan = Job(path, to=f"whatsapp:{PHONE}", fields=fields, target={"region": "FI"}).plan(target=target)
    frame = plan.changes().collect()
    sendable = frame.filter(pl.col("change") == "send")["key:to"].to_list()
    assert len(sendable) == len(set(sendable)) > 5
    assert all(number.startswith("+") for number in sendable)
    ruined = frame.filter(pl.col("raw:some csv header") == "3.58504E+11")
    assert ruined["change"].to_list() == ["invalid"]


def test_a_workbook_with_one_number_throughout(shared_data: Path) -> None:
    """Twelve rows for one number: none of them is sent, each says so."""
    target = Graph().target(key=["to"], region="US")
    target.connect()
    job = Job(
        shared_data / "phone" / "whatsapp_data.xlsx",
        to=f"whatsapp:{PHONE}",
        map={"Contact": "to", "Message": "text"},
        target={"region": "US"},
    )
    plan = job.plan(target=target)
    assert plan.counts.get("send", 0) == 0
    assert len(changes(plan)) == 12


# The template


def test_the_template_decides_which_fields_there_are() -> None:
    """Each variable is a field, with its limits; what the template doesn't take can't be mapped."""
    target = Graph(REMINDER).target(template="rappel")
    target.connect()
    fields = target.fields()
    assert list(fields) == ["to", "header_1", "1", "2", "button_2"]
    assert fields["header_1"].max_length == 60
    assert fields["1"].max_length == 1024
    with pytest.raises(MappingError, match="no field '3'"):
        planned(Graph(REMINDER), ROWS, {**FEEDS, "Date": "3"}, template="rappel")


def test_a_variable_that_nothing_fills_ends_planning() -> None:
    """A mapping that doesn't fit the template is refused before anything is planned."""
    feeds = {name: field for name, field in FEEDS.items() if field != "2"}
    with pytest.raises(MappingError, match=r"takes 2, which nothing fills.*--map COLUMN=2"):
        planned(Graph(REMINDER), ROWS, feeds, template="rappel")


def test_a_template_without_approval_ends_planning() -> None:
    """Unknown, in another language, paused: said before the first message, with the way out."""
    paused = {**HELLO, "status": "PAUSED"}
    with pytest.raises(TargetError, match="is paused"):
        Graph(paused).target(template="bonjour").connect()
    with pytest.raises(TargetError, match="has no template 'bonsoir'"):
        Graph(HELLO).target(template="bonsoir").connect()
    graph = Graph(HELLO, {**HELLO, "language": "fr_CA"})
    with pytest.raises(TargetError, match=r"'en'.*there in: fr, fr_CA"):
        graph.target(template="bonjour", language="en").connect()


def test_a_template_paused_since_the_plan_aborts_before_the_first_message() -> None:
    """The template is looked at again when the run starts; nobody is messaged, and the run can be resumed."""
    graph = Graph(HELLO)
    rows = pl.DataFrame({"to": ["0612345678"], "1": ["Zoé"]})
    plan = planned(graph, rows, {}, template="bonjour")
    graph.templates = [{**HELLO, "status": "PAUSED"}]
    run = started(graph, plan)
    assert run.state is RunState.FAILED
    assert "paused" in run.snapshot().message
    assert graph.messages == []
    graph.templates = [HELLO]
    run.resume(target=again(graph, plan))
    assert run.wait(20) is RunState.FINISHED
    assert graph.numbers() == ["+33612345678"]


def test_a_template_whose_words_changed_since_the_plan_is_not_sent() -> None:
    """What was previewed is what is sent, or nothing is."""
    graph = Graph(HELLO)
    plan = planned(graph, pl.DataFrame({"to": ["0612345678"], "1": ["Zoé"]}), {}, template="bonjour")
    graph.templates = [{**HELLO, "components": [{"type": "BODY", "text": "Salut {{1}} !"}]}]
    run = started(graph, plan)
    assert run.state is RunState.FAILED
    assert "has changed since the plan" in run.snapshot().message
    assert graph.messages == []


def test_what_all_messages_would_fail_by_aborts_the_run() -> None:
    """Where the template can't be looked at, the first refusal for its sake ends the run; nobody got one."""
    graph = Graph(refuse=lambda _: refused(132001, 404, "template name (x) does not exist in fr"))
    graph.discoverable = False
    rows = pl.DataFrame({"to": [f"06123456{n:02}" for n in range(20)], "1": ["Zoé"] * 20})
    plan = planned(graph, rows, {}, template="x")
    assert any(each.rule == "template" and "which account" in each.message for each in plan.problems())
    run = started(graph, plan, workers=1)
    assert run.state is RunState.FAILED
    assert "There is no such template" in run.snapshot().message
    assert graph.messages == []
    assert set(outcomes(run).values()) == {"pending"}


def test_variables_that_meta_would_refuse_are_refused_before() -> None:
    """A line break, a tab, five spaces in a row, a value too long, a blank: each on its row."""
    texts = ["Zoé\nLéa", "Zoé\tLéa", "Zoé     Léa", "Zoé    Léa", "x" * 40_000, None]
    rows = pl.DataFrame({"to": [f"061234567{n}" for n in range(6)], "1": texts})
    plan = planned(Graph(HELLO), rows, {}, template="bonjour")
    assert problems(plan) == {2: "spaces", 3: "spaces", 4: "spaces", 6: "max_length", 7: "required"}
    assert changes(plan).count("send") == 1


def test_named_variables_and_a_document() -> None:
    """Named variables go by name, a repeated one once; the header's document goes by its link."""
    graph = Graph(INVITATION)
    rows = pl.DataFrame(
        {"to": ["0612345678"], "prenom": ["Zoé"], "ville": ["Nîmes"], "header_document": ["https://exemple.fr/a.pdf"],
         "header_filename": ["Plan.pdf"]}
    )  # fmt: skip
    plan = planned(graph, rows, {}, template="invitation", account=ACCOUNT)
    text = "[document: https://exemple.fr/a.pdf]\nBonjour Zoé, rendez-vous à Nîmes, Zoé !"
    assert plan.changes().collect()["rendered"].to_list() == [text]
    started(graph, plan)
    (message,) = graph.messages
    document = {"link": "https://exemple.fr/a.pdf", "filename": "Plan.pdf"}
    assert message["template"] == {
        "name": "invitation",
        "language": {"code": "fr"},
        "components": [
            {"type": "header", "parameters": [{"type": "document", "document": document}]},
            {
                "type": "body",
                "parameters": [
                    {"type": "text", "parameter_name": "prenom", "text": "Zoé"},
                    {"type": "text", "parameter_name": "ville", "text": "Nîmes"},
                ],
            },
        ],
    }


def test_numbered_variables_and_buttons_as_the_api_takes_them() -> None:
    """Header, body and button each have their parameters, in order; the message names run and item."""
    graph = Graph(HELLO, REMINDER)  # on two pages
    plan = planned(graph, ROWS[:1], FEEDS, template="rappel")
    run = started(graph, plan)
    (message,) = graph.messages
    assert message["biz_opaque_callback_data"].endswith("-0")
    assert (message["messaging_product"], message["to"]) == ("whatsapp", "+33612345678")
    text = {"type": "text", "text": "Zoé"}
    assert message["template"]["components"] == [
        {"type": "header", "parameters": [text]},
        {"type": "body", "parameters": [text, {"type": "text", "text": "12 mai à 9 h"}]},
        {"type": "button", "sub_type": "url", "index": "1", "parameters": [{"type": "text", "text": "a1"}]},
    ]
    assert run.results()["message_id"].to_list() == ["wamid.1"]


WORDS = st.text(st.characters(exclude_characters="{}"), max_size=40)


@given(st.lists(WORDS, min_size=4, max_size=4))
def test_a_rendered_message_is_the_template_with_its_values(values: list[str]) -> None:
    """Whatever the values are, they stand where the variables stood, and nothing else changes."""
    header, name, day, link = values
    feeds = {"header_1": header, "1": name, "2": day, "button_2": link}
    assert Template.of(REMINDER).rendered(feeds) == (
        f"Rappel pour {header}\nBonjour {name}, votre rendez-vous est le {day}.\n"
        f"Répondez STOP pour ne plus recevoir de messages.\n[STOP]\n[Voir → https://exemple.fr/rdv/{link}]"
    )
    assert Template.of(REMINDER).rendered({**feeds, "2": None}) is None


def test_a_template_that_can_not_be_asked_is_sent_by_the_names_of_the_fields() -> None:
    """Without the account, `1`, `2`, `header_image` and named variables are enough; a gap is an error."""
    graph = Graph()
    graph.discoverable = False
    rows = pl.DataFrame(
        {"to": ["0612345678"], "2": ["b"], "1": ["a"], "header_image": ["https://e.fr/i.png"]}
    )
    started(graph, planned(graph, rows, {}, template="x"))
    head, body = graph.messages[0]["template"]["components"]
    assert head["parameters"] == [{"type": "image", "image": {"link": "https://e.fr/i.png"}}]
    assert [each["text"] for each in body["parameters"]] == ["a", "b"]
    with pytest.raises(MappingError, match="takes 1 too"):
        planned(graph, rows.drop("1"), {}, template="x")
    named = pl.DataFrame({"to": ["0612345678"], "ville": ["Nîmes"], "prenom": ["Zoé"]})
    started(graph, planned(graph, named, {}, template="x", variables=["prenom", "ville"]))
    (body,) = graph.messages[1]["template"]["components"]
    assert [each["parameter_name"] for each in body["parameters"]] == ["prenom", "ville"]


# Text and media


def test_text_and_media_by_link() -> None:
    """A text, a picture with its caption, a named document: each as the API takes it, and as it is read."""
    graph = Graph()
    rows = pl.DataFrame(
        {
            "to": ["0612345670", "0612345671", "0612345672", "0612345673"],
            "text": ["Voir https://e.fr", "Une photo", None, None],
            "image": [None, "https://e.fr/i.png", None, None],
            "document": [None, None, "https://e.fr/d.pdf", None],
            "filename": [None, None, "Devis.pdf", None],
        }
    )
    plan = planned(graph, rows, {})
    assert problems(plan) == {5: "blank", None: "window"}
    assert plan.changes().collect()["rendered"].to_list() == [
        "Voir https://e.fr", "[image: https://e.fr/i.png]\nUne photo", "[document: https://e.fr/d.pdf]", None,
    ]  # fmt: skip
    started(graph, plan, workers=1)
    parts = [(m["type"], m[m["type"]]) for m in graph.messages]
    assert parts == [
        ("text", {"body": "Voir https://e.fr", "preview_url": True}),
        ("image", {"link": "https://e.fr/i.png", "caption": "Une photo"}),
        ("document", {"link": "https://e.fr/d.pdf", "filename": "Devis.pdf"}),
    ]


def test_a_job_without_anything_to_say() -> None:
    """Recipients alone are no messages."""
    with pytest.raises(MappingError, match="doesn't say what to send"):
        planned(Graph(), pl.DataFrame({"to": ["0612345678"]}), {"to": "to"})


# What each answer means

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


def test_every_code_has_its_fate() -> None:
    """The whole table, code by code: what is tried again, what ends the run, what is one recipient's."""
    assert {fate: {code for code, each in CODES.items() if each.fate is fate} for fate in Fate} == FATES


@pytest.mark.parametrize("code", sorted(CODES))
def test_a_code_is_judged_whatever_the_status(code: int) -> None:
    """The code decides, not the status; the reason has the API's words, and there is always advice."""
    answer = _answer(refused(code, 500, "Some details."))
    judged = judge_answer(answer, sending=True)
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
    assert fate is not Fate.UNKNOWN or "resume with `--settle" in judged.advice


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
