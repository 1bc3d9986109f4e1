"""The closed lists: kinds of change, outcomes of items, states of a run and the arrows between them."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from .errors import TransitionError


class Change(StrEnum):
    """What a plan says would happen to one item."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    DELETE = "delete"
    SEND = "send"
    MISSING = "missing"  # an update of something the target doesn't have
    INVALID = "invalid"  # the row fails a check
    DUPLICATE = "duplicate"  # its key stands more than once in the source


class Outcome(StrEnum):
    """What became of one item."""

    DONE = "done"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"
    PENDING = "pending"


class RunState(StrEnum):
    """Where a run stands."""

    PLANNED = "planned"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    FAILED = "failed"


SENDABLE: Final = (Change.CREATE, Change.UPDATE, Change.DELETE, Change.SEND)
"""The changes that reach the target; every other kind has its outcome from the plan alone."""

PLANNED_OUTCOME: Final = {
    Change.UNCHANGED: Outcome.UNCHANGED,
    Change.MISSING: Outcome.REJECTED,
    Change.INVALID: Outcome.REJECTED,
    Change.DUPLICATE: Outcome.REJECTED,
}

ACTIVE: Final = (RunState.RUNNING, RunState.PAUSING, RunState.PAUSED, RunState.STOPPING)
"""States that need a living owner: found without one, the run was interrupted."""

OVER: Final = (RunState.STOPPED, RunState.INTERRUPTED, RunState.FINISHED, RunState.FAILED)
"""States in which nothing moves until somebody resumes the run."""

RESUMABLE: Final = (RunState.PAUSED, RunState.STOPPED, RunState.INTERRUPTED, RunState.FAILED)
"""States in which something is left to do, and waits for somebody."""

S = RunState
TRANSITIONS: Final[dict[RunState, frozenset[RunState]]] = {
    S.PLANNED: frozenset(
        {
            S.RUNNING,  # start
            S.STOPPED,  # stopped before its first item
            S.FAILED,  # the target refused at the door: login, table, disk
        }
    ),
    S.RUNNING: frozenset(
        {
            S.PAUSING,  # pause asked for, calls still in flight
            S.STOPPING,  # stop asked for, calls still in flight
            S.FINISHED,  # every item has its outcome
            S.FAILED,  # gave up: login, unreachable, failure limit
            S.INTERRUPTED,  # the process died
        }
    ),
    S.PAUSING: frozenset(
        {
            S.PAUSED,  # the last call in flight came back
            S.RUNNING,  # resumed before it was quiet
            S.STOPPING,  # stop overrides pause
            S.FINISHED,  # the calls in flight were the last ones
            S.FAILED,  # a call in flight made the run give up
            S.INTERRUPTED,  # the process died
        }
    ),
    S.PAUSED: frozenset(
        {
            S.RUNNING,  # resume
            S.STOPPING,  # stop
            S.STOPPED,  # its process left in good order while paused
            S.INTERRUPTED,  # the process died
            S.FAILED,  # the journal can't be written any more
        }
    ),
    S.STOPPING: frozenset(
        {
            S.STOPPED,  # drained
            S.FINISHED,  # the calls in flight were the last ones
            S.FAILED,  # a call in flight made the run give up
            S.INTERRUPTED,  # the process died
        }
    ),
    S.STOPPED: frozenset({S.RUNNING}),  # resume
    S.INTERRUPTED: frozenset({S.RUNNING}),  # resume
    S.FAILED: frozenset({S.RUNNING}),  # resume, once the cause is mended
    S.FINISHED: frozenset({S.RUNNING}),  # the operator settled unknown items and asks for the rest
}
del S


def check_transition(present: RunState, following: RunState) -> None:
    """Raise `TransitionError` unless the table has an arrow from `present` to `following`."""
    if following not in TRANSITIONS[present]:
        allowed = ", ".join(sorted(TRANSITIONS[present])) or "nothing"
        raise TransitionError(
            f"A run that is {present} can't become {following}.",
            advice=f"From here it can become: {allowed}.",
            present=present,
            following=following,
        )
