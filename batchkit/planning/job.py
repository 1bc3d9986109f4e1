"""The job: what is to be brought where. In Python, or as a TOML file; never with a secret in it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..checking.fields import Field
from ..core import secrets
from ..core.errors import JobError, MappingError
from ..core.files import replacing
from ..core.model import with_entries
from ..core.settings import Settings
from ..sources.base import closing
from ..sources.fetched import FetchedSource
from ..targets.sql.address import local_file
from .job_entries import ENTRIES, READING, Entries, known_entries
from .job_file import make_relative, move_address, refuse_passwords, to_toml_value
from .job_source import describe_source, find_source_file, open_described
from .opening import fact_of, leaving, open_target

if TYPE_CHECKING:
    from ..sources.base import Source
    from ..targets.base import Target
    from .fit import Fit
    from .plan import Plan
    from .planner import Progress

_UNSAID: Final = object()


class Job(Entries):
    """A source, a target, and how the rows of the one become items of the other.

    Raises:
        JobError: An entry is wrong, or contradicts another.
    """

    # Files

    @classmethod
    def load(cls, path: str | Path) -> Job:
        """Read a job file. Relative paths in it start from its folder, whose `.env` is asked for secrets too.

        Raises:
            JobError: It can't be read, or an entry is unknown (the near one is named) or wrong.
        """
        path = Path(path).expanduser().absolute()
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise JobError(
                f"The job file {path} can't be read: {error.strerror or error}.", path=path
            ) from None
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise JobError(
                f"The job file {path} isn't TOML: {error}.", advice="Correct that line.", path=path
            ) from None
        secrets.search_in(path.parent)
        return cls.from_dict(data, folder=path.parent)

    def save(self, path: str | Path) -> Path:
        """Write the job as a TOML file. Paths under its folder are written relative to it.

        Raises:
            JobError: The source is a frame, a check is written in Python, or a password stands in it.
            UsageError: The file can't be written there.
            DiskFull: No room is left; an older file there stays as it was.
        """
        path = Path(path).expanduser().absolute()
        text = self.to_toml(path.parent)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise JobError(
                f"The folder {path.parent} can't be made: {error.strerror or error}.", path=path
            ) from None
        with replacing(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
        return path

    def to_toml(self, folder: Path | None = None) -> str:
        """The job as the text of its file.

        Args:
            folder: Where that file shall be; paths under it are written relative to it. None: whole paths.

        Raises:
            JobError: As `save`.
        """
        import tomli_w

        return tomli_w.dumps(self.to_dict(folder))

    def to_dict(self, folder: Path | None = None) -> dict[str, Any]:
        """What differs from the defaults, as plain values; see `to_toml`.

        Raises:
            JobError: As `save`.
        """
        plain: dict[str, Any] = {}
        for each, entry in ENTRIES.items():
            value = getattr(self, each)
            if each in {"source", "to"} or value != entry.default:
                plain[each] = value
        plain["source"] = describe_source(self.source, self._base(), folder)
        plain["to"] = move_address(self.to, self._base(), folder)
        if "fields" in plain:
            plain["fields"] = {one.name: self._describe_field(one) for one in self.own_fields}
        if "lookups" in plain:
            # What a field says of its own counts, so that the job's word for it would be read by nobody.
            own = {name for name, said in plain.get("fields", {}).items() if "lookup" in said}
            plain["lookups"] = {name: each for name, each in self.lookups.items() if name not in own}
            if not plain["lookups"]:
                del plain["lookups"]
        plain = {name: to_toml_value(value) for name, value in plain.items() if value is not None}
        if "target" in plain:
            plain["target"] = self._move_files(plain["target"], folder)
        refuse_passwords(plain)
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], *, folder: Path | None = None) -> Job:
        """The job that `to_dict` described.

        Raises:
            JobError: An entry is unknown (the near one is named), missing or wrong.
        """
        return cls(**known_entries(data), folder=folder)

    # Planning

    def plan(
        self,
        path: str | Path | None = None,
        progress: Progress | None = None,
        *,
        target: Target | None = None,
    ) -> Plan:
        """Find out what would change, and keep it as a plan file. Nothing is written to the target.

        Args:
            path: Where the plan shall be; by default a new file under `BATCHKIT_HOME`.
            progress: Called now and then with what is being done, rows done, and rows in all (None: unknown).
            target: A connected target to use instead of opening the job's own.

        Raises:
            BatchkitError: The source can't be read, the mapping doesn't fit, the target refuses, no room.
            PlanError: Something else than a plan is at the path, or the source or target's file shall be.
        """
        from ..core.columns import FieldType
        from .outline import Outline
        from .plan_file import check_place
        from .planner import make_plan

        Settings.of(self.settings)  # what no run would take is told now, not at its start
        if path is not None:
            path = Path(path).expanduser().absolute()
            check_place(path, self.own_files())
        with ExitStack() as opened:
            source = opened.enter_context(self._reading())
            if target is None:
                target, fitted = self._connect(source, opened)
            else:
                fitted = self._fit(source, target)
            types = target.fields()
            if types and target.any_key:
                types |= {name: FieldType("text") for name in fitted.key if name not in types}
            key = () if self.mode == "append" else fitted.key
            outline = Outline(self, self._text(), source, target, fitted.mapping, types, key)
            return make_plan(outline, path, progress)

    def own_files(self) -> dict[Path, str]:
        """The files on this machine that the job reads and writes, and what they are to it."""
        files = {
            find_source_file(self.source, self._base()): "the source",
            local_file(move_address(self.to, self._base(), None)): "the target",
        }
        return {file: what for file, what in files.items() if file is not None}

    def _text(self) -> str | None:
        try:
            return self.to_toml()
        except (JobError, MappingError):
            return None  # a frame, or a check in Python: the plan holds all that a run needs

    def open_target(self, **options: Any) -> Target:
        """The target, not connected yet.

        Args:
            **options: More of what that kind of target takes.

        Raises:
            UsageError: No target knows the address.
        """
        given: dict[str, Any] = {"key": () if self.mode == "append" else self.key, "mode": self.mode}
        if self.table:
            given["table"] = self.table
        if self.create:
            given["create"] = True
        if self.all_lookups:
            given["lookups"] = to_toml_value(self.all_lookups)
        given = {**self.target_options, **given, **options}
        try:
            return open_target(move_address(self.to, self._base(), None), **given)
        except TypeError as error:
            if not self.target:
                raise
            raise JobError(
                f"The target of {self.to} doesn't take what [target] says: {error}.",
                advice="Take that entry out of [target].",
            ) from None

    @property
    def target_options(self) -> dict[str, Any]:
        """What the job says of its target, with whole paths."""
        return self._move_files(to_toml_value(self.target), None)

    def _move_files(self, options: dict[str, Any], folder: Path | None) -> dict[str, Any]:
        """The target's options, with the paths among them whole or relative to `folder`."""
        named = {name: options.get(name) for name in fact_of(self.to, "files")}
        texts = {name: text for name, text in named.items() if text and isinstance(text, str)}
        paths = {name: Path(text).expanduser() for name, text in texts.items()}
        whole = {name: (self._base() / path).absolute() for name, path in paths.items()}
        return options | {name: make_relative(path, folder) for name, path in whole.items()}

    def _connect(self, source: Source, opened: ExitStack) -> tuple[Target, Fit]:
        """The target, connected under the key's own names, and how the source's columns fit it."""
        from .fit import describe_new_fields

        with leaving(self.open_target(key=(), mode="append")) as probe:
            probe.connect()
            types = probe.fields()
            ids = getattr(probe, "lookup_types", {})
            fitted = self._fit(source, probe)
        new = {} if types or not self.create else {"create_types": describe_new_fields(fitted, ids)}
        target = opened.enter_context(leaving(self.open_target(key=fitted.key, **new)))
        target.connect()
        return target, fitted

    def _fit(self, source: Source, target: Target) -> Fit:
        from .fit import fit, is_typed

        return fit(
            self,
            source.columns,
            target.fields(),
            typed=is_typed(source),
            any_key=target.any_key,
            joins_key=target.joins_key,
        )

    def fitted(self) -> Fit:
        """The mapping and the key as planning finds them; asks the target for its fields.

        Raises:
            BatchkitError: The source or the target can't be read, or they don't fit.
        """
        # Without a key: it may be named by its column.
        with leaving(self.open_target(key=(), mode="append")) as target, self._reading() as source:
            target.connect()
            return self._fit(source, target)

    def with_source_at_hand(self) -> Job:
        """The job with a source from elsewhere held open: it is brought once for all that the job is asked.

        Raises:
            SourceError: It doesn't take what the job says of it.
        """
        source = self.open_source()
        if source is self.source or not isinstance(source, FetchedSource):
            return self
        # How it is read was said when it was opened, and can't be said again.
        return replace(self, source=source, **{name: ENTRIES[name].default for name in READING})

    def open_source(self) -> Source:
        """The source, opened.

        Raises:
            SourceError: It can't be read as a table.
        """
        options = {
            name: getattr(self, name) for name in READING if getattr(self, name) != ENTRIES[name].default
        }
        return open_described(self.source, self._base(), options)

    @contextmanager
    def _reading(self) -> Iterator[Source]:
        """The source, opened; closed again unless it was given open."""
        source = self.open_source()
        with nullcontext() if source is self.source else closing(source):
            yield source

    def _base(self) -> Path:
        return self.folder or Path.cwd()

    def _describe_field(self, one: Field) -> dict[str, Any]:
        """The field's options, without those that the job says already."""
        said = one.to_dict()
        known = {"lookup": self.lookups.get(one.name), "blank": self.blank}
        return {option: value for option, value in said.items() if value != known.get(option, _UNSAID)}


Job.__doc__ = with_entries(Job)
