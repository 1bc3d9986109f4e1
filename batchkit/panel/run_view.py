"""The view of a run: start, watch, pause, resume, stop, settings, report and undo."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from ..core.settings import SHOWN_AS
from .controller import RunController
from .fields import SettingsFields
from .html import confirm_html, figures_html, head_html, line_html, stylesheet
from .plan_view import PreviewView
from .screen import MANY_ITEMS, Screen
from .ticker import TICKER
from .widgets import LiveView, button, html, links, replace, row, show

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..running.run import Run

AWAKE: Final = 3.0  # seconds a view keeps looking after a click, for the run's answer to arrive
_BAR_STYLES: Final = {"active": "info", "good": "success", "wait": "warning", "bad": "danger", "calm": ""}
_TAKES_SETTINGS: Final = {"start", "dry_run", "resume"}


class ControlView(LiveView):
    """Starts and steers a run. Buttons only ask; what is shown comes from snapshots.

    Args:
        subject: A plan that shall be started, or a run.
        report_folder: Where reports go.
        settings: Settings to start with; those that have a field stand in it.
        dry_run: Offer the dry run only.
        again: Send what an earlier run of the same rows has sent already.
    """

    def __init__(
        self,
        subject: Run | Plan,
        report_folder: Path,
        settings: Mapping[str, Any],
        dry_run: bool = False,
        again: bool = False,
    ) -> None:
        self.controller = RunController.of(subject, report_folder)
        self.controller.more_settings = {name: settings[name] for name in settings if name not in SHOWN_AS}
        if again:
            self.controller.more_settings["again"] = True
        self._only_dry = dry_run
        self._awake_until = 0.0
        self._linked: dict[str, Path] = {}
        self._undoing: Plan | None = None
        self._head, self._line, self._figures = html(), html(), html()
        self._bar = ipywidgets.FloatProgress(min=0, max=1, layout=ipywidgets.Layout(width="100%"))
        self.buttons = self._make_buttons()
        self._question = html()
        self._confirm = self._make_confirm()
        many = self.controller.plan.summary().to_send > MANY_ITEMS
        self.fields = SettingsFields(settings, self.controller.planned_settings(), many, self._apply_settings)
        self._links, self._undo = ipywidgets.VBox(), ipywidgets.VBox()
        super().__init__([
            html(stylesheet(), "bk-style"), self._head, self._bar, self._line, row(*self.buttons.values()),
            self._confirm, self._figures, self.fields.widget, self._links, self._undo,
        ])  # fmt: skip
        self.add_class("bk-panel")
        self._wake()

    def _make_buttons(self) -> dict[str, Any]:
        ask = self._ask
        return {
            "start": button("Apply…", "Write the changes; asks before it does", self._ask_first, "primary"),
            "dry_run": button(
                "Dry run", "Try every change and write nothing", lambda: self._start(dry_run=True)
            ),
            "pause": button("Pause", "Finish what is under way, then wait", lambda: ask("pause")),
            "resume": button("Resume", "Go on where it stands", lambda: ask("resume"), "primary"),
            "stop": button("Stop", "Finish what is under way, then end; can be resumed", lambda: ask("stop")),
            "report": button(
                "Write report again", "Write the report files anew", lambda: ask("write_reports")
            ),
            "undo": button("Undo…", "Show what can be reversed; changes nothing yet", lambda: ask("undo")),
        }

    def _make_confirm(self) -> Any:
        now = button("Apply now", "Write these changes", lambda: self._start(dry_run=False), "danger")
        cancel = button("Cancel", "Change nothing", lambda: show(self._confirm, False))
        confirm = row(self._question, now, cancel)
        show(confirm, False)
        return confirm

    def _ask_first(self) -> None:
        self._question.value = confirm_html(self.controller.plan.summary())
        show(self._confirm, True)

    def _start(self, *, dry_run: bool) -> None:
        show(self._confirm, False)
        self.controller.start(self.fields.texts, self.fields.planned, dry_run=dry_run)
        self._wake()

    def _apply_settings(self) -> None:
        self.controller.apply_settings(self.fields.texts, self.fields.shown)
        self._wake()

    def _ask(self, verb: str) -> None:
        getattr(self.controller, verb)()
        self._wake()

    def _wake(self) -> None:
        self._awake_until = time.monotonic() + AWAKE
        self.refresh()
        TICKER.add(self._look)  # a stopped run that goes on has to be watched again

    def _look(self) -> bool:
        # Asked before the drawing, so that what a task left behind is drawn once more after it has ended.
        awake = bool(self.controller.busy) or time.monotonic() < self._awake_until
        screen = self.refresh()
        return not self._closed and (awake or not screen.over or bool(self.controller.busy))

    def refresh(self) -> Screen:
        """Show the present snapshot."""
        with self._drawing:
            screen = self.controller.screen()
            if not self._closed:
                self._draw(screen)
                self._draw_ending(screen)
            return screen

    def _draw(self, screen: Screen) -> None:
        self._head.value = head_html(screen)
        self._line.value = line_html(screen)
        self._figures.value = figures_html(screen)
        self._bar.value, self._bar.bar_style = screen.fraction, _BAR_STYLES[screen.bar]
        for name, each in self.buttons.items():
            each.disabled = name not in screen.buttons
            # A pause or a stop takes a moment; the button stays where it was, so that nothing jumps.
            wanted = name in screen.buttons or (name == "stop" and not screen.over)
            show(each, wanted and not (name == "start" and self._only_dry))
        self.fields.draw(screen.settings, running=not screen.over)
        show(self.fields.widget, not screen.over or bool(screen.buttons & _TAKES_SETTINGS))

    def _draw_ending(self, screen: Screen) -> None:
        self.controller.report_when_over(screen)
        if self.controller.reports != self._linked:
            self._linked = dict(self.controller.reports)
            replace(self._links, [links(self._linked)] if self._linked else [])
        plan = self.controller.undo_plan
        if plan is not None and plan is not self._undoing:
            self._undoing = plan
            title = html('<div class="bk-subtitle">Undo: what would be reversed</div>')
            replace(
                self._undo, [title, PreviewView(plan), ControlView(plan, self.controller.report_folder, {})]
            )
