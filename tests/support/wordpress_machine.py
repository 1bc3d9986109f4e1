"""What a real WordPress needs of this machine: PHP, MariaDB, and WordPress's own files."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.needs import ROOT

#: Debian's suites by age: the machine's own first choice is the middle one.
SUITE = "trixie"
HOW = "`make wordpress` sets it up"


class WordPressMissing(RuntimeError):
    """This machine has no PHP, no MariaDB or no copy of WordPress; the message says which."""


@dataclass(frozen=True)
class Tree:
    """An unpacked WordPress, never written to: sites link to it.

    Attributes:
        folder: Where `wp-load.php` lies.
        suite: The release of Debian it was taken from.
        version: WordPress's own version, like `6.8.3`.
    """

    folder: Path
    suite: str
    version: str


def cache() -> Path:
    """The folder of what is made once: `.cache/wordpress` here, or below `BATCHKIT_CACHE`."""
    return Path(os.environ.get("BATCHKIT_CACHE") or ROOT / ".cache") / "wordpress"


def find_tree(suite: str | None = None) -> Tree:
    """The WordPress to run.

    Args:
        suite: The release of Debian it shall come from; by default `BATCHKIT_WORDPRESS_SUITE`, else trixie's
            if it is there, else the newest that is.

    Raises:
        WordPressMissing: There is none.
    """
    wanted = suite or os.environ.get("BATCHKIT_WORDPRESS_SUITE")
    found = [tree for tree in trees() if wanted in (None, "", tree.suite)]
    if not found:
        raise WordPressMissing(f"no WordPress {f'of {wanted} ' if wanted else ''}on this machine; {HOW}")
    return max(found, key=lambda tree: (tree.suite == SUITE, _number(tree.version)))


def trees() -> list[Tree]:
    """All copies of WordPress in the cache."""
    found = []
    for file in cache().glob("*-*/wp-includes/version.php"):
        folder = file.parent.parent
        if version := version_of(folder):
            found.append(Tree(folder, folder.name.partition("-")[0], version))
    return found


def version_of(folder: Path) -> str | None:
    """The version of the WordPress in a folder; None when there is none."""
    file = folder / "wp-includes" / "version.php"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    match = re.search(r"^\$wp_version = '([^']+)';", text, re.MULTILINE)
    return match[1] if match else None


def lacking() -> list[str]:
    """What programs are missing here, in words; empty when all are there."""
    if sys.platform == "win32":
        return ["a POSIX system"]
    programs = {
        "php": "PHP",
        "mariadbd": "MariaDB's server",
        "mariadb": "MariaDB's client",
        "mariadb-install-db": "MariaDB's set-up program",
    }
    missing = [words for name, words in programs.items() if not program(name)]
    if "PHP" not in missing and "mysqli" not in _php_modules():
        missing.append("PHP's extension mysqli")
    return missing


def program(name: str) -> str | None:
    """Where a program is; servers are often outside an ordinary user's path."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
    return shutil.which(name, path=path)


def _php_modules() -> list[str]:
    done = subprocess.run([program("php") or "php", "-m"], capture_output=True, text=True, check=False)
    return done.stdout.split()


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
