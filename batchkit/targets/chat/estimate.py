"""What a run of prompts will cost, roughly: tokens are counted by the model's own tokenizer alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import polars as pl

from .options import Generation

PER_LETTER: Final = (0.2, 0.45)
"""Tokens of a Latin letter or space: English is near 0.25, French and German between 0.3 and 0.4."""
PER_MARK: Final = (0.3, 1.0)
"""Tokens of a digit or a punctuation mark: some tokenizers take three digits at once, some each alone."""
PER_SIGN: Final = (0.35, 2.0)
"""Tokens of any other character: Cyrillic is near 0.5, Chinese and Japanese 0.7 to 2, an emoji 2 and more."""
PER_MESSAGE: Final = (3, 10)
"""Tokens that a server's template puts around a message."""

_OTHER: Final = r"[^\x00-\u024F\u2010-\u2026]"
_MARK: Final = r"[0-9\p{P}\p{S}]"


@dataclass(slots=True)
class Estimate:
    """Sums over prompts.

    The figures are an approximation by characters, which is why they are a range: what a tokenizer makes of a
    text differs from model to model by half.

    Attributes:
        prompts: How many.
        low, high: Tokens of the prompts, system texts included: at least and at most, as a rule.
    """

    prompts: int = 0
    low: float = 0.0
    high: float = 0.0

    def add(self, prompts: pl.Series, systems: pl.Series | None, system: str) -> None:
        """Count a batch.

        Args:
            prompts: The prompts; null where none is sent.
            systems: The system text of each row; null where it is the common one.
            system: The common system text.
        """
        sent = prompts.is_not_null()
        count = int(sent.sum())
        if not count:
            return
        texts = pl.Series([system]) if systems is None else systems.fill_null(system).filter(sent)
        repeated = count if systems is None else 1
        self.prompts += count
        for per_text, times in ((prompts.filter(sent), 1), (texts, repeated)):
            spoken = per_text.filter(per_text != "")
            low, high = tokens(spoken)
            self.low += (low + PER_MESSAGE[0] * spoken.len()) * times
            self.high += (high + PER_MESSAGE[1] * spoken.len()) * times

    def words(self, says: Generation) -> str:
        """The estimate as a sentence or two for the operator."""
        # Rows that turn out to be duplicates are counted too: only the finished plan knows them.
        count = "One prompt" if self.prompts == 1 else f"At most {self.prompts:,} prompts"
        sent = f"{count}, about {_round(self.low)} to {_round(self.high)} tokens (estimated by characters)"
        if says.max_tokens is None:
            return f"{sent}; the answers may be as long as the model likes{self._price(says, 0)}"
        most = self.prompts * says.max_tokens
        return f"{sent}; the answers have {most:,} tokens at most{self._price(says, most)}"

    def _price(self, says: Generation, most: int) -> str:
        if says.price_in is None and says.price_out is None:
            return ""
        least = self.low * (says.price_in or 0.0) / 1e6
        full = (self.high * (says.price_in or 0.0) + most * (says.price_out or 0.0)) / 1e6
        if not most and says.price_out:
            return f". The prompts cost {_money(least, full, says.currency)}, the answers come on top"
        return f". That costs {_money(least, full, says.currency)}"


def tokens(texts: pl.Series) -> tuple[float, float]:
    """Tokens that texts have at least and at most, as a rule; see the constants of this module."""
    if texts.is_empty():
        return 0.0, 0.0
    signs = int(texts.str.count_matches(_OTHER).sum())
    marks = int(texts.str.count_matches(_MARK).sum())
    letters = max(int(texts.str.len_chars().sum()) - signs - marks, 0)
    parts = ((letters, PER_LETTER), (marks, PER_MARK), (signs, PER_SIGN))
    return sum(n * per[0] for n, per in parts), sum(n * per[1] for n, per in parts)


def pace(prompts: int, rate: float) -> str:
    """How long so many prompts take at so many a second."""
    seconds = prompts / rate
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def _round(number: float) -> str:
    """Two figures: more would pretend to know more."""
    if number < 10:
        return f"{math.ceil(number)}"
    unit = 10 ** (math.floor(math.log10(number)) - 1)
    return f"{round(number / unit) * unit:,}"


def _money(low: float, high: float, currency: str) -> str:
    places = 2 if high >= 1 else 4
    unit = f" {currency}" if currency else ""
    if f"{low:.{places}f}" == f"{high:.{places}f}":
        return f"about {high:,.{places}f}{unit}"
    return f"between {low:,.{places}f} and {high:,.{places}f}{unit}"
