"""The command's own pages: every verb and option is documented, exit codes are listed, start-up is quick."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from batchkit.cli import cli
from batchkit.core.settings import LIVE, Settings
from batchkit.planning.job_entries import ENTRIES
from tests.support.terminal import COMMAND, batchkit, environment

VERBS = [
    "look", "plan", "apply", "run",
    "runs", "show", "watch", "pause", "resume", "stop", "set", "report", "undo",
    "demo", "lab", "sandbox", "clean", "doctor",
]  # fmt: skip


def test_the_verbs_are_those_promised() -> None:
    """No verb is missing and none was added in passing."""
    assert sorted(cli.commands) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_and_option_is_documented(verb: str) -> None:
    """A verb without a description, or an option without help, can't be found out about."""
    command = cli.commands[verb]
    assert command.help, verb
    assert command.help.strip().endswith((".", '"last".')), command.help
    assert command.short_help, verb
    assert len(command.short_help) <= 60, "it would be cut in the list"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{verb} {parameter.opts}"
            assert parameter.help.endswith("."), f"{verb} {parameter.opts}: {parameter.help}"
        else:
            assert isinstance(parameter, click.Argument)
            name = parameter.make_metavar(click.Context(command)).strip("[].").split("=")[0].split("|")[0]
            assert name in command.help + (command.short_help or ""), f"{verb} {name} is not explained"


@pytest.mark.parametrize("verb", ["apply", "run", "undo", "resume"])
def test_each_setting_is_an_option(verb: str) -> None:
    """What a run may be told stands in the help of each verb that starts one, or goes on with it."""
    page = CliRunner().invoke(cli, [verb, "--help"]).output
    wanted = LIVE if verb == "resume" else Settings.model_fields
    missing = [name for name in wanted if f"  --{name.replace('_', '-')} " not in page]
    assert missing == []


@pytest.mark.parametrize("verb", ["plan", "run"])
def test_each_entry_of_a_job_is_an_option(verb: str) -> None:
    """What a job file may say can be said on the command line; its settings are options of the run."""
    known = {parameter.name for parameter in cli.commands[verb].params}
    assert set(ENTRIES) - known == ({"name", "settings"})


def test_each_live_setting_is_in_the_help_of_set() -> None:
    """Who steers a run reads what can be set while it runs, and only that."""
    page = CliRunner().invoke(cli, ["set", "--help"]).output
    named = {name for name in Settings.model_fields if re.search(rf"^  {name} ", page, re.MULTILINE)}
    assert named == LIVE


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"lab", "sandbox"}))
def test_each_verb_that_reports_has_json(verb: str) -> None:
    """Programs can read what people can."""
    assert any("--json" in parameter.opts for parameter in cli.commands[verb].params)


def test_options_that_the_readme_and_the_advice_name_are_there() -> None:
    """No `--option` in the README, or in what a rule or a page advises, leads nowhere."""
    known = {name for verb in cli.commands.values() for one in verb.params for name in one.opts}
    root = Path(__file__).parents[2]
    modules = [path for path in (root / "batchkit").rglob("*.py") if not path.name.startswith("sample")]
    for path in [root / "README.md", *modules]:  # samples are made by a command of their own
        text = re.sub(r"`pip [^`]*`", "", path.read_text(encoding="utf-8"))  # those are another program's
        named = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)\b(?!:)", text))
        assert named - known <= {"--help", "--version"}, path


def test_help_lists_verbs_in_groups_and_exit_codes() -> None:
    """One page says what there is and what the exit codes mean."""
    page = CliRunner().invoke(cli, ["--help"]).output
    for verb in VERBS:
        assert re.search(rf"^  {verb} +\S", page, re.MULTILINE), verb
    for code, words in enumerate(
        ["all done", "some rows failed", "call is wrong", "run failed", "paused or stopped"]
    ):
        assert re.search(rf"^ +{code}  .*{words}", page, re.MULTILINE), code


def test_help_shows_no_control_marks() -> None:
    """What only tells click where lines end isn't shown, on any page."""
    for words in ([], *([verb] for verb in VERBS)):
        page = CliRunner().invoke(cli, [*words, "--help"]).output
        assert "\\b" not in page
        assert "\b" not in page


def test_no_verb_shows_the_help() -> None:
    """Somebody who only types the name is shown around."""
    done = CliRunner().invoke(cli, [])
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_version_is_that_of_the_package() -> None:
    """`--version` names the package and its version."""
    assert CliRunner().invoke(cli, ["--version"]).output == f"batchkit {version('batchkit-ops')}\n"


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_start_up_is_quick(option: str) -> None:
    """Help and version are there in 0.3 s, the best of five; what other processes take isn't counted."""
    assert min(_seconds(option) for _ in range(5)) < 0.3


def _seconds(option: str) -> float:
    def spent() -> float:
        used = os.times()
        return used.children_user + used.children_system if os.name == "posix" else used.elapsed

    before = spent()
    subprocess.run([*COMMAND, option], check=True, capture_output=True, env=environment())
    return spent() - before


def test_the_command_imports_nothing_heavy() -> None:
    """What takes long to import is imported by the verb that needs it."""
    heavy = [
        "polars",
        "sqlalchemy",
        "pydantic",
        "openpyxl",
        "pandas",
        "jinja2",
        "httpx",
        "xlsxwriter",
        "tqdm",
    ]
    found = f"print([name for name in {heavy} if name in sys.modules])"
    help_page = "from batchkit.cli import cli; cli.main(['--help'], standalone_mode=False)"
    for begin in ("import batchkit", "import batchkit.cli", help_page):
        code = f"import sys; {begin}; {found}"
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "[]", begin


def test_a_mistyped_verb_names_the_near_one() -> None:
    """`aply` is a call that is wrong, and the right word is near."""
    done = batchkit("aply")
    assert done.returncode == 2
    assert "aply" in done.stderr
    assert "apply" in done.stderr.replace("aply", "")
    assert "Traceback" not in done.stderr
