"""What people read, whatever the face: meanings, next steps, figures, durations, sizes, moments."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from math import floor
from pathlib import Path
from typing import Any, Final

from .advice import plan_file, resume, undo
from .states import RESUMABLE, SENDABLE, Change, Outcome, RunState

UNKNOWN: Final = "unknown"
EMPTY: Final = "(empty)"

CHANGES: Final[Mapping[str, str]] = {
    Change.CREATE: "new at the target",
    Change.UPDATE: "fields that differ are written",
    Change.UNCHANGED: "already as wanted; not sent",
    Change.DELETE: "removed from the target",
    Change.SEND: "sent",
    Change.MISSING: "not at the target; not sent",
    Change.INVALID: "a check fails; not sent",
    Change.DUPLICATE: "its key stands more than once in the file; not sent",
}
"""What the kinds of change mean."""

_DEEDS: Final = {
    "written": "written at the target",
    "removed": "removed from the target",
    "sent": "sent",
    "written or removed": "written at the target, or removed from it",
}
"""What a run did to an item that is done, in a word and whole."""

STATES: Final[Mapping[RunState, str]] = {
    RunState.PLANNED: "The run has not started.",
    RunState.RUNNING: "The run is under way; these figures are of this moment.",
    RunState.PAUSING: "The run is about to pause.",
    RunState.PAUSED: "The run is paused.",
    RunState.STOPPING: "The run is about to stop.",
    RunState.STOPPED: "The run was stopped before its end; nothing is lost.",
    RunState.INTERRUPTED: "The run was interrupted: its process ended before it did; nothing is lost.",
    RunState.FINISHED: "The run is finished.",
    RunState.FAILED: "The run gave up; what is done stays done.",
}
"""What the states of a run mean."""

FAILING: Final = (Outcome.REJECTED, Outcome.CONFLICT, Outcome.UNKNOWN)
"""The outcomes an operator has to look at; a pending item has not been tried yet."""


def deed(changes: Mapping[str, int]) -> str:
    """What becomes of the items that are done, in a word that fits all of a plan's changes."""
    kinds = {change for change in SENDABLE if changes.get(change)}
    if kinds in ({Change.DELETE}, {Change.SEND}):
        return "sent" if Change.SEND in kinds else "removed"
    return "written or removed" if Change.DELETE in kinds else "written"


def outcome_meanings(changes: Mapping[str, int], *, dry_run: bool = False) -> Mapping[str, str]:
    """What the outcomes mean in a run.

    Args:
        changes: How many items of the plan have each change.
        dry_run: Nothing was written.
    """
    done = _DEEDS[deed(changes)]
    return {
        Outcome.DONE: f"would be {done}" if dry_run else done,
        Outcome.UNCHANGED: "already as wanted; not sent",
        Outcome.REJECTED: "would be refused" if dry_run else "refused; nothing was written",
        Outcome.CONFLICT: "edited there since the plan; "
        + ("would not be" if dry_run else "not")
        + " overwritten",
        Outcome.UNKNOWN: "sent, not answered; may have been written",
        Outcome.PENDING: "not tried yet",
    }


def as_sentence(meaning: str) -> str:
    """A meaning with a capital and a full stop."""
    return f"{meaning[:1].upper()}{meaning[1:]}." if meaning else ""


# What can be done about a run.


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that an operator can do about a run.

    Attributes:
        label: What it is about, in a word or two.
        why: What there is, and what doing it is for.
        actions: The ways to do it; none where `why` says it all.
        note: What to know about it.
    """

    label: str
    why: str
    actions: tuple[str, ...] = ()
    note: str = ""

    def __str__(self) -> str:
        how = f": {', or '.join(self.actions)}" if self.actions else ""
        return f"{self.why}{how}" + (f" ({self.note})" if self.note else "")


def next_steps(
    run: str,
    state: RunState,
    outcomes: Mapping[str, int],
    *,
    dry_run: bool,
    reversible: bool = True,
    fix_file: str = "",
    job_file: str = "",
) -> Iterator[Step]:
    """What can be done about a run, most pressing first.

    Args:
        run: Its id.
        state: Where it stands.
        outcomes: How many items have each outcome.
        dry_run: Nothing was written.
        reversible: Whether what was done can be undone.
        fix_file: Where the rows to correct are; empty where they weren't written.
        job_file: The run's job, by which they can be planned; empty where there is none.
    """
    got = {outcome: plural(n, "item") for outcome, n in outcomes.items() if n}
    if state in RESUMABLE:
        why = "To go on once the cause is mended" if state is RunState.FAILED else "To go on"
        yield Step("go on", why, (resume(run),))
    if unknown := got.get(Outcome.UNKNOWN):
        why = f"{unknown} may or may not have been written: look at the target, then settle that"
        yield Step("settle", why, (resume(run, settle="done"), resume(run, settle="resend")))
    if conflicts := got.get(Outcome.CONFLICT):
        edited = f"{conflicts} changed at the target after the plan was made"
        if dry_run:
            yield Step("conflicts", f"{edited}: plan again to see the present values.")
        else:
            why, note = f"{edited}; to write all the same", "plan again to see the present values first"
            yield Step("conflicts", why, (resume(run, overwrite=True),), note)
    if refused := got.get(Outcome.REJECTED):
        why = f"{refused} refused: correct the cells in {fix_file or 'the file of rows to correct'}, then "
        if fix_file and job_file:
            again = plan_file(str(Path(job_file).parent / fix_file), job_file)
            yield Step("to fix", f"{why}plan that file", (again,))
        else:
            yield Step("to fix", f"{why}plan that file.")
    if dry_run:
        yield Step("dry run", "This was a dry run: nothing was written. Apply the plan to write it.")
    elif got.get(Outcome.DONE):
        way = Step("undo", "To take it back", (undo(run),), "shows first what it would do")
        yield way if reversible else Step("undo", "What was done here can't be undone by batchkit.")


# Figures.


def number(value: float) -> str:
    """`10000` as `10,000`."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def plural(count: int, noun: str, nouns: str = "") -> str:
    """A count with its noun: `1 row`, `1,200 rows`."""
    return f"{number(count)} {noun if count == 1 else nouns or noun + 's'}"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Advice that names what is near `word` among `known`, else everything that is known."""
    names = list(dict.fromkeys(known))
    near = get_close_matches(word, names, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(repr(name) for name in near)}?"
    if any("," in name or not any(map(str.isalnum, name)) for name in names):
        names = [repr(name) for name in names]  # `,` and `.` would be read as punctuation
    return f"There is: {', '.join(names)}." if names else ""


def format_share(share: float | None) -> str:
    """A share as a percentage, rounded; but only 1 is `100 %`, and only 0 is `0 %`."""
    if share is None:
        return UNKNOWN
    if 0 < share < 0.001:
        return "<0.1 %"
    return f"{min(round(share * 100, 1), 100 if share >= 1 else 99.9):g} %"


def format_bytes(size: float | None) -> str:
    """A size in decimal units, three digits at most: `812 kB`, `1.2 GB`; `unknown` for None."""
    if size is None:
        return UNKNOWN
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 9.95 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"


def format_rate(rate: float | None) -> str:
    """Items per second, or per minute or hour where it is slow: `1,234/s`, `48/min`; `unknown` for None."""
    if rate is None:
        return UNKNOWN
    for value, unit in ((rate, "s"), (rate * 60, "min"), (rate * 3600, "h")):
        if value >= 9.95:
            return f"{value:,.0f}/{unit}"
        if value >= 1:
            return f"{value:.1f}/{unit}"
    return f"{rate * 3600:.1f}/h"


# Times.


def format_seconds(seconds: float) -> str:
    """A duration as people say it: `0.4 s`, `42 s`, `3 min 20 s`, `2 h 05 min`, `3 days 4 h`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} days {hours % 24} h"


def format_eta(eta: tuple[float, float] | None) -> str:
    """The time left as a range: `20 to 35 s`, `3 to 5 min`; `unknown` before there is a basis."""
    if eta is None:
        return UNKNOWN
    low, high = eta
    if high < 1:
        return "under 1 s"
    for unit, size in (("s", 1), ("min", 60), ("h", 3600), ("days", 86400)):
        if high < 90 * size or unit == "days":
            break
        if unit == "h" and high < 48 * size:
            break
    first, last = floor(low / size), max(1, -floor(-high / size))
    if first == 0:
        return f"under {last} {unit}"
    span = f"{number(first)} to {number(last)}" if first < last else number(last)
    return f"{span} {unit}"


def format_moment(moment: str | float | None) -> str:
    """A moment on the clock of this machine, to the second, and which clock that is; empty for none.

    Args:
        moment: ISO text, or seconds since 1970.
    """
    if not moment:
        return ""
    try:
        known = (
            datetime.fromisoformat(moment) if isinstance(moment, str) else datetime.fromtimestamp(moment, UTC)
        )
    except ValueError:
        return str(moment)
    local = known.astimezone().isoformat(" ", "seconds")
    # Reports are mailed to people whose clock is another one.
    return f"{local[:19]} UTC{local[19:].replace('+00:00', '')}"


# Values.


def format_setting(value: Any) -> str:
    """A setting as a person reads it."""
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return format_value(value)


def format_value(value: Any) -> str:
    """A value from JSON facts; an absent one says so."""
    if value is None:
        return EMPTY
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
