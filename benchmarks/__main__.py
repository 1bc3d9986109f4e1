"""All benchmarks, one after the other: `make bench`, or `python -m benchmarks [name ...]`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ALL = (
    "engine", "read_csv", "check_rows", "plan_million", "sql_postgres", "sql_sqlite", "whole_runs",
    "report_speed", "kept_runs", "crash", "http", "wordpress",
)  # fmt: skip


def main() -> int:
    """Run the benchmarks named on the command line, or all; each in a process of its own."""
    chosen = sys.argv[1:] or list(ALL)
    unknown = [name for name in chosen if name not in ALL]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}. There are: {', '.join(ALL)}.")
        return 2
    failed = []
    for name in chosen:
        start = time.monotonic()
        print(f"\n=== {name}", flush=True)
        root = Path(__file__).resolve().parent.parent
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=root, check=False).returncode:
            failed.append(name)
        print(f"--- {name}: {time.monotonic() - start:.0f} s", flush=True)
    if failed:
        print(f"\nFailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
