"""Writes docs/reference.md: every setting, as its model describes it.

    python -m tools.reference

A test holds the page against the models, so that none is missing and none is out of date.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from batchkit.core.model import Entry, entries
from batchkit.core.settings import LIVE, PRESETS, Settings, written

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference.md"


def page() -> str:
    """The page, as it should be."""
    return "\n".join(
        ["# Reference", "", "Made by `python -m tools.reference` from the models.", "", *_settings()]
    )


def _settings() -> Iterator[str]:
    yield "## Settings of a run"
    yield ""
    yield "On the command line `--chunk-size 50`, in a job file `[settings]` `chunk_size = 50`, in Python"
    yield "`plan.start(chunk_size=50)`, and a field each in the panel. Those that are live can be changed"
    yield "while a run runs: `batchkit set last chunk_size=50`, `run.set(chunk_size=50)`."
    yield ""
    yield from _table(Settings, live=LIVE)
    yield "Some targets start from settings that proved right for them:"
    yield ""
    for name, preset in PRESETS.items():
        yield f"- {name}: {', '.join(f'`{each}={_plain(value)}`' for each, value in preset.items())}"
    yield ""


def _table(model: Any, live: frozenset[str] | None = None) -> Iterator[str]:
    head = ["name", "what it is for", "takes", "default", *(["live"] if live is not None else [])]
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for name, entry in entries(model).items():
        cells = [f"`{name}`", entry.help, entry.takes, _default(entry)]
        if live is not None:
            cells.append("yes" if name in live else "no")
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"
    yield ""


def _default(entry: Entry) -> str:
    return f"`{_plain(entry.default)}`" if entry.default not in (None, "", (), {}) else ""


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) and not value.is_integer() else written(value)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
