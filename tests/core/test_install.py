"""How an extra is added depends on how this copy came here."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from batchkit.core import install
from tests.support.needs import ROOT


class Installed:
    """An installed copy, as `importlib.metadata` would show it."""

    version = "1.2"
    requires = ("polars>=2", "jupyterlab>=4; extra == 'lab'")

    def __init__(self, by: str) -> None:
        self.by = by

    def read_text(self, name: str) -> str | None:
        """The files that an installer leaves."""
        return f"{self.by}\n" if name == "INSTALLER" else None


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes this copy one that such a program installed."""
    return lambda by: monkeypatch.setattr(install, "distribution", lambda _: Installed(by))


def test_the_name_is_that_of_the_project() -> None:
    """What advice tells people to install is what pyproject builds."""
    assert (
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"]
        == install.NAME
    )


def test_clone_is_installed_from_its_folder(
    installed: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the README says in its folder; from elsewhere by the folder's path, so that the line works there."""
    installed("pip")
    monkeypatch.chdir(ROOT)
    assert install.install_command("lab") == 'pip install -e ".[lab]"'
    assert install.install_command() == 'pip install -e "."'
    monkeypatch.chdir(tmp_path)
    assert install.install_command("lab") == f'pip install -e "{ROOT}[lab]"'


@pytest.mark.skipif(sys.platform == "win32", reason="quotes differ there")
def test_wheel_is_installed_by_its_name(
    installed: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a clone the distribution's name is what counts."""
    monkeypatch.setattr(install, "_FOLDER", tmp_path)
    installed("pip")
    assert install.install_command("lab") == "pip install 'batchkit-ops[lab]'"
    installed("uv")
    assert install.install_command("lab") == "uv pip install 'batchkit-ops[lab]'"


def test_extras_are_not_required(installed: Callable[[str], None]) -> None:
    """What only an extra brings isn't missed."""
    installed("pip")
    assert install.required_packages() == ["polars>=2"]
    assert install.installed_version() == "1.2"
