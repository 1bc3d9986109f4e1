"""The two forms of a message: an approved template with variables, and free text or media."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl

from ...core.advice import map_column
from ...core.columns import FieldType
from ...core.errors import MappingError
from ...core.words import did_you_mean
from ..base import Refusal
from .template import BODY_LENGTH, LINK_LENGTH, Slot, Template, components, loose_slots

TEXT_LENGTH: Final = 4096
CAPTION_LENGTH: Final = 1024
FREE_MEDIA: Final = ("image", "video", "document", "audio")

_OPEN_POSITIONS: Final = 20
_LINK: Final[Mapping[str, Any]] = {"url": True}
_BROKEN_LINES: Final = r"[\n\r\t]| {5,}"


class TemplateForm:
    """Messages of one template.

    Args:
        name: The template's name.
        language: Its language.
        template: The template, where the account could be asked.
        variables: Names of its variables where it couldn't, and they have names.
    """

    def __init__(
        self, name: str, language: str, template: Template | None, variables: Sequence[str] = ()
    ) -> None:
        self.template = template
        self._name, self._language = name, language
        self._variables = tuple(variables)
        self._loose: dict[tuple[str, ...], tuple[Slot, ...]] = {}

    def fields(self) -> dict[str, FieldType]:
        """The fields it takes, besides the recipient."""
        if self.template is not None:
            return {slot.field: _type_of(slot) for slot in self.template.slots}
        # Nobody could say what it takes, so whatever it may take is taken.
        text, link = FieldType("text", max_length=BODY_LENGTH), FieldType("text", checks=_LINK)
        names = self._variables or [str(n) for n in range(1, _OPEN_POSITIONS + 1)]
        found = dict.fromkeys(names, text)
        found |= {"header_1": text, "header_filename": text}
        found |= {f"header_{kind}": link for kind in ("image", "video", "document")}
        return found | {f"button_{n}": FieldType("text", max_length=LINK_LENGTH) for n in range(1, 11)}

    def check(self, columns: Sequence[str]) -> None:
        """Make sure that the job fills what it needs.

        Raises:
            MappingError: It doesn't.
        """
        if self.template is not None:
            lacking = [s.field for s in self.template.slots if s.needed and s.field not in columns]
            if lacking:
                message = f"The template {self._name!r} takes {', '.join(lacking)}, which nothing fills."
                advice = f"Map a column to it, as in {map_column(lacking[0])}."
                raise MappingError(message, advice=advice, missing=tuple(lacking))
            return
        numbers = sorted(int(name) for name in columns if name.isdigit())
        if not self._variables and numbers != list(range(1, len(numbers) + 1)):
            lacking = [str(n) for n in range(1, numbers[-1]) if n not in numbers]
            message = f"The template {self._name!r} takes {', '.join(lacking)} too, which nothing fills."
            raise MappingError(message, advice=f"Map a column to it, as in {map_column(lacking[0])}.")

    def refusals(self, frame: pl.DataFrame) -> Iterator[Refusal]:
        """The values that WhatsApp wouldn't take."""
        for slot in self._slots(frame.columns):
            if slot.field not in frame.columns or slot.kind != "text":
                continue
            bad = frame[slot.field].str.contains(_BROKEN_LINES).fill_null(value=False)
            for at in bad.arg_true():
                reason = "A template's variable takes no line break, no tab, and at most 4 spaces in a row."
                yield Refusal(slot.field, at, reason, "spaces", "Write it in one line, with single spaces.")

    def rendered(self, values: Mapping[str, Any]) -> str | None:
        """The message as its recipient reads it; None where it isn't whole, or can't be known."""
        return None if self.template is None else self.template.rendered(values)

    def content(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The message as the API takes it, without its recipient."""
        parts = components(self._slots(tuple(values)), values, named=self._by_name)
        message: dict[str, Any] = {"name": self._name, "language": {"code": self._language}}
        if parts:
            message["components"] = parts
        return {"type": "template", "template": message}

    def _slots(self, columns: Sequence[str]) -> tuple[Slot, ...]:
        if self.template is not None:
            return self.template.slots
        known = tuple(columns)
        if known not in self._loose:
            self._loose[known] = loose_slots(known, self._variables)
        return self._loose[known]

    def _by_name(self, slot: Slot) -> bool:
        if self.template is not None:
            return self.template.named
        return bool(self._variables) and not slot.name.isdigit()


class FreeForm:
    """Free text, or a file by its link: what may be sent in the 24 hours after the recipient wrote."""

    def fields(self) -> dict[str, FieldType]:  # noqa: D102 - as above
        found = {"text": FieldType("text", max_length=TEXT_LENGTH)}
        found |= {kind: FieldType("text", max_length=LINK_LENGTH, checks=_LINK) for kind in FREE_MEDIA}
        found["caption"] = FieldType("text", max_length=CAPTION_LENGTH)
        found["filename"] = FieldType("text", max_length=240)
        return found

    def check(self, columns: Sequence[str]) -> None:  # noqa: D102 - as above
        kinds = ("text", *FREE_MEDIA)
        if not any(kind in columns for kind in kinds):
            raise MappingError(
                "The job doesn't say what to send.",
                advice='Name a template ([target] template = "..."), or map a column to '
                f"{', '.join(kinds[:-1])} or {kinds[-1]}. {did_you_mean('text', columns)}".rstrip(),
            )

    def refusals(self, frame: pl.DataFrame) -> Iterator[Refusal]:  # noqa: D102 - as above
        media = [kind for kind in FREE_MEDIA if kind in frame.columns]
        links = frame.select(
            pl.lit(0).alias("none"), *(pl.col(kind).is_not_null().cast(pl.UInt8) for kind in media)
        )
        files = links.sum_horizontal()
        text = (
            frame["text"].is_null()
            if "text" in frame.columns
            else pl.Series([True]).new_from_index(0, len(files))
        )
        field = "text" if "text" in frame.columns else media[0]
        for at in ((files == 0) & text).arg_true():
            yield Refusal(field, at, "There is nothing to send.", "blank", "Fill in a text or a link.")
        for at in (files > 1).arg_true():
            yield Refusal(
                media[0], at, "A message takes one file, not several.", "media", "Leave one link in the row."
            )

    def rendered(self, values: Mapping[str, Any]) -> str | None:  # noqa: D102 - as above
        kind = _media(values)
        if kind is None:
            return values.get("text")
        caption = _caption(values) if kind != "audio" else None
        return f"[{kind}: {values[kind]}]" + (f"\n{caption}" if caption else "")

    def content(self, values: Mapping[str, Any]) -> dict[str, Any]:  # noqa: D102 - as above
        kind = _media(values)
        if kind is None:
            return {"type": "text", "text": {"body": values["text"], "preview_url": "http" in values["text"]}}
        media = {"link": values[kind]}
        if kind != "audio" and _caption(values):
            media["caption"] = _caption(values)
        if kind == "document" and values.get("filename"):
            media["filename"] = values["filename"]
        return {"type": kind, kind: media}


def _media(values: Mapping[str, Any]) -> str | None:
    return next((kind for kind in FREE_MEDIA if values.get(kind)), None)


def _caption(values: Mapping[str, Any]) -> Any:
    return values.get("caption") or values.get("text")


def _type_of(slot: Slot) -> FieldType:
    checks = {"required": True} if slot.needed else {}
    if slot.kind in ("image", "video", "document"):
        checks |= _LINK
    return FieldType("text", max_length=slot.longest, nullable=not slot.needed, checks=checks)


Form = TemplateForm | FreeForm
