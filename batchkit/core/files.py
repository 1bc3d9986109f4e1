"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from .errors import DiskFull, UsageError

_LEFT_BEHIND: Final = 86_400.0  # seconds; longer than anybody is at one file
FULL: Final = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
"""What a system says of a disk, or of a share of one, that is full; Windows knows no quota."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place to write to; what was written takes the place of `path` when the block ends well.

    The place is a folder beside `path`, so that the last step is one rename and the space that is used is
    that of the right disk. When the block fails, nothing is left behind and an older file at `path` stays.

    Args:
        path: The file to be written; its folder exists.

    Yields:
        A path with the same suffix, in a folder of its own.

    Raises:
        DiskFull: The disk has no room for the file.
        UsageError: The folder doesn't exist, or the file can't be written there.
    """
    folder: Path | None = None
    try:
        folder = Path(tempfile.mkdtemp(prefix=".batchkit-", dir=path.parent))
        draft = folder / f"draft{path.suffix}"
        yield draft
        _sync(draft)
        draft.replace(path)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def refuse_to_replace(path: Path, kept: Mapping[Path, str]) -> None:
    """Make sure that a file to be written isn't one that must stay, whatever name it is called by.

    Args:
        path: The file to be written.
        kept: File that must stay → what it is, as a sentence names it (`the source of this run`).

    Raises:
        UsageError: It is one of them.
    """
    for other, what in kept.items():
        if _same(path, other):
            raise UsageError(
                f"{path} is {what}; a file written there would overwrite it.",
                advice="Name another file.",
                path=path,
            )


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:  # one of them isn't there yet, so that only their names can tell
        return path.absolute().resolve() == other.absolute().resolve()


def sweep(*left: Path) -> None:
    """Remove what killed processes have left behind: files and folders that nobody wrote for a day."""
    for path in left:
        with suppress(OSError):
            if path.stat().st_mtime > time.time() - _LEFT_BEHIND:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


def _sync(draft: Path) -> None:
    # On the disk before the name changes: after a power cut the old file or the new one is there.
    with draft.open("rb+") as file:
        os.fsync(file.fileno())


def _explained(error: OSError, path: Path) -> Exception:
    if error.errno in FULL:
        return DiskFull(
            f"No room is left on the disk to write {path}.",
            advice="Free some space or name another folder, then ask for the file again.",
            path=path,
        )
    if not path.parent.is_dir():
        return UsageError(
            f"The folder {path.parent} doesn't exist, so {path.name} can't be written there.",
            advice="Create the folder or name another one.",
            path=path,
        )
    if isinstance(error, PermissionError | IsADirectoryError):
        return UsageError(
            f"{path} can't be written ({error.strerror}).",
            advice="Close it if it is open in another program, or name another file.",
            path=path,
        )
    return UsageError(
        f"{path} can't be written ({error.strerror or error}).", advice="Name another file.", path=path
    )
