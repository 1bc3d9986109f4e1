"""The view of a plan: counts as filters, a paged table with changed cells marked, and the problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from ..core.advice import Say, as_python, worded
from ..core.words import number
from .html import changes_html, message_html, problems_html, stylesheet
from .pages import PROBLEMS, PreviewModel
from .tasks import say
from .widgets import button, close_tree, html, row

if TYPE_CHECKING:
    from ..planning.plan import Plan


class PreviewView(widgets.VBox):  # type: ignore[misc]  # ipywidgets ships no types
    """Shows what a plan would change; nothing in it can change anything.

    Args:
        plan: The plan to look at.
        page_size: Items per page.
        say: How the advice words what can be done.
    """

    def __init__(self, plan: Plan, page_size: int = 20, say: Say = as_python) -> None:
        self._say = say
        self.model = PreviewModel(plan, page_size)
        summary = self.model.summary
        self._filters = {each.name: self._filter_button(each) for each in self.model.filters}
        self._table = html()
        self._span = html()
        self._page = widgets.BoundedIntText(
            min=1,
            description="Page",
            layout=widgets.Layout(width="120px"),
            style={"description_width": "auto"},
        )
        self._page.observe(self._on_page, "value")
        self._back = button("Previous", "Show the page before", lambda: self._turn(self.model.page - 1))
        self._forward = button("Next", "Show the page after", lambda: self._turn(self.model.page + 1))
        self._pages = html()
        self._pager = row(self._back, self._page, self._pages, self._forward, self._span)
        self._key = summary.key
        super().__init__(
            [html(stylesheet(), "bk-style"), row(*self._filters.values()), self._table, self._pager]
        )
        self.add_class("bk-panel")
        self.refresh()

    def _filter_button(self, each: Any) -> Any:
        words = f"{each.label}  {number(each.count)}"
        return button(words, f"Show only: {each.label.lower()}", lambda: self.select(each.name))

    def select(self, kind: str) -> None:
        """Show one kind of change, `all`, or `problems`."""
        self.model.select(kind)
        self.refresh()

    def _turn(self, page: int) -> None:
        self.model.turn(page)
        self.refresh()

    def _on_page(self, change: Any) -> None:
        if change["new"] != self.model.page:
            self._turn(change["new"])

    def refresh(self) -> None:
        """Show the page the model stands at."""
        model = self.model
        for name, each in self._filters.items():
            (each.add_class if name == model.kind else each.remove_class)("bk-chosen")
        self._page.max, self._page.value = model.pages, model.page
        self._pages.value = f"of {number(model.pages)}"
        self._span.value = f'<span class="bk-note">{model.span}</span>'
        self._back.disabled, self._forward.disabled = model.page == 1, model.page == model.pages
        self._pager.layout.display = "none" if model.pages == 1 else ""
        self._table.value = self._page_html()

    def _page_html(self) -> str:
        try:
            if self.model.kind == PROBLEMS:
                return problems_html(self.model.problems(), self._say)
            return changes_html(self.model.rows(), self._key, self._say)
        except Exception as error:  # noqa: BLE001  the plan's file may be gone: a sentence, not a traceback
            return message_html(worded(say(error), self._say), "bad")

    def close(self) -> None:
        """Take the view off the screen; the plan doesn't notice."""
        close_tree(self)
        super().close()
