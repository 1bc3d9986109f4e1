"""`batchkit lab`: notebooks and samples in a folder, and JupyterLab on it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..core.errors import UsageError
from ..core.install import install_command
from ..core.words import plural
from .console import Console, echo
from .family import DONE

if TYPE_CHECKING:
    from ..demo.lay_out import Laid

FIRST: Final = Path("notebooks", "table_import.ipynb")


@click.command(
    short_help="JupyterLab on notebooks to work with.", context_settings={"ignore_unknown_options": True}
)
@click.argument("folder", metavar="[DIR]", required=False)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS]")
def lab(folder: str | None, options: tuple[str, ...]) -> int:
    """Put notebooks and samples into DIR, where they are missing, and open JupyterLab there.

    Without DIR: this folder when it holds the notebooks, else batchkit-lab in it. What is there already stays
    as it is. OPTIONS go to JupyterLab.
    """
    from ..demo.lay_out import lay_out

    named = folder or ""
    if named.startswith("-"):
        named, options = "", (named, *options)
    place = Path(named or ("." if FIRST.is_file() else "batchkit-lab")).expanduser().absolute()
    if place.exists() and not place.is_dir():
        raise UsageError(f"{place} is a file.", advice="Name a folder; it is made when it isn't there.")
    laid = lay_out(place)
    Console(json=False).page(_laid_out(place, laid))
    if find_spec("jupyterlab") is None:
        raise UsageError("JupyterLab isn't installed.", advice=f"Run: {install_command('lab')}")
    echo(f"Begin with {FIRST.as_posix()}. Ctrl-C ends JupyterLab.")
    _open(place, options)
    return DONE


def _laid_out(place: Path, laid: Laid) -> Iterator[str]:
    yield f"{place}: {plural(len(laid.new), 'file')} put there, {len(laid.kept)} there already."
    if laid.changed:
        yield f"Yours differ from those that come with this version, and stay: {', '.join(laid.changed)}."


def _open(place: Path, options: Sequence[str]) -> None:
    # The folder itself is the root, not `notebooks` in it: the file browser then shows the data too.
    words = [f"--ServerApp.root_dir={place}", *options]
    if getattr(os, "geteuid", lambda: 1)() == 0:
        words.append("--ServerApp.allow_root=True")
    import_module("jupyterlab.labapp").main(words)
