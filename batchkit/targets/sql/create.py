"""Creating a table from a mapping's types, in the words of its database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...core.columns import FieldType

if TYPE_CHECKING:
    from sqlalchemy import Connection


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
