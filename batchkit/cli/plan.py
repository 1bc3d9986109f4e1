"""`batchkit plan`: what would change, written to a plan file and shown in numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import PlanError, UsageError
from ..core.words import number
from . import options
from .console import Console, is_terminal, shell
from .family import DONE
from .job import make_job
from .outputs import holds_job, refuse_outputs
from .pages import plan_page
from .results import plan_object

if TYPE_CHECKING:
    from ..planning.plan import Plan

PLAN_OPTIONS = options.together(
    click.argument("source", metavar="SOURCE"),
    options.reading,
    options.mapping,
    click.option(
        "-o",
        "--output",
        "output",
        type=click.Path(dir_okay=False),
        metavar="PLAN",
        help="Where the plan file goes. Default: the plans folder of BATCHKIT_HOME.",
    ),
)
PAGE_OPTIONS = options.together(
    options.count("--examples", "How many changes are shown.", usual=5),
    click.option(
        "--all-problems",
        is_flag=True,
        help="Show every problem instead of the first ten (`plan --json`: 1,000).",
    ),
)


@click.command(cls=options.Described, short_help="Find out what would change; nothing is written.")
@PLAN_OPTIONS
@PAGE_OPTIONS
@options.as_json
def plan(examples: int, all_problems: bool, console: Console, **given: Any) -> int:
    """Find out what would change, and keep it as a plan file; nothing is written to the target.

    SOURCE is a CSV or Excel file, its https:// address, or a job file (JOB.toml) that says the rest; options
    given beside a job file win over it.
    """
    made = make_plan(console, **given)

    def lines() -> Any:
        yield from plan_page(made, examples=examples, problems=None if all_problems else 10)
        yield ""
        yield f"Plan  {made.path}"
        if made.to_send():
            yield f"Next  batchkit apply {shell(made.path)} --dry-run"

    console.answer(plan_object(made, all_problems=all_problems) if console.json else None, lines)
    return DONE


def make_plan(
    console: Console, *, output: str | None = None, save_job: str | None = None, **given: Any
) -> Plan:
    """The plan that a verb's options ask for.

    Raises:
        UsageError: An option is missing or doesn't fit, or a file would be written over another kind of file.
    """
    job = make_job(**given)
    refuse_outputs(job, given["source"], output, save_job)
    with _Ticker() as ticker:
        plan = job.plan(output, progress=ticker)
    if save_job:  # not before: a job that can't be planned is none to keep
        kept = holds_job(Path(save_job), job)  # its comments stay, too
        console.note(f"Job   {Path(save_job).expanduser().absolute() if kept else job.save(save_job)}")
    return plan


def load_plan(path: str) -> Plan:
    """The plan in a file; a source or a job in its place is met with the verb that makes a plan of it.

    Raises:
        UsageError: It is none.
    """
    from ..planning.plan import Plan

    try:
        return Plan.load(path)
    except PlanError:
        kind = _KINDS.get(Path(path).suffix.lower())
        if kind is None or not Path(path).is_file():
            raise
        more = "" if kind == "job" else " --to URL --table NAME --key COL"
        raise UsageError(
            f"{path} is a {kind}, not a plan.", advice=f"Plan it first: batchkit plan {shell(path)}{more}"
        ) from None


_KINDS = {".toml": "job"} | dict.fromkeys(
    (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"), "source"
)


class _Ticker:
    """Shows how far planning is, on a terminal only; the line is gone afterwards."""

    def __init__(self) -> None:
        self._shown = False

    def __enter__(self) -> _Ticker | None:
        return self if is_terminal(sys.stderr) else None

    def __exit__(self, *_: object) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        self._shown = True
        of = f" of {number(total)}" if total else ""
        words = {"read": "reading", "compare": "comparing"}.get(what, what)
        sys.stderr.write(f"\r\x1b[K{words}: {number(done)}{of} rows")
        sys.stderr.flush()
