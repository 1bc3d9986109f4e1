"""The log of a run: one JSON line for each thing worth knowing that happened to it, secrets blacked out."""

from __future__ import annotations

import contextlib
import json
import traceback
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.advice import as_command, worded
from ..core.errors import BatchkitError
from ..core.secrets import redact, redact_all


class RunLog:
    """Appends events to `log.jsonl`.

    Args:
        path: The file; made when it isn't there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, event: str, **facts: Any) -> None:
        """Append one event with its facts. A log that can't be written never stops a run."""
        entry = {
            "at": datetime.now().astimezone().isoformat(timespec="milliseconds"),
            "event": event,
            **{name: _readable(fact) for name, fact in facts.items()},
        }
        with (
            contextlib.suppress(OSError, ValueError, TypeError),
            self._path.open("a", encoding="utf-8") as file,
        ):
            line = json.dumps(redact_all(entry), ensure_ascii=False, default=lambda fact: redact(str(fact)))
            # Once more as a line: what became text only here may hold a secret too.
            file.write(redact(line) + "\n")

    def explain(self, error: BaseException) -> str:
        """What an operator reads of an error; of one that nobody foresaw, the details are logged."""
        if isinstance(error, BatchkitError):
            return error.stored()
        words = f"{type(error).__name__}: {error}"
        self.write("internal error", error=words, trace=traceback.format_exc())
        return f"Something inside batchkit failed: {words}. The details are in {self._path}."


def _readable(fact: Any) -> Any:
    return worded(fact, as_command) if isinstance(fact, str) else fact
