"""A plan on disk: one sealed Parquet file, written as it comes, read in windows.

The file is ordinary Parquet that any tool opens. Its footer holds two entries of batchkit's own:
`batchkit:plan`, the facts of the plan as JSON, and `batchkit:seal`, a SHA-256 over the whole file
(computed with the seal's own digits as zeros, then patched in). One changed byte anywhere is found
before the file is parsed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import re
import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

import polars as pl

from ..core.columns import CHANGE, ITEM, PROBLEMS
from ..core.errors import DiskFull, PlanError
from ..core.files import FULL
from ..core.storable import storable_all

if TYPE_CHECKING:
    from types import TracebackType

VERSION: Final = 1
"""What a new plan is written as. Plans of every version up to it are read: a fact that came later is absent
in an earlier one, and whoever asks for it says what its absence means."""
WINDOW: Final = 50_000
"""Rows of a row group, and of everything that reads a plan piece by piece."""

FACTS_KEY: Final = "batchkit:plan"
SEAL_KEY: Final = "batchkit:seal"
_SEAL: Final = re.compile(rb"batchkit-seal-1:([0-9a-f]{64})")
_ZEROS: Final = "0" * 64
_MAGIC: Final = b"PAR1"
_BLOCK: Final = 1 << 20
_AT_ONCE: Final = 1 << 30


class PlanWriter:
    """Writes a plan's frames to one file, which appears under its name when all of it is on disk.

    The frames are made in the caller's thread (so that Ctrl-C and connections behave as usual) and encoded in
    a second one; at most two wait between them.

    Args:
        path: Where the plan shall be; a plan that is there already is replaced.
        schema: Columns and types of every frame.

    Raises:
        PlanError: Something else than a plan is there already.
    """

    def __init__(self, path: Path, schema: pl.Schema) -> None:
        check_place(path)
        self.path = path
        self.schema = schema
        self.counts: Counter[str] = Counter()
        self.windows: list[dict[str, Any]] = []
        self.problems = 0
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(2)}.part")
        self._waiting: queue.Queue[pl.DataFrame | BaseException | None] = queue.Queue(2)
        self._facts: dict[str, Any] = {}
        self._encoded: Future[None] = Future()

    def __enter__(self) -> Self:
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.touch(mode=0o600)
        # No pool: Python waits for its threads, and who leaves while a plan is made shouldn't have to.
        threading.Thread(target=self._encode, name="batchkit-plan", daemon=True).start()
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows, which are numbered as they come; a frame becomes a window of the plan.

        Args:
            frame: About `WINDOW` rows.

        Raises:
            DiskFull: No room is left.
        """
        if frame.is_empty():
            return
        start = sum(self.counts.values())
        frame = frame.with_columns(pl.int_range(start, start + frame.height, dtype=pl.UInt32).alias(ITEM))
        if frame.schema != self.schema:
            raise TypeError(f"a plan of {self.schema} was given a frame of {frame.schema}")
        kinds = dict(frame.get_column(CHANGE).value_counts().iter_rows())
        problems = int(frame.get_column(PROBLEMS).list.len().sum() or 0)
        self.counts.update(kinds)
        self.problems += problems
        self.windows.append({"rows": frame.height, "changes": kinds, "problems": problems})
        self._hand_over(frame)

    def finish(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Complete the file and put it under its name.

        Args:
            facts: What else is to be known about the plan; JSON-able.

        Returns:
            The facts as stored, with version, counts and windows.

        Raises:
            DiskFull: No room is left.
        """
        self._facts = {
            "version": VERSION,
            **storable_all(facts),  # the name of a file may be no text at all
            "counts": dict(self.counts),
            "problem_count": self.problems,
            "windows": self.windows,
        }
        self._hand_over(None)
        with disk_errors(self.path):
            self._encoded.result()
            _seal(self._temporary)
            self._temporary.replace(self.path)
        return self._facts

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(BaseException):
            self._hand_over(_Abandoned())
        wait([self._encoded])
        self._temporary.unlink(missing_ok=True)

    def _hand_over(self, piece: pl.DataFrame | BaseException | None) -> None:
        while not self._encoded.done():  # a while at most: what ended over there takes nothing more
            with contextlib.suppress(queue.Full):
                return self._waiting.put(piece, timeout=0.2)
        with disk_errors(self.path):
            return self._encoded.result()

    def _pieces(
        self, columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        del columns, predicate, rows, size  # a sink asks for all of it
        while (piece := self._waiting.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece

    def _entries(self, _context: Any) -> dict[str, str]:
        # polars asks for the footer's entries when all frames are through: the counts are complete by then.
        return {
            FACTS_KEY: json.dumps(self._facts, ensure_ascii=False, default=str),
            SEAL_KEY: f"batchkit-seal-1:{_ZEROS}",
        }

    def _encode(self) -> None:
        try:
            pl.io.plugins.register_io_source(self._pieces, schema=self.schema).sink_parquet(
                self._temporary,
                compression="zstd",
                compression_level=1,
                statistics=False,
                row_group_size=WINDOW,
                metadata=self._entries,
            )
        except BaseException as error:  # noqa: BLE001 - it is raised again in the caller's thread
            self._encoded.set_exception(error)
        else:
            self._encoded.set_result(None)


class _Abandoned(Exception):
    """Tells the encoding thread that nobody wants the file any more."""


def read_facts(path: Path, *, verify: bool = True) -> dict[str, Any]:
    """The facts of a plan file.

    Args:
        path: The file.
        verify: Read all of it and compare with the seal (about 1 GB/s); False only looks at both ends.

    Raises:
        PlanError: It isn't there, is no plan, is damaged, or was made by a newer batchkit.
    """
    try:
        footer = _footer(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    if footer is None:
        raise _damaged(path, "it is no complete Parquet file")
    found = _SEAL.findall(footer)
    if not found:
        raise PlanError(
            f"{path} is a Parquet file, but no plan of batchkit.",
            advice="To use it as a source, make a plan from it; to apply a plan, give the file that "
            "was written when it was made.",
            path=path,
        )
    if verify and (len(found) != 1 or _digest(path, len(footer)) != found[0].decode()):
        raise _damaged(path, "its content doesn't match its seal")
    try:
        facts = json.loads(pl.read_parquet_metadata(path)[FACTS_KEY])
    except Exception:  # noqa: BLE001  whatever the parser says, an unread footer is a damaged plan
        raise _damaged(path, "its footer can't be read") from None
    version = facts.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise PlanError(
            f"The plan {path} has format {version}; this batchkit reads formats up to {VERSION}.",
            advice="Update batchkit, or make the plan again with this one.",
            path=path,
        )
    return dict(facts)


def copy_plan(plan: Path, path: Path, facts: Mapping[str, Any]) -> None:
    """Copy a plan file; the copy appears under its name when all of it is on disk.

    Never a second name for the same file: who writes over a plan in place (as `cp` does) would change the
    plan of every run that shares it.

    Args:
        plan: The file.
        path: Where the copy shall be; what is there is replaced.
        facts: What the plan said when it was opened.

    Raises:
        PlanError: It can't be read or written, or says something else by now.
        DiskFull: No room is left.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(2)}.part")
    try:
        original = plan.open("rb")
    except OSError as error:
        raise _unreadable(plan, error) from None
    try:
        with original, disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            part.touch(mode=0o600)
            _copy(original, part)
            # Asked of the copy, which nobody else knows: the file may be written over at any moment.
            if not _says(part, facts):
                raise PlanError(
                    f"The plan {plan} was changed or replaced since it was opened.",
                    advice="Look at it once more and start that, or make the plan again.",
                    path=plan,
                )
            part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _copy(original: BinaryIO, place: Path) -> None:
    with place.open("r+b") as copy:
        if hasattr(os, "copy_file_range"):
            try:
                # The file system shares the blocks where it can: then a copy costs neither time nor room.
                while os.copy_file_range(original.fileno(), copy.fileno(), _AT_ONCE):
                    pass
            except OSError as error:
                if error.errno in FULL:
                    raise
        # What that left (all of it between some file systems, and where there is no such call).
        original.seek(copy.seek(0, os.SEEK_END))
        shutil.copyfileobj(original, copy, _BLOCK)
        copy.flush()
        os.fsync(copy.fileno())


def _says(path: Path, facts: Mapping[str, Any]) -> bool:
    with contextlib.suppress(PlanError):
        found: bool = read_facts(path, verify=False) == json.loads(json.dumps(facts, default=str))
        return found
    return False


def check_place(path: Path, taken: Mapping[Path, str] | None = None) -> None:
    """Make sure that a plan may be written there: only another plan, or an empty file, is written over.

    Args:
        path: Where the plan shall be.
        taken: Files that are kept whatever they are, there already or not, and what they are.

    Raises:
        PlanError: It may not.
    """
    what = next((name for place, name in (taken or {}).items() if place.resolve() == path.resolve()), None)
    if what is None and path.is_dir():
        what = "a folder"
    elif what is None and path.exists() and path.stat().st_size and not _is_plan(path):
        what = "there already, and no plan"
    if what is not None:
        raise PlanError(
            f"The plan can't be written to {path}: that is {what}.",
            advice="Choose another path, such as one that ends in .plan.parquet.",
            path=path,
        )


def _is_plan(path: Path) -> bool:
    try:
        return _SEAL.search(_footer(path) or b"") is not None
    except OSError:
        return False


def _unreadable(path: Path, error: OSError) -> PlanError:
    return PlanError(
        f"The plan {path} can't be read: {error.strerror or error}.",
        advice="Give the path that was shown when the plan was made.",
        path=path,
    )


def _damaged(path: Path, how: str) -> PlanError:
    return PlanError(
        f"The plan {path} is damaged: {how}.", advice="Make the plan again from its source.", path=path
    )


def _footer(path: Path) -> bytes | None:
    size = path.stat().st_size
    if size < 12:
        return None
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(-8, os.SEEK_END)
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little") + 8
        if start != _MAGIC or tail[4:] != _MAGIC or length > size:
            return None
        file.seek(-length, os.SEEK_END)
        return file.read()


def _digest(path: Path, footer: int) -> str:
    digest = hashlib.sha256()
    left = path.stat().st_size - footer
    with path.open("rb") as file:
        while left and (block := file.read(min(_BLOCK, left))):
            digest.update(block)
            left -= len(block)
        digest.update(_SEAL.sub(f"batchkit-seal-1:{_ZEROS}".encode(), file.read()))
    return digest.hexdigest()


def _seal(path: Path) -> None:
    footer = _footer(path)
    found = list(_SEAL.finditer(footer or b""))
    if footer is None or len(found) != 1:
        raise PlanError(
            f"The plan {path} can't be sealed.",
            advice="Report this: a column's name looks like a seal.",
            path=path,
        )
    digits = _digest(path, len(footer)).encode()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - len(footer) + found[0].start(1))
        file.write(digits)
        file.flush()
        os.fsync(file.fileno())


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses while this plan is written into `DiskFull` or `PlanError`."""
    try:
        yield
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in FULL
        if full or "no space left" in str(error).lower():
            raise DiskFull(
                f"No room is left on the disk for the plan {path}.",
                advice="Free some space, or write the plan elsewhere (a path of its own, or BATCHKIT_HOME).",
                path=path,
            ) from None
        if isinstance(error, OSError):
            raise PlanError(
                f"The plan {path} can't be written: {error.strerror or error}.",
                advice="Choose a folder you may write to.",
                path=path,
            ) from None
        raise
