"""The spool: checked rows between the two passes of planning, in parts on disk beside the plan."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import polars as pl

from .planfile import disk_errors

if TYPE_CHECKING:
    from types import TracebackType

_ENDING: Final = ".spool"
_FORGOTTEN: Final = 86_400.0


class Spool:
    """Pairs of frames (rows, problems), written once and read again in the same order, one part at a time.

    The folder goes when the `with` block is left, by an error or Ctrl-C too; one that a killed process left
    behind goes when the next spool is made beside it a day later.

    Args:
        plan: Path of the plan that is being made; the spool lies in its folder.
    """

    def __init__(self, plan: Path) -> None:
        self._plan = plan
        self._folder = Path()
        self._parts = 0

    def __enter__(self) -> Self:
        with disk_errors(self._plan):
            self._plan.parent.mkdir(parents=True, exist_ok=True)
            _forget_old(self._plan.parent)
            place = tempfile.mkdtemp(_ENDING, f".{self._plan.stem}-{os.getpid()}-", self._plan.parent)
        self._folder = Path(place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def __len__(self) -> int:
        return self._parts

    def add(self, rows: pl.DataFrame, problems: pl.DataFrame) -> None:
        """Append a part.

        Raises:
            DiskFull: No room is left.
        """
        with disk_errors(self._plan):
            rows.write_ipc(self._path("rows", self._parts), compression="lz4")
            problems.write_ipc(self._path("problems", self._parts), compression="lz4")
        self._parts += 1

    def parts(self) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Each part's rows and problems, in order. A part is deleted once the next is asked for."""
        for number in range(self._parts):
            paths = [self._path(kind, number) for kind in ("rows", "problems")]
            rows, problems = (pl.read_ipc(path) for path in paths)
            yield rows, problems
            for path in paths:
                path.unlink()

    def columns(self, names: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Only these columns of each part's rows; nothing is deleted."""
        for number in range(self._parts):
            yield pl.read_ipc(self._path("rows", number), columns=list(names))

    def _path(self, kind: str, number: int) -> Path:
        return self._folder / f"{kind}-{number:06}.arrow"


def _forget_old(folder: Path) -> None:
    for left in folder.glob(f".*{_ENDING}"):
        try:
            if left.stat().st_mtime < time.time() - _FORGOTTEN:
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue
