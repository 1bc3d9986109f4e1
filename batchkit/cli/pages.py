"""The pages the verbs print: a plan, its examples and problems, a run, a list of runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core import words
from ..core.states import OVER, Change, Outcome, RunState
from ..core.words import number, plural
from ..reports import progress
from .console import bold, dim, mark, shell, shorten, style, value_text, width
from .problems import KEPT, ProblemGroup, group_plan_problems, group_problems, title, wrong_key
from .wrapping import columns, with_command, wrapped

if TYPE_CHECKING:
    from ..core.problem import Problem
    from ..journal.snapshot import Snapshot
    from ..planning.change_view import ChangeView, PlanSummary
    from ..planning.plan import Plan

COLOURS: dict[str, str] = {
    Change.CREATE: "green",
    Change.UPDATE: "yellow",
    Change.SEND: "green",
    Change.DELETE: "red",
    Change.MISSING: "magenta",
    Change.INVALID: "magenta",
    Change.DUPLICATE: "magenta",
    Outcome.DONE: "green",
    Outcome.REJECTED: "red",
    Outcome.CONFLICT: "magenta",
    Outcome.UNKNOWN: "magenta",
    RunState.FINISHED: "green",
    RunState.FAILED: "red",
    RunState.RUNNING: "cyan",
    RunState.PAUSED: "yellow",
    RunState.STOPPED: "yellow",
    RunState.INTERRUPTED: "yellow",
    "error": "red",
    "warning": "yellow",
    "notice": "cyan",
}

MOST_LINES = 12
"""Lines of a text that is sent, in an example."""


def painted(word: str) -> str:
    """A kind of change, an outcome or a state in its colour."""
    return style(word, fg=COLOURS.get(word))


def counts_page(counts: Mapping[str, int], meanings: Mapping[str, str]) -> list[str]:
    """A line per kind with how many there are and what that means."""
    rows = [[painted(kind), number(n), dim(meanings.get(kind, ""))] for kind, n in counts.items()]
    return columns(rows, right=frozenset({1}), fold=True)


def outcomes_page(snapshot: Snapshot, changes: Mapping[str, int]) -> list[str]:
    """The outcomes of a run whose plan has these changes, those that there are."""
    meanings = words.outcome_meanings(changes, dry_run=snapshot.dry_run)
    return counts_page({kind: n for kind, n in snapshot.outcomes.items() if n}, meanings)


def plan_page(
    plan: Plan,
    *,
    examples: int = 5,
    problems: int | None = 10,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """A plan: what it is about, the changes in numbers, a few examples, problems with advice.

    Args:
        plan: The plan.
        examples: How many changes are shown.
        problems: How many problems are shown; None for all.
        settings: What a run of it that follows at once is told, over the plan's own.
    """
    summary = plan.summary()
    arrow = mark("→", "->")
    yield bold(f"{summary.source or 'source'} {arrow} {place(summary)}")
    key = f"key {' + '.join(summary.key)}, " if summary.key else ""
    fields = plural(len(summary.fields), "field")
    # Where nothing is there to be met, it doesn't matter how rows meet items.
    how = "sent" if Change.SEND in summary.changes else f"written, mode {summary.mode}"
    yield f"{_rows(summary)}, {key}{fields} {how}"
    if summary.undoes:
        yield f"This plan undoes run {summary.undoes}."
    if pace := _pace(plan, settings or {}):
        yield pace
    yield ""
    yield from counts_page(summary.changes, words.CHANGES) or ["  no rows"]
    yield from _examples(plan, examples)
    yield from _problems(plan, summary, problems)
    if not summary.reversible and summary.to_send:
        yield ""
        yield style("This can't be undone afterwards: ", fg="yellow") + summary.irreversible_because


def _pace(plan: Plan, chosen: Mapping[str, Any]) -> str:
    """How fast a run would go, where that is slower than it could."""
    from ..core.settings import Settings

    known = {name: value for name, value in chosen.items() if name in Settings.model_fields}
    settings, items = Settings.of(plan.settings, **known).model_dump(), plan.to_send()
    rate, delay, size = (settings.get(name) for name in ("rate", "delay", "chunk_size"))
    if not items or not (rate or (delay and size)):
        return ""
    pauses = delay * ((items - 1) // size) if delay and size else 0.0  # none after the last chunk
    parts = [words.format_rate(rate)] if rate else []
    parts += [f"{delay:g} s between chunks of {number(size)}"] if delay and size else []
    seconds = (items / rate if rate else 0.0) + pauses
    least = f"; at least {words.format_seconds(seconds)}" if seconds else ""
    return f"Pace: {', '.join(parts)}{least}. Other settings: --rate, --delay, --chunk-size."


def _rows(summary: PlanSummary) -> str:
    """The rows of the source, and apart from them what is only at the target and shall go."""
    deletes = summary.changes.get(Change.DELETE, 0)
    if summary.undoes or not deletes:
        return plural(summary.rows, "row")
    return f"{plural(summary.source_rows, 'row')} in the source and {plural(deletes, 'row')} to delete"


def _problems(plan: Plan, summary: PlanSummary, most: int | None) -> Iterator[str]:
    where = f"batchkit show {shell(plan.path)} --all-problems"
    groups = group_plan_problems(plan)
    if most is None:
        yield from every_problem("About the file", summary.notices)
        yield from every_problem(title(groups), plan.problems()[len(summary.notices) :])
        return
    yield from problems_page("About the file", group_problems(summary.notices), most, where)
    if key := wrong_key(plan, summary.changes):
        others = [group for group in groups if group.first[0].rule != key.rule]
        total = sum(group.total for group in groups) - sum(group.total for group in others)
        yield from problems_page(title(groups), [ProblemGroup(1, [key]), *others], most, where, total - 1)
        return
    yield from problems_page(title(groups), groups, most, where)


def every_problem(heading: str, problems: Sequence[Problem]) -> Iterator[str]:
    """Each problem with row, column, value and advice."""
    if problems:
        yield ""
        yield bold(heading)
    for problem in problems:
        yield from problem_lines(problem)


def _examples(plan: Plan, examples: int) -> Iterator[str]:
    views = [view for kind in _shown(plan) for view in plan.sample(_share(plan, examples), kind)]
    if not views or examples < 1:
        return
    yield ""
    yield bold("Examples")
    for view in views[:examples]:
        yield from change_lines(view, 6 if view.change is Change.UPDATE else 3)


def _shown(plan: Plan) -> list[str]:
    sent = [Change.UPDATE, Change.CREATE, Change.DELETE, Change.SEND]
    return [str(kind) for kind in sent if plan.counts.get(kind)]


def _share(plan: Plan, examples: int) -> int:
    return -(-examples // max(1, len(_shown(plan))))


def place(summary: PlanSummary) -> str:
    """Where a plan writes: the target's address, and its table where the address doesn't name it."""
    if not summary.table or summary.target.endswith(f"#{summary.table}"):
        return summary.target
    return f"{summary.target}, table {summary.table}"


def change_lines(view: ChangeView, most: int = 6) -> Iterator[str]:
    """One change: its row and key, and below each changed field before → after."""
    row = f"row {view.row}  " if view.row is not None else ""
    yield f"  {painted(view.change)}  {row}{bold(shorten(view.key, 60))}"
    changed = [field for field in view.fields if field.changed]
    room = max(16, width() - 34)  # what is left beside a name; an update shows two values there
    room = room // 2 if view.change is Change.UPDATE else room
    rows = []
    for field in changed[:most]:
        after = style(value_text(field.after, room), fg="green")
        if view.change is Change.UPDATE:
            before = style(value_text(field.before, room), fg="red")
            rows.append([field.name, f"{before} {mark('→', '->')} {after}"])
        elif view.change is Change.DELETE:
            rows.append([field.name, style(value_text(field.before, room), fg="red")])
        elif field.after is not None:
            rows.append([field.name, after])
    yield from columns(rows, indent=6)
    if len(changed) > most:
        yield dim(f"      and {plural(len(changed) - most, 'more field')}")
    if view.rendered is not None:
        yield from _letter(view.rendered)


def _letter(text: str) -> Iterator[str]:
    """A text as its reader gets it, apart from the fields it was made of."""
    lines = [part for line in text.splitlines() for part in wrapped(line, indent=0, columns=width() - 10)]
    for line in lines[:MOST_LINES]:
        yield f"      {dim(mark('│', '|'))} {line}"
    if len(lines) > MOST_LINES:
        yield dim(f"      {mark('│', '|')} and {plural(len(lines) - MOST_LINES, 'more line')}")


def problems_page(
    heading: str, groups: Sequence[ProblemGroup], most: int, where: str, unseen: int = 0
) -> Iterator[str]:
    """Problems with row, column, value and advice, a few of each kind; then where to find all of them.

    Args:
        heading: What stands above them.
        groups: The problems by kind.
        most: How many are shown, about.
        where: The command that shows all.
        unseen: How many there are besides.
    """
    if not groups:
        return
    yield ""
    yield bold(heading)
    shown = groups[:most]
    share = max(1, min(KEPT - 1, most // max(1, len(shown))))
    left = unseen + sum(group.total for group in groups[len(shown) :])
    for group in shown:
        # One that is left is shown rather than counted.
        first = group.first[: share + (group.total == share + 1)]
        for problem in first:
            yield from problem_lines(problem)
        if more := group.total - len(first):
            yield dim(f"      {mark('…', '...')} and {number(more)} more like this")
            left += more
    if left:
        yield from map(dim, with_command(f"{number(left)} not shown. All of them:", where, indent=2))


def problem_lines(problem: Problem) -> Iterator[str]:
    """One problem in one line, its advice in the next; more lines where the terminal is narrow."""
    where = f"row {problem.row}" if problem.row is not None else "file"
    where += f", {problem.column}" if problem.column else ""
    where = where if problem.level == "error" else f"{problem.level}, {where}"
    message, value = problem.message, ""
    if problem.value is not None:
        message, value = message.rstrip("."), f" (value {value_text(problem.value)})"
    first, *others = wrapped(f"{where}: {shorten(message, 240)}{value}", 2, 4)
    yield first.replace(where, style(where, fg=COLOURS[problem.level]), 1)
    yield from others
    if problem.advice:
        yield from map(dim, wrapped(shorten(problem.advice, 240), 6))


def run_page(snapshot: Snapshot, changes: Mapping[str, int], more: Mapping[str, str]) -> Iterator[str]:
    """A run: its state, the outcomes in numbers, figures, top errors and what can be done next.

    Args:
        snapshot: The run's figures.
        changes: How many items of its plan have each change.
        more: Further lines, label → text (plan, report, undo, ...); empty ones are left out.
    """
    kind = "Dry run" if snapshot.dry_run else "Run"
    yield bold(f"{kind} {snapshot.run}") + "  " + painted(snapshot.state)
    if snapshot.message:
        yield from wrapped(shorten(snapshot.message, 400))
    yield ""
    yield from outcomes_page(snapshot, changes) or ["  no rows"]
    yield ""
    yield from fact_lines(_facts(snapshot, more))
    if snapshot.top_errors:
        yield ""
        yield bold("Most frequent reasons")
        for reason, n in snapshot.top_errors[:5]:
            yield f"  {number(n)} x {shorten(reason, width() - 12)}"


def fact_lines(facts: Iterable[tuple[str, str]]) -> list[str]:
    """A line per fact, label and text; what follows a line end in the text stands below it, dimmed."""
    rows = []
    for label, text in facts:
        first, *others = text.split("\n")
        rows += [[label, first], *(["", dim(other)] for other in others)] if text else []
    return columns(rows, fold=True)


def _facts(snapshot: Snapshot, more: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    retries = f", {plural(snapshot.retries, 'retry', 'retries')}" if snapshot.retries else ""
    yield "attempts", f"{number(snapshot.attempts)}{retries}"
    yield "active", words.format_seconds(snapshot.seconds)
    if snapshot.state not in OVER:
        yield "rate", words.format_rate(snapshot.rate)
        yield "left", words.format_eta(snapshot.eta)
        yield "speed", progress.slow_because(snapshot)
        yield "owner", snapshot.owner
    yield from more.items()


def changed_settings(settings: Mapping[str, Any]) -> str:
    """Settings as `set` takes them; what was taken away stands with nothing behind it."""
    return " ".join(f"{name}={'' if value is None else value}" for name, value in settings.items())
