"""The notebook in a real JupyterLab in a real browser: preview, start, pause, resume, end."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.needs import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

NOTEBOOK = ROOT / "notebooks" / "table_import.ipynb"
ROWS = 3_000


class Lab:
    """A JupyterLab of this test's own, with nobody's settings.

    Args:
        folder: Where its notebooks, its home and its logs are.
    """

    def __init__(self, folder: Path) -> None:
        self.notebooks = folder / "notebooks"
        self.home = folder / "home"
        self.notebooks.mkdir(parents=True)
        self.home.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.log = (folder / "lab.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *self._options()],
            env=self._environment(),
            stdout=self.log,
            stderr=self.log,
        )

    def _options(self) -> list[str]:
        port = self.url.rpartition(":")[2]
        return [
            "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
            "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True",
            f"--ServerApp.root_dir={self.notebooks}",
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
        own = {name: str(self.home / name.lower()) for name in places}
        # JupyterLab asks newcomers whether they want news, in a box over the page.
        settings = self.home / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
        own["JUPYTERLAB_SETTINGS_DIR"] = str(self.home / "settings")
        return {**os.environ, **own, "HOME": str(self.home), "PYTHONPATH": str(ROOT)}

    def wait(self) -> None:
        """Until it answers."""
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"{self.url}/api", timeout=5):  # noqa: S310  our own server
                    return
            except (urllib.error.URLError, ConnectionError):
                assert self.process.poll() is None, Path(self.log.name).read_text()
                time.sleep(0.1)
        raise TimeoutError(Path(self.log.name).read_text())

    def close(self) -> None:
        """End it, and its kernels with it."""
        self.process.terminate()
        try:
            self.process.wait(60)  # it asks each kernel to end first
        finally:
            self.process.kill()
            self.process.wait(10)
            self.log.close()


@pytest.fixture
def lab(tmp_path: Path, page: Page) -> Iterator[Lab]:
    """A JupyterLab, its notebook folder empty."""
    server = Lab(tmp_path / "lab")
    try:
        server.wait()
        yield server
    finally:
        server.close()


def company(number: int, city: str = "Saint-Étienne") -> tuple[str, str, str]:
    """A row of the file."""
    return f"{number:05}", f"Société n° {number}", city


def make_input(lab: Lab) -> Path:
    """A file of companies, and a database that holds half of them with another city."""
    lines = ["code;nom;ville", *(";".join(company(n)) for n in range(ROWS))]
    (lab.notebooks / "rows.csv").write_text("\n".join(lines), encoding="utf-8")
    # Not beside the notebook: SQLite's short-lived files there would trip JupyterLab's listing of the folder.
    path = lab.home / "companies.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE companies (code TEXT PRIMARY KEY, nom TEXT, ville TEXT)")
        old = [company(n, "St Etienne") for n in range(ROWS // 2)]
        database.executemany("INSERT INTO companies VALUES (?, ?, ?)", old)
    database.close()
    return path


def put_notebook(lab: Lab, **parameters: Any) -> None:
    """The project's notebook, with other values in its parameters cell."""
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cell = next(each for each in notebook["cells"] if "parameters" in each["metadata"].get("tags", []))
    # Behind the cell's own lines, as an operator would who tries something out.
    cell["source"] = [*cell["source"], "\n", *(f"{name} = {value!r}\n" for name, value in parameters.items())]
    (lab.notebooks / "table_import.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


def open_and_run(lab: Lab, page: Page, sight: str = ".bk-badge") -> None:
    """Open the notebook, execute all its cells and wait for something to be in sight."""
    page.goto(f"{lab.url}/lab/tree/table_import.ipynb?reset")
    # Run before the kernel is there, JupyterLab would ask which one to take.
    kernel = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
    page.wait_for_function(f"{kernel}?.status === 'idle'", timeout=90_000)
    command(page, "notebook:run-all-cells")
    until(lambda: page.locator(f".bk-panel {sight}").count() > 0, page, 60)


def command(page: Page, name: str) -> None:
    """One of JupyterLab's own commands, unanswered: some answer with half the application."""
    page.evaluate("name => { window.jupyterapp.commands.execute(name) }", name)


def button(page: Page, name: str) -> Any:
    """A button by its words."""
    return page.get_by_role("button", name=re.compile(f"^{re.escape(name)}"))


def state(page: Page) -> str:
    """The word on the badge; also while JupyterLab hides the cell because it isn't in sight."""
    return page.locator(".bk-badge").text_content() or ""


def settled(page: Page) -> int:
    """How many items the line of figures says are settled; -1 before there is such a line."""
    found = re.search(r"([\d,]+) of", page.locator(".bk-line").text_content() or "")
    return int(found[1].replace(",", "")) if found else -1


def until(done: Callable[[], bool], page: Page, seconds: float = 20) -> None:
    """Wait for something on the page."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, page.locator(".jp-OutputArea, .jp-Dialog").all_text_contents()
        page.wait_for_timeout(50)


def test_operator_runs_the_notebook(lab: Lab, page: Page, tmp_path: Path) -> None:
    """Marked cells; a question before the start; figures that move, stand still in a pause, and go on."""
    database_path = make_input(lab)
    target = f"sqlite:///{database_path.as_posix()}"
    put_notebook(lab, source="rows.csv", target=target, key="code", fields={}, rate=400, chunk_size=50)
    open_and_run(lab, page)

    cell = page.locator("td.bk-changed").first
    assert cell.locator("del").inner_text() == "St Etienne"
    assert cell.locator("ins").inner_text() == "Saint-Étienne"
    button(page, "Create 1,500").click()
    page.locator("td:has-text('01500')").first.wait_for()
    button(page, "Next").click()
    page.locator("td:has-text('01520')").first.wait_for()

    button(page, "Apply…").click()
    assert "1,500 creates, 1,500 updates" in page.locator(".bk-confirm").inner_text()
    button(page, "Apply now").click()
    until(lambda: settled(page) > 0, page)
    first = settled(page)
    until(lambda: settled(page) > first, page)
    assert state(page) == "Running"

    button(page, "Pause").click()
    until(lambda: state(page) == "Paused", page)
    still = settled(page)
    page.wait_for_timeout(1_000)
    assert settled(page) == still < ROWS
    assert rows_with_new_city(database_path) == still

    button(page, "Resume").click()
    until(lambda: settled(page) > still, page)
    page.get_by_label("Items per second").fill("100000")
    button(page, "Apply settings").click()
    until(lambda: state(page) == "Finished", page)
    with sqlite3.connect(database_path) as database:
        found = database.execute("SELECT code, nom, ville FROM companies ORDER BY code").fetchall()
    database.close()
    assert found == [company(n) for n in range(ROWS)]

    link = page.get_by_role("link", name="Outcome of every row")
    link.wait_for()
    assert page.request.get(str(link.get_attribute("href"))).body().startswith(b"PK")
    if folder := os.environ.get("BATCHKIT_SCREENSHOTS"):
        page.locator(".bk-panel").last.screenshot(path=str(Path(folder) / "finished.png"))


def test_page_reloaded_while_the_run_goes_on(lab: Lab, page: Page) -> None:
    """Closing the page doesn't touch the run, and the page opened again shows it where it now stands."""
    path = make_input(lab)
    target = f"sqlite:///{path.as_posix()}"
    put_notebook(lab, source="rows.csv", target=target, key="code", fields={}, rate=500, chunk_size=50)
    open_and_run(lab, page)
    button(page, "Apply…").click()
    button(page, "Apply now").click()
    until(lambda: settled(page) > 0, page)
    before = settled(page)
    command(page, "docmanager:save")
    # The page shows again what the saved notebook holds: both views must have reached the disk first.
    until(lambda: saved_views(lab) >= 2, page)
    page.reload()
    page.locator(".bk-line").wait_for(timeout=60_000)
    until(lambda: settled(page) > before, page)
    button(page, "Stop").click()
    until(lambda: state(page) in {"Stopped", "Finished"}, page)
    assert rows_with_new_city(path) == settled(page)


def test_wizard_leads_from_a_file_to_a_preview(lab: Lab, page: Page) -> None:
    """Read the file, connect, check: the mapping is proposed, changes are marked, wide tables scroll."""
    path = make_input(lab)
    rows = lab.notebooks / "rows.csv"
    head, *lines = rows.read_text(encoding="utf-8").splitlines()
    wide = [
        head + "".join(f";note{n}" for n in range(12)),
        *(line + ";une longue remarque" * 12 for line in lines),
    ]
    rows.write_text("\n".join(wide), encoding="utf-8")
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "w",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    values = {"source": "rows.csv", "to": f"sqlite:///{path.as_posix()}", "table": "companies"}
    cell["source"] = f"from batchkit.panel import wizard\nwizard(**{values!r})"
    notebook["cells"] = [cell]
    (lab.notebooks / "table_import.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
    open_and_run(lab, page, ".bk-subtitle")
    button(page, "Read file").click()
    button(page, "Connect").click()
    button(page, "Check and preview").click()
    page.locator("td.bk-changed").first.wait_for()
    assert page.locator("td.bk-changed").first.inner_text() == "St Etienne → Saint-Étienne"
    assert state(page) == "Ready"
    box, table, panel = page.evaluate(
        "[...'.bk-scroll|.bk-table|.bk-panel'.split('|')].map("
        "name => document.querySelector(name).getBoundingClientRect().width)"
    )
    assert box <= panel < table  # it scrolls in its own box, and the rest stays in sight


def saved_views(lab: Lab) -> int:
    """How many live views the notebook on disk shows."""
    saved = (lab.notebooks / "table_import.ipynb").read_text(encoding="utf-8")
    return saved.count("application/vnd.jupyter.widget-view+json")


def rows_with_new_city(path: Path) -> int:
    """How many rows the database holds as the file has them."""
    with sqlite3.connect(path) as database:
        count = database.execute("SELECT count(*) FROM companies WHERE ville = 'Saint-Étienne'").fetchone()[0]
    database.close()
    return int(count)
