"""Enough of the chat completions API to practise on: text made of the prompt, always the same."""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .items import object_in
from .rules import Rules

MODELS: Final = {
    "practice": 32_768,
    "practice-small": 4_096,
    "practice-large": 32_768,
    "gpt-4o-mini": 128_000,
}
"""Models, and the tokens that each can hold."""
LIMIT_HEADERS: Final = [
    (b"x-ratelimit-limit-requests", b"5"),
    (b"x-ratelimit-remaining-requests", b"0"),
    (b"x-ratelimit-reset-requests", b"12s"),
]
"""What a 429 says of the limit."""
_ORDERED: Final = {
    400: ("context_length_exceeded", "invalid_request_error", "Maximum context length is 4096 tokens."),
    401: ("invalid_api_key", "invalid_request_error", "Incorrect API key provided."),
    403: ("unsupported_country_region_territory", "request_forbidden", "Country not supported"),
    404: ("model_not_found", "invalid_request_error", "The model does not exist."),
    429: ("rate_limit_exceeded", "requests", "Rate limit reached. Limit: 5 / min. Try again in 12s."),
    500: (None, "server_error", "The server had an error while processing your request."),
    503: (None, "server_error", "The engine is currently overloaded, please try again later."),
}  # fmt: skip
_OPENINGS: Final = ("Découvrez", "Voici", "Profitez de", "Retrouvez", "Adoptez", "Explorez")
_CLOSINGS: Final = (
    "un choix simple et durable, pensé pour le quotidien.",
    "des conseils clairs, des exemples et des prix nets.",
    "une réponse rapide, et un devis sans engagement.",
    "tout ce qu’il faut savoir avant de se décider.",
)
_WORD: Final = re.compile(r"[^\W\d_][\w'’-]{3,}")


class Chat:
    """The endpoints.

    Args:
        rules: Which key is asked for; without one, none is, as on servers of one's own.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def routes(self) -> list[Route]:
        """Its endpoints."""
        return [
            Route("/v1/chat/completions", self._complete, methods=["POST"]),
            Route("/v1/models", self._models, methods=["GET"]),
        ]

    async def _models(self, request: Request) -> Response:
        if (problem := self._stopped(request)) is not None:
            return problem
        models = [
            {"id": name, "object": "model", "created": 1700000000, "owned_by": "batchkit"} for name in MODELS
        ]
        return JSONResponse({"object": "list", "data": models})

    async def _complete(self, request: Request) -> Response:
        if (problem := self._stopped(request)) is not None:
            return problem
        body = await object_in(request)
        if body is None:
            return _refused(400, None, "We could not parse the JSON body of your request.")
        if (problem := _problem(body)) is not None:
            return problem
        prompt = [_text(message) for message in body["messages"]]
        taken = sum(tokens(text) + 4 for text in prompt)
        room = MODELS[body["model"]] - taken
        most = body.get("max_completion_tokens", body.get("max_tokens"))
        if room <= 0 or (most is not None and most > room):
            message = f"This model's maximum context length is {MODELS[body['model']]} tokens."
            return _refused(400, "context_length_exceeded", message, param="messages")
        made = [written(prompt[-1], most or room, choice) for choice in range(body.get("n") or 1)]
        used = sum(tokens(text) for text, _ in made)
        choices = [
            {
                "index": at,
                "message": {"role": "assistant", "content": text},
                "logprobs": None,
                "finish_reason": why,
            }
            for at, (text, why) in enumerate(made)
        ]
        return JSONResponse(
            {
                "id": f"chatcmpl-{hashlib.sha256(repr(prompt).encode()).hexdigest()[:24]}",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": body["model"],
                "choices": choices,
                "usage": {"prompt_tokens": taken, "completion_tokens": used, "total_tokens": taken + used},
            }
        )

    def _stopped(self, request: Request) -> Response | None:
        if self._rules.token is None:
            return None
        key = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not key:
            return _refused(401, None, "You didn't provide an API key.")
        if key != self._rules.token:
            shown = f"{key[:3]}***{key[-4:]}" if len(key) > 8 else "***"
            return _refused(401, "invalid_api_key", f"Incorrect API key provided: {shown}.")
        return None


def tokens(text: str) -> int:
    """How many tokens a text is taken for: one for four characters, begun ones whole."""
    return -(-len(text) // 4)


def written(prompt: str, most: int, choice: int = 0) -> tuple[str, str]:
    """A text about the last words of a prompt that are worth it, and why it ends: `stop` or `length`.

    Args:
        prompt: What is asked.
        most: Tokens the text may have.
        choice: Number of the choice; each is another text.
    """
    seed = int.from_bytes(hashlib.sha256(f"{choice}:{prompt}".encode()).digest()[:4])
    words = list(dict.fromkeys(_WORD.findall(prompt)))[-6:] or ["votre projet"]
    opening, closing = _OPENINGS[seed % len(_OPENINGS)], _CLOSINGS[seed // 7 % len(_CLOSINGS)]
    text = f"{opening} {' '.join(words)} : {closing}"
    if tokens(text) <= most:
        return text, "stop"
    return text[: most * 4].rstrip(), "length"


def ordered(status: int, code: str | None) -> dict[str, Any]:
    """The body of a status that was ordered."""
    usual, kind, message = _ORDERED.get(status, (None, "server_error", "ordered fault"))
    return {"error": {"message": message, "type": kind, "param": None, "code": code or usual}}


def _problem(body: dict[str, Any]) -> Response | None:
    model, messages = body.get("model"), body.get("messages")
    if not model:
        return _refused(400, None, "you must provide a model parameter")
    if model not in MODELS:
        message = f"The model `{model}` does not exist or you do not have access to it."
        return _refused(404, "model_not_found", message)
    if not isinstance(messages, list) or not messages:
        message = "Missing required parameter: 'messages'."
        return _refused(400, "missing_required_parameter", message, param="messages")
    if not all(isinstance(each, dict) and "role" in each for each in messages):
        return _refused(400, "invalid_type", "Invalid type for 'messages[0]'.", param="messages")
    for name in ("max_tokens", "max_completion_tokens", "n"):
        value = body.get(name)
        if value is not None and (not isinstance(value, int) or value < 1):
            message = f"Invalid '{name}': integer below minimum value."
            return _refused(400, "integer_below_min_value", message, param=name)
    if body.get("stream"):
        return _refused(400, "unsupported_value", "Streams can't be practised here.", param="stream")
    return None


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content)


def _refused(status: int, code: str | None, message: str, param: str | None = None) -> Response:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return JSONResponse({"error": error}, status)
