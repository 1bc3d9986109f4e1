"""The reference names everything that can be said; and whatever is said in a model shows in every face."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from batchkit.checking.fields import Field
from batchkit.core.model import entries
from batchkit.core.settings import Settings
from batchkit.planning.job_entries import Entries
from batchkit.targets.base import schemes, target_class
from tools.reference import PAGE, page


def test_the_reference_is_as_the_models_are() -> None:
    """Who adds a setting writes the page anew: `python -m tools.reference`."""
    assert PAGE.read_text(encoding="utf-8") == page()


TARGETS = {model for scheme in schemes() if (model := target_class(f"{scheme}:").model) is not None}


@pytest.mark.parametrize("model", [Entries, Settings, Field, *sorted(TARGETS, key=str)])
def test_every_entry_is_in_the_reference(model: Any) -> None:
    """What can be said can be read about, and each entry says what it is for."""
    text = PAGE.read_text(encoding="utf-8")
    known = {name: entry for name, entry in entries(model).items() if name != "folder"}  # is in no file
    assert [name for name, entry in known.items() if f"| `{name}` | {entry.help}" not in text] == []
    assert [name for name, entry in known.items() if not entry.help.endswith(".")] == []


MADE_UP = """
    patience: Annotated[Duration, Shown("Patience", unit="s")] = 5.0
    \"\"\"How long somebody waits.\"\"\"
"""
LOOK = """
from click.testing import CliRunner
from batchkit.cli import cli
from batchkit.core.errors import SettingsError
from batchkit.core.settings import LIVE, Settings
from batchkit.panel.fields import SettingsFields
from batchkit.planning.job import Job
from tools.reference import page

def help_of(verb):
    return CliRunner().invoke(cli, [verb, "--help"]).output

for verb in ("apply", "run", "undo", "resume"):
    assert "--patience TIME" in help_of(verb), verb
    assert "How long somebody waits. Default: 5." in help_of(verb), verb
assert "patience " in help_of("set") and "patience" in LIVE
fields = SettingsFields({}, {}, True, lambda: None)
assert fields.texts["patience"] == "5"
job = Job.from_dict({"source": "a.csv", "to": "sqlite:///a.sqlite", "table": "t", "key": ["k"],
                     "settings": {"patience": "3s"}})
assert Settings.of(job.settings).patience == 3.0
try:
    Settings.of({"patiense": 1})
except SettingsError as error:
    assert "'patience'" in str(error)
assert "| `patience` | How long somebody waits. | a time of up to a day | `5` | yes |" in page()
print("everywhere")
"""


def test_a_new_setting_is_said_in_one_place(tmp_path: Path) -> None:
    """Two lines in its model, and it is in job files, on the command line, in panel and reference."""
    root = Path(__file__).parents[1]
    shutil.copytree(root / "batchkit", tmp_path / "batchkit", ignore=shutil.ignore_patterns("__pycache__"))
    model = tmp_path / "batchkit" / "core" / "settings.py"
    text = model.read_text(encoding="utf-8")
    model.write_text(
        text.replace("    @classmethod\n    def of(", f"{MADE_UP}\n    @classmethod\n    def of(", 1)
    )
    paths = os.pathsep.join([str(tmp_path), str(root)])
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True,
        cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.stdout == "everywhere\n", done.stderr
