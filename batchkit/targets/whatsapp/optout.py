"""The opt-out list: numbers that want no message, wherever they are written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ...checking.identifiers import phone_reader
from ...core.errors import SourceError, UsageError
from ..base import OpenTable, Rows

_TEXTS: Final = (".txt", ".lst", ".list")
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class OptOuts:
    """Numbers that are never messaged.

    Attributes:
        numbers: In E.164.
        name: Where they are written down.
        unread: Places of the list that hold something that is no number.
    """

    numbers: frozenset[str] = frozenset()
    name: str = ""
    unread: tuple[str, ...] = field(default=())

    def __contains__(self, number: object) -> bool:
        return number in self.numbers

    @classmethod
    def of(
        cls, given: str | Path | Iterable[str] | None, region: str, open_table: OpenTable | None = None
    ) -> OptOuts:
        """The list as a job gives it, its numbers read as the job's own are.

        Args:
            given: Path of a CSV, Excel or text file (a number per line), or the numbers themselves.
            region: Region of numbers without a country code.
            open_table: Opens a CSV or Excel file; without it only a text file can be read.

        Raises:
            UsageError: The file can't be read, or holds no numbers.
        """
        if given is None or (isinstance(given, str | Path) and not str(given).strip()):
            return cls()
        read = phone_reader(region)
        if not isinstance(given, str | Path):
            return _kept([(f"entry {n}", str(text)) for n, text in enumerate(given, 1)], "the job", read)
        path = Path(given).expanduser()
        if not path.is_file():
            advice = "Nobody is messaged without it: correct target.opt_out, or bring the file there."
            raise UsageError(f"The opt-out list {path} isn't there.", advice=advice)
        lines = _lines(path) if path.suffix.lower() in _TEXTS else _cells(path, read, open_table)
        kept = _kept(lines, path.name, read)
        if lines and not kept.numbers:
            advice = "It takes a number per line, or a table with a column of numbers."
            raise UsageError(f"The opt-out list {path} holds no phone number.", advice=advice)
        return kept

    @property
    def unread_shown(self) -> str:
        """The first of the places that hold no number."""
        more = len(self.unread) - _SHOWN
        return ", ".join(self.unread[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


Read = Callable[[str], tuple[str | None, object]]


def _kept(entries: Iterable[tuple[str, str]], name: str, read: Read) -> OptOuts:
    numbers, unread = set(), []
    for place, text in entries:
        number, _ = read(text)
        if number is None:
            unread.append(place)
        else:
            numbers.add(number)
    return OptOuts(frozenset(numbers), name, tuple(unread))


def _lines(path: Path) -> list[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise UsageError(f"The opt-out list {path} can't be read: {error.strerror or error}.") from None
    lines = [(f"line {n}", line.strip()) for n, line in enumerate(text.splitlines(), 1)]
    return [(place, line) for place, line in lines if line and not line.startswith("#")]


def _cells(path: Path, read: Read, open_table: OpenTable | None) -> list[tuple[str, str]]:
    """The cells of the column that holds most numbers."""
    if open_table is None:
        raise UsageError(
            f"The opt-out list {path} is a table, and this target was given nothing to read tables with.",
            advice="Open it by batchkit.open_target, or give the list as .txt with a number per line.",
        )
    try:
        columns = list(_columns(_table(path, open_table), read))
    except SourceError as error:
        raise UsageError(f"The opt-out list can't be read: {error.message}", advice=error.advice) from None
    scored = [(sum(read(text)[0] is not None for _, text in cells), cells) for cells in columns]
    return max(scored, key=lambda each: each[0])[1] if scored else []


def _table(path: Path, open_table: OpenTable) -> Rows:
    try:
        return open_table(path)
    except SourceError:
        return open_table(path, header_row=0)  # nothing in it looks like a header


def _columns(table: Rows, read: Read) -> Iterator[list[tuple[str, str]]]:
    # A list without a header has a number where others have a name.
    found = {name: [("row 1", name)] if read(name)[0] else [] for name in table.columns}
    for batch in table.batches(10_000):
        rows = batch["#row"].to_list()
        for name in table.columns:
            cells = zip(rows, batch[name].to_list(), strict=True)
            found[name] += [(f"row {row}", text) for row, text in cells if text and text.strip()]
    yield from found.values()
