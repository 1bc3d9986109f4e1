"""What a kind of database must know, so that the rest of the SQL target need not know which one it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from ...core.columns import AFTER, BEFORE, CHANGE, KEY
from ...core.compare import fields_of
from ..base import Result
from .types import Column, dtype_of

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference from columns of a table to columns of another."""

    columns: tuple[str, ...]
    table: str
    parents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table as a chunk needs to know it.

    Attributes:
        name: Its name as people write it.
        quoted: Its name as SQL takes it, with the schema.
        columns: Its columns in their order.
        key: The columns that identify an item; empty for `append`.
        unique: A unique index stands on exactly the key.
        rows: Roughly how many rows it has; 0 when nobody knows.
        foreign: What it refers to.
        bulk: New rows may be copied straight into it: an ordinary table without rules and row policies.
        deferred: A foreign key is checked at COMMIT only, and can't be told to be checked earlier.
    """

    name: str
    quoted: str
    columns: dict[str, Column]
    key: tuple[str, ...] = ()
    unique: bool = False
    rows: int = 0
    foreign: tuple[ForeignKey, ...] = ()
    bulk: bool = False
    deferred: bool = False

    @property
    def fills_in(self) -> frozenset[str]:
        """Columns in which the database puts a value of its own in the place of none."""
        return frozenset(name for name, column in self.columns.items() if column.fills_in)

    @property
    def self_references(self) -> tuple[str, ...]:
        """Columns that hold the key of another row of this table; only where the key is one column."""
        own = [each for each in self.foreign if each.table == self.name and each.parents in {(), self.key}]
        return tuple(each.columns[0] for each in own if len(each.columns) == len(self.key) == 1)

    def schema(self, names: Sequence[str]) -> dict[str, pl.DataType]:
        """The polars types of these columns."""
        return {name: dtype_of(self.columns[name].field) for name in names}


@dataclass(slots=True)
class Written:
    """What became of the items a dialect was to write; those it doesn't mention are written.

    Attributes:
        missing: Items that were not written although nothing was wrong with them: to be explained.
        results: Items that were refused, with the database's own reason.
    """

    missing: list[int] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)

    def items(self) -> list[int]:
        """All items that were not written."""
        return [*self.missing, *(result.item for result in self.results)]


@dataclass(frozen=True, slots=True)
class Step:
    """The items of a chunk that are written by one statement.

    Attributes:
        kind: `delete`, `update` or `create`.
        frame: Their rows of the plan.
        fields: Fields the statement writes, or compares for a delete.
        always: Those of an update's fields that change in each of its rows.
    """

    kind: str
    frame: pl.DataFrame
    fields: tuple[str, ...]
    always: frozenset[str] = frozenset()


class Dialect(ABC):
    """One kind of database."""

    name: str
    max_workers: int | None = None
    chunk_items: int | None = None
    begin = "BEGIN"

    @contextmanager
    def transaction(
        self, link: Connection, *, keep: bool = True, timeout: float | None = None
    ) -> Iterator[None]:
        """A transaction that is committed at its end, or rolled back on an error or when not to be kept.

        Args:
            link: Where.
            keep: Commit it.
            timeout: Seconds after which the database is to break off; None for its own limit.
        """
        link.exec_driver_sql(self.begin)
        try:
            with self.limit_time(link, timeout):
                yield
            link.exec_driver_sql("COMMIT" if keep else "ROLLBACK")
        except BaseException:
            # The first error is the one to tell; a rollback that fails means that there is no connection.
            with suppress(Exception):
                link.exec_driver_sql("ROLLBACK")
            raise

    @abstractmethod
    def limit_time(self, link: Connection, seconds: float | None) -> AbstractContextManager[None]:
        """Limits what is done in the transaction within."""

    @abstractmethod
    def reflect(self, link: Connection, name: str, schema: str | None, key: tuple[str, ...]) -> Table | None:
        """The table, or None when there is none of that name."""

    @abstractmethod
    def table_names(self, link: Connection, schema: str | None) -> list[str]:
        """Tables and views that could have been meant."""

    @abstractmethod
    def read(self, link: Connection, table: Table, keys: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
        """Current values of the rows with these keys: key columns, `fields`, and `lost:*` where needed."""

    @abstractmethod
    def held_keys(self, link: Connection, table: Table, keys: pl.DataFrame) -> pl.DataFrame:
        """The keys, as the table holds them, of the rows that have these keys by its own comparison."""

    def show_texts(
        self, link: Connection, column: Column, texts: pl.Series
    ) -> tuple[pl.Series, dict[str, str]]:
        """Distinct texts as the database would show them once they were in the column.

        Returns:
            The texts it would show, and the reasons for those it can't take (null in the first).
        """
        del link, column
        return texts, {}

    @abstractmethod
    def scan(
        self, link: Connection, table: Table, fields: Sequence[str], size: int
    ) -> Iterator[pl.DataFrame]:
        """All rows of the table: key columns and `fields`, in frames of `size`."""

    @abstractmethod
    def lock(self, link: Connection, table: Table) -> None:
        """Keep other writers out of the table until the transaction ends."""

    @abstractmethod
    def write(self, link: Connection, table: Table, frame: pl.DataFrame) -> Written:
        """Write the rows of a chunk, comparing with the before-image; bad rows are left out and told."""

    @abstractmethod
    def query_names(self, link: Connection, sql: str, names: Sequence[str]) -> list[tuple[Any, ...]]:
        """Rows of a query in which `{names}` stands for a set of texts (one column, `name`)."""


def raw_connection(link: Connection) -> Any:
    """The driver's own connection under a SQLAlchemy one."""
    return link.connection.driver_connection


def quote(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def select_keys(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The keys of a plan's frame, under the fields' own names."""
    return frame.select(pl.col(KEY + name).alias(name) for name in key)


def _make_update_step(updates: pl.DataFrame) -> Step:
    changes = updates.select(
        pl.col(AFTER + name).ne_missing(pl.col(BEFORE + name)).sum().alias(name)
        for name in fields_of(updates.columns)
    )
    counts = changes.row(0, named=True) if changes.width else {}
    fields = tuple(name for name, count in counts.items() if count)
    always = frozenset(name for name, count in counts.items() if count == updates.height)
    return Step("update", updates, fields, always)


def split_into_steps(frame: pl.DataFrame, table: Table) -> Iterator[Step]:
    """The chunk as steps: deletes first (they free unique values), then updates, then creates."""
    kinds = frame[CHANGE].unique().to_list()
    for kind in ("delete", "update", "create"):
        if kind not in kinds:
            continue
        part = frame if len(kinds) == 1 else frame.filter(pl.col(CHANGE) == kind)
        if kind == "delete":
            yield Step(kind, part, tuple(n for n in fields_of(frame.columns) if BEFORE + n in frame.columns))
        elif kind == "update":
            yield _make_update_step(part)
        else:
            yield from _split_creates(part, table)


def _split_creates(creates: pl.DataFrame, table: Table) -> Iterator[Step]:
    fields = tuple(fields_of(creates.columns))
    empty = [name for name in fields if name in table.fills_in and creates[AFTER + name].null_count()]
    if not empty:
        yield Step("create", creates, fields)
        return
    # An empty cell of a column that must not be empty and has a default means the default: left out, not
    # null.
    pattern = pl.struct(pl.col(AFTER + name).is_null().alias(name) for name in empty).alias("#pattern")
    for part in creates.with_columns(pattern).partition_by("#pattern", maintain_order=True):
        nulls = part["#pattern"][0]
        yield Step("create", part.drop("#pattern"), tuple(n for n in fields if not nulls.get(n, False)))
