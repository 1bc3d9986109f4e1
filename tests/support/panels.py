"""Views of the panel, looked at and clicked on without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def until(done: Callable[[], Any], seconds: float = 5) -> None:
    """Wait for something another thread does."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it didn't happen in time"
        time.sleep(0.01)


def texts(widget: Any) -> str:
    """All that a view shows, as one text."""
    own = str(getattr(widget, "value", "")) + str(getattr(widget, "description", ""))
    return own + "".join(texts(child) for child in getattr(widget, "children", ()))


def click(view: Any, name: str) -> None:
    """Click a button of a view by its words."""
    found = [each for each in _buttons(view) if each.description.startswith(name)]
    assert len(found) == 1
    assert not found[0].disabled
    found[0].click()


def _buttons(widget: Any) -> list[Any]:
    if hasattr(widget, "click"):
        return [widget]
    return [each for child in getattr(widget, "children", ()) for each in _buttons(child)]
