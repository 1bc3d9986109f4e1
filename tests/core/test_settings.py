"""Settings: what is accepted, how it may be written, and what a wrong one says."""

from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from batchkit.core.errors import SettingsError
from batchkit.core.settings import LIVE, PRESETS, Settings, window_times


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("delay", "200ms", 0.2),
        ("delay", "2s", 2.0),
        ("delay", "0,5", 0.5),
        ("wait_for_target", "10m", 600.0),
        ("failure_limit", "5%", 0.05),
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
    ],
)
def test_of_names_the_wrong_setting(name: str, value: Any) -> None:
    """A wrong value is refused with the setting's name in the message."""
    with pytest.raises(SettingsError, match=name):
        Settings.of({name: value})


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
    """Every preset can be used, and every live setting exists."""
    for preset in PRESETS.values():
        Settings.of(preset)
    assert set(Settings.model_fields) >= LIVE
