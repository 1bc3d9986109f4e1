"""Who may do what to which post."""

from __future__ import annotations

from .answers import Refused
from .store import Post
from .users import User


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


def forbidden(user: User | None, code: str, message: str) -> Refused:
    """The refusal of what isn't allowed: 401 for nobody in particular, 403 for somebody."""
    return Refused(401 if user is None else 403, code, message)


def allow(user: User | None, post: Post) -> str:
    """The `Allow` of a post's address, which tells a user what he may do."""
    return "GET, POST, PUT, PATCH, DELETE" if can_edit(user, post) else "GET"
