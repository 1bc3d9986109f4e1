"""batchkit: a spreadsheet becomes thousands of changes in a live system.

    from batchkit import Job

    plan = Job("companies.csv", to="sqlite:///crm.sqlite", table="companies", key=["siret"]).plan()
    print(plan.summary())
    run = plan.start(workers=4)
    run.wait()
    run.report("report.xlsx")

Everything imports lazily: `import batchkit` costs milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .errors import BatchkitError
    from .fields import Field
    from .job import Job
    from .mapping import Mapping
    from .parameters import check_parameters
    from .plan import Plan
    from .problems import Problem
    from .progress import watch
    from .run import Run, list_runs
    from .settings import Settings
    from .snapshot import Snapshot
    from .states import Change, Outcome, RunState
    from .tables import Look, look, open_table
    from .targets.base import open_target, register

__version__: Final = "0.1.0"

_HOMES: Final = {
    "BatchkitError": "errors",
    "Change": "states",
    "Field": "fields",
    "Job": "job",
    "Look": "tables",
    "Mapping": "mapping",
    "Outcome": "states",
    "Plan": "plan",
    "Problem": "problems",
    "Run": "run",
    "RunState": "states",
    "Settings": "settings",
    "Snapshot": "snapshot",
    "check_parameters": "parameters",
    "list_runs": "run",
    "look": "tables",
    "open_table": "tables",
    "open_target": "targets.base",
    "register": "targets.base",
    "watch": "progress",
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
