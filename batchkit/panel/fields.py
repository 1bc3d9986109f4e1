"""The fields of the settings that can be changed before and while a run runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from ..core.settings import Settings
from .screen import SETTING_LABELS, setting_texts
from .widgets import button, row, show

_HINTS = {"rate": "no limit", "chunk_size": "automatic"}


class SettingsFields:
    """An accordion with a field per setting.

    `planned` are the texts a run starts from by itself, `shown` those in force now: what is typed is compared
    with the former at a start, and with the latter while a run runs.

    Args:
        settings: Settings the fields start with.
        in_force: The settings that hold where the operator changes nothing.
        opened: Whether the accordion is open at first.
        apply: What the button does while a run runs.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        in_force: Mapping[str, Any],
        opened: bool,
        apply: Callable[[], None],
    ) -> None:
        self.planned = setting_texts(Settings.of(dict(in_force)).model_dump())
        self.shown = dict(self.planned)
        texts = setting_texts(Settings.of({**in_force, **settings}).model_dump())
        self._fields = {name: self._field(name, text) for name, text in texts.items()}
        self._apply = button("Apply settings", "Acts on the run within half a second", apply)
        box = ipywidgets.VBox([row(*self._fields.values()), self._apply])
        self.widget = ipywidgets.Accordion([box], titles=("Settings",), selected_index=0 if opened else None)

    def _field(self, name: str, text: str) -> Any:
        field = ipywidgets.Text(text, description=SETTING_LABELS[name], placeholder=_HINTS.get(name, ""))
        field.add_class("bk-field")
        return field

    @property
    def texts(self) -> dict[str, str]:
        """What stands in each field."""
        return {name: field.value for name, field in self._fields.items()}

    def type(self, name: str, text: str) -> None:
        """Put a text into a field, as an operator would."""
        self._fields[name].value = text

    def draw(self, in_force: Mapping[str, str], *, running: bool) -> None:
        """Follow the settings in force, but never over what somebody is typing."""
        show(self._apply, running)
        for name, text in in_force.items():
            if text != self.shown[name]:
                if self._fields[name].value == self.shown[name]:
                    self._fields[name].value = text
                self.shown[name] = text
