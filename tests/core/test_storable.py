"""Texts from outside: whatever a server spells, what is kept of it can be written anywhere."""

from __future__ import annotations

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from batchkit.core.secrets import redact, redact_all
from batchkit.core.storable import storable, storable_all

ANYTHING = st.text(st.characters(exclude_categories=()))


@given(ANYTHING)
def test_storable_text_can_be_written_and_read_again(text: str) -> None:
    """Every text comes out such that UTF-8 and SQLite take it and give it back as it is."""
    kept = storable(text)
    assert kept.encode().decode() == kept
    connection = sqlite3.connect(":memory:")
    assert connection.execute("SELECT ?, length(?)", (kept, kept)).fetchone() == (kept, len(kept))
    connection.close()


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
def test_storable_leaves_sound_text_alone(text: str) -> None:
    """Nothing that can be written is changed."""
    assert storable(text) == text


def test_storable_joins_halves_and_shows_what_is_lost() -> None:
    """Two halves side by side are the character they mean; a lone one, or NUL, is seen as a gap."""
    assert storable("\ud83d\ude00!") == "😀!"
    assert storable("a\ud83db\x00c") == "a�b�c"


def test_storable_all_reaches_names_and_nested_values() -> None:
    """Also what lies deep inside, and the names it lies under."""
    assert storable_all({"k\ud83d": ["v\ud83d", {"x": ("\x00",)}], 1: 2}) == {
        "k�": ["v�", {"x": ("�",)}],
        1: 2,
    }


def test_redact_gives_storable_text() -> None:
    """What passes the eraser of secrets on its way to a journal or a log can be written there."""
    assert redact("half \ud83d") == "half �"
    assert redact_all({"\ud83d": ["\ud83d"]}) == {"�": ["�"]}
