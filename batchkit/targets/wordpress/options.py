"""What a job may say about a WordPress site, and the address it is at."""

from __future__ import annotations

from typing import Annotated, Any, Final

from annotated_types import MinLen
from pydantic import BeforeValidator
from pydantic.dataclasses import dataclass

from ...core.model import LENIENT, OneOf, Takes
from ..http.logins import split_login
from ..http.options import Count, HttpOptions, Texts
from .seo import CHOICES

SECRET: Final = "wp_password"  # noqa: S105  the name of a secret


def _word(value: Any) -> Any:
    """A choice, where TOML and the command line make true of yes."""
    words: dict[Any, str] = {True: "yes", False: "no", "true": "yes", "false": "no"}
    return words.get(value, value) if isinstance(value, bool | str) else value


def _size(value: Any) -> Any:
    return None if value in (None, "", "auto") else value


@dataclass(frozen=True, kw_only=True, config=LENIENT)
class Options(HttpOptions):
    """The table `[target]` of a job."""

    types: Annotated[Texts, MinLen(1), Takes("REST bases", '["posts", "pages"]')] = ("posts", "pages")
    """Types of posts, by REST base; a row without a type is looked for in each in turn, and created in the
    first."""

    seo: Annotated[str, OneOf(CHOICES)] = "auto"
    """SEO plugin whose texts `seo_title` and `seo_description` are; `auto` asks the site."""

    batch: Annotated[str, BeforeValidator(_word), OneOf(("auto", "yes", "no"))] = "auto"
    """Whether writes go through batch/v1: `auto` where the site offers it."""

    call_size: Annotated[Count | None, BeforeValidator(_size), Takes("a number from 1 up", "25")] = None
    """Writes of a call of batch/v1. Default: the site's own limit."""

    create_terms: bool = False
    """Make categories, tags and other terms that a row names and the site lacks."""


def with_secret(base: str) -> str:
    """An address whose user has no password gets the secret's name."""
    scheme, _, rest = base.partition("://")
    place, slash, path = rest.partition("/")
    login, at, host = place.rpartition("@")
    if at and split_login(place)[1] is None:
        login = f"{login}:{{secret:{SECRET}}}"
    for end in ("/wp-json", "/wp-json/", "/wp-admin", "/wp-admin/", "/wp-login.php"):
        path = path.removesuffix(end.lstrip("/")) if f"/{path}".endswith(end) else path
    return f"{scheme}://{login}{at}{host}{slash}{path}".rstrip("/")
