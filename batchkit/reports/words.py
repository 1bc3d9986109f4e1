"""What a report says in words: figures, moments, the headline and what to do next."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from ..core.states import Change, Outcome, RunState

if TYPE_CHECKING:
    from .data import ReportData

FAILING: Final = (Outcome.REJECTED, Outcome.CONFLICT, Outcome.UNKNOWN)
"""The outcomes an operator has to look at; a pending item has not been tried yet."""

MEANING: Final[dict[Outcome, str]] = {
    Outcome.DONE: "Written at the target.",
    Outcome.UNCHANGED: "The target already held these values; nothing was sent.",
    Outcome.REJECTED: "Refused by a check or by the target; nothing was written.",
    Outcome.CONFLICT: "Edited at the target after the plan was made; left as it is.",
    Outcome.UNKNOWN: "Sent, but no answer came back: it may or may not have been written.",
    Outcome.PENDING: "Not tried yet.",
}

CHANGE_MEANING: Final = {
    Change.CREATE: "Not at the target yet.",
    Change.UPDATE: "At the target with other values.",
    Change.UNCHANGED: "At the target with these values.",
    Change.DELETE: "To be removed from the target.",
    Change.SEND: "To be sent.",
    Change.MISSING: "To be updated, but the target doesn't have it.",
    Change.INVALID: "Fails a check.",
    Change.DUPLICATE: "Its key stands more than once in the source.",
}

STATE_WORDS: Final = {
    RunState.PLANNED: "The run has not started.",
    RunState.RUNNING: "The run is under way; these figures are of this moment.",
    RunState.PAUSING: "The run is about to pause.",
    RunState.PAUSED: "The run is paused.",
    RunState.STOPPING: "The run is about to stop.",
    RunState.STOPPED: "The run was stopped before its end.",
    RunState.INTERRUPTED: "The run was interrupted: its process died.",
    RunState.FINISHED: "The run is finished.",
    RunState.FAILED: "The run gave up.",
}

_RESUMABLE: Final = (RunState.PAUSED, RunState.STOPPED, RunState.INTERRUPTED, RunState.FAILED)


def count(number: int) -> str:
    """`10000` as `10,000`."""
    return f"{number:,}"


def items(number: int) -> str:
    """`1 item`, `2 items`."""
    return f"{count(number)} item{'' if number == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """A percentage that says 0 or 100 only where it is exact."""
    if not whole or not part:
        return "0%"
    percent = 100 * part / whole
    if percent < 0.1:
        return "<0.1%"
    if percent > 99.9 and part < whole:
        return ">99.9%"
    return f"{percent:.1f}%".replace(".0%", "%")


def duration(seconds: float) -> str:
    """Seconds as a person says them: `0.4 s`, `42 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def moment(iso: str | None) -> str:
    """An ISO moment on the clock of this machine, to the second, and which clock that is; empty for none."""
    if not iso:
        return ""
    try:
        local = datetime.fromisoformat(iso).astimezone().isoformat(" ", "seconds")
    except ValueError:
        return iso
    # Reports are mailed to people whose clock is another one.
    return f"{local[:19]} UTC{local[19:].replace('+00:00', '')}"


def meanings(data: ReportData) -> dict[Outcome, str]:
    """What the outcomes mean in this run."""
    return MEANING | ({Outcome.DONE: "Would be written at the target."} if data.dry_run else {})


def failing(data: ReportData) -> int:
    """How many items an operator has to look at."""
    return sum(data.outcomes.get(outcome, 0) for outcome in FAILING)


def total(data: ReportData) -> int:
    """How many items the plan has."""
    return sum(data.outcomes.values())


def rate(data: ReportData) -> float | None:
    """Items per second that got their outcome by being tried; None before there is a basis."""
    # What the plan rejected by itself was never tried.
    tried = min(data.outcomes.get(Outcome.DONE, 0) + failing(data), data.attempts)
    return tried / data.seconds if data.seconds > 0 and tried else None


def headline(data: ReportData) -> str:
    """The result in one sentence."""
    done, bad = data.outcomes.get(Outcome.DONE, 0), failing(data)
    verb = "would be written" if data.dry_run else "was written" if done == 1 else "were written"
    parts = [f"{count(done)} of {items(total(data))} {verb}"]
    if same := data.outcomes.get(Outcome.UNCHANGED, 0):
        parts.append(f"{count(same)} already held the wanted values")
    if bad:
        parts.append(f"{count(bad)} need{'s' if bad == 1 else ''} attention")
    if waiting := data.outcomes.get(Outcome.PENDING, 0):
        parts.append(f"{count(waiting)} {'was' if waiting == 1 else 'were'} not tried yet")
    return "; ".join(parts) + "."


def next_steps(data: ReportData) -> list[str]:
    """What the operator can do now, most pressing first; a sentence each."""
    steps = []
    got = data.outcomes.get
    if data.state in _RESUMABLE:
        mend = " once the cause is mended" if data.state == RunState.FAILED else ""
        steps.append(f"Go on where it stopped{mend}: batchkit resume {data.run}")
    if got(Outcome.UNKNOWN):
        steps.append(
            f"{items(got(Outcome.UNKNOWN, 0))} may or may not have been written: look at the target, then "
            f"settle them by batchkit resume {data.run} --settle done (or resend)."
        )
    if got(Outcome.CONFLICT):
        overwrite = (
            f", or write the wanted ones all the same: batchkit resume {data.run} --overwrite-conflicts"
        )
        steps.append(
            f"{items(got(Outcome.CONFLICT, 0))} changed at the target after the plan was made: make a new "
            f"plan to see the present values{'.' if data.dry_run else overwrite}"
        )
    if got(Outcome.REJECTED):
        steps.append(_correct(data, got(Outcome.REJECTED, 0)))
    if data.dry_run:
        steps.append("This was a dry run: nothing was written. Apply the plan to write it.")
    elif got(Outcome.DONE):
        undo = f"Take it back: batchkit undo {data.run} (shows first what it would do)."
        steps.append(undo if data.reversible else "What was done here can't be undone by batchkit.")
    return steps


def _correct(data: ReportData, rejected: int) -> str:
    where = f"in {data.fix_file}" if data.fix_file else "in the fix-and-rerun file"
    return f"{items(rejected)} refused: correct the cells {where} and give that file back as the source."


def facts(data: ReportData) -> list[tuple[str, str]]:
    """Label and value of what identifies and measures the run; without those that are not known."""
    speed = rate(data)
    pairs = [
        ("Run", data.run),
        ("State", str(data.state) + (" (dry run)" if data.dry_run else "")),
        ("Source", data.source),
        ("Target", data.target),
        ("Started", moment(data.started)),
        ("Finished", moment(data.finished)),
        ("Active time", duration(data.seconds)),
        (
            "Items per second",
            "" if speed is None else f"{speed:,.1f}" if speed < 100 else count(round(speed)),
        ),
        ("Attempts", count(data.attempts)),
    ]
    return [(label, value) for label, value in pairs if value]


def setting(value: Any) -> str:
    """A setting as a person reads it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def differences(detail: str | None) -> list[tuple[str, str, str, str]]:
    """The fields of a conflict, from its JSON facts.

    Returns:
        (field, value when planned, value found, value wanted) of each field; empty when `detail` holds none.
    """
    try:
        facts = json.loads(detail or "null")
    except ValueError:
        return []
    if not isinstance(facts, dict):
        return []
    return [
        (str(field), shown(values.get("planned")), shown(values.get("found")), shown(values.get("wanted")))
        for field, values in facts.items()
        if isinstance(values, dict) and "found" in values
    ]


def shown(value: Any) -> str:
    """A value from JSON facts; an absent one says so."""
    if value is None:
        return "(empty)"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _overwritten(detail: str | None) -> str | None:
    """What an item held that was written over, in words; None where nothing was."""
    try:
        facts = json.loads(detail or "null")
    except ValueError:
        return None
    if not isinstance(facts, dict) or not isinstance(facts.get("overwritten"), dict):
        return None
    return "\n".join(f"{name}: overwrote {shown(value)}" for name, value in facts["overwritten"].items())


def detail_words(detail: str | None) -> str | None:
    """JSON facts in words: both values of each field of a conflict, anything else as it is."""
    fields = differences(detail)
    if not fields:
        return _overwritten(detail) or detail
    return "\n".join(f"{name}: planned {old}, found {now}, wanted {new}" for name, old, now, new in fields)
