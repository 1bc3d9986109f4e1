"""Parameters that papermill injects, and the notebook run by papermill, without a click."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from batchkit.core.errors import UsageError
from batchkit.panel.parameters import check_parameters, find_file, names, scratch_target
from tests.support.needs import ROOT

NOTEBOOK = ROOT / "notebooks" / "table_import.ipynb"
DECLARED = 'source = "rows.csv"  # the file\nworkers = 4\nrate = 1.5\nkey = None\nfields = {}\n'


def kernel(*cells: str) -> dict[str, Any]:
    """The names of a notebook after these cells, with the history a kernel keeps."""
    namespace: dict[str, Any] = {"In": ["", *cells]}
    for cell in cells:
        if not cell.startswith("%"):
            exec(cell, namespace)  # noqa: S102  a kernel does just that
    return namespace


def test_parameters_run_by_hand_pass() -> None:
    """Without an injected cell there is nothing to refuse, and the values come back."""
    assert check_parameters(kernel("import os", DECLARED, "%matplotlib inline")) == {
        "source": "rows.csv", "workers": 4, "rate": 1.5, "key": None, "fields": {},
    }  # fmt: skip


def test_injected_values_win() -> None:
    """What papermill injected is what comes back."""
    found = check_parameters(kernel(DECLARED, '# Parameters\nworkers = 8\nkey = "siret"\n'))
    assert (found["workers"], found["key"], found["source"]) == (8, "siret", "rows.csv")


def test_misspelt_parameter_is_refused() -> None:
    """A name the notebook doesn't know is an error that names the near one."""
    with pytest.raises(UsageError, match=r"no parameter 'worker'.*Did you mean 'workers'"):
        check_parameters(kernel(DECLARED, "# Parameters\nworker = 8\n"))


def test_injected_cell_run_again_replaces_the_first() -> None:
    """Mending the injected cell by hand and running it again is enough."""
    cells = (DECLARED, "# Parameters\nworker = 8\n", "# Parameters\nworkers = 8\n")
    assert check_parameters(kernel(*cells))["workers"] == 8


def test_other_cells_of_the_kernel_declare_nothing_that_computes() -> None:
    """A cell that computes isn't taken for the parameters."""
    with pytest.raises(UsageError, match="no parameter 'total'"):
        check_parameters(kernel(DECLARED, "total = workers * 2", "# Parameters\ntotal = 8\n"))


@pytest.mark.parametrize("value", ['"8"', "8.5", "True", "[8]"])
def test_injected_value_of_another_type_is_refused(value: str) -> None:
    """Text where a number is declared is refused before anything is read."""
    with pytest.raises(UsageError, match="'workers' must be a whole number"):
        check_parameters(kernel(DECLARED, f"# Parameters\nworkers = {value}\n"))


def test_number_where_text_is_declared_is_refused_with_the_way_out() -> None:
    """`-p` of papermill turns 00501 into 501; the advice says how to pass it as it is."""
    with pytest.raises(UsageError, match="`-r source VALUE` passes it as text"):
        check_parameters(kernel(DECLARED, "# Parameters\nsource = 501\n"))


def test_whole_number_and_nothing_fit_where_a_number_is_declared() -> None:
    """2 is a number as good as 2.0, and None always means the default."""
    assert check_parameters(kernel(DECLARED, "# Parameters\nrate = 2\n"))["rate"] == 2
    assert check_parameters(kernel(DECLARED, "# Parameters\nrate = None\n"))["rate"] is None
    assert check_parameters(kernel(DECLARED, "# Parameters\nrate = float('inf')\n"))["rate"] > 10


@pytest.mark.parametrize(
    ("name", "value"),
    [("password", "hunter22"), ("api_key", "abcd"), ("wp_token", "x" * 20),
     ("target", "postgresql://me:hunter22@db/shop")],
)  # fmt: skip
def test_secret_in_a_parameter_is_refused(name: str, value: str) -> None:
    """A password never passes through a notebook, and the refusal doesn't repeat it."""
    with pytest.raises(UsageError, match="holds a secret") as caught:
        check_parameters(kernel(f'{name} = ""\n', f'# Parameters\n{name} = "{value}"\n'))
    assert value not in str(caught.value)
    assert "{secret:NAME}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("password", "secret:shop"), ("target", "postgresql://me:{secret:shop}@db/shop"), ("token", ""),
     ("token_limit", 5)],
)  # fmt: skip
def test_name_of_a_secret_passes(name: str, value: Any) -> None:
    """The name of a secret, an address with such a name, and no value at all are fine."""
    assert check_parameters(kernel(f"{name} = {value!r}\n")) == {name: value}


def test_file_is_found_in_the_folders_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One relative name serves the notebook's folder and the project's."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").touch()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert find_file("data/a.csv") == tmp_path / "data" / "a.csv"
    assert find_file("data/b.csv") == Path("data/b.csv")
    assert find_file("https://host/data/b.csv") == "https://host/data/b.csv"
    assert names(" siren, nic ,") == ["siren", "nic"]
    assert scratch_target("c").endswith("/c.sqlite")


# The notebook itself


class Execution:
    """The notebook run by the `papermill` command in a folder of its own.

    Attributes:
        code: What the command ended with.
        log: What it said.
        notebook: What it left.
    """

    def __init__(self, folder: Path, *words: str, **parameters: Any) -> None:
        result = folder / "out.ipynb"
        given = words or ("-y", json.dumps({"interactive": False, **parameters}))
        places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        own = {name: str(folder / "jupyter" / name.lower()) for name in places}
        done = subprocess.run(
            [sys.executable, "-m", "papermill", str(NOTEBOOK), str(result), *given],
            cwd=folder,
            env={**os.environ, **own, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.code = done.returncode
        self.log = done.stdout + done.stderr
        self.notebook = json.loads(result.read_text(encoding="utf-8"))

    @property
    def text(self) -> str:
        """All that the notebook's cells put out."""
        outputs = [each for cell in self.notebook["cells"] for each in cell.get("outputs", [])]
        texts = [[output.get("text", ""), *output.get("data", {}).values()] for output in outputs]
        return "".join("".join(text) for parts in texts for text in parts)


def test_notebook_runs_out_of_the_box(tmp_path: Path) -> None:
    """With its defaults the sample goes into a new database; rejected rows are shown and fail nothing."""
    (tmp_path / "data").mkdir()
    shutil.copy(ROOT / "data" / "companies.csv", tmp_path / "data")
    run = Execution(tmp_path)
    assert run.code == 0, run.log
    assert "Create: 1" in run.text
    assert re.search("Finished in .* rejected", run.text)
    reports = sorted(path.suffix for path in (tmp_path / "reports").iterdir())
    assert reports == [".html", ".xlsx", ".xlsx"]


def test_notebook_writes_what_the_parameters_say(tmp_path: Path) -> None:
    """The table holds the rows of the file when papermill returns: it blocked until the run was done."""
    source = tmp_path / "rows.csv"
    source.write_text("id;name\n01;Zoé\n02;Léa\n", encoding="utf-8")
    target = f"sqlite:///{(tmp_path / 'rows.sqlite').as_posix()}"
    run = Execution(tmp_path, source=str(source), target=target, table="people", key="id")
    assert run.code == 0, run.log
    with sqlite3.connect(tmp_path / "rows.sqlite") as database:
        assert database.execute("SELECT id, name FROM people ORDER BY id").fetchall() == [
            ("01", "Zoé"), ("02", "Léa"),
        ]  # fmt: skip
    database.close()


def test_notebook_runs_as_the_readme_says(tmp_path: Path) -> None:
    """The line of the README, as it stands, brings the sample into a new database."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    line = next(line for line in readme.splitlines() if line.startswith("papermill "))
    _, _, _, *words = shlex.split(line)
    shutil.copytree(ROOT / "data", tmp_path / "data")
    run = Execution(tmp_path, *words)
    assert run.code == 0, run.log
    database = sqlite3.connect(tmp_path / "crm.sqlite")
    assert database.execute("SELECT count(*), min(length(siret)) FROM companies").fetchone() == (191, 14)
    database.close()


def test_notebook_dry_run_writes_nothing(tmp_path: Path) -> None:
    """With dry_run the figures are there and the table is not."""
    source = tmp_path / "rows.csv"
    source.write_text("id;name\n01;Zoé\n", encoding="utf-8")
    path = tmp_path / "rows.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT)")
    database.commit()
    target = f"sqlite:///{path.as_posix()}"
    run = Execution(tmp_path, source=str(source), target=target, table="people", key="id", dry_run=True)
    assert run.code == 0, run.log
    assert "Nothing was written" in run.text
    assert database.execute("SELECT count(*) FROM people").fetchone() == (0,)
    database.close()


def test_notebook_refuses_a_misspelt_parameter(tmp_path: Path) -> None:
    """A misspelt name fails the notebook before anything is read."""
    run = Execution(tmp_path, worker=8)
    assert run.code != 0
    assert "The notebook has no parameter 'worker'. Did you mean 'workers'?" in run.log


def test_notebook_fails_when_the_run_fails(tmp_path: Path) -> None:
    """A run that gives up fails the notebook, and the reason is in the error."""
    source = tmp_path / "rows.csv"
    source.write_text("id;name\n" + "".join(f"{n};{n}\n" for n in range(300)), encoding="utf-8")
    path = tmp_path / "rows.sqlite"
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE people (id TEXT PRIMARY KEY, name TEXT CHECK (length(name) > 9))")
    database.commit()
    database.close()
    target = f"sqlite:///{path.as_posix()}"
    run = Execution(tmp_path, source=str(source), target=target, table="people", key="id")
    assert run.code != 0
    assert "is failed." in run.log
