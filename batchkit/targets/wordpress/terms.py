"""Categories, tags and other terms: names in a sheet, ids at the site."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Any, Final

from .keys import is_number

SEPARATOR: Final = "|"
_PATH: Final = " > "


class UnknownTerms(Exception):
    """Names that stand for no term, or for several.

    Attributes:
        names: Those of no term.
        several: Those of several terms.
    """

    def __init__(self, names: Sequence[str], several: Sequence[str]) -> None:
        super().__init__(names, several)
        self.names = list(names)
        self.several = list(several)


@dataclass(slots=True)
class Terms:
    """The terms of one taxonomy.

    Attributes:
        base: Its REST base, such as `categories`.
        known: All were read.
    """

    base: str
    known: bool = False
    _labels: dict[int, str] = field(default_factory=dict)
    _raw: dict[int, tuple[str, str, int]] = field(default_factory=dict)
    _ids: dict[str, list[int]] = field(default_factory=dict)

    def add(self, terms: Iterable[Mapping[str, Any]]) -> None:
        """Take in terms as the site lists them: `id`, `name`, `slug`, `parent`."""
        for term in terms:
            name = " ".join(unescape(str(term.get("name", ""))).split())
            self._raw[int(term["id"])] = (name, str(term.get("slug", "")), int(term.get("parent") or 0))
        self._index()

    def _index(self) -> None:
        self._ids = {}
        names: dict[str, int] = {}
        for name, _, _ in self._raw.values():
            names[name.casefold()] = names.get(name.casefold(), 0) + 1
        for number, (name, _, _) in self._raw.items():
            path = self._path(number)
            self._labels[number] = name if names[name.casefold()] == 1 else path
            for text in {name.casefold(), path.casefold()}:
                self._ids.setdefault(text, []).append(number)
        for number, (_, slug, _) in self._raw.items():
            self._ids.setdefault(slug.casefold(), [number])  # a name goes before a slug

    def _path(self, number: int) -> str:
        parts: list[str] = []
        seen = set()
        while number in self._raw and number not in seen:
            seen.add(number)
            name, _, number = self._raw[number]
            parts.insert(0, name)
        return _PATH.join(parts)

    def unknown(self, ids: Iterable[int]) -> set[int]:
        """Those of the ids that it doesn't know."""
        return set(ids) - self._labels.keys()

    def text(self, ids: Iterable[int]) -> str:
        """Ids as a text of names; always in the same order, for terms are a set."""
        labels = [self._labels.get(number, f"#{number}") for number in ids]
        return SEPARATOR.join(sorted(labels, key=lambda label: (label.casefold(), label)))

    def ids(self, text: str) -> list[int]:
        """The ids of names separated by `|`, or by commas where there is none; one may be `Parent > Child`.

        Raises:
            UnknownTerms: A name is of no term, or of several.
        """
        found: list[int] = []
        missing: list[str] = []
        several: list[str] = []
        for name in self.names(text):
            ids = self._named(name)
            if len(ids) == 1:
                found += [each for each in ids if each not in found]
            else:
                (several if ids else missing).append(name)
        if missing or several:
            raise UnknownTerms(missing, several)
        return found

    def names(self, text: str) -> list[str]:
        """The single names in a text."""
        if SEPARATOR not in text and self._named(text):
            return [text]
        parts = text.split(SEPARATOR if SEPARATOR in text else ",")
        return [name for part in parts if (name := " ".join(part.split()))]

    def _named(self, name: str) -> list[int]:
        plain = re.sub(r"\s*>\s*", _PATH, " ".join(unescape(name).split())).casefold()
        if plain.startswith("#") and is_number(plain[1:]) and int(plain[1:]) in self._raw:
            return [int(plain[1:])]
        return self._ids.get(plain, [])

    def missing(self, text: str) -> list[str]:
        """The names in a text that are of no term."""
        return [name for name in self.names(text) if not self._named(name)]

    def joined(self, text: str) -> str:
        """A text of names, some of which are yet to be made, as it will read once they are."""
        labels = [
            self._labels[ids[0]] if (ids := self._named(name)) else name
            for name in dict.fromkeys(self.names(text))
        ]
        return SEPARATOR.join(sorted(labels, key=lambda label: (label.casefold(), label)))
