"""Texts that say what happened and what to do next."""

from __future__ import annotations


def joined(message: str, advice: str) -> str:
    """What happened and what to do next as one text, with a stop between them."""
    return f"{sentence(message) if advice else message} {advice}".strip()


def sentence(text: str) -> str:
    """The text with a stop at its end, where it lacks one."""
    return text if not text or text.endswith((".", "!", "?", ":")) else f"{text}."
