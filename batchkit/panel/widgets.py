"""The few widgets the views are made of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets

from .html import links_html
from .ticker import TICKER


def html(value: str = "", css: str = "") -> Any:
    """A piece of the page."""
    piece = ipywidgets.HTML(value)
    if css:
        piece.add_class(css)
    return piece


def button(words: str, tip: str, act: Callable[[], None], style: str = "") -> Any:
    """A button that is as wide as its words need."""
    made = ipywidgets.Button(
        description=words,
        tooltip=tip,
        button_style=style,
        layout=ipywidgets.Layout(width="auto", min_width="76px"),
    )
    made.on_click(lambda _: act())
    return made


def row(*children: Any, align: str = "center") -> Any:
    """Widgets side by side; they wrap where the page is narrow."""
    return ipywidgets.HBox(
        children, layout=ipywidgets.Layout(flex_flow="row wrap", align_items=align, grid_gap="4px 6px")
    )


def form_row(*children: Any) -> Any:
    """Fields and buttons side by side, standing on one line though fields have their words above them."""
    return row(*children, align="flex-end")


def show(widget: Any, visible: bool) -> None:
    """Take a widget in or out of the page; sends nothing when it is so already."""
    display = "" if visible else "none"
    if (widget.layout.display or "") != display:
        widget.layout.display = display


def links(files: Mapping[str, Path]) -> Any:
    """Links to files. An output, because only there the page resolves relative addresses."""
    data = {"text/html": links_html(files), "text/plain": "\n".join(map(str, files.values()))}
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    # Its list is set, nothing is ever printed into it: printing from a thread would land in another cell.
    return ipywidgets.Output(outputs=(output,))


def replace(box: Any, children: list[Any]) -> None:
    """Put other widgets into a box; the old ones are closed."""
    close_tree(box)
    box.children = children


def close_tree(box: Any) -> None:
    """Close all widgets inside a box."""
    for child in getattr(box, "children", ()):
        close_tree(child)
        child.close()


class LiveView(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """A view that is looked at again now and then, until it is closed.

    Args:
        children: What it shows, from top to bottom.
    """

    def __init__(self, children: Sequence[Any]) -> None:
        # Clicks and the ticker draw in threads of their own; nothing is drawn into a view that is closed.
        self._drawing = threading.RLock()
        self._closed = False
        super().__init__(children)

    def _look(self) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        """Take the view off the screen; a run that it shows doesn't notice."""
        with self._drawing:  # a round of the ticker that has begun is waited for; the next finds it closed
            self._closed = True
        TICKER.remove(self._look)
        close_tree(self)
        super().close()
