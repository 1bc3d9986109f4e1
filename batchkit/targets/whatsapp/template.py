"""A message template: its variables, what it takes to fill them, and how it reads when they are filled."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

MEDIA: Final = ("image", "video", "document")
HEADER_LENGTH: Final = 60
BODY_LENGTH: Final = 1024
LONE_BODY_LENGTH: Final = 32_768
"""Characters a variable of the body may have where the template is nothing but a body."""
LINK_LENGTH: Final = 2_000
CODE_LENGTH: Final = 15
"""Characters of a code to copy."""

_VARIABLE: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_RESERVED: Final = frozenset({"to", "text", "caption", "filename"})
_SENDABLE: Final = frozenset({"APPROVED", "ACTIVE"})


@dataclass(frozen=True, slots=True)
class Slot:
    """One value that a template takes.

    Attributes:
        field: The job's field that feeds it.
        part: `header`, `body` or `button`.
        kind: `text`, one of `MEDIA`, `filename`, `url` or `copy_code`.
        name: Its name in the template; its position where the template counts its variables.
        index: Which button, from 0.
        longest: Characters it may have.
    """

    field: str
    part: str
    kind: str = "text"
    name: str = ""
    index: int = 0
    longest: int = BODY_LENGTH

    @property
    def needed(self) -> bool:
        """Whether a message can't go without it."""
        return self.kind != "filename"


@dataclass(frozen=True, slots=True)
class Template:
    """A template as the account holds it.

    Attributes:
        name, language: What it is known by.
        status: `APPROVED`, `PAUSED`, ...
        category: `MARKETING`, `UTILITY` or `AUTHENTICATION`.
        components: Its parts, as the API describes them.
        named: Its variables have names instead of numbers.
    """

    name: str
    language: str
    status: str = "APPROVED"
    category: str = ""
    components: Sequence[Mapping[str, Any]] = ()
    named: bool = False
    slots: tuple[Slot, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "slots", tuple(_slots(self.components)))

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Template:
        """The template that the API describes, or that `to_dict` did."""
        return cls(
            name=str(described.get("name", "")),
            language=str(described.get("language", "")),
            status=str(described.get("status", "")).upper() or "APPROVED",
            category=str(described.get("category", "")).upper(),
            components=tuple(described.get("components") or ()),
            named=str(described.get("parameter_format", "")).upper() == "NAMED",
        )

    def to_dict(self) -> dict[str, Any]:
        """What a plan keeps of it."""
        kept = [
            {key: each[key] for key in ("type", "format", "text", "buttons") if key in each}
            for each in self.components
        ]
        return {
            "name": self.name,
            "language": self.language,
            "category": self.category,
            "parameter_format": "NAMED" if self.named else "POSITIONAL",
            "components": kept,
        }

    @property
    def sendable(self) -> bool:
        """Whether WhatsApp takes messages of it now."""
        return self.status in _SENDABLE

    def same_text(self, other: Template) -> bool:
        """Whether it reads as the other does, whatever became of its status."""
        mine, others = self.to_dict()["components"], other.to_dict()["components"]
        return bool(mine == others)

    def rendered(self, values: Mapping[str, Any]) -> str | None:
        """The message as its recipient reads it; None where a value lacks."""
        if any(values.get(slot.field) is None for slot in self.slots if slot.needed):
            return None
        parts = []
        for each in self.components:
            match _kind(each):
                case "HEADER":
                    parts.append(self._header(each, values))
                case "BODY" | "FOOTER":
                    parts.append(_filled(str(each.get("text", "")), "", values))
                case "BUTTONS":
                    parts += _buttons(each, values)
        return "\n".join(part for part in parts if part)

    def _header(self, header: Mapping[str, Any], values: Mapping[str, Any]) -> str:
        form = _format(header)
        if form == "TEXT":
            return _filled(str(header.get("text", "")), "header_", values)
        link = values.get(f"header_{form.lower()}")
        return f"[{form.lower()}: {link}]" if link else f"[{form.lower()}]"


def loose_slots(fields: Iterable[str], variables: Sequence[str] = ()) -> tuple[Slot, ...]:
    """The slots that the names of a job's fields tell, where the template itself can't be asked.

    Args:
        fields: Names of the fields that are filled.
        variables: Names of the template's variables, in its order, where they have names.
    """
    filled = list(fields)
    slots = []
    for name in filled:
        part, _, rest = name.partition("_")
        if part == "header" and rest:
            kind = rest if rest in (*MEDIA, "filename") else "text"
            longest = HEADER_LENGTH if kind == "text" else LINK_LENGTH
            slots.append(Slot(name, "header", kind, rest, longest=longest))
        elif part == "button" and rest.isdigit():
            slots.append(Slot(name, "button", "url", "1", int(rest) - 1, LINK_LENGTH))
    numbers = sorted((name for name in filled if name.isdigit()), key=int)
    body = [name for name in variables if name in filled] or numbers
    slots += [Slot(name, "body", name=name.removeprefix("body_")) for name in body]
    return tuple(slots)


def components(
    slots: Sequence[Slot], values: Mapping[str, Any], *, named: Callable[[Slot], bool]
) -> list[dict[str, Any]]:
    """The filled parts of a template message, as the API takes them.

    Args:
        slots: What the template takes.
        values: A value per field.
        named: Whether a variable goes by its name.
    """
    made: list[dict[str, Any]] = []
    header = [slot for slot in slots if slot.part == "header" and slot.kind != "filename"]
    body = [slot for slot in slots if slot.part == "body"]
    if header:
        made.append({"type": "header", "parameters": [_parameter(slot, values, named) for slot in header]})
    if body:
        made.append({"type": "body", "parameters": [_parameter(slot, values, named) for slot in body]})
    for slot in slots:
        if slot.part != "button":
            continue
        value = values[slot.field]
        code = slot.kind == "copy_code"
        inner = {"type": "coupon_code", "coupon_code": value} if code else {"type": "text", "text": value}
        made.append(
            {"type": "button", "sub_type": slot.kind, "index": str(slot.index), "parameters": [inner]}
        )
    return made


def _parameter(slot: Slot, values: Mapping[str, Any], named: Callable[[Slot], bool]) -> dict[str, Any]:
    value = values[slot.field]
    if slot.kind in MEDIA:
        media = {"link": value}
        if slot.kind == "document" and values.get("header_filename"):
            media["filename"] = values["header_filename"]
        return {"type": slot.kind, slot.kind: media}
    name = {"parameter_name": slot.name} if named(slot) else {}
    return {"type": "text", **name, "text": value}


def _slots(parts: Sequence[Mapping[str, Any]]) -> Iterator[Slot]:
    alone = len(parts) == 1
    for each in parts:
        match _kind(each):
            case "HEADER":
                yield from _header_slots(each)
            case "BODY":
                longest = LONE_BODY_LENGTH if alone else BODY_LENGTH
                for name in _variables(each):
                    yield Slot(_body_field(name), "body", name=name, longest=longest)
            case "BUTTONS":
                yield from _button_slots(each)


def _header_slots(header: Mapping[str, Any]) -> Iterator[Slot]:
    form = _format(header).lower()
    if form == "text":
        for name in _variables(header):
            yield Slot(f"header_{name}", "header", name=name, longest=HEADER_LENGTH)
    elif form in MEDIA:
        yield Slot(f"header_{form}", "header", form, longest=LINK_LENGTH)
        if form == "document":
            yield Slot("header_filename", "header", "filename", longest=240)


def _button_slots(buttons: Mapping[str, Any]) -> Iterator[Slot]:
    for index, button in enumerate(buttons.get("buttons") or ()):
        name = f"button_{index + 1}"
        kind = str(button.get("type", "")).upper()
        if (kind == "URL" and _VARIABLE.search(str(button.get("url", "")))) or kind == "OTP":
            yield Slot(name, "button", "url", "1", index, LINK_LENGTH)
        elif kind == "COPY_CODE":
            yield Slot(name, "button", "copy_code", "1", index, CODE_LENGTH)


def _variables(component: Mapping[str, Any]) -> list[str]:
    """Names of the variables in a text, each once, in the order the API wants them."""
    found = list(dict.fromkeys(_VARIABLE.findall(str(component.get("text", "")))))
    return sorted(found, key=int) if all(name.isdigit() for name in found) else found


def _body_field(name: str) -> str:
    taken = name in _RESERVED or name.startswith(("header_", "button_"))
    return f"body_{name}" if taken else name


def _filled(text: str, prefix: str, values: Mapping[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        name = f"{prefix}{match[1]}" if prefix else _body_field(match[1])
        return str(values.get(name, match[0]))

    return _VARIABLE.sub(value, text)


def _buttons(component: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[str]:
    for index, button in enumerate(component.get("buttons") or ()):
        text = str(button.get("text", "")) or str(button.get("type", "")).lower()
        value = values.get(f"button_{index + 1}")
        url = str(button.get("url", ""))
        if url:
            text += f" → {_VARIABLE.sub(lambda _, value=value: str(value or ''), url)}"  # type: ignore[misc]
        elif value:
            text += f" → {value}"
        yield f"[{text}]"


def _kind(component: Mapping[str, Any]) -> str:
    return str(component.get("type", "")).upper()


def _format(component: Mapping[str, Any]) -> str:
    return str(component.get("format", "TEXT")).upper()
