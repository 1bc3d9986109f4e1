"""Jobs for a WordPress site: rows brought to its posts, and what its database says afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest

from batchkit.planning.job import Job
from batchkit.planning.plan import Plan
from batchkit.running.run import Run
from batchkit.targets.wordpress.target import WordPressTarget
from tests.support.wordpress_site import WordPressSite

USERS = ("admin", "editor", "author", "subscriber")
TITLE, DESCRIPTION = "_yoast_wpseo_title", "_yoast_wpseo_metadesc"


def know_logins(site: WordPressSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have each user's application password as the secret `wp_USER`, and `admin`'s as `wp_password`."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    for user in USERS:
        monkeypatch.setenv(f"wp_{user}", site.login(user)[1])
    monkeypatch.setenv("wp_password", site.login("admin")[1])


def address(url: str, user: str = "admin") -> str:
    """The address of a site for a user."""
    return "wordpress+" + url.replace("://", f"://{user}:{{secret:wp_{user}}}@")


def job(
    site: WordPressSite,
    rows: Mapping[str, Any] | pl.DataFrame | str,
    *,
    user: str = "admin",
    url: str = "",
    **options: Any,
) -> Job:
    """A job that brings rows to a site's posts."""
    source = rows if isinstance(rows, str | pl.DataFrame) else pl.DataFrame(rows).cast(pl.String)
    target = {"seo": "yoast", **options.pop("target", {})}
    return Job(source, to=address(url or site.url, user), target=target, **options)


def target(site: WordPressSite, user: str = "admin", *, url: str = "", **options: Any) -> WordPressTarget:
    """A target of its own, not connected yet."""
    return WordPressTarget(address(url or site.url, user), **{"key": ("id",), "seo": "yoast", **options})


def run(plan: Plan, **settings: Any) -> Run:
    """A run to its end, without the delays that a site on the far side would want."""
    made = plan.start(**{"delay": 0, "backoff": 0.05, **settings})
    made.wait(120)
    return made


def counts(made: Run) -> dict[str, int]:
    """Outcomes that occur."""
    return {name: n for name, n in made.snapshot().outcomes.items() if n}


def outcomes(made: Run) -> dict[str, dict[str, Any]]:
    """Outcomes by key."""
    return {row["key"]: row for row in made.outcomes().iter_rows(named=True)}


def problems(plan: Plan, rule: str = "") -> list[Any]:
    """Problems of a plan's rows, of one rule or all."""
    found = [each for view in plan.page(limit=10_000) for each in view.problems]
    return [each for each in found if not rule or each.rule == rule]


def post(site: WordPressSite, number: int) -> dict[str, str | None]:
    """The columns of a post that people write."""
    names = ("post_title", "post_content", "post_excerpt", "post_status", "post_name", "post_date")
    ((*values,),) = site.sql(f"SELECT {', '.join(names)} FROM wp_posts WHERE ID = {number:d}")
    return dict(zip(names, values, strict=True))


def all_texts(site: WordPressSite) -> list[Any]:
    """All posts and all their meta, but for what WordPress itself notes on each save.

    Slugs are left out: some of the export's are in the database in a spelling that WordPress corrects
    whenever their post is saved.
    """
    posts = site.sql(
        "SELECT ID, post_title, post_content, post_excerpt, post_status, post_date, "
        "post_date_gmt, post_author, post_parent FROM wp_posts "
        "WHERE post_type IN ('post', 'page') ORDER BY ID"
    )
    own = "'_encloseme', '_pingme', '_edit_lock', '_edit_last', '_wp_old_slug', '_wp_old_date'"
    meta = site.sql(
        "SELECT post_id, meta_key, meta_value FROM wp_postmeta "
        f"WHERE meta_key NOT IN ({own}) ORDER BY post_id, meta_key, meta_value"
    )
    return [posts, meta]
