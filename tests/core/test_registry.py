"""What opens an address: batchkit's own, what a process registers, what packages add."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from batchkit.core.errors import UsageError
from batchkit.core.registry import Registry, scheme_of


def test_scheme_is_what_stands_before_the_colon() -> None:
    """Whatever its case, and without what a plus adds."""
    assert [scheme_of(text) for text in ("sqlite:///a", "HTTP+https://h", "whatsapp:1", "a.csv")] == [
        "sqlite", "http", "whatsapp", "a.csv",
    ]  # fmt: skip


def test_what_a_process_registers_comes_first() -> None:
    """A test may put something of its own in the place of what batchkit has."""
    registry = Registry("target", {"shop": "batchkit.core.registry:Registry"})
    assert registry.opener("shop:1") is Registry
    registry.register("Shop", "batchkit.core.registry:scheme_of")
    assert registry.opener("shop:1") is scheme_of


def test_unknown_scheme_is_told_with_those_there_are() -> None:
    """So that a typing error shows."""
    registry = Registry("target", {"shop": "x:Y"})
    with pytest.raises(UsageError, match=r"No target knows the address shoop:.*Known are: shop\."):
        registry.opener("shoop://host")


PACKAGE = '''
"""A source and a target of somebody else's."""

import json
from pathlib import Path

import polars as pl

from batchkit.targets.base import AFTER, FieldType, Failure, Fate, FrameTarget


class Depot:
    """The goods of a depot; `depot:NAME`."""

    def __init__(self, address, *, shelf="all"):
        self.name = address.partition(":")[2]
        self.columns, self.problems, self._shelf = ["id", "what"], [], shelf

    def batches(self, size=50_000):
        frame = pl.DataFrame({"#row": [2, 3], "id": ["1", "2"], "what": [self.name, self._shelf]})
        yield frame.with_columns(pl.col("#row").cast(pl.UInt32))

    def fingerprint(self):
        return "f" * 64

    def describe(self):
        return {"kind": "depot", "name": self.name}


class Ledger(FrameTarget):
    """A file with a line per item; `ledger:PATH`."""

    idempotent = True

    def __init__(self, url, *, key=(), mode="upsert", **options):
        self.url, self.keys, self.options = url, tuple(key), options

    @property
    def address(self):
        return self.url

    def describe(self):
        return {"url": self.url, "key": list(self.keys), **self.options}

    def connect(self):
        pass

    def close(self):
        pass

    def fields(self):
        return {"id": FieldType("text"), "what": FieldType("text")}

    def classify(self, error):
        return Failure(Fate.ABORT, "disk", str(error))

    def apply(self, frame, context):
        with Path(self.url.partition(":")[2]).open("a") as file:
            for row in frame.iter_rows(named=True):
                print(json.dumps({self.options.get("label", "what"): row[AFTER + "what"]}), file=file)
        return []
'''
ENTRY_POINTS = """
[batchkit.sources]
depot = depot_for_batchkit:Depot
broken = depot_for_batchkit:Nothing
https = depot_for_batchkit:Nothing

[batchkit.targets]
ledger = depot_for_batchkit:Ledger
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed a package of somebody else's, from a wheel."""
    folder = tmp_path_factory.mktemp("package")
    wheel, record = folder / "depot_for_batchkit-1.0-py3-none-any.whl", "depot_for_batchkit-1.0.dist-info"
    files = {
        "depot_for_batchkit.py": PACKAGE,
        f"{record}/METADATA": "Metadata-Version: 2.1\nName: depot-for-batchkit\nVersion: 1.0\n",
        f"{record}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{record}/entry_points.txt": ENTRY_POINTS,
    }
    files[f"{record}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{record}/RECORD"))
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target"]
    subprocess.run([*pip, str(folder / "site"), str(wheel)], check=True)
    return folder / "site"


def batchkit(installed: Path, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line, in a process that sees the installed package."""
    seen = os.pathsep.join([str(installed), *sys.path])
    environment = {**os.environ, "PYTHONPATH": seen, "BATCHKIT_HOME": str(home)}
    command = [sys.executable, "-m", "batchkit", *words]
    return subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, check=False)


def test_a_package_of_somebody_elses_adds_a_source_and_a_target(installed: Path, tmp_path: Path) -> None:
    """Once it is installed, a job goes from its source to its target by the command line, options and all."""
    out = tmp_path / "out.jsonl"
    more = ["--to", f"ledger:{out}", "--key", "id", "--target", "label=goods", "--yes"]
    done = batchkit(installed, tmp_path, "run", "depot:spring", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"goods": "spring"},
        {"goods": "all"},
    ]
    seen = batchkit(installed, tmp_path, "look", "depot:spring", "--json")
    assert json.loads(seen.stdout)["rows"] == 2
    job = (
        'source = {address = "depot:autumn", shelf = "7"}\nkey = ["id"]\n'
        f'to = "ledger:{tmp_path}/b.jsonl"\n'
    )
    (tmp_path / "job.toml").write_text(job)
    done = batchkit(installed, tmp_path, "run", "job.toml", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "b.jsonl").read_text() == '{"what": "autumn"}\n{"what": "7"}\n'


def test_what_a_package_cannot_give_is_told_with_its_name(installed: Path, tmp_path: Path) -> None:
    """A source that isn't where its package says, a wrong entry; and nobody takes over batchkit's own."""
    told = batchkit(installed, tmp_path, "look", "broken:x")
    assert told.returncode == 2
    assert "broken: of the package depot-for-batchkit can't be loaded" in told.stderr
    (tmp_path / "job.toml").write_text(
        'source = {address = "depot:x", shef = "7"}\nto = "ledger:x"\nkey = ["id"]'
    )
    told = batchkit(installed, tmp_path, "run", "job.toml", "--yes")
    assert told.returncode == 2
    assert "Did you mean 'shelf'" in told.stderr
    told = batchkit(installed, tmp_path, "look", "https://127.0.0.1:9/a.csv")
    assert "Nobody answered" in told.stderr
