"""`batchkit runs`, `show` and `report`: what there is to see; and which run a person names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..core.errors import UsageError
from ..core.words import format_moment, number
from . import options
from .console import Console, bold, dim
from .family import DONE
from .outputs import refuse_twice
from .pages import painted, place, plan_page
from .plan import load_plan
from .results import plan_object, result_page, run_object
from .wrapping import columns, ending, room

if TYPE_CHECKING:
    from ..journal.snapshot import Snapshot
    from ..running.run import Run


@click.command(short_help="List the runs, newest first.")
@options.count("--limit", "Only the newest N.", 1)
@options.as_json
def runs(limit: int | None, console: Console) -> int:
    """List the runs, newest first."""
    from ..running.run import list_runs

    snapshots = [(run, run.snapshot()) for run in list_runs(limit)]
    console.answer([run_object(run, snapshot) for run, snapshot in snapshots], lambda: _table(snapshots))
    return DONE


def _table(snapshots: list[tuple[Run, Snapshot]]) -> Iterator[str]:
    if not snapshots:
        yield "There is no run yet. `batchkit demo` makes one to try things on."
        return
    rows = [[bold(word) for word in ("run", "state", "done", "failed", "left", "target")]]
    for run, snapshot in snapshots:
        outcomes = snapshot.outcomes
        failed = sum(outcomes.get(kind, 0) for kind in ("rejected", "conflict", "unknown"))
        state = painted(str(snapshot.state)) + (dim(" (dry)") if snapshot.dry_run else "")
        figures = [number(n) for n in (outcomes.get("done", 0), failed, outcomes.get("pending", 0))]
        rows.append([run.id, state, *figures, _target(run)])
    right = frozenset({2, 3, 4})
    taken = len(click.unstyle(columns([[*row[:-1], "|"] for row in rows], indent=0, right=right)[0])) - 1
    left = (room() or 1_000) - taken
    if left < -2:  # not even without the targets
        yield from _lines(rows)
        return
    # Where too little of the targets would be seen, `show` says which they are.
    rows = [[*row[:-1], ending(row[-1], taken)] if left >= 20 else row[:-1] for row in rows]
    yield from columns(rows, indent=0, right=right)


def _lines(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The same where the terminal is too narrow for a table: the id, to be copied, and its figures below."""
    for run, state, done, failed, left, _ in rows[1:]:
        yield run
        yield f"  {state}  {done} done, {failed} failed, {left} left"


def _target(run: Run) -> str:
    from ..core.errors import BatchkitError

    try:
        return place(run.plan.summary())
    except BatchkitError:
        return ""


@click.command(short_help="Show a run or a plan.")
@click.argument("name", metavar="RUN|PLAN")
@click.option(
    "--changes", "kind", metavar="KIND", help="Of a plan: show changes of this kind (create, update, ...)."
)
@click.option(
    "--outcome", "outcome", metavar="KIND", help="Of a run: list the rows that are pending, unknown, ..."
)
@options.count("--limit", "How many examples of a plan (default: 5), or rows of a run (default: 100).")
@click.option(
    "--all-problems",
    is_flag=True,
    help="Of a plan: every problem instead of the first ten (1,000 with --json).",
)
@options.as_json
def show(
    name: str,
    kind: str | None,
    outcome: str | None,
    limit: int | None,
    all_problems: bool,
    console: Console,
) -> int:
    """Show a run (its state, outcomes and what can be done next), or a plan file.

    RUN is the id of a run, the beginning of one, a run folder, or "last".
    """
    if Path(name).is_file():
        return _show_plan(console, name, kind, 5 if limit is None else limit, all_problems=all_problems)
    from ..running.run import Run

    run = Run.open(name)
    if outcome is not None:
        rows = _rows_with(run, outcome, 100 if limit is None else limit)
        console.answer(rows, lambda: _listed(run, outcome, rows))
        return DONE
    snapshot = run.snapshot()
    more = {"made": _made(run), "plan": str(run.folder / "plan.parquet")}
    console.answer(run_object(run, snapshot), lambda: result_page(run, snapshot, more))
    return DONE


def _rows_with(run: Run, outcome: str, most: int) -> list[dict[str, Any]]:
    import polars as pl

    from ..core.states import Outcome

    if outcome not in set(Outcome):
        raise UsageError(f"There is no outcome {outcome!r}.", advice=f"Known: {', '.join(Outcome)}.")
    rows: list[dict[str, Any]] = []
    for frame in run.outcome_frames():
        if len(rows) >= most:
            break
        mine = frame.filter(pl.col("outcome") == outcome).head(most - len(rows))
        rows += mine.select("row", "key", "change", "outcome", "reason", "advice").to_dicts()
    return rows


def _listed(run: Run, outcome: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    total = run.snapshot().outcomes.get(outcome, 0)
    if not total:
        yield f"No row of {run.id} is {outcome}."
        return
    cells = [[number(row["row"]) if row["row"] is not None else "", row["key"], row["reason"] or ""]
             for row in rows]  # fmt: skip
    yield from columns([["row", "key", "reason"], *cells], right=frozenset({0}))
    if total > len(rows):
        yield dim(f"  and {number(total - len(rows))} more: add --limit {total}, or write a report")


def _show_plan(console: Console, name: str, kind: str | None, limit: int, *, all_problems: bool) -> int:
    from .pages import change_lines

    plan = load_plan(name)
    if kind is None:
        problems = None if all_problems else 10
        console.answer(
            plan_object(plan, all_problems=all_problems) if console.json else None,
            lambda: plan_page(plan, examples=limit, problems=problems),
        )
        return DONE
    views = plan.page(kind, 0, limit)
    console.answer(
        [_view_object(view) for view in views],
        lambda: (line for view in views for line in change_lines(view, 50)),
    )
    return DONE


def _view_object(view: Any) -> dict[str, Any]:
    fields = {
        field.name: {"before": field.before, "after": field.after} for field in view.fields if field.changed
    }
    return {
        "row": view.row,
        "key": view.key,
        "change": str(view.change),
        "fields": fields,
        **({"rendered": view.rendered} if view.rendered is not None else {}),
        "problems": [problem.to_dict() for problem in view.problems],
    }


def _made(run: Run) -> str:
    return format_moment(run.journal.meta("created"))


@click.command(short_help="Write a report, or the rows to fix.")
@options.run_name
@click.option(
    "--to",
    "to",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Where to: .xlsx, .csv, .html or .json. Default: report.html in the run folder.",
)
@click.option(
    "--fix",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Instead, write the rows that failed, as they stand in the source, with the error: .csv or .xlsx."
    " Correct them and plan that file.",
)
@click.option(
    "--workbook",
    type=click.Path(dir_okay=False),
    metavar="COPY.xlsx",
    help="Instead, write a copy of the source's workbook with a status beside each row.",
)
@click.option(
    "--results",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Instead, write the rows that are done with what the target answered beside them, such as texts it"
    " wrote: .csv or .xlsx. The next job can read that file.",
)
@options.as_json
def report(
    name: str, to: str | None, fix: str | None, workbook: str | None, results: str | None, console: Console
) -> int:
    """Write the report of a run, the rows to fix, or your own workbook with a status beside each row.

    RUN is the id of a run, the beginning of one, a run folder, or "last".
    """
    refuse_twice(to, fix, workbook, results)
    run = any_run(console, name)
    written: dict[str, str | None] = {}
    if fix:
        path = run.fix_file(fix)
        written["fix"] = str(path) if path else None
    if workbook:
        written["workbook"] = str(_statuses(run, Path(workbook)))
    if results:
        written["results"] = str(run.results_file(results))
    if to or not written:
        written["report"] = str(run.report(to) if to else run.report())
    console.answer({"run": run.id, **written}, lambda: _written(written))
    return DONE


def _written(written: dict[str, str | None]) -> Iterator[str]:
    for what, path in written.items():
        yield f"{what}  {path}" if path else "No row failed: there is nothing to fix."


def _statuses(run: Run, copy: Path) -> Path:
    from ..reports.report import write_statuses

    source = run.plan.facts["source"]
    path = source.get("path")
    if not path:
        raise UsageError(
            f"The run {run.id} has no workbook as its source.", advice="Use --to FILE.xlsx instead."
        )
    return write_statuses(
        run.report_data(), path, copy, sheet=source.get("sheet"), header_row=source.get("header_row") or 1
    )


def real_run(console: Console, name: str) -> Run:
    """The run to steer or to take back; `last` is the newest that isn't a dry run, as long as there is one.

    Raises:
        RunNotFound: None, or more than one, fits.
    """
    from ..running.run import Run, list_runs

    run = Run.open(name)
    if name != "last" or not run.dry_run:
        return run
    real = next((each for each in list_runs() if not each.dry_run), None)
    if real is None:
        return run
    console.note(f'"last" is run {real.id}; the dry run {run.id} after it is passed over.')
    return real


def any_run(console: Console, name: str) -> Run:
    """The run to look at; `last` is the newest of all, and it is said which that is.

    Raises:
        RunNotFound: None, or more than one, fits.
    """
    from ..running.run import Run

    run = Run.open(name)
    if name == "last":
        console.note(f'"last" is {"the dry run" if run.dry_run else "run"} {run.id}.')
    return run
