"""Setting up WordPress for the tests: once, in words where it can't be had, without failing by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.needs import REQUIRE_ALL
from tests.support.wordpress_machine import WordPressMissing, find_tree
from tools import apt, setup_wordpress


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """An empty cache, all programs there, and commands that are noted and fail."""
    monkeypatch.setenv("BATCHKIT_CACHE", str(tmp_path))
    monkeypatch.delenv(REQUIRE_ALL, raising=False)
    monkeypatch.delenv("BATCHKIT_WORDPRESS_SUITE", raising=False)
    monkeypatch.setattr(setup_wordpress, "lacking", list)
    noted: list[list[str]] = []

    def note(command: list[object], folder: Path | None = None) -> None:
        noted.append([str(part) for part in command])

    monkeypatch.setattr(apt, "said", note)
    return noted


def unpacked(folder: Path, name: str, version: str) -> Path:
    """A WordPress in the cache, as far as anybody looks."""
    file = folder / "wordpress" / name / "wp-includes" / "version.php"
    file.parent.mkdir(parents=True)
    file.write_text(f"<?php\n$wp_version = '{version}';\n", encoding="utf-8")
    return file.parent.parent


def test_found_in_the_cache(calls: list[list[str]], tmp_path: Path) -> None:
    """A WordPress that was unpacked before is good enough: no command is run, no network needed."""
    unpacked(tmp_path, "bookworm-6.1.9", "6.1.9")
    assert setup_wordpress.main([]) == 0
    assert calls == []


def test_another_suite_is_fetched(calls: list[list[str]], tmp_path: Path) -> None:
    """Asked for a release that isn't there, it is fetched though another one is."""
    unpacked(tmp_path, "bookworm-6.1.9", "6.1.9")
    setup_wordpress.main(["--suite", "sid"])
    assert any("update" in call for call in calls)
    assert "sid" not in {folder.name for folder in (tmp_path / "wordpress").iterdir()}


def test_no_network_is_told(calls: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    """What can't be downloaded is told in words, and the tests go on without it."""
    assert setup_wordpress.main([]) == 0
    assert "could not be downloaded" in capsys.readouterr().err


def test_no_programs_are_told(
    calls: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without apt nothing is tried: it says which programs are missing."""
    monkeypatch.setattr(setup_wordpress, "lacking", lambda: ["PHP"])
    monkeypatch.setattr(apt, "privileged", lambda: None)
    assert setup_wordpress.main([]) == 0
    assert "No PHP" in capsys.readouterr().err
    assert calls == []


def test_required_is_a_failure(calls: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine that promised everything, a missing WordPress fails."""
    monkeypatch.setenv(REQUIRE_ALL, "1")
    assert setup_wordpress.main([]) == 1


def test_newest_is_taken_unless_one_is_named(calls: list[list[str]], tmp_path: Path) -> None:
    """Trixie's WordPress goes first, then the newest; one that was named is taken or missed."""
    old = unpacked(tmp_path, "bookworm-6.1.9", "6.1.9")
    new = unpacked(tmp_path, "sid-7.1.4", "7.1.4")
    assert find_tree().folder == new
    trixie = unpacked(tmp_path, "trixie-6.8.7", "6.8.7")
    assert find_tree().folder == trixie
    assert find_tree("bookworm").folder == old
    with pytest.raises(WordPressMissing, match="buster"):
        find_tree("buster")
