"""The settings of a run: what an operator may set before it starts, and most of it while it runs."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from .errors import SettingsError
from .model import LENIENT, Place, Takes, entries, read, with_entries

EVERY: Final = "100%"
"""The failure limit that is a share of 1: all the items tried have failed."""

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(value: Any) -> Any:
    """Read a duration: a number of seconds, or text such as `200ms`, `30s`, `10m`, `2h`."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*(ms|s|min|m|h)?\s*", value)
        if match is None:
            raise ValueError("write a duration such as 0.2, 200ms, 30s, 10m or 2h")
        return float(match[1].replace(",", ".")) * _UNITS[match[2] or "s"]
    return value


def written(value: Any) -> str:
    """A setting as an operator writes it; empty for None."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def window_times(text: str) -> tuple[time, time]:
    """Read `22:00-06:00` as its two times of day; the second may be on the next day."""
    match = re.fullmatch(r"\s*(\d{1,2}:\d{2})\s*-\s*(\d{1,2}:\d{2})\s*", text)
    if match is None:
        raise ValueError("write a window such as 22:00-06:00")
    start, end = (time.fromisoformat(part.zfill(5)) for part in match.groups())
    if start == end:
        raise ValueError("a window needs two different times")
    return start, end


def _optional_word(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() in {"", "none", "off", "auto"} else value


def _window(value: Any) -> Any:
    value = _optional_word(value)
    if value is not None:
        window_times(value)
    return value


def _rate(value: Any) -> Any:
    """Items per second; `20/min`, `100/h` and `2/s` say it otherwise."""
    value = _optional_word(value)
    if isinstance(value, str) and (
        match := re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*/\s*(s|m|min|h)\s*", value)
    ):
        return float(match[1].replace(",", ".")) / _UNITS[match[2]]
    return value


def _limit(value: Any) -> float | str | None:
    """A failure limit: `50%` or 0.5 is a share of the items tried, a number from 1 up is a count of them."""
    value = _optional_word(value)
    if value is None:
        return None
    try:
        if isinstance(value, bool):
            raise TypeError
        text = str(value).strip().replace(",", ".")
        share = text.endswith("%")
        number = float(text.removesuffix("%")) / (100 if share else 1)
    except (TypeError, ValueError):
        raise ValueError("write a share such as 50%, or a number of items") from None
    if not 0 < number < math.inf or (share and number > 1):
        raise ValueError("a share lies above 0% and up to 100%, a number of items above 0")
    # The one share that would be a count if it stood as a number: 1.0 has always meant one item.
    return EVERY if share and number == 1 else number


@dataclass(frozen=True, slots=True)
class Shown:
    """How a form shows a setting, and when it may change.

    Attributes:
        label: What stands before its field.
        empty: What an empty field means, where its default is no value.
        unit: What its number counts, where the label doesn't say.
        first: It stands among the few that are there at once.
        live: It may change while a run runs; one that decides which items are written may not.
    """

    label: str
    empty: str = ""
    unit: str = ""
    first: bool = False
    live: bool = True


Duration = Annotated[
    float, BeforeValidator(seconds), Field(ge=0, le=86_400), Takes("a time of up to a day", '"200ms"')
]
Timeout = Annotated[
    float, BeforeValidator(seconds), Field(gt=0, le=86_400), Takes("a time above 0 of up to a day", '"30s"')
]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Switch = Annotated[bool, Takes("yes or no")]
Optional = BeforeValidator(_optional_word)
Rate = Annotated[float, Field(gt=0, le=1_000_000), Takes("a number above 0, or such as 20/min")]
Limit = Annotated[float | str, Takes("a share such as 50%, or a number of items")]


class Settings(BaseModel):
    """How a run goes about its plan. Durations are seconds, or text such as `200ms` and `10m`.

    All that is known of a setting stands here: kind and bounds, how a form shows it, its default, what it is
    for. Job files, the command line, the panel and the reference take it from this class.
    """

    model_config = ConfigDict(**LENIENT, frozen=True)

    workers: Annotated[int, Field(ge=1, le=256), Shown("Workers", first=True)] = 4
    """Calls or chunks in flight at once."""

    rate: Annotated[
        Rate | None, BeforeValidator(_rate), Shown("Items per second", "no limit", first=True)
    ] = None
    """Items per second at most, or such as 20/min. Default: no limit."""

    delay: Annotated[Duration, Shown("Chunk delay", unit="s", first=True)] = 0.0
    """Time between two chunks, such as 0.2, 200ms or 2s."""

    chunk_size: Annotated[Count | None, Optional, Shown("Items per chunk", "automatic", first=True)] = None
    """Items per chunk: the unit of checkpoint, pause and delay. Default: what suits the target."""

    retries: Annotated[int, Field(ge=0, le=100), Shown("Retries", first=True)] = 3
    """Further tries of a call that failed in a way that may pass."""

    call_size: Annotated[Count | None, Optional, Shown("Items per call", "automatic")] = None
    """Items per call. Default: what the target says."""

    adaptive: Annotated[Switch, Shown("Slow down when pushed back")] = True
    """Fewer calls at once while a target behind HTTP pushes back or slows down, up to `workers` again as it
    recovers. Setting `workers` while the run runs turns it off."""

    key_rest: Annotated[Duration, Shown("Rest per key", unit="s")] = 0.0
    """Time between two calls for one key, such as two messages to one recipient."""

    backoff: Annotated[Duration, Shown("First wait before a retry", unit="s")] = 0.5
    """Base of the waits between tries: try n waits up to backoff x 2^n."""

    backoff_max: Annotated[Duration, Shown("Longest wait before a retry", unit="s")] = 60.0
    """Longest single wait between two tries."""

    retry_after_max: Annotated[Duration, Shown("Longest ordered wait", unit="s")] = 300.0
    """Longest wait that the target may order through `Retry-After`."""

    timeout: Annotated[Timeout, Shown("Time per call", unit="s")] = 60.0
    """Time one call may take, such as 30s."""

    failure_limit: Annotated[Limit | None, BeforeValidator(_limit), Shown("Failure limit", "no limit")] = 0.5
    """Give up when so many items failed: a share (50%) or a number."""

    failure_min: Annotated[Count, Shown("Items before a share counts")] = 100
    """Items tried before a share of failures is judged."""

    connection_limit: Annotated[Count, Shown("Unanswered calls")] = 5
    """Give up when so many calls in a row were answered by nobody, or turned away with nobody let in."""

    repeat_limit: Annotated[Count | None, Optional, Shown("Same failure in a row", "no limit")] = None
    """Give up when so many items in a row fail for one and the same reason. Default: no limit."""

    on_limit: Annotated[Literal["fail", "pause"], Shown("At a limit")] = "fail"
    """What reaching a limit does to the run: fail or pause. It can be resumed either way."""

    wait_for_target: Annotated[Duration, Shown("Wait for the target", unit="s")] = 0.0
    """Time to wait for a target that answers nobody, or turns all away, before that counts as a limit."""

    canary: Annotated[Count | None, Optional, Shown("Canary", "none")] = None
    """Send this many items, then pause so that you can look at them before the rest is sent."""

    confirm: Annotated[Literal["none", "chunk"], Shown("Ask before")] = "none"
    """chunk: ask before each chunk; the first goes with the yes to the whole."""

    window: Annotated[str | None, BeforeValidator(_window), Shown("Hours", "at any time")] = None
    """Work only at these times of day, such as 22:00-06:00."""

    overwrite: Annotated[Switch, Shown("Overwrite edits", live=False)] = False
    """Write also where the target was edited since the plan was made."""

    disk_reserve: Annotated[int, Field(ge=0), Shown("Free disk to keep", unit="bytes")] = 200 * 1024**2
    """Bytes of free disk below which the run pauses."""

    @classmethod
    def of(cls, values: Mapping[str, Any] | None = None, **more: Any) -> Settings:
        """Settings from names and values, or a `SettingsError` that says which one is wrong, and how."""
        return cls()._with({**(values or {}), **more})

    def changed(self, values: Mapping[str, Any]) -> Settings:
        """These settings with some values replaced; raises `SettingsError` as `of` does."""
        return self._with(values)

    def _with(self, values: Mapping[str, Any]) -> Settings:
        return read(type(self), {**self.model_dump(), **values}, _PLACE)


_PLACE: Final = Place("The setting ", "There is no setting", "The run", SettingsError)

SETTINGS: Final = entries(Settings)
"""What the model says of each setting."""

SHOWN_AS: Final[dict[str, Shown]] = {
    name: entry.note(Shown) or Shown(name) for name, entry in SETTINGS.items()
}
"""How a form shows each setting."""

LIVE: Final = frozenset(name for name, shown in SHOWN_AS.items() if shown.live)
"""Settings that may change while a run runs; what is not here changes which items are written."""

Settings.__doc__ = with_entries(Settings)
