"""What can be done next, by the names of the panel's buttons and fields; the rest stays Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ..core.advice import Action, Say, as_python

_BUTTONS: Final[Mapping[str, str]] = {"resume": "Resume", "undo": "Undo…"}
_FIELDS: Final[Mapping[str, str]] = {
    "sheet": "Sheet",
    "header_row": "Header row",
    "encoding": "Encoding",
    "table": "Table",
    "mode": "Mode",
    "dates": "Dates are written",
}


def on_run(run: str) -> Say:
    """How the view of a run words an action: its own buttons by their names."""

    def say(action: Action) -> str:
        button = _BUTTONS.get(action.name)
        if action.name == "again":
            return "control(plan, again=True)"
        return f"click “{button}”" if button and action.arguments == {"run": run} else as_python(action)

    return say


def on_form(action: Action) -> str:
    """How the form of a job words an action: its own fields by their labels."""
    given = action.arguments
    match action.name, str(given.get("name")):
        case "map", _:
            return f"choose {given['field']} as the field of {given['column']}"
        case "option", "create":
            return "tick “Create the table”"
        case "option", "key":
            return "tick “Key” beside a column"
        case "option", name if name in _FIELDS:
            value = given["value"]
            text = " ".join(map(str, value)) if isinstance(value, list) else value
            label = f"“{_FIELDS[name]}”"
            return label if value is None else f"{text} for {label}"
        case _:
            return as_python(action)
