"""`python -m batchkit.sandbox`: the same as `batchkit sandbox`."""

from __future__ import annotations

import sys

from ..cli import cli

if __name__ == "__main__":
    cli.main(["sandbox", *sys.argv[1:]], prog_name="batchkit")
