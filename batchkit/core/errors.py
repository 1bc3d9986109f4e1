"""All the errors batchkit raises, in one tree.

    BatchkitError
    ├── UsageError              the call, option or job file is wrong; nothing was started      (exit 2)
    │   ├── SourceError         the file, sheet or query can't be read as a table
    │   ├── MappingError        a column or field isn't there, or is named twice
    │   ├── SettingsError       a setting is out of range or unknown
    │   ├── JobError            the job file can't be used
    │   ├── PlanError           the plan is damaged, foreign, or stale
    │   └── SecretError         a secret's name has no value
    ├── TargetError             the target refuses as a whole: address, login, table; no run    (exit 2)
    │   └── TargetUnreachable   nobody answers there
    ├── RunError                the run can't do that
    │   ├── RunNotFound         no such run                                                     (exit 2)
    │   ├── RunBusy             another process owns the run
    │   ├── WorkRepeated        another run has done the same, or is at it                      (exit 2)
    │   ├── TransitionError     that state can't follow this one
    │   └── RunFailed           the run gave up; it stays resumable                             (exit 3)
    └── DiskFull                no room left for journal, plan or report                        (exit 3)

Every error carries `advice` (what to do next) and its facts as attributes. `str(error)` is the whole
sentence an operator reads.
"""

from __future__ import annotations

from typing import Any, ClassVar

from .advice import Wording, joined, worded


class BatchkitError(Exception):
    """Anything batchkit itself raises.

    Args:
        message: What happened, to which file, row or run.
        advice: What to do next; empty when the message says it already.
        **facts: Kept as attributes (`error.path`, `error.row`, ...).
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, advice: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message: str = Wording(message)
        self.advice: str = Wording(advice)
        self.facts = facts
        for name, value in facts.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        return worded(self.stored())

    def stored(self) -> str:
        """The same for a journal, from which every face words the advice anew."""
        return joined(self.message, self.advice)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows instead of a traceback (IPython asks for it by this name)."""
        return [f"{type(self).__name__}: {self}"]


class UsageError(BatchkitError):
    """The call, option or file is wrong; nothing was started."""

    exit_code = 2


class SourceError(UsageError):
    """The file, sheet or query can't be read as a table."""


class MappingError(UsageError):
    """A column or field isn't there, or is named twice."""


class SettingsError(UsageError):
    """A setting is unknown or out of range."""


class JobError(UsageError):
    """The job file can't be used."""


class PlanError(UsageError):
    """The plan is damaged, foreign or stale."""


class SecretError(UsageError):
    """A secret is named that has no value."""


class TargetError(BatchkitError):
    """The target refuses as a whole: its address, login or table is wrong.

    A run that meets one fails, and says so by its state; raised, it means that no run was started.
    """

    exit_code = 2


class TargetUnreachable(TargetError):
    """Nobody answers at the target's address."""


class RunError(BatchkitError):
    """The run can't do that."""


class RunNotFound(RunError):
    """No run has that name."""

    exit_code = 2


class RunBusy(RunError):
    """Another process owns the run; `pid` and `host` say which."""


class WorkRepeated(RunError):
    """Another run has done the same work, or is at it; `run` is its id."""

    exit_code = 2


class TransitionError(RunError):
    """That state can't follow the present one."""


class RunFailed(RunError):
    """The run gave up (login, unreachable target, failure limit); it stays resumable."""


class DiskFull(BatchkitError):
    """No room is left for the journal, the plan or a report."""
