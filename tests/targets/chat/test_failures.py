"""What servers of chat completions answer, in their own shapes: texts, complaints, limits, estimates."""

from __future__ import annotations

import json
from typing import Any

import httpx
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchkit.core.errors import UsageError
from batchkit.targets.base import Failure, Fate
from batchkit.targets.chat.answer import Completion
from batchkit.targets.chat.estimate import Estimate, pace, tokens
from batchkit.targets.chat.failures import LONGEST_WAIT, USUAL_WAIT, judge_chat, span, wait_of
from batchkit.targets.chat.options import Generation
from batchkit.targets.http.answer import Answer


def answer(status: int, body: Any, **headers: str) -> Answer:
    """An answer with these headers (`_` stands for `-`)."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, httpx.Headers(named), raw, True, "https://api.test/v1/chat/completions")


def judged(status: int, body: Any, **headers: str) -> Failure:
    """The failure that an answer means."""
    failure = judge_chat(
        answer(status, body, **headers), {"max_tokens", "temperature", "stop"}, "chat_api_key"
    )
    assert failure is not None
    return failure


def openai(message: str, kind: str = "invalid_request_error", **more: Any) -> dict[str, Any]:
    """An error as OpenAI puts it."""
    return {"error": {"message": message, "type": kind, "param": None, "code": None, **more}}


ABORT, REJECT, RETRY, UNKNOWN = Fate.ABORT, Fate.REJECT, Fate.RETRY, Fate.UNKNOWN
CASES: list[tuple[str, int, Any, Fate, str]] = [
    ("openai key", 401, openai("Incorrect API key", code="invalid_api_key"), ABORT, "401"),
    ("mistral key", 401, {"message": "Unauthorized", "request_id": "x"}, ABORT, "401"),
    ("region", 403, openai("Country, region, or territory not supported"), ABORT, "403"),
    ("openrouter moderation", 403, openai("Your input was flagged"), REJECT, "content filter"),
    ("openai model", 404, openai("The model `x` does not exist", code="model_not_found"), ABORT, "model"),
    ("ollama model", 404, openai('model "x" not found, try pulling it first', "api_error"), ABORT, "model"),
    ("ollama's own", 404, {"error": "model 'x' not found"}, ABORT, "model"),
    ("azure", 404, {"error": {"code": "DeploymentNotFound", "message": "no such one"}}, ABORT, "model"),
    ("mistral", 400,
     {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "code": "1500"},
     ABORT, "model"),
    ("lm studio", 400, openai("No models loaded. Please load a model", param="model"), ABORT, "model"),
    ("vllm old", 404,
     {"object": "error", "message": "The model `x` does not exist.", "type": "NotFoundError", "code": 404},
     ABORT, "model"),
    ("another place", 404, {"detail": "Not Found"}, ABORT, "address"),
    ("a page", 404, b"<!doctype html><html><title>404</title></html>", ABORT, "address"),
    ("openai long", 400,
     openai("This model's maximum context length is 8192 tokens", code="context_length_exceeded"),
     REJECT, "too long"),
    ("vllm long", 400,
     openai("You passed 1015 input tokens. However, the model's context length is only 1024 tokens",
            "BadRequestError", param="input_tokens", code=400), REJECT, "too long"),
    ("llama.cpp long", 400, openai("the request exceeds the available context size"), REJECT, "too long"),
    ("large", 413, openai("Request too large"), REJECT, "413"),
    ("azure filter", 400,
     {"error": {"message": "The response was filtered", "param": "prompt",
                "code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
     REJECT, "content filter"),
    ("option", 400, openai("'temperature' must be at most 2", param="temperature"), ABORT, "option"),
    ("mistral option", 422, {"detail": [{"loc": ["body", "stop"], "msg": "no"}]}, ABORT, "option"),
    ("one prompt", 400, openai("Invalid content", param="messages.0.content"), REJECT, "400"),
    ("quota", 429, openai("Exceeded your current quota", code="insufficient_quota"), ABORT, "credit"),
    ("deepseek", 402, openai("Insufficient Balance"), ABORT, "credit"),
    ("often", 429, openai("Rate limit reached", code="rate_limit_exceeded"), RETRY, "429"),
    ("busy", 409, openai("Conflict"), RETRY, "409"),
    ("failed", 500, openai("The server had an error"), UNKNOWN, "500"),
    ("gateway", 504, b"<html>504</html>", UNKNOWN, "504"),
    ("overloaded", 529, openai("Overloaded"), UNKNOWN, "529"),
    ("firewall", 403, b"<!doctype html><html><title>Just a moment</title></html>", RETRY, "firewall"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "fate", "rule"), [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])  # fmt: skip
def test_what_ends_the_run_and_what_concerns_one_prompt(
    status: int, body: Any, fate: Fate, rule: str
) -> None:
    """What no prompt would pass ends the run at once, what is about one rejects that one, the rest waits."""
    failure = judged(status, body)
    assert (failure.fate, failure.rule) == (fate, rule)
    if fate is Fate.ABORT:
        assert failure.advice


def test_a_refused_key_is_named() -> None:
    """The advice says which secret to look at."""
    assert "chat_api_key" in judged(401, openai("no")).advice


@pytest.mark.parametrize(
    ("headers", "message", "wait"),
    [
        ({"retry-after": "7"}, "", 7.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, "", 1.5),
        ({"x-ratelimit-reset-requests": "6m0s"}, "", 360.0),
        ({"x-ratelimit-reset-requests": "12ms", "x-ratelimit-reset-tokens": "1m3.5s"}, "", 63.5),
        # Of two limits the one that is used up counts.
        (
            {
                "x-ratelimit-reset-requests": "20s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-tokens": "50s",
                "x-ratelimit-remaining-tokens": "400",
            },
            "",
            20.0,
        ),
        ({"x-ratelimit-reset": "1060"}, "", 1060.0),
        ({"x-ratelimit-reset": "1800000060000"}, "", 60.0),
        ({}, "Limit reached. Please try again in 7m12s. Visit ...", 432.0),
        ({}, "Please retry after 23 seconds.", 23.0),
        ({}, "Slow down", None),
    ],
)
def test_how_long_a_limit_lasts(headers: dict[str, str], message: str, wait: float | None) -> None:
    """Each of the ways in which servers say when to come back is understood."""
    assert wait_of(headers, message, now=1_800_000_000.0) == wait


def test_limits_hold_the_run_or_end_it() -> None:
    """A limit of minutes is waited for, also one that says nothing; one of hours ends the run, resumable."""
    assert judged(429, openai("slow"), retry_after="30").retry_after == 30
    assert judged(429, openai("slow")).retry_after == USUAL_WAIT
    day = judged(429, openai("daily limit"), retry_after=str(int(LONGEST_WAIT) + 3600))
    assert day.fate is Fate.ABORT
    assert "another 1.2 h" in day.reason
    assert "resume" in day.advice


@given(st.text(max_size=20))
@example("nan")
@example("inf")
def test_any_header_is_survived(text: str) -> None:
    """A header that is none of the known forms says nothing, and breaks nothing."""
    found = span(text, now=0.0)
    assert found is None or found >= 0


# Texts


def completion(message: Any, finish: Any = "stop", **more: Any) -> dict[str, Any]:
    """A completion."""
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}


@pytest.mark.parametrize(
    ("value", "text", "finish"),
    [
        (completion({"role": "assistant", "content": " A text. "}), "A text.", "stop"),
        (completion({"content": "A"}, None), "A", ""),
        (completion({"content": "A"}, "model_length"), "A", "length"),
        (completion({"content": None}, "content_filter"), "", "content_filter"),
        (completion({"content": [{"type": "thinking"}, {"type": "text", "text": "A"}]}), "A", "stop"),
        (completion({"content": "<think>Hm.\n</think>\n\nA", "reasoning_content": "x"}), "A", "stop"),
        (completion({"content": "Hm.</think>A"}), "A", "stop"),
        (completion({"content": "<think>Hm, let me"}, "length"), "", "length"),
        ({"choices": [{"text": "A", "finish_reason": "stop"}]}, "A", "stop"),
        ({"choices": []}, "", ""),
    ],
)  # fmt: skip
def test_texts_in_all_their_shapes(value: Any, text: str, finish: str) -> None:
    """The text alone is taken, without spaces around it or what the model thought aloud."""
    found = Completion.of(value)
    assert found is not None
    assert (found.text, found.finish) == (text, finish)


@pytest.mark.parametrize(
    "value", [None, 3, [], {}, {"choices": None}, {"choices": ["A"]}, {"message": "hello"}]
)
def test_what_is_no_completion(value: Any) -> None:
    """Other JSON isn't taken for an empty text."""
    assert Completion.of(value) is None


def test_tokens_are_taken_from_the_server() -> None:
    """Whatever the server counts is kept, under either of its names; nothing is made up."""
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    found = Completion.of(completion({"content": "A"}, usage=usage, model="m-1"))
    assert found is not None
    assert found.facts() == {"text": "A", "tokens_in": 7, "tokens_out": 3, "model": "m-1"}
    bare = Completion.of(completion({"content": "A"}, usage=None))
    assert bare is not None
    assert bare.facts() == {"text": "A"}


# Estimates


@pytest.mark.parametrize(
    ("text", "true"),
    [
        # A token a word and one for the stop; digits by threes in some tokenizers, each alone in others; and
        # the rule of thumb of four characters a token.
        ("The quick brown fox jumps over the lazy dog.", (10, 10)),
        ("1234567890", (4, 10)),
        ("a word " * 400, (700, 700)),
    ],
)
def test_the_estimate_holds_the_true_count(text: str, true: tuple[int, int]) -> None:
    """The range that is told has what tokenizers count in it."""
    low, high = tokens(pl.Series([text]))
    assert low <= true[0]
    assert true[1] <= high


@given(st.lists(st.text(max_size=50), max_size=5))
def test_no_text_has_more_tokens_than_told(texts: list[str]) -> None:
    """The range is one: from no less than nothing up, and longer texts have more."""
    low, high = tokens(pl.Series(texts, dtype=pl.String))
    assert 0 <= low <= high


def test_the_cost_is_told_before_the_start() -> None:
    """Prompts, tokens, money and what is not known are told, with no more figures than are known."""
    says = Generation.of({"model": "m", "max_tokens": 100, "price_in": 2, "price_out": 10, "currency": "EUR"})
    estimate = Estimate()
    estimate.add(pl.Series(["x" * 100] * 1000 + [None]), None, "Be brief.")
    words = estimate.words(says)
    assert "At most 1,000 prompts" in words
    assert "100,000 tokens at most" in words
    assert "between 0.06 and 1.14 EUR" in words
    assert "estimated by characters" in words
    boundless = estimate.words(Generation.of({"model": "m", "price_out": 10}))
    assert "as long as the model likes" in boundless
    assert "the answers come on top" in boundless
    assert "cost" not in estimate.words(Generation.of({"model": "m"}))


def test_a_rows_own_system_text_counts() -> None:
    """A system text of the row stands in the place of the common one in the estimate too."""
    common, own = Estimate(), Estimate()
    common.add(pl.Series(["a", "b"]), None, "s" * 100)
    own.add(pl.Series(["a", "b"]), pl.Series([None, "s" * 100]), "s" * 100)
    assert (common.low, common.high) == pytest.approx((own.low, own.high))


@pytest.mark.parametrize(
    ("prompts", "words"), [(5, "60 s"), (60, "12 min"), (552, "1.8 h"), (20_000, "2.8 days")]
)
def test_how_long_it_takes(prompts: int, words: str) -> None:
    """The time at five a minute, in a unit for people."""
    assert pace(prompts, 5 / 60) == words


# Options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "which model"),
        ({"modle": "m"}, "Did you mean 'model'"),
        ({"model": 3}, "takes text"),
        ({"model": "m", "max_tokens": 0}, "whole number"),
        ({"model": "m", "max_tokens": "many"}, "whole number"),
        ({"model": "m", "price_in": "2 EUR"}, "currency"),
        ({"model": "m", "min_length": 9, "max_length": 8}, "more than"),
        ({"model": "m", "extra": {"stream": True}}, "for the job to say"),
        ({"model": "m", "extra": {"h": "Authorization: Bearer abcdef"}}, "password"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], words: str) -> None:
    """What is wrong with a job's options is said before anything is asked."""
    with pytest.raises(UsageError, match=words):
        Generation.of(options)


def test_options_from_the_command_line() -> None:
    """Numbers may come as text, with a decimal comma."""
    made = Generation.of({"model": "m", "max_tokens": "300", "price_in": "0,15", "stop": "END"})
    assert (made.max_tokens, made.price_in, made.stop) == (300, 0.15, ("END",))
