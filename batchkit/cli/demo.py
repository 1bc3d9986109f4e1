"""The demo: the whole way from a file to a database on a made-up sample, in a few seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core import words
from ..core.home import home
from ..core.states import RunState
from . import console as shown
from . import options
from .console import Console
from .drive import drive
from .family import DONE, FAILED, STOPPED
from .pages import fact_lines, outcomes_page, plan_page
from .results import next_steps, plan_object, run_object
from .wrapping import wrapped

if TYPE_CHECKING:
    from ..demo.sample import Sample
    from ..journal.snapshot import Snapshot
    from ..running.run import Run

PACE: dict[str, Any] = {"chunk_size": 100, "workers": 1, "delay": 0.04}
"""Slow enough to be watched: the whole takes a tenth of a second otherwise."""


@click.command(short_help="See the whole way on a made-up file.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Where the sample goes. Default: demo in BATCHKIT_HOME.",
)
@options.count("--rows", "Rows of the sample.", 100, 1_000_000, usual=10_000)
@options.as_json
def demo(folder: str | None, rows: int, console: Console) -> int:
    """Show the whole way on a made-up file: plan, dry run, apply, report. A few rows are bad on purpose."""
    return run_demo(console, folder=folder, rows=rows)


def run_demo(console: Console, *, folder: str | Path | None = None, rows: int = 10_000) -> int:
    """Make a sample, plan it, try it, apply it, and name what came of it.

    Args:
        console: Where it speaks.
        folder: Where the sample goes; `demo` in the home folder when None. An older sample there is replaced.
        rows: Rows of the sample.

    Returns:
        0 when the run went through (some rows are bad on purpose), 3 when it failed, 4 when it was stopped.
    """
    from ..demo.sample import make_sample, sample_job

    folder = Path(folder).expanduser().absolute() if folder else home() / "demo"
    sample = make_sample(folder, rows=rows)
    job = sample_job(sample)
    job_file = job.save(folder / "companies.toml")
    console.page(_introduction(sample, job_file))

    plan = job.plan(folder / "companies.plan.parquet")
    _step(console, 2, "What would change", f"batchkit plan {shown.shell(job_file)}")
    console.page(plan_page(plan, examples=4, problems=5))

    _step(
        console,
        3,
        "Dry run: everything is tried, nothing is written",
        f"batchkit apply {shown.shell(plan.path)} --dry-run",
    )
    trial, tried = drive(lambda: plan.start(dry_run=True), yes=True)
    console.page(outcomes_page(tried, plan.counts))
    if tried.state is not RunState.FINISHED:
        return _ended_early(console, trial, tried)

    _step(
        console,
        4,
        f"Apply, {PACE['chunk_size']} rows at a time so that you can watch",
        f"batchkit apply {shown.shell(plan.path)}",
    )
    run, done = drive(lambda: plan.start(**PACE), yes=True)
    console.page(outcomes_page(done, plan.counts))
    if done.state is not RunState.FINISHED:
        return _ended_early(console, run, done)
    value = {**plan_object(plan), "dry_run": run_object(trial, tried), "apply": run_object(run, done)}
    console.answer(value if console.json else None, lambda: _farewell(run, done, job_file))
    return DONE


def _introduction(sample: Sample, job_file: Path) -> Iterator[str]:
    yield _title(1, "A file, a database, and a job that says how one becomes the other")
    yield from fact_lines(
        [
            ("file", f"{sample.path_csv}\n{sample.rows:,} companies, some of them wrong on purpose"),
            ("database", f"{sample.path_database}\nholds most of them already"),
            ("job", f"{job_file}\ncolumns, fields, checks"),
        ]
    )


def _step(console: Console, number: int, title: str, command: str) -> None:
    console.page(["", _title(number, title), shown.dim(f"  {shown.mark('❯', '>')} {command}"), ""])


def _title(number: int, title: str) -> str:
    return shown.style(f"{number}. {title}", fg="cyan", bold=True)


def _ended_early(console: Console, run: Run, snapshot: Snapshot) -> int:
    console.answer(run_object(run, snapshot))
    console.note(f"The demo ended early: the run is {snapshot.state}. {snapshot.message}".strip())
    return FAILED if snapshot.state is RunState.FAILED else STOPPED


def _farewell(run: Run, snapshot: Snapshot, job_file: Path) -> Iterator[str]:
    bad = sum(snapshot.outcomes.get(kind, 0) for kind in ("rejected", "conflict"))
    yield ""
    yield _title(5, "What came of it")
    refused = words.plural(bad, "row was", "rows were")
    yield from wrapped(
        f"{refused} refused, as they should be: they are bad on purpose. All the others are in.", 2
    )
    yield ""
    steps = next_steps(run, snapshot)
    yield from fact_lines((shown.bold(name), steps[name]) for name in ("report", "to fix") if name in steps)
    yield ""
    yield shown.bold("Try next")
    again = f"batchkit run {shown.shell(job_file)} --chunk-size 20 --delay 0.1"
    for what, command in (
        ("The same report as a workbook", f"batchkit report {run.id} --to report.xlsx"),
        ("Take all of it back", f"batchkit undo {run.id}"),
        ("Then do it again, slowly; press Ctrl-C in the middle", again),
        ("And go on where it stopped", "batchkit resume last"),
    ):
        yield shown.dim(f"  {what}")
        yield f"    {command}"
