"""kill -9 at random moments of an upsert and an append of 20,000 rows, each followed by a resume.

    python -m benchmarks.crash [kills] [rows]

Per database and mode a run is killed again and again until it ends, then another one starts, until so many
kills hit a run under way. After each run the table must equal the file, and every row have one outcome.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.support.crashes import crash_round
from tests.support.services import PostgresServer


def main() -> None:
    """Kill and count."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
    rng = random.Random(20261120)
    with tempfile.TemporaryDirectory() as name, PostgresServer() as server:
        folder = Path(name)
        os.environ["BATCHKIT_HOME"] = str(folder / "home")
        urls = {"SQLite": f"sqlite:///{folder / 'crm.sqlite'}", "PostgreSQL": server.create_database()}
        for database, url in urls.items():
            for mode in ("upsert", "append"):
                start, hits, runs, shares = time.monotonic(), 0, 0, []
                while hits < kills:
                    killed = crash_round(
                        url, folder, mode=mode, rows=rows, kills=min(5, kills - hits), rng=rng, within=0.8
                    )
                    hits, runs = hits + killed.kills, runs + 1
                    shares += [settled / rows for settled in killed.settled_at_kill]
                between = sum(0 < share < 1 for share in shares)
                print(
                    f"{database:<11}{mode:<7} {hits} kills in {runs} runs of {rows:,} rows, {between} of them"
                    f" with work done and left: none lost, none doubled ({time.monotonic() - start:.0f} s)"
                )


if __name__ == "__main__":
    main()
