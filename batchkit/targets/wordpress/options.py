"""What a job may say about a WordPress site, and the address it is at."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from ...core.errors import UsageError
from ..http.logins import split_login
from .keys import is_number
from .seo import CHOICES

SECRET: Final = "wp_password"  # noqa: S105  the name of a secret
_TYPES: Final = ("posts", "pages")
BATCH_CHOICES: Final = ("auto", "yes", "no")


@dataclass(frozen=True, slots=True)
class Options:
    """The table `[target]` of a job.

    Attributes:
        types: Types of posts, by REST base; a row without a type is looked for in each in turn, and
            created in the first.
        seo: SEO plugin whose texts `seo_title` and `seo_description` are; `auto` asks the site.
        batch: Whether writes go through batch/v1: `auto` where the site offers it.
        call_size: Writes of a call of batch/v1; None for the site's own limit.
        create_terms: Make categories, tags and other terms that a row names and the site lacks.
    """

    types: tuple[str, ...] = _TYPES
    seo: str = "auto"
    batch: str = "auto"
    call_size: int | None = None
    create_terms: bool = False

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """The options that a job gives.

        Raises:
            UsageError: One is unknown (the near one is named) or wrong.
        """
        known = [each.name for each in fields(cls)]
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
                raise UsageError(f"target has no entry {name!r}.", advice=hint)
        types = given.get("types", _TYPES)
        types = tuple(part.strip() for part in types.split(",")) if isinstance(types, str) else tuple(types)
        if not types or not all(isinstance(each, str) and each for each in types):
            raise UsageError("target.types takes REST bases.", advice='Write types = ["posts", "pages"].')
        seo, batch = str(given.get("seo", "auto")), given.get("batch", "auto")
        batch = {True: "yes", False: "no", "true": "yes", "false": "no"}.get(batch, batch)
        for name, value, choices in (("seo", seo, CHOICES), ("batch", batch, BATCH_CHOICES)):
            if value not in choices:
                raise UsageError(
                    f"target.{name} can't be {value!r}.", advice=f"It takes {', '.join(choices)}."
                )
        return cls(
            types, seo, str(batch), _size(given.get("call_size")), _flag(given.get("create_terms", False))
        )


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


def _size(value: Any) -> int | None:
    if value in (None, "", "auto"):
        return None
    if isinstance(value, bool) or not is_number(str(value)) or int(value) < 1:
        raise UsageError(f"target.call_size can't be {value!r}.", advice="It takes a number from 1.")
    return int(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "yes", "1", "false", "no", "0", ""):
        return str(value).lower() in ("true", "yes", "1")
    raise UsageError(f"target.create_terms can't be {value!r}.", advice="It takes true or false.")
