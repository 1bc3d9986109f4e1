"""See to a real WordPress for the tests: PHP and MariaDB by apt, WordPress itself only unpacked.

    python tools/setup_wordpress.py [--suite trixie]

WordPress comes from Debian's package, of the machine's own release or of another (bookworm 6.1, trixie 6.8,
sid 7.1), and is kept in `.cache/wordpress`: the second call finds it there and needs no network. Where all
this can't be had those tests skip, and this says so; under `BATCHKIT_REQUIRE_ALL=1` it fails instead.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.needs import REQUIRE_ALL
from tests.support.wordpress_machine import SUITE, cache, lacking, trees, version_of
from tools import apt

#: Metapackages first: they stand for whichever PHP this machine's release offers.
PACKAGES = ("php-cli", "php-mysql", "mariadb-server-core", "mariadb-client-core")
#: Libraries that WordPress brings along elsewhere; Debian keeps them in packages of their own, if at all.
LIBRARIES = ("php-getid3", "libphp-phpmailer")


def main(arguments: list[str] | None = None) -> int:
    """Find what a WordPress needs, or get it.

    Args:
        arguments: Of the command line; by default this process's own.

    Returns:
        0 when it is there, or when it need not be; else 1.
    """
    parser = argparse.ArgumentParser(description="Set up a real WordPress for the tests.")
    chosen = os.environ.get("BATCHKIT_WORDPRESS_SUITE")
    parser.add_argument("--suite", default=chosen, help=f"release of Debian to take it from ({SUITE})")
    suite: str | None = parser.parse_args(arguments).suite
    problem = _programs() or _files(suite)
    if problem is None:
        return 0
    print(f"{problem} The tests against a real WordPress will be skipped.", file=sys.stderr)
    return int(os.environ.get(REQUIRE_ALL, "") not in ("", "0"))


def _programs() -> str | None:
    """Install what is missing; what to say when it can't be had."""
    if not lacking():
        return None
    if apt.privileged() is not None:
        print("Installing PHP and MariaDB for the WordPress tests (once) ...", flush=True)
        apt.install(*PACKAGES)
    missing = lacking()
    if not missing:
        return None
    return (
        f"No {', no '.join(missing)}, and apt could not install it here (it needs apt, a network, and root)."
    )


def _files(suite: str | None) -> str | None:
    if any(suite in (None, tree.suite) for tree in trees()):
        return None
    print("Fetching WordPress for the tests (once) ...", flush=True)
    for name in [suite] if suite else [SUITE, ""]:
        if _fetch(name):
            return None
    return f"WordPress{f' of {suite}' if suite else ''} could not be downloaded (it needs apt and a network)."


def _fetch(name: str) -> bool:
    """Download and unpack one release's WordPress; whether it is in the cache now."""
    if not shutil.which("apt-get"):
        return False
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=cache()) as place:
        suite = apt.Suite(name, Path(place))
        first = apt.privileged()
        if not suite.update() or (suite.version("wordpress") is None and first is not None):
            apt.run([*(first or []), "apt-get", "update", "-q"])
        parts = Path(place) / "parts-of-it"
        if not suite.unpack("wordpress", parts):
            return False
        for library in LIBRARIES:
            suite.unpack(library, parts)
        tree = _tidy(parts)
        version = version_of(tree)
        if version is None:
            return False
        home = cache() / f"{name or _own_suite()}-{version}"
        shutil.rmtree(home, ignore_errors=True)
        tree.rename(home)
    print(f"WordPress {version} is in {home}")
    return True


def _tidy(parts: Path) -> Path:
    """One whole tree: links between the packages become files, links to what isn't here go."""
    source, tree = parts / "usr" / "share" / "wordpress", parts / "tree"
    for path in source.rglob("*"):
        if path.is_symlink() and not path.exists():
            path.unlink()
    shutil.copytree(source, tree)
    (tree / "wp-config.php").unlink(missing_ok=True)  # Debian's own looks for sites below /etc
    return tree


def _own_suite() -> str:
    release = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    names = [line.partition("=")[2].strip('"') for line in release if line.startswith("VERSION_CODENAME=")]
    return names[0] if names else "own"


if __name__ == "__main__":
    sys.exit(main())
