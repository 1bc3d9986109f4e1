"""What a test needs from the machine: skipped where it is missing, failed where everything was promised."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIRE_ALL = "BATCHKIT_REQUIRE_ALL"

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_CHROMIUM_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
)


def missing(reason: str) -> NoReturn:
    """Skip the running test for `reason`; under `BATCHKIT_REQUIRE_ALL=1` fail it.

    A machine that promises everything must not turn green by skipping.
    """
    if os.environ.get(REQUIRE_ALL, "") not in ("", "0"):
        pytest.fail(f"{reason} ({REQUIRE_ALL} is set, so this is a failure)", pytrace=False)
    pytest.skip(reason)


def shared_folder() -> Path | None:
    """The folder of real inputs that lies beside the project, or where `BATCHKIT_SHARED` says."""
    folder = Path(os.environ.get("BATCHKIT_SHARED") or ROOT.parent / "shared" / "data")
    return folder if folder.is_dir() else None


def chromium_program() -> str | None:
    """The Chromium (or Chrome) of this machine; `BATCHKIT_CHROMIUM` overrules. None: there is none."""
    if chosen := os.environ.get("BATCHKIT_CHROMIUM"):
        return chosen
    for name in _CHROMIUM_NAMES:
        if found := shutil.which(name):
            return found
    places = [*map(Path, _CHROMIUM_PLACES), *_downloaded_by_playwright()]
    return next((str(place) for place in places if place.exists()), None)


def _downloaded_by_playwright() -> list[Path]:
    caches = {"darwin": "Library/Caches", "win32": "AppData/Local"}
    cache = Path.home() / caches.get(sys.platform, ".cache") / "ms-playwright"
    patterns = (
        "chromium-*/chrome-*/chrome",
        "chromium-*/chrome-*/*.app/Contents/MacOS/*",
        "chromium-*/*/chrome.exe",
    )
    return [path for pattern in patterns for path in sorted(cache.glob(pattern), reverse=True)]
