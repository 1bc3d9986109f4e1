"""The table of fates of text generation: what ends the run, what concerns one prompt, what waiting mends."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from math import isfinite
from typing import Final

from ...core.advice import terminal
from ...core.retry import DAY, retry_after
from ..base import Failure, Fate
from ..http.answer import Answer
from ..http.failures import judge
from .answer import Complaint

LONGEST_WAIT: Final = 900.0
"""Seconds beyond which a limit ends the run instead of holding it: it is one of hours or days."""

USUAL_WAIT: Final = 20.0
"""Seconds to wait at a limit that doesn't say for how long; most are of a minute."""

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": DAY}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|[smhd])")
_AGAIN_IN: Final = re.compile(
    r"(?i)(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?\s*(?:ms|[smhd])\w*\s*)+)"
)

_NO_CREDIT: Final = frozenset({
    "insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "account_deactivated",
    "insufficient_balance", "insufficient_credits", "access_terminated",
})  # fmt: skip
_NO_MODEL: Final = frozenset({
    "model_not_found", "invalid_model", "deploymentnotfound", "unknown_model", "model_not_available",
})  # fmt: skip
_FILTERS: Final = frozenset({
    "content_filter", "content_policy_violation", "responsibleaipolicyviolation", "moderation",
    "sensitive_words_detected",
})  # fmt: skip
_TOO_LONG: Final = frozenset({"context_length_exceeded", "string_above_max_length", "request_too_large"})
_MODEL_WORDS: Final = re.compile(
    r"(?i)\bmodels?\b.{0,120}\b(not found|not exist|not loaded|unknown)|no models? (is |are )?loaded"
    r"|(invalid|unknown|no such) model"
)
_LENGTH_WORDS: Final = re.compile(
    r"(?i)context (length|window|size)|maximum.{0,20}tokens|prompt is too long|too many (input )?tokens"
)
_FILTER_WORDS: Final = re.compile(r"(?i)moderation|flagged|content (policy|management)|safety")

REWORD: Final = "Reword the prompt for this row, or write its text by hand."
_RESUME: Final = "Then resume the run: what is written is on record."


def judge_chat(answer: Answer, options: Collection[str], key_secret: str) -> Failure | None:
    """What an answer means.

    Args:
        answer: The answer.
        options: Entries of the request that are the same for every prompt.
        key_secret: Name of the secret that holds the key.

    Returns:
        The failure; None for an answer that says success.
    """
    failure = judge(answer)
    if failure is None or failure.rule in ("firewall", "login page", "redirect"):
        return failure
    said, status = Complaint.of(answer), answer.status
    if status == 401:
        held = f"Check the secret {key_secret}: it holds no key that this server takes."
        none = "This server wants a key: name its secret in target.key_secret."
        return replace(failure, advice=f"{held if key_secret else none} {_RESUME}")
    if status == 402 or said.names & _NO_CREDIT:
        return _abort("credit", "The account has no credit left", said, f"Top it up. {_RESUME}")
    refused = _refused(answer, said, options)
    if refused is not None:
        return refused
    if status == 429:
        return _limited(failure, answer, said)
    return replace(failure, fate=Fate.RETRY) if status == 409 else failure


def _refused(answer: Answer, said: Complaint, options: Collection[str]) -> Failure | None:
    """What is wrong with the request, where it is known whether that is so for one prompt or for all."""
    status = answer.status
    if status in (400, 404, 422) and (refused := _about_the_model(answer, said)):
        return refused
    if status in (400, 413, 422) and (said.names & _TOO_LONG or _LENGTH_WORDS.search(said.message)):
        advice = "Shorten the prompt, lower target.max_tokens, or take a model with a larger window."
        return _reject("too long", "The prompt is too long for the model", said, advice)
    if status in (400, 403, 422, 451) and (said.names & _FILTERS or _FILTER_WORDS.search(said.message)):
        return _reject("content filter", "The server's filter refuses the prompt", said, REWORD)
    if status in (400, 422) and said.param in options:
        advice = f"Change target.{said.param}, or leave it out. {_RESUME}"
        return _abort("option", f"The server refuses {said.param}", said, advice)
    if status == 403:
        advice = f"Ask for the right to use this model with this key. {_RESUME}"
        return _abort("403", "The key may not do that", said, advice)
    return None


def _about_the_model(answer: Answer, said: Complaint) -> Failure | None:
    if said.names & _NO_MODEL or said.param == "model" or _MODEL_WORDS.search(said.message):
        advice = f"Correct target.model; {terminal('doctor')} lists those that the server offers. {_RESUME}"
        return _abort("model", "The server doesn't have the model", said, advice)
    if answer.status == 404:
        advice = "Correct the address: for most servers it ends in /v1."
        return _abort("address", "There are no chat completions at this address", said, advice)
    return None


def _limited(failure: Failure, answer: Answer, said: Complaint) -> Failure:
    wait = wait_of(answer.headers, said.message)
    wait = USUAL_WAIT if wait is None else wait
    if wait <= LONGEST_WAIT:
        return replace(failure, retry_after=wait)
    hours = f"{wait / 3600:.1f} h" if wait >= 3600 else f"{wait / 60:.0f} min"
    return _abort("limit", f"A limit is used up for another {hours}", said, f"Wait for it. {_RESUME}")


def wait_of(headers: Mapping[str, str], message: str = "", now: float | None = None) -> float | None:
    """Seconds that a server at its limit asks to wait.

    It says so in `Retry-After`, in milliseconds, in its message, or by when each of its limits is renewed:
    of those the one that is used up counts, else the later.

    Args:
        headers: Of the answer.
        message: Of the answer.
        now: Seconds since 1970.

    Returns:
        The seconds; None where it doesn't say.
    """
    exact = span(headers.get("retry-after-ms", "") + "ms")
    if exact is None:
        exact = retry_after(headers.get("retry-after"))
    if exact is None and (found := _AGAIN_IN.search(message)):
        exact = span(found[1])
    if exact is not None:
        return exact
    waits, used_up = [], []
    for what in ("-requests", "-tokens", ""):
        wait = span(headers.get(f"x-ratelimit-reset{what}", ""), now)
        if wait is None:
            continue
        waits.append(wait)
        if headers.get(f"x-ratelimit-remaining{what}", "").strip() == "0":
            used_up.append(wait)
    return max(used_up or waits, default=None)


def span(text: str, now: float | None = None) -> float | None:
    """Seconds of `6m0s`, `20ms`, `1.5`, a moment in seconds or milliseconds since 1970, or an ISO date."""
    text, now = text.strip(), time.time() if now is None else now
    if found := _SPAN.findall(text):
        rest = _SPAN.sub("", text).strip(" .,abcdefghijklmnopqrstuvwxyz")
        return None if rest else sum(float(number) * _UNITS[unit] for number, unit in found)
    try:
        number = float(text)
    except ValueError:
        try:
            number = datetime.fromisoformat(text).timestamp()
        except ValueError:
            return None
    if not isfinite(number):
        return None
    if number > 1e11:
        number /= 1000
    return max(number - now, 0.0) if number > 1e8 else max(number, 0.0)


def _abort(rule: str, reason: str, said: Complaint, advice: str) -> Failure:
    return Failure(Fate.ABORT, rule, _with(reason, said), advice)


def _reject(rule: str, reason: str, said: Complaint, advice: str) -> Failure:
    return Failure(Fate.REJECT, rule, _with(reason, said), advice)


def _with(reason: str, said: Complaint) -> str:
    return f"{reason}: {said.message[:300]}" if said.message else f"{reason}."
