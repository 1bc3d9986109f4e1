"""Who a site takes us for; a wrong password is often served as if nobody had logged in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from ..base import Failure, Fate
from ..http.answer import Answer
from ..http.failures import HttpError
from .failures import body_of, judged

_ME: Final = "wp/v2/users/me"
_WITHOUT: Final = frozenset({"rest_not_logged_in", "rest_forbidden_context", "rest_cannot_edit", "401"})


Ask = Callable[[str, str], Awaitable[Answer]]
"""Sends a request by method and address, and gives the answer, whatever its status."""


@dataclass(frozen=True, slots=True)
class User:
    """Who we are.

    Attributes:
        name: Name of the login.
        roles: Its roles.
        may: What it may do, in WordPress's words (`edit_others_posts`).
    """

    name: str
    roles: tuple[str, ...]
    may: frozenset[str]

    @property
    def words(self) -> str:
        """Name and roles, for people."""
        return f"{self.name} ({', '.join(self.roles) or 'no role'})"


async def find_user(ask: Ask, root: str, *, app_passwords: bool | None) -> User | None:
    """Who the site takes us for; None where it doesn't say, but takes the login.

    Args:
        ask: Sends requests with the login.
        root: Address of the REST API.
        app_passwords: Whether the site offers application passwords.

    Raises:
        HttpError: It doesn't take the login.
    """
    joint = "&" if "?" in root else "?"
    answer = await ask("GET", f"{root}{_ME}{joint}context=edit&_fields=id,username,name,roles,capabilities")
    user = body_of(answer)
    if answer.status == 200 and user.get("id"):
        return _user(user)
    failure = judged(answer)
    if failure is not None and failure.fate is not Fate.REJECT and answer.status != 401:
        raise HttpError(failure)
    if failure is None or answer.status == 401:
        raise HttpError(not_taken(failure, app_passwords=app_passwords))
    # Security plugins hide users, from all: only a login sees posts as they are edited.
    answer = await ask("GET", f"{root}wp/v2/posts{joint}context=edit&per_page=1&_fields=id")
    again = judged(answer)
    if again is not None:
        raise HttpError(not_taken(again, app_passwords=app_passwords) if answer.status == 401 else again)
    return None


def not_taken(failure: Failure | None, *, app_passwords: bool | None) -> Failure:
    """Why the login isn't taken, as far as the site lets it be known."""
    if app_passwords is False:
        return Failure(
            Fate.ABORT,
            "no application passwords",
            "The site doesn't offer application passwords, so it took no notice of the login",
            "They need https, or WP_ENVIRONMENT_TYPE local in wp-config.php for plain http; and no plugin "
            "that turns them off.",
        )
    if failure is None or failure.rule in _WITHOUT:
        return Failure(
            Fate.ABORT,
            "login",
            "The site doesn't accept the login: it answers as if nobody had logged in (401)",
            "Check the user and the application password (Users → Profile → Application Passwords; not the "
            "password of the login page). If they are right, the web server keeps the Authorization header "
            "from WordPress (Apache: CGIPassAuth On).",
        )
    return failure


def _user(user: dict[str, Any]) -> User:
    may = user.get("capabilities")
    return User(
        str(user.get("username") or user.get("name") or user["id"]),
        tuple(map(str, user.get("roles") or ())),
        frozenset(name for name, held in may.items() if held) if isinstance(may, dict) else frozenset(),
    )
