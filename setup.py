"""Lays the notebooks and samples, which stand at the top of the project, into the package that is built."""

from __future__ import annotations

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py

SHIPPED = (
    "notebooks/*.ipynb",
    "data/*.csv",
    "data/*.md",
    "data/*.toml",
    "data/*.xlsx",
    "data/wordpress/*",
)


class WithSamples(build_py):
    """`build_py`, and what `batchkit lab` lays out."""

    def run(self) -> None:
        """Build the package; an editable one finds them where they are."""
        super().run()
        if self.editable_mode:
            return
        for name in self.shipped():
            place = Path(self.build_lib, "batchkit", "demo", name)
            place.parent.mkdir(parents=True, exist_ok=True)
            copyfile(name, place)

    def get_source_files(self) -> list[str]:
        """What a source distribution needs, so that a wheel built from one has them too."""
        return [*super().get_source_files(), *self.shipped()]

    @staticmethod
    def shipped() -> list[str]:
        """Their names, from the top of the project."""
        top = Path(__file__).parent
        return [
            path.relative_to(top).as_posix()
            for pattern in SHIPPED
            for path in sorted(top.glob(pattern))
            if path.is_file()
        ]


setup(cmdclass={"build_py": WithSamples})
