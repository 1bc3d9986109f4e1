"""The reference: it names everything that can be said, and is as the models are."""

from __future__ import annotations

from batchkit.core.settings import Settings
from tools.reference import PAGE, page


def test_the_reference_is_as_the_models_are() -> None:
    """Who adds a setting writes the page anew: `python -m tools.reference`."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_setting_is_in_the_reference() -> None:
    """What can be set can be read about."""
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"| `{name}` |" not in text] == []
