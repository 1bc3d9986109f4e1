"""What every source of rows has in common: protocol, registry by scheme, and frames cut to one size."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import polars as pl

from ..core.advice import option
from ..core.errors import SourceError
from ..core.problem import Problem
from ..core.registry import Registry, scheme_of
from ..core.secrets import redact
from ..core.words import did_you_mean

BATCH = 50_000

_REGISTRY = Registry(
    "source",
    {
        "file": "batchkit.sources.tables:open_table",
        "frame": "batchkit.sources.frame:FrameSource",
        "http": "batchkit.sources.url:UrlSource",
        "https": "batchkit.sources.url:UrlSource",
        "sqlite": "batchkit.sources.query:QuerySource",
        "postgresql": "batchkit.sources.query:QuerySource",
        "postgres": "batchkit.sources.query:QuerySource",
    },
)
"""A new kind is a file of its own and a line here; a package of somebody else's brings an entry point.

What stands here is called with the address and the source's other entries by name. It gives a `Source`
and asks nobody yet: its `columns` are the first question.
"""

register_source = _REGISTRY.register
schemes = _REGISTRY.schemes
source_opener = _REGISTRY.opener

#: Two letters at least: `C:` is a drive.
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")


@runtime_checkable
class Source(Protocol):
    """Anything rows come from: a file, a query, a frame.

    One that holds something (a temporary file, a connection) has a method `close` too; see `closing`.

    Attributes:
        name: What people call it: a file name, "query", "frame".
        columns: Names of the columns, without `ROW`.
        problems: What is wrong with the source as a whole and with its rows. It grows while `batches()` is
            read and is complete after it. A row that has a problem of level "error" must not be sent.
    """

    @property
    def name(self) -> str: ...  # noqa: D102 - the attributes above

    @property
    def columns(self) -> list[str]: ...  # noqa: D102

    @property
    def problems(self) -> list[Problem]: ...  # noqa: D102

    def batches(self, size: int = BATCH) -> Iterator[pl.DataFrame]:
        """The rows from first to last: frames of `size` rows (the last may hold fewer).

        Yields:
            Frames with `ROW` (UInt32) and all columns as String; an empty cell is null.
        """
        ...

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the file's bytes, or of the content where there is no file."""
        ...

    def describe(self) -> dict[str, Any]:
        """JSON-able facts, enough to open it again the same way."""
        ...


def open_source(given: Any, **options: Any) -> Source:
    """The source that somebody means.

    Args:
        given: A path, an address (`https://host/companies.csv`, `sqlite:///crm.sqlite`), a polars or pandas
            frame, or a source.
        **options: The source's other entries: how a file is read (see `tables.open_table`), the `query` of a
            database, the `headers` of a request.

    Raises:
        SourceError: It can't be read as a table, or doesn't take these options.
        UsageError: No source has that scheme.
    """
    if hasattr(given, "batches"):  # not isinstance: that would ask a query for its columns
        if options:
            message = f"{' and '.join(options)} can't be said of a source that is open."
            raise SourceError(message, advice="Open it with them.")
        own: Source = given
        return own
    if not isinstance(given, (str, os.PathLike)):
        address = "frame:"
    elif (path := local_path(given)) is not None:
        given, address = path, "file:"
    else:
        address = str(given)
    opener = _REGISTRY.opener(address)
    refuse_wrong_entries(opener, options, address)
    source: Source = opener(given, **options)
    return source


def check_entries(address: str, entries: Mapping[str, Any]) -> None:
    """Make sure that the source at an address takes these entries, and that none is missing.

    Raises:
        SourceError: It doesn't take one, or needs another.
        UsageError: No source has that scheme.
    """
    if local_path(address) is None:
        open_source(address, **entries)  # which asks nobody yet, and checks more than names
    else:
        refuse_wrong_entries(_REGISTRY.opener("file:"), entries, "a file")


def refuse_wrong_entries(
    opener: Any, entries: Mapping[str, Any], what: str, near: Iterable[str] = ()
) -> None:
    """Make sure that a class or function that opens sources takes these entries, and that none is missing.

    Args:
        opener: The class or function; its first argument is the address.
        entries: What it is given besides.
        what: What is opened, for the message.
        near: More names that may have been meant; those entries are read elsewhere.

    Raises:
        SourceError: It doesn't take one, or needs another.
    """
    parameters = list(inspect.signature(opener).parameters.values())[1:]  # the first one is the address
    takes = {each.name: each for each in parameters if each.kind is not each.VAR_KEYWORD}
    what = {"file:": "a file", "frame:": "a frame"}.get(what, redact(what))
    unknown = [name for name in entries if name not in takes]
    if unknown and len(takes) == len(parameters):
        names = [*takes, *near]
        raise SourceError(f"{unknown[0]} can't be said of {what}.", advice=did_you_mean(unknown[0], names))
    missing = [name for name, each in takes.items() if each.default is each.empty and name not in entries]
    if missing:
        advice = f"Give it beside the address: {option(missing[0], '...')}."
        raise SourceError(f"{what} needs {' and '.join(map(repr, missing))}.", advice=advice)


def local_path(given: str | os.PathLike[str]) -> Path | None:
    """The path of a file on this machine, also where it is written as `file:...`; None for an address."""
    text = os.fspath(given)
    if isinstance(given, str) and _ADDRESS.match(text):
        scheme = scheme_of(text)
        if scheme == "file":
            return _file_of(text)
        if "://" in text or scheme in schemes():
            return None
    return Path(text)


def _file_of(address: str) -> Path:
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    parts = urlsplit(address)
    share = f"//{parts.netloc}" if parts.netloc not in ("", "localhost") else ""
    return Path(url2pathname(share + parts.path))


@contextmanager
def closing(source: Source) -> Iterator[Source]:
    """The source, closed at the end where it has something to close."""
    try:
        yield source
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


def regrouped(frames: Iterable[pl.DataFrame], size: int) -> Iterator[pl.DataFrame]:
    """The same rows in frames of exactly `size` rows; the last may hold fewer, empty ones are dropped."""
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        if frame.height:
            waiting.append(frame)
        held = sum(each.height for each in waiting)
        if held >= size:
            whole = pl.concat(waiting)
            full = held - held % size
            yield from (whole.slice(start, size) for start in range(0, full, size))
            waiting = [whole.slice(full)]
    if any(frame.height for frame in waiting):
        yield pl.concat(waiting)
