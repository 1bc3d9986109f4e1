"""batchkit: a spreadsheet becomes thousands of changes in a live system.

    from batchkit import Job

    plan = Job("companies.csv", to="sqlite:///crm.sqlite", table="companies", key=["siret"]).plan()
    print(plan.summary())
    run = plan.start(workers=4)
    run.wait()
    run.report("report.xlsx")

The story is Job → Plan → Run → Report, and each stage has a folder. From below; imports only go down:

    core        values and arithmetic: errors, states, settings, pacing, retry, estimates, secrets, columns
    checking    fields, mapping, conversions, checks
    targets     the systems that are written to, a folder per family
    sources     where rows come from
    planning    Job and Plan: what would change
    journal     the durable state of a run
    reports     what people get from it
    running     Run: the engine, and how calls and chunks are delivered
    upkeep      what happens when nobody looks
    cli, panel, sandbox, demo, testing: what people see and touch; nothing below knows them

Everything imports lazily: `import batchkit` costs milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .checking.fields import Field
    from .checking.mapping import Mapping
    from .core.errors import BatchkitError
    from .core.problem import Problem
    from .core.settings import Settings
    from .core.states import Change, Outcome, RunState
    from .journal.snapshot import Snapshot
    from .panel.parameters import check_parameters
    from .planning.job import Job
    from .planning.opening import open_target
    from .planning.plan import Plan
    from .reports.progress import watch
    from .running.run import Run, list_runs
    from .sources.base import register_source
    from .sources.look import Look, look
    from .sources.tables import open_table
    from .targets.base import register

__version__: Final = "0.1.0"

_HOMES: Final = {
    "BatchkitError": "core.errors",
    "Change": "core.states",
    "Field": "checking.fields",
    "Job": "planning.job",
    "Look": "sources.look",
    "Mapping": "checking.mapping",
    "Outcome": "core.states",
    "Plan": "planning.plan",
    "Problem": "core.problem",
    "Run": "running.run",
    "RunState": "core.states",
    "Settings": "core.settings",
    "Snapshot": "journal.snapshot",
    "check_parameters": "panel.parameters",
    "list_runs": "running.run",
    "look": "sources.look",
    "open_table": "sources.tables",
    "open_target": "planning.opening",
    "register": "targets.base",
    "register_source": "sources.base",
    "watch": "reports.progress",
}

__all__ = [
    "BatchkitError",
    "Change",
    "Field",
    "Job",
    "Look",
    "Mapping",
    "Outcome",
    "Plan",
    "Problem",
    "Run",
    "RunState",
    "Settings",
    "Snapshot",
    "__version__",
    "check_parameters",
    "list_runs",
    "look",
    "open_table",
    "open_target",
    "register",
    "register_source",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
