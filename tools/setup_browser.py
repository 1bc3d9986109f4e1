"""See to a Chromium for the browser tests: the machine's own, apt's, or playwright's.

Without one those tests skip, and this says so; under `BATCHKIT_REQUIRE_ALL=1` it fails instead.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.needs import REQUIRE_ALL, chromium_program
from tools import apt


def main() -> int:
    """Find a Chromium or install one.

    Returns:
        0 when there is one, or when there need not be; else 1.
    """
    if chromium_program():
        return 0
    print("Installing Chromium for the browser tests (once) ...", flush=True)
    if (_by_apt() or _by_playwright()) and chromium_program():
        return 0
    print(
        "No Chromium, and none could be installed here: the browser tests will be skipped.\n"
        "Install Chromium or Chrome, or set BATCHKIT_CHROMIUM to its program.",
        file=sys.stderr,
    )
    return int(os.environ.get(REQUIRE_ALL, "") not in ("", "0"))


def _by_apt() -> bool:
    return any(apt.install("fonts-liberation", name) for name in ("chromium", "chromium-browser"))


def _by_playwright() -> bool:
    return apt.run([sys.executable, "-m", "playwright", "install", "chromium"])


if __name__ == "__main__":
    sys.exit(main())
