"""Files from elsewhere: brought to this machine when they are first asked for, and read like any other."""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from ..core.errors import DiskFull
from ..core.files import FULL, sweep
from ..core.model import Place, entries, read
from .base import BATCH, refuse_wrong_entries
from .tables import open_table

if TYPE_CHECKING:
    import polars as pl

    from ..core.problem import Problem
    from .file import FileSource

_LONGEST_NAME: Final = 120
_PREFIX: Final = "batchkit-source-"


class Fetched(NamedTuple):
    """What was brought.

    Attributes:
        name: What the file is called where it comes from.
        facts: What a plan shall know of it, JSON-able, such as its version there.
    """

    name: str
    facts: dict[str, Any]


class FetchedSource(ABC):
    """A CSV or Excel file that is somewhere else.

    It lies in a temporary folder from the first question about its rows until `close`, or until nobody holds
    the source any more. Asked again after that, it is brought again.

    Args:
        address: Where it is, with names of secrets in the place of their values.
        **given: What its `model` holds, and how the file is read; see `tables.open_table`.

    Attributes:
        model: What else is said of such a source, as a model (see `core.model`); None where nothing is.
        address: That address.
        says: What was said of it, as the model has it.
        reading: How it is read, as far as that was said.

    Raises:
        SourceError: No file is read by such an option.
    """

    model: ClassVar[Any] = None

    def __init__(self, address: str, **given: Any) -> None:
        known = entries(self.model) if self.model is not None else {}
        self._entries = {name: given.pop(name) for name in known if name in given}
        self.says = self.model and read(
            self.model, self._entries, Place("source.", "source has no entry", "The source")
        )
        refuse_wrong_entries(open_table, given, address, near=known)
        self.address = address
        self.reading = given
        self._facts: dict[str, Any] = {}
        self._path: Path | None = None
        self._table: FileSource | None = None
        self._remove: Callable[[], object] = lambda: None

    @abstractmethod
    def fetch(self, path: Path) -> Fetched:
        """Bring the file.

        Args:
            path: Where to.

        Raises:
            SourceError: It can't be had; says why, and what to do.
            OSError: The disk refused it.
        """

    def version(self) -> dict[str, Any]:
        """What `Fetched.facts` would be if it were brought now, as far as that is told without bringing it.

        Raises:
            SourceError: It is gone, or can't be asked after.
        """
        return {}

    @property
    def path(self) -> Path:
        """Where the file is on this machine; brought there when this is first asked.

        Raises:
            SourceError: It can't be had.
            DiskFull: It doesn't fit on the disk.
        """
        if self._path is not None and not self._path.exists():
            self.close()  # swept away meanwhile, by us or by the system
        if self._path is None:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
            # Now, since nobody is called when a process is killed: the next one to fetch cleans up after it.
            sweep(*folder.parent.glob(f"{_PREFIX}*"))
            # Also where nobody closes: with the last reference, or at the end of the process.
            self._remove = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            try:
                self._path = self._brought(folder)
            except BaseException:
                self.close()
                raise
        return self._path

    @property
    def table(self) -> FileSource:
        """The file, opened; raises what `path` raises.

        Raises:
            SourceError: It can't be read as a table.
        """
        path = self.path
        if self._table is None:
            try:
                self._table = open_table(path, **self.reading)
            except BaseException:
                self.close()
                raise
        return self._table

    def _brought(self, folder: Path) -> Path:
        draft = folder / "fetching"
        try:
            fetched = self.fetch(draft)
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise DiskFull(
                f"No room is left in {folder.parent} for the file from {self.address}.",
                advice="Free some space, or set TMPDIR to a folder on another disk.",
                path=folder.parent,
            ) from error
        self._facts = fetched.facts
        return draft.rename(folder / _file_name(fetched.name))

    def close(self) -> None:
        """Remove the file from this machine."""
        self._path = self._table = None
        self._remove()

    @property
    def name(self) -> str:
        """What the file is called where it comes from."""
        return self.table.name

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self.table.columns

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with it; complete once `batches()` has been read to the end."""
        return self.table.problems

    def batches(self, size: int = BATCH) -> Iterator[pl.DataFrame]:
        """The rows in frames of `size`; see `Source.batches`."""
        yield from self.table.batches(size)  # not handed on: the file stays while somebody reads its rows

    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes."""
        return self.table.fingerprint()

    def describe(self) -> dict[str, Any]:
        """How to open it again the same way, and which version was read."""
        facts = self.table.describe()
        del facts["path"]  # where it lay is gone tomorrow
        return {**facts, **self.to_dict(), **self._facts}

    def to_dict(self) -> dict[str, Any]:
        """The entries of a job file: opened with them it is the same source."""
        return {"address": self.address, **self._entries, **self.reading}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.address!r})"


def _file_name(name: str) -> str:
    """A name from outside as one that stays in its folder."""
    plain = re.sub(r"[^\w .,()+-]", "_", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    return plain[-_LONGEST_NAME:] or "table"
