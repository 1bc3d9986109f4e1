"""The folders of runs: made whole or not at all, found, listed.

runs/20261121-154548235-companies-d127/        a run
runs/.20261121-154548235-companies-d127.part   one that is being made, or whose maker died
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
import sys
import time
import unicodedata
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from filelock import FileLock, Timeout

from ..core.advice import list_runs
from ..core.errors import DiskFull, RunNotFound
from ..core.estimate import disk_estimate, disk_need
from ..core.home import runs_folder
from ..core.settings import Settings
from ..core.states import RunState
from ..core.words import format_bytes
from .journal import create as create_journal
from .snapshot import Snapshot, count_outcomes

if TYPE_CHECKING:
    from ..planning.plan import Plan

JOURNAL: Final = "journal.sqlite"
REMOVED: Final = "removed.sqlite"
"""What a journal is called from the moment on at which its run is being removed."""

_PATIENCE: Final = 1.0  # seconds in which a run is made, unless its plan is huge or its target far
_PART: Final = ".part"
_NAME: Final = re.compile(r"\d{8}-\d{9}-[a-z0-9-]+")
_MADE: Final = frozenset(
    {"plan.parquet", JOURNAL, f"{JOURNAL}-wal", f"{JOURNAL}-shm", "job.toml", "run.lock"}
)
"""All that a folder can hold before its run begins."""


def starting() -> FileLock:
    """The lock under which runs are made: two that start at once must see each other."""
    return FileLock(runs_folder() / ".starting.lock")


def make_folder(
    plan: Plan,
    settings: Settings,
    *,
    dry_run: bool,
    report: bool,
    again: bool = False,
    detach: bool = False,
) -> Path:
    """Make the folder of a new run: its plan, its journal, its job. Hold `starting()` meanwhile.

    It is made under another name and renamed when it is whole, so that a process that dies on the way
    leaves no run.

    Args:
        plan: What it applies.
        settings: How.
        dry_run: Nothing will stay written.
        report: A report is left in it at the end.
        again: What other runs of the same rows have done is no reason not to do it.
        detach: A process that is yet to start will take it in hand.

    Raises:
        DiskFull: No room for it; nothing is left behind.
    """
    folder = runs_folder() / _new_name(plan, dry_run=dry_run)
    half = folder.with_name(f".{folder.name}{_PART}")
    _check_room(plan)
    half.mkdir(mode=0o700)
    try:
        plan.save(half / "plan.parquet")
        job = plan.facts.get("job")
        if job:
            (half / "job.toml").write_text(job, encoding="utf-8")
        facts = _facts(plan, settings, run=folder.name, dry_run=dry_run, again=again)
        create_journal(half / JOURNAL, {"report": report, "detach": detach, **facts})
        half.rename(folder)
    except BaseException:
        shutil.rmtree(half, ignore_errors=True)  # a run that never began leaves nothing behind
        raise
    _settle(folder.parent)
    return folder


def _new_name(plan: Plan, *, dry_run: bool) -> str:
    stem = Path(str(plan.facts["source"].get("name") or "rows")).stem
    plain = unicodedata.normalize("NFKD", stem.lower()).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:24].strip("-") or "rows"
    # To the millisecond, so that the names of runs started together sort by their start.
    moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S%f")[:-3]
    return f"{moment}-{slug}-{'dry-' if dry_run else ''}{token_hex(2)}"


def _check_room(plan: Plan) -> None:
    """The run's own copy of the plan, and what it will write besides; the reserve is its driver's to keep."""
    need = plan.path.stat().st_size + disk_need(plan.to_send(), atomic=True)
    disk = disk_estimate(runs_folder(), need, 0)
    if not disk.enough:
        raise DiskFull(
            f"A run of this plan needs {format_bytes(need)} at {runs_folder()};"
            f" only {format_bytes(disk.free)} are there.",
            advice="Free some disk, or set BATCHKIT_HOME to a folder on a larger one.",
            path=runs_folder(),
        )


def _facts(plan: Plan, settings: Settings, *, run: str, dry_run: bool, again: bool) -> dict[str, Any]:
    first = Snapshot(
        run=run,
        state=RunState.PLANNED,
        dry_run=dry_run,
        total=len(plan),
        to_send=plan.to_send(),
        outcomes={str(outcome): n for outcome, n in count_outcomes(plan).items()},
        settings=settings.model_dump(),
    )
    now = time.time()
    return {
        "run": run,
        "dry_run": dry_run,
        "settings": settings.model_dump(),
        "created": now,
        "agreed": now if again else 0.0,
        "snapshot": first.to_dict(),
        "message": "",
        **{name: plan.facts.get(name) for name in ("undoes", "work", "rows", "address", "place")},
    }


def _settle(folder: Path) -> None:
    """Have the new name in a folder on disk before anything is sent that only it tells of."""
    if sys.platform == "win32":
        return  # a folder can't be opened there, and needn't
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def find_run(name: str | Path) -> Path:
    """The folder of a run.

    Args:
        name: Its id, an unambiguous beginning or part of it, `last`, or the path of its folder.

    Raises:
        RunNotFound: None, or more than one, fits.
    """
    path = Path(name)
    if is_run(path):
        return path.absolute()
    names = run_names()
    if str(name) in names:
        names = [str(name)]
    elif str(name) != "last":
        begun = [each for each in names if each.startswith(str(name))]
        names = begun or [each for each in names if str(name) in each]
    folders = (runs_folder() / each for each in names)
    fitting = list(islice(filter(is_run, folders), 1 if str(name) == "last" else 5))
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        named = ", ".join(folder.name for folder in fitting)
        raise RunNotFound(f"More than one run fits {str(name)!r}: {named}.", advice="Write more of its id.")
    raise RunNotFound(f"There is no run {str(name)!r}.", advice=f"See which there are: {list_runs()}")


def run_folders() -> Iterator[Path]:
    """The run folders, newest first."""
    for name in run_names():
        if (runs_folder() / name / JOURNAL).is_file():
            yield runs_folder() / name


def run_names() -> list[str]:
    """Names of the folders that may hold a run, newest first; nothing in them is looked at."""
    with os.scandir(runs_folder()) as entries:
        return sorted((entry.name for entry in entries if not entry.name.startswith(".")), reverse=True)


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run: a journal that was made to its end, be it damaged since."""
    # A journal is made to its end in its own file, so that file is enough; read as one that nobody changes,
    # it is neither locked nor tidied up by our look.
    if _has_facts(folder / JOURNAL, "immutable=1"):
        return True
    log = folder / f"{JOURNAL}-wal"
    return log.is_file() and log.stat().st_size > 0 and _has_facts(folder / JOURNAL, "mode=rw")


def _has_facts(journal: Path, how: str) -> bool:
    try:
        link = sqlite3.connect(f"{journal.absolute().as_uri()}?{how}", uri=True)
        with contextlib.closing(link):
            return link.execute("SELECT 1 FROM meta WHERE name = 'version'").fetchone() is not None
    except sqlite3.OperationalError as error:
        return "no such table" not in str(error) and journal.is_file()
    except sqlite3.Error:
        return True


def leftovers() -> list[Path]:
    """Folders of processes that died while they made or removed a run; nothing is lost with them.

    None while some process makes a run, and nobody can tell its half from others.
    """
    suspects = [folder for folder in sorted(runs_folder().iterdir()) if not _was_begun(folder)]
    if not suspects:
        return []
    try:
        with starting().acquire(timeout=_PATIENCE):
            return [folder for folder in suspects if _is_left_over(folder)]
    except (Timeout, OSError):
        return []


def _was_begun(folder: Path) -> bool:
    return (folder / "log.jsonl").is_file() and (folder / JOURNAL).is_file()


def _is_left_over(folder: Path) -> bool:
    name = folder.name
    if name.startswith(".") and name.endswith(_PART):
        return _NAME.fullmatch(name[1 : -len(_PART)]) is not None
    if _NAME.fullmatch(name) is None or is_run(folder):
        return False
    held = {path.name for path in folder.iterdir()}
    # Earlier versions made a folder under its own name.
    return REMOVED in held or all(each in _MADE or each.endswith(_PART) for each in held)
