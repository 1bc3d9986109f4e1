"""`batchkit clean` and `doctor`: to tidy up, to find out what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..core import words
from ..core.words import plural
from . import options
from .console import Console, bold, dim, style
from .family import DONE, USAGE, before_a_run
from .wrapping import columns

if TYPE_CHECKING:
    from ..targets.exchange import Finding
    from ..upkeep.retention import Removal


_days = options.together(
    options.count("--runs-days", "Days a run stays after it finished.", usual=7),
    options.count("--files-days", "Days plans and files stay.", usual=30),
    options.count("--logs-days", "Days logs stay.", usual=90),
    options.count("--ledger-days", "Days it is remembered what removed runs sent or appended.", usual=90),
)


@click.command(short_help="Remove old runs, plans and logs.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@_days
@click.option("--forget", is_flag=True, help="Forget at once what runs sent or appended.")
@options.as_json
def clean(dry_run: bool, forget: bool, console: Console, **days: int) -> int:
    """Remove what is old: finished runs, plans, logs. A run that isn't finished is never removed.

    The log of a run outlives it, and so does a ledger of what it sent or appended, in hashes that can't be
    turned back, so that nobody is messaged twice. --forget erases that; runs that are still kept are known
    all the same. The same is done quietly whenever a run starts, with the default days.
    """
    from ..upkeep.retention import Retention, forget_ledger
    from ..upkeep.retention import clean as remove

    kept = Retention(**{name.removesuffix("_days"): n for name, n in days.items()})
    removed = remove(kept, dry_run=dry_run)
    forgotten = forget and not dry_run
    if forgotten:  # last of all, for what is removed goes into the ledger
        forget_ledger()
    total = sum(each.size for each in removed)
    value = {
        "dry_run": dry_run,
        "removed": [{"kind": each.kind, "path": str(each.path), "bytes": each.size} for each in removed],
        "bytes": total,
        "forgotten": forgotten,
    }
    console.answer(value, lambda: _cleaned(removed, total, dry_run=dry_run, forgotten=forgotten))
    return DONE


def _cleaned(removed: list[Removal], total: int, *, dry_run: bool, forgotten: bool) -> Iterator[str]:
    if forgotten:
        yield "What removed runs sent or appended is forgotten."
    verb = "Would remove" if dry_run else "Removed"
    if not removed:
        yield "Nothing is old enough to be removed."
        return
    yield from columns([[each.kind, str(each.path), dim(words.format_bytes(each.size))] for each in removed])
    yield f"{verb} {plural(len(removed), 'item')}, {words.format_bytes(total)}."


@click.command(short_help="Look whether all that is needed is there.")
@click.option(
    "--to",
    "to",
    metavar="URL|JOB.toml",
    help="Also look at this target, or at that of a job file: whether it answers and can be written to.",
)
@click.option("--table", metavar="NAME", help="With --to: also look whether the target has this table.")
@options.as_json
def doctor(to: str | None, table: str | None, console: Console) -> int:
    """Look whether everything batchkit needs is there; say what to do where it isn't."""
    from .doctor import examine

    checks = _examine_job(Path(to), table) if to and to.lower().endswith(".toml") else examine(to, table)
    failed = any(check.level == "error" for check in checks)
    value = {"ok": not failed, "checks": [check._asdict() for check in checks]}
    console.answer(value, lambda: _examined(checks, failed=failed))
    return USAGE if failed else DONE


def _examine_job(path: Path, table: str | None) -> list[Finding]:
    from ..planning.job import Job
    from .doctor import examine

    job = Job.load(path)
    return examine(job.to, table or job.table, job.target_options)


_SIGNS = {"ok": ("ok", "green"), "warning": ("look", "yellow"), "error": ("wrong", "red")}


def _examined(checks: list[Finding], *, failed: bool) -> Iterator[str]:
    rows = []
    for check in checks:
        word, colour = _SIGNS[check.level]
        rows.append([style(word, fg=colour), check.name, check.found])
    for line, check in zip(columns(rows), checks, strict=True):
        yield line
        if check.advice and check.level != "ok":
            yield dim(f"         {before_a_run(check.advice)}")
    yield ""
    noted = sum(check.level == "warning" for check in checks)
    well = f"Nothing is wrong; {plural(noted, 'thing')} to look at." if noted else "All is well."
    yield bold("Something is wrong." if failed else well)
