"""A table of a database as a target."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from ...core.advice import option
from ...core.columns import AFTER, KEY, FieldType
from ...core.errors import TargetError, UsageError
from ..base import ChunkContext, Failure, FrameTarget, Refusal, Result
from .address import Address, parse_address
from .checkpoint import Checkpoint
from .chunk import ChunkWriter
from .connect import (
    check_address,
    check_lookup,
    check_table,
    create_table,
    make_engine,
    memory_engine,
    translate_errors,
)
from .dialect import Dialect, Table
from .errors import classify_sql
from .lookups import Lookups
from .types import dtype_of, field_of_dtype

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

MODES: Final = ("upsert", "update", "insert", "append")


class SqlTarget(FrameTarget):
    """A table of an SQLite file or a PostgreSQL database.

    Args:
        url: `sqlite:///file.sqlite`, `postgresql://user@host:5432/db` (`?host=/socket/folder` too). A
            password is used but never shown or stored: later processes take it from PGPASSWORD, `.pgpass`,
            or from the secret that `{secret:NAME}` names in its place.
        table: The table's name; `schema.table` works too.
        key: Columns that identify an item; not needed for `append`.
        mode: `upsert`, `update`, `insert` or `append`. What it means for each row is decided in the plan.
        create: Create the table (and an SQLite file) when it isn't there. Nothing is created before the
            first chunk is applied.
        create_types: Fields of the table to create, from the mapping.
        lookups: Per field given by name:
            `{"table": "categories", "by": "name", "id": "id", "create": False}`.
        schema: Schema of the table; the server's default when left out.
        busy_timeout: Seconds an SQLite file may be held by another program before the chunk is tried again
            later.
        lock_timeout: The same for a lock in PostgreSQL.
        statement_timeout: Seconds one statement may take in PostgreSQL; None for the server's own limit.

    Attributes:
        idempotent: A chunk may be applied twice: compare-and-set finds its own work, and `append` finds its
            record.
        reversible: False for `append`, whose rows have no key to find them by.
        warnings: What an operator should know of the table before the start.
    """

    idempotent = True
    readable = True
    reversible = True
    tabled = True

    def __init__(
        self,
        url: str,
        *,
        table: str,
        key: Sequence[str] = (),
        mode: str = "upsert",
        create: bool = False,
        create_types: Mapping[str, FieldType | Mapping[str, Any]] | None = None,
        lookups: Mapping[str, Mapping[str, Any]] | None = None,
        schema: str | None = None,
        busy_timeout: float = 1.0,
        lock_timeout: float = 30.0,
        statement_timeout: float | None = None,
    ) -> None:
        if mode not in MODES:
            raise UsageError(f"There is no mode {mode!r}.", advice=f"Choose one of {', '.join(MODES)}.")
        if mode != "append" and not key:
            raise UsageError(
                f"Mode {mode} needs a key: the columns that identify a row of {table}.",
                advice=f"Name them, as in {option('key', ['siret'])}, or choose mode append.",
            )
        self._address: Address = parse_address(url)
        self._name, self._schema = table, schema
        if schema is None and "." in table and self._address.dialect == "postgresql":
            self._schema, self._name = table.split(".", 1)
        self.table, self.mode, self.create = table, mode, create
        self.keys = () if mode == "append" else tuple(key)
        self.readable = self.reversible = mode != "append"
        self._create_types = {
            name: entry if isinstance(entry, FieldType) else FieldType(**entry)
            for name, entry in (create_types or {}).items()
        }
        self._lookups = Lookups(lookups or {})
        self._timeouts = {"busy": busy_timeout, "lock": lock_timeout, "statement": statement_timeout}
        self._dialect: Dialect = _dialect(self._address)
        self.max_workers = self._dialect.max_workers
        self.chunk_items = self._dialect.chunk_items
        mark = "?" if self._address.dialect == "sqlite" else "%s"
        self._checkpoint = Checkpoint(self._schema, mark) if mode == "append" else None
        self.warnings: list[str] = []
        self._engine: Engine | None = None
        self._reflected: Table | None = None
        # The workers of a run share engine and table. Re-entrant: who looks for the table may connect first.
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return (
            f"SqlTarget({self._address.shown!r}, table={self.table!r}, key={self.keys!r}, mode={self.mode!r})"
        )

    @property
    def address(self) -> str:
        """The database and the table, without any password."""
        return f"{self._address.shown}#{self.table}"

    @property
    def destination(self) -> str:
        """The database, whoever logs in and by whichever link to its file, and the table with its schema."""
        if self._address.dialect == "sqlite":
            return f"{self._address.place}#{self._name.lower()}"
        return f"{self._address.place}#{self._schema or 'public'}.{self._name}"

    @property
    def ambiguous(self) -> dict[str, set[str]]:
        """Names of lookups that stand for several rows, per `table.column.id`; they were not resolved."""
        return self._lookups.ambiguous

    @property
    def lookup_types(self) -> dict[str, FieldType]:
        """What kind of ids each field that is given by name refers to; known once connected."""
        return self._lookups.types

    @property
    def self_references(self) -> tuple[str, ...]:
        """Columns that hold the key of another row of the same table."""
        table = self._find_table()
        return table.self_references if table is not None else ()

    def describe(self) -> dict[str, Any]:
        """Arguments that make the same target again, without a password."""
        return {
            "url": self._address.stored,
            "table": self.table,
            "key": list(self.keys),
            "mode": self.mode,
            "create": self.create,
            "create_types": {name: asdict(field) for name, field in self._create_types.items()},
            "lookups": self._lookups.specs,
            "schema": self._schema if self._schema and "." not in self.table else None,
            **{f"{name}_timeout": seconds for name, seconds in self._timeouts.items()},
        }

    def connect(self) -> None:
        """Check address, login, table and key.

        Raises:
            TargetUnreachable: Nobody answers there.
            TargetError: Login, database, file, table or key are wrong.
        """
        check_address(self._address, create=self.create)
        if self._is_file_absent():
            for field, spec in self._lookups.specs.items():
                raise TargetError(
                    f"There is no table {spec['table']!r} for the lookup of {field}: the database is yet to "
                    "be made.",
                    advice="Make it with that table first.",
                )
            return
        with translate_errors(self._address), self._connection() as link:
            self._inspect(link)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
            self._engine = None

    def fields(self) -> dict[str, FieldType]:
        """The table's columns in their order; those of the mapping while the table is still to be created."""
        table = self._find_table()
        if table is None:
            return dict(self._create_types)
        return {name: column.field for name, column in table.columns.items()}

    def read(self, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """Current values of the rows with these keys, by one query."""
        table = self._find_table()
        if table is None:
            return self._make_empty([*self.keys, *fields], keys)
        with translate_errors(self._address), self._connection() as link:
            return self._dialect.read(link, table, self._typed_keys(table, keys), fields)

    def held_keys(self, keys: pl.DataFrame) -> pl.DataFrame:
        """The keys, as the table holds them, of the rows that have these keys by its own comparison."""
        table = self._find_table()
        if table is None:
            return keys.select(self.keys).clear()
        with translate_errors(self._address), self._connection() as link:
            return self._dialect.held_keys(link, table, self._typed_keys(table, keys))

    def _typed_keys(self, table: Table, keys: pl.DataFrame) -> pl.DataFrame:
        return keys.select(self.keys).drop_nulls().cast(pl.Schema(table.schema(self.keys)))

    def scan_keys(self, fields: Sequence[str], size: int = 50_000) -> Iterator[pl.DataFrame]:
        """Every row of the table, streamed."""
        table = self._find_table()
        if table is None:
            return
        with translate_errors(self._address), self._connection() as link:
            yield from self._dialect.scan(link, table, fields, size)

    def canonical(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[Refusal]]:
        """Values as the database would show them; see `Target.canonical`."""
        table = self._find_table()
        known = [table.columns[name] for name in frame.columns if name in table.columns] if table else []
        columns = [each for each in known if each.cast and frame[each.name].null_count() < frame.height]
        refused: list[Refusal] = []
        if not columns:
            return frame, refused
        with translate_errors(self._address), self._connection() as link:
            for column in columns:
                given = frame[column.name].cast(pl.String)
                texts = given.drop_nulls().unique()
                shown, reasons = self._dialect.show_texts(link, column, texts)
                held = given.replace_strict(texts, shown, default=None, return_dtype=pl.String)
                frame = frame.with_columns(held.cast(frame[column.name].dtype).alias(column.name))
                bad = given.is_not_null() & held.is_null()
                for at in bad.arg_true():
                    reason = f"The target can't take this value: {reasons.get(given[at], '')}"
                    refused.append(Refusal(column.name, at, reason))
        return frame, refused

    def resolve_lookup(self, lookup: Mapping[str, Any], names: pl.Series) -> pl.DataFrame:
        """Ids for names, by one query for all names that aren't known yet."""
        if self._is_file_absent():
            return pl.DataFrame(schema={"name": pl.String, "id": pl.Int64})
        with translate_errors(self._address), self._connection() as link:
            return self._lookups.resolve(self._dialect, link, lookup, names)

    def apply(self, frame: pl.DataFrame, context: ChunkContext) -> list[Result]:
        """Apply a chunk in one transaction; see `FrameTarget.apply`."""
        if not frame.height and self._checkpoint is None:
            return []
        if context.dry_run and self._find_table() is None:
            return self._apply_before_creation(frame, context)
        with self._connection() as link:
            # Both before the chunk's transaction: rolled back with it, table and record would be gone under
            # the other workers, which rely on what is known to be there.
            table = self._ensure_table(link, frame)
            if self._checkpoint is not None:
                self._checkpoint.prepare(link, dry_run=context.dry_run)
            writer = ChunkWriter(self._dialect, link, table, self._lookups, self._checkpoint)
            return writer.apply(frame, context)

    def has_run(self, run: str) -> bool | None:
        """Whether chunks of an `append` run are on record beside the table; see `Target.has_run`."""
        chunks = self.applied_chunks(run)
        return None if chunks is None else bool(chunks)

    def applied_chunks(self, run: str) -> list[tuple[int, int]] | None:
        """The chunks of an `append` run on record beside the table; see `FrameTarget.applied_chunks`."""
        if self._checkpoint is None:
            return None
        if self._address.path is not None and not self._address.path.exists():
            return []
        with translate_errors(self._address), self._connection() as link:
            return self._checkpoint.chunks(link, run)

    def _apply_before_creation(self, frame: pl.DataFrame, context: ChunkContext) -> list[Result]:
        """A dry run into a table that isn't there: it exists within the transaction only."""
        with self._connection(in_memory=self._is_file_absent()) as link:
            writer = ChunkWriter(self._dialect, link, Table(self._name, "", {}), self._lookups, None)
            return writer.apply(frame, context, lambda: self._make_table(link, frame))

    def _make_table(self, link: Connection, frame: pl.DataFrame) -> Table:
        create_table(link, self._name, self._schema, self.keys, self._wanted_types(frame))
        return check_table(self._dialect, link, self._name, self._schema, self.keys)

    def _ensure_table(self, link: Connection, frame: pl.DataFrame) -> Table:
        with self._lock:  # the first worker makes the table; the others wait, and find it made
            if self._reflected is None:
                self._reflected = self._make_table(link, frame)
            return self._reflected

    def _wanted_types(self, frame: pl.DataFrame) -> dict[str, FieldType]:
        """Columns of a table to create: the mapping's types, the frame's where the mapping has none."""
        types = {name: self._create_types[name] for name in self.keys if name in self._create_types}
        for column, dtype in frame.schema.items():
            side, _, name = column.partition(":")
            if side + ":" in {KEY, AFTER} and name not in types:
                types[name] = self._create_types.get(name) or field_of_dtype(dtype)
        return types | {name: field for name, field in self._create_types.items() if name not in types}

    def classify(self, error: BaseException) -> Failure:
        """Judge an error by the table of its database."""
        failure = classify_sql(error)
        with self._lock:
            if failure.connection and self._engine is not None:
                self._engine.dispose()  # connections made before the line broke are broken too
        return failure

    def _find_table(self) -> Table | None:
        """The table, looked up on first use; None while it is still to be created."""
        with self._lock:  # who comes second waits for what the first learns, and asks nothing itself
            if self._reflected is None and not self._is_file_absent():
                self.connect()
            return self._reflected

    def _inspect(self, link: Connection) -> None:
        creatable = self.create and self._dialect.reflect(link, self._name, self._schema, ()) is None
        if not creatable:
            self._reflected = check_table(self._dialect, link, self._name, self._schema, self.keys)
            self.warnings = []
            if self.keys and not self._reflected.unique:
                missing = f"No unique index stands on {', '.join(self.keys)} of {self._reflected.name}."
                slow = "Each chunk locks the table while it is written, and is slower; an index mends both."
                self.warnings = [f"{missing} {slow}"]
            if self._reflected.self_references:
                self.max_workers = 1  # the row that another refers to must be there first
        for field, spec in self._lookups.specs.items():
            identity = check_lookup(self._dialect, link, field, spec).columns[str(spec.get("id", "id"))]
            self._lookups.declare(field, identity.field)

    def _is_file_absent(self) -> bool:
        return self.create and self._address.path is not None and not self._address.path.exists()

    def _make_empty(self, names: Sequence[str], keys: pl.DataFrame) -> pl.DataFrame:
        types = {name: dtype_of(field) for name, field in self._create_types.items()}
        return pl.DataFrame(
            schema={name: types.get(name, keys.schema.get(name, pl.String)) for name in names}
        )

    @contextmanager
    def _connection(self, *, in_memory: bool = False) -> Iterator[Connection]:
        engine = memory_engine() if in_memory else self._open_engine()
        link = engine.connect()
        try:
            yield link
        except Exception as error:
            if classify_sql(error).connection:
                link.invalidate()  # nobody is at the other end: the next call makes a new one
            raise
        finally:
            link.close()  # back to the pool, also while an error is on its way up
            if in_memory:
                engine.dispose()

    def _open_engine(self) -> Engine:
        with self._lock:  # two engines would have twice as many connections as the server is asked for
            if self._engine is None:
                self._engine = make_engine(self._address, create=self.create, timeouts=self._timeouts)
            return self._engine


def _dialect(address: Address) -> Dialect:
    if address.dialect == "sqlite":
        from .sqlite import Sqlite

        return Sqlite()
    from .postgres import Postgres

    return Postgres()
