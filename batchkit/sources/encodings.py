"""Which encoding a text file is in: its BOM, else strict UTF-8, else the likeliest single-byte one."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from ..core.advice import option
from ..core.errors import SourceError
from ..core.problem import Problem, notice, warning

BLOCK = 8 * 1024 * 1024  # bytes read at once
_HEAD = 64 * 1024
_SAMPLE = 128 * 1024  # bytes of lines with accents that a guess is made from
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins alike
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What western European text uses beyond ASCII; other tables' letters turn into other signs in cp1252.
_WESTERN = frozenset(
    "àâäáãåçéèêëíìîïñóòôöõøúùûüÿæœßÀÂÄÁÃÅÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØÚÙÛÜŸÆŒ’‘“”«»–—…•€£©®°²³·´ªº½¼§±×\u00a0"
)
_ADVICE = (
    f"Overrule the encoding, as in {option('encoding', 'cp1252')}; cp1252 is that of Windows, others are "
    "utf-8 and mac_roman."
)


@dataclass(frozen=True)
class Encoding:
    """What a file's bytes are read as.

    Attributes:
        name: Python's name of the codec: "utf-8", "utf-8-sig", "utf-16", "cp1252", ...
        problems: What there is to tell about the choice.
    """

    name: str
    problems: tuple[Problem, ...] = ()


def find_encoding(path: Path, declared: str | None = None) -> Encoding:
    """The encoding of a text file; reads it through, but keeps none of it.

    Args:
        path: The file.
        declared: What the operator says it is; believed when all bytes can be read so.

    Raises:
        SourceError: The bytes contradict the declared encoding or the mark at their beginning.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    marked = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    if declared is not None:
        return _declared(path, _known_codec(declared), marked)
    # UTF-8 before the single-byte ones: they take nearly any bytes, and it hardly ever fits by chance.
    if marked or (marked := _unmarked_utf16(head)):
        _decodes(path, marked)
        return Encoding(marked)
    if _first_bad_utf8(path) is None:
        return Encoding("utf-8")
    return _single_byte(path)


def utf8_blocks(path: Path, encoding: str, digest: Any = None, size: int = BLOCK) -> Iterator[bytes]:
    """The file's text as UTF-8, without a byte order mark, in blocks cut anywhere.

    Args:
        path: The file.
        encoding: Codec of the file.
        digest: A `hashlib` object fed with the file's own bytes.
        size: Bytes read at once.
    """
    digest = digest if digest is not None else hashlib.sha256()
    decoder = None if encoding in ("utf-8", "utf-8-sig") else codecs.getincrementaldecoder(encoding)()
    first = True
    with path.open("rb") as file:
        while block := file.read(size):
            digest.update(block)
            if decoder:
                block = decoder.decode(block).encode()
            if first:
                block = block.removeprefix(codecs.BOM_UTF8)
            first = False
            yield block
    if decoder and (rest := decoder.decode(b"", final=True)):
        yield rest.encode()


def _known_codec(name: str) -> str:
    try:
        found = codecs.lookup(name)
        b"".decode(found.name)
    except LookupError:
        raise SourceError(
            f"There is no encoding {name!r}.", advice='Take one such as "utf-8", "cp1252" or "utf-16".'
        ) from None
    return found.name


def _declared(path: Path, name: str, marked: str | None) -> Encoding:
    if marked and name == codecs.lookup(marked.removesuffix("-sig")).name:
        name = marked
    _decodes(path, name)
    if marked and name != marked:
        return Encoding(name, (_doubt(f"The file begins with the mark of {marked} but is read as {name}"),))
    if name not in _SAME_AS_UTF8 and not marked and _is_utf8_with_accents(path):
        return Encoding(name, (_doubt(f"The file is valid UTF-8 but is read as {name}"),))
    return Encoding(name)


_SAME_AS_UTF8 = ("utf-8", "utf-8-sig", "ascii", "utf-16", "utf-16-le", "utf-16-be")


def _doubt(message: str) -> Problem:
    return warning("encoding", message, "Look at the accents in the preview.")


def _is_utf8_with_accents(path: Path) -> bool:
    with path.open("rb") as file:
        plain = all(block.isascii() for block in iter(lambda: file.read(BLOCK), b""))
    return not plain and _first_bad_utf8(path) is None


def _decodes(path: Path, name: str) -> None:
    if name in ("utf-8", "utf-8-sig"):
        if (offset := _first_bad_utf8(path)) is not None:
            raise _unreadable(path, name, offset)
        return
    decoder = codecs.getincrementaldecoder(name)()
    offset = 0
    with path.open("rb") as file:
        while True:
            block = file.read(BLOCK)
            held = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeError as problem:
                raise _unreadable(path, name, offset - held + getattr(problem, "start", 0)) from None
            if not block:
                return
            offset += len(block)


def _unreadable(path: Path, name: str, offset: int) -> SourceError:
    row = _row_at(path, offset)
    message = f"{path.name} is not {name}: byte {offset:,} (row {row:,}) can't be read."
    return SourceError(message, advice=_ADVICE, path=path, offset=offset, row=row)


def _row_at(path: Path, offset: int) -> int:
    row, inside = 1, False
    with path.open("rb") as file:
        while offset > 0 and (block := file.read(min(BLOCK, offset))):
            offset -= len(block)
            for n, part in enumerate(block.split(b'"')):
                inside = inside if n == 0 else not inside
                if not inside:
                    row += part.count(b"\n") + part.count(b"\r") - part.count(b"\r\n")
    return row


def _first_bad_utf8(path: Path) -> int | None:
    offset, held = 0, b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            text = held + block
            # The last character may go on in the next block: its lead byte and up to three more wait for it.
            cut = len(text)
            while len(text) - cut < 3 and cut > 1 and text[cut - 1] & 0xC0 == 0x80:
                cut -= 1
            cut -= text[cut - 1] >= 0xC0
            if (bad := _bad_byte(text[:cut])) is not None:
                return offset + bad
            offset, held = offset + cut, text[cut:]
    bad = _bad_byte(held)
    return None if bad is None else offset + bad


def _bad_byte(data: bytes) -> int | None:
    """Where bytes stop being UTF-8; None where all of them are."""
    if data.isascii():
        return None
    try:  # polars checks with SIMD, several times as fast as bytes.decode
        pl.Series([data], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        try:
            data.decode()
        except UnicodeDecodeError as problem:
            return problem.start
    return None


def _unmarked_utf16(head: bytes) -> str | None:
    if len(head) < 4 or head.count(0) < 0.3 * len(head):
        return None
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.6 * len(head[1::2]) and even < 0.1 * len(head):
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 * len(head[0::2]) and odd < 0.1 * len(head) else None


def _single_byte(path: Path) -> Encoding:
    sample = _accented_lines(path)
    name = "cp1252" if _looks_western(sample) else _guess(sample)
    try:
        _decodes(path, name)
    except SourceError:
        name = "latin-1"  # has a character for each byte: the last resort is shown, never refused
    message = f"The file is not UTF-8 and says no encoding; it is read as {name}"
    overruled = f"if they are wrong, overrule it, as in {option('encoding', 'mac_roman')}."
    return Encoding(name, (notice("encoding", message, f"Look at the accents in the preview; {overruled}"),))


def _accented_lines(path: Path) -> bytes:
    found: list[bytes] = []
    size = 0
    with path.open("rb") as file:
        while size < _SAMPLE and (block := file.read(BLOCK)):
            for line in block.replace(b"\r", b"\n").split(b"\n"):
                if line.isascii():
                    continue
                found.append(line[:4096])
                size += len(found[-1])
                if size >= _SAMPLE:
                    break
    return b"\n".join(found)


def _looks_western(sample: bytes) -> bool:
    try:
        text = sample.decode("cp1252")
    except UnicodeDecodeError:
        return False
    high = [character for character in text if character >= "\x80"]
    runs = sum(len(run) for run in re.findall(r"[\x80-\uffff]{3,}", text))  # a word all of accents: Cyrillic
    known = sum(character in _WESTERN for character in high)
    return known >= 0.95 * len(high) and runs <= 0.2 * len(high)


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return codecs.lookup(best.encoding).name if best else "cp1252"
