"""Types of database columns: what they hold, which polars type carries it, how values are read.

PostgreSQL's `timestamp with time zone` is read and written in UTC. A `numeric` without a declared scale is
carried with `FREE_SCALE` decimals. A value that its field's type can't carry (PostgreSQL's `infinity`, a
text in an SQLite DATE column) is read as null; it is never overwritten without a conflict, because the
comparison before each write is made on what the database holds.

SQLite has no decimals: a DECIMAL column holds a float, which keeps 15 digits. It is read as the decimal
of the declared scale that is nearest, and compared as such; a value of more digits is refused, because it
would be read back as another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import polars as pl

from ...checking import conversions
from ...core.columns import FREE_SCALE, LOST, FieldType

SQLITE_DIGITS: Final = 15
_INTEGERS: Final = {"int2": 15, "int4": 31, "int8": 63, "oid": 32}
_AS_THEY_ARE: Final = frozenset({"text", "varchar", "bpchar", "name", "citext", "json", "jsonb", "char"})
_WITH_MODIFIER: Final = frozenset({"numeric", "time", "timetz", "interval"})
_NO_EQUALITY: Final = frozenset({"json", "xml", "point", "polygon", "path", "box", "circle", "line", "lseg"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        field: What it holds, for the plan.
        native: The type's name in the database, without a length; what a staging table declares.
        base: The type's short name (`varchar`, `numeric`, `json`, ...); what decides how it is compared.
        exact: The type's name with its length or precision; empty where nobody asked.
    """

    name: str
    field: FieldType
    native: str
    base: str = ""
    exact: str = ""

    @property
    def cast(self) -> str:
        """The type that a value has to pass through to look as the database would show it; empty when none.

        A cast to a text of a given length cuts silently: texts, and what is made of them, go without it.
        """
        if self.field.generated or self.base in _AS_THEY_ARE:
            return ""
        if self.field.type != "text" and self.base != "float4":
            return ""
        return self.exact if self.base in _WITH_MODIFIER else self.native

    @property
    def fills_in(self) -> bool:
        """A row without a value gets the column's default: an empty cell is left out, and nothing is null."""
        return self.field.has_default and not self.field.nullable

    def comparable(self, expression: str) -> str:
        """SQL that makes a value of this column comparable by IS NOT DISTINCT FROM."""
        if self.base in _NO_EQUALITY:
            return f"({expression})::text"
        if self.trimmed:
            return f"round({expression}, {FREE_SCALE})"
        return expression

    @property
    def trimmed(self) -> bool:
        """Written without trailing zeros, which a decimal without a declared scale would keep."""
        return self.base == "numeric" and self.field.scale == FREE_SCALE and self.field.precision is None

    def written(self, expression: str) -> str:
        """SQL of the value to write."""
        return f"trim_scale({expression})" if self.trimmed else expression


def dtype_of(field: FieldType) -> pl.DataType:
    """The polars type that carries a field's values."""
    return conversions.dtype_of(field.type, FREE_SCALE if field.scale is None else field.scale)


def field_of_dtype(dtype: pl.DataType) -> FieldType:
    """The field that a polars column calls for, where a table is created without a mapping's types."""
    if isinstance(dtype, pl.Decimal):
        return FieldType("decimal", precision=38, scale=dtype.scale)
    if dtype.is_integer():
        return FieldType("integer")
    if dtype.is_float():
        return FieldType("float")
    names = {pl.Boolean: "boolean", pl.Date: "date", pl.Datetime: "datetime", pl.Binary: "bytes"}
    return FieldType(names.get(dtype.base_type(), "text"))


# --- PostgreSQL ---------------------------------------------------------------------------------------------


def postgres_field(base: str, modifier: int, **facts: Any) -> FieldType:
    """The field behind a PostgreSQL type.

    Args:
        base: `pg_type.typname` of the type, or of the type a domain is made of.
        modifier: `atttypmod`, -1 where none is declared.
        **facts: Passed on (`nullable`, `has_default`, `generated`, `key`).
    """
    if base in _INTEGERS:
        bits = _INTEGERS[base]
        low = 0 if base == "oid" else -(2**bits)
        return FieldType("integer", minimum=low, maximum=2**bits - 1, **facts)
    if base in {"varchar", "bpchar"}:
        return FieldType("text", max_length=modifier - 4 if modifier > 4 else None, **facts)
    if base == "numeric":
        return _postgres_numeric(modifier, facts)
    simple = {
        "bool": "boolean", "date": "date", "timestamp": "datetime", "timestamptz": "datetime",
        "float4": "float", "float8": "float", "bytea": "bytes", "json": "json", "jsonb": "json",
    }  # fmt: skip
    return FieldType(simple.get(base, "text"), **facts)


def _postgres_numeric(modifier: int, facts: dict[str, Any]) -> FieldType:
    if modifier < 4:
        return FieldType("decimal", scale=FREE_SCALE, **facts)
    precision, scale = (modifier - 4) >> 16, (modifier - 4) & 0x7FF
    if precision > 38 or scale > precision:  # more digits than polars carries, or a negative scale
        return FieldType("text", **facts)
    return FieldType("decimal", precision=precision, scale=scale, **facts)


def parse_postgres_texts(texts: pl.Series, field: FieldType) -> pl.Series:
    """PostgreSQL's text form of a column's values as typed values; null where the type can't carry it."""
    match field.type:
        case "boolean":
            return texts == "t"
        case "date":
            return texts.str.to_date("%Y-%m-%d", strict=False)
        case "datetime":
            bare = texts.str.strip_suffix("+00")
            return bare.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us")
        case "bytes":
            return texts.str.strip_prefix("\\x").str.decode("hex")
        case "text" | "json":
            return texts
    return texts.cast(dtype_of(field), strict=False)


def find_lost_texts(texts: pl.Series, values: pl.Series, column: Column) -> pl.Series | None:
    """The texts of values that the column's field can't carry, or only rounded; None where there are none."""
    bad = texts.is_not_null() & values.is_null()
    if column.trimmed:
        bad |= texts.str.contains(rf"\.\d{{{FREE_SCALE}}}\d*[1-9]").fill_null(value=False)
    if not bad.any():
        return None
    return texts.to_frame("text").select(pl.when(bad).then("text").alias(LOST + column.name)).to_series()


def to_postgres_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column in a form that PostgreSQL's COPY reads from CSV."""
    columns = []
    for name, dtype in frame.schema.items():
        if dtype == pl.Binary:
            columns.append((pl.lit("\\x") + pl.col(name).bin.encode("hex")).alias(name))
        elif isinstance(dtype, pl.Datetime):
            columns.append(pl.col(name).dt.strftime("%Y-%m-%d %H:%M:%S%.6f"))
    return frame.with_columns(columns) if columns else frame


# --- SQLite -------------------------------------------------------------------------------------------------


def sqlite_field(declared: str, **facts: Any) -> FieldType:
    """The field behind a type as an SQLite table declares it.

    Lengths and precisions are taken as declared, although SQLite itself doesn't hold anyone to them.
    """
    words = declared.upper()
    name = words.split("(", 1)[0].strip()
    numbers = [int(number) for number in re.findall(r"\d+", words.partition("(")[2])]
    kind = next((kind for kind, shape in _SQLITE_NAMES if re.search(shape, name)), "text")
    if kind == "integer":
        return FieldType(kind, minimum=-(2**63), maximum=2**63 - 1, **facts)
    if kind == "decimal":
        return _sqlite_decimal(numbers, facts)
    length = numbers[0] if numbers and kind == "text" and re.search(_LETTERS, name) else None
    return FieldType(kind, max_length=length, **facts)


_LETTERS: Final = "CHAR|CLOB|TEXT"
_SQLITE_NAMES: Final = (
    ("boolean", "BOOL"),
    ("datetime", "^(DATETIME|TIMESTAMP)"),
    ("date", "^DATE$"),
    ("json", "JSON"),
    ("integer", "INT"),
    ("text", _LETTERS),
    ("bytes", "BLOB"),
    ("float", "REAL|FLOA|DOUB"),
    ("decimal", "DEC|NUM|MONEY"),
)
"""Kinds of fields by a part of the declared name; the first that fits counts."""


def _sqlite_decimal(numbers: list[int], facts: dict[str, Any]) -> FieldType:
    if not numbers:
        return FieldType("decimal", scale=FREE_SCALE, **facts)
    precision = min(numbers[0], 38)
    return FieldType("decimal", precision=precision, scale=numbers[1] if len(numbers) > 1 else 0, **facts)


def parse_sqlite_column(
    name: str, values: Sequence[Any] | pl.Series, field: FieldType
) -> tuple[pl.Series, pl.Series | None]:
    """Values as SQLite returns them, typed; SQLite columns may hold any type, whatever they declare.

    Returns:
        The typed values, and which of them were there but can't be carried by the type (None: none).
    """
    try:
        typed, raw = _parse_quickly(name, values, field)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        typed = pl.Series(name, [_parse_carefully(value, field) for value in values], dtype=dtype_of(field))
        raw = pl.Series([value is not None for value in values], dtype=pl.Boolean)
        lost = raw & typed.is_null()
        return typed, lost if lost.any() else None
    if typed.null_count() == raw.null_count():
        return typed, None
    return typed, raw.is_not_null() & typed.is_null()


def _parse_quickly(
    name: str, values: Sequence[Any] | pl.Series, field: FieldType
) -> tuple[pl.Series, pl.Series]:
    match field.type:
        case "date":
            raw = pl.Series(name, values, dtype=pl.String, strict=True)
            return raw.str.to_date("%Y-%m-%d", strict=False), raw
        case "datetime":
            raw = pl.Series(name, values, dtype=pl.String, strict=True)
            plain = raw.str.replace("T", " ", literal=True).str.replace(r"(Z|\+00:00)$", "")
            plain = plain.str.replace(r"^(\d+-\d+-\d+)$", "$1 00:00").str.replace(r"^(\S+ \d+:\d+)$", "$1:00")
            return plain.str.to_datetime("%Y-%m-%d %H:%M:%S%.f", strict=False, time_unit="us"), raw
        case "boolean":
            raw = pl.Series(name, values, dtype=pl.Int64, strict=True)
            if not raw.drop_nulls().is_in([0, 1]).all():
                raise TypeError
            return raw.cast(pl.Boolean), raw
        case "decimal":
            raw = pl.Series(name, values, dtype=pl.Float64, strict=True)
            limit = 10.0 ** (SQLITE_DIGITS - (field.scale or 0))
            if not (raw.is_null() | (raw.abs() < limit)).all():
                raise TypeError
            return raw.cast(dtype_of(field)), raw
    raw = pl.Series(name, values, dtype=dtype_of(field), strict=True)
    return raw, raw


def _parse_carefully(value: Any, field: FieldType) -> Any:
    if value is None:
        return None
    try:
        return _CAREFUL[field.type](value, field)
    except (ValueError, TypeError, ArithmeticError):
        return None


def _text(value: Any, _: FieldType) -> str | None:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return None if isinstance(value, bytes) else str(value)


def _integer(value: Any, _: FieldType) -> int | None:
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and -(2**63) <= value < 2**63 else None


def _decimal(value: Any, field: FieldType) -> Any:
    if not isinstance(value, int | float):
        return None
    exact = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    return exact.quantize(Decimal(1).scaleb(-(field.scale or 0)))


def _instant(value: Any, field: FieldType) -> Any:
    return _parse_quickly("", [value], field)[0][0] if isinstance(value, str) else None


_WORDS: Final = {"0": False, "1": True, "false": False, "true": True, "f": False, "t": True}
_CAREFUL: Final[dict[str, Callable[[Any, FieldType], Any]]] = {
    "text": _text,
    "json": _text,
    "integer": _integer,
    "float": lambda value, _: float(value) if isinstance(value, int | float) else None,
    "boolean": lambda value, _: _WORDS.get(str(value).lower()),
    "decimal": _decimal,
    "date": _instant,
    "datetime": _instant,
    "bytes": lambda value, _: value if isinstance(value, bytes) else str(value).encode(),
}


def to_sqlite_values(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column in a type that Python's sqlite3 binds without adapters."""
    columns = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if dtype == pl.Boolean:
            columns.append(column.cast(pl.Int8))
        elif dtype == pl.Date:
            columns.append(column.dt.strftime("%Y-%m-%d"))
        elif isinstance(dtype, pl.Datetime):
            whole = column.dt.microsecond() == 0
            short, long = (column.dt.strftime(f"%Y-%m-%d %H:%M:%S{end}") for end in ("", "%.6f"))
            columns.append(pl.when(whole).then(short).otherwise(long).alias(name))
        elif isinstance(dtype, pl.Decimal):
            columns.append(column.cast(pl.String))
    return frame.with_columns(columns) if columns else frame
