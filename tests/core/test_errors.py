"""Errors: each says what happened and what to do next, and no traceback reaches a notebook."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from batchkit.core import errors
from batchkit.core.errors import BatchkitError, RunBusy, SourceError

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, BatchkitError)]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_stands_in_the_tree_and_has_an_exit_code(cls: type[BatchkitError]) -> None:
    """The drawing at the top of the module names every class, and each leads to an exit code."""
    assert cls is BatchkitError or f" {cls.__name__} " in (errors.__doc__ or "")
    assert cls.exit_code in (2, 3)


def test_an_error_reads_as_sentence_and_advice_and_carries_its_facts() -> None:
    """What an operator reads is one text; what a program needs are attributes."""
    error = RunBusy("It runs.", advice="Stop it first.", pid=12)
    assert str(error) == "It runs. Stop it first."
    assert error.pid == 12  # type: ignore[attr-defined]
    assert str(RunBusy("database is locked", advice="Close it.")) == "database is locked. Close it."


def test_a_notebook_shows_the_sentence_and_no_traceback() -> None:
    """IPython asks an error how it wants to be shown: as its sentence."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]  # IPython has no types
    shell.push({"SourceError": SourceError})
    with capture_output() as shown:
        shell.run_cell("raise SourceError('There is no file rows.csv.', advice='Check the name.')")
    assert "SourceError: There is no file rows.csv. Check the name." in shown.stdout + shown.stderr
    assert "Traceback" not in shown.stdout + shown.stderr
