"""Messages through the Cloud API: who gets which, as they read it, and what Meta would refuse."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import batchkit
from batchkit.core.errors import BatchkitError, MappingError, TargetError, UsageError
from batchkit.core.states import RunState
from batchkit.planning.job import Job
from batchkit.sources.tables import open_table
from batchkit.targets import base
from batchkit.targets.whatsapp.optout import OptOuts
from batchkit.targets.whatsapp.template import Template
from tests.support.graph import ACCOUNT, HELLO, INVITATION, PHONE, REMINDER, Graph, refused
from tests.support.whatsapp_jobs import (
    FEEDS,
    ROWS,
    again,
    changes,
    outcomes,
    planned,
    problems,
    started,
)

pytestmark = pytest.mark.usefixtures("token")


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
            found = OptOuts.of(str(path), "FR", open_table)
        case "csv":
            pl.DataFrame({"id": ["1", "2"], "mobile": wanted}).write_csv(path, separator=";")
            found = OptOuts.of(str(path), "FR", open_table)
        case _:
            path.write_text("\n".join(wanted) + "\n", encoding="utf-8")
            found = OptOuts.of(str(path), "FR", open_table)
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


def test_every_door_hands_over_what_reads_the_list(tmp_path: Path) -> None:
    """A table of numbers is read where the target is opened by a job or by name; else one is told."""
    stop = tmp_path / "stop.csv"
    stop.write_text("a;b\nx;y\n", encoding="utf-8")
    job = Job(pl.DataFrame({"to": ["1"]}), f"whatsapp:{PHONE}", target={"opt_out": str(stop)})
    for target in (job.open_target(), batchkit.open_target(f"whatsapp:{PHONE}", opt_out=str(stop))):
        with pytest.raises(UsageError, match="holds no phone number"):
            target.connect()
    with pytest.raises(UsageError, match="nothing to read tables with"):
        base.open_target(f"whatsapp:{PHONE}", opt_out=str(stop)).connect()


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
    with pytest.raises(MappingError, match=r'takes 2, which nothing fills.*Field\("2"'):
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
