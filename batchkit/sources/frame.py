"""polars and pandas frames: as sources of rows, as plain text, and from one kind to the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl

from ..core.columns import ROW
from ..core.errors import SourceError
from ..core.install import install_command
from ..core.problem import Problem
from .base import BATCH, regrouped
from .cell_text import as_text
from .headers import column_names

if TYPE_CHECKING:
    import pandas as pd

_PIECE = 50_000
_EXACT = 2.0**53  # whole floats below it are exact


class FrameSource:
    """A polars or pandas frame, or a polars LazyFrame, as a source of rows.

    The first row is row 2, as on the sheet the frame would be under its header. Values become the same text
    that a cell of a workbook would (see `batchkit.sources.cell_text.as_text`).

    Args:
        frame: The frame. Its index, if it is a pandas one, is left out.
        name: What people call it.

    Raises:
        SourceError: It is no frame, or has no columns.
    """

    def __init__(self, frame: Any, name: str = "frame") -> None:
        self.name = name
        self._frame = frame
        self._is_pandas = type(frame).__module__.partition(".")[0] == "pandas" and hasattr(frame, "iloc")
        if self._is_pandas:
            header = [None if label is None else str(label) for label in frame.columns]
        elif isinstance(frame, (pl.DataFrame, pl.LazyFrame)):
            header = list(frame.lazy().collect_schema().names())
        else:
            advice = "Give a path, a frame, or build one with polars.DataFrame(...)."
            raise SourceError(f"{type(frame).__name__} is no polars or pandas frame.", advice=advice)
        if not header:
            raise SourceError(f"The frame {name!r} has no columns.", advice="Give one that has.")
        self._has_rows = not self._is_pandas and ROW in header
        labels = [label for label in header if label != ROW or self._is_pandas]
        self.columns, self._opening = column_names(labels, None)
        self.problems: list[Problem] = list(self._opening)
        self.rows = 0

    def batches(self, size: int = BATCH) -> Iterator[pl.DataFrame]:
        """The rows in frames of `size`; see `Source.batches`. A column `ROW` gives the row numbers."""
        self.problems = list(self._opening)
        self.rows = 0
        for batch in regrouped(self._pieces(), size):
            self.rows += batch.height
            yield batch

    def fingerprint(self) -> str:
        """SHA-256 of the names and of the rows as text."""
        digest = hashlib.sha256("\x1f".join(self.columns).encode())
        for piece in self._pieces():
            digest.update(piece.drop(ROW).write_csv(include_header=False, quote_style="always").encode())
        return digest.hexdigest()

    def describe(self) -> dict[str, Any]:
        """What it is; a frame can't be opened again from that."""
        return {"kind": "frame", "name": self.name, "columns": self.columns}

    def _pieces(self) -> Iterator[pl.DataFrame]:
        start = 2
        for piece in self._texts():
            rows = pl.int_range(start, start + piece.height, dtype=pl.UInt32, eager=True)
            start += piece.height
            yield piece if self._has_rows else piece.insert_column(0, rows.alias(ROW))

    def _texts(self) -> Iterator[pl.DataFrame]:
        if self._is_pandas:
            for start in range(0, len(self._frame), _PIECE):
                yield self._pandas_texts(self._frame.iloc[start : start + _PIECE])
            return
        labels = [name for name in self._frame.lazy().collect_schema() if name != ROW]
        names = dict(zip(labels, self.columns, strict=True))
        lazy = self._frame.lazy()
        pieces = (
            self._frame.iter_slices(_PIECE)
            if isinstance(self._frame, pl.DataFrame)
            else lazy.collect_batches(chunk_size=_PIECE, maintain_order=True)
        )
        for piece in pieces:
            texts = as_texts(piece.select(labels)).rename(names)
            yield texts.insert_column(0, piece[ROW].cast(pl.UInt32)) if self._has_rows else texts

    def _pandas_texts(self, piece: Any) -> pl.DataFrame:
        columns = []
        for position, name in enumerate(self.columns):
            values = piece.iloc[:, position].tolist()
            columns.append(pl.Series(name, [as_text(value) for value in values], pl.String))
        return pl.DataFrame(columns)


def to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """A polars frame as a pandas one; needs no pyarrow.

    Raises:
        SourceError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise SourceError("pandas is not installed.", advice=f"Run: {install_command('lab')}") from None
    return pd.DataFrame(
        {name: pd.Series(frame[name].to_list(), dtype=_pandas_dtype(frame[name])) for name in frame.columns}
    )


def _pandas_dtype(column: pl.Series) -> str | None:
    kind = column.dtype
    if kind == pl.String:
        return "object"
    if kind.is_integer():
        return "Int64" if column.null_count() else "int64"
    if kind == pl.Boolean:
        return "boolean" if column.null_count() else "bool"
    return "float64" if kind.is_float() else "object" if kind.is_nested() or kind.is_decimal() else None


def as_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Every column as the canonical text of its values; see `batchkit.sources.cell_text.as_text`."""
    return frame.with_columns(_column_texts(column) for column in frame).with_columns(
        pl.when(pl.all() != "").then(pl.all())
    )


def _column_texts(column: pl.Series) -> pl.Series:
    kind = column.dtype
    if kind == pl.String:
        return column
    if kind.is_float():
        return _float_texts(column)
    if isinstance(kind, pl.Datetime):
        return column.dt.strftime("%Y-%m-%d %H:%M:%S%.f" + ("%:z" if kind.time_zone else ""))
    if kind == pl.Time:
        return column.dt.strftime("%H:%M:%S%.f")
    if kind.is_integer() or kind in (pl.Boolean, pl.Date, pl.Categorical, pl.Enum, pl.Null):
        return column.cast(pl.String)
    return pl.Series(column.name, [as_text(value) for value in column.to_list()], pl.String)


def _float_texts(values: pl.Series) -> pl.Series:
    whole = values.is_finite() & (values == values.floor()) & (values.abs() < _EXACT)
    texts = values.cast(pl.String)
    plain = values.set(~whole.fill_null(False), None).cast(pl.Int64).cast(pl.String)
    return plain.fill_null(texts).set(values.is_nan().fill_null(False), None)
