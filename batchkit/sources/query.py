"""The rows of a SQL query as a source: for mending what a database holds."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from ..core.columns import ROW
from ..core.errors import BatchkitError, SourceError
from ..core.problem import Problem
from .base import BATCH, regrouped
from .cell_text import as_text
from .headers import column_names

if TYPE_CHECKING:
    from ..targets.sql.address import Address

_PIECE = 10_000  # rows fetched at once
_TIMEOUT = 30.0  # seconds to wait for a lock
_TRY_IT = "Try it in a database client, and correct it."


class QuerySource:
    """A SELECT in a database as a source of rows.

    It is read through a connection that can't write, a piece at a time. The first row is row 2, as on the
    sheet the result would be. Without ORDER BY the database may give the rows in another order each time.

    Args:
        address: The database, such as `sqlite:///crm.sqlite`; write `{secret:NAME}` for a password.
        query: One SELECT.
        name: What people call it.

    Raises:
        UsageError: The address can't be read.
    """

    def __init__(self, address: str, query: str, name: str = "query") -> None:
        from ..core.secrets import conceal
        from ..targets.sql.address import parse_address

        self.name = name
        self.query = query.strip().rstrip(";")
        self.rows = 0
        self.problems: list[Problem] = []
        self._address: Address = parse_address(conceal(address))
        self._sha256: str | None = None
        if not self.query:
            raise SourceError("The query is empty.", advice="Write a SELECT.")

    @cached_property
    def columns(self) -> list[str]:
        """Names of the columns; asked of the database when first needed.

        Raises:
            SourceError: The database can't be reached, or refuses the query.
        """
        with self._cursor() as cursor:
            return self._named(cursor)

    def batches(self, size: int = BATCH) -> Iterator[pl.DataFrame]:
        """The rows in frames of `size`; see `Source.batches`.

        Raises:
            SourceError: The database can't be reached, or refuses the query.
        """
        self.rows = 0
        digest = hashlib.sha256("\x1f".join(self.columns).encode())
        for batch in regrouped(self._pieces(digest), size):
            self.rows += batch.height
            yield batch
        self._sha256 = digest.hexdigest()

    def fingerprint(self) -> str:
        """SHA-256 of the names and of the rows as text; known already once `batches()` has been read."""
        if self._sha256 is None:
            for _ in self.batches():
                pass
        return str(self._sha256)

    def describe(self) -> dict[str, Any]:
        """What it is, without any password."""
        return {"kind": "query", "name": self.name, **self.to_dict()}

    def to_dict(self) -> dict[str, str]:
        """The entries of a job file: `QuerySource(**entries)` is the same source."""
        return {"address": self._address.stored, "query": self.query}

    def __repr__(self) -> str:
        return f"QuerySource({self._address.shown!r}, {self.query!r})"

    def _pieces(self, digest: Any) -> Iterator[pl.DataFrame]:
        start = 2
        with self._cursor() as cursor:
            names = self._named(cursor)
            if names != self.columns:
                raise SourceError("The query's columns have changed meanwhile.", advice="Open it again.")
            while rows := cursor.fetchmany(_PIECE):
                columns = zip(names, zip(*rows, strict=True), strict=True)
                frame = pl.DataFrame(
                    [pl.Series(name, map(as_text, cells), pl.String) for name, cells in columns]
                )
                digest.update(frame.write_csv(include_header=False, quote_style="always").encode())
                numbers = pl.int_range(start, start + len(rows), dtype=pl.UInt32, eager=True)
                start += len(rows)
                yield frame.insert_column(0, numbers.alias(ROW))

    def _named(self, cursor: Any) -> list[str]:
        if not cursor.description:
            raise SourceError("The query gives no rows.", advice="Write a SELECT.")
        names, self.problems = column_names([column[0] for column in cursor.description], None)
        return names

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """The query, running; every error of the database becomes one that an operator can read."""
        try:
            opened = self._sqlite() if self._address.path else self._postgres()
            with opened as cursor:
                yield cursor
        except BatchkitError:
            raise
        except Exception as problem:
            from ..targets.sql.errors import classify_sql, is_database_error

            if not is_database_error(problem):
                raise
            failure = classify_sql(problem)
            message = f"The query on {self._address.shown} failed: {self._address.redact(failure.reason)}"
            raise SourceError(message, advice=failure.advice if failure.connection else _TRY_IT) from None

    @contextmanager
    def _sqlite(self) -> Iterator[Any]:
        path = self._address.path
        if path is None or not path.is_file():
            raise SourceError(f"There is no SQLite file {path}.", advice="Correct the address.", path=path)
        link = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=_TIMEOUT)
        try:
            yield link.execute(self.query)
        finally:
            link.close()

    @contextmanager
    def _postgres(self) -> Iterator[Any]:
        from ..targets.sql.connect import make_engine

        engine = make_engine(self._address, create=False, timeouts={"lock": _TIMEOUT, "statement": None})
        try:
            with engine.connect() as link:
                driver: Any = link.connection.driver_connection
                with driver.transaction():
                    driver.execute("SET TRANSACTION READ ONLY")
                    # A named cursor lives in the server: a million rows are never in memory here.
                    with driver.cursor(name="batchkit_source") as cursor:
                        yield cursor.execute(self.query)
        finally:
            engine.dispose()
