"""A file of rows, opened: what CSV and Excel files have in common once their header is known."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from ..core.columns import REMARKS, ROW
from ..core.errors import SourceError
from ..core.problem import Problem, notice
from ..core.words import plural
from .base import BATCH, regrouped
from .cleaning import OWN_ROW, Cleaner

#: A file of which more rows than that are broken is not the table it was taken for.
MAX_BROKEN = 100_000


class FileSource(ABC):
    """A file as a source of rows. Open one with `batchkit.sources.tables.open_table`.

    Attributes:
        path: The file.
        name: Its name without folders.
        kind: "csv", "xlsx", "xls", "xlsb" or "ods", by its bytes.
        columns: Names of the columns, none blank and none twice.
        header_row: Row number of the header; 0 when the file has none.
        sheet: Name of the sheet; None for CSV.
        encoding, delimiter, line_ends: How a CSV file is written; None for workbooks.
        is_own: Whether batchkit wrote it: rows to correct, or results.
        problems: Complete once `batches()` has been read to the end.
        rows, blank_rows, repeated_headers: Counted by `batches()`.
    """

    kind: str
    encoding: str | None = None
    delimiter: str | None = None
    line_ends: str | None = None
    sheet: str | None = None

    def __init__(
        self,
        path: Path,
        *,
        columns: list[str],
        header: list[str | None],
        header_row: int,
        opening: Iterable[Problem],
        options: Mapping[str, Any],
    ) -> None:
        self.path = path
        self.name = path.name
        self.header_row = header_row
        self._opening = list(opening)
        self.problems: list[Problem] = list(self._opening)
        self.rows = self.blank_rows = self.repeated_headers = 0
        self.first_blank: int | None = None
        self._header = header
        self.is_own = ROW in columns
        # A file of our own repeats ROW as a column, and what we had to say about each row in others like it.
        self._read_columns = [OWN_ROW if name == ROW else name for name in columns]
        self.columns = [name for name in columns if not (self.is_own and name in REMARKS)]
        self._options = dict(options)
        self._sha256: str | None = None
        self._stamp = _stamp(path)

    def batches(self, size: int = BATCH) -> Iterator[pl.DataFrame]:
        """The rows in frames of `size`; see `Source.batches`.

        Raises:
            SourceError: A quote is never closed, too many rows are broken, or the file changes meanwhile.
        """
        self.problems = list(self._opening)
        self.rows = self.blank_rows = self.repeated_headers = 0
        self.first_blank = None
        header = [] if self.header_row == 0 or self.is_own else self._header
        cleaner = Cleaner(self.columns, header, self.is_own, bool(self._options.get("decode_entities")))
        cleaner.problems = self.problems
        digest = hashlib.sha256()
        yield from regrouped((cleaner.clean(frame) for frame in self._frames(digest)), size)
        self.rows, self.repeated_headers = cleaner.rows, cleaner.repeated_headers
        # After the last block and not before the first: a file may be written to at any time in between.
        if _stamp(self.path) != self._stamp:
            raise SourceError(
                f"{self.name} was changed while it was read.", advice="Open it again.", path=self.path
            )
        self._sha256 = digest.hexdigest()
        self.problems.extend(cleaner.closing())
        self.problems.extend(self._closing())

    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes; known already once `batches()` has been read."""
        if self._sha256 is None:
            self._sha256 = file_sha256(self.path)
        return self._sha256

    def describe(self) -> dict[str, Any]:
        """How to open it again the same way: `open_table(**facts)` without `name` and `kind`."""
        facts = {
            "kind": self.kind,
            "name": self.name,
            "path": str(self.path),
            "sheet": self.sheet,
            "header_row": self.header_row,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            **self._options,
        }
        return {name: value for name, value in facts.items() if value is not None}

    @abstractmethod
    def _frames(self, digest: Any) -> Iterator[pl.DataFrame]:
        """Frames of `ROW` and the columns as read; feeds the file's bytes to `digest`."""

    def _closing(self) -> Iterator[Problem]:
        if self.blank_rows:
            what = f"{plural(self.blank_rows, 'blank row')} skipped"
            if self.line_ends == "CR CR LF":
                what += "; each line ends in CR CR LF, which makes a blank row of every line end"
            yield notice("blank_rows", what, row=self.first_blank)

    def _complain(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) > MAX_BROKEN:
            raise SourceError(
                f"More than {MAX_BROKEN:,} rows of {self.name} are broken; the last is row {problem.row:,}.",
                advice="Look at the file: the delimiter, header row or encoding may be another.",
                path=self.path,
            )


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns
