"""A job as an operator fills it in: the file, the target, and a line per column. No widget, no thread."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

from annotated_types import Ge
from pydantic import BaseModel, ConfigDict

from ..checking.fields import Field
from ..checking.mapping import Mapping
from ..core.errors import JobError, MappingError
from ..core.model import LENIENT, Place, read
from ..planning.job import Job
from ..planning.opening import leaving, open_target

if TYPE_CHECKING:
    from ..planning.plan import Plan
    from ..sources.look import Look

TYPES: Final = {
    "as the table": None, "text": "text", "whole number": "integer", "decimal": "decimal", "date": "date",
    "date and time": "datetime", "yes or no": "boolean",
}  # fmt: skip
CHECKS: Final[dict[str, dict[str, Any]]] = {
    "none": {}, "e-mail": {"email": True}, "web address": {"url": True}, "phone (France)": {"phone": "FR"},
    "SIREN": {"siren": True}, "SIRET": {"siret": True}, "no value twice": {"unique": True},
}  # fmt: skip
DATE_FORMATS: Final = ("dd/mm/yyyy", "yyyy-mm-dd", "mm/dd/yyyy", "dd.mm.yyyy")


@dataclass(slots=True)
class ColumnChoice:
    """What becomes of one column of the file.

    Attributes:
        column: Its name.
        sample: Its first value.
        field: Field it feeds; empty leaves the column out.
        key: Whether it identifies an item.
        type: One of `TYPES`.
        check: One of `CHECKS`.
        required: Whether an empty cell is a problem.
    """

    column: str
    sample: str = ""
    field: str = ""
    key: bool = False
    type: str = "as the table"
    check: str = "none"
    required: bool = False

    def to_field(self, date_format: str) -> Field:
        """The field as a job holds it."""
        kind = TYPES[self.type]
        options: dict[str, Any] = dict(CHECKS[self.check])
        if kind is not None:
            options["type"] = kind
        if kind in {None, "date"} and date_format:
            options["formats"] = (date_format,)
        return Field(self.field, column=self.column, required=self.required or self.key, **options)


class _Reading(BaseModel):
    """How the file is read, from the texts of the form."""

    model_config = ConfigDict(**LENIENT)
    source: str = ""
    sheet: str | None = None
    header_row: Annotated[int, Ge(0)] | None = None
    encoding: str | None = None


_PLACE: Final = Place("The entry ", "There is no entry", "The form", JobError)


class JobForm:
    """The state of the form.

    Attributes:
        reading: How the file is read: `source`, `sheet`, `header_row`, `encoding`; empty means detected.
        target: Where to: `to`, `table`, `mode`.
        create: Whether a table that isn't there is made.
        dates: How dates are written in the file, by `format`.
        found: What was understood of the file; None before it was read.
        known: The target's fields; empty while the table isn't there.
        choices: A line per column of the file.
        connected: Whether the target answered since the file was read.
        proposals: How often the lines were made anew, so that a view knows when to draw them.
    """

    def __init__(self) -> None:
        self.reading = dict.fromkeys(("source", "sheet", "header_row", "encoding"), "")
        self.target = {"to": "", "table": "", "mode": "upsert"}
        self.create = False
        self.dates = {"format": DATE_FORMATS[0]}
        self.found: Look | None = None
        self.known: list[str] = []
        self.choices: list[ColumnChoice] = []
        self.proposals = 0
        self.connected = False

    def read(self) -> None:
        """Read the file through and start a line per column.

        Raises:
            SourceError: It can't be read as a table.
            JobError: No file is named, or the header's row is no number.
        """
        from ..sources.look import look

        source = self.reading["source"].strip()
        if not source:
            raise JobError(
                "No file is named.", advice="Write the path of a CSV or Excel file, or its https:// address."
            )
        self.found, self.known, self.connected = None, [], False
        found = look(source, **self._options())
        first: abc.Mapping[str, Any] = found.preview[0] if found.preview else {}
        self.choices = [ColumnChoice(column, str(first.get(column) or "")) for column in found.columns]
        self.found = found
        self.proposals += 1

    def connect(self) -> None:
        """Ask the target for its fields, and propose which column feeds which.

        Raises:
            TargetError: It refuses, nobody answers, or the table isn't there and shall not be created.
        """
        columns = [choice.column for choice in self.choices]
        with leaving(open_target(self.target["to"].strip(), **self._target_options())) as target:
            target.connect()
            fields = target.fields()
        self.known, self.connected = list(fields), True
        proposed = self._propose(columns)
        for choice in self.choices:
            choice.field = proposed.get(choice.column, "")
            choice.key = bool(choice.field in fields and fields[choice.field].key)
        self.proposals += 1

    def _propose(self, columns: list[str]) -> dict[str, str]:
        if not self.known:  # the table is made from the file
            return {column: column for column in columns}
        try:
            mapping = Mapping.auto(columns, self.known)
        except MappingError:  # no name fits: the operator chooses
            return {}
        return {field.column: field.name for field in mapping.fields if field.column}

    def job(self) -> Job:
        """The job that the form describes.

        Raises:
            JobError: Something is missing or contradicts itself.
        """
        used = [choice for choice in self.choices if choice.field.strip()]
        if not used:
            raise JobError("No column feeds a field.", advice="Name the field of at least one column.")
        return Job(
            self.reading["source"].strip(),
            self.target["to"].strip(),
            self.target["table"].strip() or None,
            [choice.field for choice in used if choice.key],
            self.target["mode"],
            fields=[choice.to_field(self.dates["format"].strip()) for choice in used],
            create=self.create,
            **self._options(),
        )

    def plan(self) -> Plan:
        """What the job would change; raises what `Job.plan` raises."""
        return self.job().plan()

    def _options(self) -> dict[str, Any]:
        given = {name: text.strip() for name, text in self.reading.items() if text.strip()}
        return read(_Reading, given, _PLACE).model_dump(exclude={"source"}, exclude_none=True)

    def _target_options(self) -> dict[str, Any]:
        # The key is chosen afterwards; the table's own is what is asked for here.
        options: dict[str, Any] = {"key": (), "mode": "append"}
        if table := self.target["table"].strip():
            options["table"] = table
        if self.create:
            options["create"] = True
        return options
