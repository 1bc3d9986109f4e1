"""Settings: what is accepted, how it may be written, and what a wrong one says."""

from __future__ import annotations

import json
from datetime import time
from typing import Any

import pytest
from pydantic import ValidationError

from batchkit.core.errors import SettingsError
from batchkit.core.settings import LIVE, Settings, window_times, written
from batchkit.targets.base import schemes, target_class


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("delay", "200ms", 0.2),
        ("delay", "2s", 2.0),
        ("delay", "0,5", 0.5),
        ("wait_for_target", "10m", 600.0),
        ("failure_limit", "5%", 0.05),
        ("failure_limit", "99,5 %", 0.995),
        ("failure_limit", "100%", "100%"),
        ("failure_limit", " 100.0 % ", "100%"),
        ("failure_limit", 1, 1.0),
        ("failure_limit", 1.0, 1.0),
        ("failure_limit", "20", 20.0),
        ("failure_limit", "off", None),
        ("workers", "8", 8),
        ("rate", "0.8", 0.8),
        ("rate", "none", None),
        ("window", "22:00-6:00", "22:00-6:00"),
    ],
)
def test_of_reads_what_an_operator_types(name: str, text: str, value: Any) -> None:
    """Settings arrive as text from the command line and mean what they say."""
    assert getattr(Settings.of({name: text}), name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", 0),
        ("workers", "many"),
        ("rate", 0),
        ("rate", float("nan")),
        ("delay", "soon"),
        ("window", "night"),
        ("retries", -1),
        ("timeout", 0),
        ("failure_limit", "0%"),
        ("failure_limit", "150%"),
        ("failure_limit", "half"),
        ("failure_limit", -1),
        ("failure_limit", True),
    ],
)
def test_of_names_the_wrong_setting(name: str, value: Any) -> None:
    """A wrong value is refused with the setting's name in the message."""
    with pytest.raises(SettingsError, match=name):
        Settings.of({name: value})


@pytest.mark.parametrize("given", ["100%", "1%", "99.9%", 1, 1.0, 0.5, 20])
def test_a_failure_limit_means_the_same_when_it_was_stored(given: Any) -> None:
    """A share stays a share and a count a count, on their way through a journal, a job file, a field."""
    first = Settings.of(failure_limit=given)
    assert Settings.of(json.loads(json.dumps(first.model_dump()))) == first
    assert Settings.of(failure_limit=written(first.failure_limit)) == first


def test_of_suggests_the_near_name() -> None:
    """A misspelt setting is an error that names the right one."""
    with pytest.raises(SettingsError, match="Did you mean 'workers'"):
        Settings.of(worker=3)


def test_changed_keeps_the_rest() -> None:
    """Changing one setting leaves the others as they were."""
    assert Settings.of(workers=3, rate=2).changed({"rate": "4"}) == Settings.of(workers=3, rate=4)


def test_window_times_may_cross_midnight() -> None:
    """A window such as 22:00-06:00 keeps its two times of day."""
    assert window_times("22:00-06:00") == (time(22), time(6))


def test_presets_and_live_settings_are_settings() -> None:
    """What a kind of target starts from can be used, and every live setting exists."""
    usual = [target_class(f"{scheme}:").usual for scheme in schemes()]
    assert any(usual)
    for each in usual:
        Settings.of(each)
    assert set(Settings.model_fields) >= LIVE


@pytest.mark.parametrize("name", ["workers", "delay", "window", "on_limit", "hush"])
def test_what_pydantic_says_shows_no_value(name: str) -> None:
    """Settings made without `of` give pydantic's own error, which names the setting and not the value."""
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({name: "s3cret-s3cret"})
    assert "s3cret" not in str(caught.value)
    assert name in str(caught.value)
