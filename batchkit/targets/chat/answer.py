"""What a server of chat completions answered: a text, or a complaint; read leniently, for servers differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from jmespath import search

from ..http.answer import Answer, Unreadable, message_in

_THOUGHT: Final = re.compile(r"(?s)\A(?:\s*<think>)?.*?</think>\s*")
_CUT: Final = frozenset({"length", "model_length", "max_tokens"})
_FILTERED: Final = frozenset({"content_filter", "safety", "recitation"})


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion, whoever gave it.

    Attributes:
        text: The text, without what a model thought aloud before it.
        finish: Why it ended: `stop`, `length`, `content_filter`, or the server's own word.
        refusal: What the model says where it refuses to answer.
        tokens_in, tokens_out: Tokens the server counted; None where it says nothing.
        model: The model that wrote it.
    """

    text: str
    finish: str = ""
    refusal: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    model: str = ""

    @classmethod
    def of(cls, value: Any) -> Completion | None:
        """The completion in an answer; None where the answer is something else."""
        choices = search("choices", value)
        if not isinstance(choices, list) or not all(isinstance(each, Mapping) for each in choices[:1]):
            return None
        finish = str(search("[0].finish_reason", choices) or "").lower()
        return cls(
            text=_said(search("[0].[message.content, text] | [?@ != null] | [0]", choices)),
            finish="length" if finish in _CUT else "content_filter" if finish in _FILTERED else finish,
            refusal=str(search("[0].message.refusal", choices) or ""),
            tokens_in=_count(search("usage.[prompt_tokens, input_tokens] | [?@ != null] | [0]", value)),
            tokens_out=_count(search("usage.[completion_tokens, output_tokens] | [?@ != null] | [0]", value)),
            model=str(search("model", value) or ""),
        )

    def facts(self) -> dict[str, Any]:
        """What goes on record: the text, its tokens, the model."""
        found = {"tokens_in": self.tokens_in, "tokens_out": self.tokens_out, "model": self.model or None}
        return {"text": self.text, **{name: value for name, value in found.items() if value is not None}}


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error as OpenAI, Azure, Mistral, vLLM, Ollama and their like put it.

    Attributes:
        names: What it is called: its code and type, in lower case.
        param: The entry of the request it is about.
        message: For people.
        status: The status it names itself, where a gateway serves it as 200.
    """

    names: frozenset[str] = frozenset()
    param: str = ""
    message: str = ""
    status: int | None = None

    @classmethod
    def of(cls, answer: Answer) -> Complaint:
        """The complaint in an answer; an empty one where there is none to be read."""
        try:
            value = answer.json()
        except Unreadable:
            return cls(message=answer.words())
        if not isinstance(value, Mapping):
            return cls(message=message_in(value))
        inner = value.get("error")
        error: Mapping[str, Any] = inner if isinstance(inner, Mapping) else value
        code = error.get("code")
        names = search("[code, type, innererror.code]", error)
        # FastAPI lists what each error is about: `{"detail": [{"loc": ["body", "temperature"]}]}`.
        param = error.get("param") or search("detail[0].loc[1]", value) or ""
        return cls(
            names=frozenset(str(each).lower() for each in names if each),
            param=str(param),
            message=" ".join(message_in(inner or value).split()),
            status=int(str(code)) if re.fullmatch(r"[45]\d\d", str(code)) else None,
        )


def complains(value: Any) -> bool:
    """Whether an answer of status 200 is an error all the same."""
    return isinstance(value, Mapping) and bool(value.get("error")) and not value.get("choices")


def _said(content: Any) -> str:
    """The text of a message; some servers give it in parts, of which only texts are said aloud."""
    if isinstance(content, list):
        parts = [each for each in content if isinstance(each, Mapping) and each.get("type") in ("text", None)]
        content = "".join(str(each.get("text") or "") for each in parts)
    text = _THOUGHT.sub("", content) if isinstance(content, str) else ""
    return "" if text.lstrip().startswith("<think>") else text.strip()


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
