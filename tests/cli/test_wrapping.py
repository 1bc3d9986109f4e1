"""Lines that fit the terminal, and only there."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchkit.cli import wrapping


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 60 columns."""
    monkeypatch.setattr(wrapping, "room", lambda: 60)


def test_nothing_is_cut_where_there_is_no_terminal() -> None:
    """In a pipe a sentence is a line and an address is whole."""
    long = "word " * 60
    assert wrapping.wrapped(long, 2) == ["  " + long]
    assert wrapping.with_command("All of them:", long, indent=2) == [f"  All of them: {long}"]
    assert wrapping.ending(long, 90) == long


@given(st.lists(st.text("abcdé", min_size=1, max_size=30), min_size=1, max_size=40))
def test_sentences_keep_all_their_words(words: list[str]) -> None:
    """No line is longer than the terminal, no word is lost or cut, later lines hang."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wrapping, "room", lambda: 60)
        lines = wrapping.wrapped(" ".join(words), 2, 4)
    assert all(len(line) <= 60 for line in lines)
    assert " ".join(lines).split() == words
    assert all(line.startswith("    ") for line in lines[1:])


@pytest.mark.usefixtures("narrow")
def test_commands_and_paths_stay_whole() -> None:
    """What is to be copied stands on a line of its own rather than broken in two."""
    command = "batchkit show /a/rather/long/path/to/a/plan.parquet --all-problems"
    assert wrapping.with_command("and 6 more:", command, indent=2) == ["  and 6 more:", f"    {command}"]
    path = "/a" * 50
    assert path in wrapping.wrapped(f"The plan {path} is damaged.")[1]


@pytest.mark.usefixtures("narrow")
def test_an_option_keeps_its_value() -> None:
    """No line ends between an option and its value, wherever the sentence is broken."""
    for before in range(30):
        lines = wrapping.wrapped(
            f"{'x' * before} or have it given back: --field siret.repair=leading_zero, or so.", 6
        )
        assert any("--field siret.repair=leading_zero" in line for line in lines)
        assert all(len(line) <= 60 for line in lines)


@pytest.mark.usefixtures("narrow")
def test_the_meaning_in_a_table_folds_below_itself() -> None:
    """The last column of a table goes on below, in its colour; a command or a path in it stays whole."""
    meaning = "its key stands more than once in the file; not sent"
    rows = [["duplicate", "16", click.style(meaning, dim=True)], ["x", "1", "batchkit resume " + "x" * 60]]
    first, second, command = wrapping.columns(rows, right=frozenset({1}), fold=True)
    assert click.unstyle(first) == "  duplicate  16  its key stands more than once in the file;"
    assert second == " " * 17 + click.style("not sent", dim=True)
    assert command.endswith("batchkit resume " + "x" * 60)
    path = "/home/a b/" + "c d/" * 20
    assert wrapping.columns([["plan", path]], fold=True) == [f"  plan  {path}"]


@pytest.mark.usefixtures("narrow")
def test_the_end_of_an_address_is_kept() -> None:
    """Which database and table it is stands at the end."""
    short = wrapping.ending("sqlite:////home/me/clients/2026/companies.sqlite#companies", 30)
    assert len(short) == 30
    assert short.endswith("companies.sqlite#companies")
