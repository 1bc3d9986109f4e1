"""The spool: checked rows between the two passes of planning, in memory as far as that goes, then on disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from ..core.files import sweep
from .plan_file import disk_errors

if TYPE_CHECKING:
    from types import TracebackType

_ENDING: Final = ".spool"
IN_MEMORY: Final = 400 * 1024**2
"""Bytes of parts that stay in memory; what comes after them waits on disk, beside the plan."""

Part = tuple[pl.DataFrame, pl.DataFrame]


class Spool:
    """Pairs of frames (rows, problems), written once and read again in the same order, one part at a time.

    The folder goes when the `with` block is left, by an error or Ctrl-C too; one that a killed process left
    behind goes when the next spool is made beside it a day later.

    Args:
        plan: Path of the plan that is being made; the spool lies in its folder.
    """

    def __init__(self, plan: Path) -> None:
        self._plan = plan
        self._folder: Path | None = None
        self._parts: list[Part | None] = []  # None: on disk
        self._room = IN_MEMORY

    def __enter__(self) -> Self:
        with disk_errors(self._plan):
            self._plan.parent.mkdir(parents=True, exist_ok=True)
        folder = self._plan.parent
        sweep(*folder.glob(f".*{_ENDING}"), *folder.glob(".*.parquet.*.part"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def __len__(self) -> int:
        return len(self._parts)

    def add(self, rows: pl.DataFrame, problems: pl.DataFrame) -> None:
        """Append a part.

        Raises:
            DiskFull: No room is left.
        """
        self._room -= int(rows.estimated_size() + problems.estimated_size())
        if self._room >= 0:
            self._parts.append((rows, problems))
            return
        with disk_errors(self._plan):
            number = len(self._parts)
            rows.write_ipc(self._path("rows", number), compression="lz4")
            problems.write_ipc(self._path("problems", number), compression="lz4")
        self._parts.append(None)

    def parts(self) -> Iterator[Part]:
        """Each part's rows and problems, in order. A part is gone once the next is asked for."""
        for number, part in enumerate(self._parts):
            if part is not None:
                yield part
                self._parts[number] = None
                continue
            paths = [self._path(kind, number) for kind in ("rows", "problems")]
            rows, problems = (pl.read_ipc(path) for path in paths)
            yield rows, problems
            for path in paths:
                path.unlink()

    def columns(self, names: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Only these columns of each part's rows; nothing is given up."""
        for number, part in enumerate(self._parts):
            if part is not None:
                yield part[0].select(names)
            else:
                yield pl.read_ipc(self._path("rows", number), columns=list(names))

    def _path(self, kind: str, number: int) -> Path:
        if self._folder is None:
            beside = f".{self._plan.stem}-{os.getpid()}-"
            self._folder = Path(tempfile.mkdtemp(_ENDING, beside, self._plan.parent))
        return self._folder / f"{kind}-{number:06}.arrow"
