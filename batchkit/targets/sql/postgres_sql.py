"""The SQL of a chunk in PostgreSQL: staging tables, and one statement per kind of change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from ...core.compare import fields_of
from .dialect import Step, Table, quote

if TYPE_CHECKING:
    import psycopg

SIDES = {"create": "a", "update": "ab", "delete": "b"}


def execute(raw: psycopg.Connection[Any], sql: str, parameters: Sequence[Any] | None = None) -> Any:
    """Run a statement that was put together here, every name in it quoted."""
    return raw.execute(sql.encode(), parameters)


def fill_template(template: str, **parts: str) -> str:
    """Fill in a function's source, quoted by a tag that stands nowhere in its parts.

    Args:
        template: The source, with `{tag}` on both sides of the body.
        **parts: What else stands in its braces.
    """
    number = 0
    while any(f"$batchkit{number}$" in part for part in parts.values()):
        number += 1
    return template.format(tag=f"$batchkit{number}$", **parts)


@dataclass(frozen=True, slots=True)
class Shape:
    """A staging table of the session.

    Columns are `item`, the keys `k0, k1, ..`, after-values `a0, a1, ..` and before-images `b0, b1, ..`.

    Attributes:
        name: Its name in `pg_temp`; the same shape has the same name.
        columns: Its columns and their types.
        filled: The columns that are copied into, in the order of the frame; all of them when empty.
        casts: Types the columns stand for, where the table itself holds them all as text.
    """

    name: str
    columns: tuple[tuple[str, str], ...]
    filled: tuple[str, ...] = ()
    casts: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of_keys(cls, table: Table) -> Self:
        """A table of keys alone."""
        columns = tuple((f"k{i}", table.columns[name].native) for i, name in enumerate(table.key))
        return cls(_name_stage(columns), columns)

    @classmethod
    def of_step(cls, table: Table, step: Step, *, typed: bool) -> Self:
        """A table for the rows of a step.

        It has columns for all fields of the plan and not of this step alone, so that a session needs few.

        Args:
            table: What is written to.
            step: What is staged.
            typed: Give the columns their true types; else everything is text, so that anything can be staged.
        """
        names = fields_of(step.frame.columns)
        sides = SIDES[step.kind]
        columns = [(f"k{i}", table.columns[name].native) for i, name in enumerate(table.key)]
        columns += [(f"{side}{names.index(n)}", table.columns[n].native) for n in names for side in sides]
        filled = ["item", *(f"k{i}" for i in range(len(table.key)))]
        filled += [f"{side}{names.index(name)}" for name in step.fields for side in sides]
        item = ("item", "bigint")
        if typed:
            whole = (item, *columns)
            return cls(_name_stage(whole), whole, tuple(filled))
        texts = (item, *((name, "text") for name, _ in columns))
        wanted = tuple((name, native) for name, native in (item, *columns) if name in filled)
        return cls(_name_stage(texts), texts, tuple(filled), wanted)

    @property
    def create_sql(self) -> str:
        """Make the table unless the session has it, and empty it."""
        columns = ", ".join(f"{name} {native}" for name, native in self.columns)
        return f"CREATE TEMP TABLE IF NOT EXISTS {self.name} ({columns}); TRUNCATE {self.name}"

    @property
    def into(self) -> str:
        """The table and the columns that a COPY fills."""
        filled = f" ({', '.join(self.filled)})" if self.filled else ""
        return f"pg_temp.{self.name}{filled}"

    def source(self, where: str = "") -> str:
        """What stands in a FROM clause: the rows with their true types."""
        if not self.casts:
            return f"pg_temp.{self.name}" if not where else f"(SELECT * FROM pg_temp.{self.name} {where})"
        casts = ", ".join(f"{name}::{native} AS {name}" for name, native in self.casts)
        return f"(SELECT {casts} FROM pg_temp.{self.name} {where})"


def _name_stage(columns: Sequence[tuple[str, str]]) -> str:
    text = ",".join(f"{name} {native}" for name, native in columns)
    return "batchkit_" + hashlib.sha256(text.encode()).hexdigest()[:12]


def step_sql(table: Table, step: Step, stage: Shape, where: str = "") -> str:
    """The statement that applies the staged rows of a step, comparing with the before-image.

    Args:
        table: What is written to.
        step: Kind and fields.
        stage: Where the rows are.
        where: Restricts the staged rows, `WHERE ...`.
    """
    source = stage.source(where)
    if step.kind == "create":
        return _insert_sql(table, step, source)
    position = {name: i for i, name in enumerate(fields_of(step.frame.columns))}
    if step.kind == "delete":
        tests = [*_key_tests(table), *(_as_before_sql(table, name, position[name]) for name in step.fields)]
        return f"DELETE FROM {table.quoted} AS t USING {source} AS s WHERE {' AND '.join(tests)}"
    chosen = ", ".join(_assignment_sql(table, step, name, position[name]) for name in step.fields)
    tests = [*_key_tests(table), *_update_tests(table, step, position)]
    return f"UPDATE {table.quoted} AS t SET {chosen} FROM {source} AS s WHERE {' AND '.join(tests)}"


def _insert_sql(table: Table, step: Step, source: str) -> str:
    position = {name: i for i, name in enumerate(fields_of(step.frame.columns))}
    names = [*table.key, *step.fields]
    values = [f"s.k{i}" for i in range(len(table.key))]
    values += [table.columns[name].written(f"s.a{position[name]}") for name in step.fields]
    target = ", ".join(map(quote, names))
    sql = f"INSERT INTO {table.quoted} ({target}) SELECT {', '.join(values)} FROM {source} AS s"
    # Without a unique index the rows that exist were set aside before, under a lock.
    return sql + (f" ON CONFLICT ({', '.join(map(quote, table.key))}) DO NOTHING" if table.unique else "")


def _key_tests(table: Table) -> Iterator[str]:
    return (f"t.{quote(name)} = s.k{i}" for i, name in enumerate(table.key))


def _equality_sql(table: Table, name: str, left: str, right: str) -> str:
    column = table.columns[name]
    return f"{column.comparable(left)} IS NOT DISTINCT FROM {column.comparable(right)}"


def _as_before_sql(table: Table, name: str, at: int) -> str:
    same = _equality_sql(table, name, f"t.{quote(name)}", f"s.b{at}")
    # An undo deletes what was created without a value, and the column's default has taken that place.
    return f"({same} OR s.b{at} IS NULL)" if table.columns[name].fills_in else same


def _assignment_sql(table: Table, step: Step, name: str, at: int) -> str:
    column = quote(name)
    written = table.columns[name].written(f"s.a{at}")
    if name in step.always:
        return f"{column} = {written}"
    unchanged = _equality_sql(table, name, f"s.a{at}", f"s.b{at}")
    return f"{column} = CASE WHEN {unchanged} THEN t.{column} ELSE {written} END"


def _update_tests(table: Table, step: Step, position: dict[str, int]) -> Iterator[str]:
    """Each field to change is as planned. What else a row may hold is looked at when it was not written."""
    todo = []
    for name in step.fields:
        at = position[name]
        as_planned = _equality_sql(table, name, f"t.{quote(name)}", f"s.b{at}")
        if name in step.always:
            yield as_planned
        else:
            unchanged = _equality_sql(table, name, f"s.a{at}", f"s.b{at}")
            yield f"({as_planned} OR {unchanged})"
            todo.append(f"NOT ({unchanged})")
    if not step.always:
        yield f"({' OR '.join(todo)})"


def set_aside_sql(table: Table, stage: Shape) -> str:
    """Take the staged rows whose key the table has out of the staging table, and return their items."""
    tests = [f"t.{quote(name)} = s.k{i}" for i, name in enumerate(table.key)]
    matching = f"USING {table.quoted} AS t WHERE {' AND '.join(tests)}"
    return f"DELETE FROM pg_temp.{stage.name} AS s {matching} RETURNING s.item"


def read_sql(table: Table, stage: Shape | None, fields: Sequence[str], *, held: bool = False) -> str:
    """Select key columns and `fields`: of the rows with staged keys, or of all rows.

    Args:
        table: What is read.
        stage: Where the keys are; None for all rows.
        fields: Which fields.
        held: Show the keys as the table holds them, and not as they were given.
    """
    columns = [
        f"s.k{i}" if stage and not held else _column_sql(table, name) for i, name in enumerate(table.key)
    ]
    columns += [_column_sql(table, name) for name in fields]
    sql = f"SELECT {', '.join(columns)} FROM {table.quoted} AS t"
    if stage is None:
        return sql
    return f"{sql} JOIN pg_temp.{stage.name} AS s ON {' AND '.join(_key_tests(table))}"


def _column_sql(table: Table, name: str) -> str:
    # As text, a char(n) loses the blanks it is filled up with.
    return f"t.{quote(name)}::text" if table.columns[name].base == "bpchar" else f"t.{quote(name)}"
