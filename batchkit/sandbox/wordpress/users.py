"""Users of the site: the application password they log in with, and who may do what to which post."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Final

from ..rules import Rules
from .answers import Refused
from .store import Post

_AUTHOR: Final = frozenset({"read", "upload_files", "edit_posts", "publish_posts", "delete_posts"})
_EDITOR: Final = _AUTHOR | {
    "edit_others_posts",
    "edit_pages",
    "edit_others_pages",
    "publish_pages",
    "delete_others_posts",
    "manage_categories",
    "unfiltered_html",
}
_CAN: Final = {
    "administrator": _EDITOR | {"manage_options", "activate_plugins"},
    "editor": _EDITOR,
    "author": _AUTHOR,
    "subscriber": frozenset({"read"}),
}
"""What each role may do, of WordPress' capabilities those that matter here."""


@dataclass(frozen=True, slots=True)
class User:
    """A user.

    Attributes:
        id: The number.
        name: The login, slug and name.
        role: One of WordPress' roles.
    """

    id: int
    name: str
    role: str

    def can(self, capability: str) -> bool:
        """Whether this user may do it, to what is his own at least."""
        return capability in _CAN[self.role]


USERS: Final = (
    User(1, "demo", "administrator"),
    User(2, "editor", "editor"),
    User(3, "author", "author"),
    User(4, "subscriber", "subscriber"),
    User(5, "admin", "administrator"),
)
"""Everybody the site knows; all have the same application password."""


def user_of(login: str | None, rules: Rules) -> User | None:
    """Who comes with this `Authorization`; None when nobody does, or with a wrong password on most sites.

    Raises:
        Refused: The login is wrong, on a site that says so.
    """
    if not login or not login.lower().startswith("basic "):
        return None
    try:
        name, _, password = base64.b64decode(login[6:], validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    known = next((user for user in USERS if user.name == name), None)
    if known is not None and _plain(password) == _plain(rules.password):
        return known
    if rules.wordpress_login == "anonymous":
        return None
    if known is None:
        raise Refused(
            401,
            "invalid_username",
            f"<strong>Error:</strong> The username <strong>{name}</strong> is not registered on this site. "
            "If you are unsure of your username, try your email address instead.",
        )
    raise Refused(401, "incorrect_password", "The provided password is an invalid application password.")


def _plain(password: str) -> str:
    # As WordPress does: application passwords are shown in groups, and typed with or without the blanks.
    return re.sub(r"[^a-zA-Z\d]", "", password)


def shown(user: User, site: str, *, edit: bool) -> dict[str, Any]:
    """A user as `users/me` shows him."""
    more = {
        "username": user.name,
        "email": f"{user.name}@example.com",
        "locale": "fr_FR",
        "roles": [user.role],
        "capabilities": {**dict.fromkeys(sorted(_CAN[user.role]), True), user.role: True},
        "extra_capabilities": {user.role: True},
    }
    return {
        "id": user.id,
        "name": user.name,
        "url": "",
        "description": "",
        "link": f"{site}/author/{user.name}/",
        "slug": user.name,
        **(more if edit else {}),
        "meta": [],
    }


def can_edit(user: User | None, post: Post) -> bool:
    """Whether a user may change a post: his own, or any with the capability for others'."""
    if user is None:
        return False
    kind = "pages" if post.type == "page" else "posts"
    return user.can(f"edit_{kind}") and (post.author == user.id or user.can(f"edit_others_{kind}"))


def can_read(user: User | None, post: Post) -> bool:
    """Whether a user may see a post."""
    return post.status == "publish" or can_edit(user, post)


def may(user: User | None, capability: str) -> bool:
    """Whether somebody, or nobody, has a capability."""
    return user is not None and user.can(capability)


def forbidden(user: User | None, code: str, what: str) -> Refused:
    """The refusal of what isn't allowed: 401 for nobody in particular, 403 for somebody."""
    return Refused(401 if user is None else 403, code, f"Sorry, you are not allowed to {what}.")


def allow(user: User | None, post: Post) -> str:
    """The `Allow` of a post's address, which tells a user what he may do."""
    return "GET, POST, PUT, PATCH, DELETE" if can_edit(user, post) else "GET"
