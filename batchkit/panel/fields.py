"""The fields of the settings that can be changed before and while a run runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from ..core.model import Entry
from ..core.settings import LIVE, SETTINGS, SHOWN_AS, Settings, written
from .screen import setting_texts
from .widgets import button, row, show


class SettingsFields:
    """An accordion with a field per setting: the first few at once, the others folded away below them.

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
        self._fields = {name: _field(entry, texts[name]) for name, entry in SETTINGS.items()}
        first = [field for name, field in self._fields.items() if SHOWN_AS[name].first]
        others = [field for name, field in self._fields.items() if not SHOWN_AS[name].first]
        more = ipywidgets.Accordion([row(*others)], titles=("More settings",), selected_index=None)
        self._apply = button("Apply settings", "Acts on the run within half a second", apply)
        box = ipywidgets.VBox([row(*first), more, self._apply])
        self.widget = ipywidgets.Accordion([box], titles=("Settings",), selected_index=0 if opened else None)

    @property
    def texts(self) -> dict[str, str]:
        """What stands in each field."""
        return {name: field.value for name, field in self._fields.items()}

    @property
    def open(self) -> set[str]:
        """The settings that can be typed now."""
        return {name for name, field in self._fields.items() if not field.disabled}

    def type(self, name: str, text: str) -> None:
        """Put a text into a field, as an operator would."""
        self._fields[name].value = text

    def draw(self, in_force: Mapping[str, str], *, running: bool) -> None:
        """Follow the settings in force, but never over what somebody is typing."""
        show(self._apply, running)
        for name, field in self._fields.items():
            field.disabled = running and name not in LIVE
        for name, text in in_force.items():
            if text != self.shown[name]:
                if self._fields[name].value == self.shown[name]:
                    self._fields[name].value = text
                self.shown[name] = text


def _field(entry: Entry, text: str) -> Any:
    """The field of a setting, as its model describes it."""
    shown = SHOWN_AS[entry.name]
    label = f"{shown.label} ({shown.unit})" if shown.unit else shown.label
    choices = entry.choices or (("yes", "no") if bool in entry.kinds else ())
    if choices:
        field = ipywidgets.Dropdown(options=choices, value=text, description=label)
    else:
        field = ipywidgets.Text(text, description=label, placeholder=written(entry.default) or shown.empty)
    field.tooltip = entry.help
    field.add_class("bk-field")
    return field
