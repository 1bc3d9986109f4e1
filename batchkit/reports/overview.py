"""What a report says of a run as a whole: the headline, what identifies and measures it, and what differs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..core import words
from ..core.advice import as_command, worded
from ..core.states import Outcome
from ..core.words import FAILING, format_moment, format_rate, format_seconds, format_value, number, plural

if TYPE_CHECKING:
    from .data import ReportData


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
    verb = "would be" if data.dry_run else "was" if done == 1 else "were"
    parts = [f"{number(done)} of {plural(total(data), 'item')} {verb} {words.deed(data.changes)}"]
    if same := data.outcomes.get(Outcome.UNCHANGED, 0):
        parts.append(f"{number(same)} already held the wanted values")
    if bad:
        parts.append(f"{number(bad)} need{'s' if bad == 1 else ''} attention")
    if waiting := data.outcomes.get(Outcome.PENDING, 0):
        parts.append(f"{number(waiting)} {'was' if waiting == 1 else 'were'} not tried yet")
    return "; ".join(parts) + "."


def next_steps(data: ReportData) -> list[str]:
    """What the operator can do now, most pressing first; a sentence each."""
    steps = words.next_steps(
        data.run,
        data.state,
        data.outcomes,
        dry_run=data.dry_run,
        reversible=data.reversible,
        fix_file=data.fix_file,
        job_file=data.job_file,
    )
    return [worded(str(step), as_command) for step in steps]


def facts(data: ReportData) -> list[tuple[str, str]]:
    """Label and value of what identifies and measures the run; without those that are not known."""
    pairs = [
        ("Run", data.run),
        ("State", str(data.state) + (" (dry run)" if data.dry_run else "")),
        ("Source", data.source),
        ("Target", data.target),
        ("Started", format_moment(data.started)),
        ("Finished", format_moment(data.finished)),
        ("Active time", format_seconds(data.seconds)),
        ("Rate", format_rate(rate(data)) if rate(data) else ""),
        ("Attempts", number(data.attempts)),
    ]
    return [(label, value) for label, value in pairs if value]


def read_detail(detail: str | None) -> Any:
    """The JSON facts of an outcome; a text that is none as it is."""
    try:
        return json.loads(detail or "null")
    except ValueError:
        return detail


def differences(detail: str | None) -> list[tuple[str, str, str, str]]:
    """The fields of a conflict, from its JSON facts.

    Returns:
        (field, value when planned, value found, value wanted) of each field; empty when `detail` holds none.
    """
    facts = read_detail(detail)
    return [
        (
            str(field),
            format_value(values.get("planned")),
            format_value(values.get("found")),
            format_value(values.get("wanted")),
        )
        for field, values in (facts.items() if isinstance(facts, dict) else ())
        if isinstance(values, dict) and "found" in values
    ]


def detail_words(detail: str | None) -> str | None:
    """JSON facts in words: both values of each field of a conflict, what was written over, else as it is."""
    if fields := differences(detail):
        return "\n".join(
            f"{name}: planned {old}, found {now}, wanted {new}" for name, old, now, new in fields
        )
    facts = read_detail(detail)
    over = facts.get("overwritten") if isinstance(facts, dict) else None
    if not isinstance(over, dict):
        return detail
    return "\n".join(f"{name}: overwrote {format_value(value)}" for name, value in over.items()) or detail
