"""Options that several verbs share: how a file is read, what a plan is made from, how a run goes about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..core.errors import UsageError
from .console import Console

if TYPE_CHECKING:
    from ..core.model import Entry

Verb = TypeVar("Verb", bound=Callable[..., Any])

as_json = click.option(
    "--json",
    "console",
    is_flag=True,
    callback=lambda _, __, wanted: Console(wanted),
    help="Print the result as JSON, and nothing else, on stdout.",
)
"""Gives the verb its `Console`."""
yes = click.option("--yes", "-y", is_flag=True, help="Don't ask for a confirmation.")
run_name = click.argument("name", metavar="RUN")


def together(*options: Callable[[Any], Any]) -> Callable[[Verb], Verb]:
    """Several options as one decorator, in this order."""

    def decorate(verb: Verb) -> Verb:
        for option in reversed(options):
            verb = option(verb)
        return verb

    return decorate


def count(
    flag: str,
    text: str,
    least: int = 0,
    most: int | None = None,
    *,
    usual: int | None = None,
    unit: str = "N",
) -> Callable[[Verb], Verb]:
    """An option that takes a whole number; its usual value stands in its help."""
    text += f" Default: {usual}." if usual is not None else ""
    return click.option(flag, type=click.IntRange(least, most), default=usual, metavar=unit, help=text)


def _dashed(name: str) -> str:
    return name.replace("_", "-")


class Later(click.Option):
    """Stands for options that are made from a model when somebody asks for them.

    Models take their time to load, and the list of all verbs does without.
    """

    def __init__(self, param_decls: Sequence[str], make: Callable[[], list[click.Parameter]]) -> None:
        super().__init__(param_decls)
        self.make = make


def later(make: Callable[[], list[click.Parameter]]) -> Callable[[Verb], Verb]:
    """The options that `make` gives, as a decorator of a verb whose class is `Described`."""
    return click.option(f"--{_dashed(make.__name__)}", cls=Later, make=make)


class Described(click.Command):
    """A verb with options that follow from models."""

    _own: list[click.Parameter]

    @property
    def params(self) -> list[click.Parameter]:
        """The verb's options and arguments, in the order of its page."""
        self._own = [new for one in self._own for new in (one.make() if isinstance(one, Later) else [one])]
        return self._own

    @params.setter
    def params(self, given: list[click.Parameter]) -> None:
        self._own = given


# What a job says


def reading_options() -> list[click.Parameter]:
    """How a file is read: an option for each such entry of a job."""
    from ..planning.job_entries import ENTRIES, READING

    return [_entry_option(ENTRIES[name]) for name in READING]


def mapping_options() -> list[click.Parameter]:
    """What becomes of the rows: an option for each other entry of a job."""
    from ..planning.job_entries import ENTRIES, READING

    return [_entry_option(entry) for name, entry in ENTRIES.items() if name not in {*READING, *_ELSEWHERE}]


_ELSEWHERE = {"source", "name", "settings"}
"""Entries of a job that are no options of a plan: an argument, nothing, and options of the run."""

_FORMS: dict[str, dict[str, Any]] = {
    "to": {"metavar": "URL"},
    "key": {"metavar": "COL[,COL]", "multiple": True},
    "map": {
        "metavar": "COL=FIELD",
        "multiple": True,
        "help": "This column of the file feeds this field of the target. May be repeated. Every other column"
        " still feeds the field of the same name; --only leaves those out.",
    },
    "fields": {
        "param_decls": ["--field", "fields"],
        "metavar": "FIELD.RULE=VALUE",
        "multiple": True,
        "help": "A rule for a field, such as ca.type=decimal, nom.required=true, pays.constant=FR."
        " May be repeated.",
    },
    "target": {
        "metavar": "NAME=VALUE",
        "multiple": True,
        "help": "What that kind of target takes besides, such as types=posts,pages or template=rappel; in a"
        " job file it stands under [target]. May be repeated.",
    },
    "lookups": {
        "param_decls": ["--lookup", "lookups"],
        "metavar": "FIELD=TABLE.COLUMN",
        "multiple": True,
        "help": "The field holds the id of a row of another table, which the file gives by its name"
        " (COLUMN).",
    },
    "dates": {"metavar": "FORMAT[,FORMAT]"},
    "delete_cap": {"metavar": "N|N%"},
    "header_row": {"metavar": "N", "type": click.IntRange(min=0)},
    "delimiter": {"metavar": "CHAR"},
}
"""How the command line says what isn't a plain value."""


def _entry_option(entry: Entry) -> click.Option:
    default = f" Default: {entry.default}." if entry.choices else ""
    form: dict[str, Any] = {"param_decls": [f"--{_dashed(entry.name)}"], "help": entry.help + default}
    if bool in entry.kinds:
        form |= {"is_flag": True}
    elif entry.choices:
        form |= {"type": click.Choice(entry.choices)}
    else:
        form |= {"metavar": "NAME"}
    return click.Option(**(form | _FORMS.get(entry.name, {})))


reading = later(reading_options)

mapping = together(
    later(mapping_options),
    click.option(
        "--only",
        "only",
        multiple=True,
        metavar="COL[,COL]",
        help="Write only these columns of the file or fields of the target, and the key. May be repeated.",
    ),
    click.option(
        "--create-missing",
        is_flag=True,
        help="With --lookup: names that the other table lacks are created there.",
    ),
    click.option(
        "--query",
        metavar="SQL",
        help="Read the rows by this SELECT; SOURCE is then the address of a database.",
    ),
    click.option(
        "--source",
        "replaced",
        metavar="FILE",
        help="With a job file: read this file instead of the job's own.",
    ),
    click.option(
        "--save-job",
        type=click.Path(dir_okay=False),
        metavar="JOB.toml",
        help="Also save all this as a job file, once the plan is made. Another job is never replaced.",
    ),
)


# What a run is told


def setting_options(*, live: bool = False) -> list[click.Parameter]:
    """An option for each setting, or for those that may change while a run runs."""
    from ..core.settings import LIVE, SETTINGS

    return [_setting_option(entry) for name, entry in SETTINGS.items() if name in LIVE or not live]


def live_options() -> list[click.Parameter]:
    """An option for each setting that may change while a run runs."""
    return setting_options(live=True)


def _setting_option(entry: Entry) -> click.Option:
    from ..core.settings import written

    name, default = _dashed(entry.name), written(entry.default)
    text = f"{entry.help} Default: {default}." if default else entry.help
    if bool in entry.kinds:
        both = "/".join(f"--{word}" for word in (name, f"no-{name}"))
        return click.Option([both], default=None, help=text)
    return click.Option([f"--{name}"], metavar=_metavar(entry), help=text)


def _metavar(entry: Entry) -> str:
    if entry.choices:
        return f"[{'|'.join(entry.choices)}]"
    if str in entry.kinds:
        return "TEXT"
    return "N" if int in entry.kinds else "TIME" if entry.takes.startswith("a time") else "NUMBER"


more = click.option(
    "--set",
    "more",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting by its name, such as backoff=1s. May be repeated; `batchkit set --help` lists them.",
)

running = together(later(setting_options), more)
resuming = together(later(live_options), more)


class Setting(click.Command):
    """The verb that sets: its help lists the settings."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """What may be set while a run runs."""
        from ..core.settings import LIVE, SETTINGS

        with formatter.section("Settings"):
            formatter.write_dl([(name, one.help) for name, one in SETTINGS.items() if name in LIVE])


def chosen_settings(given: dict[str, Any], *, live: bool = False) -> dict[str, Any]:
    """The settings among a verb's options, taken out of `given`; only those that were given.

    Args:
        given: The verb's options.
        live: Only what may change while a run runs may be among them.

    Raises:
        UsageError: A value doesn't fit.
    """
    from ..core.settings import LIVE, Settings

    values = {name: given.pop(name, None) for name in Settings.model_fields}
    values = {name: value for name, value in values.items() if value is not None}
    found = checked(values | pairs(given.pop("more"), "--set"))
    if fixed := sorted(found.keys() - LIVE if live else ()):
        raise UsageError(
            f"The setting {fixed[0]} can't change on the way: it decides which items are written.",
            advice="Rows in conflict are written by --overwrite-conflicts."
            if fixed[0] == "overwrite"
            else "",
        )
    return found


_NOTHING = {"confirm": "none", "delay": "0", "wait_for_target": "0", "retries": "0"}
"""What an empty value means where the settings themselves take none."""


def checked(values: dict[str, Any]) -> dict[str, Any]:
    """The values as the settings read them.

    Raises:
        SettingsError: A name is unknown or a value doesn't fit.
    """
    if not values:
        return {}
    from ..core.settings import Settings

    settings = Settings.of(
        {name: _NOTHING.get(name, "") if value == "" else value for name, value in values.items()}
    )
    return {name: getattr(settings, name) for name in values}


def pairs(words: Iterable[str], option: str) -> dict[str, str]:
    """`NAME=VALUE` words as a dict; `-` in a name counts as `_`.

    Raises:
        UsageError: A word has no `=`.
    """
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise UsageError(
                f"{word!r} is no setting.", advice=f"Write NAME=VALUE, as in {option} workers=8."
            )
        found[name.strip().replace("-", "_")] = value.strip()
    return found
