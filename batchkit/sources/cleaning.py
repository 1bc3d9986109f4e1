"""What is seen to in each frame of rows as it leaves a file: wrappers, formulas, NULs, repeated headers."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import polars as pl

from ..core.columns import ROW
from ..core.errors import SourceError
from ..core.guards import needs_guard_expr, unguard_expr
from ..core.problem import Problem, error, notice
from ..core.words import plural

#: What the column `ROW` of a file of our own is called until its numbers become the row numbers.
OWN_ROW = "#row (as written)"
_WRAPPED = r'(?s)^="(.*)"$'
_TOLD_ONE_BY_ONE = 100  # repeated headers; beyond them, their number


@dataclass
class Counts:
    """What was found of a kind: how often, and the first row of it."""

    number: int = 0
    first: int | None = None

    def add(self, rows: pl.Series) -> None:
        """Count these rows."""
        if len(rows):
            self.number += len(rows)
            self.first = int(rows[0]) if self.first is None else self.first


@dataclass
class Cleaner:
    """Cleans the frames of one table, one after the other, and collects what there is to tell.

    Args:
        columns: Names of the columns.
        header: The header's cells as they stand in the file, to know it again further down.
        own: The file is one of ours: it says the original row numbers, and guarded texts are restored.
        decode_entities: Turn `&amp;` into `&`.
    """

    columns: list[str]
    header: Sequence[str | None]
    own: bool = False
    decode_entities: bool = False
    problems: list[Problem] = field(default_factory=list)
    repeated_headers: int = 0
    rows: int = 0
    _own_rows: list[pl.Series] = field(default_factory=list)
    _wrapped: dict[str, Counts] = field(default_factory=dict)
    _formulas: dict[str, Counts] = field(default_factory=dict)
    _decoded: dict[str, Counts] = field(default_factory=dict)

    def clean(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame as it is handed on."""
        # Repeated headers go first: they are no rows, and nothing of what follows is asked of them.
        frame = self._without_headers(frame)
        if self.own:
            frame = self._restored(frame)
        frame = self._unwrapped(frame)
        if self.decode_entities:
            frame = self._plain_entities(frame)
        self._see(frame)
        self.rows += frame.height
        return frame

    def closing(self) -> Iterator[Problem]:
        """What is told once the last frame is through.

        Raises:
            SourceError: Two rows of a file of ours say that they are the same one.
        """
        self._refuse_twins()
        if self.repeated_headers > _TOLD_ONE_BY_ONE:
            yield notice("repeated_header", f"The header is repeated {self.repeated_headers:,} times in all")
        for name, found in self._wrapped.items():
            cells = plural(found.number, "cell")
            message = f'{cells} written as ="..."; the text inside was taken'
            yield notice("wrapped", message, column=name, row=found.first)
        for name, found in self._decoded.items():
            message = f"HTML entities decoded in {plural(found.number, 'cell')}"
            yield notice("entities", message, column=name, row=found.first)
        for name, found in self._formulas.items():
            yield notice(
                "formula",
                f"{plural(found.number, 'cell begins', 'cells begin')} like a formula; kept as text, not run",
                "Nothing to do: whatever is written from here is guarded.",
                column=name,
                row=found.first,
            )

    def _without_headers(self, frame: pl.DataFrame) -> pl.DataFrame:
        first = next((i for i, cell in enumerate(self.header) if cell), None)
        if first is None:
            return frame
        if not (frame[self.columns[first]] == self.header[first]).any():
            return frame
        pairs = zip(self.columns, self.header, strict=True)
        same = frame.select(pl.all_horizontal(pl.col(name).eq_missing(cell or None) for name, cell in pairs))
        repeated = same.to_series()
        for row in frame[ROW].filter(repeated):
            self.repeated_headers += 1
            if self.repeated_headers <= _TOLD_ONE_BY_ONE:
                self.problems.append(
                    notice("repeated_header", "The header is repeated here; skipped", row=row)
                )
        return frame.filter(~repeated)

    def _restored(self, frame: pl.DataFrame) -> pl.DataFrame:
        rows = frame[OWN_ROW].cast(pl.UInt32, strict=False)
        missing = frame[ROW].filter(rows.is_null())
        if len(missing):
            message = f"Row {missing[0]} has no row number in its column {ROW!r}."
            advice = f"Rows keep their identity by {ROW!r}: give it back, or remove the whole column."
            raise SourceError(message, advice=advice, row=missing[0])
        self._own_rows.append(rows)
        texts = [unguard_expr(pl.col(name)) for name in self.columns]
        return frame.select(rows.alias(ROW), *texts)

    def _refuse_twins(self) -> None:
        rows = pl.concat(self._own_rows) if self._own_rows else pl.Series(dtype=pl.UInt32)
        twins = rows.filter(rows.is_duplicated())
        if len(twins):
            advice = f"Each row keeps the number it had; for added rows, use a file without {ROW!r}."
            raise SourceError(f"{ROW!r} says {twins[0]} on more than one row.", advice=advice, row=twins[0])

    def _unwrapped(self, frame: pl.DataFrame) -> pl.DataFrame:
        masks = frame.select(pl.col(name).str.starts_with('="') for name in self.columns)
        for name in self._any(masks):
            wrapped = frame[name].str.contains(_WRAPPED).fill_null(False)
            self._wrapped.setdefault(name, Counts()).add(frame[ROW].filter(wrapped))
            inside = pl.col(name).str.extract(_WRAPPED).str.replace_all('""', '"', literal=True)
            inside = pl.when(inside != "").then(inside)
            frame = frame.with_columns(pl.when(wrapped).then(inside).otherwise(pl.col(name)).alias(name))
        return frame

    def _plain_entities(self, frame: pl.DataFrame) -> pl.DataFrame:
        for name in self.columns:
            column = frame[name]
            texts = column.filter(column.str.contains("&[#A-Za-z0-9]+;").fill_null(False)).unique().to_list()
            plain = {text: html.unescape(text) for text in texts}
            plain = {text: better for text, better in plain.items() if better != text}
            if plain:
                self._decoded.setdefault(name, Counts()).add(frame[ROW].filter(column.is_in(list(plain))))
                frame = frame.with_columns(column.replace(plain).alias(name))
        return frame

    def _see(self, frame: pl.DataFrame) -> None:
        signs = frame.select(
            pl.col(name).str.contains("^['=@\t\r+\\-\x00-\x20＝＋－＠]") for name in self.columns
        )
        for name in self._any(signs):
            runs = frame.select(needs_guard_expr(pl.col(name)).fill_null(False)).to_series()
            if runs.any():
                self._formulas.setdefault(name, Counts()).add(frame[ROW].filter(runs))
        nuls = frame.select(pl.col(name).str.contains("\x00", literal=True) for name in self.columns)
        for name in self._any(nuls):
            for row, value in frame.filter(nuls[name].fill_null(False)).select(ROW, name).iter_rows():
                message = "The cell holds a NUL character, which databases refuse"
                advice = "Type the cell again in the file."
                self.problems.append(error("nul", message, advice, row=row, column=name, value=value))

    def _any(self, masks: pl.DataFrame) -> list[str]:
        if not masks.height:
            return []
        found = masks.select(pl.all().any()).row(0)
        return [name for name, any_there in zip(self.columns, found, strict=True) if any_there]
