"""Build `.venv` with everything the project needs, or find in a moment that it already stands.

Called by make; `python tools/setup_env.py` does the same where there is no make. Given the name of a
folder, it makes that one beside `.venv`. Uses uv where there is one, else venv and pip. Installs again when
pyproject.toml or constraints.txt have changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / (sys.argv[1] if __name__ == "__main__" and sys.argv[1:] else ".venv")
STAMP = VENV / ".batchkit-stamp"
INPUTS = ("pyproject.toml", "constraints.txt")
NEEDED = (3, 11)


def main() -> int:
    """Set up when something has changed.

    Returns:
        The exit code: 0 when `.venv` stands, 1 with a sentence on what to do when it doesn't.
    """
    if sys.version_info < NEEDED:
        return _fail(
            f"batchkit needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}.",
            "Install a newer Python, or name one: make PYTHON=python3.12 ...",
        )
    wanted = _stamp()
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted and _works(_python()):
        return 0
    print(f"Setting up {VENV.name} (a minute or two, once) ...", flush=True)
    if not _make_venv():
        return _fail(
            "No virtual environment could be made.",
            "On Debian and Ubuntu: apt install python3-venv. Anywhere: install uv. Then run make again.",
        )
    if not _install():
        return _fail(
            "The packages could not be installed (the reason stands above).",
            "Without a network: connect, or point pip at a mirror of yours, and run make again.",
        )
    STAMP.write_text(wanted, encoding="utf-8")
    return 0


def _stamp() -> str:
    digest = hashlib.sha256()
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes().replace(b"\r\n", b"\n"))
    # The folder too: programs in a virtualenv hold its path, so a moved one must be made anew.
    return f"{digest.hexdigest()}\n{ROOT}\n"


def _python() -> Path:
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _works(python: Path) -> bool:
    """Whether this Python starts and is new enough; a virtualenv breaks when its Python is removed."""
    try:
        check = f"import sys; sys.exit(sys.version_info < {NEEDED})"
        return subprocess.run([python, "-c", check], check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _make_venv() -> bool:
    moved = STAMP.exists() and str(ROOT) not in STAMP.read_text(encoding="utf-8").splitlines()
    if VENV.exists() and (moved or not _works(_python())):
        print(f"The {VENV.name} here is broken or was moved; it is made anew.", flush=True)
        shutil.rmtree(VENV)
    if VENV.exists():
        return True
    uv = shutil.which("uv")
    if uv and _run([uv, "venv", "--quiet", "--python", sys.executable, VENV]):
        return True
    return _run([sys.executable, "-m", "venv", VENV])


def _install() -> bool:
    request: list[str | Path] = ["-c", ROOT / "constraints.txt", "-e", f"{ROOT}[all,dev]"]
    uv = shutil.which("uv")
    if uv:
        if _run([uv, "pip", "install", "--quiet", "--python", _python(), *request]):
            return True
        print("uv could not; trying pip, which may know other places to install from.", flush=True)
    pip: list[str | Path] = [_python(), "-m", "pip"]
    if not _run([*pip, "--version"], quiet=True):
        _run([_python(), "-m", "ensurepip"], quiet=True)
    return _run([*pip, "install", "--quiet", "--disable-pip-version-check", *request])


def _run(command: list[str | Path], *, quiet: bool = False) -> bool:
    sink = subprocess.DEVNULL if quiet else None
    # uv (by either name of the setting) shall trust what the system trusts, as a company's proxy needs.
    env = {"UV_NATIVE_TLS": "1", "UV_SYSTEM_CERTS": "1", **os.environ}
    return subprocess.run(command, check=False, cwd=ROOT, env=env, stdout=sink, stderr=sink).returncode == 0


def _fail(what: str, advice: str) -> int:
    print(f"\n{what}\n{advice}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
