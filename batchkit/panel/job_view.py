"""The view of a whole job: load a file, map its columns, check them, then preview and run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ipywidgets

from ..core.advice import worded
from ..planning.job_entries import MODES
from .clicks import on_form
from .form import CHECKS, DATE_FORMATS, TYPES, ColumnChoice, JobForm
from .html import look_html, message_html, stylesheet
from .plan_view import PreviewView
from .run_view import ControlView
from .tasks import Tasks
from .ticker import TICKER
from .widgets import LiveView, button, form_row, html, replace, show

if TYPE_CHECKING:
    from ..planning.plan import Plan

SUFFIXES: Final = (".csv", ".tsv", ".txt", ".xlsx", ".xls", ".xlsb", ".ods")
MOST_FILES: Final = 200
_READING_FIELDS: Final = (
    ("sheet", "Sheet", "the first"),
    ("header_row", "Header row", "detected"),
    ("encoding", "Encoding", "detected"),
)
_COLUMNS: Final = {
    "Column": "minmax(0, 3fr)", "First value": "minmax(0, 4fr)", "Field": "minmax(0, 4fr)", "Key": "30px",
    "Type": "minmax(0, 3fr)", "Check": "minmax(0, 3fr)", "Required": "60px",
}  # fmt: skip
"""The columns of the form's table, and their shares of its width."""


class WizardView(LiveView):
    """Leads from a file to a run, one step after the other; a step opens when the one before is done.

    Args:
        values: What stands in the form at first: `source`, `to`, `table`, `mode`, ...
        report_folder: Where reports go.
    """

    def __init__(self, values: Mapping[str, str], report_folder: Path) -> None:
        self.form = JobForm()
        self.tasks = Tasks()
        self.plan: Plan | None = None
        self._report_folder = report_folder
        self._previewed: Plan | None = None
        self._proposals = 0
        for part in (self.form.reading, self.form.target):
            part.update({name: value for name, value in values.items() if name in part})
        self._message = html()
        self._found = html()
        widths = ipywidgets.Layout(
            grid_template_columns=" ".join(_COLUMNS.values()), grid_gap="0 8px", max_width="940px"
        )
        self._columns, self._result = ipywidgets.GridBox(layout=widths), ipywidgets.VBox()
        self._map = ipywidgets.VBox([_step("2. Where to"), self._target_row()])
        self._check = ipywidgets.VBox(
            [_step("3. Which column feeds which field"), self._columns, self._check_row()]
        )
        super().__init__([
            html(stylesheet(), "bk-style"), _step("1. The file"), self._file_row(), self._found, self._map,
            self._check, self._message, self._result,
        ])  # fmt: skip
        self.add_class("bk-panel")
        self.refresh()

    # Rows of the form

    def _file_row(self) -> Any:
        hint = "path of a CSV or Excel file, or its address"
        more: dict[str, Any] = {"css": "bk-wide", "options": _files_here(), "placeholder": hint}
        return form_row(
            self._entry(ipywidgets.Combobox, "File", self.form.reading, "source", **more),
            *(
                self._entry(ipywidgets.Text, label, self.form.reading, name, placeholder=empty)
                for name, label, empty in _READING_FIELDS
            ),
            button("Read file", "Say what is understood of it", self.read, "primary"),
        )

    def _target_row(self) -> Any:
        target, address = self.form.target, {"css": "bk-wide", "placeholder": "sqlite:///companies.sqlite"}
        create = ipywidgets.Checkbox(
            value=False, description="Create the table", indent=False, layout=ipywidgets.Layout(width="auto")
        )
        create.observe(lambda change: setattr(self.form, "create", change["new"]), "value")
        return form_row(
            self._entry(ipywidgets.Text, "Database", target, "to", **address),
            self._entry(ipywidgets.Text, "Table", target, "table"),
            self._entry(ipywidgets.Dropdown, "Mode", target, "mode", options=MODES),
            create,
            button("Connect", "Look at the table and propose a mapping", self.connect, "primary"),
        )

    def _check_row(self) -> Any:
        job = {"file": "job.toml"}
        return form_row(
            self._entry(
                ipywidgets.Combobox, "Dates are written", self.form.dates, "format", options=DATE_FORMATS
            ),
            button("Check and preview", "Compare file and table; writes nothing", self.check, "primary"),
            self._entry(ipywidgets.Text, "Save as", job, "file"),
            button("Save job", "Keep it as a file, to be run again", lambda: self.save(job["file"])),
        )

    def _entry(
        self, kind: Any, label: str, values: dict[str, str], name: str, css: str = "", **more: Any
    ) -> Any:
        """A field of the form, whose text is kept under that name."""
        field = kind(value=values[name], description=label, **more)
        field.observe(lambda change: values.__setitem__(name, change["new"]), "value")
        for each in ("bk-field", *css.split()):
            field.add_class(each)
        return field

    def _column_cells(self, choice: ColumnChoice) -> list[Any]:
        def bind(kind: Any, name: str, **more: Any) -> Any:
            field = kind(value=getattr(choice, name), layout=ipywidgets.Layout(width="auto"), **more)
            field.observe(lambda change: setattr(choice, name, change["new"]), "value")
            return field

        fields = self.form.known
        return [
            ipywidgets.Label(choice.column),
            ipywidgets.Label(choice.sample),
            bind(ipywidgets.Combobox, "field", options=fields, placeholder="left out"),
            bind(ipywidgets.Checkbox, "key", indent=False),
            bind(ipywidgets.Dropdown, "type", options=list(TYPES)),
            bind(ipywidgets.Dropdown, "check", options=list(CHECKS)),
            bind(ipywidgets.Checkbox, "required", indent=False),
        ]

    # What the buttons do

    def read(self) -> None:
        """Read the file, behind the screen."""
        self._later("Reading the file…", self.form.read)

    def connect(self) -> None:
        """Ask the target for its fields, behind the screen."""
        self._later("Asking the database…", self.form.connect)

    def check(self) -> None:
        """Work out what would change, behind the screen."""

        def compare() -> None:
            self.plan = self.form.plan()

        self._later("Comparing the file with the table…", compare)

    def save(self, name: str) -> None:
        """Keep the job as a TOML file."""
        self.tasks.now(lambda: self.form.job().save(name))
        self.refresh()
        if not self.tasks.notice:
            self._message.value = message_html(f"The job is kept in {name}.", "good")

    def _later(self, words: str, act: Callable[[], None]) -> None:
        self.tasks.notice = ""
        self.tasks.later(words, act)
        self.refresh()
        TICKER.add(self._look)

    def _look(self) -> bool:
        busy = bool(self.tasks.busy)
        self.refresh()
        return busy and not self._closed

    # What is on the screen

    def refresh(self) -> None:
        """Show what is known by now."""
        with self._drawing:
            if self._closed:
                return
            words = worded(self.tasks.notice or self.tasks.busy, on_form)
            self._message.value = message_html(words, "bad" if self.tasks.notice else "calm")
            if not self.tasks.busy:
                self._draw()

    def _draw(self) -> None:
        form = self.form
        if form.proposals != self._proposals:
            self._proposals = form.proposals
            self._found.value = look_html(form.found, on_form) if form.found else ""
            head = [html(f'<span class="bk-note">{label}</span>') for label in _COLUMNS]
            replace(self._columns, [*head, *chain.from_iterable(map(self._column_cells, form.choices))])
        show(self._map, form.found is not None)
        show(self._check, form.found is not None and form.connected)
        if self.plan is not None and self.plan is not self._previewed:
            self._previewed = self.plan
            views = [PreviewView(self.plan, say=on_form), ControlView(self.plan, self._report_folder, {})]
            replace(self._result, [_step("4. What would change"), views[0], _step("5. Run"), views[1]])


def _step(words: str) -> Any:
    return html(f'<div class="bk-subtitle">{words}</div>')


def _files_here() -> list[str]:
    here = Path()
    found = [path for folder in (here, here / "data") if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path.as_posix() for path in found if path.suffix.lower() in SUFFIXES][:MOST_FILES]
