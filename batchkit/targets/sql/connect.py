"""Opening a database: the engine behind an address, tables found or made, clear words where that fails."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ...core.advice import option
from ...core.columns import FieldType
from ...core.errors import TargetError, TargetUnreachable, UsageError
from ...core.install import install_command
from ..base import Failure
from .address import Address
from .dialect import Dialect, Table
from .errors import classify_sql, is_database_error

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

POOL = 16
_PATIENCE = {"connect_timeout": 10, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


def make_engine(address: Address, *, create: bool, timeouts: Mapping[str, float | None]) -> Engine:
    """An engine whose connections begin no transaction by themselves.

    Raises:
        UsageError: psycopg isn't installed, and this is PostgreSQL.
        SecretError: The address names a secret that has no value.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import QueuePool

    # AUTOCOMMIT: `Dialect.transaction` begins and ends each one, so that nothing is held open between chunks.
    pool: dict[str, Any] = {"pool_size": POOL, "max_overflow": 0, "isolation_level": "AUTOCOMMIT"}
    if address.path is not None:
        from .sqlite import open_file

        path, busy = address.path, timeouts["busy"] or 0.0
        return create_engine(
            "sqlite://",
            creator=lambda: open_file(path, create=create, timeout=busy),
            poolclass=QueuePool,
            **pool,
        )
    return _postgres_engine(address, pool, timeouts)


def memory_engine() -> Engine:
    """A passing SQLite database: for dry runs into a file that isn't there yet."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    return create_engine("sqlite://", poolclass=StaticPool, isolation_level="AUTOCOMMIT")


def _postgres_engine(address: Address, pool: dict[str, Any], timeouts: Mapping[str, float | None]) -> Engine:
    from sqlalchemy import create_engine, event

    try:
        import psycopg  # noqa: F401 - told apart here from a server that can't be reached
    except ImportError:
        raise UsageError(
            "PostgreSQL needs psycopg, which isn't installed.", advice=f"Run: {install_command('postgres')}"
        ) from None
    url = address.login_url()
    options = {name: value for name, value in _PATIENCE.items() if name not in url.query}
    # Prepared statements outlive neither a pooler between us and the server nor a table that is altered.
    engine = create_engine(
        url,
        connect_args={**options, "prepare_threshold": None, "client_encoding": "utf8"},
        pool_use_lifo=True,
        **pool,
    )
    wishes = [
        "SET TIME ZONE 'UTC'",
        "SET datestyle = 'ISO'",
        "SET bytea_output = 'hex'",
        "SET intervalstyle = 'postgres'",
    ]
    limits = {name: timeouts[name] for name in ("lock", "statement")}
    wishes += [f"SET {name}_timeout = {round(s * 1000)}" for name, s in limits.items() if s is not None]

    # Once for each connection, and committed: a chunk that is rolled back must not take them back.
    @event.listens_for(engine, "connect")
    def _prepare(raw: Any, _record: Any) -> None:
        raw.execute("; ".join(wishes))
        raw.commit()

    return engine


def check_address(address: Address, *, create: bool) -> None:
    """Look at an SQLite file before SQLite does, whose own words are poor.

    Raises:
        TargetError: It isn't there, is a folder, or can't be written.
    """
    path = address.path
    if path is None:
        return
    if path.is_dir():
        raise TargetError(f"{path} is a folder, not an SQLite file.", advice="Name the file in it.")
    if not path.parent.is_dir():
        raise TargetError(f"There is no folder {path.parent}.", advice="Create it, or correct the address.")
    for place in (path, path.parent) if path.exists() else ():  # SQLite keeps its journal beside the file
        if not os.access(place, os.W_OK):
            advice = "Make it writable, or copy the file elsewhere."
            raise TargetError(f"{place} can't be written by this user.", advice=advice)
    if create or path.exists():
        return
    beside = [other.name for other in path.parent.iterdir() if other.suffix in {".sqlite", ".db", ".sqlite3"}]
    near = get_close_matches(path.name, beside, n=1)
    hint = f"Did you mean {near[0]}? Otherwise have" if near else "Correct the address, or have"
    advice = f"{hint} it made: {option('create', value=True)}."
    raise TargetError(f"There is no SQLite file {path}.", advice=advice, path=str(path))


def check_table(
    dialect: Dialect, link: Connection, name: str, schema: str | None, key: tuple[str, ...]
) -> Table:
    """The table, with all columns of the key.

    Raises:
        TargetError: There is no such table or column; the message names what is near.
    """
    table = dialect.reflect(link, name, schema, key)
    if table is None:
        near = _suggest_names(name, dialect.table_names(link, schema), "Tables there are")
        advice = f"{near} To have it made: {option('create', value=True)}."
        raise TargetError(f"There is no table {name!r} in the database.", advice=advice, table=name)
    _check_columns(table, key, "the key")
    return table


def create_table(
    link: Connection, name: str, schema: str | None, key: Sequence[str], fields: Mapping[str, FieldType]
) -> None:
    """Create the table with the key as its primary key, unless it is there by now.

    Args:
        link: Where; within its transaction, if it is in one.
        name: Name of the table.
        schema: Its schema; the default one when None.
        key: Columns of the primary key; none when empty.
        fields: All columns, in order.
    """
    import sqlalchemy as sa

    columns = [
        sa.Column(
            field_name,
            _choose_type(field, link.dialect.name),
            primary_key=field_name in key,
            autoincrement=False,
            nullable=field.nullable and field_name not in key,
        )
        for field_name, field in fields.items()
    ]
    table = sa.Table(name, sa.MetaData(), *columns, schema=schema)
    table.create(link, checkfirst=True)


def _choose_type(field: FieldType, dialect: str) -> Any:
    import sqlalchemy as sa

    if field.type == "decimal":
        return sa.Numeric() if field.scale is None else sa.Numeric(field.precision or 38, field.scale)
    kinds = {
        "integer": sa.Integer if dialect == "sqlite" else sa.BigInteger,
        "float": sa.Double, "date": sa.Date, "datetime": sa.DateTime, "boolean": sa.Boolean,
        "bytes": sa.LargeBinary, "json": sa.JSON,
    }  # fmt: skip
    if field.type in kinds:
        return kinds[field.type]()
    return sa.String(field.max_length) if field.max_length else sa.Text()


def check_lookup(dialect: Dialect, link: Connection, field: str, spec: Mapping[str, Any]) -> Table:
    """The table that a field's names are looked up in, with the columns of the names and of the ids.

    Raises:
        TargetError: There is no such table or column; the message names what is near.
    """
    schema, _, name = str(spec["table"]).rpartition(".")
    columns = (str(spec["by"]), str(spec.get("id", "id")))
    table = dialect.reflect(link, name, schema or None, columns[:1])
    if table is None:
        near = _suggest_names(name, dialect.table_names(link, schema or None), "Tables there are")
        message = f"There is no table {spec['table']!r} for the lookup of {field}."
        raise TargetError(message, advice=near, table=spec["table"])
    _check_columns(table, columns, f"the lookup of {field}")
    return table


def _check_columns(table: Table, columns: Sequence[str], where: str) -> None:
    missing = [column for column in columns if column not in table.columns]
    if missing:
        message = f"Table {table.name!r} has no column {missing[0]!r}, which {where} names."
        advice = _suggest_names(missing[0], list(table.columns), "Its columns are")
        raise TargetError(message, advice=advice, table=table.name)


def _suggest_names(name: str, names: list[str], otherwise: str) -> str:
    folded = {other.lower(): other for other in names}
    near = [folded[other] for other in get_close_matches(name.lower(), folded, n=3)]
    if near:
        return f"Did you mean {' or '.join(near)}?"
    shown = sorted(names)[:20]
    return (
        f"{otherwise}: {', '.join(shown)}{', ...' if len(names) > 20 else ''}." if names else "It has none."
    )


@contextmanager
def translate_errors(address: Address) -> Iterator[None]:
    """Turn errors of the database into the words of an operator, without any password.

    Raises:
        TargetUnreachable: Nobody answers.
        TargetError: Anything else the database says; `failure` keeps what it means for a run.
    """
    try:
        yield
    except Exception as error:
        if not is_database_error(error):
            raise
        failure = classify_sql(error)
        reason = address.redact(failure.reason)
        facts: dict[str, Any] = {"advice": failure.advice, "failure": replace(failure, reason=reason)}
        if failure.connection or failure.rule in {"unreachable", "resources"}:
            raise TargetUnreachable(f"Nobody answers at {address.shown}: {reason}", **facts) from None
        raise TargetError(f"{_describe_failure(address, failure)}: {reason}", **facts) from None


def _describe_failure(address: Address, failure: Failure) -> str:
    if failure.rule == "login":
        user = address.url.username if address.url is not None else None
        return f"The server refuses the login{f' of {user}' if user else ''} at {address.shown}"
    if "not a database" in failure.reason:
        return f"{address.path} is not an SQLite database"
    return f"The database at {address.shown} can't be used"
