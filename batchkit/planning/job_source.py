"""The source of a job: as people write it, as its file holds it, and opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import secrets
from ..core.errors import JobError, SourceError
from ..sources.base import check_entries, local_path, open_source
from ..targets.http.logins import conceal_in_query
from ..targets.sql.address import local_file
from .job_file import make_relative, move_address

if TYPE_CHECKING:
    from ..sources.base import Source


def read_source(value: Any) -> Any:
    """What a job is given as its source: a path or an address as text, entries as a table, the rest as it is.

    A password that somebody wrote into an address stays in this process, under a name.

    Raises:
        JobError: Entries lack their address, or that kind of source doesn't take them.
        UsageError: There is no such kind.
    """
    if isinstance(value, Mapping):
        entries = dict(value)
        address = entries.get("address")
        if not isinstance(address, str) or not address.strip():
            raise JobError(
                "The source doesn't say its address.", advice="Write source.address, and what goes with it."
            )
        entries["address"] = _conceal(address.strip())
        more = {name: held for name, held in entries.items() if name != "address"}
        try:
            check_entries(entries["address"], more)
        except SourceError as error:
            raise JobError(error.message, advice=error.advice) from None
        return entries
    if not isinstance(value, (str, Path)):
        return value
    path = local_path(value)
    return _conceal(str(value).strip()) if path is None else str(path)


def open_described(source: Any, base: Path, options: Mapping[str, Any]) -> Source:
    """The source, opened.

    Args:
        source: As `read_source` gave it.
        base: What relative paths are relative to.
        options: How the job says that files are read.

    Raises:
        SourceError: It can't be read as a table, or not in that way.
    """
    if isinstance(source, dict):
        more = {name: value for name, value in source.items() if name != "address"}
        return open_source(_make_absolute(source["address"], base), **{**options, **more})
    return open_source(_make_absolute(source, base) if isinstance(source, str) else source, **options)


def describe_source(source: Any, base: Path, folder: Path | None) -> Any:
    """The source as a job file holds it, with paths relative to `folder`.

    Raises:
        JobError: No file can hold it.
    """
    if isinstance(source, str):
        return _write_address(source, base, folder)
    entries = _read_entries(source)
    if not entries:
        raise JobError(
            f"A source of type {type(source).__name__} can't be saved in a job file.",
            advice="Write the data to a file and name that, or keep the job in Python.",
        )
    return {**entries, "address": _write_address(entries["address"], base, folder)}


def find_source_file(source: Any, base: Path) -> Path | None:
    """The file on this machine that the source is read from; None where there is none."""
    address = source if isinstance(source, str) else _read_entries(source).get("address")
    if not address:
        return None
    if (path := local_path(address)) is not None:
        return base / path.expanduser()
    return local_file(move_address(address, base, None))


def _conceal(address: str) -> str:
    return conceal_in_query(secrets.conceal(address))


def _read_entries(source: Any) -> Mapping[str, Any]:
    """The entries that a source is opened by; none where no file could hold them."""
    if isinstance(source, dict):
        return source
    # Frames have a `to_dict` too, of another kind.
    if hasattr(source, "batches") and hasattr(source, "to_dict"):
        entries: Mapping[str, Any] = source.to_dict()
        return entries
    return {}


def _write_address(text: str, base: Path, folder: Path | None) -> str:
    return (
        move_address(text, base, folder)
        if local_path(text) is None
        else make_relative(_make_absolute(text, base), folder)
    )


def _make_absolute(text: str, base: Path) -> Any:
    path = local_path(text)
    return move_address(text, base, None) if path is None else (base / path.expanduser()).absolute()
