"""The practice server as a program."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...core.errors import UsageError
from ...core.install import install_command
from ..rules import Rules
from .faults import Orders


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    faults: tuple[str, ...] = (),
    latency: str = "0",
    state: Path | None = None,
    rules: Rules | None = None,
    seed: int | None = None,
    most_at_once: int | None = None,
    keep_alive: int = 30,
    say: Callable[[str], Any] = print,
) -> None:
    """Serve until interrupted.

    Args:
        host: Where it listens.
        port: The port; 0 takes a free one.
        faults: Orders, see `faults.Fault`.
        latency: Time each answer takes.
        state: File of the state; None keeps it in memory.
        rules: Who may log in, and how each API behaves.
        seed: Makes the faults the same each time.
        most_at_once: Requests taken at once; more are answered 429.
        keep_alive: Seconds an idle connection is kept.
        say: Told the address once connections are taken.

    Raises:
        UsageError: An order can't be read, or the extra isn't installed.
    """
    orders = Orders(faults, latency, seed)
    try:
        import uvicorn

        from .app import app
    except ImportError:
        advice = f"Run: {install_command('sandbox')}"
        raise UsageError("The practice server needs two more packages.", advice=advice) from None
    from ..state import State

    kept = State(state)
    listening = _listen(host, port)
    # Head and body go out one after the other: without this the body would wait 40 ms for the other side.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app(kept, orders, rules or Rules(), most_at_once),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=keep_alive,
    )
    # Not before it listens: who reads the address may connect at once, and waits in the backlog.
    say(f"Practice server at http://{host}:{listening.getsockname()[1]}")
    server = uvicorn.Server(config)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        kept.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=1024)
    except OSError as error:
        raise UsageError(
            f"The practice server can't listen on {host}:{port}: {error.strerror or error}.",
            advice="Another program may be there: name another port, such as --port 8010.",
        ) from None
