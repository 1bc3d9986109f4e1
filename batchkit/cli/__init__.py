"""The `batchkit` command: one file per family of verbs.

    look            what was understood of a file
    plan            what would change
    apply           apply, run, undo: what writes
    control         watch, pause, resume, stop, set: what is said to a run
    runs            runs, show, report: what there is to see; the run that "last" means
    demo            demo
    lab             notebooks and samples in a folder, and JupyterLab on it
    upkeep          clean, doctor
    practice        sandbox
    family          the command itself: groups of verbs, errors, exit codes
    drive           a run in this terminal: live bar, Ctrl-C
    pages, results  what plans and runs look like, as JSON too; what can be done now about a run
    problems        problems of one kind, brought together
    console         colours, JSON, questions
    options, job, outputs   what verbs share

Heavy packages are imported inside the verbs, so that `batchkit --help` is there at once.
"""

from __future__ import annotations

import click

from . import apply, control, demo, lab, look, plan, practice, runs, upkeep
from .family import Verbs

EXIT_CODES = """\b
Exit codes:
  0  all done
  1  some rows failed: rejected, in conflict or unknown; the report lists them
  2  the call is wrong, the target refuses, or the run is busy elsewhere; nothing was started
  3  the run failed; it can be resumed
  4  the run was paused or stopped and can be resumed; or you answered no, and nothing was started

\b
BATCHKIT_HOME   where plans and runs are kept; default: ~/.batchkit
NO_COLOR        no colours
BATCHKIT_DEBUG  1 shows where an error came from"""


HELP = """A spreadsheet becomes thousands of changes in a live system: planned, watched, resumable, undoable.

\b
Try it:  batchkit demo
Then:    batchkit look FILE.csv
         batchkit plan FILE.csv --to sqlite:///companies.sqlite --table companies --key siret
         batchkit apply PLAN
"""


def _print_version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:  # noqa: ARG001 - click's signature
    if wanted and not ctx.resilient_parsing:
        from ..core.install import installed_version

        click.echo(f"batchkit {installed_version() or '(not installed)'}")
        ctx.exit()


@click.group(
    cls=Verbs,
    help=HELP,
    epilog=EXIT_CODES,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version.",
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """The command without a verb: its help."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


cli.add_family("From a file to the target", look.look, plan.plan, apply.apply, apply.run)
cli.add_family("Runs", runs.runs, runs.show, control.watch, control.pause, control.resume, control.stop)
cli.add_family("Runs", control.set_, runs.report, apply.undo)
cli.add_family("Around it", demo.demo, lab.lab, practice.sandbox, upkeep.doctor, upkeep.clean)


def main() -> None:
    """Run the command and leave with its exit code."""
    cli.main(prog_name="batchkit")


__all__ = ["cli", "main"]
