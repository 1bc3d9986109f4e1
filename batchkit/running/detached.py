"""Drives one run in a process of its own: `python -m batchkit.running.detached FOLDER`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from ..core.errors import BatchkitError
from .driver import Driver


def main() -> int:
    """Drive the run in the folder named on the command line until its session is over."""
    from .run import Run

    folder = Path(sys.argv[1])
    try:
        driver = Driver.start_on(folder)
    except BatchkitError as error:
        sys.stderr.write(f"{error.stored()}\n")
        return error.exit_code
    run = Run(folder)

    def stop(*_: object) -> None:
        run.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while driver.is_alive():
        driver.join(0.2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
