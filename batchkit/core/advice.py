"""What to do next, as data: actions with their arguments inside a text, worded as each face has them.

    advice = f"Look at the target, then {resume(settle='done')}."

    on the command line   Look at the target, then batchkit resume RUN --settle done.
    in Python             Look at the target, then run.resume(settle="done").

Texts that travel (through frames, plans and journals) hold the actions marked, so that whoever opens them
words them anew. What people and programs get hold of (`BatchkitError.advice`, `Problem.advice`,
`Snapshot.message`) is a `Wording`: it reads as the face that is speaking words it, as Python where none is.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

_MARKED: Final = re.compile(r"⟦([a-z_]+) (\{.*?\})⟧")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that can be done.

    Attributes:
        name: What, such as `resume` or `option`.
        arguments: With what, such as `{"settle": "done"}`.
    """

    name: str
    arguments: Mapping[str, Any]

    def marked(self) -> str:
        """The action as it stands in a text that travels."""
        # ASCII alone, so that no argument holds the mark that ends it.
        return f"⟦{self.name} {json.dumps(self.arguments)}⟧"


Say = Callable[[Action], str]
"""How a face words an action."""


# The actions there are.


def resume(run: str = "", **how: Any) -> str:
    """Take a run up again, with the arguments of `Run.resume`; without `run`, the one at hand."""
    return Action("resume", {"run": run, **how}).marked()


def watch(run: str = "") -> str:
    """Look at a run while it works."""
    return Action("watch", {"run": run}).marked()


def undo(run: str = "") -> str:
    """Make the plan that takes a run back."""
    return Action("undo", {"run": run}).marked()


def list_runs() -> str:
    """See which runs there are."""
    return Action("runs", {}).marked()


def start_again() -> str:
    """Start a plan although its rows were sent before."""
    return Action("again", {}).marked()


def plan_file(file: str, job: str) -> str:
    """Plan that file as the job says, in place of the job's own source."""
    return Action("plan_file", {"file": file, "job": job}).marked()


def terminal(command: str) -> str:
    """Call a verb that only the command line has."""
    return Action("terminal", {"command": command}).marked()


def option(name: str, value: Any = None) -> str:
    """Give a job that option; without a value, any."""
    return Action("option", {"name": name, "value": value}).marked()


def field_option(field: str, rule: str, value: Any) -> str:
    """Give a field of the job that option."""
    return Action("field", {"field": field, "rule": rule, "value": value}).marked()


def map_column(field: str = "FIELD", column: str = "COLUMN") -> str:
    """Fill a field from a column of the source."""
    return Action("map", {"field": field, "column": column}).marked()


def create_missing() -> str:
    """Let a lookup create the names that aren't there."""
    return Action("create_missing", {}).marked()


def setting(name: str, value: Any) -> str:
    """Give a run that setting."""
    return Action("setting", {"name": name, "value": value}).marked()


# How they are worded.


def as_python(action: Action) -> str:
    """An action as a call or an argument of the Python interface."""
    given = dict(action.arguments)
    match action.name:
        case "resume" | "undo":
            run = _python_run(given.pop("run", ""))
            return f"{run}.{action.name}({', '.join(_argument(*each) for each in given.items())})"
        case "watch":
            return f"batchkit.watch({_python_run(given['run'])})"
        case "runs":
            return "batchkit.list_runs()"
        case "again":
            return "plan.start(again=True)"
        case "plan_file":
            return f"replace(Job.load({_literal(given['job'])}), source={_literal(given['file'])}).plan()"
        case "terminal":
            return f"`batchkit {given['command']}` in a terminal"
        case "field":
            return f"Field({_literal(given['field'])}, {_argument(given['rule'], given['value'])})"
        case "map":
            return f"Field({_literal(given['field'])}, column={_literal(given['column'])})"
        case "create_missing":
            return 'lookup={..., "create": True}'
        case _:
            return _argument(given["name"], given["value"])


def _python_run(run: str) -> str:
    return f"Run.open({_literal(run)})" if run else "run"


def _argument(name: str, value: Any) -> str:
    return f"{name}=" if value is None else f"{name}={_literal(value)}"


def _literal(value: Any) -> str:
    return repr(value) if value is None or isinstance(value, bool) else json.dumps(value, ensure_ascii=False)


def as_command(action: Action) -> str:
    """An action as a command or an option of the command line; so do documents, which lie beside it."""
    given = dict(action.arguments)
    match action.name:
        case "resume" | "undo" | "watch":
            words = ["batchkit", action.name, given.pop("run") or "RUN"]
            return shlex.join([*words, *(part for each in given.items() for part in _of_resume(*each))])
        case "runs":
            return "batchkit runs"
        case "again":
            return "--again"
        case "plan_file":
            return shlex.join(["batchkit", "plan", given["job"], "--source", given["file"]])
        case "terminal":
            return f"batchkit {given['command']}"
        case "map":
            return f"--map {shlex.quote('{column}={field}'.format_map(given))}"
        case "setting":
            return shlex.join(["--set", f"{given['name']}={_text(given['value'])}"])
        case "create_missing":
            return _or_entry(["--create-missing"], "create = true in the lookup of a job file")
        case "field":
            rule, value = given["rule"], given["value"]
            flag = ["--field", f"{given['field']}.{rule}={_text(value)}"]
            return _or_entry(flag, f"{_entry(rule, value)} for the field in a job file")
        case _:
            name, value = given["name"], given["value"]
            return _or_entry(_flag(name, value), f"{_entry(name, value)} in a job file")


def _of_resume(name: str, value: Any) -> list[str]:
    match name:
        case "settle":
            return ["--settle", value]
        case "overwrite":
            return ["--overwrite-conflicts"]
        case "again":
            return ["--again"]
        case _:
            return ["--set", f"{name}={_text(value)}"]


def _flag(name: str, value: Any) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    return [flag] if value is None or value is True else [flag, _text(value)]


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _or_entry(flag: list[str], entry: str) -> str:
    words = shlex.join(flag)
    return f"{words}{'' if words.endswith(',') else ','} or {entry}"


def _entry(name: str, value: Any) -> str:
    return name if value is None else f"{name} = {json.dumps(value, ensure_ascii=False)}"


# The texts that hold them.

_speaking: Say = as_python


@contextmanager
def spoken(say: Say) -> Iterator[None]:
    """Let what is said meanwhile be worded so, in all threads of this process."""
    global _speaking  # noqa: PLW0603 - a process speaks with one voice, as it has one language
    before, _speaking = _speaking, say
    try:
        yield
    finally:
        _speaking = before


def worded(text: str, say: Say | None = None) -> str:
    """The text with its actions in words.

    Args:
        text: A text that travels, or a `Wording`.
        say: How an action is worded; None for the face that is speaking.
    """
    words = say or _speaking

    def in_words(found: re.Match[str]) -> str:
        try:
            return words(_action(found))
        except KeyError:  # a text from elsewhere that only looks like one of ours
            return found[0]

    whole = marked(text)
    return _MARKED.sub(in_words, whole) if "⟦" in whole else whole


def about_run(text: str, run: str) -> str:
    """The text as it travels, with actions on the run at hand naming it."""

    def named(found: re.Match[str]) -> str:
        action = _action(found)
        here = action.arguments.get("run") == ""
        return Action(action.name, {**action.arguments, "run": run}).marked() if here else found[0]

    return _MARKED.sub(named, marked(text))


def _action(found: re.Match[str]) -> Action:
    try:
        return Action(found[1], json.loads(found[2]))
    except ValueError:
        return Action(found[1], {})


def marked(text: str) -> str:
    """The text as it travels."""
    return text.marked if isinstance(text, Wording) else text


class Wording(str):
    """A text that reads as the face that was speaking words it, and that another one can word anew.

    Attributes:
        marked: The text as it travels.
    """

    __slots__ = ("marked",)
    marked: str

    def __new__(cls, text: str) -> Wording:
        """Word the text."""
        self = super().__new__(cls, worded(text))
        self.marked = text.marked if isinstance(text, Wording) else text
        return self

    def __getnewargs__(self) -> tuple[str]:
        """What a copy is made of."""
        return (self.marked,)

    @property
    def actions(self) -> list[Action]:
        """What it says can be done."""
        return [_action(found) for found in _MARKED.finditer(self.marked)]


def joined(message: str, advice: str) -> str:
    """What happened and what to do next as one text, with a stop between them."""
    message, advice = marked(message), marked(advice)
    return f"{sentence(message) if advice else message} {advice}".strip()


def sentence(text: str) -> str:
    """The text with a stop at its end, where it lacks one."""
    return text if not text or text.endswith((".", "!", "?", ":")) else f"{text}."
