"""What WordPress's own codes mean, and what an operator does about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from jmespath import search

from ..base import Failure
from ..http.answer import Answer, Unreadable
from ..http.failures import json_of, judge

PLUGIN: Final = (
    "Copy batchkit's data/wordpress/batchkit-seo-meta.php into the site's wp-content/mu-plugins folder; it "
    "lets those who may edit a post write its SEO texts over REST."
)
"""What makes meta keys writable."""

SAY_PLUGIN: Final = 'Say it: [target] seo = "yoast", "rankmath", "seopress", "aioseo" or "none".'
"""What to do where a site doesn't tell its SEO plugin, or tells several."""

_LOGIN: Final = (
    "Check the user and the application password (Users → Profile → Application Passwords; not the password "
    "of the login page)."
)
_EDITOR: Final = "Use a login that may edit it, such as an editor's or an administrator's."

_ADVICE: Final[Mapping[str, str]] = {
    "application_passwords_disabled": (
        "Application passwords are turned off at the site: they need https (or WP_ENVIRONMENT_TYPE local), "
        "and no plugin that turns them off."
    ),
    "application_passwords_disabled_for_user": "Ask an administrator to let this user have them.",
    "incorrect_password": _LOGIN,
    "invalid_username": _LOGIN,
    "invalid_email": _LOGIN,
    "rest_not_logged_in": _LOGIN,
    "rest_cannot_edit": _EDITOR,
    "rest_cannot_create": _EDITOR,
    "rest_cannot_delete": _EDITOR,
    "rest_cannot_publish": "Use a login that may publish, or leave the status as draft or pending.",
    "rest_cannot_edit_others": _EDITOR,
    "rest_cannot_assign_term": "Use a login that may assign these terms, such as an editor's.",
    "rest_cannot_assign_sticky": "Use a login that may make posts sticky, such as an editor's.",
    "rest_cannot_update": PLUGIN,
    "rest_forbidden": _EDITOR,
    "rest_forbidden_context": _EDITOR,
    "rest_forbidden_status": "Use a login that may set this status, such as an editor's.",
    "rest_post_invalid_id": "Look whether the post is still there; make a new plan.",
    "rest_post_invalid_page_number": "Make a new plan.",
    "rest_invalid_param": "Correct the value.",
    "rest_invalid_type": "Correct the value: the site has registered the field with another type.",
    "rest_invalid_author": "Name the id of a user who may write posts there.",
    "rest_invalid_featured_media": "Name the id of an image in the media library.",
    "rest_invalid_field": "Correct the value.",
    "rest_invalid_slug": "Correct the slug.",
    "rest_trash_not_supported": "Delete it at the site: it has no trash, and batchkit deletes none for good.",
    "rest_user_cannot_delete_post": _EDITOR,
    "rest_no_route": "Check the types in the job; a plugin may have turned this part of the REST API off.",
    "rest_disabled": "A plugin has turned the REST API off for this login; let it through there.",
    "rest_login_required": _LOGIN,
    "rest_cannot_access": "A security plugin keeps the REST API from this login; let it through there.",
    "empty_content": "Title, content and excerpt can't all be empty.",
    "db_update_error": "Ask the host to look at the site's database.",
    "db_insert_error": "Ask the host to look at the site's database.",
}

_LOGINS: Final = frozenset(
    {"application_passwords_disabled", "application_passwords_disabled_for_user", "rest_login_required"}
)
"""What 401 may be besides a login that isn't taken: WordPress answers 403 to one that may not."""

MADE: Final = "Look at the site whether the post is there, then settle the item."
CACHE: Final = "See what answers there in the site's place: a cache, a firewall, a security plugin."


def judged(answer: Answer) -> Failure | None:
    """What an answer means, by its status and WordPress's own code; None for one that says success."""
    failure = judge(answer)
    if failure is None:
        return None
    body = body_of(answer)
    code = body.get("code") if isinstance(body.get("code"), str) else ""
    if not code or failure.rule == "firewall":
        return failure
    return replace(
        failure,
        rule=code,
        reason=f"{failure.reason}{_details(body)}",
        advice=_LOGIN if answer.status == 401 and code not in _LOGINS else _ADVICE.get(code, failure.advice),
    )


def value_of(answer: Answer) -> Any:
    """The JSON of an answer that says success.

    Raises:
        HttpError: It is a failure, or can't be read.
    """
    return json_of(answer, judged(answer))


def body_of(answer: Answer) -> dict[str, Any]:
    """The table that an answer holds; empty where it holds none."""
    try:
        value = answer.json()
    except Unreadable:
        return {}
    return value if isinstance(value, dict) else {}


def _details(body: Mapping[str, Any]) -> str:
    """WordPress says which parameters are wrong in its message, and why beside it."""
    params = search("data.params", body)
    if not isinstance(params, dict):
        return ""
    return " " + " ".join(str(words) for words in params.values())[:200]
