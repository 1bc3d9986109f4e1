"""Options that several verbs share: how a file is read, what a plan is made from, how a run goes about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..core.errors import UsageError

if TYPE_CHECKING:
    from ..core.model import Entry

Verb = TypeVar("Verb", bound=Callable[..., Any])

as_json = click.option(
    "--json", "with_json", is_flag=True, help="Print the result as JSON, and nothing else, on stdout."
)
yes = click.option("--yes", "-y", is_flag=True, help="Don't ask for a confirmation.")
run_name = click.argument("name", metavar="RUN")
RUN_HELP = 'RUN is the id of a run, the beginning of one that is unique, a run folder, or "last".'


def together(*options: Callable[[Any], Any]) -> Callable[[Verb], Verb]:
    """Several options as one decorator, in this order."""

    def decorate(verb: Verb) -> Verb:
        for option in reversed(options):
            verb = option(verb)
        return verb

    return decorate


reading = together(
    click.option(
        "--sheet",
        metavar="NAME",
        help="Sheet of a workbook. Default: the first visible one that holds a table.",
    ),
    click.option(
        "--header-row",
        type=click.IntRange(min=0),
        metavar="N",
        help="Row that holds the column names, as a spreadsheet numbers it; 0: none. Default: found.",
    ),
    click.option(
        "--encoding",
        metavar="NAME",
        help="Encoding of a text file, such as utf-8 or cp1252. Default: detected.",
    ),
    click.option(
        "--delimiter",
        metavar="CHAR",
        help='Character between columns of a text file, or "tab". Default: detected.',
    ),
    click.option(
        "--hidden-rows",
        type=click.Choice(["keep", "skip"]),
        help="Whether rows that are hidden in a workbook are read. Default: keep.",
    ),
    click.option(
        "--fill-merged",
        is_flag=True,
        help="Repeat the value of merged cells in each of them, instead of the first alone.",
    ),
)

mapping = together(
    click.option(
        "--to",
        "to",
        metavar="URL",
        help="Target, such as sqlite:///companies.sqlite or postgresql://me@host/db.",
    ),
    click.option("--table", metavar="NAME", help="Table at the target."),
    click.option(
        "--key",
        "key",
        multiple=True,
        metavar="COL[,COL]",
        help="What identifies a row: one or more columns of the file or fields of the target.",
    ),
    click.option(
        "--map",
        "map",
        multiple=True,
        metavar="COL=FIELD",
        help="This column of the file feeds this field of the target. May be repeated. Every other column"
        " still feeds the field of the same name; --only leaves those out.",
    ),
    click.option(
        "--only",
        "only",
        multiple=True,
        metavar="COL[,COL]",
        help="Write only these columns of the file or fields of the target, and the key. May be repeated.",
    ),
    click.option(
        "--field",
        "fields",
        multiple=True,
        metavar="FIELD.RULE=VALUE",
        help="A rule for a field, such as ca.type=decimal, nom.required=true, pays.constant=FR."
        " May be repeated.",
    ),
    click.option(
        "--target",
        "target",
        multiple=True,
        metavar="NAME=VALUE",
        help="What that kind of target takes besides, such as types=posts,pages or template=rappel; in a job"
        " file it stands under [target]. May be repeated.",
    ),
    click.option(
        "--dates",
        metavar="FORMAT[,FORMAT]",
        help="How the file writes dates, besides 2026-12-31, such as dd/mm/yyyy. For fields without a rule of"
        " their own.",
    ),
    click.option(
        "--decimal",
        type=click.Choice([",", "."]),
        help="The decimal mark of the file's numbers. For fields without a rule of their own."
        " Default: either, and what could be read two ways is refused.",
    ),
    click.option(
        "--lookup",
        "lookups",
        multiple=True,
        metavar="FIELD=TABLE.COLUMN",
        help="The field holds the id of a row of another table, which the file gives by its name (COLUMN).",
    ),
    click.option(
        "--create-missing",
        is_flag=True,
        help="With --lookup: names that the other table lacks are created there.",
    ),
    click.option(
        "--mode",
        type=click.Choice(["upsert", "update", "insert", "append"]),
        help="upsert writes new and changed rows, update only rows that exist, insert only new ones,"
        " append adds every row. Default: upsert.",
    ),
    click.option("--create", is_flag=True, help="Create the table from the mapping when it doesn't exist."),
    click.option(
        "--delete", is_flag=True, help="Plan to delete the rows of the target that are not in the file."
    ),
    click.option(
        "--delete-cap",
        metavar="N|N%",
        help="With --delete: the most rows it may delete, a number or a share of the table. Default: 10%.",
    ),
    click.option(
        "--ignore-case", is_flag=True, help="Texts that differ only in upper and lower case count as equal."
    ),
    click.option(
        "--ignore-space", is_flag=True, help="Texts that differ only in white space count as equal."
    ),
    click.option(
        "--normalize-unicode",
        is_flag=True,
        help="Texts that differ only in how accents are encoded count as equal.",
    ),
    click.option(
        "--keep-duplicates",
        type=click.Choice(["none", "first", "last"]),
        help="Which of several rows with one key counts. Default: none, all of them are reported.",
    ),
    click.option(
        "--blank",
        type=click.Choice(["clear", "keep"]),
        help="What an empty cell means for an update: clear the field or keep what is there. Default: clear.",
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

more = click.option(
    "--set",
    "more",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting by its name, such as backoff=1s. May be repeated; `batchkit set --help` lists them.",
)


class Running(click.Command):
    """A verb that starts a run, or goes on with one: it has an option for each setting.

    They are made when somebody asks for them: their model takes its time to load, and the list of all verbs
    does without.
    """

    only_live = False
    _whole = False

    @property
    def params(self) -> list[click.Parameter]:
        """The verb's own options, then one for each setting."""
        if not self._whole:
            self._whole = True
            at = next((n for n, one in enumerate(self._own) if one.name == "more"), len(self._own))
            self._own[at:at] = setting_options(live=self.only_live)
        return self._own

    @params.setter
    def params(self, given: list[click.Parameter]) -> None:
        self._own, self._whole = given, False


class Resuming(Running):
    """A verb that goes on with a run: what decides which items are written stays as it was."""

    only_live = True


def setting_options(*, live: bool = False) -> list[click.Parameter]:
    """An option for each setting, or for those that may change while a run runs, as its model has it."""
    from ..core.model import entries
    from ..core.settings import LIVE, Settings

    return [_setting_option(entry) for name, entry in entries(Settings).items() if name in LIVE or not live]


def _setting_option(entry: Entry) -> click.Option:
    from ..core.settings import written

    name, default = entry.name.replace("_", "-"), written(entry.default)
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


class Setting(click.Command):
    """The verb that sets: its help lists the settings."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """What may be set while a run runs."""
        from ..core.model import entries
        from ..core.settings import LIVE, Settings

        with formatter.section("Settings"):
            formatter.write_dl([(name, one.help) for name, one in entries(Settings).items() if name in LIVE])


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
