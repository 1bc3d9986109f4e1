"""What is on the screen of a run, as plain values: no widget, no thread, no HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..core.advice import worded
from ..core.settings import SHOWN_AS, Settings, written
from ..core.states import OVER, SENDABLE, Change, Outcome, RunState
from ..core.words import (
    FAILING,
    format_bytes,
    format_seconds,
    format_share,
    number,
    outcome_meanings,
    plural,
)
from ..reports.progress import figures, settled, slow_because
from .clicks import on_run

if TYPE_CHECKING:
    from ..journal.snapshot import Snapshot
    from ..planning.plan import Plan

MANY_ITEMS: Final = 1_000
"""Above this many items to send, the controls for large volumes open by themselves."""

_TONES: Final = {
    RunState.RUNNING: "active", RunState.PAUSING: "wait", RunState.PAUSED: "wait", RunState.STOPPING: "wait",
    RunState.STOPPED: "wait", RunState.INTERRUPTED: "bad", RunState.FINISHED: "good", RunState.FAILED: "bad",
    RunState.PLANNED: "calm",
}  # fmt: skip

_BUTTONS: Final[dict[RunState, frozenset[str]]] = {
    RunState.PLANNED: frozenset({"stop"}),
    RunState.RUNNING: frozenset({"pause", "stop"}),
    RunState.PAUSING: frozenset({"resume", "stop"}),
    RunState.PAUSED: frozenset({"resume", "stop"}),
    RunState.STOPPING: frozenset(),
    RunState.STOPPED: frozenset({"resume", "undo"}),
    RunState.INTERRUPTED: frozenset({"resume"}),
    RunState.FAILED: frozenset({"resume", "undo"}),
    RunState.FINISHED: frozenset({"undo"}),
}


_NOUNS: Final = {
    Change.CREATE: "create",
    Change.UPDATE: "update",
    Change.DELETE: "delete",
    Change.SEND: "message",
}


def changes_in_words(changes: Mapping[str, int]) -> str:
    """What would be sent: `300 creates, 904 updates`; `nothing` when there is nothing to send."""
    parts = [plural(changes[kind], _NOUNS[kind]) for kind in SENDABLE if changes.get(kind)]
    return ", ".join(parts) or "nothing"


def changed_settings(texts: Mapping[str, str], shown: Mapping[str, str]) -> dict[str, Any]:
    """The settings whose field the operator changed, converted; an emptied field means the default.

    Args:
        texts: What stands in each field.
        shown: What stood there before.

    Raises:
        SettingsError: A value is out of range or no number; the message names the setting.
    """
    typed = {
        name: text.strip().replace(",", ".") for name, text in texts.items() if text != shown.get(name, "")
    }
    settings = Settings.of({name: text for name, text in typed.items() if text})
    return {name: getattr(settings, name) for name in typed}


def setting_texts(settings: Mapping[str, Any]) -> dict[str, str]:
    """The settings as their fields show them."""
    return {name: written(value) for name, value in settings.items() if name in SHOWN_AS}


@dataclass(frozen=True, slots=True)
class Screen:
    """Everything the view of a run shows at one moment.

    Attributes:
        title: What runs, in a few words.
        state: The word on the badge.
        tone: How the badge looks: calm, active, wait, good, bad.
        bar: How the bar looks, in the same words.
        fraction: Share of the items to send that have their outcome.
        line: The line of figures beside the bar.
        outcomes: Outcome, count and tone of each tile.
        meanings: Outcome → what it means.
        facts: Label and value of the smaller figures.
        message: Why it paused, stopped or failed; or what the last click could not do.
        message_tone: How the message looks, in the same words.
        limiter: What slows the run; empty when nothing is known.
        errors: The most frequent reasons of failure with their counts.
        settings: The settings in force, as their fields show them; empty before the start.
        buttons: The buttons that can be clicked.
        over: Nothing moves until somebody resumes or starts again.
    """

    title: str
    state: str
    tone: str
    bar: str = "calm"
    fraction: float = 0.0
    line: str = ""
    outcomes: Sequence[tuple[str, int, str]] = ()
    meanings: Mapping[str, str] = field(default_factory=dict)
    facts: Sequence[tuple[str, str]] = ()
    message: str = ""
    message_tone: str = "calm"
    limiter: str = ""
    errors: Sequence[tuple[str, int]] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    buttons: frozenset[str] = frozenset()
    over: bool = True


def planned_screen(plan: Plan, title: str, notice: str = "", busy: str = "") -> Screen:
    """What is shown before anything was started."""
    summary = plan.summary()
    count = summary.to_send
    return Screen(
        title,
        "Ready" if count else "Nothing to do",
        "calm",
        line=f"To send: {changes_in_words(summary.changes)}" if count else "",
        message=worded(notice or busy, on_run("")),
        message_tone="bad" if notice else "calm",
        buttons=frozenset({"start", "dry_run"} if count else ()),
    )


def run_screen(
    snapshot: Snapshot, title: str, changes: Mapping[str, int], notice: str = "", busy: str = ""
) -> Screen:
    """What is shown of a run whose plan has these changes."""
    done = settled(snapshot)
    fraction = done / snapshot.to_send if snapshot.to_send else 1.0
    over = snapshot.state in OVER
    buttons = set(_BUTTONS[snapshot.state])
    if snapshot.dry_run:
        buttons.discard("undo")
        if over:
            buttons |= {"start", "dry_run"}
    if not snapshot.outcomes.get(Outcome.DONE, 0):
        buttons.discard("undo")  # nothing was changed
    if over:
        buttons.add("report")
    to_know = " ".join(filter(None, [_left_to_do(snapshot), *snapshot.notices]))
    return Screen(
        title=title,
        state=("Dry run " if snapshot.dry_run else "") + snapshot.state.value,
        tone=_tone(snapshot),
        bar=_TONES[snapshot.state],
        fraction=fraction,
        line=f"{int(fraction * 100)} %   " + "  ·  ".join(figures(snapshot, limiter=False)),
        outcomes=[(kind.value, snapshot.outcomes.get(kind, 0), _OUTCOME_TONES[kind]) for kind in Outcome],
        meanings=outcome_meanings(changes, dry_run=snapshot.dry_run),
        facts=_facts(snapshot),
        message=worded(notice or busy or snapshot.message or to_know, on_run(snapshot.run)),
        message_tone="bad" if notice else "calm" if busy else _tone(snapshot),
        limiter=slow_because(snapshot) if snapshot.state is RunState.RUNNING else "",
        errors=snapshot.top_errors[:5],
        settings=setting_texts(snapshot.settings),
        buttons=frozenset(buttons),
        over=over,
    )


_OUTCOME_TONES: Final = {
    Outcome.DONE: "good", Outcome.UNCHANGED: "calm", Outcome.REJECTED: "bad", Outcome.CONFLICT: "wait",
    Outcome.UNKNOWN: "wait", Outcome.PENDING: "calm",
}  # fmt: skip


def _tone(snapshot: Snapshot) -> str:
    rejected = snapshot.outcomes.get(Outcome.REJECTED, 0) + snapshot.outcomes.get(Outcome.CONFLICT, 0)
    if snapshot.state is RunState.FINISHED and rejected:
        return "wait"  # finished, and somebody still has to look at some rows
    return _TONES[snapshot.state]


def _left_to_do(snapshot: Snapshot) -> str:
    count = sum(snapshot.outcomes.get(kind, 0) for kind in FAILING)
    if snapshot.state is not RunState.FINISHED or not count:
        return ""
    were = "would not be" if snapshot.dry_run else "was not" if count == 1 else "were not"
    return f"{plural(count, 'row')} {were} written. The report says for each which row, why, and what to do."


def _facts(snapshot: Snapshot) -> list[tuple[str, str]]:
    lasting = [
        ("Success rate", format_share(snapshot.success_rate)),
        ("Retries", number(snapshot.retries)),
        ("Time worked", format_seconds(snapshot.seconds)),
    ]
    if snapshot.state in OVER:
        return lasting
    return [
        *lasting,
        ("Workers", number(snapshot.workers)),
        ("In flight", number(snapshot.in_flight)),
        ("Memory", format_bytes(snapshot.memory or None)),
        ("Disk needed", format_bytes(snapshot.disk_need)),
        ("Disk free", format_bytes(snapshot.disk_free or None)),
    ]
