"""The source of a job: as people write it, as its file holds it, and opened."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import secrets
from ..core.errors import BatchkitError, JobError, SourceError
from ..core.model import entries
from ..sources.base import check_entries, local_path, open_source, source_opener
from ..sources.fetched import FetchedSource
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
        given = dict(value)
        address = given.get("address")
        if not isinstance(address, str) or not address.strip():
            raise JobError(
                "The source doesn't say its address.", advice="Write source.address, and what goes with it."
            )
        given["address"] = _conceal(address.strip())
        more = {name: held for name, held in given.items() if name != "address"}
        try:
            check_entries(given["address"], more)
        except SourceError as error:
            raise JobError(error.message, advice=error.advice) from None
        return given
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
        return open_source(_write_address(source["address"], base, None), **{**options, **more})
    return open_source(_write_address(source, base, None) if isinstance(source, str) else source, **options)


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
    address = _write_address(entries["address"], base, folder)
    return {**entries, "address": address} if len(entries) > 1 else address


def find_source_file(source: Any, base: Path) -> Path | None:
    """The file on this machine that the source is read from; None where there is none."""
    address = source if isinstance(source, str) else _read_entries(source).get("address")
    if not address:
        return None
    if (path := local_path(address)) is not None:
        return base / path.expanduser()
    return local_file(move_address(address, base, None))


def find_changes(facts: Mapping[str, Any]) -> str:
    """What became of a source's file since it was read: `has changed`, or `is no longer there`; else empty.

    Args:
        facts: What the source said of itself then.
    """
    if "path" in facts and facts.get("sha256"):
        try:
            with Path(facts["path"]).open("rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == facts["sha256"]
        except OSError:
            return "is no longer there"
        return "" if same else "has changed"
    try:
        opener = source_opener(facts.get("address", ""))
        if not (isinstance(opener, type) and issubclass(opener, FetchedSource)):
            return ""
        known = entries(opener.model) if opener.model else {}
        said = {name: facts[name] for name in known if name in facts}
        now = opener(facts["address"], **said).version()
    except BatchkitError as error:
        # Who can't be asked has said nothing; the plan is good all the same.
        return "is no longer there" if getattr(error, "rule", "") in ("404", "410") else ""
    both = next((name for name in ("etag", "last_modified") if name in facts and name in now), None)
    return "has changed" if both and _strong(facts[both]) != _strong(now[both]) else ""


def _strong(tag: str) -> str:
    return tag.removeprefix("W/")  # a server that compresses on the way says so by this


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
    """A path or an address with the path of its file, whole or relative to `folder`."""
    path = local_path(text)
    if path is None:
        return move_address(text, base, folder)
    return make_relative((base / path.expanduser()).absolute(), folder)
