"""The command at a terminal: prompts, the live bar, colours, Ctrl-C once and twice."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from batchkit.running.run import Run, list_runs
from tests.support.terminal import Shop, Terminal, answer, batchkit, make_shop, needs_terminal, wait_until

pytestmark = needs_terminal
SLOWLY = ("--chunk-size", "2", "--delay", "0.15", "--workers", "1")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """100 rows, 60 of them to be written."""
    return make_shop(tmp_path, rows=100)


def done() -> int:
    """Items that the newest run has done."""
    return next((run.snapshot().outcomes["done"] for run in list_runs()), 0)


def whole(shop: Shop) -> bool:
    """Whether the database is as the file wants it."""
    return shop.held() == {f"{n:05}": f"Épicerie {n}" for n in range(100)}


@contextmanager
def locked(shop: Shop) -> Iterator[None]:
    """Somebody else keeps the database from being written to."""
    with closing(sqlite3.connect(shop.database, isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_the_prompt_says_what_will_happen_in_numbers(shop: Shop) -> None:
    """Asked with numbers; a no writes nothing (4) and says where the plan is kept."""
    before = shop.held()
    with Terminal("run", *shop.options) as terminal:
        terminal.expect("Write 40 updates and 20 creates to sqlite:///")
        terminal.expect("[y/N]")
        terminal.type("n\r")
        assert terminal.wait() == 4
        assert "Nothing was started" in terminal.plain
        assert "batchkit apply " in terminal.plain
    assert shop.held() == before
    assert list_runs() == []


def test_a_plan_kept_in_a_folder_with_a_space_can_be_pasted(shop: Shop, tmp_path: Path) -> None:
    """What is said after a no is a command, whatever the folder is called; the help lists its exit code."""
    plan = tmp_path / "my plans" / "shops.plan"
    plan.parent.mkdir()
    answer("plan", *shop.options, "-o", plan)
    with Terminal("apply", plan) as terminal:
        terminal.expect("[y/N]")
        terminal.type("\r")
        assert terminal.wait() == 4
        assert f"batchkit apply '{plan}'" in " ".join(terminal.plain.split())
    assert (
        "4  the run was paused or stopped and can be resumed; or you answered no" in batchkit("--help").stdout
    )


@pytest.mark.parametrize(("keys", "code"), [("o", 0), ("oui", 0), ("Yes", 0), ("non", 4)])
def test_yes_and_no_in_french_too(shop: Shop, keys: str, code: int) -> None:
    """Both o and oui are a yes; a word that is neither is asked again, saying what is taken."""
    with Terminal("run", *shop.options) as terminal:
        terminal.expect("[y/N]")
        terminal.type("peut-être\r")
        terminal.expect("y, yes, o or oui")
        terminal.type(f"{keys}\r")
        assert terminal.wait() == code


def test_a_yes_at_the_prompt_shows_a_bar_and_applies(shop: Shop) -> None:
    """A yes runs it with a live bar, in colours."""
    with Terminal("run", *shop.options) as terminal:
        terminal.expect("[y/N]")
        terminal.type("y\r")
        assert terminal.wait() == 0, terminal.plain
        assert "100%" in terminal.plain
        assert "\x1b[32m" in terminal.text
    assert whole(shop)


def test_no_color_is_honoured(shop: Shop) -> None:
    """`NO_COLOR` takes every colour out, at a terminal too."""
    with Terminal("look", shop.csv, NO_COLOR="1") as terminal:
        assert terminal.wait() == 0
        assert "\x1b[" not in terminal.text


def test_ctrl_c_at_the_question_is_a_no(shop: Shop) -> None:
    """Nothing is started, and the exit code says so; no second key is needed."""
    with Terminal("run", *shop.options) as terminal:
        terminal.expect("[y/N]")
        terminal.type("\x03")
        terminal.expect("Nothing was started")
        assert terminal.wait() == 4
    assert done() == 0


def test_ctrl_c_stops_in_good_order(shop: Shop) -> None:
    """Once: what is under way is finished, exit 4, and the exact command that goes on, which does."""
    with Terminal("run", *shop.options, "--yes", *SLOWLY) as terminal:
        wait_until(lambda: done() > 2 or not terminal.read())
        terminal.type("\x03")
        terminal.expect("stopping… Ctrl-C again to leave at once")
        assert terminal.wait() == 4
        assert Run.open("last").state == "stopped"
        assert f"batchkit resume {Run.open('last').id}" in terminal.plain
    assert 0 < done() < 60
    assert answer("resume", "last", "--delay", "0")["state"] == "finished"
    assert whole(shop)


def test_ctrl_c_twice_leaves_at_once(shop: Shop) -> None:
    """Twice: the process is gone within a second, the run is interrupted and can be resumed."""
    with Terminal(
        "run", *shop.options, "--yes", "--chunk-size", "10", *SLOWLY[2:], "--set", "delay=1s"
    ) as terminal:
        wait_until(lambda: done() > 2 or not terminal.read())
        # Held by somebody else, so that what is under way takes its time.
        with locked(shop):
            time.sleep(1.2)
            terminal.type("\x03")
            terminal.expect("Ctrl-C again")
            asked = time.monotonic()
            terminal.type("\x03")
            assert terminal.wait() == 4
            assert time.monotonic() - asked < 1.5
        assert "batchkit resume " in terminal.plain
        assert "Traceback" not in terminal.plain
    assert Run.open("last").state == "interrupted"
    assert answer("resume", "last", "--delay", "0")["state"] == "finished"
    assert whole(shop)


def test_chunk_by_chunk_asks_once_before_the_first(shop: Shop) -> None:
    """The yes to the whole is the yes to its first chunk; each further one is asked about."""
    with Terminal("run", *shop.options, "--confirm", "chunk", "--chunk-size", "30") as terminal:
        terminal.expect("[y/N]")
        terminal.type("y\r")
        terminal.expect("Go on?")
        wait_until(lambda: done() == 30)  # the journal follows within 50 ms
        assert "0 items are sent" not in terminal.plain.replace("30 items are sent", "")
        assert "Resume to send" not in terminal.plain
        terminal.type("y\r")
        assert terminal.wait() == 0, terminal.plain
    assert whole(shop)


def test_a_canary_asks_and_goes_on(shop: Shop) -> None:
    """At a terminal the canary's pause is a question; a yes writes the rest."""
    with Terminal("run", *shop.options, "--canary", "5") as terminal:
        terminal.expect("[y/N]")
        terminal.type("y\r")
        terminal.expect("The first 5 items are sent: look at them. Go on?")
        wait_until(lambda: done() == 5)
        terminal.type("y\r")
        assert terminal.wait() == 0, terminal.plain
    assert whole(shop)
