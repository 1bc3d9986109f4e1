"""Lookups: a column given by name becomes the id of a row of another table, a set of names at a time."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from ...core.columns import AFTER, ITEM, NAME, FieldType
from ...core.errors import UsageError
from ..base import Fate, Result
from ..exchange import reject
from .dialect import Dialect, quote
from .errors import classify_sql

if TYPE_CHECKING:
    from sqlalchemy import Connection

Spec = Mapping[str, Any]


@dataclass(slots=True)
class Named:
    """What became of the names in a chunk.

    Attributes:
        frame: The rows, with ids in their `after:` columns.
        results: Said of the rows whose name can't be had.
        learned: Ids by place and name, to be remembered once the transaction is committed.
        made: Those of them whose row this chunk created.
    """

    frame: pl.DataFrame
    results: list[Result] = field(default_factory=list)
    learned: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)


class Lookups:
    """The lookups of one target, with a cache of all ids that are committed.

    Args:
        specs: Per field: `{"table": .., "by": .., "id": .., "create": bool}`.

    Attributes:
        ambiguous: Per `table.by`: names that stand for two rows or more, and so for none.
        types: Per field: what its ids are, as far as they have been declared.
    """

    def __init__(self, specs: Mapping[str, Spec]) -> None:
        for name, spec in specs.items():
            if missing := {"table", "by"} - set(spec):
                raise UsageError(
                    f"The lookup of {name} doesn't say its {' and '.join(sorted(missing))}.",
                    advice='Write it as {"table": "categories", "by": "name", "id": "id"}.',
                )
        self.specs = {name: dict(spec) for name, spec in specs.items()}
        self.ambiguous: dict[str, set[str]] = {}
        self.types: dict[str, FieldType] = {}
        self._ids: dict[str, dict[str, Any]] = {}
        self._unique: dict[str, bool] = {}
        self._whole: dict[str, bool] = {}
        self._lock = threading.Lock()

    def declare(self, name: str, identity: FieldType) -> None:
        """Say what kind of ids a field's lookup has, so that an answer without any has the same type."""
        self.types[name] = identity
        self._whole[_name_place(self.specs[name])] = identity.type == "integer"

    def _type_ids(self, spec: Spec, ids: Sequence[Any]) -> pl.Series:
        whole = self._whole.get(_name_place(spec), all(isinstance(value, int | None) for value in ids))
        if whole:
            return pl.Series("id", ids, dtype=pl.Int64)
        return pl.Series("id", [None if value is None else str(value) for value in ids], dtype=pl.String)

    def resolve(self, dialect: Dialect, link: Connection, spec: Spec, names: pl.Series) -> pl.DataFrame:
        """Ids for names, exact but for white space at the ends; one query for all that aren't cached.

        Returns:
            A frame `name`, `id`, with the names as they were given. Names without a row, or with several,
            are left out.
        """
        given = names.drop_nulls().unique(maintain_order=True)
        stripped = given.str.strip_chars()
        wanted = [name for name in stripped.unique().to_list() if name]
        found = self._find_ids(dialect, link, spec, wanted)
        ids = [found.get(name) for name in stripped.to_list()]
        frame = pl.DataFrame({"name": given.cast(pl.String), "id": self._type_ids(spec, ids)})
        return frame.filter(pl.col("id").is_not_null())

    def _find_ids(
        self, dialect: Dialect, link: Connection, spec: Spec, wanted: Sequence[str]
    ) -> dict[str, Any]:
        ids, unknown = self._recall(spec, wanted)
        if unknown:
            found = self._query_ids(dialect, link, spec, unknown)
            self.remember({_name_place(spec): found})
            ids |= found
        return ids

    def _recall(self, spec: Spec, names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """The ids that are known, and the names whose aren't."""
        # Workers share the cache. The lock is held for the look alone: a query would keep all others waiting.
        with self._lock:
            known = self._ids.get(_name_place(spec), {})
            ids = {name: known[name] for name in names if name in known}
        return ids, [name for name in names if name not in ids]

    def _query_ids(
        self, dialect: Dialect, link: Connection, spec: Spec, names: Sequence[str]
    ) -> dict[str, Any]:
        by = _name_sql(dialect, spec)
        wanted = "(SELECT n.name FROM {names} AS n)"
        sql = f"SELECT {by}, {quote(_id_column(spec))} FROM {_quote_table(spec)} WHERE {by} IN {wanted}"
        ids: dict[str, Any] = {}
        twice: set[str] = set()
        for name, value in dialect.query_names(link, sql, names):
            if name in ids:
                twice.add(name)
            ids[name] = value
        if twice:
            with self._lock:
                self.ambiguous.setdefault(_name_place(spec), set()).update(twice)
        return {name: value for name, value in ids.items() if name not in twice}

    def fill(self, dialect: Dialect, link: Connection, frame: pl.DataFrame) -> Named:
        """Create the lookup rows that `name:` columns ask for, and put their ids in.

        Runs inside the chunk's transaction: rolled back with it, the new rows are gone too.
        """
        named = Named(frame)
        for name in self.specs:
            column = NAME + name
            if column in frame.columns and named.frame[column].null_count() < named.frame.height:
                self._fill_one(dialect, link, name, named)
        return named

    def _fill_one(self, dialect: Dialect, link: Connection, name: str, named: Named) -> None:
        spec, frame = self.specs[name], named.frame
        names = frame[NAME + name].str.strip_chars()
        ids, reasons, made = self._ensure_rows(dialect, link, spec, sorted(set(names.drop_nulls().to_list())))
        named.learned.setdefault(_name_place(spec), {}).update(ids)
        named.made.setdefault(_name_place(spec), {}).update(made)
        bad = names.is_not_null() & ~names.is_in(list(ids))
        named.results += [
            _refuse_name(item, name, spec, text, reasons.get(text))
            for item, text in zip(frame.filter(bad)[ITEM], names.filter(bad), strict=True)
        ]
        values = self._type_ids(spec, list(ids.values()))
        mapped = names.replace_strict(list(ids), values, default=None, return_dtype=values.dtype)
        kept = pl.coalesce(mapped.cast(frame.schema[AFTER + name]), pl.col(AFTER + name))
        named.frame = frame.with_columns(kept.alias(AFTER + name)).filter(~bad)

    def drop_unused(
        self, dialect: Dialect, link: Connection, frame: pl.DataFrame, named: Named, refused: Collection[int]
    ) -> None:
        """Take back the lookup rows that were created for rows which did not go in, before the COMMIT.

        Args:
            dialect: How.
            link: Where.
            frame: The chunk as it came.
            named: What `fill` returned for it.
            refused: Items that were not written.
        """
        written = frame.filter(~pl.col(ITEM).is_in(list(refused)))
        used: dict[str, set[str]] = {}
        for name, spec in self.specs.items():
            if NAME + name in frame.columns:
                texts = written[NAME + name].drop_nulls().str.strip_chars()
                used.setdefault(_name_place(spec), set()).update(texts)
        for spec in self.specs.values():
            place = _name_place(spec)
            unused = {
                name: named.made[place].pop(name) for name in set(named.made.get(place, ())) - used[place]
            }
            if unused and _drop_rows(dialect, link, spec, list(unused.values())):
                for name in unused:
                    named.learned[place].pop(name, None)

    def _ensure_rows(
        self, dialect: Dialect, link: Connection, spec: Spec, names: list[str]
    ) -> tuple[dict[str, Any], dict[str, str], dict[str, Any]]:
        """Ids by name, reasons for names the database refuses, and ids of rows that were created for it."""
        ids, unknown = self._recall(spec, names)
        reasons: dict[str, str] = {}
        made: list[Any] = []
        if unknown and spec.get("create"):
            # Before the look and the insert: another worker may be about to create the same name.
            self._lock_names(dialect, link, spec)
            made, reasons = _create_rows(dialect, link, spec, unknown)
        if unknown:
            ids |= self._query_ids(dialect, link, spec, unknown)
        return ids, reasons, {name: ids[name] for name in unknown if ids.get(name) in made}

    def _lock_names(self, dialect: Dialect, link: Connection, spec: Spec) -> None:
        """Where no unique index keeps a name from being created twice, a lock must."""
        schema, _, name = str(spec["table"]).rpartition(".")
        if self._unique.get(_name_place(spec)):
            return
        table = dialect.reflect(link, name, schema or None, (str(spec["by"]),))
        if table is not None:
            self._unique[_name_place(spec)] = table.unique
            if not table.unique:
                dialect.lock(link, table)

    def remember(self, learned: Mapping[str, Mapping[str, Any]]) -> None:
        """Keep ids that are committed."""
        with self._lock:  # of all workers; while it is held nobody is asked anything
            for place, ids in learned.items():
                self._ids.setdefault(place, {}).update(ids)


def _create_rows(
    dialect: Dialect, link: Connection, spec: Spec, names: list[str]
) -> tuple[list[Any], dict[str, str]]:
    """Create the missing rows; their ids, and reasons for the names the database refuses."""
    by = quote(str(spec["by"]))
    sql = (
        f"INSERT INTO {_quote_table(spec)} ({by}) SELECT n.name FROM {{names}} AS n WHERE NOT EXISTS "
        f"(SELECT 1 FROM {_quote_table(spec)} AS old WHERE {_name_sql(dialect, spec, 'old.')} = n.name) "
        f"ORDER BY n.name ON CONFLICT DO NOTHING RETURNING {quote(_id_column(spec))}"
    )
    # All at once, within a savepoint: a name that is refused takes the others back, and they go one by one.
    try:
        with _savepoint(link):
            return [row[0] for row in dialect.query_names(link, sql, names)], {}
    except Exception as error:
        if classify_sql(error).fate is not Fate.REJECT:
            raise
    made: list[Any] = []
    reasons: dict[str, str] = {}
    for name in names:
        try:
            with _savepoint(link):
                made += [row[0] for row in dialect.query_names(link, sql, [name])]
        except Exception as error:
            failure = classify_sql(error)
            if failure.fate is not Fate.REJECT:
                raise
            reasons[name] = failure.reason
    return made, reasons


def _drop_rows(dialect: Dialect, link: Connection, spec: Spec, ids: Sequence[Any]) -> bool:
    """Delete rows by their ids; False where something of the database's own refers to them."""
    identity = quote(_id_column(spec))
    some = "(SELECT n.name FROM {names} AS n)"
    sql = f"DELETE FROM {_quote_table(spec)} WHERE CAST({identity} AS text) IN {some}"
    try:
        with _savepoint(link):
            dialect.query_names(link, sql, [str(value) for value in ids])
    except Exception as error:
        if classify_sql(error).fate is not Fate.REJECT:
            raise
        return False
    return True


@contextmanager
def _savepoint(link: Connection) -> Iterator[None]:
    link.exec_driver_sql("SAVEPOINT batchkit_lookup")
    try:
        yield
    except BaseException:
        with suppress(Exception):  # the error that brought us here is the one to tell
            link.exec_driver_sql("ROLLBACK TO SAVEPOINT batchkit_lookup")
        raise
    link.exec_driver_sql("RELEASE SAVEPOINT batchkit_lookup")


def _name_place(spec: Spec) -> str:
    return f"{spec['table']}.{spec['by']}.{_id_column(spec)}"


def _id_column(spec: Spec) -> str:
    return str(spec.get("id", "id"))


def _quote_table(spec: Spec) -> str:
    return ".".join(quote(part) for part in str(spec["table"]).split("."))


def _name_sql(dialect: Dialect, spec: Spec, prefix: str = "") -> str:
    column = prefix + quote(str(spec["by"]))
    return f"btrim({column}::text)" if dialect.name == "postgresql" else f"trim({column})"


def _refuse_name(item: int, field: str, spec: Spec, name: str, reason: str | None) -> Result:
    none = f"{field}: {spec['table']} has no single row named {name!r}" + (f" ({reason})." if reason else ".")
    advice = f"Correct the name, or add it to {spec['table']}."
    return reject(item, "lookup", none, advice, {"column": field, "name": name})
