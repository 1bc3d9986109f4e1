"""Writes docs/reference.md: what can be said of runs, fields and targets, as their models describe it.

    python -m tools.reference

A test holds the page against the models, so that none is missing and none is out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import is_dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from batchkit.checking.fields import Field
from batchkit.core.model import Entry, entries
from batchkit.core.settings import LIVE, Settings, written
from batchkit.planning.job_entries import Entries
from batchkit.sources import base as sources
from batchkit.targets.base import schemes, target_class

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference.md"


def page() -> str:
    """The page, as it should be."""
    parts: dict[str, tuple[str, Iterable[str]]] = {
        "Jobs": (_JOBS, _table(Entries, without={"folder"})),
        "Sources": (_SOURCES, _by_scheme(sources.schemes(), sources.source_opener)),
        "Fields": (_FIELDS, _table(Field)),
        "Settings of a run": (_SETTINGS, chain(_table(Settings, live=LIVE), _usual_settings())),
        "Targets": (_TARGETS, _by_scheme(schemes(), target_class)),
    }
    lines = list(_HEAD)
    for title, (text, tables) in parts.items():
        lines += [f"## {title}", "", *text.splitlines(), "", *tables]
    return "\n".join(lines)


_HEAD: Final = (
    "# Reference",
    "",
    "What can be said of jobs, sources, fields, runs and targets. Written by `python -m tools.reference`.",
    "",
)
_JOBS: Final = """\
On the command line `--mode update`, in a job file `mode = "update"`, in Python
`Job(..., mode="update")`."""
_FIELDS: Final = """\
On the command line `--field siret.siret=true`, in a job file `[fields.siret]` `siret = true`, in
Python `Field("siret", siret=True)`."""
_SOURCES: Final = """\
Beside the address in a job file, `source = {address = ..., NAME = VALUE}`, and in Python
`Job({"address": ..., "NAME": VALUE}, ...)`. How a file is read is said in the job itself."""
_TARGETS: Final = """\
On the command line `--target NAME=VALUE`, in a job file `[target]` `NAME = VALUE`, in Python
`Job(..., target={"NAME": VALUE})`."""
_SETTINGS: Final = """\
On the command line `--chunk-size 50`, in a job file `[settings]` `chunk_size = 50`, in Python
`plan.start(chunk_size=50)`, and a field each in the panel. Those that are live can be changed
while a run runs: `batchkit set last chunk_size=50`, `run.set(chunk_size=50)`."""


def _by_scheme(schemes: Iterable[str], opener: Callable[[str], Any]) -> Iterator[str]:
    """The tables of what opens addresses, those that several schemes share once."""
    shared: dict[Any, list[str]] = {}
    for scheme in schemes:
        if (model := getattr(opener(f"{scheme}:"), "model", None)) is not None:
            shared.setdefault(model, []).append(scheme)
    for model, names in shared.items():
        yield f"### {', '.join(names)}"
        yield ""
        yield from _table(model)
        yield from _inner(model)


def _inner(model: Any) -> Iterator[str]:
    """The tables inside a target's table; those of one family, such as the writes, stand together."""
    families: dict[Any, list[str]] = {}
    for name, entry in entries(model).items():
        for kind in entry.kinds:
            if is_dataclass(kind) and hasattr(kind, "__pydantic_fields__"):
                families.setdefault(_oldest(kind), []).append(f"`{name}`")
    for kind, names in families.items():
        yield f"In {', '.join(names)}:"
        yield ""
        yield from _table(kind)


def _oldest(kind: Any) -> Any:
    return [each for each in kind.__mro__ if is_dataclass(each)][-1]


def _usual_settings() -> Iterator[str]:
    yield "Some targets start from settings that proved right for them:"
    yield ""
    for scheme in schemes():
        if usual := target_class(f"{scheme}:").usual:
            yield f"- {scheme}: {', '.join(f'`{each}={_plain(value)}`' for each, value in usual.items())}"
    yield ""


def _table(model: Any, live: frozenset[str] | None = None, without: Collection[str] = ()) -> Iterator[str]:
    head = ["name", "what it is for", "takes", "default", *(["live"] if live is not None else [])]
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for name, entry in entries(model).items():
        if name in without:
            continue
        cells = [f"`{name}`", entry.help, entry.takes, _default(entry)]
        if live is not None:
            cells.append("yes" if name in live else "no")
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
    yield ""


def _default(entry: Entry) -> str:
    return f"`{_plain(entry.default)}`" if entry.default not in (None, "", (), {}) else ""


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) and not value.is_integer() else written(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
