"""The folders of runs: made, found, listed."""

from __future__ import annotations

import re
import shutil
import time
import unicodedata
from datetime import datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from ..core.errors import RunNotFound
from ..core.home import runs_folder
from ..core.settings import Settings
from ..core.states import PLANNED_OUTCOME, Change, Outcome, RunState
from .journal import create as create_journal
from .snapshot import Snapshot

if TYPE_CHECKING:
    from ..planning.plan import Plan


def make_folder(plan: Plan, settings: Settings, *, dry_run: bool, report: bool) -> Path:
    """Make the folder of a new run: its plan, its journal, its job.

    Raises:
        DiskFull: No room for it; nothing is left behind.
    """
    stem = Path(str(plan.facts["source"].get("name") or "rows")).stem
    plain = unicodedata.normalize("NFKD", stem.lower()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:24].strip("-") or "rows"
    # To the millisecond, so that the names of runs started together sort by their start.
    moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S%f")[:-3]
    name = f"{moment}-{slug}-{'dry-' if dry_run else ''}{token_hex(2)}"
    folder = runs_folder() / name
    folder.mkdir(mode=0o700)
    try:
        plan.save(folder / "plan.parquet")
        outcomes = {str(o): 0 for o in Outcome}
        for kind, n in plan.counts.items():
            outcomes[PLANNED_OUTCOME.get(Change(kind), Outcome.PENDING)] += n
        first = Snapshot(
            run=name,
            state=RunState.PLANNED,
            dry_run=dry_run,
            total=len(plan),
            to_send=plan.to_send(),
            outcomes=outcomes,
            settings=settings.model_dump(),
        )
        create_journal(
            folder / "journal.sqlite",
            {
                "run": name,
                "dry_run": dry_run,
                "report": report,
                "undoes": plan.facts.get("undoes"),
                "work": plan.facts.get("work"),
                "address": plan.facts.get("address"),
                "settings": settings.model_dump(),
                "created": time.time(),
                "snapshot": first.to_dict(),
                "message": "",
            },
        )
        job = plan.facts.get("job")
        if job:
            (folder / "job.toml").write_text(job, encoding="utf-8")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # a run that never began leaves nothing behind
        raise
    return folder


def find_run(name: str | Path) -> Path:
    """The folder of a run.

    Args:
        name: Its id, an unambiguous beginning or part of it, `last`, or the path of its folder.

    Raises:
        RunNotFound: None, or more than one, fits.
    """
    path = Path(name)
    if (path / "journal.sqlite").is_file():
        return path.absolute()
    folders = run_folders()
    if str(name) == "last" and folders:
        return folders[0]
    exact = [folder for folder in folders if folder.name == str(name)]
    fitting = exact or [folder for folder in folders if folder.name.startswith(str(name))]
    fitting = fitting or [folder for folder in folders if str(name) in folder.name]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(folder.name for folder in fitting[:5])
        raise RunNotFound(f"More than one run fits {str(name)!r}: {names}.", advice="Write more of its id.")
    raise RunNotFound(f"There is no run {str(name)!r}.", advice="`batchkit runs` lists them.")


def run_folders() -> list[Path]:
    """The run folders, newest first."""
    folders = [path.parent for path in runs_folder().glob("*/journal.sqlite")]
    return sorted(folders, key=lambda folder: folder.name, reverse=True)
