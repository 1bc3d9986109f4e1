"""Packages of Debian and its kin, without a question asked: for what the tests need of the machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

SECONDS = 600
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def install(*packages: str) -> bool:
    """Install packages, without those that are merely recommended.

    Returns:
        Whether they are there now. False also where there is no apt, or no right to use it.
    """
    first = privileged()
    if first is None:
        return False
    wait = ["-o", "DPkg::Lock::Timeout=300"]  # another installation may be under way
    run([*first, "apt-get", "update", "-q"])  # a stale list is often good enough
    quietly = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-q"]
    return run([*first, *quietly, *wait, "--no-install-recommends", *packages])


def privileged() -> list[str] | None:
    """What stands before a command that needs root: nothing, or sudo. None: such commands can't be run."""
    if not shutil.which("apt-get"):
        return None
    if os.geteuid() == 0:
        return []
    # Never a question: nobody may be there to answer.
    return ["sudo", "-n"] if shutil.which("sudo") and run(["sudo", "-n", "true"]) else None


def run(command: Sequence[str | Path], folder: Path | None = None) -> bool:
    """Run a command in silence; whether it succeeded."""
    return said(command, folder) is not None


def said(command: Sequence[str | Path], folder: Path | None = None) -> str | None:
    """What a command printed; None when it failed, isn't there, or took too long."""
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace") if done.returncode == 0 else None


class Suite:
    """One release of Debian to download from, beside the one this machine runs; needs no root.

    Args:
        name: `bookworm`, `trixie`, `sid` ...; empty: the machine's own.
        folder: Where the lists and what is downloaded go.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.folder = folder
        self._options: list[str] = []
        if name:
            self._options = self._lists_of(name)

    def _lists_of(self, name: str) -> list[str]:
        places = [
            self.folder / part for part in ("parts", "lists/partial", "cache/archives/partial")
        ]  # apt makes none of them
        for place in places:
            place.mkdir(parents=True, exist_ok=True)
        # The address that this machine already uses may be a mirror; a firewall may allow no other.
        found = said(["apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(COMPONENT)"]) or ""
        uris = {line.split()[1] for line in found.splitlines() if line.startswith("Debian ")}
        plain = sorted(uri for uri in uris if "security" not in uri)
        if not plain:
            return []  # not Debian's own packages: what the machine's sources hold must do
        source = f"Types: deb\nURIs: {plain[0]}\nSuites: {name}\nComponents: main\nSigned-By: {KEYRING}\n"
        (self.folder / "parts" / "suite.sources").write_text(source, encoding="utf-8")
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.folder / "parts",
            "Dir::State::lists": self.folder / "lists",
            "Dir::Cache": self.folder / "cache",
        }
        return [part for key, value in settings.items() for part in ("-o", f"{key}={value}")]

    def update(self) -> bool:
        """Fetch the lists; the machine's own are left as they are."""
        return not self._options or run(["apt-get", *self._options, "-qq", "update"])

    def version(self, package: str) -> str | None:
        """The version that would be downloaded; None when there is none."""
        shown = said(["apt-cache", *self._options, "--no-all-versions", "show", package]) or ""
        lines = [line for line in shown.splitlines() if line.startswith("Version: ")]
        return lines[0].removeprefix("Version: ") if lines else None

    def unpack(self, package: str, into: Path) -> bool:
        """Download one package and unpack it into a folder, without installing anything."""
        place = self.folder / "debs" / package
        place.mkdir(parents=True, exist_ok=True)
        # As root, apt would fetch as a user who may not write here.
        fetch = ["apt-get", *self._options, "-qq", "-o", "APT::Sandbox::User=root", "download", package]
        return run(fetch, place) and all(run(["dpkg-deb", "-x", deb, into]) for deb in place.glob("*.deb"))
