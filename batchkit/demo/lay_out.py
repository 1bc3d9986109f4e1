"""The notebooks and samples that come with batchkit, laid out in a folder of the operator's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from filecmp import cmp
from pathlib import Path
from shutil import copyfileobj
from typing import Final

from ..core.install import clone_folder

FOLDERS: Final = ("notebooks", "data")
"""Side by side, so that a notebook finds `data/companies.csv` in the folder above its own."""


@dataclass(slots=True)
class Laid:
    """What became of the files, by their names within the folder.

    Attributes:
        new: Those that were missing and are there now.
        kept: Those that were there as they are.
        changed: Those that were there and differ: by the operator's hand, or of another version. Left alone.
    """

    new: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


def lay_out(folder: Path) -> Laid:
    """Put what is missing of notebooks and samples into a folder; no file that is there is written to.

    Args:
        folder: Made when missing.

    Raises:
        OSError: A file or folder can't be made.
    """
    laid = Laid()
    for name, ours in _shipped():
        place = folder / name
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            _copy(ours, place)
            laid.new.append(name)
        elif cmp(ours, place, shallow=False):
            laid.kept.append(name)
        else:
            laid.changed.append(name)
    return laid


def _shipped() -> Iterator[tuple[str, Path]]:
    """Each file by its name within the folder: a clone has them at its top, a wheel beside this file."""
    top = clone_folder() or Path(__file__).parent
    for folder in FOLDERS:
        for path in sorted((top / folder).rglob("*")):
            # In a clone the folder may hold more: what Jupyter keeps beside a notebook, reports of runs.
            if path.is_file() and not {".ipynb_checkpoints", "reports"} & set(path.parts):
                yield path.relative_to(top).as_posix(), path


def _copy(ours: Path, place: Path) -> None:
    # "x": a file that somebody makes between the look and this line is theirs, and isn't overwritten.
    with ours.open("rb") as source, place.open("xb") as file:
        try:
            copyfileobj(source, file)
        except BaseException:
            place.unlink(missing_ok=True)  # half a notebook would be kept as the operator's own next time
            raise
