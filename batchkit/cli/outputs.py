"""Files that a verb is told to write: a plan replaces a plan, a job a job, and nothing else anything."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import PlanError, UsageError
from ..core.files import refuse_to_replace

if TYPE_CHECKING:
    from ..planning.job import Job


def refuse_outputs(job: Job, source: str, output: str | None, save_job: str | None) -> None:
    """Make sure, before anything is written, that `-o` and `--save-job` overwrite nothing that matters.

    Args:
        job: What is planned.
        source: SOURCE as it was given; a job file itself may be saved over.
        output: Where the plan goes.
        save_job: Where the job goes.

    Raises:
        UsageError: One of them is the source, the target, the other one, a file of another kind, or a job
            file that says something else.
        JobError: The job can't be saved.
    """
    kept = job.own_files()
    if output:
        path = Path(output)
        refuse_to_replace(path, kept | ({Path(source): "the job file"} if _is_job_file(source) else {}))
        if _holds_something(path) and not _is_plan(path):
            raise _refused(path, "plan")
    if save_job:
        path = Path(save_job)
        refuse_to_replace(path, kept | ({Path(output): "the plan of this call"} if output else {}))
        if _holds_something(path) and not _is_job_file(save_job):
            raise _refused(path, "job")
        if not holds_job(path, job) and _holds_something(path):
            raise UsageError(
                f"{path} holds another job; it would be overwritten.",
                advice="Name another file by --save-job, or remove that one first.",
                path=path,
            )


def holds_job(path: Path, job: Job) -> bool:
    """Whether the file says just what the job says, however it is laid out.

    Raises:
        JobError: The job can't be saved.
    """
    wanted = tomllib.loads(job.to_toml(path.expanduser().absolute().parent))
    try:
        return tomllib.loads(path.expanduser().read_text(encoding="utf-8-sig")) == wanted
    except (OSError, ValueError):
        return False


def refuse_twice(*paths: str | None) -> None:
    """Make sure that no two of the files that a verb writes are one.

    Raises:
        UsageError: Two are.
    """
    seen: dict[Path, str] = {}
    for path in filter(None, paths):
        refuse_to_replace(Path(path), seen)
        seen[Path(path)] = "named twice"


def _holds_something(path: Path) -> bool:
    # An empty file is one that was made for us, by `mktemp` say. A folder gets its own message later.
    return path.is_file() and path.stat().st_size > 0


def _is_plan(path: Path) -> bool:
    from ..planning.plan_file import read_facts

    try:
        read_facts(path, verify=False)
    except PlanError:
        return False
    return True


def _is_job_file(path: str) -> bool:
    try:
        return {"source", "to"} <= tomllib.loads(Path(path).read_text(encoding="utf-8-sig")).keys()
    except (OSError, ValueError):
        return False


def _refused(path: Path, kind: str) -> UsageError:
    return UsageError(
        f"{path} exists and is no {kind} file; it would be overwritten.",
        advice="Name another file, or remove that one first.",
        path=path,
    )
