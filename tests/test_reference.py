"""The reference: it names everything that can be said, and is as the models are."""

from __future__ import annotations

from typing import Any

import pytest

from batchkit.checking.fields import Field
from batchkit.core.model import entries
from batchkit.core.settings import Settings
from batchkit.targets.base import schemes, target_class
from tools.reference import PAGE, page


def test_the_reference_is_as_the_models_are() -> None:
    """Who adds a setting writes the page anew: `python -m tools.reference`."""
    assert PAGE.read_text(encoding="utf-8") == page()


TARGETS = {model for scheme in schemes() if (model := target_class(f"{scheme}:").model) is not None}


@pytest.mark.parametrize("model", [Settings, Field, *sorted(TARGETS, key=str)])
def test_every_entry_is_in_the_reference(model: Any) -> None:
    """What can be said can be read about, and each entry says what it is for."""
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name, entry in entries(model).items() if f"| `{name}` | {entry.help}" not in text] == []
    assert [name for name, entry in entries(model).items() if not entry.help.endswith(".")] == []
