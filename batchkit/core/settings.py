"""The settings of a run: what an operator may set before it starts, and most of it while it runs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .errors import SettingsError

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def seconds(value: Any) -> Any:
    """Read a duration: a number of seconds, or text such as `200ms`, `30s`, `10m`, `2h`."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:[.,]\d+)?)\s*(ms|s|min|m|h)?\s*", value)
        if match is None:
            raise ValueError("write a duration such as 0.2, 200ms, 30s, 10m or 2h")
        return float(match[1].replace(",", ".")) * _UNITS[match[2] or "s"]
    return value


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


def _limit(value: Any) -> Any:
    """A failure limit: `50%` or 0.5 is a share of the items tried, a whole number from 1 up is a count."""
    value = _optional_word(value)
    if isinstance(value, str) and value.strip().endswith("%"):
        return float(value.strip()[:-1].replace(",", ".")) / 100
    return value


Duration = Annotated[float, BeforeValidator(seconds), Field(ge=0, le=86_400)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Optional = BeforeValidator(_optional_word)


class Settings(BaseModel):
    """How a run goes about its plan. Durations are seconds, or text such as `200ms` and `10m`.

    Attributes:
        chunk_size: Items per chunk; None takes what suits the target.
        call_size: Items per call; None takes what the target says.
        workers: Calls in flight at once.
        adaptive: Fewer calls at once while a target behind HTTP pushes back or slows down, up to `workers`
            again as it recovers. Setting `workers` while the run runs turns it off.
        rate: Items per second at most, or text such as `20/min`; None for no limit.
        key_rest: Seconds between two calls for one key, such as two messages to one recipient.
        delay: Seconds between the end of one chunk and the start of the next.
        retries: Further tries of a call that failed in a way that may pass.
        backoff: Base of the exponential backoff in seconds; try n waits up to `backoff * 2**n`.
        backoff_max: Longest single wait between two tries.
        retry_after_max: Longest wait the target may order through `Retry-After`.
        timeout: Seconds one call may take.
        failure_limit: Share (below 1, or `50%`) or number of items that may fail before the run gives up.
        failure_min: Items tried before a share is judged.
        connection_limit: Consecutive calls that nobody answered before the run gives up.
        repeat_limit: Items in a row that fail for one and the same reason before the run gives up.
        on_limit: Whether a limit that is reached fails the run or pauses it; it can be resumed either way.
        wait_for_target: Seconds to wait for a target that stopped answering before that counts as a limit.
        canary: Pause after this many items, so that somebody looks at them first.
        confirm: `chunk` pauses before every chunk.
        window: Times of day between which the run works, such as `22:00-06:00`.
        overwrite: Write also where the target was edited since the plan was made.
        disk_reserve: Bytes of free disk below which the run pauses.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    chunk_size: Annotated[Count | None, Optional] = None
    call_size: Annotated[Count | None, Optional] = None
    workers: Annotated[int, Field(ge=1, le=256)] = 4
    adaptive: bool = True
    rate: Annotated[Annotated[float, Field(gt=0, le=1_000_000)] | None, BeforeValidator(_rate)] = None
    key_rest: Duration = 0.0
    delay: Duration = 0.0
    retries: Annotated[int, Field(ge=0, le=100)] = 3
    backoff: Duration = 0.5
    backoff_max: Duration = 60.0
    retry_after_max: Duration = 300.0
    timeout: Annotated[float, BeforeValidator(seconds), Field(gt=0, le=86_400)] = 60.0
    failure_limit: Annotated[Annotated[float, Field(gt=0)] | None, BeforeValidator(_limit)] = 0.5
    failure_min: Count = 100
    connection_limit: Count = 5
    repeat_limit: Annotated[Count | None, Optional] = None
    on_limit: Literal["fail", "pause"] = "fail"
    wait_for_target: Duration = 0.0
    canary: Annotated[Count | None, Optional] = None
    confirm: Literal["none", "chunk"] = "none"
    window: Annotated[str | None, BeforeValidator(_window)] = None
    overwrite: bool = False
    disk_reserve: Annotated[int, Field(ge=0)] = 200 * 1024**2

    @classmethod
    def of(cls, values: Mapping[str, Any] | None = None, **more: Any) -> Settings:
        """Settings from names and values, or a `SettingsError` that says which one is wrong, and how."""
        return cls()._with({**(values or {}), **more})

    def changed(self, values: Mapping[str, Any]) -> Settings:
        """These settings with some values replaced; raises `SettingsError` as `of` does."""
        return self._with(values)

    def _with(self, values: Mapping[str, Any]) -> Settings:
        for name in values:
            if name not in type(self).model_fields:
                near = difflib.get_close_matches(name, type(self).model_fields, 1)
                hint = (
                    f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(type(self).model_fields)}."
                )
                raise SettingsError(f"There is no setting {name!r}.", advice=hint, setting=name)
        try:
            return type(self).model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0])
            words = _in_words(first["type"], first.get("ctx", {})) or first["msg"].removeprefix(
                "Value error, "
            )
            raise SettingsError(
                f"The setting {name} can't be {values.get(name)!r}: {words}.", setting=name
            ) from None


def _in_words(kind: str, bounds: Mapping[str, Any]) -> str:
    """What is wrong, in an operator's words; empty where the rule has its own."""
    match kind:
        case "int_parsing" | "int_type" | "int_from_float":
            return "it takes a whole number"
        case "float_parsing" | "float_type" | "finite_number":
            return "it takes a number"
        case "bool_parsing" | "bool_type":
            return "it takes yes or no"
        case "greater_than_equal":
            return f"it must be {bounds['ge']:g} or more"
        case "greater_than":
            return f"it must be more than {bounds['gt']:g}"
        case "less_than_equal":
            return f"it must be {bounds['le']:g} or less"
        case "literal_error":
            return f"it takes {bounds['expected']}"
    return ""


LIVE: Final = frozenset(
    {
        "chunk_size",
        "call_size",
        "workers",
        "adaptive",
        "rate",
        "key_rest",
        "delay",
        "retries",
        "backoff",
        "backoff_max",
        "retry_after_max",
        "timeout",
        "failure_limit",
        "failure_min",
        "connection_limit",
        "repeat_limit",
        "on_limit",
        "wait_for_target",
        "canary",
        "confirm",
        "window",
        "disk_reserve",
    }
)
"""Settings that may change while a run runs; what is not here changes which items are written."""

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "wordpress": {"chunk_size": 20, "workers": 5, "delay": 0.2, "retries": 2},
    "whatsapp": {
        "chunk_size": 50,
        "workers": 3,
        "rate": 0.8,
        "delay": 2.0,
        "backoff": 0.5,
        "retries": 3,
        "key_rest": 6.0,
    },
    "chat": {"chunk_size": 10, "workers": 1, "rate": 5 / 60, "timeout": 120.0},
}
"""Settings that proved right for a kind of target; a run starts from them and the operator's own win."""
