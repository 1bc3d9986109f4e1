"""What WordPress does to text: what it lets through, how it shows it, and the slug it makes of it.

Each is a small part of the function named, enough to see that raw and rendered differ and that what was sent
may not be what is stored.
"""

from __future__ import annotations

import html
import re
import unicodedata
from typing import Final

_ENTITY: Final = r"&(?!(?:#\d+|#x[0-9a-fA-F]+|[a-zA-Z][a-zA-Z0-9]*);)"
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:\"[^\"]*\"|'[^']*'|[^<>\"'])*)>")
_ATTRIBUTE: Final = re.compile(r"([a-zA-Z_:][\w:.-]*)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?")
_INLINE: Final = re.compile(
    r"a|abbr|acronym|b|blockquote|cite|code|del|em|i|q|s|strike|strong", re.IGNORECASE
)
"""Tags that titles may have."""
_ANY: Final = re.compile(
    r"a|abbr|address|article|aside|b|blockquote|br|caption|cite|code|dd|del|details|div|dl|dt|em|fig(?:caption|ure)"
    r"|footer|h[1-6]|header|hr|i|img|ins|li|mark|nav|ol|p|pre|q|s|section|small|span|strike|strong|su[bp]|summary"
    r"|table|tbody|td|th|thead|tr|u|ul",
    re.IGNORECASE,
)
"""Tags that contents may have."""
_BLOCK: Final = re.compile(r"<(?:p|div|h[1-6]|ul|ol|table|figure|blockquote|pre|section|hr)\b", re.IGNORECASE)


def allowed(text: str, *, title: bool = False) -> str:
    """What is left of text from who may not write HTML as he likes: `wp_kses`."""
    names = _INLINE if title else _ANY

    def tag(found: re.Match[str]) -> str:
        closing, name, rest = found.groups()
        if not names.fullmatch(name):
            return ""
        return f"</{name}>" if closing else f"<{name}{_attributes(rest)}>"

    return re.sub(_ENTITY, "&amp;", _TAG.sub(tag, text))


def _attributes(text: str) -> str:
    kept = []
    for name, value in _ATTRIBUTE.findall(text):
        if name.lower().startswith("on"):
            continue
        plain = value.strip("\"'")
        plain = re.sub(r"^\s*(?:javascript|data|vbscript):", "", plain, flags=re.IGNORECASE)
        kept.append(f' {name}="{plain}"' if value else f" {name}")
    return "".join(kept) + (" /" if text.rstrip().endswith("/") else "")


def texturized(text: str) -> str:
    """Text with the typography of print: `wptexturize`, and ampersands as entities."""
    parts = re.split(r"(<[^>]*>)", text)
    return "".join(part if part.startswith("<") else _typeset(part) for part in parts)


def _typeset(text: str) -> str:
    text = text.replace("...", "&#8230;")
    text = re.sub(r"(?<= )--(?= )|---", "&#8212;", text)
    text = text.replace("--", "&#8211;").replace(" - ", " &#8211; ")
    text = re.sub(r"(?<!\w)\"(?=\S)", "&#8220;", text).replace('"', "&#8221;")
    text = re.sub(r"(?<![\w&;])'(?=\w)", "&#8216;", text).replace("'", "&#8217;")
    return re.sub(_ENTITY, "&#038;", text)


def paragraphs(text: str) -> str:
    """Text as paragraphs, without the comments of blocks: `wpautop`."""
    text = re.sub(r"<!-- /?wp:.*?-->", "", text, flags=re.DOTALL).strip("\n")
    if not text.strip():
        return ""
    if not _BLOCK.search(text):
        text = "\n".join(f"<p>{part}</p>" for part in re.split(r"\n\s*\n", text))
    return f"{texturized(text)}\n"


def excerpt_of(content: str, words: int = 55) -> str:
    """The beginning of a content without its tags: `wp_trim_excerpt`."""
    plain = re.sub(r"<[^>]+>", " ", texturized(re.sub(r"<!--.*?-->", "", content, flags=re.DOTALL)))
    found = plain.split()
    if not found:
        return ""
    return f"<p>{' '.join(found[:words])}{' [&hellip;]' if len(found) > words else ''}</p>\n"


def slug_of(text: str) -> str:
    """The slug that text makes: `sanitize_title`."""
    text = html.unescape(re.sub(r"<[^>]*>", "", text)) if "&#" in text else re.sub(r"<[^>]*>", "", text)
    text = re.sub(r"&[^;\s]+;", "", text)
    for special, plain in (("œ", "oe"), ("Œ", "OE"), ("æ", "ae"), ("Æ", "AE"), ("ß", "ss"), ("ø", "o")):
        text = text.replace(special, plain)
    text = unicodedata.normalize("NFKD", text)
    text = re.sub(
        r"[./–—\u00a0\u202f]", "-", "".join(c for c in text if not unicodedata.combining(c)).lower()
    )
    return re.sub(r"-+", "-", re.sub(r"\s+", "-", re.sub(r"[^a-z0-9\s_-]", "", text))).strip("-")
