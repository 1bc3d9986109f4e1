"""What the practice server is set to: who may log in, and how each API behaves where real ones differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SEO_PLUGINS: Final = ("yoast", "rankmath", "seopress", "aioseo", "none")
"""Plugins whose meta keys the WordPress site has."""
META: Final = ("open", "protected", "hidden")
"""How far those keys are open: registered so that editors may write them; registered, but those that begin
with `_` can't be written; not registered at all, as the plugins themselves leave them."""
LOGINS: Final = ("anonymous", "refused")
"""What a wrong password comes to: an anonymous visit, or a 401. Real sites do either, by their plugins."""
WINDOWS: Final = ("open", "closed")
"""Whether everybody wrote within 24 hours, or only those whom `PUT /_sandbox {"wrote": [...]}` names."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the server is set to.

    Attributes:
        token: What `Authorization: Bearer` must hold; None lets everybody in.
        password: The application password of every WordPress user.
        wordpress_seo: One of `SEO_PLUGINS`.
        wordpress_meta: One of `META`.
        wordpress_login: One of `LOGINS`.
        whatsapp_window: One of `WINDOWS`.
        whatsapp_pair_rate: Seconds that must lie between two messages to one recipient; 0 asks for none.
        whatsapp_undeliverable: Numbers that end so are not on WhatsApp.
    """

    token: str | None = None
    password: str = "practice"  # noqa: S105 a password to practise with
    wordpress_seo: str = "yoast"
    wordpress_meta: str = "open"
    wordpress_login: str = "anonymous"
    whatsapp_window: str = "open"
    whatsapp_pair_rate: float = 0.0
    whatsapp_undeliverable: str = "000"
